/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * export - a disk by name: its store, what clients are told, what is counted
 *
 * Terms:
 *   export   one disk that clients may choose. A server has one or several,
 *            which share its threads and nothing else.
 *   table    all of them, in order; the first is the default one.
 *   view     what one thread that serves needs to work with one export: a
 *            context of the store, which never waits for a backing, and counters
 *            that nobody else writes.
 *
 * Ownership: the table owns its exports, an export owns its store. A view is
 * its thread's, and ends before its export does.
 *
 * Threads: a table is filled before threads start, and does not change while
 * they run. Counters may be summed by any thread at any time. A sum is not one
 * instant's: threads go on.
 */
#ifndef ZSD_EXPORT_EXPORT_H
#define ZSD_EXPORT_EXPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/list.h"
#include "ctl/schema.h"
#include "nbd/nbd_export.h"
#include "zstore/zstore.h"

/* Most exports of one server. Each worker has a view of each. */
#define EXPORT_MAX 64u

/* Longest name or description, bytes: what the NBD protocol allows. */
#define EXPORT_MAX_NAME_BYTES 4096u

struct export_params {
	const char *name; /* UTF-8; "": what a client gets that names none */
	const char *description; /* for people */
	bool read_only; /* clients may not change the disk */
	bool one_connection; /* only one may be open: no multi-connection */
};

struct export
{
	struct nbd_export nbd; /* what clients are told */
	struct zstore *store;
	bool read_only; /* clients may not change it */
	size_t index; /* in its table */
	_Atomic unsigned nr_clients; /* that have chosen it, and are attached */
	_Atomic uint64_t nr_attached; /* those that there were so far, too */
	pthread_mutex_t lock; /* the two below */
	struct list_node views; /* struct export_view.node */
	struct ctl_requests retired; /* of views that have ended */
};

/**
 * export_create() - make an export of a store
 * @params: strings are not copied
 * @store:  the export's, if this succeeds
 *
 * Return: 0 or -ENOMEM. Release: export_destroy(), which takes NULL too.
 */
int export_create(const struct export_params *params, struct zstore *store,
		  struct export **out) ZSD_MUST_CHECK;
void export_destroy(struct export *export);

/*
 * export_attach() - a client has chosen it, and export_detach() - and leaves
 *
 * Whoever sees no client, and later that export_attached() is what it was
 * before that, knows that no client changed the disk in between.
 */
static inline void export_attach(struct export *export)
{
	/* In this order, and both before the client's first request. */
	atomic_fetch_add(&export->nr_clients, 1);
	atomic_fetch_add(&export->nr_attached, 1);
}

static inline void export_detach(struct export *export)
{
	atomic_fetch_sub(&export->nr_clients, 1);
}

static inline uint64_t export_attached(const struct export *export)
{
	return atomic_load(&export->nr_attached);
}

/* --- the table ------------------------------------------------------------ */

struct export_table {
	struct export *all[EXPORT_MAX];
	size_t nr;
	const struct nbd_export *told[EXPORT_MAX]; /* what they tell clients */
	struct nbd_exports offered; /* those, for a handshake */
};

/**
 * export_table_add() - put an export at the end of a table
 * @export: the table's from now on
 *
 * Return: 0, -EEXIST where there is one of that name, -ENOSPC where there are
 * EXPORT_MAX; the export is then still the caller's.
 */
int export_table_add(struct export_table *table,
		     struct export *export) ZSD_MUST_CHECK;

/* export_table_find() - the export of that name, the default one for NULL; or
 * NULL where there is none. */
struct export *export_table_find(const struct export_table *table,
				 const char *name);

/* export_of() - the export of what a client was told, which a session has */
struct export *export_of(const struct export_table *table,
			 const struct nbd_export *nbd);

/* export_table_fini() - end all exports of it. No view may be left. */
void export_table_fini(struct export_table *table);

/* --- views ---------------------------------------------------------------- */

/* COUNT_read, COUNT_write, … one for each field of struct ctl_requests. */
enum export_count {
#define EXPORT_COUNT_NAME(name, ...) COUNT_##name,
	CTL_REQUESTS(EXPORT_COUNT_NAME)
#undef EXPORT_COUNT_NAME
	NR_EXPORT_COUNTS
};

struct export_view {
	struct export *export;
	struct zstore_ctx *store;
	struct list_node node;
	_Atomic uint64_t counts[NR_EXPORT_COUNTS]; /* written by its thread */
};

/**
 * export_view_create() - let one thread work with an export
 * @scratch: the thread's
 *
 * Allocates. Return: 0 or -ENOMEM.
 * Release: export_view_destroy(), which takes NULL too; what it counted stays
 * in the export's sums.
 */
int export_view_create(struct export *export, struct zstore_scratch *scratch,
		       struct export_view **out) ZSD_MUST_CHECK;
void export_view_destroy(struct export_view *view);

/* export_count() - count; by the view's thread alone. */
static inline void export_count(struct export_view *view,
				enum export_count which, uint64_t n)
{
	_Atomic uint64_t *count = &view->counts[which];
	uint64_t value = atomic_load_explicit(count, memory_order_relaxed);

	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(count, value + n, memory_order_relaxed);
}

/* export_sum() - what all views of an export counted, past ones too. */
void export_sum(struct export *export, struct ctl_requests *out);

#endif
