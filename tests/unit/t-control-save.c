/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `save`: a stream behind the reply, whose client sets the pace.
 */
#include "config.h"

#include <check.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zsave/zsave.h"

#define SAVE "{\"id\":1,\"command\":\"save\"}"
#define SAVE_LIVE \
	"{\"id\":1,\"command\":\"save\",\"arguments\":{\"live\":true}}"

static void start(void)
{
	rig_start();
	rig_store()->nr_blocks = 5;
}

static void read_all(int fd, void *dst, size_t bytes)
{
	ck_assert_int_eq(recv(fd, dst, bytes, MSG_WAITALL), (ssize_t)bytes);
}

static void expect_block(int fd, int byte)
{
	static unsigned char block[RIG_BLOCK_BYTES];

	read_all(fd, block, sizeof(block));
	for (size_t i = 0; i < sizeof(block); i++)
		quiet_assert(block[i] == byte);
}

static void expect_blocks(int fd, int first, int end)
{
	while (first < end)
		expect_block(fd, first++);
}

static bool get_flag(const json_t *result, const char *name)
{
	const json_t *value = json_object_get(result, name);

	ck_assert(json_is_boolean(value));
	return json_is_true(value);
}

/* Begin a save, and have it said whether it is live. */
static void begin(int fd, const char *request, bool is_live)
{
	json_t *reply = rig_ask(fd, request);
	json_t *result = rig_result(reply, 1);

	ck_assert(get_flag(result, "live") == is_live);
	ck_assert_int_eq(json_integer_value(json_object_get(result, "format")),
			 ZSAVE_VERSION);
	ck_assert_int_eq(
		json_integer_value(json_object_get(result, "size_bytes")),
		1 << 20);
	ck_assert_uint_eq(rig_store()->save_flags, is_live);
	json_decref(reply);
}

static void expect_stats(int fd)
{
	json_t *reply = rig_ask(fd, "{\"id\":7,\"command\":\"stats\"}");

	rig_result(reply, 7);
	json_decref(reply);
}

static void await_end(void)
{
	for (int i = 0; rig_store()->nr_saves && i < RIG_PATIENCE_S * 100; i++)
		usleep(10000);
	ck_assert_int_eq(rig_store()->nr_saves, 0);
}

START_TEST(the_stream_follows_the_reply)
{
	int fd = rig_connect();

	begin(fd, SAVE, false);
	expect_blocks(fd, 0, 5);
	expect_block(fd, 0xee);
	await_end();
	/* And the connection goes on. */
	expect_stats(fd);
	begin(fd, SAVE, false);
	expect_blocks(fd, 0, 5);
	expect_block(fd, 0xee);
	close(fd);
}
END_TEST

START_TEST(a_disk_with_clients_is_saved_live_alone)
{
	int fd = rig_connect();

	rig_attach();
	rig_expect_error(rig_ask(fd, SAVE), 1, "EBUSY", "has 1 client:");
	rig_attach();
	rig_expect_error(rig_ask(fd, SAVE), 1, "EBUSY", "has 2 clients:");
	ck_assert_int_eq(rig_store()->nr_saves, 0);
	begin(fd, SAVE_LIVE, true);
	expect_blocks(fd, 0, 5);
	expect_block(fd, 0xee);
	rig_detach();
	rig_detach();
	begin(fd, SAVE, false);
	close(fd);
	await_end();
}
END_TEST

START_TEST(a_disk_that_nobody_may_change_is_saved_with_clients)
{
	int fd = rig_connect();

	rig_make_read_only();
	rig_attach();
	begin(fd, SAVE, false);
	rig_attach();
	expect_blocks(fd, 0, 5);
	expect_block(fd, 0xee);
	rig_detach();
	rig_detach();
	close(fd);
}
END_TEST

static void expect_text(int fd, const char *part)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, part));
}

/* How many blocks are on their way already is the socket's affair. */
static void skip_blocks(int fd)
{
	unsigned char byte;

	while (recv(fd, &byte, 1, MSG_PEEK) == 1 && byte < ' ')
		expect_block(fd, byte);
}

/* Though it has left again, what it wrote may be in a part of the file. */
START_TEST(a_client_that_comes_meanwhile_ends_it)
{
	int fd = rig_connect();

	rig_store()->nr_blocks = 30;
	begin(fd, SAVE, false);
	expect_block(fd, 0);
	rig_attach();
	rig_detach();
	skip_blocks(fd);
	expect_text(fd, "attached to the disk meanwhile");
	await_end();
	expect_stats(fd);
	close(fd);
}
END_TEST

START_TEST(a_client_that_comes_meanwhile_does_not_mind_a_live_one)
{
	int fd = rig_connect();

	begin(fd, SAVE_LIVE, true);
	rig_attach();
	rig_detach();
	expect_blocks(fd, 0, 5);
	expect_block(fd, 0xee);
	close(fd);
}
END_TEST

START_TEST(a_damaged_page_ends_it)
{
	int fd = rig_connect();

	rig_store()->damaged_block = 3;
	begin(fd, SAVE, false);
	expect_blocks(fd, 0, 2);
	expect_text(fd, "page 2 of the disk is damaged");
	await_end();
	close(fd);
}
END_TEST

/* It reads nothing, and leaves in the middle. */
START_TEST(a_client_that_does_not_read_delays_nobody)
{
	int slow = rig_connect(), fd = rig_connect();

	rig_store()->nr_blocks = 30;
	begin(slow, SAVE, false);
	for (int i = 0; i < 50; i++)
		expect_stats(fd);
	ck_assert_int_eq(rig_store()->nr_saves, 1);
	/* Two at a time are two streams. */
	begin(fd, SAVE, false);
	expect_blocks(fd, 0, 30);
	expect_block(fd, 0xee);
	close(slow);
	await_end();
	close(fd);
}
END_TEST

START_TEST(a_stop_ends_it)
{
	int fd = rig_connect();

	rig_store()->nr_blocks = 30;
	begin(fd, SAVE, false); /* the socket goes with the process */
}
END_TEST

START_TEST(a_stream_that_is_not_taken_is_given_up)
{
	struct pollfd hung_up = {.events = 0};

	rig_start_impatient();
	rig_store()->nr_blocks = 30;
	hung_up.fd = rig_connect();
	begin(hung_up.fd, SAVE, false);
	ck_assert_int_eq(poll(&hung_up, 1, RIG_PATIENCE_S * 1000), 1);
	ck_assert_int_ne(hung_up.revents & POLLHUP, 0);
	await_end();
	close(hung_up.fd);
	rig_stop();
}
END_TEST

/* Each block that is taken buys time for the next. */
START_TEST(a_slow_client_is_waited_for)
{
	int fd;

	rig_start_impatient();
	rig_store()->nr_blocks = 12;
	fd = rig_connect();
	begin(fd, SAVE, false);
	for (int i = 0; i < 12; i++) {
		usleep(RIG_IDLE_MS * 1000 / 6);
		expect_block(fd, i);
	}
	expect_block(fd, 0xee);
	close(fd);
	rig_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control-save");
	TCase *tcase = tcase_create("save");

	tcase_add_checked_fixture(tcase, start, rig_stop);
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
	tcase_add_test(tcase, the_stream_follows_the_reply);
	tcase_add_test(tcase, a_disk_with_clients_is_saved_live_alone);
	tcase_add_test(tcase,
		       a_disk_that_nobody_may_change_is_saved_with_clients);
	tcase_add_test(tcase, a_client_that_comes_meanwhile_ends_it);
	tcase_add_test(tcase,
		       a_client_that_comes_meanwhile_does_not_mind_a_live_one);
	tcase_add_test(tcase, a_damaged_page_ends_it);
	tcase_add_test(tcase, a_client_that_does_not_read_delays_nobody);
	tcase_add_test(tcase, a_stop_ends_it);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("patience");
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
	tcase_add_test(tcase, a_stream_that_is_not_taken_is_given_up);
	tcase_add_test(tcase, a_slow_client_is_waited_for);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
