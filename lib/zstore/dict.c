/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's dictionaries. zstore_dict.h has the rule by which a number is
 * used again.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "zstore/sum.h"
#include "zstore/zstore_internal.h"

/* The image has this much for each. */
#define DICT_ROOM_BYTES ((uint64_t)ZCOMP_DICT_MAX_BYTES)

uint64_t zstore_dicts_bytes(void)
{
	return ZSTORE_MAX_DICTS * DICT_ROOM_BYTES;
}

static uint64_t dict_offset(const struct zstore *store, unsigned number)
{
	return store->header.dicts_offset + (number - 1) * DICT_ROOM_BYTES;
}

static unsigned char *dict_home(const struct zstore *store, unsigned number)
{
	return store->image.base + dict_offset(store, number);
}

static uint64_t committed_bytes(uint64_t nr_bytes)
{
	return align_up(nr_bytes, ZSD_PAGE_BYTES);
}

uint64_t zstore_dict_ready_bytes(const struct zstore *store,
				 enum zstore_codec codec, uint64_t nr_bytes)
{
	return zcomp_dict_memory(zstore_codec(store, codec), ZCOMP_TO_COMPRESS,
				 ZSD_PAGE_BYTES, nr_bytes);
}

/* What it takes as long as it is there. */
static uint64_t memory_bytes(const struct zstore *store,
			     enum zstore_codec codec, uint64_t nr_bytes)
{
	return committed_bytes(nr_bytes) +
	       zcomp_dict_memory(zstore_codec(store, codec),
				 ZCOMP_TO_DECOMPRESS, ZSD_PAGE_BYTES,
				 nr_bytes) +
	       (codec == ZSTORE_PRIMARY
			? zstore_dict_ready_bytes(store, codec, nr_bytes)
			: 0);
}

/* Of one that is there. */
static uint64_t memory_now(const struct zstore *store, unsigned number)
{
	const enum zstore_codec codec = store->dict_codecs[number];
	const uint64_t nr_bytes = store->dict_bytes[number];

	return memory_bytes(store, codec, nr_bytes) +
	       (store->dict_users[number]
			? zstore_dict_ready_bytes(store, codec, nr_bytes)
			: 0);
}

/* The dictionary of a number, whose ever it is. NULL where there is none. */
struct zcomp_dict *zstore_dict_of(const struct zstore *store, unsigned number)
{
	return atomic_load(&store->dicts[store->dict_codecs[number]][number]);
}

/* --- who needs which ----------------------------------------------------- */

/* Say with which this context stores, then see whether that is still right. */
unsigned zstore_ctx_switch_dict(struct zstore_ctx *ctx, enum zstore_codec codec)
{
	const _Atomic uint32_t *home = &ctx->store->dict_current[codec];
	unsigned current;

	do {
		current = atomic_load(home);
		atomic_store(&ctx->dicts[codec], current);
	} while (atomic_load(home) != current);
	return current;
}

/* How many pages are stored with it. Exact, or too many, where no context
 * stores with it any more: then it can only fall. Under ctxs_lock. */
static int64_t count_pages(struct zstore *store, unsigned number)
{
	int64_t sum = store->retired_dict_pages[number];
	struct zstore_ctx *ctx, *next;

	list_for_each_safe (ctx, next, &store->ctxs, struct zstore_ctx, node)
		sum += atomic_load_explicit(&ctx->dict_pages[number],
					    memory_order_acquire);
	return sum;
}

/* Under ctxs_lock. */
static bool is_stored_with(struct zstore *store, unsigned number)
{
	const enum zstore_codec codec = store->dict_codecs[number];
	struct zstore_ctx *ctx, *next;

	list_for_each_safe (ctx, next, &store->ctxs, struct zstore_ctx, node) {
		if (atomic_load(&ctx->dicts[codec]) == number ||
		    (codec == ZSTORE_SECONDARY &&
		     atomic_load(&ctx->ready_dict) == number))
			return true;
	}
	return false;
}

/* Whether a page that is in a block is being read with it. Under ctxs_lock. */
static bool is_read_with(struct zstore *store, unsigned number)
{
	struct zstore_ctx *ctx, *next;

	list_for_each_safe (ctx, next, &store->ctxs, struct zstore_ctx, node) {
		if (atomic_load(&ctx->dict_read) == number)
			return true;
	}
	return false;
}

static bool is_current(const struct zstore *store, unsigned number)
{
	return zstore_dict_current(store, store->dict_codecs[number]) == number;
}

/* Under dicts_lock. */
static bool is_needed(struct zstore *store, unsigned number)
{
	bool is_needed;

	if (is_current(store, number) || store->dict_holds[number])
		return true;
	pthread_mutex_lock(&store->ctxs_lock);
	/* In this order: what a context stored is counted before it switches,
	 * and who reads a page says so while that is still counted. */
	is_needed = is_stored_with(store, number) ||
		    count_pages(store, number) != 0 ||
		    is_read_with(store, number);
	pthread_mutex_unlock(&store->ctxs_lock);
	return is_needed;
}

/* --- coming and going ---------------------------------------------------- */

static void give_back(struct zstore *store, unsigned number, uint64_t nr_bytes)
{
	int err = mapping_release(&store->image, dict_offset(store, number),
				  committed_bytes(nr_bytes));

	(void)err; /* then the memory is there for the next of this number */
}

/* In the image, and what that should be. Who has a dictionary's length has the
 * rest of it: the process may be killed at any instruction. */
static void note_dict(struct zstore *store, unsigned number, uint32_t nr_bytes,
		      uint32_t sum)
{
	struct zstore_header *image = zstore_image_header(store);

	store->header.dict_sums[number] = sum;
	store->header.dict_bytes[number] = nr_bytes;
	store->header.dict_codecs[number] = (uint8_t)store->dict_codecs[number];
	image->dict_sums[number] = sum;
	image->dict_codecs[number] = store->header.dict_codecs[number];
	atomic_signal_fence(memory_order_release);
	image->dict_bytes[number] = nr_bytes;
	atomic_signal_fence(memory_order_release);
}

static void let_go(struct zstore *store, unsigned number)
{
	const enum zstore_codec codec = store->dict_codecs[number];
	struct zcomp_dict *dict = zstore_dict_of(store, number);
	uint32_t nr_bytes = store->dict_bytes[number];

	atomic_store(&store->dicts[codec][number], NULL);
	store->dict_bytes[number] = 0;
	note_dict(store, number, 0, store->header.dict_sums[number]);
	zs_pool_uncharge(store->pool, memory_bytes(store, codec, nr_bytes));
	zcomp_dict_destroy(dict);
	give_back(store, number, nr_bytes);
}

/* Let go of what nothing needs. Return: a number that is free now, or 0. Under
 * the lock. */
static unsigned find_number(struct zstore *store)
{
	unsigned found = 0;

	for (unsigned i = ZSTORE_MAX_DICTS; i > 0; i--) {
		if (zstore_dict_of(store, i) && !is_needed(store, i))
			let_go(store, i);
		if (!store->dict_bytes[i])
			found = i;
	}
	return found;
}

/*
 * Digest the bytes that are at home. The secondary codec's dictionaries are
 * ready only while somebody recompresses; that this one can be is seen now.
 */
static int create_dict(const struct zstore *store, unsigned number,
		       size_t nr_bytes, struct zcomp_dict **out)
{
	const enum zstore_codec codec = store->dict_codecs[number];
	int err = zcomp_dict_create(zstore_codec(store, codec), ZSD_PAGE_BYTES,
				    dict_home(store, number), nr_bytes, out);

	if (!err && codec == ZSTORE_SECONDARY)
		zcomp_dict_rest(*out);
	return err;
}

/* Put the bytes where they are to stay, and digest them there. */
static int settle(struct zstore *store, unsigned number, const void *bytes,
		  size_t nr_bytes, struct zcomp_dict **out)
{
	int err = mapping_commit(&store->image, dict_offset(store, number),
				 committed_bytes(nr_bytes), NULL);

	if (err)
		goto err;
	memcpy(dict_home(store, number), bytes, nr_bytes);
	err = create_dict(store, number, nr_bytes, out);
	if (err)
		goto err;
	return 0;

err:
	give_back(store, number, nr_bytes);
	return err;
}

/* The same, and count what it takes, before it does. To see that it is one, it
 * is made ready in any case. */
static int charge_and_settle(struct zstore *store, unsigned number,
			     const void *bytes, size_t nr_bytes,
			     struct zcomp_dict **out)
{
	uint64_t memory =
		memory_bytes(store, store->dict_codecs[number], nr_bytes);
	int err = zs_pool_charge(store->pool, memory, ZS_NORMAL);

	if (err)
		return err;
	err = settle(store, number, bytes, nr_bytes, out);
	if (err)
		zs_pool_uncharge(store->pool, memory);
	return err;
}

/* Return: the number that is to be of a dictionary of so many bytes, or 0. */
static unsigned reserve_number(struct zstore *store, enum zstore_codec codec,
			       size_t nr_bytes)
{
	unsigned number;

	pthread_mutex_lock(&store->dicts_lock);
	number = find_number(store);
	if (number) {
		store->dict_bytes[number] = (uint32_t)nr_bytes;
		store->dict_codecs[number] = codec;
	}
	pthread_mutex_unlock(&store->dicts_lock);
	return number;
}

static void free_number(struct zstore *store, unsigned number)
{
	pthread_mutex_lock(&store->dicts_lock);
	store->dict_bytes[number] = 0;
	pthread_mutex_unlock(&store->dicts_lock);
}

/* Under the lock. */
static void make_current(struct zstore *store, enum zstore_codec codec,
			 unsigned number)
{
	store->header.dict_current[codec] = number;
	atomic_store(&store->dict_current[codec], number);
	zstore_image_header(store)->dict_current[codec] = number;
}

/* Its bytes and its digest are there. Say so in the image, and let new pages
 * name it. */
static void publish(struct zstore *store, unsigned number,
		    struct zcomp_dict *dict)
{
	const enum zstore_codec codec = store->dict_codecs[number];
	uint32_t nr_bytes = store->dict_bytes[number];

	pthread_mutex_lock(&store->dicts_lock);
	note_dict(store, number, nr_bytes,
		  sum_object(dict_home(store, number), nr_bytes));
	atomic_store(&store->dicts[codec][number], dict);
	make_current(store, codec, number);
	pthread_mutex_unlock(&store->dicts_lock);
}

int zstore_dict_add(struct zstore *store, enum zstore_codec codec,
		    const void *bytes, size_t nr_bytes, unsigned *out)
{
	struct zcomp_dict *dict;
	unsigned number;
	int err;

	zstore_need_settled(store); /* who counts what names which */
	if (!zcomp_has_dicts(zstore_codec(store, codec)))
		return -EOPNOTSUPP;
	if (nr_bytes < ZCOMP_DICT_MIN_BYTES || nr_bytes > ZCOMP_DICT_MAX_BYTES)
		return -EMSGSIZE;
	number = reserve_number(store, codec, nr_bytes);
	if (!number)
		return -EBUSY;
	err = charge_and_settle(store, number, bytes, nr_bytes, &dict);
	if (err) {
		free_number(store, number);
		return err;
	}
	publish(store, number, dict);
	*out = number;
	return 0;
}

/* --- keeping --------------------------------------------------------------- */

uint32_t zstore_dicts_hold(struct zstore *store, uint32_t mask)
{
	uint32_t held = 0;

	pthread_mutex_lock(&store->dicts_lock);
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		if (!(mask >> i & 1) || !zstore_dict_of(store, i))
			continue;
		store->dict_holds[i]++;
		held |= (uint32_t)1 << i;
	}
	pthread_mutex_unlock(&store->dicts_lock);
	return held;
}

void zstore_dicts_let_go(struct zstore *store, uint32_t mask)
{
	pthread_mutex_lock(&store->dicts_lock);
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++)
		store->dict_holds[i] -= mask >> i & 1;
	pthread_mutex_unlock(&store->dicts_lock);
}

const void *zstore_dict_held(const struct zstore *store, unsigned number,
			     size_t *nr_bytes)
{
	*nr_bytes = store->dict_bytes[number];
	return dict_home(store, number);
}

enum zstore_codec zstore_dict_codec(const struct zstore *store, unsigned number)
{
	return store->dict_codecs[number];
}

void zstore_dict_choose(struct zstore *store, enum zstore_codec codec,
			unsigned number)
{
	pthread_mutex_lock(&store->dicts_lock);
	make_current(store, codec, number);
	pthread_mutex_unlock(&store->dicts_lock);
}

void zstore_dicts_fini(struct zstore *store)
{
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++)
		zcomp_dict_destroy(zstore_dict_of(store, i));
}

/* --- adopting ------------------------------------------------------------ */

/* What the image says of one, which may be anything. */
struct said {
	uint32_t nr_bytes;
	uint32_t sum;
	unsigned codec;
};

static bool has_that_one(const struct zstore *store, unsigned number,
			 const struct said *said)
{
	return store->dict_bytes[number] == said->nr_bytes &&
	       store->header.dict_sums[number] == said->sum &&
	       store->header.dict_codecs[number] == said->codec &&
	       !zstore_dict_of(store, number) == !said->nr_bytes;
}

static bool can_be(const struct zstore *store, unsigned number,
		   const struct said *said)
{
	return said->codec < ZSTORE_CODECS &&
	       zcomp_has_dicts(zstore_codec(store, said->codec)) &&
	       said->nr_bytes >= ZCOMP_DICT_MIN_BYTES &&
	       said->nr_bytes <= ZCOMP_DICT_MAX_BYTES &&
	       sum_object(dict_home(store, number), said->nr_bytes) ==
		       said->sum;
}

static int digest(struct zstore *store, unsigned number,
		  const struct said *said)
{
	struct zcomp_dict *dict;
	int err;

	if (!can_be(store, number, said))
		return 0;
	err = create_dict(store, number, said->nr_bytes, &dict);
	if (!err)
		atomic_store(&store->dicts[said->codec][number], dict);
	return err == -ENOMEM ? err : 0;
}

static int load_dict(struct zstore *store, unsigned number)
{
	const struct zstore_header *image = zstore_image_header(store);
	const struct said said = {
		.nr_bytes = image->dict_bytes[number],
		.sum = image->dict_sums[number],
		.codec = image->dict_codecs[number],
	};
	const enum zstore_codec before = store->dict_codecs[number];

	if (has_that_one(store, number, &said))
		return 0;
	zcomp_dict_destroy(zstore_dict_of(store, number));
	atomic_store(&store->dicts[before][number], NULL);
	store->dict_bytes[number] = said.nr_bytes;
	store->dict_codecs[number] =
		said.codec < ZSTORE_CODECS ? said.codec : ZSTORE_PRIMARY;
	store->header.dict_bytes[number] = said.nr_bytes;
	store->header.dict_sums[number] = said.sum;
	store->header.dict_codecs[number] = (uint8_t)said.codec;
	return digest(store, number, &said);
}

static void load_current(struct zstore *store, enum zstore_codec codec)
{
	uint32_t current = zstore_image_header(store)->dict_current[codec];

	store->header.dict_current[codec] = current;
	if (current > ZSTORE_MAX_DICTS || !zstore_dict(store, codec, current))
		current = 0;
	atomic_store(&store->dict_current[codec], current);
}

int zstore_dicts_load(struct zstore *store)
{
	int err = 0;

	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS && !err; i++)
		err = load_dict(store, i);
	for (unsigned i = 0; i < ZSTORE_CODECS; i++)
		load_current(store, i);
	return err;
}

uint64_t zstore_dicts_memory(const struct zstore *store)
{
	uint64_t bytes = 0;

	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		if (zstore_dict_of(store, i))
			bytes += memory_bytes(store, store->dict_codecs[i],
					      store->dict_bytes[i]);
	}
	return bytes;
}

/* --- telling ------------------------------------------------------------- */

unsigned zstore_dict_current(const struct zstore *store,
			     enum zstore_codec codec)
{
	return atomic_load(&store->dict_current[codec]);
}

int64_t zstore_dict_pages(struct zstore *store, unsigned number)
{
	int64_t pages;

	pthread_mutex_lock(&store->ctxs_lock);
	pages = count_pages(store, number);
	pthread_mutex_unlock(&store->ctxs_lock);
	return pages;
}

bool zstore_dict_info(struct zstore *store, unsigned number,
		      struct zstore_dict_info *out)
{
	const struct zcomp_dict *dict;
	int64_t pages;

	pthread_mutex_lock(&store->dicts_lock);
	dict = zstore_dict_of(store, number);
	if (dict) {
		/* Read while a page moves between contexts it may be short. */
		pages = zstore_dict_pages(store, number);
		*out = (struct zstore_dict_info){
			.bytes = store->dict_bytes[number],
			.memory_bytes = memory_now(store, number),
			.pages = pages > 0 ? (uint64_t)pages : 0,
			.codec = store->dict_codecs[number],
			.is_current = is_current(store, number),
		};
	}
	pthread_mutex_unlock(&store->dicts_lock);
	return dict;
}

const void *zstore_dict_bytes(struct zstore *store, enum zstore_codec codec,
			      size_t *nr_bytes)
{
	unsigned number = zstore_dict_current(store, codec);

	if (!number)
		return NULL;
	*nr_bytes = store->dict_bytes[number];
	return dict_home(store, number);
}

unsigned zstore_dict_damaged(struct zstore *store)
{
	unsigned damaged = 0;

	pthread_mutex_lock(&store->dicts_lock);
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS && !damaged; i++) {
		if (zstore_dict_of(store, i) &&
		    sum_object(dict_home(store, i), store->dict_bytes[i]) !=
			    store->header.dict_sums[i])
			damaged = i;
	}
	pthread_mutex_unlock(&store->dicts_lock);
	return damaged;
}

bool zstore_header_is_damaged(struct zstore *store)
{
	const unsigned char *rest = store->image.base + sizeof(store->header);
	const size_t nr_rest = ZSD_PAGE_BYTES - sizeof(store->header);
	bool is_damaged;

	pthread_mutex_lock(&store->dicts_lock);
	is_damaged = memcmp(store->image.base, &store->header,
			    sizeof(store->header)) != 0;
	pthread_mutex_unlock(&store->dicts_lock);
	return is_damaged || rest[0] ||
	       memcmp(rest, rest + 1, nr_rest - 1) != 0;
}
