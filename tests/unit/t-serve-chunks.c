/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client is sent that negotiated structured replies.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "nbd/nbdc_wire.h"
#include "suite.h"
#include "transmission_rig.h"

#define PAGE ((uint64_t)ZSD_PAGE_BYTES)

static void setup(void)
{
	transmission_setup();
	server.session.structured_replies = true;
	server.session.has_context = true;
}

/* --- the client's end ---------------------------------------------------- */

/* The header of a chunk; returns the length of what follows. */
static uint32_t receive_chunk(uint64_t cookie, unsigned type, bool is_last)
{
	const unsigned char *p = received();
	uint32_t length;

	ck_assert_uint_ge(unreceived(), NBDC_CHUNK_BYTES);
	ck_assert_uint_eq(load_be32(p), NBDC_CHUNK_MAGIC);
	ck_assert_uint_eq(load_be16(p + 4), is_last);
	ck_assert_uint_eq(load_be16(p + 6), type);
	ck_assert_uint_eq(load_be64(p + 8), cookie);
	length = load_be32(p + 16);
	take(NBDC_CHUNK_BYTES);
	return length;
}

static uint64_t receive_u64(void)
{
	uint64_t value = load_be64(received());

	ck_assert_uint_ge(unreceived(), sizeof(value));
	take(sizeof(value));
	return value;
}

static uint32_t receive_u32(void)
{
	uint32_t value = load_be32(received());

	ck_assert_uint_ge(unreceived(), sizeof(value));
	take(sizeof(value));
	return value;
}

static void receive_none(uint64_t cookie)
{
	ck_assert_uint_eq(receive_chunk(cookie, CHUNK_NONE, true), 0);
}

/* A chunk of data, which must be what the store holds there. */
static void receive_data_chunk(uint64_t cookie, bool is_last, uint64_t offset,
			       uint32_t bytes)
{
	ck_assert_uint_eq(receive_chunk(cookie, CHUNK_DATA, is_last),
			  8 + bytes);
	ck_assert_uint_eq(receive_u64(), offset);
	receive_data(flat.bytes + offset, bytes);
}

static void receive_hole(uint64_t cookie, bool is_last, uint64_t offset,
			 uint32_t bytes)
{
	ck_assert_uint_eq(receive_chunk(cookie, CHUNK_HOLE, is_last), 12);
	ck_assert_uint_eq(receive_u64(), offset);
	ck_assert_uint_eq(receive_u32(), bytes);
}

static void receive_error(uint64_t cookie, uint32_t error)
{
	uint32_t length = receive_chunk(cookie, CHUNK_ERROR, true);

	ck_assert_uint_eq(receive_u32(), error);
	ck_assert_uint_eq(load_be16(received()), length - 6);
	take(length - 4);
}

static void receive_error_at(uint64_t cookie, uint32_t error, uint64_t offset)
{
	uint32_t length = receive_chunk(cookie, CHUNK_ERROR_OFFSET, true);

	ck_assert_uint_eq(receive_u32(), error);
	ck_assert_uint_eq(load_be16(received()), length - 14);
	take(length - 12);
	ck_assert_uint_eq(receive_u64(), offset);
}

static void receive_extent(uint32_t length, uint32_t state)
{
	ck_assert_uint_eq(receive_u32(), length);
	ck_assert_uint_eq(receive_u32(), state);
}

static void receive_status(uint64_t cookie, uint32_t nr_extents)
{
	ck_assert_uint_eq(receive_chunk(cookie, CHUNK_STATUS, true),
			  4 + 8 * nr_extents);
	ck_assert_uint_eq(receive_u32(), NBD_CONTEXT_ID);
}

/* Pages [@first, @first + @nr) hold something. */
static void fill_pages(uint64_t first, uint64_t nr)
{
	memset(flat.bytes + first * PAGE, 0x5a, nr * PAGE);
}

/* --- reads --------------------------------------------------------------- */

START_TEST(a_read_tells_of_data_and_holes)
{
	fill_pages(1, 2);
	fill_pages(5, 1);
	send_request(NBD_CMD_READ, 5, 0, 7 * PAGE);
	run_on(STEP_NEEDS_INPUT);
	receive_hole(5, false, 0, PAGE);
	receive_data_chunk(5, false, PAGE, 2 * PAGE);
	receive_hole(5, false, 3 * PAGE, 2 * PAGE);
	receive_data_chunk(5, false, 5 * PAGE, PAGE);
	receive_hole(5, true, 6 * PAGE, PAGE);
	receive_nothing();
	ck_assert_uint_eq(count_of(COUNT_read), 1);
	ck_assert_uint_eq(count_of(COUNT_read_bytes), 7 * PAGE);
}
END_TEST

START_TEST(a_read_of_parts_of_pages_stays_in_its_range)
{
	fill_pages(1, 1);
	send_request(NBD_CMD_READ, 5, 4000, 200);
	send_request(NBD_CMD_READ, 6, 2 * PAGE - 1, 2);
	send_request(NBD_CMD_READ, 7, PAGE + 1, 1);
	send_request(NBD_CMD_READ, 8, 17, 1);
	run_on(STEP_NEEDS_INPUT);
	receive_hole(5, false, 4000, 96);
	receive_data_chunk(5, true, PAGE, 104);
	receive_data_chunk(6, false, 2 * PAGE - 1, 1);
	receive_hole(6, true, 2 * PAGE, 1);
	receive_data_chunk(7, true, PAGE + 1, 1);
	receive_hole(8, true, 17, 1);
	receive_nothing();
}
END_TEST

/* As a client that takes all chunks of a long read: every byte must come, in
 * order, and be right. Holes come out of nowhere but from pages of zeros. */
static uint64_t receive_chunks(uint64_t at, uint64_t end, bool *is_last)
{
	const unsigned char *p = received();
	uint32_t bytes;

	*is_last = load_be16(p + 4);
	if (load_be16(p + 6) == CHUNK_HOLE) {
		bytes = load_be32(p + NBDC_CHUNK_BYTES + 8);
		receive_hole(5, *is_last, at, bytes);
		for (uint64_t i = at; i < min_u64(at + bytes, FLAT_STORE_BYTES);
		     i++) {
			if (flat.bytes[i])
				ck_abort_msg("no hole");
		}
	} else {
		bytes = load_be32(p + 16) - 8;
		receive_data_chunk(5, *is_last, at, bytes);
	}
	ck_assert_uint_gt(bytes, 0);
	ck_assert_uint_le(at + bytes, end);
	return at + bytes;
}

/* Longer than a payload may be that is not cut in chunks. */
START_TEST(a_long_read_comes_in_chunks)
{
	const uint64_t offset = 1000, end = offset + (48u << 20);
	uint64_t at = offset;
	bool is_last = false;
	enum step step;

	for (uint64_t page = 0; page < FLAT_STORE_BYTES / PAGE; page++) {
		if (page / 100 % 2 || page % 3 == 0)
			store_be64(flat.bytes + page * PAGE + 8 * _i, page + 1);
	}
	send_request(NBD_CMD_READ, 5, offset, (uint32_t)(end - offset));
	do {
		step = run();
		while (unreceived() && !is_last)
			at = receive_chunks(at, end, &is_last);
	} while (step != STEP_NEEDS_INPUT);
	ck_assert(is_last);
	ck_assert_uint_eq(at, end);
	receive_nothing();
	ck_assert(!flat.split_a_page);
}
END_TEST

START_TEST(four_gigabytes_of_nothing_are_few_chunks)
{
	uint64_t at = FLAT_STORE_BYTES, end = at + UINT32_MAX;
	bool is_last = false;

	send_request(NBD_CMD_READ, 5, at, UINT32_MAX);
	run_on(STEP_NEEDS_INPUT);
	ck_assert_uint_lt(unreceived(), 4096);
	while (!is_last)
		at = receive_chunks(at, end, &is_last);
	ck_assert_uint_eq(at, end);
	receive_nothing();
	ck_assert_uint_eq(flat.nr_calls, 0);
}
END_TEST

START_TEST(a_read_that_fails_says_where)
{
	fill_pages(0, 200);
	memset(flat.bytes + 10 * PAGE, 0, 10 * PAGE);
	flat.bad_offset = 30 * PAGE;
	flat.read_err = -EIO;
	send_request(NBD_CMD_READ, 5, 0, 200 * PAGE);
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_data_chunk(5, false, 0, 10 * PAGE);
	receive_hole(5, false, 10 * PAGE, 10 * PAGE);
	receive_error_at(5, NBD_EIO, 20 * PAGE);
	receive_reply(6, 0);
	receive_nothing();
	ck_assert_uint_eq(count_of(COUNT_errors), 1);
	ck_assert_uint_eq(count_of(COUNT_read_bytes), 0);
}
END_TEST

/* Whatever of it was sent already. */
START_TEST(a_read_that_fails_late_does_not_end_it)
{
	const uint32_t piece = TRANSMISSION_PIECE_BYTES;

	fill_pages(0, 2 * piece / PAGE);
	flat.bad_offset = piece;
	flat.read_err = -EIO;
	send_request(NBD_CMD_READ, 5, 0, 2 * piece);
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	while (flat.nr_calls == 0) {
		server.deadline_ns = 0;
		ck_assert_int_eq(run(), STEP_YIELDS);
	}
	receive_data_chunk(5, false, 0, piece);
	receive_reply(6, 0); /* chunks do not keep others waiting */
	run_on(STEP_NEEDS_INPUT);
	receive_error_at(5, NBD_EIO, piece);
	receive_nothing();
}
END_TEST

START_TEST(a_read_of_nothing_is_one_chunk)
{
	send_request(NBD_CMD_READ, 5, 0, 0);
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_DF, 6, DISK_BYTES, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_none(5);
	receive_none(6);
	receive_nothing();
}
END_TEST

START_TEST(a_read_that_is_refused_is_a_chunk)
{
	send_request(NBD_CMD_READ, 5, DISK_BYTES, 1);
	send_flagged(NBD_CMD_READ, 1u << 15, 6, 0, 1);
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_DF, 7, 0,
		     NBD_EXPORT_MAX_PAYLOAD_BYTES + 1);
	run_on(STEP_NEEDS_INPUT);
	receive_error(5, NBD_EINVAL);
	receive_error(6, NBD_EINVAL);
	receive_error(7, NBD_EOVERFLOW);
	receive_nothing();
	ck_assert_uint_eq(flat.nr_calls, 0);
}
END_TEST

/* --- reads that must not be fragmented ----------------------------------- */

static const uint32_t unfragmented[] = {1, 5 * PAGE, TRANSMISSION_PIECE_BYTES};

START_TEST(an_unfragmented_read_spells_out_its_zeros)
{
	fill_pages(1, 1);
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_DF, 5, 77, unfragmented[_i]);
	run_on(STEP_NEEDS_INPUT);
	receive_data_chunk(5, true, 77, unfragmented[_i]);
	receive_nothing();
}
END_TEST

/* Receives the data of one chunk, while more of it is made. The first @good
 * bytes are as stored, the others zeros. */
static void receive_long(uint64_t offset, uint32_t length, uint32_t good)
{
	uint32_t here = 0, bytes;

	while (here < length) {
		ck_assert_int_ne(run(), STEP_ENDS);
		bytes = (uint32_t)min_u64(unreceived(),
					  length - here);
		if (here < good)
			bytes = (uint32_t)min_u64(bytes, good - here);
		ck_assert_uint_gt(bytes, 0);
		for (uint32_t i = 0; i < bytes; i++) {
			unsigned char expected =
				here + i < good
					? flat.bytes[offset + here + i]
					: 0;

			if (received()[i] != expected)
				ck_abort_msg("byte %u is wrong", here + i);
		}
		take(bytes);
		here += bytes;
	}
}

START_TEST(a_long_unfragmented_read_is_one_chunk)
{
	const uint32_t length = NBD_EXPORT_MAX_PAYLOAD_BYTES;

	for (uint64_t at = 0; at < FLAT_STORE_BYTES; at += 2 * PAGE)
		store_be64(flat.bytes + at, at + 1);
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_DF, 5, 1000, length);
	ck_assert_int_ne(run(), STEP_NEEDS_INPUT);
	ck_assert_uint_eq(receive_chunk(5, CHUNK_DATA, false), 8 + length);
	ck_assert_uint_eq(receive_u64(), 1000);
	receive_long(1000, length, length);
	run_on(STEP_NEEDS_INPUT);
	receive_none(5);
	receive_nothing();
	ck_assert(!flat.split_a_page);
	ck_assert_uint_eq(count_of(COUNT_read_bytes), length);
}
END_TEST

/* The chunk that was promised is completed, with zeros. */
START_TEST(an_unfragmented_read_that_fails_is_completed)
{
	const uint32_t length = 4u << 20, piece = TRANSMISSION_PIECE_BYTES;

	fill_pages(0, length / PAGE);
	flat.bad_offset = 5 * piece + 1;
	flat.read_err = -EIO;
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_DF, 5, 0, length);
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	ck_assert_int_ne(run(), STEP_NEEDS_INPUT);
	ck_assert_uint_eq(receive_chunk(5, CHUNK_DATA, false), 8 + length);
	ck_assert_uint_eq(receive_u64(), 0);
	receive_long(0, length, 5 * piece);
	run_on(STEP_NEEDS_INPUT);
	receive_error_at(5, NBD_EIO, 5 * piece);
	receive_reply(6, 0);
	receive_nothing();
	ck_assert_uint_eq(flat.nr_calls, 6);
	ck_assert_uint_eq(count_of(COUNT_errors), 1);
}
END_TEST

START_TEST(a_short_unfragmented_read_that_fails_sends_no_data)
{
	flat.bad_offset = PAGE;
	flat.read_err = -EIO;
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_DF, 5, 0, 65536);
	run_on(STEP_NEEDS_INPUT);
	receive_error_at(5, NBD_EIO, 0);
	receive_nothing();
}
END_TEST

/* --- block status -------------------------------------------------------- */

#define HOLE (STATE_HOLE | STATE_ZERO)

START_TEST(block_status_tells_the_extents)
{
	fill_pages(1, 2);
	fill_pages(5, 1);
	send_request(NBD_CMD_BLOCK_STATUS, 5, 100, 6 * PAGE);
	run_on(STEP_NEEDS_INPUT);
	receive_status(5, 5);
	receive_extent(PAGE - 100, HOLE);
	receive_extent(2 * PAGE, 0);
	receive_extent(2 * PAGE, HOLE);
	receive_extent(PAGE, 0);
	receive_extent(100, HOLE);
	receive_nothing();
	ck_assert_uint_eq(count_of(COUNT_block_status), 1);
	ck_assert_uint_eq(flat.nr_calls, 0);
}
END_TEST

START_TEST(block_status_of_one_extent_is_one)
{
	fill_pages(0, 3);
	send_flagged(NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_REQ_ONE, 5, 1,
		     5 * PAGE);
	send_flagged(NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_REQ_ONE, 6, 1, 7);
	send_flagged(NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_REQ_ONE, 7,
		     FLAT_STORE_BYTES, UINT32_MAX);
	run_on(STEP_NEEDS_INPUT);
	receive_status(5, 1);
	receive_extent(3 * PAGE - 1, 0);
	receive_status(6, 1);
	receive_extent(7, 0);
	receive_status(7, 1);
	receive_extent(UINT32_MAX, HOLE);
	receive_nothing();
}
END_TEST

/* More extents than an answer takes: it is cut, and no longer than promised. */
START_TEST(block_status_of_many_extents_is_cut)
{
	for (uint64_t page = 0; page < FLAT_STORE_BYTES / PAGE; page += 2)
		fill_pages(page, 1);
	send_request(NBD_CMD_BLOCK_STATUS, 5, 0, FLAT_STORE_BYTES);
	run_on(STEP_NEEDS_INPUT);
	receive_status(5, TRANSMISSION_MAX_EXTENTS);
	for (unsigned i = 0; i < TRANSMISSION_MAX_EXTENTS; i++)
		receive_extent(PAGE, i % 2 ? HOLE : 0);
	receive_nothing();
}
END_TEST

START_TEST(block_status_waits_for_room)
{
	fill_pages(0, 16);
	for (unsigned i = 0; i < 3; i++)
		send_request(NBD_CMD_READ, i, 0, 16 * PAGE);
	send_request(NBD_CMD_BLOCK_STATUS, 6, 0, PAGE);
	send_request(NBD_CMD_BLOCK_STATUS, 7, 0, 1u << 30);
	run_on(STEP_NEEDS_ROOM);
	receive_data_chunk(0, true, 0, 16 * PAGE);
	run_on(STEP_NEEDS_INPUT);
	receive_data_chunk(1, true, 0, 16 * PAGE);
	receive_data_chunk(2, true, 0, 16 * PAGE);
	receive_status(6, 1);
	receive_extent(PAGE, 0);
	receive_status(7, 2);
	receive_extent(16 * PAGE, 0);
	receive_extent((1u << 30) - 16 * PAGE, HOLE);
	receive_nothing();
}
END_TEST

START_TEST(block_status_out_of_range_is_refused)
{
	send_request(NBD_CMD_BLOCK_STATUS, 5, DISK_BYTES, 1);
	send_request(NBD_CMD_BLOCK_STATUS, 6, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_error(5, NBD_EINVAL);
	receive_error(6, NBD_EINVAL);
	receive_nothing();
}
END_TEST

/* --- the others ---------------------------------------------------------- */

START_TEST(other_commands_are_answered_simply)
{
	send_request(NBD_CMD_WRITE, 5, 0, 100);
	send_bytes(pattern, 100);
	send_request(NBD_CMD_TRIM, 6, 0, PAGE);
	send_request(NBD_CMD_FLUSH, 7, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, 0);
	receive_reply(6, 0);
	receive_reply(7, 0);
	receive_nothing();
}
END_TEST

START_TEST(errors_of_other_commands_have_a_text)
{
	send_request(NBD_CMD_WRITE, 5, DISK_BYTES - 1, 100);
	send_bytes(pattern, 100);
	send_request(NBD_CMD_TRIM, 6, DISK_BYTES, 1);
	send_request(0xffff, 7, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_error(6, NBD_EINVAL);
	receive_error(7, NBD_EINVAL);
	receive_error(5, NBD_ENOSPC);
	receive_nothing();
}
END_TEST

START_TEST(zeros_that_must_not_be_holes_are_stored)
{
	send_flagged(NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, 5, 100,
		     5u << 20);
	send_request(NBD_CMD_WRITE_ZEROES, 6, 0, PAGE);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, 0);
	receive_reply(6, 0);
	receive_nothing();
	ck_assert_uint_eq(flat.stored_zero_bytes, 5u << 20);
	ck_assert_uint_le(flat.longest_trim, TRANSMISSION_SLICE_BYTES);
}
END_TEST

static TCase *reads(void)
{
	TCase *tc = tcase_create("reads");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_read_tells_of_data_and_holes);
	tcase_add_test(tc, a_read_of_parts_of_pages_stays_in_its_range);
	tcase_add_loop_test(tc, a_long_read_comes_in_chunks, 0, 2);
	tcase_add_test(tc, four_gigabytes_of_nothing_are_few_chunks);
	tcase_add_test(tc, a_read_that_fails_says_where);
	tcase_add_test(tc, a_read_that_fails_late_does_not_end_it);
	tcase_add_test(tc, a_read_of_nothing_is_one_chunk);
	tcase_add_test(tc, a_read_that_is_refused_is_a_chunk);
	tcase_add_loop_test(tc, an_unfragmented_read_spells_out_its_zeros, 0,
			    ARRAY_SIZE(unfragmented));
	tcase_add_test(tc, a_long_unfragmented_read_is_one_chunk);
	tcase_add_test(tc, an_unfragmented_read_that_fails_is_completed);
	tcase_add_test(tc, a_short_unfragmented_read_that_fails_sends_no_data);
	return tc;
}

static TCase *others(void)
{
	TCase *tc = tcase_create("others");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, block_status_tells_the_extents);
	tcase_add_test(tc, block_status_of_one_extent_is_one);
	tcase_add_test(tc, block_status_of_many_extents_is_cut);
	tcase_add_test(tc, block_status_waits_for_room);
	tcase_add_test(tc, block_status_out_of_range_is_refused);
	tcase_add_test(tc, other_commands_are_answered_simply);
	tcase_add_test(tc, errors_of_other_commands_have_a_text);
	tcase_add_test(tc, zeros_that_must_not_be_holes_are_stored);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("serve-chunks");

	suite_add_tcase(suite, reads());
	suite_add_tcase(suite, others());
	return suite_run(suite);
}
