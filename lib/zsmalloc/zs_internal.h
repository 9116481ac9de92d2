/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_internal - the parts of a pool and how its files share them
 *
 * zs_image.h has what stands in the mapping. Struct zs_pool, in the process,
 * has locks, lists and counters, all of which can be derived from that. The
 * other headers have the functions of the files of their names.
 *
 * Lock order (take only downwards):
 *   pin bit of a handle entry   zs_free() waits for it holding nothing;
 *                               compaction only tries it, under a class lock
 *   zs_class.lock               one class's zspages, and its handle stash
 *   zs_handles.lock             the handles that no class has stashed
 *   zs_arena.lock               free pages, and all accounting of memory
 * Pages go between arena and class under the class's lock. No two class locks
 * are ever held together. Nobody who waits for memory holds a lock: zs_store()
 * takes what is ready, and zs_make_ready() waits.
 *
 * Who may touch what: a page's descriptor and the headers of its objects
 * belong to the holder of its class's lock, or of the arena's while the page
 * is free, or to the thread that took it until it is in a list; an object's
 * bytes belong to whoever has its handle pinned.
 */
#ifndef ZSD_ZSMALLOC_ZS_INTERNAL_H
#define ZSD_ZSMALLOC_ZS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "zsmalloc/zs_arena.h"
#include "zsmalloc/zs_image.h"
#include "zsmalloc/zsmalloc.h"

/* --- Handles ------------------------------------------------------------ */

/* Free handles, chained through their entries. */
struct zs_handle_chain {
	zs_handle first; /* or ZS_HANDLE_NONE */
	uint64_t nr;
};

struct zs_handles {
	_Atomic uint64_t *entries; /* [0] is ZS_HANDLE_NONE */
	_Atomic uint32_t *tags; /* of each handle, or NULL: the pool has none */
	struct zs_table entries_table;
	struct zs_table tags_table; /* empty where the pool has none */
	uint64_t nr_max; /* entries there is room for */

	/* On other cache lines than the above, which readers need. */
	pthread_mutex_t lock ZSD_CACHE_ALIGNED;
	_Atomic uint64_t nr_fresh; /* entries ever taken: all below this */
	struct zs_handle_chain free;
};

/* --- Classes ------------------------------------------------------------ */

/*
 * Fullness groups: group g < ZS_GROUP_FULL holds the zspages with
 * g/8 < inuse/N <= (g+1)/8, but for the full ones. Eight find the fullest and
 * the emptiest well enough; more would only be more lists to look through.
 */
#define ZS_NR_PARTIAL_GROUPS 8u
#define ZS_GROUP_FULL	     ZS_NR_PARTIAL_GROUPS
#define ZS_NR_GROUPS	     (ZS_NR_PARTIAL_GROUPS + 1)

/* Handles that a class keeps for itself, at most, and moves at a time. */
#define ZS_STASH_MAX   64u
#define ZS_STASH_BATCH 32u

struct zs_class {
	pthread_mutex_t lock; /* by zs_class_lock() */
	_Atomic unsigned nr_waiting; /* threads, for the lock */
	struct zs_geometry geometry;
	bool is_huge; /* an object fills a page and has no header */
	/*
	 * Compaction found nothing to free, and nothing was freed since: it
	 * need not look again. Changed under the lock, read without. Where
	 * allocations fail one after the other, each asks for compaction.
	 */
	_Atomic bool is_compact;
	/*
	 * The one zspage that has not all its pages yet, or NONE. It gets the
	 * next when no zspage has a free object left.
	 */
	uint32_t growing;
	uint32_t nr_growing; /* pages that it has */
	uint64_t obj_used;
	uint64_t obj_allocated; /* used and free, in the pages there are */
	uint64_t nr_pages; /* in its zspages, those out of use aside */
	uint64_t nr_zspages[ZS_NR_GROUPS];
	uint32_t first_zspage[ZS_NR_GROUPS]; /* heads of the lists */
	struct zs_handle_chain stash;
} ZSD_CACHE_ALIGNED;

/* --- Adoption ----------------------------------------------------------- */

/* What is looked at anew, in this order, and downwards each. */
enum zs_rebuild_stage {
	ZS_REBUILD_HANDLES,
	ZS_REBUILD_ZSPAGES,
	ZS_REBUILD_PAGES,
	ZS_REBUILT,
};

struct zs_adoption {
	enum zs_rebuild_stage stage;
	uint64_t next; /* 1 + the handle or page to be looked at */
	uint64_t nr_top; /* 1 + the last page that was ever taken */
	/* By handle, 2 bits: its owner named it; and did so twice. */
	unsigned char *named;
};

/* --- The pool ----------------------------------------------------------- */

struct zs_pool {
	struct zs_class classes[ZS_NR_CLASSES]; /* merged ones unused */
	uint8_t class_of[ZS_NR_CLASSES]; /* by size: the class itself */
	size_t huge_class_bytes; /* zs_huge_class_size() */
	struct zs_arena arena;
	struct zs_handles handles;
	_Atomic uint64_t pages_compacted;
	_Atomic uint64_t objs_moved;
	_Atomic uint64_t classes_searched; /* by compaction */
	_Atomic uint64_t pages_retired; /* of zspages taken out of use */
	struct zs_adoption adoption; /* all zero but where it was opened */
};

#endif
