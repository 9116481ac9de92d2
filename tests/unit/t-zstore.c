/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk: what is written is read, at any offset and length, and what is
 * counted is exact after each operation.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/own_ctx.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"

static const char *const algorithms[] = {"lz4", "zstd", "zstd:-5", "lz4:9"};

static struct store_rig rig;

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	rig_open(&rig, &params);
}

static void teardown(void)
{
	rig_close(&rig);
}

/* Offset of a page; bytes of so many. */
static uint64_t at_page(uint64_t index)
{
	return index * ZSD_PAGE_BYTES;
}

/* --- creating ------------------------------------------------------------ */

static const struct {
	uint64_t disk_bytes;
	unsigned chain_size;
} wrong_params[] = {
	{0, 8},
	{1, 8},
	{4095, 8},
	{4097, 8},
	{ZSTORE_MAX_DISK_BYTES + 4096, 8},
	{UINT64_MAX - 4095, 8},
	{MIB, 0},
	{MIB, ZS_CHAIN_SIZE_MIN - 1},
	{MIB, ZS_CHAIN_SIZE_MAX + 1},
};

START_TEST(params_out_of_range_are_refused)
{
	struct zstore_params params = rig_params("lz4");
	struct zstore *const untouched = (struct zstore *)(void *)&rig;
	struct zstore *store = untouched;

	params.disk_bytes = wrong_params[_i].disk_bytes;
	params.chain_size = wrong_params[_i].chain_size;
	ck_assert_int_eq(zstore_create(&params, &store), -EINVAL);
	ck_assert_ptr_eq(store, untouched);
}
END_TEST

START_TEST(params_are_kept)
{
	const struct zstore_params *params = zstore_params(rig.store);

	ck_assert_uint_eq(params->disk_bytes, rig.params.disk_bytes);
	ck_assert_uint_eq(params->reserve_bytes, rig.params.reserve_bytes);
	ck_assert_uint_eq(params->chain_size, rig.params.chain_size);
	ck_assert_ptr_eq(params->zcomp.ops, rig.params.zcomp.ops);
	ck_assert_int_eq(params->zcomp.level, rig.params.zcomp.level);
}
END_TEST

START_TEST(destroying_nothing_is_allowed)
{
	own_ctx_destroy(NULL);
	zstore_destroy(NULL);
}
END_TEST

/* Disks at the edges: one page, one group of slots, a page more or less. */
static const uint64_t disk_pages[] = {1, 2, 511, 512, 513, 1024};

START_TEST(every_page_of_a_disk_is_there)
{
	struct zstore_params params = rig_params("lz4");
	struct store_rig other;

	params.disk_bytes = at_page(disk_pages[_i]);
	rig_open(&other, &params);
	for (uint64_t i = 0; i < other.nr_pages; i++)
		rig_write_page(&other, i, model_page_kind(&other.rng));
	rig_assert_sound(&other);
	rig_assert_stats(&other);
	rig_close(&other);
}
END_TEST

/* One page in every 2 GiB. */
START_TEST(a_large_disk_costs_what_is_written)
{
	struct zstore_params params = rig_params("lz4");
	unsigned char page[ZSD_PAGE_BYTES], found[ZSD_PAGE_BYTES];
	struct zstore *store;
	struct zstore_ctx *ctx;
	struct model_rng rng;

	params.disk_bytes = 32 * GIB;
	quiet_assert(zstore_create(&params, &store) == 0);
	quiet_assert(own_ctx_create(store, &ctx) == 0);
	model_rng_init(&rng, 1);
	for (uint64_t at = 0; at < params.disk_bytes; at += 2 * GIB) {
		model_page_fill(&rng, MODEL_PAGE_TEXT, page);
		quiet_assert(zstore_write(ctx, at, sizeof(page), page) == 0);
		quiet_assert(zstore_read(ctx, at, sizeof(page), found) == 0);
		quiet_assert(memcmp(page, found, sizeof(page)) == 0);
	}
	ck_assert_uint_lt(rig_resident_bytes(), 4 * MIB);
	own_ctx_destroy(ctx);
	zstore_destroy(store);
}
END_TEST

static const struct {
	uint64_t offset;
	uint64_t bytes;
	bool is_valid;
} ranges[] = {
	{0, 0, true},
	{0, 1, true},
	{0, MIB, true},
	{MIB - 1, 1, true},
	{MIB, 0, true},
	{1, MIB, false},
	{0, MIB + 1, false},
	{MIB, 1, false},
	{MIB + 1, 0, false},
	{1, UINT64_MAX, false},
	{UINT64_MAX, 1, false},
	{UINT64_MAX, UINT64_MAX, false},
	{UINT64_MAX - 4095, 4096, false},
	{MIB - 4096, UINT64_MAX - MIB + 4097, false},
};

START_TEST(ranges_are_told_without_overflow)
{
	struct zstore_params params = rig_params("lz4");
	struct store_rig other;

	params.disk_bytes = MIB;
	rig_open(&other, &params);
	ck_assert_int_eq(zstore_range_is_valid(other.store, ranges[_i].offset,
					       ranges[_i].bytes),
			 ranges[_i].is_valid);
	rig_close(&other);
}
END_TEST

/* --- nothing ------------------------------------------------------------- */

START_TEST(what_was_never_written_costs_nothing)
{
	uint64_t metadata = rig_stats(&rig).metadata_bytes;
	uint64_t resident = rig_resident_bytes();

	rig_assert_sound(&rig);
	rig_assert_range(&rig, 12345, 2 * (size_t)MIB + 77);
	rig_trim(&rig, 0, rig.params.disk_bytes);
	rig_write_zeroes(&rig, 4000, 3 * MIB + 1);
	rig_assert_stats(&rig);
	ck_assert_uint_eq(rig_stats(&rig).orig_data_size, 0);
	ck_assert_uint_eq(rig_stats(&rig).notify_free, 0);
	ck_assert_uint_eq(rig_stats(&rig).metadata_bytes, metadata);
	ck_assert_uint_eq(rig_resident_bytes(), resident);
}
END_TEST

START_TEST(no_bytes_are_no_operation)
{
	const uint64_t end = rig.params.disk_bytes;
	unsigned char byte = 0xa5;

	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	for (uint64_t at = 0; at <= end; at += end / 12) {
		rig_write(&rig, at, 0, &byte);
		rig_trim(&rig, at, 0);
		rig_write_zeroes(&rig, at, 0);
		ck_assert_int_eq(zstore_read(rig.ctx, at, 0, &byte), 0);
	}
	ck_assert_uint_eq(byte, 0xa5);
	rig_assert_stats(&rig);
	rig_assert_sound(&rig);
}
END_TEST

/* Every byte that the system gave for the image is accounted for. */
START_TEST(memory_is_what_the_numbers_say)
{
	for (int round = 0; round < 3; round++) {
		struct zstore_stats stats;

		for (uint64_t i = 0; i < rig.nr_pages; i++)
			rig_write_page(&rig, i, model_page_kind(&rig.rng));
		stats = rig_stats(&rig);
		ck_assert_uint_eq(rig_resident_bytes(),
				  stats.mem_used_total + stats.metadata_bytes +
					  stats.reserve_bytes);
		rig_trim(&rig, 0, rig.params.disk_bytes);
		while (zstore_housekeep(rig.store, UINT64_MAX))
			;
		stats = rig_stats(&rig);
		ck_assert_uint_eq(stats.mem_used_total, 0);
		ck_assert_uint_le(stats.reserve_bytes,
				  2 * rig.params.reserve_bytes);
		ck_assert_uint_eq(rig_resident_bytes(),
				  stats.metadata_bytes + stats.reserve_bytes);
	}
}
END_TEST

/* --- kinds of pages ------------------------------------------------------ */

START_TEST(every_kind_of_page_comes_back)
{
	struct zstore_params params = rig_params(algorithms[_i]);
	struct store_rig other;

	rig_open(&other, &params);
	for (uint64_t i = 0; i < other.nr_pages; i++)
		rig_write_page(&other, i, model_page_kind(&other.rng));
	rig_assert_sound(&other);
	rig_assert_stats(&other);
	/* Each over each other. */
	for (uint64_t i = 0; i < 3 * other.nr_pages; i++)
		rig_write_page(&other,
			       model_rng_below(&other.rng, other.nr_pages),
			       model_page_kind(&other.rng));
	rig_assert_sound(&other);
	rig_assert_stats(&other);
	rig_close(&other);
}
END_TEST

/* Words that repeat at 1, 2, 4 and only at 8 bytes. */
static const uint64_t words[] = {
	0,
	UINT64_MAX,
	UINT64_C(0x0101010101010101),
	UINT64_C(0x1234123412341234),
	UINT64_C(0xdeadbeefdeadbeef),
	UINT64_C(0x0123456789abcdef),
	UINT64_C(1),
	UINT64_C(1) << 63,
	UINT64_C(0x00000000ffffffff),
	UINT64_C(0xffffffff00000000),
};

START_TEST(same_filled_pages_are_words)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct zstore_stats stats;

	for (size_t at = 0; at < sizeof(page); at += sizeof(words[0]))
		memcpy(page + at, &words[_i], sizeof(words[0]));
	rig_write(&rig, at_page(7), sizeof(page), page);
	rig_assert_stats(&rig);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.orig_data_size, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(stats.same_pages, 1);
	ck_assert_uint_eq(stats.compr_data_size, 0);
	ck_assert_uint_le(stats.mem_used_total, ZSD_PAGE_BYTES);
	rig_assert_sound(&rig);
	/* As an overwrite, and overwritten. */
	rig_write_page(&rig, 7, MODEL_PAGE_RANDOM);
	rig_assert_stats(&rig);
	rig_write(&rig, at_page(7), sizeof(page), page);
	rig_assert_stats(&rig);
	rig_assert_sound(&rig);
	rig_trim(&rig, at_page(7), ZSD_PAGE_BYTES);
	ck_assert_uint_eq(rig_stats(&rig).mem_used_total, 0);
	rig_assert_stats(&rig);
}
END_TEST

/* Equal but for one bit, wherever it is: no word. */
START_TEST(one_bit_keeps_a_page_from_being_same_filled)
{
	unsigned char page[ZSD_PAGE_BYTES];

	for (size_t bit = 0; bit < 8 * sizeof(page); bit += 97) {
		memset(page, 0x11, sizeof(page));
		page[bit / 8] ^= (unsigned char)(1u << bit % 8);
		rig_write(&rig, at_page(bit % RIG_DISK_PAGES), sizeof(page),
			  page);
	}
	ck_assert_uint_eq(rig_stats(&rig).same_pages, 0);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

START_TEST(huge_pages_are_raw)
{
	struct zstore_stats stats;

	for (uint64_t i = 0; i < 10; i++)
		rig_write_page(&rig, i, MODEL_PAGE_RANDOM);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.huge_pages, 10);
	ck_assert_uint_eq(stats.huge_pages_since, 10);
	ck_assert_uint_eq(stats.compr_data_size, at_page(10));
	ck_assert_uint_eq(stats.mem_used_total, at_page(10));
	rig_write_page(&rig, 0, MODEL_PAGE_RANDOM);
	rig_write_page(&rig, 1, MODEL_PAGE_TEXT);
	rig_trim(&rig, at_page(2), ZSD_PAGE_BYTES);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.huge_pages, 8);
	ck_assert_uint_eq(stats.huge_pages_since, 11);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* --- counting ------------------------------------------------------------ */

START_TEST(each_operation_is_counted_exactly)
{
	unsigned char bytes[1000];

	for (int i = 0; i < 200; i++) {
		uint64_t index = model_rng_below(&rig.rng, 40);
		uint64_t at = at_page(index) + model_rng_below(&rig.rng, 4096);

		switch (model_rng_below(&rig.rng, 4)) {
		case 0:
			model_rng_fill(&rig.rng, bytes, sizeof(bytes));
			rig_write(&rig, at, sizeof(bytes), bytes);
			break;
		case 1:
			rig_trim(&rig, at, at_page(3));
			break;
		case 2:
			rig_write_zeroes(&rig, at, 5000);
			break;
		default:
			rig_write_page(&rig, index, model_page_kind(&rig.rng));
			break;
		}
		rig_assert_stats(&rig);
	}
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(trims_count_the_pages_they_free)
{
	for (uint64_t i = 10; i < 20; i++)
		rig_write_page(&rig, i, model_page_kind(&rig.rng));
	rig_trim(&rig, at_page(9), at_page(3));
	ck_assert_uint_eq(rig_stats(&rig).notify_free, 2);
	rig_trim(&rig, at_page(9), at_page(3));
	ck_assert_uint_eq(rig_stats(&rig).notify_free, 2);
	rig_trim(&rig, at_page(12) + 1, at_page(2));
	ck_assert_uint_eq(rig_stats(&rig).notify_free, 3);
	rig_trim(&rig, 0, rig.params.disk_bytes);
	ck_assert_uint_eq(rig_stats(&rig).notify_free, 10);
	rig_assert_stats(&rig);
}
END_TEST

START_TEST(counters_outlive_their_context)
{
	struct zstore_stats before, after;
	struct zstore_ctx *other;

	for (uint64_t i = 0; i < 100; i++)
		rig_write_page(&rig, i, model_page_kind(&rig.rng));
	ck_assert_int_eq(own_ctx_create(rig.store, &other), 0);
	zstore_trim(other, 0, at_page(50));
	before = rig_stats(&rig);
	own_ctx_destroy(other);
	after = rig_stats(&rig);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_uint_eq(after.orig_data_size, at_page(50));
	ck_assert_uint_eq(after.notify_free, 50);
}
END_TEST

/* --- parts of pages ------------------------------------------------------ */

/* Distances from a page boundary at which things go wrong. */
static const int edges[] = {-4096, -4095, -2048, -513, -8,   -7,   -1,	0,
			    1,	   7,	  8,	 511,  2048, 4088, 4095};

/* From an edge of page @first to one of page @first + @nr. */
static bool edge_range(uint64_t first, uint64_t nr, size_t from, size_t to,
		       uint64_t *offset, uint64_t *bytes)
{
	int64_t start = (int64_t)at_page(first) + edges[from];
	int64_t end = (int64_t)at_page(first + nr) + edges[to];

	if (start > end)
		return false;
	*offset = (uint64_t)start;
	*bytes = (uint64_t)(end - start);
	return true;
}

/* Call @fn for ranges of nearly none to four pages, all edges with all. */
static void for_all_edges(void (*fn)(uint64_t offset, uint64_t bytes))
{
	uint64_t offset, bytes;

	for (size_t from = 0; from < ARRAY_SIZE(edges); from++) {
		for (size_t to = 0; to < ARRAY_SIZE(edges); to++) {
			for (uint64_t nr = 0; nr <= 3; nr += 3) {
				if (edge_range(10, nr, from, to, &offset,
					       &bytes))
					fn(offset, bytes);
			}
		}
	}
}

static void refill(void)
{
	for (uint64_t i = 8; i < 16; i++) {
		if (model_rng_one_in(&rig.rng, 4))
			rig_trim(&rig, at_page(i), ZSD_PAGE_BYTES);
		else
			rig_write_page(&rig, i, model_page_kind(&rig.rng));
	}
}

static void assert_neighbourhood(void)
{
	rig_assert_range(&rig, at_page(7), at_page(10));
}

static void write_range(uint64_t offset, uint64_t bytes)
{
	unsigned char *src = malloc(bytes + 1);

	refill();
	model_rng_fill(&rig.rng, src, bytes);
	rig_write(&rig, offset, bytes, src);
	assert_neighbourhood();
	rig_assert_range(&rig, offset, bytes);
	memset(src, 0x22, bytes);
	rig_write(&rig, offset, bytes, src);
	assert_neighbourhood();
	free(src);
}

START_TEST(writes_at_all_edges)
{
	for_all_edges(write_range);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

static void trim_range(uint64_t offset, uint64_t bytes)
{
	refill();
	rig_trim(&rig, offset, bytes);
	assert_neighbourhood();
}

START_TEST(trims_at_all_edges_keep_parts)
{
	for_all_edges(trim_range);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

static void zero_range(uint64_t offset, uint64_t bytes)
{
	refill();
	rig_write_zeroes(&rig, offset, bytes);
	assert_neighbourhood();
}

START_TEST(zeroes_at_all_edges_patch_parts)
{
	for_all_edges(zero_range);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

START_TEST(reads_at_all_edges)
{
	uint64_t offset, bytes;

	refill();
	for (size_t from = 0; from < ARRAY_SIZE(edges); from++) {
		for (size_t to = 0; to < ARRAY_SIZE(edges); to++) {
			if (edge_range(11, 2, from, to, &offset, &bytes))
				rig_assert_range(&rig, offset, bytes);
		}
	}
}
END_TEST

/* A page that a patch makes same-filled is that, and one that was can grow. */
START_TEST(patches_change_the_kind_of_a_page)
{
	static unsigned char zeros[ZSD_PAGE_BYTES];

	rig_write_page(&rig, 3, MODEL_PAGE_RANDOM);
	rig_write(&rig, at_page(3), 4000, zeros);
	rig_assert_stats(&rig);
	ck_assert_uint_eq(rig_stats(&rig).same_pages, 0);
	rig_write(&rig, at_page(3) + 4000, 96, zeros);
	rig_assert_stats(&rig);
	ck_assert_uint_eq(rig_stats(&rig).same_pages, 1);
	ck_assert_uint_eq(rig_stats(&rig).mem_used_total, 0);
	rig_write(&rig, at_page(3) + 5, 1, "x");
	rig_assert_stats(&rig);
	ck_assert_uint_eq(rig_stats(&rig).same_pages, 0);
	rig_write_zeroes(&rig, at_page(3) + 1, 4094);
	ck_assert_uint_eq(rig_stats(&rig).same_pages, 1);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* --- compaction ---------------------------------------------------------- */

START_TEST(compaction_changes_nothing_but_memory)
{
	struct zstore_stats before, after;
	struct zs_compacted done;

	for (uint64_t i = 0; i < rig.nr_pages; i++)
		rig_write_page(&rig, i, MODEL_PAGE_MIXED);
	for (uint64_t i = 0; i < rig.nr_pages; i++) {
		if (i % 4)
			rig_trim(&rig, at_page(i), ZSD_PAGE_BYTES);
	}
	before = rig_stats(&rig);
	zstore_compact(rig.store, &done);
	zstore_shrink(rig.store);
	after = rig_stats(&rig);
	ck_assert_uint_gt(done.freed_pages, 50);
	ck_assert_uint_gt(done.moved_objs, 50);
	ck_assert_uint_eq(after.pages_compacted, done.freed_pages);
	ck_assert_uint_eq(before.mem_used_total - after.mem_used_total,
			  done.freed_pages * ZSD_PAGE_BYTES);
	ck_assert_uint_le(after.reserve_bytes, rig.params.reserve_bytes);
	ck_assert_uint_eq(after.orig_data_size, before.orig_data_size);
	ck_assert_uint_eq(after.compr_data_size, before.compr_data_size);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	zstore_compact(rig.store, &done);
	ck_assert_uint_eq(done.freed_pages, 0);
	ck_assert_uint_eq(done.moved_objs, 0);
}
END_TEST

START_TEST(the_peak_starts_again)
{
	uint64_t now;

	for (uint64_t i = 0; i < 100; i++)
		rig_write_page(&rig, i, MODEL_PAGE_RANDOM);
	rig_trim(&rig, 0, 90 * ZSD_PAGE_BYTES);
	now = rig_stats(&rig).mem_used_total;
	ck_assert_uint_ge(rig_stats(&rig).mem_used_max, now + 90 * KIB);
	zstore_reset_peak(rig.store);
	ck_assert_uint_eq(rig_stats(&rig).mem_used_max, now);
	rig_write_page(&rig, 0, MODEL_PAGE_RANDOM);
	ck_assert_uint_gt(rig_stats(&rig).mem_used_max, now);
}
END_TEST

static TCase *create_case(void)
{
	TCase *tc = tcase_create("create");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, params_out_of_range_are_refused, 0,
			    (int)ARRAY_SIZE(wrong_params));
	tcase_add_test(tc, destroying_nothing_is_allowed);
	tcase_add_loop_test(tc, every_page_of_a_disk_is_there, 0,
			    (int)ARRAY_SIZE(disk_pages));
	tcase_add_test(tc, a_large_disk_costs_what_is_written);
	tcase_add_loop_test(tc, ranges_are_told_without_overflow, 0,
			    (int)ARRAY_SIZE(ranges));
	tcase_add_loop_test(tc, every_kind_of_page_comes_back, 0,
			    (int)ARRAY_SIZE(algorithms));
	return tc;
}

static TCase *disk_case(void)
{
	TCase *tc = tcase_create("disk");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, params_are_kept);
	tcase_add_test(tc, what_was_never_written_costs_nothing);
	tcase_add_test(tc, no_bytes_are_no_operation);
	tcase_add_test(tc, memory_is_what_the_numbers_say);
	tcase_add_loop_test(tc, same_filled_pages_are_words, 0,
			    (int)ARRAY_SIZE(words));
	tcase_add_test(tc, one_bit_keeps_a_page_from_being_same_filled);
	tcase_add_test(tc, huge_pages_are_raw);
	tcase_add_test(tc, each_operation_is_counted_exactly);
	tcase_add_test(tc, trims_count_the_pages_they_free);
	tcase_add_test(tc, counters_outlive_their_context);
	tcase_add_test(tc, writes_at_all_edges);
	tcase_add_test(tc, trims_at_all_edges_keep_parts);
	tcase_add_test(tc, zeroes_at_all_edges_patch_parts);
	tcase_add_test(tc, reads_at_all_edges);
	tcase_add_test(tc, patches_change_the_kind_of_a_page);
	tcase_add_test(tc, compaction_changes_nothing_but_memory);
	tcase_add_test(tc, the_peak_starts_again);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("zstore");

	suite_add_tcase(suite, create_case());
	suite_add_tcase(suite, disk_case());
	return suite_run(suite);
}
