/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_internal - the parts of a pool and how its files share them
 *
 * In the mapping, in this order, each part page-aligned:
 *
 *   handle entries   uint64_t[]        8 B a handle
 *   tags             uint32_t[]        4 B a handle, if the pool has them
 *   descriptors      struct zs_page[] 16 B an arena page
 *   arena            4 KiB pages
 *
 * In the process: struct zs_pool with locks, lists and counters, all of which
 * can be derived from the mapping.
 *
 * Lock order (take only downwards):
 *   pin bit of a handle entry   zs_free() waits for it holding nothing;
 *                               compaction only tries it, under a class lock
 *   zs_class.lock               one class's zspages, and its handle stash
 *   zs_handles.lock             the handles that no class has stashed
 *   zs_arena.lock               free pages, and all accounting of memory
 * No two class locks are ever held together. No lock is held over a system
 * call, but for committing handles (once in megabytes; never after
 * zs_pool_populate_handles()).
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
#include <string.h>

#include "base/check.h"
#include "zsmalloc/zsmalloc.h"

/* --- Descriptors -------------------------------------------------------- */

/* No page: the end of a chain or a list. */
#define ZS_PAGE_NONE UINT32_MAX

/* No object: the end of a zspage's free list. */
#define ZS_OBJ_NONE 2047u

enum zs_page_kind {
	ZS_PAGE_FREE, /* in the reserve; all zero: never taken */
	ZS_PAGE_HEAD, /* first page of a zspage, and its descriptor */
	ZS_PAGE_TAIL, /* any other page of a zspage */
	ZS_PAGE_RELEASED, /* its memory was given back to the system */
};

struct zs_page {
	uint32_t next; /* page of the zspage, or of a free list; in a huge
			* zspage, which has one page, the object's handle */
	union {
		uint32_t list_prev; /* HEAD: in its fullness list */
		uint32_t head; /* TAIL: its zspage */
	};
	uint32_t list_next; /* HEAD: in its fullness list */
	uint32_t kind : 2;
	uint32_t class_idx : 8;
	uint32_t inuse : 11; /* HEAD: objects in use */
	uint32_t freeobj : 11; /* HEAD: first free object, or ZS_OBJ_NONE */
};

_Static_assert(sizeof(struct zs_page) == 16, "16 B a page is the budget");

/* --- Handle entries and object headers ---------------------------------- */

/*
 * A live entry, from bit 0:
 *   1 live | 1 pinned | 8 class | 11 object | 32 page where the object starts
 * A free one: 1 live (0) | 31 unused | 32 next free handle
 * Only the holder of the pin may change a live entry.
 */
#define ZS_ENTRY_LIVE	     ((uint64_t)1 << 0)
#define ZS_ENTRY_PINNED	     ((uint64_t)1 << 1)
#define ZS_ENTRY_CLASS_SHIFT 2
#define ZS_ENTRY_OBJ_SHIFT   10
#define ZS_ENTRY_PAGE_SHIFT  21
#define ZS_ENTRY_NEXT_SHIFT  32

static inline uint64_t zs_entry(unsigned class_idx, unsigned obj, uint32_t page)
{
	return ZS_ENTRY_LIVE | (uint64_t)class_idx << ZS_ENTRY_CLASS_SHIFT |
	       (uint64_t)obj << ZS_ENTRY_OBJ_SHIFT |
	       (uint64_t)page << ZS_ENTRY_PAGE_SHIFT;
}

static inline unsigned zs_entry_class(uint64_t entry)
{
	return (unsigned)(entry >> ZS_ENTRY_CLASS_SHIFT) & 0xff;
}

static inline unsigned zs_entry_obj(uint64_t entry)
{
	return (unsigned)(entry >> ZS_ENTRY_OBJ_SHIFT) & 0x7ff;
}

static inline uint32_t zs_entry_page(uint64_t entry)
{
	return (uint32_t)(entry >> ZS_ENTRY_PAGE_SHIFT);
}

/* The header in front of an object: its handle, or the next free object. */
#define ZS_HEADER_ALLOCATED 1u

static inline uint32_t zs_header_allocated(zs_handle handle)
{
	return handle << 1 | ZS_HEADER_ALLOCATED;
}

static inline uint32_t zs_header_free(unsigned next_obj)
{
	return next_obj << 1;
}

/* --- Classes ------------------------------------------------------------ */

/*
 * Fullness groups: group g < ZS_GROUP_FULL holds the zspages with
 * g/8 < inuse/N <= (g+1)/8, but for the full ones. So ALMOST_EMPTY is groups
 * 0 and 1, ALMOST_FULL 2 to 7. Eight find the fullest and the emptiest well
 * enough; more would only be more lists to look through.
 */
#define ZS_NR_PARTIAL_GROUPS 8u
#define ZS_NR_ALMOST_EMPTY   2u
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
	uint64_t obj_used;
	uint64_t obj_allocated; /* used and free, in the pages there are */
	uint64_t nr_pages; /* in its zspages */
	uint64_t nr_zspages[ZS_NR_GROUPS];
	uint32_t first_zspage[ZS_NR_GROUPS]; /* heads of the lists */
	zs_handle stash; /* chain of free handles */
	unsigned nr_stashed;
} ZSD_CACHE_ALIGNED;

/*
 * Take the class's lock, and let it be known while that takes: a thread that
 * holds it for long looks whether somebody waits.
 */
static inline void zs_class_lock(struct zs_class *class)
{
	if (likely(!pthread_mutex_trylock(&class->lock)))
		return;
	atomic_fetch_add_explicit(&class->nr_waiting, 1, memory_order_relaxed);
	pthread_mutex_lock(&class->lock);
	atomic_fetch_sub_explicit(&class->nr_waiting, 1, memory_order_relaxed);
}

static inline bool zs_class_is_wanted(const struct zs_class *class)
{
	return atomic_load_explicit(&class->nr_waiting, memory_order_relaxed);
}

/* --- Arena and handle table --------------------------------------------- */

/* A table of the image, which gets memory from its start on as it is needed. */
struct zs_table {
	uint64_t offset; /* in the mapping, bytes */
	uint64_t max_bytes; /* of address space */
	/* That have memory: under the arena's lock, but the verifier and
	 * readers of handles look without. It never falls. */
	_Atomic uint64_t nr_bytes;
};

struct zs_arena {
	pthread_mutex_t lock;
	struct mapping *map;
	struct zs_page *pages; /* descriptors */
	unsigned char *base; /* arena page 0 */
	uint64_t nr_pages; /* arena size */
	uint64_t nr_top; /* pages ever taken: all below this index */
	struct zs_table descriptors;
	uint64_t nr_used; /* in zspages */
	uint64_t nr_used_max; /* highest so far */
	uint64_t nr_free; /* the reserve: committed, in free_head */
	uint64_t nr_released; /* without memory, in released_head */
	uint64_t nr_moving; /* being committed or released right now */
	uint32_t free_head; /* chain by next */
	uint32_t released_head; /* chain by next */
	uint64_t reserve_pages; /* what nr_free should be */
	uint64_t limit_bytes; /* 0: none */
	uint64_t metadata_bytes; /* committed entries and descriptors */
	uint64_t claimed_bytes; /* of them that are being committed */
	uint64_t charged_bytes; /* the caller's metadata */
	uint64_t direct_grows;
	bool wake_pending; /* wake() was called, housekeep() not yet */
	void (*wake)(void *arg);
	int (*starve)(void *arg); /* NULL: whoever finds none free grows */
	void *wake_arg;
};

struct zs_handles {
	pthread_mutex_t lock;
	_Atomic uint64_t *entries; /* [0] is ZS_HANDLE_NONE */
	_Atomic uint32_t *tags; /* of each handle, or NULL: the pool has none */
	struct zs_table entries_table;
	struct zs_table tags_table; /* empty where the pool has none */
	uint64_t nr_max; /* entries there is room for */
	uint64_t nr_fresh; /* entries ever taken: all below this */
	zs_handle free; /* chain of free handles */
};

struct zs_pool {
	struct zs_class classes[ZS_NR_CLASSES]; /* merged ones unused */
	uint8_t class_of[ZS_NR_CLASSES]; /* by size: the class itself */
	struct zs_geometry table[ZS_NR_CLASSES];
	size_t huge_class_bytes; /* zs_huge_class_size() */
	struct zs_arena arena;
	struct zs_handles handles;
	_Atomic uint64_t pages_compacted;
	_Atomic uint64_t objs_moved;
	_Atomic uint64_t classes_searched; /* by compaction */
	/*
	 * Times that pages left the arena or a class for the other, which are
	 * in neither meanwhile. Only zs_pool_verify() wants to know.
	 */
	_Atomic uint64_t transits_begun;
	_Atomic uint64_t transits_ended;
};

static inline void zs_transit_begin(struct zs_pool *pool)
{
	atomic_fetch_add_explicit(&pool->transits_begun, 1,
				  memory_order_acq_rel);
}

static inline void zs_transit_end(struct zs_pool *pool)
{
	atomic_fetch_add_explicit(&pool->transits_ended, 1,
				  memory_order_acq_rel);
}

/* --- arena.c: pages ----------------------------------------------------- */

/* Size of the descriptors in the mapping, bytes. */
uint64_t zs_arena_descriptor_bytes(uint64_t nr_pages);

/* @offset is that of the descriptors; the arena follows them. */
void zs_arena_init(struct zs_arena *arena, const struct zs_pool_params *params,
		   struct mapping *map, uint64_t offset);
void zs_arena_fini(struct zs_arena *arena);

/*
 * Take a page: from the reserve, or by system calls where that is exhausted.
 * Return: 0, -ENOSPC, -ENOMEM.
 */
int zs_arena_take(struct zs_arena *arena, enum zs_alloc how,
		  uint32_t *page) ZSD_MUST_CHECK;

/* Give back a chain of @n pages that ends with ZS_PAGE_NONE. */
void zs_arena_put(struct zs_arena *arena, uint32_t first, uint32_t n);

/*
 * Put memory behind the next @bytes of a table, or as many as there are, and
 * count them. Where only a part came, that is what the table has.
 * Return: 0 where it has more now, -ENOSPC, -ENOMEM.
 */
int zs_arena_extend(struct zs_arena *arena, struct zs_table *table,
		    uint64_t bytes, enum zs_alloc how) ZSD_MUST_CHECK;

/* Count metadata of the pool's owner. 0 or -ENOSPC. */
int zs_arena_charge(struct zs_arena *arena, uint64_t bytes,
		    enum zs_alloc how) ZSD_MUST_CHECK;

void zs_arena_uncharge(struct zs_arena *arena, uint64_t bytes);

/* Pages that have a descriptor. */
static inline uint64_t zs_nr_described(const struct zs_arena *arena)
{
	return atomic_load_explicit(&arena->descriptors.nr_bytes,
				    memory_order_relaxed) /
	       sizeof(struct zs_page);
}

/*
 * One bounded step towards the reserve, of at most @max_pages more.
 * Return: true while there is more to do.
 */
bool zs_arena_housekeep(struct zs_arena *arena, uint64_t max_pages);
uint64_t zs_arena_shrink(struct zs_arena *arena);

static inline unsigned char *zs_page_address(const struct zs_arena *arena,
					     uint32_t page)
{
	return arena->base + ((uint64_t)page << ZSD_PAGE_SHIFT);
}

/* --- handle.c: the handle table ------------------------------------------ */

/* Size of the entries and the tags in the mapping, bytes. */
uint64_t zs_handles_bytes(const struct zs_pool_params *params);

/* @offset is that of the entries; the tags follow them. */
void zs_handles_init(struct zs_handles *handles,
		     const struct zs_pool_params *params, struct mapping *map,
		     uint64_t offset);
void zs_handles_fini(struct zs_handles *handles);

/* A free handle for @class, whose lock is held. 0, -ENOSPC or -ENOMEM. */
int zs_handle_get(struct zs_pool *pool, struct zs_class *class,
		  enum zs_alloc how, zs_handle *out) ZSD_MUST_CHECK;

/* Back to @class, whose lock is held; also ends a pin. */
void zs_handle_put(struct zs_pool *pool, struct zs_class *class,
		   zs_handle handle);

/*
 * Wait for the pin. Return: the entry, or 0 where @handle, which may be any
 * number, is not live.
 */
uint64_t zs_handle_pin(struct zs_pool *pool, zs_handle handle);

/* Do not wait. Return: whether it is pinned now. */
bool zs_handle_try_pin(struct zs_pool *pool, zs_handle handle);

/* End a pin, the object being at @entry now. */
static inline void zs_handle_unpin(struct zs_pool *pool, zs_handle handle,
				   uint64_t entry)
{
	atomic_store_explicit(&pool->handles.entries[handle],
			      entry & ~ZS_ENTRY_PINNED, memory_order_release);
}

/* --- zspage.c: zspages of a class whose lock is held ---------------------- */

/* Where an object starts. */
struct zs_place {
	uint32_t page;
	uint32_t offset_bytes;
};

/* A zspage with its pages at hand, for those who look at many objects of it. */
struct zs_chain {
	uint32_t head;
	uint32_t nr_pages;
	unsigned nr_objs; /* that its pages have room for */
	uint32_t pages[ZS_CHAIN_SIZE_MAX];
};

void zs_chain_open(const struct zs_pool *pool, const struct zs_class *class,
		   uint32_t head, struct zs_chain *chain);

static inline struct zs_place zs_chain_place(const struct zs_class *class,
					     const struct zs_chain *chain,
					     unsigned obj)
{
	uint32_t at = obj * class->geometry.size_bytes;

	return (struct zs_place){
		.page = chain->pages[at >> ZSD_PAGE_SHIFT],
		.offset_bytes = at & (ZSD_PAGE_BYTES - 1),
	};
}

/*
 * The fullest zspage that has a free object, or NONE. What has holes comes
 * before the growing zspage, which would cost a page.
 */
uint32_t zs_class_find_room(const struct zs_pool *pool,
			    const struct zs_class *class);

/*
 * Add @page to the growing zspage, or make it the first of a new one.
 * Return: the zspage, which has a free object now.
 */
uint32_t zs_class_add_page(struct zs_pool *pool, struct zs_class *class,
			   uint32_t page);

/*
 * Take an emptied zspage, which is in no list, out of the class's account.
 * @head is then a chain of *@nr_pages pages, for zs_arena_put() once the lock
 * is dropped.
 */
void zs_zspage_detach(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, uint32_t *nr_pages);

/*
 * Take the pages from the @nr_pages-th on, in which no object is in use, out of
 * the class's account: the zspage grows again, so that no other may. The free
 * list is void until it is relinked. Return: the first page of the chain of
 * those taken away.
 */
uint32_t zs_zspage_cut(struct zs_pool *pool, struct zs_class *class,
		       struct zs_chain *chain, uint32_t nr_pages);

/* Make the free list anew, lowest object first. */
void zs_zspage_relink(struct zs_pool *pool, const struct zs_class *class,
		      const struct zs_chain *chain);

/* Objects that fit the first @nr_pages pages of a zspage. */
static inline unsigned zs_objs_in_pages(const struct zs_class *class,
					uint32_t nr_pages)
{
	return nr_pages * ZSD_PAGE_BYTES / class->geometry.size_bytes;
}

struct zs_place zs_obj_place(const struct zs_pool *pool,
			     const struct zs_class *class, uint32_t head,
			     unsigned obj);

static inline uint32_t *zs_obj_header(const struct zs_pool *pool,
				      struct zs_place place)
{
	return (uint32_t *)(void *)(zs_page_address(&pool->arena, place.page) +
				    place.offset_bytes);
}

/* The header of an object, which a huge one has in its descriptor. */
uint32_t zs_obj_header_load(const struct zs_pool *pool,
			    const struct zs_class *class,
			    struct zs_place place);

/* Pages that the first @nr_objs objects of a zspage need. */
static inline uint32_t zs_pages_for_objs(const struct zs_class *class,
					 unsigned nr_objs)
{
	return (nr_objs * class->geometry.size_bytes + ZSD_PAGE_BYTES - 1) >>
	       ZSD_PAGE_SHIFT;
}

/*
 * Take the first free object of @head, which starts at @place, for @handle.
 * Return: its entry.
 */
uint64_t zs_zspage_take_obj(struct zs_pool *pool, const struct zs_class *class,
			    uint32_t head, struct zs_place place,
			    zs_handle handle);

/* Give back object @obj, which starts at @place. */
void zs_zspage_put_obj(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, unsigned obj, struct zs_place place);

/*
 * Move @head to the list where it belongs now that it has other than
 * @old_inuse objects in use. With none in use it is in no list.
 */
void zs_zspage_refile(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, unsigned old_inuse);

/* The class's fullness group for @inuse > 0 objects. */
unsigned zs_fullness_group(const struct zs_class *class, unsigned inuse);

/*
 * Pages that compaction could certainly free: all but those of as many full
 * zspages as the objects in use add up to, and what those left over need.
 */
uint64_t zs_class_freeable(const struct zs_class *class);

/* Free objects came, @class's lock being held: see is_compact. */
static inline void zs_class_loosen(struct zs_class *class)
{
	atomic_store_explicit(&class->is_compact, false, memory_order_relaxed);
}

static inline uint64_t zs_class_obj_free(const struct zs_class *class)
{
	return class->obj_allocated - class->obj_used;
}

#endif
