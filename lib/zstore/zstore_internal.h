/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_internal - the parts of a store and how its files share them
 *
 * The image, one mapping, each part page-aligned:
 *
 *   header   struct zstore_header, one page
 *   slots    uint64_t[], 8 B a page of the disk, committed by the page of
 *            slots (SLOTS_PER_GROUP) when one of them is first written
 *   epochs   struct zstore_epochs, one page
 *   ages     uint8_t[], 1 B a page of the disk, committed by the page of them
 *            (AGES_PER_GROUP) before the first of its slots
 *   dicts    room for ZSTORE_MAX_DICTS dictionaries, committed as they come
 *   blocks   where there is a backing: its area, one page; and uint32_t[], the
 *            checksum of each block, committed by the page before one of them
 *            is first written
 *   pool     handles, descriptors, arena: see zs_image.h
 *
 * Lock order (take only downwards): store->adoption_lock, which whoever needs
 * the rebuilt store takes before anything else; store->dicts_lock, a slot's
 * lock bit, then the pool's. store->ctxs_lock is a leaf. Nobody who waits for
 * memory holds any of them. Who has two slots locked did not wait for either.
 */
#ifndef ZSD_ZSTORE_ZSTORE_INTERNAL_H
#define ZSD_ZSTORE_ZSTORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/list.h"
#include "zstore/slot.h"
#include "zstore/zstore.h"
#include "zstore/zstore_backing.h"
#include "zstore/zstore_dict.h"

/* "zsd disk" in the machine's byte order: the image is not for others. */
#define ZSTORE_MAGIC   UINT64_C(0x6b73696420647a73)
#define ZSTORE_VERSION 7u

/*
 * First page of the image: how to read the rest of it. For other processes:
 * this one does not look at it again, but to see whether it is damaged.
 *
 * Who adopts it must know all of its first part, up to the generation. A change
 * of anything that stands in the image makes another version.
 */
struct zstore_header {
	uint64_t magic;
	uint32_t version;
	uint32_t page_bytes;
	uint64_t disk_bytes;
	uint64_t image_bytes;
	uint64_t slots_offset; /* bytes from the start of the image */
	uint64_t ages_offset; /* of the epochs; bytes, the same */
	uint64_t dicts_offset; /* bytes from the start of the image */
	uint64_t blocks_offset; /* of the area; bytes, the same */
	uint64_t pool_offset; /* bytes from the start of the image */
	uint64_t nr_handles; /* as the pool was created with */
	uint64_t nr_pages; /* as the pool was created with */
	uint32_t nr_blocks; /* of the backing; 0: there is none */
	uint32_t chain_size;
	uint32_t has_checksums; /* 0 or 1: the pool's tags are checksums */
	char algorithms[ZSTORE_CODECS][ZCOMP_NAME_BYTES]; /* "": none */
	uint32_t generation; /* processes that had it before */
	uint16_t is_clean; /* 0 or 1: none has it, and the last one ended by
			    * zstore_destroy() */
	uint16_t may_share; /* 0 or 1: one that had it could share pages */
	uint8_t uuid[ZSTORE_UUID_BYTES];
	uint32_t dict_current[ZSTORE_CODECS]; /* number, or 0 */
	/* By number: length, bytes, 0 where there is none; sum_object(); which
	 * codec's it is */
	uint32_t dict_bytes[ZSTORE_MAX_DICTS + 1];
	uint32_t dict_sums[ZSTORE_MAX_DICTS + 1];
	uint8_t dict_codecs[ZSTORE_MAX_DICTS + 1];
};

/* What every image has memory for: the header and the epochs. */
#define ZSTORE_HEAD_BYTES ((uint64_t)(2 * ZSD_PAGE_BYTES))

/* Slots in one page of them: 2 MiB of disk. */
#define SLOTS_PER_GROUP (ZSD_PAGE_BYTES / sizeof(uint64_t))

/* Checksums of blocks in one page of them: 4 MiB of backing. */
#define SUMS_PER_GROUP (ZSD_PAGE_BYTES / sizeof(uint32_t))

/* Ages in one page of them: 16 MiB of disk. */
#define AGES_PER_GROUP ZSD_PAGE_BYTES

/* An age: the number of an epoch, and whether zstore_mark_idle() marked it. */
#define AGE_EPOCHS 128u /* numbers; 0 is none */
#define AGE_IDLE   128u

/*
 * The epochs that ages name. One begins with zstore_begin_epoch() and ends
 * where the next one begins. Damage to them or to ages is not found out: a page
 * may then be taken for older or younger than it is.
 */
struct zstore_epochs {
	_Atomic uint32_t current; /* number */
	_Atomic uint32_t start_s[AGE_EPOCHS]; /* by number; UINT32_MAX: free */
};

/*
 * What each context counts; sums over all contexts make the statistics.
 * Gauges go down as well, and one context's part of them may be negative.
 */
#define ZSTORE_COUNTERS(X)                                              \
	X(pages_stored) /* gauge: slots that are not empty */           \
	X(compr_data_size) /* gauge: bytes of objects, words aside */   \
	X(pages_sharing) /* gauge: slots that name another's object */  \
	X(same_pages) /* gauge */                                       \
	X(huge_pages) /* gauge: in memory */                            \
	X(pages_backed) /* gauge */                                     \
	X(bytes_backed) /* gauge: bytes of what was their objects */    \
	X(blocks_used) /* gauge: with pages, or being written */        \
	X(block_reads)                                                  \
	X(huge_pages_since)                                             \
	X(failed_reads)                                                 \
	X(corrupt_reads)                                                \
	X(failed_writes)                                                \
	X(notify_free)                                                  \
	X(changes_begun) /* slots to be changed; see quiet_changes() */ \
	X(changes_ended)

enum zstore_counter {
#define ZSTORE_COUNTER_ENUM(name) COUNT_##name,
	ZSTORE_COUNTERS(ZSTORE_COUNTER_ENUM)
#undef ZSTORE_COUNTER_ENUM
	NR_COUNTERS
};

/* What of the slots was looked at since the image was adopted. */
struct zstore_adoption {
	_Atomic int64_t counters[NR_COUNTERS]; /* what they say so far */
	int64_t dict_pages[ZSTORE_MAX_DICTS + 1]; /* the same */
	uint64_t next; /* page of the disk */
	bool has_doubles; /* slots that name the same object were met, and do
			   * not all say that they share it */
	bool is_second_look; /* for them */
};

struct zstore {
	struct zstore_params params;
	struct mapping image;
	struct zstore_header header; /* what the image's should be */
	bool was_clean; /* see zstore_was_clean() */
	_Atomic uint64_t *slots; /* in the image */
	uint64_t slots_offset; /* in the image, bytes */
	uint64_t nr_slots;
	struct zs_pool *pool;
	size_t huge_class_bytes; /* zs_huge_class_size() */

	_Atomic uint8_t *groups; /* of slots: 1 where they have memory */
	uint64_t nr_groups;

	struct zstore_epochs *epochs; /* in the image; see zstore_age.h */
	_Atomic uint8_t *ages; /* in the image */
	_Atomic uint8_t *age_groups; /* of ages: 1 where they have memory */
	_Atomic uint8_t epoch; /* the current one's number */

	/* Of the backing, NULL where there is none; see zstore_backing.h. */
	_Atomic uint32_t *block_sums; /* in the image */
	_Atomic uint8_t *block_groups; /* of sums: 1 where they have memory */
	_Atomic uint8_t *block_pages; /* that a block has; one more while it is
				       * being written */
	_Atomic uint32_t free_block; /* none below it is free */

	/*
	 * By handle: slots that name its object and say that it may be shared.
	 * NULL where no process that had the image could share pages.
	 */
	_Atomic uint16_t *sharers;
	uint64_t nr_sharers; /* handles that there is room for */

	_Atomic bool is_settled; /* nothing is left to be made anew */
	pthread_mutex_t adoption_lock; /* the one below, and the pool's part */
	struct zstore_adoption adoption;

	/* Dictionaries by number; see zstore_dict.h. */
	pthread_mutex_t dicts_lock; /* who comes and goes; the header's part */
	_Atomic(struct zcomp_dict *) dicts[ZSTORE_CODECS][ZSTORE_MAX_DICTS + 1];
	uint32_t dict_holds[ZSTORE_MAX_DICTS + 1]; /* see zstore_dicts_hold() */
	uint32_t dict_bytes[ZSTORE_MAX_DICTS + 1]; /* 0: the number is free */
	enum zstore_codec dict_codecs[ZSTORE_MAX_DICTS + 1];
	/* Contexts for which one of the secondary codec is ready. Changes, with
	 * what makes it ready, under ready_lock. */
	_Atomic uint32_t dict_users[ZSTORE_MAX_DICTS + 1];
	pthread_mutex_t ready_lock;
	_Atomic uint32_t dict_current[ZSTORE_CODECS]; /* number, or 0 */

	pthread_mutex_t ctxs_lock; /* the three below */
	struct list_node ctxs; /* struct zstore_ctx.node */
	int64_t retired[NR_COUNTERS]; /* of destroyed contexts */
	int64_t retired_dict_pages[ZSTORE_MAX_DICTS + 1]; /* the same */
};

/* A block that was read. */
struct zstore_brought {
	const struct zstore *store; /* NULL: none */
	uint32_t number;
	uint32_t sum; /* of its bytes */
	uint64_t used; /* when last, by zstore_scratch.clock */
	unsigned char bytes[ZSD_PAGE_BYTES];
};

/* What a thread has once, however many stores it works with. */
struct zstore_scratch {
	/* Pages, each for one step and never across a call that uses it. */
	unsigned char page[ZSD_PAGE_BYTES]; /* being patched */
	unsigned char compressed[ZSD_PAGE_BYTES]; /* made by pack() */
	unsigned char object[ZSD_PAGE_BYTES]; /* zs_obj_read_begin()'s */
	/* The last ZSTORE_NEED_MAX blocks that were read: all that one request
	 * needs. They stay across calls. NULL until there is a context of a
	 * store that has a backing. */
	struct zstore_brought *brought;
	uint64_t clock; /* of their uses */
	struct list_node codecs; /* struct codec, ctx.c */
};

struct codec;

struct zstore_ctx {
	struct zstore *store;
	struct zstore_scratch *scratch;
	struct codec *codecs[ZSTORE_CODECS]; /* of the scratch, or NULL */
	struct zcomp_ctx *zcomp[ZSTORE_CODECS]; /* the codecs', or NULL */
	bool never_waits; /* see zstore_ctx_never_wait() */
	struct list_node node; /* of store->ctxs */
	_Atomic int64_t counters[NR_COUNTERS]; /* written by the owner alone */
	/* Gauges: pages by their dictionary. Written by the owner alone. */
	_Atomic int64_t dict_pages[ZSTORE_MAX_DICTS + 1];
	/* By codec: that it stores with, or did last. */
	_Atomic uint32_t dicts[ZSTORE_CODECS];
	/* With which it reads a page that is in a block; 0: none. An object is
	 * pinned instead. */
	_Atomic uint32_t dict_read;
	/* Of the secondary codec: one that is ready for it, or 0. */
	_Atomic uint32_t ready_dict;
};

static inline struct zstore_header *
zstore_image_header(const struct zstore *store)
{
	return (struct zstore_header *)(void *)store->image.base;
}

/*
 * One writer: no locked instruction is needed. The release is for those who
 * read several counters: who sees this one sees what was counted before it.
 */
static inline void add_to(_Atomic int64_t *counter, int64_t n)
{
	n += atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, n, memory_order_release);
}

static inline void count(struct zstore_ctx *ctx, enum zstore_counter counter,
			 int64_t n)
{
	add_to(&ctx->counters[counter], n);
}

/* @sign is 1 where @slot's content comes, -1 where it goes. */
static inline void count_slot(_Atomic int64_t counters[NR_COUNTERS],
			      uint64_t slot, int sign)
{
	if (slot_kind(slot) == SLOT_EMPTY)
		return;
	add_to(&counters[COUNT_pages_stored], sign);
	if (slot_kind(slot) == SLOT_BACKED) {
		add_to(&counters[COUNT_pages_backed], sign);
		add_to(&counters[COUNT_bytes_backed],
		       sign * (int64_t)slot_len_bytes(slot));
	} else if (slot_kind(slot) == SLOT_FILLED || slot_is_word(slot))
		add_to(&counters[COUNT_same_pages], sign);
	else if (slot_is_huge(slot))
		add_to(&counters[COUNT_huge_pages], sign);
}

/* The same of the object that it names, which is one however many name it. */
static inline void count_object(_Atomic int64_t counters[NR_COUNTERS],
				uint64_t slot, int sign)
{
	if (slot_has_content(slot))
		add_to(&counters[COUNT_compr_data_size],
		       sign * (int64_t)slot_len_bytes(slot));
}

/* Count a page that came (1), or went and let go of its object (-1). */
static inline void count_dict(struct zstore_ctx *ctx, unsigned number,
			      int64_t n)
{
	add_to(&ctx->dict_pages[number], n);
}

/* Sum one counter over all contexts, past ones too. */
int64_t zstore_sum(struct zstore *store, enum zstore_counter counter);

/* The same of what is never below 0; one that was read while a page moved
 * between contexts may be short. */
uint64_t zstore_gauge(struct zstore *store, enum zstore_counter counter);

/* Whether page @index was ever written: if not, its slot has no memory. */
static inline bool slot_exists(const struct zstore *store, uint64_t index)
{
	return atomic_load_explicit(&store->groups[index / SLOTS_PER_GROUP],
				    memory_order_acquire);
}

/*
 * Looks of a rebuild at a time, where nobody says how many: about 1 ms, for
 * which others may have to wait for the lock.
 */
#define REBUILD_LOOKS 8192u

/* --- store.c ------------------------------------------------------------- */

struct zs_pool_params zstore_pool_params(const struct zstore_params *params);

bool zstore_params_are_valid(const struct zstore_params *params);

/* A store without an image, for valid params. 0 or -ENOMEM. */
int zstore_alloc(const struct zstore_params *params,
		 struct zstore **out) ZSD_MUST_CHECK;
void zstore_free(struct zstore *store);

/* It has an image, maybe an empty one: say where its parts are, and what its
 * header should be. Return: where the pool is, bytes. */
uint64_t zstore_lay_out(struct zstore *store);

/* --- adopt.c ------------------------------------------------------------- */

/* Say in the image that no process has it any more. */
void zstore_leave_image(struct zstore *store);

/* Make anew what is left to be. */
void zstore_settle(struct zstore *store);

/* Before a change. Return: whether it must wait. */
static inline bool zstore_must_wait(const struct zstore *store)
{
	return unlikely(!atomic_load_explicit(&store->is_settled,
					      memory_order_acquire)) &&
	       store->params.settled;
}

/* Before anything but a read. */
static inline void zstore_need_settled(struct zstore *store)
{
	if (unlikely(!atomic_load_explicit(&store->is_settled,
					   memory_order_acquire)))
		zstore_settle(store);
}

/* --- age.c --------------------------------------------------------------- */

/* Of a disk of so many pages. */
uint64_t zstore_ages_bytes(uint64_t nr_slots);

/* Begin to tell ages, in an image that never did or whose epochs cannot be. */
void zstore_ages_init(struct zstore *store);

/* Page @index of the disk, which has a slot, was accessed. */
static inline void zstore_touch(struct zstore *store, uint64_t index)
{
	const uint8_t epoch =
		atomic_load_explicit(&store->epoch, memory_order_relaxed);

	if (atomic_load_explicit(&store->ages[index], memory_order_relaxed) !=
	    epoch)
		atomic_store_explicit(&store->ages[index], epoch,
				      memory_order_relaxed);
}

/* By number, whether an epoch was over at some time. */
struct zstore_old {
	bool epochs[AGE_EPOCHS];
};

/* As of zstore_mark_idle(). Good until the next epoch begins. */
void zstore_find_old(const struct zstore *store, uint32_t since_s,
		     struct zstore_old *out);

/* Whether page @index, which has a slot, was surely not accessed since. */
bool zstore_is_old(const struct zstore *store, uint64_t index,
		   const struct zstore_old *old);

/* Its idle mark. */
bool zstore_is_idle(const struct zstore *store, uint64_t index);
void zstore_unmark_idle(struct zstore *store, uint64_t index);

/* --- dict.c -------------------------------------------------------------- */

/* Room for all of them in an image. */
uint64_t zstore_dicts_bytes(void);

void zstore_dicts_fini(struct zstore *store);

/*
 * Have the dictionaries that the image has, and no others. One that is damaged
 * is not there, but its number stays taken. 0 or -ENOMEM: those up to one.
 */
int zstore_dicts_load(struct zstore *store) ZSD_MUST_CHECK;

/* What all of them take, bytes. */
uint64_t zstore_dicts_memory(const struct zstore *store);

/*
 * Have the secondary codec's current dictionary, if there is one, ready for
 * this context, which stores with it from now on: ctx->ready_dict. The one
 * before is not any more. May wait for memory. Return: 0; -ENOSPC, -ENOMEM; or
 * -EIO where the dictionary is damaged. Then none is ready.
 */
int zstore_ctx_ready(struct zstore_ctx *ctx) ZSD_MUST_CHECK;

/* What one of so many bytes takes while it is ready, besides. */
uint64_t zstore_dict_ready_bytes(const struct zstore *store,
				 enum zstore_codec codec, uint64_t nr_bytes);

/* The dictionary of that number, whichever codec's. */
struct zcomp_dict *zstore_dict_of(const struct zstore *store, unsigned number);

/* No dictionary is ready for this context any more. */
void zstore_ctx_rest(struct zstore_ctx *ctx);

/* Make the codec's current dictionary the context's. Return: its number. */
unsigned zstore_ctx_switch_dict(struct zstore_ctx *ctx,
				enum zstore_codec codec);

/* The number of the dictionary to store with by that codec. */
static inline unsigned zstore_ctx_dict(struct zstore_ctx *ctx,
				       enum zstore_codec codec)
{
	uint32_t current = atomic_load_explicit(
		&ctx->store->dict_current[codec], memory_order_relaxed);

	if (likely(current == atomic_load_explicit(&ctx->dicts[codec],
						   memory_order_relaxed)))
		return current;
	return zstore_ctx_switch_dict(ctx, codec);
}

/* The codec's dictionary of that number; NULL for 0, where there is none, and
 * where it is another codec's. */
static inline const struct zcomp_dict *zstore_dict(const struct zstore *store,
						   enum zstore_codec codec,
						   unsigned number)
{
	return atomic_load_explicit(&store->dicts[codec][number],
				    memory_order_acquire);
}

/*
 * Keep those of the numbers in @mask, a bit each, that there are: none of them
 * is used again until it is let go of as often. Return: the mask of those.
 */
uint32_t zstore_dicts_hold(struct zstore *store, uint32_t mask);
void zstore_dicts_let_go(struct zstore *store, uint32_t mask);

/* The bytes of one that is held. */
const void *zstore_dict_held(const struct zstore *store, unsigned number,
			     size_t *nr_bytes);

/* Whose it is: of one that is held. */
enum zstore_codec zstore_dict_codec(const struct zstore *store,
				    unsigned number);

/* Have a codec compress with the one of that number, which is held and its own,
 * from now on; with none for 0. */
void zstore_dict_choose(struct zstore *store, enum zstore_codec codec,
			unsigned number);

/* Pages that are stored with it; exact where nothing changes. */
int64_t zstore_dict_pages(struct zstore *store, unsigned number);

/* Return: the number of one whose bytes have changed, or 0. */
unsigned zstore_dict_damaged(struct zstore *store);

/* Whether the page that describes the image, dictionaries and all, has. */
bool zstore_header_is_damaged(struct zstore *store);

/* --- sharers.c ----------------------------------------------------------- */

/*
 * Most slots that share one object: what a count can hold.
 *
 * Counts are not part of the image: they follow from the slots. New memory for
 * them is first touched by whoever shares pages or adopts an image, never by a
 * write: it only makes less of those that there are.
 */
#define SHARERS_MAX ((uint32_t)UINT16_MAX)

/* All of them, bytes, of a store that has a pool. */
uint64_t zstore_sharers_bytes(const struct zstore *store);

/* Have counts, all 0, if there are none. 0 or -ENOMEM. */
int zstore_sharers_init(struct zstore *store) ZSD_MUST_CHECK;
void zstore_sharers_fini(struct zstore *store);

/* How many share it; 0 where nobody does, and where the handle is none. */
uint32_t zstore_sharers(const struct zstore *store, zs_handle handle);

/* Whether what a slot names is other pages' object, too. */
static inline bool zstore_has_sharers(const struct zstore *store, uint64_t slot)
{
	return slot_is_shared(slot) &&
	       zstore_sharers(store, slot_handle(slot)) > 1;
}

/* Have memory behind the count. Return: false where the handle is none. */
bool zstore_sharers_touch(struct zstore *store, zs_handle handle);

/* One more. Return: false where there is no room for more. */
bool zstore_sharers_add(struct zstore *store, zs_handle handle);

/* One less. Return: false where there was none: something is damaged. */
bool zstore_sharers_remove(struct zstore *store, zs_handle handle,
			   uint32_t *left);

/* What each slot that names handle or block @number counts: two tables that
 * differ in how many do most probably differ in the sum. */
uint64_t zstore_mark(uint32_t number);

/* That sum over all handles below @end. */
uint64_t zstore_sharers_sum(const struct zstore *store, uint64_t end);

/* --- blocks.c ------------------------------------------------------------- */

/* The part of the image that is for so many. */
uint64_t zstore_blocks_bytes(uint32_t nr_blocks);

/* What of it zstore_populate() gives memory to. */
uint64_t zstore_sums_bytes(uint32_t nr_blocks);

/* Have tables of a backing, if there is one. 0 or -ENOMEM. */
int zstore_blocks_init(struct zstore *store) ZSD_MUST_CHECK;
void zstore_blocks_fini(struct zstore *store);

/* What they take outside the image, bytes. */
uint64_t zstore_blocks_memory(const struct zstore *store);

/* Have memory behind the checksum of a block. 0, -ENOSPC or -ENOMEM. */
int zstore_blocks_commit(struct zstore *store, uint32_t block) ZSD_MUST_CHECK;

/*
 * Take the first free block: it has one page more than slots name, so that it
 * stays. One caller at a time. Return: 0, -ENOSPC where none is free, or as
 * zstore_blocks_commit().
 */
int zstore_blocks_take(struct zstore_ctx *ctx, uint32_t *block) ZSD_MUST_CHECK;

/* A slot is to name a block that has a page already. */
void zstore_blocks_add(struct zstore *store, uint32_t block);

/* A slot named it, and does so no more. Return: false where none can have. */
bool zstore_blocks_put(struct zstore_ctx *ctx, uint32_t block);

/* A slot that was found in an adopted image names it. Return: false where it
 * cannot; @is_first: whether it is the first that does. */
bool zstore_blocks_name(struct zstore *store, uint32_t block, bool *is_first);

/* What is in it. */
static inline uint32_t zstore_block_sum(const struct zstore *store,
					uint32_t block)
{
	return atomic_load_explicit(&store->block_sums[block],
				    memory_order_acquire);
}

/* The sum of zstore_mark() over all blocks. */
uint64_t zstore_blocks_sum(const struct zstore *store);

#endif
