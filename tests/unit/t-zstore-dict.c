/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dictionaries of a store: pages stay readable with theirs whatever comes
 * after, and a number is used again only when nobody needs it.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapping.h"
#include "base/units.h"
#include "dict_rig.h"
#include "image_rig.h"
#include "model/own_ctx.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"

#define DICT_BYTES (8 * (size_t)KIB)

/* The slots follow the header's page. */
#define SLOT_AT(index) ((off_t)(ZSD_PAGE_BYTES + 8 * (index)))

static struct store_rig rig;

/* Times that memory was asked for. The linker has this called instead. */
static _Atomic unsigned nr_commits;

int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);
int __real_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);

int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes)
{
	nr_commits++;
	return __real_mapping_commit(map, offset, bytes, done_bytes);
}

static void open_rig(bool checksum)
{
	struct zstore_params params = rig_params("zstd");

	params.checksum = checksum;
	rig_open(&rig, &params);
}

/* Add the dictionary of @seed. Return: its number. */
static unsigned add(uint64_t seed)
{
	static unsigned char bytes[DICT_BYTES];
	size_t n = rig_train(&rig.params.zcomp, seed, bytes, sizeof(bytes));
	unsigned number = 0;

	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, bytes, n,
					 &number),
			 0);
	ck_assert_uint_eq(zstore_dict_current(rig.store, ZSTORE_PRIMARY),
			  number);
	return number;
}

static int try_add(uint64_t seed)
{
	static unsigned char bytes[DICT_BYTES];
	size_t n = rig_train(&rig.params.zcomp, seed, bytes, sizeof(bytes));
	unsigned number;

	return zstore_dict_add(rig.store, ZSTORE_PRIMARY, bytes, n, &number);
}

static struct zstore_dict_info info_of(unsigned number)
{
	struct zstore_dict_info info = {0};

	ck_assert(zstore_dict_info(rig.store, number, &info));
	return info;
}

static void write_texts(uint64_t first, uint64_t nr)
{
	for (uint64_t i = first; i < first + nr; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
}

static uint64_t slot_of(uint64_t index)
{
	uint64_t slot;

	rig_get_from_image(SLOT_AT(index), &slot, sizeof(slot));
	return slot;
}

/* --- old and new ---------------------------------------------------------- */

START_TEST(pages_keep_their_dictionary)
{
	struct zs_compacted done;

	open_rig(_i);
	ck_assert_uint_eq(zstore_dict_current(rig.store, ZSTORE_PRIMARY), 0);
	write_texts(0, 300);
	for (unsigned i = 1; i <= 4; i++) {
		ck_assert_uint_eq(add(i), i);
		write_texts(100 * i, 300);
		rig_assert_sound(&rig);
	}
	for (unsigned i = 1; i <= 4; i++) {
		ck_assert_uint_eq(slot_dict(slot_of(100 * i + 50)), i);
		ck_assert_uint_eq(info_of(i).pages, i == 4 ? 300 : 100);
		ck_assert_uint_eq(info_of(i).is_current, i == 4);
	}
	zstore_compact(rig.store, &done);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(every_kind_of_page_is_counted_right)
{
	open_rig(false);
	for (unsigned round = 0; round < 3; round++) {
		add(round);
		for (uint64_t i = 0; i < 500; i++)
			rig_write_page(&rig,
				       model_rng_below(&rig.rng, rig.nr_pages),
				       model_page_kind(&rig.rng));
		rig_write(&rig, 5000, 3, "abc"); /* part of a page */
		rig_trim(&rig, 100 * ZSD_PAGE_BYTES, 50 * ZSD_PAGE_BYTES);
		rig_assert_sound(&rig); /* which compares the counters */
	}
	rig_trim(&rig, 0, rig.params.disk_bytes);
	for (unsigned i = 1; i <= 3; i++)
		ck_assert_uint_eq(info_of(i).pages, 0);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(pages_become_shorter)
{
	uint64_t before;

	open_rig(false);
	write_texts(0, 500);
	before = rig_stats(&rig).compr_data_size;
	add(1);
	write_texts(0, 500);
	ck_assert_uint_lt(rig_stats(&rig).compr_data_size, before);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* --- numbers -------------------------------------------------------------- */

START_TEST(all_numbers_may_be_in_use)
{
	open_rig(false);
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		ck_assert_uint_eq(add(i), i);
		write_texts(i, 1);
	}
	ck_assert_int_eq(try_add(99), -EBUSY);
	ck_assert_uint_eq(zstore_dict_current(rig.store, ZSTORE_PRIMARY),
			  ZSTORE_MAX_DICTS);
	rig_assert_sound(&rig);
	rig_trim(&rig, 3 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(add(99), 3);
	write_texts(3, 1);
	ck_assert_int_eq(try_add(100), -EBUSY);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(unneeded_ones_cost_nothing)
{
	uint64_t before, with_two;

	open_rig(false);
	write_texts(0, 10);
	before = rig_stats(&rig).metadata_bytes;
	ck_assert_uint_eq(add(1), 1);
	ck_assert_uint_eq(rig_stats(&rig).metadata_bytes,
			  before + info_of(1).memory_bytes);
	ck_assert_uint_ge(info_of(1).memory_bytes, info_of(1).bytes);
	ck_assert_uint_eq(add(2), 2);
	with_two = rig_stats(&rig).metadata_bytes;
	for (unsigned i = 3; i < 40; i++)
		ck_assert_uint_eq(add(i), 2 - i % 2);
	/* Lengths differ by some bytes, but not by pages. */
	ck_assert_uint_lt(rig_stats(&rig).metadata_bytes,
			  with_two + 2 * ZSD_PAGE_BYTES);
	rig_close(&rig);
}
END_TEST

/* A context might be about to publish a page with the one it used last. */
START_TEST(a_context_keeps_its_dictionary)
{
	struct zstore_dict_info info;

	open_rig(false);
	ck_assert_uint_eq(add(1), 1);
	write_texts(0, 1);
	rig_trim(&rig, 0, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(add(2), 2);
	ck_assert_uint_eq(info_of(1).pages, 0);
	ck_assert_uint_eq(add(3), 3); /* 2 was never used, but is current */
	ck_assert(zstore_dict_info(rig.store, 1, &info));
	write_texts(0, 1); /* now it has number 3 */
	ck_assert_uint_eq(add(4), 1);
	ck_assert(!zstore_dict_info(rig.store, 2, &info));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(pages_of_past_contexts_count)
{
	open_rig(false);
	add(1);
	write_texts(0, 5);
	own_ctx_destroy(rig.ctx);
	ck_assert_int_eq(own_ctx_create(rig.store, &rig.ctx), 0);
	add(2);
	ck_assert_uint_eq(add(3), 3);
	ck_assert_uint_eq(info_of(1).pages, 5);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* --- what is refused ------------------------------------------------------ */

START_TEST(what_is_none_changes_nothing)
{
	static unsigned char bytes[ZCOMP_DICT_MAX_BYTES + 1];
	uint64_t before;
	unsigned number;

	open_rig(false);
	write_texts(0, 10);
	before = rig_stats(&rig).metadata_bytes;
	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, bytes,
					 DICT_BYTES, &number),
			 -EINVAL);
	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, bytes,
					 ZCOMP_DICT_MIN_BYTES - 1, &number),
			 -EMSGSIZE);
	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, bytes,
					 sizeof(bytes), &number),
			 -EMSGSIZE);
	ck_assert_uint_eq(zstore_dict_current(rig.store, ZSTORE_PRIMARY), 0);
	ck_assert_uint_eq(rig_stats(&rig).metadata_bytes, before);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(lz4_has_none)
{
	static unsigned char bytes[DICT_BYTES];
	struct zstore_params params = rig_params("lz4");
	unsigned number;

	rig_open(&rig, &params);
	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, bytes,
					 sizeof(bytes), &number),
			 -EOPNOTSUPP);
	rig_close(&rig);
}
END_TEST

START_TEST(a_limit_holds_for_dictionaries)
{
	struct zstore_params params = rig_params("zstd");
	uint64_t before, nr = 100;

	params.mem_limit_bytes = ZSTORE_MIN_LIMIT_BYTES;
	params.reserve_bytes = 0;
	rig_open(&rig, &params);
	write_texts(0, 100);
	while (rig_try_write_page(&rig, nr, MODEL_PAGE_RANDOM) == 0)
		nr++;
	before = rig_stats(&rig).metadata_bytes;
	nr_commits = 0;
	ck_assert_int_eq(try_add(1), -ENOSPC);
	ck_assert_uint_eq(nr_commits, 0); /* refused before it took anything */
	ck_assert_uint_eq(zstore_dict_current(rig.store, ZSTORE_PRIMARY), 0);
	ck_assert_uint_eq(rig_stats(&rig).metadata_bytes, before);
	rig_trim(&rig, 100 * ZSD_PAGE_BYTES, (nr - 100) * ZSD_PAGE_BYTES);
	ck_assert_int_eq(try_add(1), 0);
	write_texts(0, 100);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* --- damage --------------------------------------------------------------- */

START_TEST(a_slot_with_a_wrong_number_is_eio)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct zstore_verify_report report;
	uint64_t slot;

	open_rig(_i);
	add(1);
	write_texts(0, 10);
	slot = slot_of(4) | (uint64_t)9 << SLOT_DICT_SHIFT;
	rig_put_in_image(SLOT_AT(4), &slot, sizeof(slot));
	ck_assert_int_eq(zstore_read(rig.ctx, 4 * ZSD_PAGE_BYTES, sizeof(page),
				     page),
			 -EIO);
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, 1);
	rig_assert_range(&rig, 0, 4 * ZSD_PAGE_BYTES);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	ck_assert_uint_eq(report.pages_damaged, 1);
	ck_assert_uint_eq(report.pages_checked, 9);
	slot = slot_of(4) & ~((uint64_t)0xf << SLOT_DICT_SHIFT);
	slot |= (uint64_t)1 << SLOT_DICT_SHIFT;
	rig_put_in_image(SLOT_AT(4), &slot, sizeof(slot));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(a_damaged_dictionary_is_found)
{
	struct zstore_verify_report report;
	const unsigned char *bytes;
	unsigned char byte;
	size_t n;
	off_t at;

	open_rig(false);
	ck_assert_ptr_null(zstore_dict_bytes(rig.store, ZSTORE_PRIMARY, &n));
	add(1);
	write_texts(0, 10);
	bytes = zstore_dict_bytes(rig.store, ZSTORE_PRIMARY, &n);
	ck_assert_uint_eq(n, info_of(1).bytes);
	at = rig_find_in_image(bytes, n);
	ck_assert_int_ge(at, 0);
	rig_get_from_image(at + (off_t)n - 1, &byte, 1);
	byte ^= 1;
	rig_put_in_image(at + (off_t)n - 1, &byte, 1);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(report.text, "dictionary 1 is damaged"));
	byte ^= 1;
	rig_put_in_image(at + (off_t)n - 1, &byte, 1);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* What the image says of the length is not believed. */
START_TEST(a_damaged_length_is_found)
{
	const off_t at = (off_t)(offsetof(struct zstore_header, dict_bytes) +
				 sizeof(uint32_t));
	static const uint32_t lengths[] = {0, 1, 300, 4096, UINT32_MAX};
	struct zstore_verify_report report;
	uint32_t good;

	open_rig(false);
	add(1);
	write_texts(0, 10);
	rig_get_from_image(at, &good, sizeof(good));
	ck_assert_uint_eq(good, info_of(1).bytes);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		rig_put_in_image(at, &lengths[i], sizeof(lengths[i]));
		ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
		ck_assert_uint_eq(info_of(1).bytes, good);
	}
	add(2); /* and lets go of nothing that is not there */
	rig_put_in_image(at, &good, sizeof(good));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* --- samples -------------------------------------------------------------- */

/* Where a page of the copy is; each is another one. */
static uint64_t find_page(const unsigned char *page)
{
	for (uint64_t i = 0; i < rig.nr_pages; i++) {
		if (memcmp(rig.flat + i * ZSD_PAGE_BYTES, page,
			   ZSD_PAGE_BYTES) == 0)
			return i;
	}
	ck_abort_msg("a sample is no page of the disk");
}

START_TEST(samples_come_from_all_over)
{
	unsigned char *pages = malloc(100 * (size_t)ZSD_PAGE_BYTES);
	uint64_t last = 0;

	open_rig(false);
	ck_assert_uint_eq(zstore_sample(rig.ctx, 100, pages), 0);
	for (uint64_t i = 0; i < rig.nr_pages; i += 2)
		rig_write_page(&rig, i,
			       i % 4 ? MODEL_PAGE_TEXT : MODEL_PAGE_RANDOM);
	rig_write_page(&rig, 1, MODEL_PAGE_SAME);
	rig_write_page(&rig, 3, MODEL_PAGE_ZERO);
	ck_assert_uint_eq(zstore_sample(rig.ctx, 100, pages), 100);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t at = find_page(pages + i * (size_t)ZSD_PAGE_BYTES);

		quiet_assert(at % 4 == 2); /* a text */
		/* 375 texts, 100 samples: every third or fourth. */
		quiet_assert(!i || (at >= last + 12 && at <= last + 16));
		last = at;
	}
	rig_trim(&rig, 40 * ZSD_PAGE_BYTES,
		 rig.params.disk_bytes - 40 * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(zstore_sample(rig.ctx, 100, pages), 10);
	rig_close(&rig);
	free(pages);
}
END_TEST

/* --- beside others -------------------------------------------------------- */

#define NR_WRITERS	 2u
#define PAGES_PER_WRITER 32u
#define NR_ADDED	 150u

static atomic_bool is_over;

/* Each writes, reads and trims pages of its own. */
static void *write_and_read(void *arg)
{
	unsigned char expected[PAGES_PER_WRITER][ZSD_PAGE_BYTES] = {0};
	const uint64_t first = *(uint64_t *)arg, end = first + PAGES_PER_WRITER;
	unsigned char found[ZSD_PAGE_BYTES];
	struct zstore_ctx *ctx;
	struct model_rng rng;

	model_rng_init(&rng, first);
	quiet_assert(own_ctx_create(rig.store, &ctx) == 0);
	while (!atomic_load(&is_over)) {
		uint64_t index = model_rng_range(&rng, first, end - 1);
		uint64_t offset = index * ZSD_PAGE_BYTES;
		unsigned char *page = expected[index - first];

		quiet_assert(zstore_read(ctx, offset, sizeof(found), found) ==
			     0);
		quiet_assert(memcmp(found, page, sizeof(found)) == 0);
		if (model_rng_one_in(&rng, 4)) {
			zstore_trim(ctx, offset, ZSD_PAGE_BYTES);
			memset(page, 0, ZSD_PAGE_BYTES);
			continue;
		}
		model_page_fill(&rng, model_page_kind(&rng), page);
		quiet_assert(zstore_write(ctx, offset, ZSD_PAGE_BYTES, page) ==
			     0);
	}
	own_ctx_destroy(ctx);
	return NULL;
}

START_TEST(adding_goes_on_beside_io)
{
	static unsigned char bytes[4][DICT_BYTES];
	uint64_t firsts[NR_WRITERS];
	pthread_t threads[NR_WRITERS];
	size_t lengths[4];
	unsigned number, nr_added = 0;

	open_rig(false);
	for (unsigned i = 0; i < 4; i++)
		lengths[i] =
			rig_train(&rig.params.zcomp, i, bytes[i], DICT_BYTES);
	for (unsigned i = 0; i < NR_WRITERS; i++) {
		firsts[i] = i * PAGES_PER_WRITER;
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						write_and_read, &firsts[i]),
				 0);
	}
	/* Pages move on, so that a number that is taken comes free. */
	while (nr_added < NR_ADDED) {
		int err = zstore_dict_add(rig.store, ZSTORE_PRIMARY,
					  bytes[nr_added % 4],
					  lengths[nr_added % 4], &number);

		quiet_assert(err == 0 || err == -EBUSY);
		nr_added += !err;
	}
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < NR_WRITERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore-dict");
	TCase *tc = tcase_create("dict");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, pages_keep_their_dictionary, 0, 2);
	tcase_add_test(tc, every_kind_of_page_is_counted_right);
	tcase_add_test(tc, pages_become_shorter);
	tcase_add_test(tc, all_numbers_may_be_in_use);
	tcase_add_test(tc, unneeded_ones_cost_nothing);
	tcase_add_test(tc, a_context_keeps_its_dictionary);
	tcase_add_test(tc, pages_of_past_contexts_count);
	tcase_add_test(tc, what_is_none_changes_nothing);
	tcase_add_test(tc, lz4_has_none);
	tcase_add_test(tc, a_limit_holds_for_dictionaries);
	tcase_add_loop_test(tc, a_slot_with_a_wrong_number_is_eio, 0, 2);
	tcase_add_test(tc, a_damaged_dictionary_is_found);
	tcase_add_test(tc, a_damaged_length_is_found);
	tcase_add_test(tc, samples_come_from_all_over);
	tcase_add_test(tc, adding_goes_on_beside_io);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
