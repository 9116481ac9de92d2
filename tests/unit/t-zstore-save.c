/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk is saved and restored: into a store of the same codec as it is, into
 * one of another; with its dictionaries; and what cannot be is refused.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dict_rig.h"
#include "image_rig.h"
#include "model/own_ctx.h"
#include "quiet.h"
#include "save_rig.h"
#include "store_rig.h"
#include "suite.h"
#include "zsave/zsave_internal.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_save.h"

#define DICT_BYTES (8 * (size_t)KIB)
#define NOW	   1700000000u

static struct store_rig rig; /* what is saved */
static struct stream stream;
static struct zsave_reader reader;

/* What it is restored to. */
static struct zstore *other;
static struct zstore_ctx *other_ctx;
static struct zstore_restore *restore;

static unsigned nr_compressed; /* pages. The linker has this called instead */

int __wrap_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t dst_bytes, size_t *out_bytes);
int __real_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t dst_bytes, size_t *out_bytes);

int __wrap_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t dst_bytes, size_t *out_bytes)
{
	nr_compressed++;
	return __real_zcomp_compress(ctx, dict, src, src_bytes, dst, dst_bytes,
				     out_bytes);
}

static void open_rig(const char *algorithm, bool checksum)
{
	struct zstore_params params = rig_params(algorithm);

	params.checksum = checksum;
	for (size_t i = 0; i < sizeof(params.uuid); i++)
		params.uuid[i] = (uint8_t)(i + 1);
	rig_open(&rig, &params);
}

static void setup(void)
{
	ck_assert_int_eq(zsave_reader_init(&reader), 0);
	stream_init(&stream);
}

static void close_other(void)
{
	zstore_restore_end(restore);
	restore = NULL;
	own_ctx_destroy(other_ctx);
	other_ctx = NULL;
	zstore_destroy(other);
	other = NULL;
}

static void teardown(void)
{
	close_other();
	stream_fini(&stream);
	zsave_reader_fini(&reader);
	rig_close(&rig);
}

/* --- both ways ------------------------------------------------------------- */

/* Save all that is left. Return: what the last call did. */
static int save_rest(struct zstore_save *save)
{
	static unsigned char block[ZSAVE_BLOCK_BYTES];
	size_t bytes;
	int err = 0;

	while (!save->is_over && !err) {
		err = zstore_save_next(save, block, &bytes);
		if (!err)
			stream_add(&stream, block, bytes);
	}
	return err;
}

static void save(void)
{
	struct zstore_save save;

	ck_assert_int_eq(zstore_save_begin(&save, rig.ctx, 0, NOW), 0);
	ck_assert_int_eq(save_rest(&save), 0);
	zstore_save_end(&save);
}

static void open_other(const char *algorithm, uint64_t limit)
{
	struct zstore_params params = rig.params;

	ck_assert_int_eq(zcomp_parse(algorithm, &params.zcomp), 0);
	params.mem_limit_bytes = limit;
	ck_assert_int_eq(zstore_create(&params, &other), 0);
	ck_assert_int_eq(own_ctx_create(other, &other_ctx), 0);
}

static int take(void *arg, const struct zsave_block *block)
{
	(void)arg;
	if (block->kind == ZSAVE_HEAD)
		return zstore_restore_begin(other_ctx, &reader.head, &restore);
	return zstore_restore_block(restore, block);
}

static int restore_all(void)
{
	return stream_read(&stream, &reader, SIZE_MAX, take, NULL);
}

static void assert_verified(void)
{
	struct zstore_verify_report report;
	int err = zstore_verify(other_ctx, &report);

	ck_assert_msg(err == 0, "%s", report.text);
}

/* The other disk has what the first one has, holes too. */
static void assert_same(void)
{
	static unsigned char page[ZSD_PAGE_BYTES];
	struct zstore_stats mine = rig_stats(&rig), others;

	for (uint64_t i = 0; i < rig.nr_pages; i++) {
		uint32_t steps = 1;
		unsigned state;

		quiet_assert(zstore_read(other_ctx, i * ZSD_PAGE_BYTES,
					 ZSD_PAGE_BYTES, page) == 0);
		quiet_assert(memcmp(page, rig.flat + i * ZSD_PAGE_BYTES,
				    ZSD_PAGE_BYTES) == 0);
		quiet_assert(zstore_extent(other_ctx, i * ZSD_PAGE_BYTES,
					   ZSD_PAGE_BYTES, &steps,
					   &state) == ZSD_PAGE_BYTES);
		quiet_assert(!(state & ZSTORE_HOLE) == rig.is_stored[i]);
	}
	zstore_stats(other, &others);
	ck_assert_uint_eq(others.orig_data_size, mine.orig_data_size);
	ck_assert_uint_eq(others.same_pages, mine.same_pages);
	assert_verified();
}

/* The same bytes are stored for it. */
static void assert_same_bytes(void)
{
	struct zstore_stats mine = rig_stats(&rig), others;

	zstore_stats(other, &others);
	ck_assert_uint_eq(others.compr_data_size, mine.compr_data_size);
	ck_assert_uint_eq(others.huge_pages, mine.huge_pages);
}

static void round_trip(const char *algorithm)
{
	open_other(algorithm, 0);
	ck_assert_int_eq(restore_all(), 0);
	assert_same();
}

/* Pages of all kinds, and holes between them. */
static void fill_rig(void)
{
	for (uint64_t i = 0; i < rig.nr_pages; i += 1 + i % 5)
		rig_write_page(&rig, i,
			       (enum model_page)(i % MODEL_NR_PAGE_KINDS));
	rig_trim(&rig, 600 * ZSD_PAGE_BYTES, 50 * ZSD_PAGE_BYTES);
}

/* --- what comes back ------------------------------------------------------- */

static const struct {
	const char *from;
	const char *to;
	bool checksum;
} ways[] = {
	{"lz4", "lz4", false},	   {"lz4", "lz4:9", true},
	{"zstd", "zstd:3", false}, {"lz4", "zstd", true},
	{"zstd", "lz4", false},	   {"zstd", "zstd", true},
};

START_TEST(all_kinds_of_pages_come_back)
{
	open_rig(ways[_i].from, ways[_i].checksum);
	fill_rig();
	save();
	round_trip(ways[_i].to);
	ck_assert_mem_eq(reader.head.uuid, rig.params.uuid,
			 sizeof(rig.params.uuid));
	ck_assert_uint_eq(reader.head.time_s, NOW);
	ck_assert_uint_eq(reader.head.flags, 0);
	ck_assert(zstore_restore_is_copy(restore) ==
		  !strncmp(ways[_i].from, ways[_i].to, 3));
	if (!strcmp(ways[_i].from, ways[_i].to))
		assert_same_bytes();
	/* And once more from there, as it can be written. */
	ck_assert_int_eq(zstore_write(other_ctx, 0, 5, "hello"), 0);
	assert_verified();
}
END_TEST

START_TEST(nothing_is_compressed_on_the_way)
{
	open_rig("zstd", true);
	for (uint64_t i = 0; i < 300; i++)
		rig_write_page(&rig, i,
			       i % 2 ? MODEL_PAGE_TEXT : MODEL_PAGE_SAME);
	nr_compressed = 0;
	save();
	round_trip("zstd:9");
	ck_assert_uint_eq(nr_compressed, 0);
	assert_same_bytes();
}
END_TEST

/* As if they were written: else nobody could tell when they are idle. */
START_TEST(what_comes_back_is_young)
{
	struct zstore_block block;
	uint64_t nr_marked;

	open_rig("lz4", false);
	fill_rig();
	save();
	open_other("lz4", 0);
	zstore_begin_epoch(other, 1000);
	ck_assert_int_eq(restore_all(), 0);
	for (uint64_t i = 0; i < rig.nr_pages; i++) {
		if (zstore_block(other, i, &block))
			ck_assert_uint_eq(block.accessed_s, 1000);
	}
	zstore_begin_epoch(other, 2000);
	ck_assert_uint_eq(zstore_mark_idle(other, 1500), 0);
	nr_marked = zstore_mark_idle(other, UINT32_MAX);
	ck_assert_uint_gt(nr_marked, 0);
	ck_assert_uint_eq(zstore_mark_idle(other, 2000), nr_marked);
}
END_TEST

START_TEST(an_empty_disk_comes_back)
{
	open_rig("lz4", false);
	save();
	ck_assert_uint_eq(stream.nr_blocks, 2);
	round_trip("lz4");
}
END_TEST

START_TEST(a_full_disk_comes_back)
{
	open_rig("lz4", true);
	for (uint64_t i = 0; i < rig.nr_pages; i++)
		rig_write_page(&rig, i,
			       i % 3 ? MODEL_PAGE_RANDOM : MODEL_PAGE_MIXED);
	save();
	round_trip("lz4");
	assert_same_bytes();
}
END_TEST

/* Whoever paces it is never kept waiting, however much there is not. */
START_TEST(a_large_disk_is_saved_in_short_steps)
{
	struct zstore_params params = rig_params("lz4");
	static unsigned char block[ZSAVE_BLOCK_BYTES];
	unsigned nr_steps = 0, nr_blocks = 0;
	struct zstore_save save;
	size_t bytes;

	open_rig("lz4", false);
	params.disk_bytes = 64 * GIB;
	ck_assert_int_eq(zstore_create(&params, &other), 0);
	ck_assert_int_eq(own_ctx_create(other, &other_ctx), 0);
	ck_assert_int_eq(zstore_write(other_ctx, 64 * GIB - 1, 1, "x"), 0);
	ck_assert_int_eq(zstore_save_begin(&save, other_ctx, 0, NOW), 0);
	while (!save.is_over) {
		ck_assert_int_eq(zstore_save_next(&save, block, &bytes), 0);
		nr_steps++;
		nr_blocks += bytes != 0;
	}
	zstore_save_end(&save);
	ck_assert_uint_eq(nr_blocks, 3); /* a head, a page, the end */
	ck_assert_uint_ge(nr_steps, 64 * GIB / (2 * MIB) / 8192);
	ck_assert_uint_le(nr_steps, 64 * GIB / (2 * MIB) / 8192 + 20);
}
END_TEST

/* --- dictionaries ----------------------------------------------------------- */

static unsigned add_dict(struct zstore *store, uint64_t seed)
{
	static unsigned char bytes[DICT_BYTES];
	size_t n = rig_train(&rig.params.zcomp, seed, bytes, sizeof(bytes));
	unsigned number = 0;

	ck_assert_int_eq(
		zstore_dict_add(store, ZSTORE_PRIMARY, bytes, n, &number), 0);
	return number;
}

/* Pages [first, first + nr) are like those that @seed's was trained on. */
static void write_samples(uint64_t first, unsigned nr, uint64_t seed)
{
	unsigned char *samples = rig_sample_pages(seed, nr);

	rig_write(&rig, first * ZSD_PAGE_BYTES, (size_t)nr * ZSD_PAGE_BYTES,
		  samples);
	free(samples);
}

static uint64_t pages_with(struct zstore *store, unsigned number)
{
	struct zstore_dict_info info = {0};

	return zstore_dict_info(store, number, &info) ? info.pages : 0;
}

static void use_two_dictionaries(void)
{
	open_rig("zstd", true);
	write_samples(0, 20, 5);
	ck_assert_uint_eq(add_dict(rig.store, 1), 1);
	write_samples(30, 20, 1);
	ck_assert_uint_eq(add_dict(rig.store, 2), 2);
	write_samples(60, 25, 2);
}

START_TEST(pages_keep_their_dictionaries)
{
	use_two_dictionaries();
	save();
	ck_assert_int_eq(reader.head.nr_dicts, 0);
	nr_compressed = 0;
	round_trip("zstd");
	ck_assert_uint_eq(nr_compressed, 0);
	ck_assert_uint_eq(reader.head.nr_dicts, 2);
	assert_same_bytes();
	ck_assert_uint_eq(pages_with(other, 1), 20);
	ck_assert_uint_eq(pages_with(other, 2), 25);
	ck_assert_uint_eq(zstore_dict_current(other, ZSTORE_PRIMARY), 2);
}
END_TEST

START_TEST(another_codec_reads_with_them)
{
	use_two_dictionaries();
	save();
	round_trip("lz4");
	ck_assert_uint_eq(zstore_dict_current(other, ZSTORE_PRIMARY), 0);
}
END_TEST

/* It need not be the last one, and no page need name it. */
START_TEST(the_current_one_is_current_again)
{
	use_two_dictionaries();
	zstore_dict_choose(rig.store, ZSTORE_PRIMARY, 1);
	save();
	round_trip("zstd");
	ck_assert_uint_eq(zstore_dict_current(other, ZSTORE_PRIMARY), 1);
	zstore_restore_end(restore);
	restore = NULL;
	/* What none needs can go: number 3 is the only one that is free. */
	ck_assert_uint_eq(add_dict(other, 3), 3);
	ck_assert_uint_eq(pages_with(other, 2), 25);
}
END_TEST

START_TEST(none_is_current_where_none_was)
{
	use_two_dictionaries();
	zstore_dict_choose(rig.store, ZSTORE_PRIMARY, 0);
	save();
	round_trip("zstd");
	ck_assert_uint_eq(zstore_dict_current(other, ZSTORE_PRIMARY), 0);
}
END_TEST

START_TEST(one_that_the_store_was_given_stays_current)
{
	use_two_dictionaries();
	save();
	open_other("zstd", 0);
	ck_assert_uint_eq(add_dict(other, 9), 1);
	ck_assert_int_eq(restore_all(), 0);
	assert_same();
	ck_assert_uint_eq(zstore_dict_current(other, ZSTORE_PRIMARY), 1);
	ck_assert_uint_eq(pages_with(other, 1), 0);
	ck_assert_uint_eq(pages_with(other, 2), 20);
	ck_assert_uint_eq(pages_with(other, 3), 25);
}
END_TEST

/* Its pages are saved raw: what was told is told. */
START_TEST(one_that_comes_meanwhile_is_not_needed)
{
	struct zstore_save save;

	use_two_dictionaries();
	ck_assert_int_eq(zstore_save_begin(&save, rig.ctx, ZSAVE_LIVE, NOW), 0);
	ck_assert_uint_eq(add_dict(rig.store, 3), 3);
	write_samples(100, 10, 3);
	ck_assert_uint_eq(pages_with(rig.store, 3), 10);
	ck_assert_int_eq(save_rest(&save), 0);
	zstore_save_end(&save);
	round_trip("zstd");
	ck_assert_uint_eq(reader.head.flags, ZSAVE_LIVE);
	ck_assert_uint_eq(reader.head.nr_dicts, 2);
	ck_assert_uint_eq(reader.counts.raws, 10);
}
END_TEST

/* The number of one that is in the stream is not used for another. */
START_TEST(numbers_stay_while_a_disk_is_saved)
{
	struct zstore_save save;

	use_two_dictionaries();
	ck_assert_int_eq(zstore_save_begin(&save, rig.ctx, 0, NOW), 0);
	rig_trim(&rig, 30 * ZSD_PAGE_BYTES, 20 * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(add_dict(rig.store, 3), 3);
	zstore_save_end(&save);
	ck_assert_uint_eq(add_dict(rig.store, 4), 1);
}
END_TEST

/* --- what cannot be --------------------------------------------------------- */

START_TEST(a_damaged_page_is_not_saved)
{
	static unsigned char block[ZSAVE_BLOCK_BYTES];
	struct rig_object object;
	struct zstore_save save;
	size_t bytes;

	open_rig("lz4", _i);
	for (uint64_t i = 0; i < 300; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
	rig_any_object(&rig, 300, &object);
	rig_damage(&object);
	ck_assert_int_eq(zstore_save_begin(&save, rig.ctx, 0, NOW), 0);
	ck_assert_int_eq(save_rest(&save), -EIO);
	ck_assert_uint_eq(save.next, object.index);
	ck_assert_uint_ge(rig_stats(&rig).corrupt_reads, 1);
	bytes = zstore_save_fail(&save, "page", block);
	stream_add(&stream, block, bytes);
	ck_assert(save.is_over);
	open_other("lz4", 0);
	ck_assert_int_eq(restore_all(), -EBADMSG);
	ck_assert_int_eq(reader.fault, ZSAVE_FAULT_FAILURE);
	zstore_save_end(&save);
}
END_TEST

START_TEST(a_damaged_dictionary_is_not_saved)
{
	unsigned char byte, other_byte;
	struct zstore_save save;
	off_t at;

	use_two_dictionaries();
	at = (off_t)rig.store->header.dicts_offset + 1000;
	rig_get_from_image(at, &byte, 1);
	other_byte = byte ^ 1;
	rig_put_in_image(at, &other_byte, 1);
	ck_assert_int_eq(zstore_save_begin(&save, rig.ctx, 0, NOW), -EUCLEAN);
	rig_put_in_image(at, &byte, 1);
	ck_assert_int_eq(zstore_save_begin(&save, rig.ctx, 0, NOW), 0);
	zstore_save_end(&save);
}
END_TEST

/* Whoever makes a file can make its checksums fit. */
START_TEST(what_does_not_decompress_is_refused)
{
	unsigned char *record;
	size_t bytes;

	open_rig(_i ? "lz4" : "zstd", false);
	rig_write_page(&rig, 7, MODEL_PAGE_TEXT);
	rig_write_page(&rig, 9, MODEL_PAGE_TEXT);
	save();
	record = stream_payload(&stream, 1);
	bytes = (size_t)record[RECORD_BYTES] | (size_t)record[RECORD_BYTES + 1]
						       << 8;
	record += ZSAVE_RECORD_BYTES + bytes + ZSAVE_RECORD_BYTES;
	memset(record, 0xff, 20);
	stream_seal(&stream);
	open_other(_i == 1 ? "lz4" : "zstd", 0);
	ck_assert_int_eq(restore_all(), -EBADMSG);
	ck_assert_int_eq(reader.fault, ZSAVE_FAULT_NONE);
	ck_assert_uint_eq(zstore_restore_page(restore), 9);
	assert_verified();
}
END_TEST

START_TEST(a_dictionary_that_is_none_is_refused)
{
	use_two_dictionaries();
	save();
	/* Behind zstd's magic number it is noise. */
	memset(stream_payload(&stream, 1) + 12, 0xee, 500);
	stream_seal(&stream);
	open_other(_i ? "lz4" : "zstd", 0);
	ck_assert_int_eq(restore_all(), -EINVAL);
}
END_TEST

/* A codec that has none cannot have made pages with one. */
START_TEST(a_dictionary_of_a_codec_without_is_refused)
{
	use_two_dictionaries();
	save();
	memcpy(stream_payload(&stream, 0) + HEAD_ALGORITHMS, "lz4:1\0", 7);
	stream_seal(&stream);
	open_other(_i ? "lz4" : "zstd", 0);
	ck_assert_int_eq(restore_all(), -EINVAL);
}
END_TEST

START_TEST(an_unknown_codec_is_refused)
{
	static const char *const wrong[] = {"lzma:1", "zstd:99", "lz4:"};

	open_rig("lz4", false);
	save();
	open_other("lz4", 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		memset(stream_payload(&stream, 0) + HEAD_ALGORITHMS, 0,
		       ZSAVE_ALGORITHM_BYTES);
		memcpy(stream_payload(&stream, 0) + HEAD_ALGORITHMS, wrong[i],
		       strlen(wrong[i]));
		stream_seal(&stream);
		ck_assert_int_eq(restore_all(), -EINVAL);
		ck_assert_ptr_null(restore);
	}
}
END_TEST

START_TEST(a_limit_holds)
{
	open_rig("lz4", false);
	for (uint64_t i = 0; i < 500; i++)
		rig_write_page(&rig, i, MODEL_PAGE_RANDOM);
	save();
	open_other("lz4", MIB);
	ck_assert_int_eq(restore_all(), -ENOSPC);
	ck_assert_uint_gt(zstore_restore_page(restore), 0);
	assert_verified();
}
END_TEST

START_TEST(too_many_dictionaries_are_refused)
{
	use_two_dictionaries();
	save();
	open_other("zstd", 0);
	for (unsigned i = 1; i < ZSTORE_MAX_DICTS; i++) {
		static unsigned char page[ZSD_PAGE_BYTES];

		add_dict(other, 10 + i);
		model_page_fill(&rig.rng, MODEL_PAGE_TEXT, page);
		ck_assert_int_eq(zstore_write(other_ctx,
					      (1000 + i) * ZSD_PAGE_BYTES,
					      sizeof(page), page),
				 0);
	}
	ck_assert_int_eq(restore_all(), -EBUSY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore-save");
	TCase *tcase = tcase_create("both ways");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, all_kinds_of_pages_come_back, 0,
			    (int)ARRAY_SIZE(ways));
	tcase_add_test(tcase, nothing_is_compressed_on_the_way);
	tcase_add_test(tcase, what_comes_back_is_young);
	tcase_add_test(tcase, an_empty_disk_comes_back);
	tcase_add_test(tcase, a_full_disk_comes_back);
	tcase_add_test(tcase, a_large_disk_is_saved_in_short_steps);
	tcase_add_test(tcase, pages_keep_their_dictionaries);
	tcase_add_test(tcase, another_codec_reads_with_them);
	tcase_add_test(tcase, the_current_one_is_current_again);
	tcase_add_test(tcase, none_is_current_where_none_was);
	tcase_add_test(tcase, one_that_the_store_was_given_stays_current);
	tcase_add_test(tcase, one_that_comes_meanwhile_is_not_needed);
	tcase_add_test(tcase, numbers_stay_while_a_disk_is_saved);
	tcase_add_loop_test(tcase, a_damaged_page_is_not_saved, 0, 2);
	tcase_add_test(tcase, a_damaged_dictionary_is_not_saved);
	tcase_add_loop_test(tcase, what_does_not_decompress_is_refused, 0, 3);
	tcase_add_loop_test(tcase, a_dictionary_that_is_none_is_refused, 0, 2);
	tcase_add_loop_test(tcase, a_dictionary_of_a_codec_without_is_refused,
			    0, 2);
	tcase_add_test(tcase, an_unknown_codec_is_refused);
	tcase_add_test(tcase, a_limit_holds);
	tcase_add_test(tcase, too_many_dictionaries_are_refused);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
