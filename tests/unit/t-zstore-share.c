/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of equal content that share an object: what they read as, what is
 * counted, and what is left when one of them goes.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "dict_rig.h"
#include "model/own_ctx.h"
#include "quiet.h"
#include "share_rig.h"
#include "store_rig.h"
#include "suite.h"
#include "zsmalloc/zs_internal.h"
#include "zstore/page.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"
#include "zstore/zstore_share.h"

/* What there may be besides: by the number of a loop. */
static const struct {
	const char *algorithm;
	bool checksum;
	enum model_page kind;
} kinds[] = {
	{"lz4", false, MODEL_PAGE_TEXT},
	{"lz4", true, MODEL_PAGE_RANDOM}, /* raw */
	{"zstd:1", true, MODEL_PAGE_TEXT},
	{"zstd:1", false, MODEL_PAGE_SPARSE},
};

/* --- rig ------------------------------------------------------------------- */

static struct store_rig rig;
static struct zstore_sharing *sharing;

static void open_rig(const char *algorithm, bool checksum)
{
	share_rig_open(&rig, algorithm, checksum);
}

static void setup(void)
{
	open_rig("lz4", true);
	ck_assert_int_eq(zstore_sharing_create(RIG_DISK_PAGES, &sharing), 0);
}

static void teardown(void)
{
	zstore_sharing_destroy(sharing);
	rig_assert_sound(&rig);
	rig_close(&rig);
}

static void put_text(uint64_t index, uint64_t seed)
{
	share_rig_put(&rig, index, seed, MODEL_PAGE_TEXT);
}

static uint64_t share(struct store_rig *r)
{
	return share_rig_pass(r, sharing);
}

/* --- sharing --------------------------------------------------------------- */

START_TEST(equal_pages_share)
{
	struct zstore_stats before, after;
	struct zstore_shared done;

	rig_close(&rig);
	open_rig(kinds[_i].algorithm, kinds[_i].checksum);
	share_rig_put(&rig, 3, 1, kinds[_i].kind);
	share_rig_put(&rig, 4, 2, kinds[_i].kind);
	share_rig_put(&rig, 900, 1, kinds[_i].kind);
	before = rig_stats(&rig);
	share_rig_assert(&rig, 3, 0);
	ck_assert_uint_eq(share(&rig), 1);
	share_rig_assert(&rig, 2, 1);
	after = rig_stats(&rig);
	ck_assert_uint_eq(share_rig_handle(&rig, 3),
			  share_rig_handle(&rig, 900));
	ck_assert_uint_eq(before.compr_data_size - after.compr_data_size,
			  slot_len_bytes(share_rig_slot(&rig, 3)));
	ck_assert_uint_eq(before.orig_data_size, after.orig_data_size);
	ck_assert_uint_eq(before.huge_pages, after.huge_pages);
	ck_assert_uint_eq(before.huge_pages_since, after.huge_pages_since);
	zstore_sharing_done(sharing, &done);
	ck_assert_uint_eq(done.nr_looked, 3);
	ck_assert_uint_eq(done.bytes_freed,
			  slot_len_bytes(share_rig_slot(&rig, 3)));
	/* There is no more to do. */
	ck_assert_uint_eq(share(&rig), 0);
	share_rig_assert(&rig, 2, 1);
}
END_TEST

START_TEST(a_write_leaves_the_other)
{
	put_text(3, 1);
	put_text(4, 1);
	ck_assert_uint_eq(share(&rig), 1);
	put_text((uint64_t)_i, 2);
	share_rig_assert(&rig, 2, 0);
	put_text(7 - (uint64_t)_i, 3);
	share_rig_assert(&rig, 2, 0);
	rig_assert_stats(&rig);
	ck_assert(!slot_is_shared(share_rig_slot(&rig, 3)));
	ck_assert(!slot_is_shared(share_rig_slot(&rig, 4)));
}
END_TEST

START_TEST(a_patch_leaves_the_other)
{
	put_text(3, 1);
	put_text(4, 1);
	ck_assert_uint_eq(share(&rig), 1);
	rig_write(&rig, 3 * ZSD_PAGE_BYTES + 100, 5, "12345");
	share_rig_assert(&rig, 2, 0);
	rig_write_zeroes(&rig, 4 * ZSD_PAGE_BYTES + 50, 1000);
	share_rig_assert(&rig, 2, 0);
	rig_assert_stats(&rig);
}
END_TEST

START_TEST(what_left_comes_back)
{
	put_text(3, 1);
	put_text(4, 1);
	ck_assert_uint_eq(share(&rig), 1);
	put_text(3, 2);
	ck_assert_uint_eq(share(&rig), 0);
	put_text(3, 1);
	ck_assert_uint_eq(share(&rig), 1);
	share_rig_assert(&rig, 1, 1);
}
END_TEST

START_TEST(the_last_one_takes_the_object_along)
{
	static const uint64_t pages[] = {3, 7, 800, 1499};

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		put_text(pages[i], 1);
	ck_assert_uint_eq(share(&rig), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		share_rig_assert(&rig, 1, 3 - i);
		share_rig_trim(&rig, pages[(i + (unsigned)_i) % 4]);
	}
	share_rig_assert(&rig, 0, 0);
	rig_assert_stats(&rig);
	ck_assert_uint_eq(rig_stats(&rig).mem_used_total, 0);
}
END_TEST

/* Two groups that came to be apart become one. */
START_TEST(groups_join)
{
	for (uint64_t i = 0; i < 4; i++)
		put_text(i, 10 + i / 2);
	put_text(20, 11);
	put_text(21, 11);
	ck_assert_uint_eq(share(&rig), 4);
	share_rig_assert(&rig, 2, 4);
	put_text(0, 12);
	put_text(1, 12);
	put_text(2, 12);
	put_text(3, 12);
	ck_assert_uint_eq(share(&rig), 3);
	share_rig_assert(&rig, 2, 4);
	for (uint64_t i = 5; i < 8; i++)
		put_text(i, 13);
	ck_assert_uint_eq(share(&rig), 2);
	/* As if they had been found in two passes that missed each other. */
	for (uint64_t i = 8; i < 11; i++) {
		struct page_seen first = {8, 0}, page = {i, 0};
		uint32_t freed;

		put_text(i, 13);
		first.slot = share_rig_slot(&rig, 8);
		page.slot = share_rig_slot(&rig, i);
		if (i > 8)
			ck_assert_int_eq(
				page_share(rig.ctx, &first, &page, &freed), 0);
	}
	share_rig_assert(&rig, 4, 8);
	ck_assert_uint_eq(share(&rig), 3);
	share_rig_assert(&rig, 3, 9);
}
END_TEST

START_TEST(words_do_not)
{
	rig_write_page(&rig, 0, MODEL_PAGE_ZERO);
	rig_write_page(&rig, 1, MODEL_PAGE_ZERO);
	share_rig_put(&rig, 2, 1, MODEL_PAGE_SAME);
	share_rig_put(&rig, 3, 1, MODEL_PAGE_SAME);
	ck_assert_uint_eq(share(&rig), 0);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* However few are remembered, and however few looks there are at a time. */
START_TEST(any_table_and_any_number_of_looks_will_do)
{
	static const unsigned sizes[] = {1, 60, 300, 100000};
	static const unsigned looks[] = {1, 7, 500, 100000};
	int more;

	for (uint64_t i = 0; i < 1000; i++)
		put_text((i * 7) % RIG_DISK_PAGES, i % 250);
	zstore_sharing_destroy(sharing);
	ck_assert_int_eq(zstore_sharing_create(sizes[_i], &sharing), 0);
	for (unsigned pass = 0; pass < 10; pass++) {
		do {
			more = zstore_share(rig.ctx, sharing, looks[_i]);
		} while (more == 1);
		ck_assert_int_eq(more, 0);
	}
	/* All but for very few that found no room. */
	rig_assert_sound(&rig);
	ck_assert_uint_le(share_rig_objects(&rig), 252);
	ck_assert_uint_ge(share_rig_objects(&rig), 250);
}
END_TEST

START_TEST(who_is_not_to_share_does_not)
{
	rig_close(&rig);
	open_rig("lz4", false);
	rig_close(&rig);
	rig.params.share = false;
	rig_open(&rig, &rig.params);
	put_text(0, 1);
	put_text(1, 1);
	ck_assert_int_eq(zstore_share(rig.ctx, sharing, 1), -EOPNOTSUPP);
	share_rig_assert(&rig, 2, 0);
}
END_TEST

START_TEST(counts_are_metadata)
{
	const uint64_t shared = rig_stats(&rig).metadata_bytes;

	rig_close(&rig);
	rig.params.share = false;
	rig_open(&rig, &rig.params);
	ck_assert_uint_ge(shared - rig_stats(&rig).metadata_bytes,
			  RIG_DISK_PAGES * sizeof(uint16_t));
}
END_TEST

/* --- beside others --------------------------------------------------------- */

static struct page_seen seen(uint64_t index)
{
	return (struct page_seen){index, share_rig_slot(&rig, index)};
}

static void assert_refused(const struct page_seen *first,
			   const struct page_seen *second, int err)
{
	uint32_t freed = 1;

	ck_assert_int_eq(page_share(rig.ctx, first, second, &freed), err);
	ck_assert_uint_eq(freed, 0);
	ck_assert_int_eq(rig.store->slots[first->index] & SLOT_LOCKED, 0);
	ck_assert_int_eq(rig.store->slots[second->index] & SLOT_LOCKED, 0);
}

START_TEST(what_changed_is_left_alone)
{
	struct page_seen first, second;

	put_text(0, 1);
	put_text(1, 1);
	first = seen(0);
	second = seen(1);
	put_text((uint64_t)_i, 2);
	assert_refused(&first, &second, -EAGAIN);
	share_rig_assert(&rig, 2, 0);
	/* Shared by now, with another. */
	put_text((uint64_t)_i, 1);
	put_text(2, 1);
	first = seen(0);
	second = seen(1);
	ck_assert_uint_eq(share(&rig), 2);
	assert_refused(&first, &second, -EAGAIN);
	share_rig_assert(&rig, 1, 2);
}
END_TEST

START_TEST(what_is_locked_is_left_alone)
{
	put_text(0, 1);
	put_text(1, 1);
	put_text(2, 1);
	rig.store->slots[_i] |= SLOT_LOCKED;
	(void)share(&rig);
	rig.store->slots[_i] &= ~SLOT_LOCKED;
	ck_assert(!slot_is_shared(share_rig_slot(&rig, (uint64_t)_i)));
	rig_assert_sound(&rig);
	(void)share(&rig);
	share_rig_assert(&rig, 1, 2);
}
END_TEST

/* The same length and method, and a sum that only seems to be the same. */
START_TEST(unequal_objects_are_told_apart)
{
	struct page_seen first, second;

	share_rig_put(&rig, 0, 1, MODEL_PAGE_RANDOM);
	share_rig_put(&rig, 1, 2, MODEL_PAGE_RANDOM);
	put_text(2, 3);
	first = seen(0);
	second = seen(1);
	assert_refused(&first, &second, -ENOENT);
	second = seen(2);
	assert_refused(&first, &second, -ENOENT);
	share_rig_assert(&rig, 3, 0);
}
END_TEST

/* The checksum of an object, so that it is damaged; or is no more. */
static void flip_tag(zs_handle handle)
{
	rig.store->pool->handles.tags[handle] ^= 4;
}

/* Equal bytes, but of another codec or with another dictionary. */
START_TEST(other_methods_are_told_apart)
{
	static const struct {
		enum zstore_codec codec;
		unsigned dict;
	} methods[] = {{ZSTORE_PRIMARY, 0},
		       {ZSTORE_SECONDARY, 0},
		       {ZSTORE_PRIMARY, 1},
		       {ZSTORE_PRIMARY, 2}};
	const unsigned char bytes[100] = {1};

	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++)
		ck_assert_int_eq(page_put(rig.ctx, i, bytes, sizeof(bytes),
					  methods[i].codec, methods[i].dict),
				 0);
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(methods); j++) {
			struct page_seen first = seen(i), second = seen(j);

			if (i != j)
				assert_refused(&first, &second, -ENOENT);
		}
	}
	ck_assert_uint_eq(share(&rig), 0);
	rig_trim(&rig, 0, ARRAY_SIZE(methods) * ZSD_PAGE_BYTES);
}
END_TEST

/* With a checksum, a page is not joined to what is damaged: nor lost to it. */
START_TEST(damage_does_not_spread)
{
	struct zstore_stats stats;
	struct page_seen first, second;

	put_text(0, 1);
	put_text(1, 1);
	first = seen(0);
	second = seen(1);
	flip_tag(share_rig_handle(&rig, (uint64_t)_i));
	assert_refused(&first, &second, -EIO);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.corrupt_reads, 1);
	ck_assert_uint_eq(share(&rig), 0);
	flip_tag(share_rig_handle(&rig, (uint64_t)_i));
	ck_assert_uint_eq(share(&rig), 1);
}
END_TEST

/* A slot says that it shares, but nobody counted it: what it names stays. */
START_TEST(a_count_that_is_not_there_frees_nothing)
{
	uint64_t slot;

	put_text(0, 1);
	put_text(1, 2);
	slot = share_rig_slot(&rig, 1);
	rig.store->slots[1] = slot_make_shared(1, share_rig_slot(&rig, 0),
					       share_rig_handle(&rig, 0));
	zstore_trim(rig.ctx, ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, 1);
	rig_assert_range(&rig, 0, ZSD_PAGE_BYTES);
	rig.store->slots[1] = slot;
}
END_TEST

/* A write to a page that shares frees nothing; once alone, it does. */
START_TEST(a_full_store_knows_what_a_write_frees)
{
	struct zstore_params params = rig.params;
	uint64_t nr = 10;

	rig_close(&rig);
	params.mem_limit_bytes = 2 * MIB;
	params.reserve_bytes = 256 * KIB; /* so there is headroom */
	rig_open(&rig, &params);
	share_rig_put(&rig, 0, 1, MODEL_PAGE_RANDOM);
	share_rig_put(&rig, 1, 1, MODEL_PAGE_RANDOM);
	ck_assert_uint_eq(share(&rig), 1);
	while (rig_try_write_page(&rig, nr, MODEL_PAGE_RANDOM) == 0)
		nr++;
	ck_assert_uint_lt(nr, rig.nr_pages);
	ck_assert_int_eq(rig_try_write_page(&rig, 0, MODEL_PAGE_RANDOM),
			 -ENOSPC);
	share_rig_assert(&rig, nr - 9, 1);
	ck_assert_int_eq(rig_try_write_page(&rig, 10, MODEL_PAGE_RANDOM), 0);
	share_rig_trim(&rig, 1);
	share_rig_assert(&rig, nr - 9, 0);
	ck_assert_int_eq(rig_try_write_page(&rig, 0, MODEL_PAGE_RANDOM), 0);
}
END_TEST

START_TEST(recompression_leaves_them_alone)
{
	const struct zstore_recompress how = {.since_s = UINT32_MAX};
	struct zstore_recompressing at = {0};

	for (uint64_t i = 0; i < 4; i++)
		put_text(i, 1 + i / 2);
	ck_assert_uint_eq(share(&rig), 2);
	while (zstore_recompress(rig.ctx, &how, &at, 100) == 1)
		;
	ck_assert_uint_eq(at.nr_tried, 0);
	/* What is alone again is not. */
	share_rig_trim(&rig, 0);
	at = (struct zstore_recompressing){0};
	while (zstore_recompress(rig.ctx, &how, &at, 100) == 1)
		;
	ck_assert_uint_eq(at.nr_tried, 1);
	ck_assert_uint_eq(at.nr_done, 1);
	share_rig_assert(&rig, 2, 1);
	/* Made by another codec it has other bytes. */
	put_text(0, 1);
	ck_assert_uint_eq(share(&rig), 0);
	at = (struct zstore_recompressing){0};
	while (zstore_recompress(rig.ctx, &how, &at, 100) == 1)
		;
	ck_assert_uint_eq(share(&rig), 1);
	share_rig_assert(&rig, 2, 2);
}
END_TEST

/* --- many ------------------------------------------------------------------ */

#define NR_MANY (SHARERS_MAX + 3)

/* More than a count can hold: of those some have another object. */
START_TEST(more_than_can_share)
{
	struct zstore_params params = rig_params("lz4");
	unsigned char page[ZSD_PAGE_BYTES], found[ZSD_PAGE_BYTES];
	struct zstore_verify_report report;
	struct store_rig many = {.nr_pages = NR_MANY};
	struct zstore_stats stats;

	params.disk_bytes = (uint64_t)NR_MANY * ZSD_PAGE_BYTES;
	params.share = true;
	ck_assert_int_eq(zstore_create(&params, &many.store), 0);
	ck_assert_int_eq(own_ctx_create(many.store, &many.ctx), 0);
	model_page_fill(&rig.rng, MODEL_PAGE_TEXT, page);
	for (uint64_t i = 0; i < NR_MANY; i++)
		quiet_assert(zstore_write(many.ctx, i * ZSD_PAGE_BYTES,
					  sizeof(page), page) == 0);
	ck_assert_uint_eq(share(&many), NR_MANY - 2);
	ck_assert_uint_eq(share_rig_objects(&many), 2);
	ck_assert_uint_eq(share(&many), 0);
	ck_assert_int_eq(zstore_verify(many.ctx, &report), 0);
	zstore_trim(many.ctx, 0, 100 * ZSD_PAGE_BYTES);
	ck_assert_int_eq(zstore_verify(many.ctx, &report), 0);
	ck_assert_uint_eq(share(&many), 3);
	ck_assert_int_eq(zstore_read(many.ctx, params.disk_bytes - sizeof(page),
				     sizeof(page), found),
			 0);
	ck_assert_mem_eq(page, found, sizeof(page));
	ck_assert_uint_eq(share_rig_objects(&many), 1);
	zstore_trim(many.ctx, 0, params.disk_bytes);
	zstore_stats(many.store, &stats);
	ck_assert_uint_eq(stats.mem_used_total, 0);
	ck_assert_uint_eq(stats.pages_sharing, 0);
	ck_assert_int_eq(zstore_verify(many.ctx, &report), 0);
	own_ctx_destroy(many.ctx);
	zstore_destroy(many.store);
}
END_TEST

/* --- dictionaries ---------------------------------------------------------- */

static void add_dict(uint64_t seed, unsigned expected)
{
	unsigned char dict[4 * KIB];
	unsigned number;
	size_t bytes = rig_train(&rig.params.zcomp, seed, dict, sizeof(dict));

	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, dict, bytes,
					 &number),
			 0);
	ck_assert_uint_eq(number, expected);
}

static uint64_t dict_pages(unsigned number)
{
	struct zstore_dict_info info = {0};

	return zstore_dict_info(rig.store, number, &info) ? info.pages : 0;
}

START_TEST(dictionaries_count_pages)
{
	rig_close(&rig);
	open_rig("zstd:1", true);
	add_dict(1, 1);
	for (uint64_t i = 0; i < 4; i++)
		put_text(i, 1);
	add_dict(2, 2);
	put_text(4, 1);
	put_text(5, 1);
	ck_assert_uint_eq(dict_pages(1), 4);
	ck_assert_uint_eq(dict_pages(2), 2);
	ck_assert_uint_eq(share(&rig), 4);
	share_rig_assert(&rig, 2, 4);
	ck_assert_uint_eq(dict_pages(1), 4);
	ck_assert_uint_eq(dict_pages(2), 2);
	for (uint64_t i = 0; i < 3; i++)
		put_text(i, 2);
	ck_assert_uint_eq(dict_pages(1), 1);
	add_dict(3, 3); /* the last page keeps its dictionary */
	rig_assert_sound(&rig);
	share_rig_trim(&rig, 3);
	add_dict(4, 1);
	rig_assert_sound(&rig);
}
END_TEST

/* --- verifying ------------------------------------------------------------- */

static void assert_found(const char *text)
{
	struct zstore_verify_report report;

	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	ck_assert_msg(strstr(report.text, text), "%s", report.text);
}

START_TEST(a_wrong_count_is_found)
{
	_Atomic uint16_t *first, *second;

	for (uint64_t i = 0; i < 6; i++)
		put_text(i, 1 + i / 3);
	ck_assert_uint_eq(share(&rig), 4);
	first = &rig.store->sharers[share_rig_handle(&rig, 0)];
	second = &rig.store->sharers[share_rig_handle(&rig, 3)];
	++*first;
	assert_found("not as many as was counted");
	--*second; /* so that the sum is right */
	assert_found("not as many as was counted");
	--*first;
	++*second;
	rig_assert_sound(&rig);
	count(rig.ctx, COUNT_pages_sharing, 1);
	assert_found("share another's object are 4, counted are 5");
	count(rig.ctx, COUNT_pages_sharing, -1);
}
END_TEST

START_TEST(one_that_does_not_say_so_is_found)
{
	uint64_t slot;

	put_text(0, 1);
	put_text(1, 1);
	ck_assert_uint_eq(share(&rig), 1);
	slot = share_rig_slot(&rig, (uint64_t)_i);
	rig.store->slots[_i] = slot_make_object((uint64_t)_i, slot_handle(slot),
						slot_len_bytes(slot), 0);
	assert_found("page 1 of the disk has the object of another");
	rig.store->slots[_i] = slot;
}
END_TEST

/* --- threads --------------------------------------------------------------- */

#define NR_WRITERS 3u
#define NR_PAGES   64u
#define NR_WRITES  4000u

/* Few contents, so that many pages are equal. */
static unsigned char stock[5][ZSD_PAGE_BYTES];

static _Atomic unsigned nr_running;

/* Writes each NR_WRITERS-th page, and knows what it holds. */
static void *run_writer(void *arg)
{
	const unsigned id = (unsigned)(uintptr_t)arg;
	int last[NR_PAGES];
	unsigned char found[ZSD_PAGE_BYTES];
	static const unsigned char zeros[ZSD_PAGE_BYTES];
	struct zstore_ctx *ctx;
	struct model_rng rng;

	memset(last, -1, sizeof(last));
	model_rng_init(&rng, id);
	quiet_assert(own_ctx_create(rig.store, &ctx) == 0);
	for (unsigned i = 0; i < NR_WRITES; i++) {
		uint64_t page = model_rng_below(&rng, NR_PAGES / NR_WRITERS) *
					NR_WRITERS +
				id;
		uint64_t which = model_rng_below(&rng, ARRAY_SIZE(stock));

		quiet_assert(zstore_read(ctx, page * ZSD_PAGE_BYTES,
					 sizeof(found), found) == 0);
		quiet_assert(!memcmp(found,
				     last[page] < 0 ? zeros : stock[last[page]],
				     sizeof(found)));
		if (model_rng_one_in(&rng, 6)) {
			zstore_trim(ctx, page * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
			last[page] = -1;
			continue;
		}
		quiet_assert(zstore_write(ctx, page * ZSD_PAGE_BYTES,
					  sizeof(stock[0]), stock[which]) == 0);
		last[page] = (int)which;
	}
	atomic_fetch_sub(&nr_running, 1);
	own_ctx_destroy(ctx);
	return NULL;
}

static void *run_sharer(void *arg)
{
	struct zstore_sharing *own;
	struct zstore_shared done;
	struct zstore_ctx *ctx;

	quiet_assert(own_ctx_create(rig.store, &ctx) == 0);
	quiet_assert(zstore_sharing_create(NR_PAGES, &own) == 0);
	do {
		while (zstore_share(ctx, own, 50) == 1)
			;
		zstore_sharing_done(own, &done);
	} while (atomic_load(&nr_running));
	*(uint64_t *)arg = done.nr_shared;
	zstore_sharing_destroy(own);
	own_ctx_destroy(ctx);
	return NULL;
}

static void *run_verifier(void *arg)
{
	struct zstore_verify_report report;
	struct zs_compacted done;
	struct zstore_ctx *ctx;

	quiet_assert(own_ctx_create(rig.store, &ctx) == 0);
	do {
		quiet_assert(zstore_verify(ctx, &report) == 0);
		zstore_compact(rig.store, &done);
	} while (atomic_load(&nr_running));
	own_ctx_destroy(ctx);
	return arg;
}

/* Two threads share, beside writers of few contents. */
START_TEST(beside_writers)
{
	pthread_t writers[NR_WRITERS], sharers[2], verifier;
	uint64_t nr_shared[2] = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(stock); i++)
		model_page_fill(&rig.rng,
				i % 2 ? MODEL_PAGE_TEXT : MODEL_PAGE_RANDOM,
				stock[i]);
	atomic_store(&nr_running, NR_WRITERS);
	for (uintptr_t i = 0; i < NR_WRITERS; i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, run_writer,
						(void *)i),
				 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&sharers[i], NULL, run_sharer,
						&nr_shared[i]),
				 0);
	ck_assert_int_eq(pthread_create(&verifier, NULL, run_verifier, NULL),
			 0);
	for (unsigned i = 0; i < NR_WRITERS; i++)
		pthread_join(writers[i], NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(sharers[i], NULL);
	pthread_join(verifier, NULL);
	ck_assert_uint_gt(nr_shared[0] + nr_shared[1], 0);
	(void)share(&rig);
	ck_assert_uint_le(share_rig_objects(&rig), ARRAY_SIZE(stock));
	rig_trim(&rig, 0, rig.nr_pages * ZSD_PAGE_BYTES);
	share_rig_assert(&rig, 0, 0);
}
END_TEST

/* --- suite ----------------------------------------------------------------- */

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_sharing(TCase *tcase)
{
	tcase_add_loop_test(tcase, equal_pages_share, 0,
			    (int)ARRAY_SIZE(kinds));
	tcase_add_loop_test(tcase, a_write_leaves_the_other, 3, 5);
	tcase_add_test(tcase, a_patch_leaves_the_other);
	tcase_add_test(tcase, what_left_comes_back);
	tcase_add_loop_test(tcase, the_last_one_takes_the_object_along, 0, 4);
	tcase_add_test(tcase, groups_join);
	tcase_add_test(tcase, words_do_not);
	tcase_add_loop_test(tcase, any_table_and_any_number_of_looks_will_do, 0,
			    4);
	tcase_add_test(tcase, who_is_not_to_share_does_not);
	tcase_add_test(tcase, counts_are_metadata);
	tcase_add_test(tcase, more_than_can_share);
	tcase_add_test(tcase, dictionaries_count_pages);
}

static void add_beside(TCase *tcase)
{
	tcase_add_loop_test(tcase, what_changed_is_left_alone, 0, 2);
	tcase_add_loop_test(tcase, what_is_locked_is_left_alone, 0, 3);
	tcase_add_test(tcase, unequal_objects_are_told_apart);
	tcase_add_test(tcase, other_methods_are_told_apart);
	tcase_add_loop_test(tcase, damage_does_not_spread, 0, 2);
	tcase_add_test(tcase, a_count_that_is_not_there_frees_nothing);
	tcase_add_test(tcase, a_full_store_knows_what_a_write_frees);
	tcase_add_test(tcase, recompression_leaves_them_alone);
	tcase_add_test(tcase, beside_writers);
}

int main(void)
{
	Suite *suite = suite_create("zstore/share");
	TCase *tcase;

	add_sharing(add_case(suite, "sharing"));
	add_beside(add_case(suite, "beside"));
	tcase = add_case(suite, "verifying");
	tcase_add_test(tcase, a_wrong_count_is_found);
	tcase_add_loop_test(tcase, one_that_does_not_say_so_is_found, 0, 2);
	return suite_run(suite);
}
