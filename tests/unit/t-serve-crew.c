/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes that a worker packs with others: what is shared, and what comes of it.
 * The other one comes at once, when it is called, in the same thread, and does
 * all jobs in their order; model_crew has threads.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "suite.h"
#include "transmission_rig.h"

#define PAGE ZSD_PAGE_BYTES

static struct crew crew;
static struct crew_member own, other;
static struct export export;

/* Jobs so far, and of the largest batch. */
static unsigned nr_jobs, largest;

static void pack(void *arg, struct crew_job *job)
{
	ck_assert_ptr_eq(arg, &other);
	nr_jobs++;
	job->err = zstore_write(server.view.store, job->offset, PAGE, job->src);
}

static void wake(void *arg)
{
	const unsigned before = nr_jobs;

	ck_assert_ptr_eq(arg, &other);
	crew_resume(&other);
	crew_rest(&other, true);
	if (nr_jobs - before > largest)
		largest = nr_jobs - before;
}

static void setup(void)
{
	transmission_setup();
	memset(&crew, 0, sizeof(crew));
	crew.max_helpers = 1;
	crew_member_init(&own, &crew, false, pack, wake, &own);
	crew_member_init(&other, &crew, false, pack, wake, &other);
	crew_join(&own);
	crew_join(&other);
	crew_rest(&other, true);
	server.view.export = &export;
	server.t.crew = &own;
	nr_jobs = largest = 0;
}

static void teardown(void)
{
	crew_member_fini(&own);
	crew_member_fini(&other);
}

/* One page of the pattern, at a page of the disk. */
static void send_page(uint64_t cookie, unsigned page)
{
	send_request(NBD_CMD_WRITE, cookie, (uint64_t)page * PAGE, PAGE);
	send_bytes(pattern + (size_t)page * PAGE, PAGE);
}

/* Of the first so many pages, each a request. */
static void send_pages(unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		send_page(i, i);
}

static void expect_page(unsigned page)
{
	const size_t at = (size_t)page * PAGE;

	ck_assert(memcmp(flat.bytes + at, pattern + at, PAGE) == 0);
}

/* Piece by piece, each as if pages had taken as long as one is to, however long
 * they took: this test may not have its processor for itself. */
static void run_evenly(void)
{
	enum step step;

	server.deadline_ns = 0;
	do {
		server.t.page_ns = TRANSMISSION_PIECE_NS;
		server.t.nr_alone = 0;
		step = run();
	} while (step == STEP_YIELDS || step == STEP_SENDS);
	ck_assert_int_eq(step, STEP_NEEDS_INPUT);
}

/* Replies may come in any order. Return: the error of the next one. */
static uint32_t take_reply(bool *is_seen)
{
	const unsigned char *p = received();
	uint64_t cookie = load_be64(p + 8);
	uint32_t error = load_be32(p + 4);

	ck_assert_uint_ge(unreceived(), NBD_SIMPLE_REPLY_BYTES);
	ck_assert(!is_seen[cookie]);
	is_seen[cookie] = true;
	take(NBD_SIMPLE_REPLY_BYTES);
	return error;
}

/* The requests 0 to @nr - 1 are answered, without an error. */
static void take_successes(unsigned nr)
{
	bool is_seen[8] = {false};

	ck_assert_uint_le(nr, ARRAY_SIZE(is_seen));
	for (unsigned i = 0; i < nr; i++)
		ck_assert_uint_eq(take_reply(is_seen), 0);
	for (unsigned i = 0; i < nr; i++)
		ck_assert(is_seen[i]);
}

START_TEST(pages_of_several_writes_are_shared)
{
	bool is_seen[8] = {false};

	for (unsigned i = 0; i < 8; i++)
		send_page(i, i * 2);
	run_evenly();
	ck_assert_uint_eq(nr_jobs, 8);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(take_reply(is_seen), 0);
		expect_page(i * 2);
	}
	receive_nothing();
	ck_assert_uint_eq(count_of(COUNT_write), 8);
	ck_assert_uint_eq(count_of(COUNT_write_bytes), 8 * PAGE);
	ck_assert_uint_eq(count_of(COUNT_helped_pages), 8);
}
END_TEST

START_TEST(so_are_those_of_one_write)
{
	send_request(NBD_CMD_WRITE, 3, PAGE, 7 * PAGE);
	send_bytes(pattern, 7 * PAGE);
	run_evenly();
	receive_reply(3, 0);
	ck_assert_uint_eq(nr_jobs, 7);
	ck_assert(memcmp(flat.bytes + PAGE, pattern, 7 * PAGE) == 0);
}
END_TEST

START_TEST(of_a_long_write_as_much_as_has_come)
{
	const uint32_t nr = 60, lot = 10 * PAGE + PAGE / 2;

	send_request(NBD_CMD_WRITE, 3, 0, nr * PAGE);
	for (uint32_t sent = 0; sent < nr * PAGE;) {
		uint32_t bytes = min_u32(lot, nr * PAGE - sent);

		receive_nothing();
		send_bytes(pattern + sent, bytes);
		sent += bytes;
		run_evenly();
	}
	receive_reply(3, 0);
	ck_assert(!flat.split_a_page);
	ck_assert_uint_eq(nr_jobs, nr);
	ck_assert_uint_ge(largest, 10);
	ck_assert(memcmp(flat.bytes, pattern, (size_t)nr * PAGE) == 0);
}
END_TEST

START_TEST(an_error_is_its_request_s_alone)
{
	bool is_seen[4] = {false};
	unsigned nr_failed = 0;

	flat.bad_offset = 2 * PAGE + 5;
	flat.write_err = -ENOSPC;
	send_pages(4);
	run_evenly();
	for (unsigned i = 0; i < 4; i++)
		nr_failed += take_reply(is_seen) == NBD_ENOSPC;
	ck_assert_uint_eq(nr_failed, 1);
	ck_assert_uint_eq(nr_jobs, 4);
	ck_assert_uint_eq(count_of(COUNT_errors), 1);
	expect_page(3);
	ck_assert_uint_eq(flat.bytes[2 * PAGE], 0);
}
END_TEST

/* The rest of its payload is taken off the stream. */
START_TEST(an_error_in_the_midst_of_a_write_ends_it)
{
	flat.bad_offset = 2 * PAGE;
	flat.write_err = -ENOSPC;
	send_request(NBD_CMD_WRITE, 1, 0, 6 * PAGE);
	send_bytes(pattern, 4 * PAGE);
	run_evenly();
	send_bytes(pattern, 2 * PAGE);
	send_request(NBD_CMD_FLUSH, 2, 0, 0);
	run_evenly();
	receive_reply(1, NBD_ENOSPC);
	receive_reply(2, 0);
}
END_TEST

static bool is_slow;

static bool waits(uint64_t offset, uint64_t bytes)
{
	(void)bytes;
	return is_slow && offset == PAGE;
}

/* A tenth of a millisecond for each page. */
static bool takes_its_time(uint64_t offset, uint64_t bytes)
{
	const uint64_t end_ns = transmission_now_ns() + 100000;

	(void)offset;
	(void)bytes;
	while (transmission_now_ns() < end_ns)
		;
	return false;
}

START_TEST(one_that_waits_holds_up_no_other)
{
	bool is_seen[3] = {false};

	is_slow = true;
	flat.waits = waits;
	send_pages(3);
	run_evenly();
	ck_assert_uint_eq(take_reply(is_seen), 0);
	ck_assert_uint_eq(take_reply(is_seen), 0);
	receive_nothing();
	ck_assert(!is_seen[1]);
	ck_assert(transmission_waits(&server.t));
	is_slow = false;
	ck_assert(transmission_wake(&server.t));
	run_evenly();
	receive_reply(1, 0);
	expect_page(1);
}
END_TEST

/* Of two writes of one page the later one lasts. */
START_TEST(writes_that_touch_are_not_shared)
{
	send_page(0, 0);
	send_request(NBD_CMD_WRITE, 1, 0, PAGE);
	send_bytes(pattern + PAGE, PAGE);
	send_page(2, 2);
	send_page(3, 3);
	run_evenly();
	take_successes(4);
	ck_assert(memcmp(flat.bytes, pattern + PAGE, PAGE) == 0);
	ck_assert_uint_lt(nr_jobs, 4);
}
END_TEST

/* A part of a page is patched, under a lock, by one. */
START_TEST(parts_of_pages_are_done_alone)
{
	for (unsigned i = 0; i < 4; i++) {
		send_request(NBD_CMD_WRITE, i, i * PAGE * 3 + 512, PAGE);
		send_bytes(pattern, PAGE);
	}
	run_evenly();
	take_successes(4);
	ck_assert_uint_eq(nr_jobs, 0);
}
END_TEST

/* Those of a server that died: whoever kills the next one is to be known. */
START_TEST(what_may_have_killed_is_done_alone)
{
	struct stream_mark mark = {0};
	server.t.mark = &mark;
	server.t.alone_until = 2;
	send_pages(5);
	run_evenly();
	take_successes(5);
	ck_assert_uint_eq(nr_jobs, 3);
	ck_assert_uint_eq(mark.request, 0);
}
END_TEST

START_TEST(nothing_is_shared_where_nobody_rests)
{
	crew_serve(&other);
	send_pages(4);
	run_evenly();
	take_successes(4);
	ck_assert_uint_eq(nr_jobs, 0);
}
END_TEST

START_TEST(nor_what_is_done_soon)
{
	server.t.page_ns = CREW_WORTH_NS / 10;
	send_page(0, 0);
	send_page(1, 1);
	run_on(STEP_NEEDS_INPUT);
	receive_reply(0, 0);
	receive_reply(1, 0);
	ck_assert_uint_eq(nr_jobs, 0);
}
END_TEST

/* Eight pages that took 12 us each take 100 when they are shared. */
START_TEST(help_that_does_not_pay_is_left_for_a_while)
{
	server.t.page_ns = CREW_WORTH_NS / 4;
	flat.waits = takes_its_time;
	send_pages(8);
	ck_assert_int_eq(run(), STEP_NEEDS_INPUT);
	take_successes(8);
	ck_assert_uint_eq(nr_jobs, 8);
	ck_assert_uint_gt(server.t.nr_alone, 0);
	server.t.page_ns = TRANSMISSION_PIECE_NS;
	send_page(0, 0);
	send_page(1, 1);
	run_on(STEP_NEEDS_INPUT);
	ck_assert_uint_eq(nr_jobs, 8);
}
END_TEST

/* With room for two replies in the send ring two requests are shared. */
START_TEST(no_more_are_shared_than_can_be_answered)
{
	const size_t room = 2 * NBD_REPLY_MAX_BYTES + 10;
	io_ring_prepare(&server.tx, io_ring_room(&server.tx));
	io_ring_fill(&server.tx, io_ring_room(&server.tx) - room);
	send_pages(5);
	run_evenly();
	ck_assert_uint_eq(largest, 2);
	take(TX_BYTES - room);
	take_successes(5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crew");
	TCase *tc = tcase_create("crew");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, pages_of_several_writes_are_shared);
	tcase_add_test(tc, so_are_those_of_one_write);
	tcase_add_test(tc, of_a_long_write_as_much_as_has_come);
	tcase_add_test(tc, an_error_is_its_request_s_alone);
	tcase_add_test(tc, an_error_in_the_midst_of_a_write_ends_it);
	tcase_add_test(tc, one_that_waits_holds_up_no_other);
	tcase_add_test(tc, writes_that_touch_are_not_shared);
	tcase_add_test(tc, parts_of_pages_are_done_alone);
	tcase_add_test(tc, what_may_have_killed_is_done_alone);
	tcase_add_test(tc, nothing_is_shared_where_nobody_rests);
	tcase_add_test(tc, nor_what_is_done_soon);
	tcase_add_test(tc, help_that_does_not_pay_is_left_for_a_while);
	tcase_add_test(tc, no_more_are_shared_than_can_be_answered);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
