/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsmalloc - a pool of objects of up to one page, packed into chains of pages
 *
 * Made for compressed pages: many objects of all sizes between 20 bytes and
 * 4 KiB that come and go, where every byte lost to rounding or to holes costs
 * the memory that compression was to save.
 *
 * Terms (zsmalloc's own):
 *   arena         range of 4 KiB pages that the pool draws from. Any free page
 *                 serves any class.
 *   size class    objects of one size: 32, 48, 64, … 4096 bytes, header
 *                 included. Classes of equal geometry are one (merged).
 *   zspage        a chain of 1 .. chain_size single pages that holds N objects
 *                 of one class back to back; an object may straddle two pages.
 *                 The last zspage of a class grows: it gets its pages one at
 *                 a time, as objects need them.
 *   chain size    the most pages that a zspage may have: a parameter.
 *   handle        what the caller keeps. Opaque: it stays the same when the
 *                 object moves.
 *   object        header of ZS_HEADER_BYTES (which handle it belongs to), then
 *                 the caller's bytes. A huge object fills its page and has
 *                 none.
 *   tag           32 bits of the caller's for each object, if it wants them.
 *                 They stand beside the handle, not in the object, so that a
 *                 huge one has them too.
 *   fullness      with n of N objects used a zspage is EMPTY (n = 0, and given
 *                 back at once), ALMOST_EMPTY (n <= N/4), ALMOST_FULL or FULL.
 *   reserve       free pages that are already touched, so that allocating one
 *                 makes no system call and no page fault.
 *   compaction    moving objects out of the emptiest zspages into the fullest,
 *                 and those of the last one into its first pages, until no
 *                 class could give back a page.
 *
 * Memory: handle table, page descriptors and arena are arrays in the mapping
 * that the pool is created in, linked by index, never by pointer. The handle
 * entries, the bytes and tags of objects, and the chains of pages are the
 * truth; headers, free lists, fullness lists and counters can be derived from
 * it.
 *
 * Damage: what is found not to be as it was written is left alone. An object
 * cannot be read; or a zspage is out of use for good, though its objects can
 * still be read and freed; or a chain is made anew from what it follows from.
 * Each is counted, none stops the process, and no other object is touched.
 *
 * Adoption: a process that ends, at whatever instruction, leaves the truth in
 * the mapping. Another one opens the pool, maybe long before, adopts it when it
 * is the only one left, names the objects that it knows, and has the rest made
 * anew:
 *
 *   zs_pool_open()     allocates; looks at nothing
 *   zs_pool_adopt()    from now on objects can be read
 *   zs_adopt_name()    for each object that the owner knows
 *   zs_pool_rebuild()  until it says that there is no more to do: from now on
 *                      all else can be done, too
 *
 * Ownership: the pool owns the part of the mapping it was given. The caller
 * owns each handle until zs_free().
 *
 * Threads: all functions but create and destroy may be called from any thread
 * at any time, unless they say otherwise. Between zs_obj_read_begin() and
 * zs_obj_read_end() an object is pinned: it neither moves nor dies, and
 * zs_free() of it waits. So keep it short, never pin two at a time, and call
 * nothing else of the pool in between.
 *
 * Invariants (zs_pool_verify() checks them):
 *   sum of inuse over a class's zspages == obj_used <= obj_allocated
 *   obj_allocated == objects that fit the pages its zspages have: all of N,
 *   but for one zspage a class, the growing one
 *   every live handle leads to an object whose header leads back to it
 *   pages_used + reserve + released == pages ever taken from the arena
 *
 * Source: after Linux mm/zsmalloc.c and Documentation/mm/zsmalloc.rst.
 * Differences: 4-byte headers and 32-bit handles; the arena with its reserve
 * instead of the page allocator; zspages that grow, and so can be packed; a pin
 * bit in the handle entry instead of a lock in each zspage, so that a read
 * takes no lock at all.
 */
#ifndef ZSD_ZSMALLOC_ZSMALLOC_H
#define ZSD_ZSMALLOC_ZSMALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/mapping.h"
#include "base/units.h"

/* Largest object, bytes: a page stored raw. */
#define ZS_MAX_OBJ_BYTES ZSD_PAGE_BYTES

/*
 * In front of each object that is not huge, bytes: the handle and the
 * allocated bit, or the link of the free list. (The kernel's takes 8.)
 */
#define ZS_HEADER_BYTES 4u

/*
 * Chain size: bounds and default, pages. The bounds are those of Linux
 * mm/Kconfig. Its default is 8, for its zspages are whole; ours grow and are
 * packed, so that a long chain costs a small class nothing.
 */
#define ZS_CHAIN_SIZE_MIN     4u
#define ZS_CHAIN_SIZE_MAX     16u
#define ZS_CHAIN_SIZE_DEFAULT 16u

/* Size classes: 32, 48, … 4096 bytes. Source: ZS_SIZE_CLASSES in Linux. */
#define ZS_NR_CLASSES 255u

/*
 * Most handles a pool can have: 31 bits of the object header name one. Classes
 * keep some more for themselves.
 */
#define ZS_MAX_HANDLES (((uint64_t)1 << 31) - ((uint64_t)1 << 16))

/* Most arena pages: 16 TiB. */
#define ZS_MAX_PAGES (((uint64_t)1 << 32) - 2)

/* Room for the text of a failed zs_pool_verify(), bytes. */
#define ZS_VERIFY_TEXT_BYTES 160

typedef uint32_t zs_handle;
#define ZS_HANDLE_NONE ((zs_handle)0)

struct zs_pool;

/* The shape of one size class. */
struct zs_geometry {
	uint16_t class_idx; /* of the class that serves this size */
	uint16_t size_bytes; /* of an object, header included */
	uint16_t pages_per_zspage; /* 1 .. chain size */
	uint16_t objs_per_zspage;
};

/**
 * zs_geometry_table() - the class table for a chain size
 * @chain_size: ZS_CHAIN_SIZE_MIN .. ZS_CHAIN_SIZE_MAX
 * @table:      entry i describes the class that serves objects of up to
 *              32 + 16 * i bytes, header included; where classes were merged
 *              its class_idx is above i
 *
 * Chains of 4 follow the formula of kernels before 6.3, which knew no others;
 * longer ones that of the kernels since. They differ in one class (208).
 */
void zs_geometry_table(unsigned chain_size,
		       struct zs_geometry table[ZS_NR_CLASSES]);

struct zs_pool_params {
	unsigned chain_size; /* ZS_CHAIN_SIZE_MIN .. ZS_CHAIN_SIZE_MAX */
	uint64_t nr_handles; /* most objects at a time, <= ZS_MAX_HANDLES */
	uint64_t nr_pages; /* arena size, pages, <= ZS_MAX_PAGES */
	uint64_t reserve_pages; /* free pages to keep touched and ready */
	bool has_tags; /* keep a tag for each object: 4 B a handle */
	bool inherit_priority; /* threads of different priority use it: see
				* lock_init() */
	/*
	 * Called when zs_pool_housekeep() has something to do, at most once
	 * until it has run. It is called from any thread that uses the pool,
	 * under its locks: it must not call the pool, nor block. NULL: nobody
	 * is told.
	 */
	void (*wake)(void *arg);
	/*
	 * Called by zs_make_ready() where the reserve is empty, instead of
	 * growing the arena on that thread: where the kernel swaps on what we
	 * store, a thread that it waits for must not ask it for memory. It may
	 * block until another thread has called zs_pool_housekeep().
	 * Return: 0 to look again, or -errno to fail with.
	 * NULL: the thread grows the arena itself.
	 */
	int (*starve)(void *arg);
	void *wake_arg; /* for both */
};

/**
 * zs_pool_image_bytes() - how much of a mapping a pool needs
 *
 * Address space, not memory: what is untouched costs nothing.
 * Return: bytes, a multiple of ZSD_PAGE_BYTES.
 */
uint64_t zs_pool_image_bytes(const struct zs_pool_params *params);

/* zs_pool_handles_bytes() - what zs_pool_populate_handles() gives memory to. */
uint64_t zs_pool_handles_bytes(const struct zs_pool_params *params);

/**
 * zs_pool_create() - make an empty pool in a part of a mapping
 * @params: copied
 * @map:    must outlive the pool
 * @offset: where in @map, a multiple of ZSD_PAGE_BYTES; the
 *          zs_pool_image_bytes() from there must never have been written
 * @out:    receives the pool; untouched on error
 *
 * Commits the reserve before it returns.
 * Return: 0, -EINVAL for params out of range, -ENOMEM.
 * Release: zs_pool_destroy(), which takes NULL too and forgets all objects.
 */
int zs_pool_create(const struct zs_pool_params *params, struct mapping *map,
		   uint64_t offset, struct zs_pool **out) ZSD_MUST_CHECK;
void zs_pool_destroy(struct zs_pool *pool);

/**
 * zs_pool_open() - get ready to adopt the pool of another process
 * @params, @map, @offset: as of zs_pool_create(), when that process made it
 * @out:                   receives the pool; untouched on error
 *
 * Allocates all that adoption needs: 2 bits a handle, besides the pool itself.
 * The other process may go on meanwhile. Nothing else can be done with the pool
 * until zs_pool_adopt().
 * Return: 0, -EINVAL for params out of range, -ENOMEM.
 * Release: zs_pool_destroy().
 */
int zs_pool_open(const struct zs_pool_params *params, struct mapping *map,
		 uint64_t offset, struct zs_pool **out) ZSD_MUST_CHECK;

/**
 * zs_pool_adopt() - go on where another process has ended
 *
 * The mapping is this process's from now on. Objects can be read when it
 * returns, and statistics; nothing else may be done until zs_pool_rebuild() has
 * no more to do. There is no limit until zs_pool_set_limit().
 *
 * Cost: a look at each handle. Allocates nothing.
 */
void zs_pool_adopt(struct zs_pool *pool);

/**
 * zs_adopt_name() - this object is known: keep it
 * @handle: any number
 * @bytes:  what it was stored with, or any other number
 *
 * To be called between zs_pool_adopt() and zs_pool_rebuild(). An object that is
 * not named is freed: it had not been made known when its process ended, or was
 * about to be freed.
 * Return: 0, or
 *   -ENOENT  there is no such object of that size
 *   -EEXIST  it was named before: nobody can tell whose it is
 */
int zs_adopt_name(struct zs_pool *pool, zs_handle handle,
		  size_t bytes) ZSD_MUST_CHECK;

/* zs_adopt_is_double() - whether an object was named more than once */
bool zs_adopt_is_double(const struct zs_pool *pool, zs_handle handle);

/* zs_adopt_find() - look for it as zs_adopt_name(), but name nothing. Return: 0
 * or -ENOENT. */
int zs_adopt_find(const struct zs_pool *pool, zs_handle handle,
		  size_t bytes) ZSD_MUST_CHECK;

/**
 * zs_pool_rebuild() - make anew what follows from the objects, piece by piece
 * @max_looks: at handles or pages that it may take, at least 1
 *
 * Objects can be read meanwhile. By one thread at a time.
 *
 * Damage is contained as always: what a named handle leads to is not given away
 * whatever else the image says, and a zspage that does not fit together is out
 * of use.
 *
 * Cost: up to 100 ns a look, and a system call for each page that was on its
 * way between the arena and a zspage. Return: true while there is more to do.
 * False for a pool that is rebuilt, or never was adopted.
 */
bool zs_pool_rebuild(struct zs_pool *pool, unsigned max_looks);

/**
 * zs_pool_populate_handles() - put memory behind the whole handle table now
 *
 * Then nobody waits for memory of the table later. It takes 8 B a handle, 12
 * with tags. Waits for memory: hold no lock.
 * Return: 0, -ENOSPC where the limit has no room for it, -ENOMEM.
 */
int zs_pool_populate_handles(struct zs_pool *pool) ZSD_MUST_CHECK;

/**
 * zs_pool_set_limit() - bound the memory that the pool may use
 * @limit_bytes: most bytes of arena (reserve included), metadata and charges
 *               together; 0 for no bound
 *
 * Takes effect at the next allocation: what is stored stays. A 16th of the
 * limit, but at most the reserve, is headroom that only ZS_SHRINKING
 * allocations may use.
 */
void zs_pool_set_limit(struct zs_pool *pool, uint64_t limit_bytes);

/* How what is to be counted may draw on the limit. */
enum zs_alloc {
	ZS_NORMAL, /* up to the limit less its headroom */
	ZS_SHRINKING, /* frees as much as it takes, or nearly: headroom too */
};

/**
 * zs_pool_charge() - count memory of the caller's against the limit
 * @bytes: what the caller is about to commit for metadata of its own
 * @how:   see enum zs_alloc
 *
 * The reserve makes way for it, which takes system calls. It may wait for other
 * threads that are committing or releasing pages: hold no lock that they need.
 * Return: 0, or -ENOSPC where the limit has no room for it; nothing is
 * charged then.
 */
int zs_pool_charge(struct zs_pool *pool, uint64_t bytes,
		   enum zs_alloc how) ZSD_MUST_CHECK;

/* zs_pool_uncharge() - take back a charge of as many bytes */
void zs_pool_uncharge(struct zs_pool *pool, uint64_t bytes);

/**
 * zs_store() - keep a copy of some bytes as an object
 * @src:   the bytes
 * @bytes: 1 .. ZS_MAX_OBJ_BYTES
 * @tag:   the object's tag, for a pool that has them; it stays when the object
 *         moves
 * @how:   see enum zs_alloc
 * @out:   receives the handle; untouched on error
 *
 * The handle is live only when bytes and tag are complete. A thread that learns
 * of it by an acquiring load that follows a releasing store sees both.
 *
 * It takes what is ready, and never waits for memory: the caller may hold locks
 * of its own. Where the class has no free object, a page is added from the
 * reserve.
 *
 * Cost:    O(1) under the class's lock, and the copy.
 * Release: zs_free().
 * Return:  0, or
 *   -EINVAL  @bytes is 0
 *   -E2BIG   @bytes is above ZS_MAX_OBJ_BYTES
 *   -ENOSPC  the limit, the arena or the handle table is used up
 *   -EAGAIN  there is room, but it has no memory yet: zs_make_ready(), and try
 *            again
 *   -EIO     the image was damaged while the bytes were copied
 */
int zs_store(struct zs_pool *pool, const void *src, size_t bytes, uint32_t tag,
	     enum zs_alloc how, zs_handle *out) ZSD_MUST_CHECK;

/**
 * zs_make_ready() - wait for the memory that zs_store() lacked
 * @how: as it was told
 *
 * Asks the system for some, or has another thread do so (see starve() in struct
 * zs_pool_params). Hold no lock: the thread that would bring the memory may
 * need it.
 *
 * Cost:   system calls, and the page faults of up to 256 KiB. Counted as
 *         direct_grows, unless it was for handles.
 * Return: 0 where zs_store() is worth another try; other threads may take what
 *         is ready before that. Or
 *   -ENOSPC  the arena or the handle table is used up, or the limit has no room
 *            for metadata
 *   -ENOMEM  the system has no memory
 *   or what starve() returned
 */
int zs_make_ready(struct zs_pool *pool, enum zs_alloc how) ZSD_MUST_CHECK;

/**
 * zs_free() - give an object and its handle back
 * @handle: live, and the caller's to free
 *
 * Waits while another thread has it pinned. A handle that is not live stops
 * the process: a double free would hand one page's bytes to another. Where the
 * entry, the header or a descriptor is damaged, the place of the object is
 * never used again, nor is its zspage; that is counted. Cost: O(1) under the
 * class's lock; the last object of a zspage gives its pages back to the arena.
 */
void zs_free(struct zs_pool *pool, zs_handle handle);

/**
 * zs_handle_prefetch() - bring near what says where an object is
 * @handle: any number
 *
 * A hint: changes nothing, waits for nothing, cannot fail.
 */
void zs_handle_prefetch(const struct zs_pool *pool, zs_handle handle);

/**
 * zs_obj_prefetch() - bring an object near that will be read or freed soon
 * @handle: any number; another thread may free it meanwhile
 * @bytes:  how many of its bytes will be read
 *
 * Looks at what zs_handle_prefetch() brings near. A hint: changes nothing,
 * cannot fail.
 */
void zs_obj_prefetch(const struct zs_pool *pool, zs_handle handle,
		     size_t bytes);

/**
 * zs_obj_read_begin() - pin an object and look at its first bytes
 * @handle:     a handle that is or was live; see below
 * @bytes:      at most what it was allocated with
 * @local_copy: the caller's, @bytes large; used where the object straddles
 *              two pages
 * @out:        receives where the bytes are: in the arena or in @local_copy.
 *              Valid until zs_obj_read_end()
 *
 * This call may be given a handle that another thread frees at this moment, so
 * that a reader needs no lock around its own table of handles. The reader loads
 * the handle, begins, and then looks whether its table still names that handle.
 * If it does, the object is the right one and stays so until the end. If not,
 * the bytes may be anybody's: the reader ends and starts over.
 *
 * Return: 0, or, nothing being pinned then,
 *   -ESTALE  the handle is not live, or is now that of an object too short for
 *            @bytes
 *   -EIO     what says where the object is, is damaged
 */
int zs_obj_read_begin(struct zs_pool *pool, zs_handle handle, size_t bytes,
		      void *local_copy, const void **out) ZSD_MUST_CHECK;
void zs_obj_read_end(struct zs_pool *pool, zs_handle handle);

/* zs_obj_tag() - the tag of an object that the caller owns or has pinned */
uint32_t zs_obj_tag(const struct zs_pool *pool, zs_handle handle);

/**
 * zs_huge_class_size() - from how many bytes on an object takes a whole page
 *
 * There is no use in compressing to this or more.
 */
size_t zs_huge_class_size(const struct zs_pool *pool);

/* Which size class serves an object of @bytes (1 .. ZS_MAX_OBJ_BYTES). */
unsigned zs_lookup_class_index(const struct zs_pool *pool, size_t bytes);

/* What a compaction did. */
struct zs_compacted {
	uint64_t freed_pages; /* to the reserve; see zs_pool_housekeep() */
	uint64_t moved_objs;
};

/**
 * zs_compact() - compact every class
 * @out: receives what was done
 *
 * Other threads go on: one that needs a class waits until an object has been
 * moved, about a microsecond. Pinned objects are passed over. If none was
 * pinned, each class is left with no more pages than its objects need.
 */
void zs_compact(struct zs_pool *pool, struct zs_compacted *out);

/* Where a compaction in slices stands; all zero starts at the beginning. */
struct zs_compact_cursor {
	unsigned next_class; /* classes passed, from the largest down */
	uint64_t stuck; /* 1 + the zspage of this class that pins kept from
			 * being emptied; 0: none did */
	uint64_t moved_objs; /* by all slices so far */
};

/**
 * zs_compact_slice() - a bounded piece of a compaction
 * @cursor:      the caller's, zeroed before the first slice
 * @max_objects: stop once this many objects were moved, at least 1
 * @freed_pages: receives the pages freed by this slice
 *
 * Cost: a class in which nothing was found, and nothing has been freed since,
 * is not looked at again. So to ask in vain costs next to nothing. A class's
 * lock is held no longer than by zs_compact(), whatever @max_objects is.
 * Return: true while there is more to do.
 */
bool zs_compact_slice(struct zs_pool *pool, struct zs_compact_cursor *cursor,
		      unsigned max_objects, uint64_t *freed_pages);

/**
 * zs_pool_housekeep() - a bounded piece of refilling or shrinking the reserve
 * @max_pages: commit no more than these; with 0 it only shrinks
 *
 * Below the reserve it commits pages; above twice the reserve it hands pages
 * back to the system. For a thread of its own: it makes system calls.
 * Return: true while there is more to do (with 0 also where it would have
 * refilled); false when it is done, or where the system or the limit gives no
 * more: then the next allocation wakes it again.
 */
bool zs_pool_housekeep(struct zs_pool *pool, uint64_t max_pages);

/**
 * zs_pool_shrink() - hand all free pages beyond the reserve back at once
 *
 * Makes system calls. Return: pages handed back.
 */
uint64_t zs_pool_shrink(struct zs_pool *pool);

/* Numbers of one size class; the columns of zsmalloc's `classes` file. */
struct zs_class_stats {
	struct zs_geometry geometry;
	uint64_t almost_full; /* zspages */
	uint64_t almost_empty; /* zspages */
	uint64_t full; /* zspages */
	uint64_t obj_allocated; /* objects its pages have room for */
	uint64_t obj_used;
	uint64_t pages_used;
	uint64_t freeable; /* pages that its objects do not need: compaction
			    * frees as many where nothing is pinned */
};

/**
 * zs_class_stats() - read the numbers of one class
 * @class_idx: 0 .. ZS_NR_CLASSES - 1
 *
 * The numbers agree with each other (taken under the class's lock).
 * Return: true, or false where the class is merged into another.
 */
bool zs_class_stats(struct zs_pool *pool, unsigned class_idx,
		    struct zs_class_stats *out);

/* Numbers of the whole pool. */
struct zs_pool_stats {
	uint64_t pages_used; /* in zspages */
	uint64_t pages_used_max; /* highest pages_used so far */
	uint64_t pages_reserve; /* free and touched */
	uint64_t pages_compacted; /* freed by compaction so far */
	uint64_t objs_moved; /* by compaction so far */
	uint64_t classes_searched; /* by compaction so far */
	uint64_t metadata_bytes; /* committed for handles and descriptors */
	uint64_t charged_bytes; /* see zs_pool_charge() */
	uint64_t limit_bytes; /* 0: none */
	uint64_t direct_grows; /* allocations that found no free page */
	uint64_t damages; /* times that something had to be left alone, or made
			   * anew, since the image was damaged */
	uint64_t pages_retired; /* of pages_used: in zspages that are out of
				 * use since they are damaged */
};

/* Not one instant's numbers: threads go on while they are read. */
void zs_pool_stats(struct zs_pool *pool, struct zs_pool_stats *out);

/* Restart pages_used_max from what is used now. */
void zs_pool_reset_peak(struct zs_pool *pool);

/* Every handle given out so far is below this. */
zs_handle zs_pool_handles_end(const struct zs_pool *pool);

/* Every handle that ever will be is below this. */
zs_handle zs_pool_handles_max(const struct zs_pool *pool);

/**
 * zs_pool_verify() - check every invariant
 * @text: receives what is wrong, at most ZS_VERIFY_TEXT_BYTES; "" if nothing
 *
 * Other threads go on. It holds each class's lock while it walks that class,
 * which may take milliseconds for a large one.
 *
 * Finds each word of the image that is not as it was written, but for bytes and
 * tags of objects, and words that mean nothing where they stand. It cannot see
 * that an entry was overwritten with one that is sound, if that says that its
 * object is still being filled: no object is read by it. Once damage was met in
 * use and left alone, it says so for good.
 * Return: 0, or -EUCLEAN where an invariant does not hold.
 */
int zs_pool_verify(struct zs_pool *pool,
		   char text[ZS_VERIFY_TEXT_BYTES]) ZSD_MUST_CHECK;

#endif
