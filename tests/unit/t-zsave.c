/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of a saved disk: what is written reads the same, in pieces of any
 * size, and each thing that may be wrong is refused by its name.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "quiet.h"
#include "save_rig.h"
#include "suite.h"
#include "zsave/zsave_internal.h"

#define NR_PAGES 100u

/* Blocks of the stream that most tests begin with. */
enum {
	HEAD,
	DICT_A,
	DICT_B,
	FIRST,
	SECOND,
	END,
	NR_BLOCKS,
};

static struct stream stream;
static struct zsave_reader reader;
static unsigned char block[ZSAVE_BLOCK_BYTES];

static const struct zsave_head head = {
	.flags = ZSAVE_LIVE,
	.disk_bytes = NR_PAGES * (uint64_t)ZSD_PAGE_BYTES,
	.time_s = 1234567890123,
	.uuid = {1, 2, 3, [15] = 16},
	.nr_dicts = 2,
	.dict_current = {7, 15},
	.algorithms = {"zstd:1", "plz:1"},
};

static const struct zsave_page pages[] = {
	{.index = 0, .form = ZSAVE_WORD, .bytes = 8},
	{.index = 1, .form = ZSAVE_RAW, .bytes = 4096},
	{.index = 9, .form = ZSAVE_COMPRESSED, .bytes = 1},
	{.index = 10, .form = ZSAVE_COMPRESSED, .bytes = 4095, .dict = 7},
	{.index = 97, .form = ZSAVE_RECOMPRESSED, .bytes = 100, .dict = 15},
	{.index = NR_PAGES - 1, .form = ZSAVE_WORD, .bytes = 8},
};

#define NR_FIRST 4u /* in the first of two blocks */

/* Where the records of the first block begin. */
#define AT_RAW	      (ZSAVE_RECORD_BYTES + 8)
#define AT_SHORT      (AT_RAW + ZSAVE_RECORD_BYTES + 4096)
#define AT_COMPRESSED (AT_SHORT + ZSAVE_RECORD_BYTES + 1)

static unsigned char content_of(uint64_t index, size_t i)
{
	return (unsigned char)(index * 31 + i);
}

static void put(struct zsave_writer *writer, const struct zsave_page *page)
{
	unsigned char *to = zsave_room(writer);

	ck_assert_ptr_nonnull(to);
	for (size_t i = 0; i < page->bytes; i++)
		to[i] = content_of(page->index, i);
	zsave_put_page(writer, page);
}

static void setup(void)
{
	static const unsigned char bytes[300] = {9, 8, 7};
	static const struct zsave_dict dict_a = {7, 0, bytes, sizeof(bytes)};
	static const struct zsave_dict dict_b = {15, 1, bytes, 1};
	struct zsave_writer writer;

	ck_assert_int_eq(zsave_reader_init(&reader), 0);
	stream_init(&stream);
	zsave_writer_init(&writer);
	stream_add(&stream, block, zsave_write_head(&writer, &head, block));
	stream_add(&stream, block, zsave_write_dict(&writer, &dict_a, block));
	stream_add(&stream, block, zsave_write_dict(&writer, &dict_b, block));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		if (i == 0 || i == NR_FIRST)
			zsave_begin_pages(&writer, block);
		put(&writer, &pages[i]);
		if (i == NR_FIRST - 1 || i == ARRAY_SIZE(pages) - 1)
			stream_add(&stream, block, zsave_end_pages(&writer));
	}
	stream_add(&stream, block, zsave_write_end(&writer, block));
	ck_assert_uint_eq(stream.nr_blocks, NR_BLOCKS);
}

static void teardown(void)
{
	stream_fini(&stream);
	zsave_reader_fini(&reader);
}

/* --- what is right -------------------------------------------------------- */

struct seen {
	size_t nr_pages;
	unsigned dicts;
	bool has_end;
};

static int see(void *arg, const struct zsave_block *taken)
{
	struct zsave_pages cursor;
	struct seen *seen = arg;
	struct zsave_page page;
	struct zsave_dict dict;

	if (taken->kind == ZSAVE_DICT) {
		zsave_block_dict(taken, &dict);
		seen->dicts |= 1u << dict.number;
		ck_assert_uint_eq(dict.codec, dict.number == 15);
		ck_assert_uint_eq(dict.nr_bytes, dict.codec ? 1 : 300);
		ck_assert_uint_eq(*(const unsigned char *)dict.bytes, 9);
	}
	seen->has_end |= taken->kind == ZSAVE_END;
	if (taken->kind != ZSAVE_PAGES)
		return 0;
	zsave_pages_init(&cursor, taken);
	while (zsave_pages_next(&cursor, &page)) {
		const struct zsave_page *expected = &pages[seen->nr_pages++];

		ck_assert_uint_eq(page.index, expected->index);
		ck_assert_int_eq(page.form, expected->form);
		ck_assert_uint_eq(page.bytes, expected->bytes);
		ck_assert_uint_eq(page.dict, expected->dict);
		for (size_t i = 0; i < page.bytes; i++)
			quiet_assert(page.content[i] ==
				     content_of(page.index, i));
	}
	return 0;
}

START_TEST(what_is_written_reads_the_same_in_pieces)
{
	static const size_t pieces[] = {1, 7, 4096, SIZE_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct seen seen = {0};

		ck_assert_int_eq(stream_read(&stream, &reader, pieces[i], see,
					     &seen),
				 0);
		ck_assert_uint_eq(seen.nr_pages, ARRAY_SIZE(pages));
		ck_assert_uint_eq(seen.dicts, 1u << 7 | 1u << 15);
		ck_assert(seen.has_end);
		ck_assert(reader.is_over);
		ck_assert_uint_eq(reader.offset, stream.nr_bytes);
		ck_assert_uint_eq(reader.counts.pages, ARRAY_SIZE(pages));
		ck_assert_uint_eq(reader.counts.words, 2);
		ck_assert_uint_eq(reader.counts.raws, 1);
		ck_assert_mem_eq(&reader.head, &head, sizeof(head));
	}
}
END_TEST

/* As a program of another machine would find it. */
START_TEST(it_is_laid_out_as_the_manual_says)
{
	static const unsigned char start[] = {
		0x89, 'z', 's', 'd', 'i', 's', 'k', 10, 2, 0, 0, 0, 0, 0, 0, 0};
	const unsigned char *at = stream.bytes;

	ck_assert_mem_eq(at, start, sizeof(start));
	at += 16;
	ck_assert_uint_eq(at[8], ZSAVE_HEAD);
	ck_assert_uint_eq(at[12], 100);
	at += 16;
	ck_assert_uint_eq(at[0] | at[1] << 8, 4096);
	ck_assert_uint_eq(at[4], 1);
	ck_assert_uint_eq(at[8] | at[9] << 8 | at[10] << 16, NR_PAGES * 4096);
	ck_assert_uint_eq(at[24], 1);
	ck_assert_uint_eq(at[40], 2);
	ck_assert_uint_eq(at[44], 7);
	ck_assert_uint_eq(at[48], 15);
	ck_assert_mem_eq(at + 52, "zstd:1\0", 7);
	ck_assert_mem_eq(at + 76, "plz:1\0", 6);
	ck_assert_uint_eq(stream_payload(&stream, DICT_B)[0], 15);
	ck_assert_uint_eq(stream_payload(&stream, DICT_B)[2], 1);
	at = stream_payload(&stream, FIRST) + AT_SHORT;
	ck_assert_uint_eq(at[0], 7); /* pages 2 to 8 */
	ck_assert_uint_eq(at[4], 1);
	ck_assert_uint_eq(at[6], ZSAVE_COMPRESSED);
	ck_assert_uint_eq(at[7], 0);
	ck_assert_uint_eq(at[8], content_of(9, 0));
}
END_TEST

START_TEST(a_block_has_room_for_whole_pages_alone)
{
	static const struct zsave_page raw = {.form = ZSAVE_RAW, .bytes = 4096};
	struct zsave_writer writer;
	struct zsave_page page = raw;
	size_t nr = 0;

	zsave_writer_init(&writer);
	zsave_begin_pages(&writer, block);
	while (zsave_room(&writer)) {
		put(&writer, &page);
		page.index++;
		nr++;
	}
	ck_assert_uint_eq(nr, ZSAVE_MAX_PAYLOAD_BYTES / (4096 + 8));
	ck_assert_uint_le(zsave_end_pages(&writer), ZSAVE_BLOCK_BYTES);
	zsave_begin_pages(&writer, block);
	ck_assert_uint_eq(zsave_end_pages(&writer), 0);
}
END_TEST

/* --- what is wrong -------------------------------------------------------- */

static void assert_fault(enum zsave_fault fault, unsigned number)
{
	ck_assert_int_eq(stream_read(&stream, &reader, SIZE_MAX, NULL, NULL),
			 -EBADMSG);
	ck_assert_msg(reader.fault == fault, "'%s' instead of '%s'",
		      zsave_fault_text(reader.fault), zsave_fault_text(fault));
	if (number < stream.nr_blocks)
		ck_assert_uint_eq(reader.offset, stream.blocks[number]);
}

/* The stream with one change, whose checksums fit, has that fault. */
static void assert_changed(enum zsave_fault fault, unsigned number, size_t at,
			   unsigned bytes, uint64_t value)
{
	unsigned char *to = stream_payload(&stream, number) + at;
	unsigned char old[8];

	memcpy(old, to, sizeof(old));
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (unsigned char)(value >> 8 * i);
	ck_assert_mem_ne(old, to, bytes);
	stream_seal(&stream);
	assert_fault(fault, number);
	memcpy(to, old, sizeof(old));
	stream_seal(&stream);
	ck_assert_int_eq(stream_read(&stream, &reader, SIZE_MAX, NULL, NULL),
			 0);
}

START_TEST(each_bit_counts)
{
	for (size_t i = 0; i < 8 * stream.nr_bytes; i += 1 + i % 13) {
		stream.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
		ck_assert_int_eq(stream_read(&stream, &reader, SIZE_MAX, NULL,
					     NULL),
				 -EBADMSG);
		stream.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
	}
}
END_TEST

START_TEST(each_length_that_is_short_is_short)
{
	const size_t nr_bytes = stream.nr_bytes;

	for (size_t n = 0; n < nr_bytes; n += 1 + n % 7) {
		stream.nr_bytes = n;
		assert_fault(ZSAVE_FAULT_SHORT, NR_BLOCKS);
	}
	stream.nr_bytes = nr_bytes;
}
END_TEST

START_TEST(other_files_are_told_apart)
{
	stream.bytes[3] ^= 1;
	assert_fault(ZSAVE_FAULT_FOREIGN, NR_BLOCKS);
	stream.bytes[3] ^= 1;
	stream.bytes[8] = 1;
	assert_fault(ZSAVE_FAULT_VERSION, NR_BLOCKS);
	stream.bytes[8] = 2;
	stream.bytes[15] = 1;
	assert_fault(ZSAVE_FAULT_VERSION, NR_BLOCKS);
}
END_TEST

START_TEST(damage_is_told_with_its_block)
{
	stream_payload(&stream, SECOND)[9] ^= 1;
	assert_fault(ZSAVE_FAULT_SUM, SECOND);
}
END_TEST

START_TEST(blocks_cannot_change_places)
{
	stream_drop(&stream, SECOND);
	assert_fault(ZSAVE_FAULT_SUM, SECOND);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_COUNTS, END - 1);
}
END_TEST

START_TEST(blocks_cannot_be_there_twice)
{
	stream_double(&stream, FIRST);
	assert_fault(ZSAVE_FAULT_SUM, FIRST + 1);
	stream_seal(&stream);
	/* Pages follow each other, so that the last are beyond the disk. */
	assert_fault(ZSAVE_FAULT_OUTSIDE, SECOND + 1);
}
END_TEST

START_TEST(nothing_may_stand_behind_the_end)
{
	stream.bytes[stream.nr_bytes++] = 0;
	assert_fault(ZSAVE_FAULT_TRAILING, NR_BLOCKS);
}
END_TEST

START_TEST(kinds_have_their_places)
{
	stream_drop(&stream, HEAD);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_ORDER, 0);
}
END_TEST

START_TEST(there_is_one_head)
{
	stream_double(&stream, HEAD);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_ORDER, 1);
}
END_TEST

START_TEST(dictionaries_come_before_pages)
{
	stream.bytes[stream.blocks[SECOND] + PREFIX_KIND] = ZSAVE_DICT;
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_ORDER, SECOND);
}
END_TEST

START_TEST(an_unknown_kind_is_refused)
{
	static const unsigned char wrong[] = {0, 6, 255};

	for (size_t i = 0; i < sizeof(wrong); i++) {
		stream.bytes[stream.blocks[FIRST] + PREFIX_KIND] = wrong[i];
		stream_seal(&stream);
		assert_fault(ZSAVE_FAULT_KIND, FIRST);
	}
	stream.bytes[stream.blocks[FIRST] + PREFIX_KIND] = ZSAVE_PAGES;
	stream.bytes[stream.blocks[FIRST] + PREFIX_KIND + 3] = 1;
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_KIND, FIRST);
}
END_TEST

/* A length in a prefix is not believed before there is so much memory. */
START_TEST(lengths_are_bounded)
{
	static const struct {
		unsigned number;
		uint32_t bytes;
	} wrong[] = {
		{HEAD, ZSAVE_HEAD_BYTES - 1},
		{HEAD, ZSAVE_HEAD_BYTES + 1},
		{DICT_A, DICT_BYTES},
		{DICT_A, ZSAVE_MAX_PAYLOAD_BYTES + 1},
		{FIRST, ZSAVE_RECORD_BYTES},
		{FIRST, ZSAVE_MAX_PAYLOAD_BYTES + 1},
		{FIRST, UINT32_MAX},
		{END, ZSAVE_END_BYTES - 1},
		{END, ZSAVE_END_BYTES + 1},
		{END, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		store_le32(stream.bytes + stream.blocks[wrong[i].number] +
				   PREFIX_BYTES,
			   wrong[i].bytes);
		assert_fault(ZSAVE_FAULT_LENGTH, wrong[i].number);
		stream_seal(&stream);
	}
}
END_TEST

START_TEST(a_head_must_make_sense)
{
	static const struct {
		size_t at;
		unsigned bytes;
		uint64_t value;
	} wrong[] = {
		{HEAD_PAGE_BYTES, 4, 8192},
		{HEAD_FLAGS, 4, 2},
		{HEAD_DISK_BYTES, 8, 0},
		{HEAD_DISK_BYTES, 8, 4097},
		{HEAD_DISK_BYTES, 8, ZSAVE_MAX_DISK_BYTES + 4096},
		{HEAD_NR_DICTS, 4, 16},
		{HEAD_DICT_CURRENT, 4, 16},
		{HEAD_ALGORITHMS, 1, 0},
		{HEAD_ALGORITHMS + 2, 1, '\n'},
		{HEAD_ALGORITHMS + 2, 1, 200},
		{HEAD_ALGORITHMS + 2, 1, 127},
		{HEAD_ALGORITHMS, 8, 0}, /* all of it */
		{HEAD_ALGORITHMS + 2, 1, ' '},
		{HEAD_ALGORITHMS + 23, 1, 'x'},
		{HEAD_DICT_CURRENT + 4, 4, 16},
		{HEAD_ALGORITHMS + 24 + 2, 1, '\n'},
		{HEAD_ALGORITHMS + 24 + 23, 1, 'x'},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_changed(ZSAVE_FAULT_HEAD, HEAD, wrong[i].at,
			       wrong[i].bytes, wrong[i].value);
	memset(stream_payload(&stream, HEAD) + HEAD_ALGORITHMS, 'x',
	       ZSAVE_ALGORITHM_BYTES);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_HEAD, HEAD);
}
END_TEST

START_TEST(dictionaries_are_counted_and_told_apart)
{
	assert_changed(ZSAVE_FAULT_DICT, DICT_A, 0, 4, 0);
	assert_changed(ZSAVE_FAULT_DICT, DICT_A, 0, 4, 16);
	assert_changed(ZSAVE_FAULT_DICT, DICT_A, 0, 4, 1 << 8);
	assert_changed(ZSAVE_FAULT_DICT, DICT_B, DICT_NUMBER, 2, 7);
	assert_changed(ZSAVE_FAULT_DICT, DICT_B, DICT_CODEC, 2, 2);
	store_le32(stream_payload(&stream, HEAD) + HEAD_NR_DICTS, 3);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_NR_DICTS, FIRST);
	store_le32(stream_payload(&stream, HEAD) + HEAD_NR_DICTS, 1);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_NR_DICTS, FIRST);
}
END_TEST

START_TEST(a_dictionary_that_is_named_is_there)
{
	const size_t at_dict = AT_COMPRESSED + RECORD_DICT;

	assert_changed(ZSAVE_FAULT_NO_DICT, FIRST, at_dict, 1, 6);
	assert_changed(ZSAVE_FAULT_NO_DICT, FIRST, at_dict, 1, 16);
	assert_changed(ZSAVE_FAULT_NO_DICT, FIRST, at_dict, 1, 32 + 7);
	/* What is not compressed has none. */
	assert_changed(ZSAVE_FAULT_NO_DICT, FIRST, RECORD_DICT, 1, 7);
	assert_changed(ZSAVE_FAULT_NO_DICT, FIRST, AT_RAW + RECORD_DICT, 1, 7);
	/* The other codec's is none. */
	assert_changed(ZSAVE_FAULT_NO_DICT, FIRST, at_dict, 1, 15);
	assert_changed(ZSAVE_FAULT_NO_DICT, SECOND, RECORD_DICT, 1, 7);
	assert_changed(ZSAVE_FAULT_NO_DICT, SECOND, RECORD_FORM, 1,
		       ZSAVE_COMPRESSED);
	store_le32(stream_payload(&stream, HEAD) + HEAD_DICT_CURRENT, 6);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_NO_DICT, FIRST);
}
END_TEST

START_TEST(without_a_second_codec_nothing_is_its_own)
{
	unsigned char *to = stream_payload(&stream, HEAD);

	memset(to + HEAD_ALGORITHMS + ZSAVE_ALGORITHM_BYTES, 0,
	       ZSAVE_ALGORITHM_BYTES);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_DICT, DICT_B);
	store_le32(to + HEAD_NR_DICTS, 1);
	store_le32(to + HEAD_DICT_CURRENT + 4, 0);
	stream_drop(&stream, DICT_B);
	stream_seal(&stream);
	assert_fault(ZSAVE_FAULT_FORM, SECOND - 1);
}
END_TEST

START_TEST(pages_have_a_form_and_a_length)
{
	assert_changed(ZSAVE_FAULT_FORM, FIRST, RECORD_FORM, 1, 0);
	assert_changed(ZSAVE_FAULT_FORM, FIRST, RECORD_FORM, 1, 5);
	assert_changed(ZSAVE_FAULT_CONTENT, FIRST, RECORD_BYTES, 2, 9);
	assert_changed(ZSAVE_FAULT_CONTENT, FIRST, AT_RAW + RECORD_BYTES, 2,
		       4095);
	assert_changed(ZSAVE_FAULT_CONTENT, FIRST, AT_SHORT + RECORD_BYTES, 2,
		       0);
	assert_changed(ZSAVE_FAULT_CONTENT, FIRST, AT_SHORT + RECORD_BYTES, 2,
		       4096);
}
END_TEST

START_TEST(pages_end_in_their_block)
{
	/* The content goes beyond it. */
	assert_changed(ZSAVE_FAULT_CUT, SECOND, RECORD_BYTES, 2, 4000);
	/* Less than a record is left. */
	assert_changed(ZSAVE_FAULT_CUT, SECOND, RECORD_BYTES, 2,
		       100 + ZSAVE_RECORD_BYTES + 8 - 7);
}
END_TEST

START_TEST(pages_are_inside_of_the_disk)
{
	const size_t at_last = ZSAVE_RECORD_BYTES + 100 + RECORD_SKIP;

	assert_changed(ZSAVE_FAULT_OUTSIDE, SECOND, at_last, 4, 2);
	assert_changed(ZSAVE_FAULT_OUTSIDE, SECOND, at_last, 4, UINT32_MAX);
	assert_changed(ZSAVE_FAULT_OUTSIDE, FIRST, RECORD_SKIP, 4, NR_PAGES);
}
END_TEST

START_TEST(the_end_has_counted_the_same)
{
	for (size_t at = 0; at < ZSAVE_END_BYTES; at += 8)
		assert_changed(ZSAVE_FAULT_COUNTS, END, at, 8, 77);
}
END_TEST

static int keep_text(void *arg, const struct zsave_block *taken)
{
	(void)arg;
	ck_assert_int_ne(taken->kind, ZSAVE_FAILURE);
	return 0;
}

/* Whoever writes can say that it does not work out, at any time. */
START_TEST(a_failure_is_no_saved_disk)
{
	char text[ZSAVE_MAX_TEXT_BYTES + 10];
	struct zsave_block taken = {0};
	struct zsave_writer writer;
	void *to;
	size_t n;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	stream_fini(&stream);
	stream_init(&stream);
	zsave_writer_init(&writer);
	stream_add(&stream, block, zsave_write_head(&writer, &head, block));
	stream_add(&stream, block, zsave_write_failure(&writer, text, block));
	ck_assert_int_eq(stream_read(&stream, &reader, 5, keep_text, NULL),
			 -EBADMSG);
	ck_assert_int_eq(reader.fault, ZSAVE_FAULT_FAILURE);
	/* It comes out with its text. */
	zsave_reader_reset(&reader);
	for (size_t at = 0; at < stream.nr_bytes; at += n) {
		n = zsave_reader_space(&reader, &to);
		memcpy(to, stream.bytes + at, n);
		zsave_reader_add(&reader, n);
		(void)!zsave_reader_next(&reader, &taken);
	}
	ck_assert_int_eq(taken.kind, ZSAVE_FAILURE);
	ck_assert_uint_eq(taken.bytes, ZSAVE_MAX_TEXT_BYTES);
	ck_assert_mem_eq(taken.payload, text, taken.bytes);
	ck_assert_int_eq(zsave_reader_finish(&reader), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsave");
	TCase *tcase = tcase_create("stream");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_written_reads_the_same_in_pieces);
	tcase_add_test(tcase, it_is_laid_out_as_the_manual_says);
	tcase_add_test(tcase, a_block_has_room_for_whole_pages_alone);
	tcase_add_test(tcase, each_bit_counts);
	tcase_add_test(tcase, each_length_that_is_short_is_short);
	tcase_add_test(tcase, other_files_are_told_apart);
	tcase_add_test(tcase, damage_is_told_with_its_block);
	tcase_add_test(tcase, blocks_cannot_change_places);
	tcase_add_test(tcase, blocks_cannot_be_there_twice);
	tcase_add_test(tcase, nothing_may_stand_behind_the_end);
	tcase_add_test(tcase, kinds_have_their_places);
	tcase_add_test(tcase, there_is_one_head);
	tcase_add_test(tcase, dictionaries_come_before_pages);
	tcase_add_test(tcase, an_unknown_kind_is_refused);
	tcase_add_test(tcase, lengths_are_bounded);
	tcase_add_test(tcase, a_head_must_make_sense);
	tcase_add_test(tcase, dictionaries_are_counted_and_told_apart);
	tcase_add_test(tcase, a_dictionary_that_is_named_is_there);
	tcase_add_test(tcase, without_a_second_codec_nothing_is_its_own);
	tcase_add_test(tcase, pages_have_a_form_and_a_length);
	tcase_add_test(tcase, pages_end_in_their_block);
	tcase_add_test(tcase, pages_are_inside_of_the_disk);
	tcase_add_test(tcase, the_end_has_counted_the_same);
	tcase_add_test(tcase, a_failure_is_no_saved_disk);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
