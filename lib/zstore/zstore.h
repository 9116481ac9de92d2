/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore - a disk of 4 KiB pages, kept compressed in memory
 *
 * Terms (zram's own):
 *   slot         the entry of one page of the disk: where its content is.
 *   same-filled  a page that repeats one 8-byte word; only the word is kept.
 *   huge         a page that does not compress; kept raw.
 *   codecs       the primary one compresses what is written. The secondary
 *                one, if there is one, is for pages that rest: see
 *                zstore_recompress.h.
 *   disksize     what the client sees, bytes.
 *   mem_limit    bound on the memory really used: arena and metadata, bytes.
 *   damaged      a stored page whose slot, or what it leads to, is not what was
 *                written, or whose object does not decompress or has another
 *                checksum than it should. It reads as an error. It cannot be
 *                written in part; written as a whole, or trimmed, it is sound
 *                again, but what it held before may be lost for good.
 *
 * Everything the store must remember stands in one image, a shared mapping:
 * header, slots, then the pool's handles, descriptors and arena. Two rules
 * keep it readable by another process later on:
 *   1. Slots, handles and object bytes are the truth; the rest is derived.
 *   2. New before old: an object is complete before its slot is published,
 *      and the old object is freed only after that. At every instant a slot
 *      reads as its old or its new content.
 *
 * Adoption: whoever holds a descriptor of the image can go on with it in
 * another process when this one has ended, at whatever instruction.
 * zstore_open() gets that one ready, and may be called long before;
 * zstore_adopt() takes over. From then on pages can be read. zstore_rebuild()
 * makes the rest anew; until it has no more to do, a change waits for that, or
 * takes part in it: see zstore_params.settled. What was being written when the
 * process ended is as it was, or as it was to be, page by page.
 *
 * Ownership: the store owns the image and the pool. A thread owns the scratch
 * memory it works in, and for each store that it works with a zstore_ctx.
 *
 * Threads: all functions from any thread at any time, each with a ctx of its
 * own where one is asked for. Reads take no lock. Writes to one page exclude
 * each other, so that two that touch different bytes of it both last; which
 * of two that overlap lasts is not defined. A write is visible to every
 * thread when its call returns.
 *
 * Errors of all I/O calls: a range that is not inside the disk is the
 * caller's bug (see zstore_range_is_valid()) and stops the process.
 *
 * Source: Linux drivers/block/zram/zram_drv.c for what is kept and counted.
 */
#ifndef ZSD_ZSTORE_ZSTORE_H
#define ZSD_ZSTORE_ZSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "zcomp/zcomp.h"
#include "zsmalloc/zsmalloc.h"

/* Largest disksize, bytes: 2^30 pages, so that handles never run out. */
#define ZSTORE_MAX_DISK_BYTES (4 * TIB)

/*
 * Least mem_limit that is of use, bytes. Metadata comes in pieces of up to
 * 16 KiB (descriptors), and each of the up to 255 size classes may hold a page
 * that is nearly empty: of less than this hardly anything would be left for
 * what is to be stored. The store works with less, but is soon full.
 */
#define ZSTORE_MIN_LIMIT_BYTES MIB

/* Of what tells one disk from another, bytes. */
#define ZSTORE_UUID_BYTES 16

#define ZSTORE_VERIFY_TEXT_BYTES ZS_VERIFY_TEXT_BYTES

struct zstore;
struct zstore_scratch;
struct zstore_ctx;

enum zstore_codec {
	ZSTORE_PRIMARY,
	ZSTORE_SECONDARY,
	ZSTORE_CODECS
};

/*
 * What is behind a disk: see zstore_backing.h. The functions are called by any
 * thread, and with nothing locked.
 */
struct zstore_backing {
	uint32_t nr_blocks; /* 0: there is nothing */
	/* Have some blocks brought here, all of them or none. Must not wait.
	 * Return: 0 where all are here, or -EINPROGRESS. */
	int (*need)(void *arg, const uint32_t *blocks, unsigned nr);
	/* Copy a block that is here to @dst. Must not wait. What it had before
	 * a write that has ended is not here any more, nor comes. Return: 0,
	 * -ENOENT where it is not here, or -EREMOTEIO where it cannot be
	 * read. */
	int (*get)(void *arg, uint32_t block, void *dst);
	/* Read a block, and wait for it. Return: 0 or -EREMOTEIO. */
	int (*read)(void *arg, uint32_t block, void *dst);
	void *arg;
};

struct zstore_params {
	uint64_t disk_bytes; /* multiple of ZSD_PAGE_BYTES, not 0 */
	uint64_t mem_limit_bytes; /* 0: none */
	uint64_t reserve_bytes; /* arena memory to keep touched and ready */
	unsigned chain_size; /* see ZS_CHAIN_SIZE_* */
	struct zcomp_params zcomp; /* how pages are compressed */
	struct zcomp_params recomp; /* the secondary codec; .ops NULL: none */
	uint8_t uuid[ZSTORE_UUID_BYTES]; /* the disk's; all zero: none */
	bool checksum; /* keep one of each object, and compare it at reads */
	bool share; /* pages of equal content may share an object: see
		     * zstore_share.h */
	struct zstore_backing backing;
	bool inherit_priority; /* see struct zs_pool_params */
	void (*wake)(void *arg); /* see struct zs_pool_params */
	int (*starve)(void *arg); /* the same */
	void *wake_arg;
	/*
	 * Called whenever page @index of the disk is found damaged; from any
	 * thread, maybe with the page locked: it must not call the store nor
	 * block. NULL: nobody is told.
	 */
	void (*damaged)(void *arg, uint64_t index);
	void *damaged_arg;
	/*
	 * After zstore_adopt(): called once, by the thread that rebuilt the
	 * last piece, when changes can be made again; must not block. Until
	 * then they are answered with -EINPROGRESS. NULL: whoever wants to
	 * change something rebuilds what is left first.
	 */
	void (*settled)(void *arg);
	void *settled_arg;
};

/**
 * zstore_image_bytes() - the file size that zstore_create() asks for
 * @params: valid ones
 *
 * As much address space, not memory. Cost: arithmetic.
 */
uint64_t zstore_image_bytes(const struct zstore_params *params);

/**
 * zstore_tables_bytes() - what zstore_populate() gives memory to
 * @params: valid ones
 *
 * Slots, handles, and tags where there are checksums. Cost: arithmetic.
 */
uint64_t zstore_tables_bytes(const struct zstore_params *params);

/**
 * zstore_create() - make an empty disk
 * @params: copied
 * @out:    receives the store; untouched on error
 *
 * Takes address space for the whole disk, memory for the reserve.
 * Return: 0, -EINVAL for params out of range, -ENOMEM.
 * Release: zstore_destroy(), after all its contexts; takes NULL too.
 */
int zstore_create(const struct zstore_params *params,
		  struct zstore **out) ZSD_MUST_CHECK;
void zstore_destroy(struct zstore *store);

/**
 * zstore_image_fd() - the file that the image is in
 *
 * As long as anybody has a descriptor of it, it is there. It stays the store's.
 */
int zstore_image_fd(const struct zstore *store);

/**
 * zstore_image_disk_bytes() - how large the disk of an image is
 * @fd:  of the image; stays the caller's
 * @out: receives it; untouched on error
 *
 * Return: 0, -EBADMSG and -EPROTONOSUPPORT as zstore_open(), or the -errno of
 * pread(2).
 */
int zstore_image_disk_bytes(int fd, uint64_t *out) ZSD_MUST_CHECK;

/**
 * zstore_open() - get ready to adopt the image of another process
 * @params: what that process created it with. But mem_limit_bytes,
 * reserve_bytes, share and the functions may be others; and the uuid, and the
 * area of zstore_backing_area(), are the image's
 * @fd:     its zstore_image_fd(); stays the caller's
 * @out:    receives the store; untouched on error
 *
 * Allocates: some 2 bits a page of the disk, and what dictionaries take; 2 B a
 * page more where it is to share pages, or any process before it was. The
 * other process may go on meanwhile. Contexts can be made; nothing else can be
 * done with the store until zstore_adopt().
 * Release: zstore_destroy().
 * Return: 0, or
 *   -EBADMSG  it is no image, or one that was never complete
 *   -EPROTONOSUPPORT  its format has another version
 *   -EINVAL   it is not one of such a disk; or params out of range
 *   -ENOMEM, or the -errno of mapping_open()
 */
int zstore_open(const struct zstore_params *params, int fd,
		struct zstore **out) ZSD_MUST_CHECK;

/**
 * zstore_adopt() - take over an image whose process has ended
 * @store: of zstore_open()
 *
 * From now on pages can be read. What counts events starts at 0, and what
 * counts pages is right when all is rebuilt.
 *
 * Cost: a look at each handle, 8 MiB of them for 4 GiB of disk; dictionaries
 * that came since zstore_open() are digested.
 * Return: 0, -EBUSY where the other process still lives, -ENOMEM for what came
 * since zstore_open() (another try may succeed), or the -errno of
 * mapping_own().
 */
int zstore_adopt(struct zstore *store) ZSD_MUST_CHECK;

/**
 * zstore_rebuild() - make anew what follows from the slots, piece by piece
 * @max_looks: at slots, handles or pages that it may take, at least 1
 *
 * Beside reads, by any thread; zstore_housekeep() does so, too. Damage is
 * contained: a slot whose object is not there, or is another page's as well
 * without that both share it, is damaged from now on.
 * Cost: up to 100 ns a look; all of it some 0.4 s for 4 GiB of disk.
 * Return: true while there is more to do.
 */
bool zstore_rebuild(struct zstore *store, unsigned max_looks);

/* Whether nothing is left of that. */
bool zstore_is_settled(const struct zstore *store);

/* zstore_generation() - how many processes had the image before this one */
unsigned zstore_generation(const struct zstore *store);

/* Whether the last of them ended by zstore_destroy(). */
bool zstore_was_clean(const struct zstore *store);

/* The disk's, ZSTORE_UUID_BYTES long. Valid as long as the store. */
const uint8_t *zstore_uuid(const struct zstore *store);

/**
 * zstore_populate() - put memory behind all slots and handles now
 *
 * Where the kernel swaps on us, a write that waited for their memory could wait
 * for itself. 16 B a page of the disk; without this call they get memory as
 * they are needed.
 * Return: 0, -ENOSPC where mem_limit has no room for it, -ENOMEM.
 */
int zstore_populate(struct zstore *store) ZSD_MUST_CHECK;

/**
 * zstore_scratch_create() - what a thread needs once
 *
 * Pages to work in, and the codecs' memory, which contexts of stores with the
 * same codec and level share. Used by one thread at a time, whichever of its
 * contexts that works with.
 * Return: 0 or -ENOMEM.
 * Release: zstore_scratch_destroy(), after its contexts; takes NULL too.
 */
int zstore_scratch_create(struct zstore_scratch **out) ZSD_MUST_CHECK;
void zstore_scratch_destroy(struct zstore_scratch *scratch);

/**
 * zstore_ctx_create() - what one thread needs to work with one store
 * @scratch: the thread's
 *
 * Allocates; the I/O calls do not. Return: 0 or -ENOMEM.
 * Release: zstore_ctx_destroy(), which takes NULL too; its counters stay in
 * the store's sums. No I/O call with it may be under way.
 */
int zstore_ctx_create(struct zstore *store, struct zstore_scratch *scratch,
		      struct zstore_ctx **out) ZSD_MUST_CHECK;
void zstore_ctx_destroy(struct zstore_ctx *ctx);

/* What it was created with. Valid as long as the store. */
const struct zstore_params *zstore_params(const struct zstore *store);

/* Of these, a codec's; .ops is NULL where the store has none such. */
const struct zcomp_params *zstore_codec(const struct zstore *store,
					enum zstore_codec codec);

/* Whether [offset, offset + bytes) lies inside the disk; never overflows. */
bool zstore_range_is_valid(const struct zstore *store, uint64_t offset,
			   uint64_t bytes);

/**
 * zstore_read() - copy a range of the disk to @dst
 * @offset, @bytes: any, inside the disk
 *
 * Whole pages are decompressed straight into @dst. What was never written, or
 * was trimmed, reads as zeros.
 * Return: 0, or @dst holds garbage and
 *   -EIO  a page is damaged (counted in failed_reads and corrupt_reads), or its
 *         block cannot be read (counted in failed_reads). Other pages are not
 *         affected
 *   -EINPROGRESS  nothing was counted: see zstore_ctx_never_wait()
 */
int zstore_read(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		void *dst) ZSD_MUST_CHECK;

/* What a hint brings near, in the order in which a request needs it. */
enum zstore_stage {
	ZSTORE_NEAR_SLOT,
	ZSTORE_NEAR_ENTRY, /* of the handle that the slot names */
	ZSTORE_NEAR_OBJECT, /* where that entry says */
};

/**
 * zstore_prefetch() - bring near what a call for a page will touch
 * @offset: any, inside the disk
 * @stage:  what; it needs what the stage before it brought near, and waits for
 *          that where it is not there yet
 *
 * Each stage is a miss of the processor's caches. Whoever knows the next
 * requests hides all three behind its work: the slot of the request after the
 * next two, the entry of the one after the next, the object of the next. A call
 * for several pages does so by itself.
 *
 * A hint: changes nothing, cannot fail.
 */
void zstore_prefetch(const struct zstore_ctx *ctx, uint64_t offset,
		     enum zstore_stage stage);

/**
 * zstore_write() - replace a range of the disk
 * @offset, @bytes: any, inside the disk
 *
 * Whole pages are compressed straight from @src. A page of which only a part is
 * replaced is read, patched and stored again. Each page changes at once or not
 * at all.
 *
 * A write of several pages stops at the first that it cannot write. The pages
 * before that one are new. It and the pages after it are as they were, and are
 * counted in failed_writes.
 *
 * Context: may wait for memory, but never while it holds a lock.
 * Return: 0, or
 *   -ENOSPC  mem_limit is reached
 *   -ENOMEM  the system has no memory
 *   -EIO     only a part of a page was to be replaced, and the page is damaged,
 *            or its block cannot be read; or damage has set the lock of its
 * slot (found out after 10 s) -EINPROGRESS  nothing was counted, and what was
 * done may be done again: see zstore_params.settled and zstore_ctx_never_wait()
 */
int zstore_write(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		 const void *src) ZSD_MUST_CHECK;

/**
 * zstore_trim() - forget the whole pages of a range
 *
 * They read as zeros afterwards; pages that the range covers only in part
 * keep their content. Cost: 2 MiB of disk that was never written are one step;
 * a stored page costs a free. The caller bounds the range to bound the time.
 * Return: 0, or -EINPROGRESS as zstore_write(), only where a store has
 * zstore_params.settled.
 */
int zstore_trim(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes);

/**
 * zstore_write_zeroes() - make a range read as zeros
 *
 * As zstore_trim(), but pages covered in part are patched. If the page that the
 * range begins in cannot be patched, nothing changes. Any other page that
 * cannot be changed stays as it is, is counted in failed_writes, and the rest
 * changes. Return: as zstore_write(). Without pages covered in part: 0,
 * -EINPROGRESS, or -EIO where a page stays locked (see zstore_write()).
 */
int zstore_write_zeroes(struct zstore_ctx *ctx, uint64_t offset,
			uint64_t bytes) ZSD_MUST_CHECK;

/**
 * zstore_store_zeroes() - store a range of zeros
 *
 * As zstore_write() of so many zeros: a page of them takes its slot and
 * nothing else, but it counts as stored, and is no hole.
 * Return: as zstore_write().
 */
int zstore_store_zeroes(struct zstore_ctx *ctx, uint64_t offset,
			uint64_t bytes) ZSD_MUST_CHECK;

/* What an extent of the disk is. Neither: it holds data. */
#define ZSTORE_HOLE (1u << 0) /* never written, or trimmed */
#define ZSTORE_ZERO (1u << 1) /* reads as zeros; every hole does */

/**
 * zstore_extent() - what the disk holds from an offset on
 * @offset, @bytes: what to look at, inside the disk; not 0 bytes
 * @steps: how many looks it may take, at least 1; what it took is taken off.
 *         One look tells of a page, or of 2 MiB that were never written.
 * @state: receives ZSTORE_*
 *
 * Exact by the page: one that was written with zeros is ZSTORE_ZERO and no
 * hole, one with any other byte in it is data.
 * Return: how many bytes from @offset on are in that state, 1 to @bytes. It
 * ends where the state changes, with the range, or, at a page boundary, where
 * there were no more steps. Beside changes of the same pages, each is told as
 * it was at some time during the call.
 */
uint64_t zstore_extent(const struct zstore_ctx *ctx, uint64_t offset,
		       uint64_t bytes, uint32_t *steps, unsigned *state);

/*
 * Counters, as zram's mm_stat and io_stat name them. X(field): of struct
 * zstore_stats.
 */
#define ZSTORE_MM_STAT(X)                                                \
	X(orig_data_size) /* bytes stored, as the client sees them */    \
	X(compr_data_size) /* bytes of objects; same-filled pages are 0, \
			     and a shared one counts once */             \
	X(mem_used_total) /* bytes of arena in zspages */                \
	X(mem_limit) /* bytes; 0: none */                                \
	X(mem_used_max) /* bytes; highest mem_used_total so far */       \
	X(same_pages) /* same-filled pages now */                        \
	X(pages_compacted) /* arena pages freed by compaction so far */  \
	X(huge_pages) /* pages stored raw now */                         \
	X(huge_pages_since) /* pages stored raw so far */

#define ZSTORE_IO_STAT(X)                                                     \
	X(failed_reads) /* pages that could not be read so far */             \
	X(corrupt_reads) /* times that a page was found damaged */            \
	X(failed_writes) /* pages that writes which failed left old so far */ \
	X(notify_free) /* pages that a trim freed so far */

#define ZSTORE_MEMORY_STAT(X)                                             \
	X(metadata_bytes) /* committed for slots, handles, descriptors */ \
	X(reserve_bytes) /* arena: free, touched and ready */             \
	X(direct_grows) /* writes that found no free page ready so far */

#define ZSTORE_SHARE_STAT(X) \
	X(pages_sharing) /* pages now whose object another page had first */

struct zstore_stats {
#define ZSTORE_STAT_FIELD(name) uint64_t name;
	ZSTORE_MM_STAT(ZSTORE_STAT_FIELD)
	ZSTORE_IO_STAT(ZSTORE_STAT_FIELD)
	ZSTORE_MEMORY_STAT(ZSTORE_STAT_FIELD)
	ZSTORE_SHARE_STAT(ZSTORE_STAT_FIELD)
#undef ZSTORE_STAT_FIELD
};

/* zstore_stats() - sum the counters. Not one instant's: threads go on. */
void zstore_stats(struct zstore *store, struct zstore_stats *out);

/**
 * zstore_class_stats() - read the numbers of one size class
 * @class_idx: 0 .. ZS_NR_CLASSES - 1
 *
 * They agree with each other. Return: true, or false where the class is merged
 * into another.
 */
bool zstore_class_stats(struct zstore *store, unsigned class_idx,
			struct zs_class_stats *out);

/* zstore_reset_peak() - restart mem_used_max from what is used now */
void zstore_reset_peak(struct zstore *store);

/* From how many bytes on a page is stored raw. */
size_t zstore_huge_class_size(const struct zstore *store);

/**
 * zstore_compact() - compact the pool
 * @out: receives what was done
 *
 * Beside running I/O; see zs_compact().
 */
void zstore_compact(struct zstore *store, struct zs_compacted *out);

/* zstore_compact_slice() - a bounded piece of it; see zs_compact_slice(). The
 * first one waits for what zstore_adopt() left to be done. */
bool zstore_compact_slice(struct zstore *store,
			  struct zs_compact_cursor *cursor,
			  unsigned max_objects, uint64_t *freed_pages);

/* zstore_shrink() - hand free pages to the system; see zs_pool_shrink() */
void zstore_shrink(struct zstore *store);

/* zstore_housekeep() - see zs_pool_housekeep() */
bool zstore_housekeep(struct zstore *store, uint64_t max_pages);

/* Free pages that the next writes find ready. Cost: a lock. */
uint64_t zstore_reserve_pages(struct zstore *store);

/* How many there should be: reserve_bytes, or less where that is much of
 * mem_limit_bytes. */
uint64_t zstore_reserve_target_pages(const struct zstore *store);

struct zstore_verify_report {
	uint64_t pages_checked; /* stored pages that read as they should */
	uint64_t pages_damaged; /* stored pages that do not */
	char text[ZSTORE_VERIFY_TEXT_BYTES]; /* what is wrong; "" if nothing */
};

/**
 * zstore_verify() - check the pool, and that no stored page is damaged
 * @ctx:    the caller's
 * @report: filled in either case
 *
 * Beside running I/O. Finds every word of the image that is not what it was,
 * but
 *   - bytes of objects, where there are no checksums, as far as the codec does
 *     not mind them, and bytes that belong to nothing;
 *   - where pages change while it runs: a slot that became another sound one of
 *     its page, or empty, or is locked.
 * A word that was overwritten, not only damaged in some bits, may have a check
 * that holds by chance: one in 256. Never follows what it finds out of bounds,
 * nor in circles.
 *
 * Allocates 2 bits for each object. Return: 0, -EUCLEAN where something is
 * wrong, or -ENOMEM.
 */
int zstore_verify(struct zstore_ctx *ctx,
		  struct zstore_verify_report *report) ZSD_MUST_CHECK;

#endif
