/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/lock.h"
#include "export/export.h"
#include "nbd/nbd_proto.h"
#include "zstore/zstore_backing.h"

/*
 * What an export can do. FLUSH and FUA cost nothing, and clients that know them
 * expect them; CAN_MULTI_CONN holds because a write is visible to all threads
 * before it is answered; zeroing is always fast. What changes the disk is not
 * offered where that is not allowed.
 */
#define FLAGS                                                           \
	(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | \
	 NBD_FLAG_SEND_CACHE)
#define FLAGS_WRITABLE                                     \
	(NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES | \
	 NBD_FLAG_SEND_FAST_ZERO)

_Static_assert(EXPORT_MAX_NAME_BYTES <= NBD_MAX_STRING_BYTES,
	       "the protocol can carry the name");

static uint16_t flags_of(const struct export_params *params)
{
	unsigned flags = FLAGS;

	flags |= params->read_only ? NBD_FLAG_READ_ONLY : FLAGS_WRITABLE;
	if (!params->one_connection)
		flags |= NBD_FLAG_CAN_MULTI_CONN;
	return (uint16_t)flags;
}

int export_create(const struct export_params *params, struct zstore *store,
		  struct export **out)
{
	const struct zstore_params *disk = zstore_params(store);
	struct export *export = calloc(1, sizeof(*export));

	if (!export)
		return -ENOMEM;
	BUG_ON(strlen(params->name) > EXPORT_MAX_NAME_BYTES ||
	       strlen(params->description) > EXPORT_MAX_NAME_BYTES);
	export->nbd = (struct nbd_export){
		.name = params->name,
		.description = params->description,
		.size_bytes = disk->disk_bytes,
		.flags = flags_of(params),
	};
	export->store = store;
	export->read_only = params->read_only;
	list_init(&export->views);
	lock_init(&export->lock, disk->inherit_priority);
	*out = export;
	return 0;
}

void export_destroy(struct export *export)
{
	if (!export)
		return;
	BUG_ON(!list_is_empty(&export->views));
	pthread_mutex_destroy(&export->lock);
	zstore_destroy(export->store);
	free(export);
}

void export_table_fini(struct export_table *table)
{
	while (table->nr)
		export_destroy(table->all[--table->nr]);
}

/* --- views ---------------------------------------------------------------- */

int export_view_create(struct export *export, struct zstore_scratch *scratch,
		       struct export_view **out)
{
	struct export_view *view = calloc(1, sizeof(*view));
	int err;

	if (!view)
		return -ENOMEM;
	view->export = export;
	err = zstore_ctx_create(export->store, scratch, &view->store);
	if (!err)
		zstore_ctx_never_wait(view->store);
	if (err) {
		free(view);
		return err;
	}
	pthread_mutex_lock(&export->lock);
	list_add_tail(&export->views, &view->node);
	pthread_mutex_unlock(&export->lock);
	*out = view;
	return 0;
}

static void add_counts(const struct export_view *view, struct ctl_requests *sum)
{
#define ADD_COUNT(name, ...)                                           \
	sum->name += atomic_load_explicit(&view->counts[COUNT_##name], \
					  memory_order_relaxed);
	CTL_REQUESTS(ADD_COUNT)
#undef ADD_COUNT
}

void export_view_destroy(struct export_view *view)
{
	struct export *export;

	if (!view)
		return;
	export = view->export;
	pthread_mutex_lock(&export->lock);
	list_del(&view->node);
	add_counts(view, &export->retired);
	pthread_mutex_unlock(&export->lock);
	zstore_ctx_destroy(view->store);
	free(view);
}

void export_sum(struct export *export, struct ctl_requests *out)
{
	struct export_view *view, *next;

	pthread_mutex_lock(&export->lock);
	*out = export->retired;
	list_for_each_safe (view, next, &export->views, struct export_view,
			    node)
		add_counts(view, out);
	pthread_mutex_unlock(&export->lock);
}
