/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "suite.h"
#include "transmission_rig.h"

/* --- writes -------------------------------------------------------------- */

START_TEST(a_write_is_stored_and_answered)
{
	send_request(NBD_CMD_WRITE, 5, 1000, 10000);
	send_bytes(pattern, 10000);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, 0);
	receive_nothing();
	ck_assert_mem_eq(flat.bytes + 1000, pattern, 10000);
	ck_assert_uint_eq(flat.bytes[999], 0);
	ck_assert_uint_eq(flat.bytes[11000], 0);
	ck_assert_uint_eq(count_of(COUNT_write), 1);
	ck_assert_uint_eq(count_of(COUNT_write_bytes), 10000);
}
END_TEST

/* Whatever the pieces, no page is written twice. */
START_TEST(a_write_may_come_byte_by_byte)
{
	unsigned char request[NBD_REQUEST_BYTES];

	encode_request(request, NBD_CMD_WRITE, 5, 4000, 9000);
	for (size_t i = 0; i < sizeof(request); i++) {
		send_bytes(request + i, 1);
		run_on(STEP_NEEDS_INPUT);
	}
	for (size_t i = 0; i < 9000; i++) {
		receive_nothing();
		send_bytes(pattern + i, 1);
		run_on(STEP_NEEDS_INPUT);
	}
	receive_reply(5, 0);
	ck_assert_mem_eq(flat.bytes + 4000, pattern, 9000);
	ck_assert_uint_eq(flat.nr_calls, 4);
	ck_assert(!flat.split_a_page);
}
END_TEST

START_TEST(a_write_of_32_megabytes_passes_through_the_buffer)
{
	const uint32_t length = NBD_EXPORT_MAX_PAYLOAD_BYTES;

	send_request(NBD_CMD_WRITE, 5, 77, length);
	for (uint32_t sent = 0; sent < length; sent += 128u << 10) {
		ck_assert_uint_eq(transmission_missing_bytes(&server.t),
				  sent ? length - sent : 0);
		send_bytes(pattern, 128u << 10);
		run_on(STEP_NEEDS_INPUT);
	}
	receive_reply(5, 0);
	for (uint32_t at = 0; at < length; at += 128u << 10)
		ck_assert(memcmp(flat.bytes + 77 + at, pattern, 128u << 10) ==
			  0);
	ck_assert(!flat.split_a_page);
	ck_assert_uint_eq(transmission_missing_bytes(&server.t), 0);
}
END_TEST

START_TEST(a_write_that_fails_takes_its_payload_along)
{
	flat.bad_offset = 6000;
	flat.write_err = -ENOSPC;
	send_request(NBD_CMD_WRITE, 5, 0, 40000);
	send_bytes(pattern, 4096);
	run_on(STEP_NEEDS_INPUT);
	send_bytes(pattern + 4096, 40000 - 4096);
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, NBD_ENOSPC);
	receive_reply(6, 0);
	receive_nothing();
	ck_assert_mem_eq(flat.bytes, pattern, 4096);
	ck_assert_uint_eq(flat.nr_calls, 2);
	ck_assert_uint_eq(count_of(COUNT_errors), 1);
	ck_assert_uint_eq(count_of(COUNT_write), 1);
	ck_assert_uint_eq(count_of(COUNT_write_bytes), 0);
}
END_TEST

START_TEST(a_write_that_is_refused_takes_its_payload_along)
{
	send_request(NBD_CMD_WRITE, 5, DISK_BYTES - 1, 40000);
	send_bytes(pattern, 40000);
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, NBD_ENOSPC);
	receive_reply(6, 0);
	receive_nothing();
	ck_assert_uint_eq(flat.nr_calls, 0);
}
END_TEST

START_TEST(a_write_that_is_too_long_is_skipped)
{
	send_request(NBD_CMD_WRITE, 5, 0, NBD_MAX_SKIP_BYTES);
	for (uint32_t i = 0; i < NBD_MAX_SKIP_BYTES; i += RX_BYTES / 2) {
		send_bytes(pattern, RX_BYTES / 2);
		run_on(STEP_NEEDS_INPUT);
	}
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, NBD_EINVAL);
	receive_reply(6, 0);
	ck_assert_uint_eq(flat.nr_calls, 0);
}
END_TEST

START_TEST(a_write_that_is_far_too_long_ends_it)
{
	send_request(NBD_CMD_FLUSH, 5, 0, 0);
	send_request(NBD_CMD_WRITE, 6, 0, NBD_MAX_SKIP_BYTES + 1);
	run_on(STEP_ENDS);
	receive_reply(5, 0);
	receive_nothing();
	ck_assert_int_eq(server.t.reason, -EMSGSIZE);
}
END_TEST

/* --- reads --------------------------------------------------------------- */

START_TEST(a_read_is_answered_with_its_data)
{
	memcpy(flat.bytes + 1000, pattern, 10000);
	send_request(NBD_CMD_READ, 5, 1000, 10000);
	send_request(NBD_CMD_READ, 6, 4096, 4096);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, 0);
	receive_data(pattern, 10000);
	receive_reply(6, 0);
	receive_data(flat.bytes + 4096, 4096);
	receive_nothing();
	ck_assert_uint_eq(count_of(COUNT_read), 2);
	ck_assert_uint_eq(count_of(COUNT_read_bytes), 14096);
}
END_TEST

/* Receives the data of a long read in pieces of at most @piece bytes. */
static void receive_long(uint64_t offset, uint32_t length, size_t piece)
{
	uint32_t here = 0;
	size_t bytes;
	enum step step;

	while (here < length) {
		step = run();
		if (step == STEP_NEEDS_INPUT)
			ck_assert_uint_eq(unreceived(), length - here);
		bytes = min_u64(unreceived(), piece);
		ck_assert_uint_gt(bytes, 0);
		ck_assert(memcmp(received(), flat.bytes + offset + here,
				 bytes) == 0);
		take(bytes);
		here += (uint32_t)bytes;
	}
}

static const size_t read_pieces[] = {4096, 50000, TX_BYTES};

START_TEST(a_read_of_32_megabytes_passes_through_the_buffer)
{
	const uint32_t length = NBD_EXPORT_MAX_PAYLOAD_BYTES;

	for (uint64_t at = 0; at < FLAT_STORE_BYTES; at += 4096)
		store_be64(flat.bytes + at, at + 1);
	send_request(NBD_CMD_READ, 5, 1000, length);
	ck_assert_int_ne(run(), STEP_NEEDS_INPUT);
	receive_reply(5, 0);
	receive_long(1000, length, read_pieces[_i]);
	receive_nothing();
	ck_assert(!flat.split_a_page);
	run_on(STEP_NEEDS_INPUT);
	ck_assert_uint_eq(count_of(COUNT_read_bytes), length);
}
END_TEST

/* With answers before it that have not been sent. */
START_TEST(a_read_that_fails_is_an_error_without_data)
{
	flat.bad_offset = (uint64_t)_i;
	flat.read_err = -EIO;
	send_request(NBD_CMD_READ, 4, 0, 0);
	send_request(NBD_CMD_READ, 5, 0, 128u << 10);
	send_request(NBD_CMD_FLUSH, 6, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(4, 0);
	receive_reply(5, NBD_EIO);
	receive_reply(6, 0);
	receive_nothing();
	ck_assert_uint_eq(count_of(COUNT_errors), 1);
	ck_assert_uint_eq(count_of(COUNT_read_bytes), 0);
}
END_TEST

/*
 * A read of which the first piece is made and the second fails, after
 * @sent_bytes were sent: of an earlier answer first, then of the read's. The
 * send ring has room for more than one piece.
 */
static enum step fail_after_sending(size_t sent_bytes)
{
	flat.bad_offset = TRANSMISSION_PIECE_BYTES;
	flat.read_err = -EIO;
	server.deadline_ns = 0;
	send_request(NBD_CMD_READ, 4, 0, 0);
	send_request(NBD_CMD_READ, 5, 0, 2 * TRANSMISSION_PIECE_BYTES);
	while (flat.nr_calls == 0)
		ck_assert_int_eq(run(), STEP_YIELDS);
	take(sent_bytes);
	server.deadline_ns = UINT64_MAX;
	return run();
}

START_TEST(a_read_that_fails_before_it_was_sent_is_an_error)
{
	ck_assert_int_eq(fail_after_sending(_i ? NBD_SIMPLE_REPLY_BYTES : 0),
			 STEP_NEEDS_INPUT);
	if (_i == 0)
		receive_reply(4, 0);
	receive_reply(5, NBD_EIO);
	receive_nothing();
}
END_TEST

static const size_t too_much_sent[] = {
	NBD_SIMPLE_REPLY_BYTES + 1,
	2 * NBD_SIMPLE_REPLY_BYTES,
	2 * NBD_SIMPLE_REPLY_BYTES + TRANSMISSION_PIECE_BYTES,
};

START_TEST(a_read_that_fails_after_part_was_sent_ends_it)
{
	ck_assert_int_eq(fail_after_sending(too_much_sent[_i]), STEP_ENDS);
	ck_assert_int_eq(server.t.reason, -EIO);
}
END_TEST

/* As of a connection that is kept: what was made may be sent by another. */
START_TEST(a_read_that_fails_after_a_commit_ends_it)
{
	flat.bad_offset = TRANSMISSION_PIECE_BYTES;
	flat.read_err = -EIO;
	server.deadline_ns = 0;
	send_request(NBD_CMD_READ, 5, 0, 2 * TRANSMISSION_PIECE_BYTES);
	ck_assert_int_eq(run(), STEP_YIELDS);
	server.t.told_pos = server.tx.tail;
	ck_assert_int_eq(run(), STEP_ENDS);
	ck_assert_int_eq(server.t.reason, -EIO);
	ck_assert_uint_eq(unreceived(),
			  NBD_SIMPLE_REPLY_BYTES + TRANSMISSION_PIECE_BYTES);
}
END_TEST

START_TEST(one_request_may_be_refused)
{
	server.t.refused = 2; /* the second */
	for (unsigned i = 0; i < 3; i++)
		send_request(NBD_CMD_TRIM, i, i * 4096, 4096);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(1, NBD_EIO);
	receive_reply(0, 0);
	receive_reply(2, 0);
	receive_nothing();
	ck_assert_uint_eq(flat.trimmed_bytes, 2 * 4096);
}
END_TEST

/* --- trim and the others ------------------------------------------------- */

static const uint16_t slow_types[] = {NBD_CMD_TRIM, NBD_CMD_WRITE_ZEROES};

START_TEST(four_gigabytes_are_cleared_in_slices)
{
	server.deadline_ns = 0;
	send_request(slow_types[_i], 5, 4096, UINT32_MAX - 4095);
	ck_assert_uint_ge(run_on(STEP_NEEDS_INPUT), 1000);
	receive_reply(5, 0);
	receive_nothing();
	ck_assert_uint_le(flat.longest_trim, TRANSMISSION_SLICE_BYTES);
	ck_assert_uint_eq(flat.trimmed_bytes, UINT32_MAX - 4095);
}
END_TEST

START_TEST(slices_meet_where_pages_do)
{
	memset(flat.bytes, 1, FLAT_STORE_BYTES);
	send_request(slow_types[_i], 5, 100, 20u << 20);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, 0);
	ck_assert(!flat.split_a_page);
	/* A trim leaves pages alone that it covers in part only. */
	ck_assert_uint_eq(flat.trimmed_bytes,
			  (20u << 20) - (_i == 0 ? 4096 : 0));
}
END_TEST

START_TEST(write_zeroes_that_fails_stops)
{
	flat.bad_offset = 9u << 20;
	flat.zeroes_err = -ENOMEM;
	send_request(NBD_CMD_WRITE_ZEROES, 5, 0, UINT32_MAX);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, NBD_ENOSPC);
	ck_assert_uint_eq(flat.nr_calls,
			  (9u << 20) / TRANSMISSION_SLICE_BYTES + 1);
}
END_TEST

START_TEST(requests_of_no_length_touch_nothing)
{
	/* Those that change nothing are answered first. */
	static const uint16_t types[] = {NBD_CMD_READ,	       NBD_CMD_CACHE,
					 NBD_CMD_WRITE,	       NBD_CMD_TRIM,
					 NBD_CMD_WRITE_ZEROES, NBD_CMD_FLUSH};

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		send_request(types[i], i, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		receive_reply(i, 0);
	receive_nothing();
	ck_assert_uint_eq(flat.nr_calls, 0);
	ck_assert_uint_eq(count_of(COUNT_read), 1);
	ck_assert_uint_eq(count_of(COUNT_write), 1);
	ck_assert_uint_eq(count_of(COUNT_trim), 1);
	ck_assert_uint_eq(count_of(COUNT_write_zeroes), 1);
	ck_assert_uint_eq(count_of(COUNT_cache), 1);
	ck_assert_uint_eq(count_of(COUNT_flush), 1);
}
END_TEST

START_TEST(unknown_requests_are_refused_and_counted)
{
	send_request(NBD_CMD_BLOCK_STATUS, 5, 0, 4096);
	send_request(0xffff, 6, 0, 4096);
	send_request(NBD_CMD_FLUSH, 7, 0, 0);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(5, NBD_EINVAL);
	receive_reply(6, NBD_EINVAL);
	receive_reply(7, 0);
	ck_assert_uint_eq(count_of(COUNT_errors), 2);
}
END_TEST

/* --- order --------------------------------------------------------------- */

static bool is_slow;

static bool waits(uint64_t offset, uint64_t bytes)
{
	(void)offset;
	(void)bytes;
	return is_slow;
}

/* What touches nothing waits for nothing, wherever it says to be. */
START_TEST(what_is_refused_or_of_no_length_stands_in_no_ones_way)
{
	flat.waits = waits;
	is_slow = true;
	send_request(NBD_CMD_WRITE, 1, 0, 8192);
	send_bytes(pattern, 8192);
	send_flagged(NBD_CMD_READ, NBD_CMD_FLAG_REQ_ONE, 2, 100, 100);
	send_request(NBD_CMD_READ, 3, 100, 0);
	send_request(NBD_CMD_TRIM, 4, 4096, 0);
	send_flagged(NBD_CMD_WRITE, NBD_CMD_FLAG_NO_HOLE, 5, 4096, 100);
	send_bytes(pattern, 100);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(2, NBD_EINVAL);
	receive_reply(3, 0);
	receive_reply(4, 0);
	receive_reply(5, NBD_EINVAL);
	receive_nothing();
	is_slow = false;
	ck_assert(transmission_wake(&server.t));
	run_on(STEP_NEEDS_INPUT);
	receive_reply(1, 0);
	ck_assert(!transmission_wake(&server.t));
}
END_TEST

/* --- the end ------------------------------------------------------------- */

START_TEST(goodbye_ends_it)
{
	send_request(NBD_CMD_FLUSH, 5, 0, 0);
	send_request(NBD_CMD_DISC, 6, 0, 0);
	send_request(NBD_CMD_FLUSH, 7, 0, 0);
	run_on(STEP_ENDS);
	receive_reply(5, 0);
	receive_nothing();
	ck_assert_int_eq(server.t.reason, 0);
}
END_TEST

START_TEST(a_request_without_magic_ends_it)
{
	static const unsigned char bytes[NBD_REQUEST_BYTES];

	send_request(NBD_CMD_FLUSH, 5, 0, 0);
	send_bytes(bytes, sizeof(bytes));
	run_on(STEP_ENDS);
	receive_reply(5, 0);
	receive_nothing();
	ck_assert_int_eq(server.t.reason, -EPROTO);
}
END_TEST

/* --- bounds -------------------------------------------------------------- */

START_TEST(a_client_that_does_not_read_is_not_answered)
{
	size_t used;
	enum step step;

	for (unsigned i = 0; i < RX_BYTES / NBD_REQUEST_BYTES; i++)
		send_request(NBD_CMD_READ, i, 0, 4096);
	do {
		step = run();
	} while (step == STEP_YIELDS);
	ck_assert_int_eq(step, STEP_NEEDS_ROOM);
	used = unreceived();
	ck_assert_uint_gt(used, TX_BYTES - 2 * 4112);
	ck_assert_int_eq(run(), STEP_NEEDS_ROOM);
	ck_assert_uint_eq(unreceived(), used);
}
END_TEST

/* The second request's page is fetched before the first one is run; a third
 * that is not all there, and one past the end, are not looked at. */
START_TEST(the_next_request_is_looked_ahead_to)
{
	unsigned char bytes[NBD_REQUEST_BYTES];

	send_request(NBD_CMD_READ, 1, 0, ZSD_PAGE_BYTES);
	send_request(NBD_CMD_READ, 2, 5 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	encode_request(bytes, NBD_CMD_READ, 3, 0, ZSD_PAGE_BYTES);
	send_bytes(bytes, sizeof(bytes) - 1);
	run_on(STEP_NEEDS_INPUT);
	ck_assert_uint_eq(flat.nr_prefetches, 1);
	ck_assert_uint_eq(flat.last_prefetch, 5 * ZSD_PAGE_BYTES);
	send_bytes(bytes + sizeof(bytes) - 1, 1);
	send_request(NBD_CMD_READ, 4, DISK_BYTES, ZSD_PAGE_BYTES);
	run_on(STEP_NEEDS_INPUT);
	ck_assert_uint_eq(flat.nr_prefetches, 1);
}
END_TEST

START_TEST(many_requests_take_turns)
{
	const unsigned nr = 1000;

	server.deadline_ns = 0;
	for (unsigned i = 0; i < nr; i++)
		send_request(NBD_CMD_FLUSH, i, 0, 0);
	ck_assert_uint_ge(run_on(STEP_NEEDS_INPUT), 3);
	for (unsigned i = 0; i < nr; i++)
		receive_reply(i, 0);
	receive_nothing();
	ck_assert_uint_eq(server.t.nr_answered, nr);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("serve-transmission");
	TCase *tc = tcase_create("transmission");

	tcase_add_checked_fixture(tc, transmission_setup, NULL);
	tcase_add_test(tc, a_write_is_stored_and_answered);
	tcase_add_test(tc, a_write_may_come_byte_by_byte);
	tcase_add_test(tc, a_write_of_32_megabytes_passes_through_the_buffer);
	tcase_add_test(tc, a_write_that_fails_takes_its_payload_along);
	tcase_add_test(tc, a_write_that_is_refused_takes_its_payload_along);
	tcase_add_test(tc, a_write_that_is_too_long_is_skipped);
	tcase_add_test(tc, a_write_that_is_far_too_long_ends_it);
	tcase_add_test(tc, a_read_is_answered_with_its_data);
	tcase_add_loop_test(tc,
			    a_read_of_32_megabytes_passes_through_the_buffer, 0,
			    ARRAY_SIZE(read_pieces));
	tcase_add_loop_test(tc, a_read_that_fails_is_an_error_without_data, 0,
			    2);
	tcase_add_loop_test(
		tc, a_read_that_fails_before_it_was_sent_is_an_error, 0, 2);
	tcase_add_loop_test(tc, a_read_that_fails_after_part_was_sent_ends_it,
			    0, ARRAY_SIZE(too_much_sent));
	tcase_add_loop_test(tc, four_gigabytes_are_cleared_in_slices, 0, 2);
	tcase_add_loop_test(tc, slices_meet_where_pages_do, 0, 2);
	tcase_add_test(tc, a_read_that_fails_after_a_commit_ends_it);
	tcase_add_test(tc, one_request_may_be_refused);
	tcase_add_test(tc, write_zeroes_that_fails_stops);
	tcase_add_test(tc, requests_of_no_length_touch_nothing);
	tcase_add_test(tc, unknown_requests_are_refused_and_counted);
	tcase_add_test(tc,
		       what_is_refused_or_of_no_length_stands_in_no_ones_way);
	tcase_add_test(tc, goodbye_ends_it);
	tcase_add_test(tc, a_request_without_magic_ends_it);
	tcase_add_test(tc, a_client_that_does_not_read_is_not_answered);
	tcase_add_test(tc, the_next_request_is_looked_ahead_to);
	tcase_add_test(tc, many_requests_take_turns);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
