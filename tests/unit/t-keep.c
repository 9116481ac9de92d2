/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the keeper and its servers say to each other, and what it holds. That
 * servers can be killed is tested with zsd itself: tests/func/survive.sh.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "keep/channel.h"
#include "keep/held.h"
#include "suite.h"

static int fds[2];

static void setup(void)
{
	ck_assert_int_eq(keep_channel_pair(fds), 0);
}

static void teardown(void)
{
	close(fds[0]);
	close(fds[1]);
}

static struct keep_message numbered(uint32_t number)
{
	return (struct keep_message){.kind = KEEP_CONN, .number = number};
}

/* --- the channel ----------------------------------------------------------- */

START_TEST(messages_come_in_order_and_whole)
{
	struct keep_message message = numbered(1);
	int fd;

	message.figures.pause_us = UINT64_MAX;
	strcpy(message.text, "text");
	ck_assert_int_eq(keep_send(fds[0], &message, -1, false), 0);
	message = numbered(2);
	ck_assert_int_eq(keep_send(fds[0], &message, -1, false), 0);
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, true), 0);
	ck_assert_int_eq(fd, -1);
	ck_assert_uint_eq(message.number, 1);
	ck_assert_uint_eq(message.figures.pause_us, UINT64_MAX);
	ck_assert_str_eq(message.text, "text");
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, false), 0);
	ck_assert_uint_eq(message.number, 2);
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, false), -EAGAIN);
}
END_TEST

START_TEST(a_descriptor_comes_with_its_message)
{
	struct keep_message message = numbered(1);
	int null = open("/dev/null", O_RDWR), fd;
	struct stat sent, received;

	ck_assert_int_eq(keep_send(fds[0], &message, null, false), 0);
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, false), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fd, null);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstat(null, &sent), 0);
	ck_assert_int_eq(fstat(fd, &received), 0);
	ck_assert_uint_eq(sent.st_rdev, received.st_rdev);
	close(fd);
	close(null);
}
END_TEST

START_TEST(the_last_words_are_heard)
{
	struct keep_message message = numbered(7);
	int fd;

	/* It died with something unread, which the kernel tells as an error. */
	ck_assert_int_eq(keep_send(fds[1], &message, -1, false), 0);
	ck_assert_int_eq(keep_send(fds[0], &message, -1, false), 0);
	close(fds[0]);
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, true), 0);
	ck_assert_uint_eq(message.number, 7);
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, true), -EPIPE);
	ck_assert_int_eq(keep_send(fds[1], &message, -1, true), -EPIPE);
	fds[0] = dup(fds[1]);
}
END_TEST

START_TEST(a_full_channel_does_not_wait)
{
	struct keep_message message = numbered(0);
	int err, fd;
	uint32_t nr = 0;

	while (!(err = keep_send(fds[0], &message, -1, false)))
		message.number = ++nr;
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_uint_gt(nr, 16);
	for (uint32_t i = 0; i < nr; i++) {
		ck_assert_int_eq(keep_receive(fds[1], &message, &fd, false), 0);
		ck_assert_uint_eq(message.number, i);
	}
}
END_TEST

START_TEST(what_is_no_message_is_an_error)
{
	struct keep_message message;
	int fd;

	ck_assert_int_eq(send(fds[0], "x", 1, 0), 1);
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, false), -EPROTO);
	memset(&message, 0xff, sizeof(message)); /* a text without an end */
	ck_assert_int_eq(send(fds[0], &message, sizeof(message), 0),
			 sizeof(message));
	ck_assert_int_eq(keep_receive(fds[1], &message, &fd, false), -EPROTO);
	ck_assert_int_eq(fd, -1);
}
END_TEST

/* --- what is held ---------------------------------------------------------- */

static struct held held;

static void setup_held(void)
{
	ck_assert_int_eq(held_init(&held, 2, 3), 0);
}

static void teardown_held(void)
{
	held_fini(&held);
}

static int some_fd(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(connections_have_the_lowest_number_that_is_free)
{
	uint32_t number;
	int first = some_fd(), more;

	ck_assert(held_add_conn(&held, first, &number));
	ck_assert_uint_eq(number, 0);
	ck_assert(held_add_conn(&held, some_fd(), &number));
	ck_assert(held_add_conn(&held, some_fd(), &number));
	ck_assert_uint_eq(number, 2);
	more = some_fd();
	ck_assert(!held_add_conn(&held, more, &number));
	held_drop_conn(&held, 0);
	ck_assert(!is_open(first));
	ck_assert_uint_eq(held.nr_conns, 2);
	held_drop_conn(&held, 0); /* is not there any more */
	held_drop_conn(&held, 3); /* never was */
	ck_assert_uint_eq(held.nr_conns, 2);
	ck_assert(held_add_conn(&held, more, &number));
	ck_assert_uint_eq(number, 0);
}
END_TEST

START_TEST(it_is_whole_with_all_images_and_the_area)
{
	int image = some_fd(), none = some_fd();

	ck_assert(!held_is_whole(&held));
	held_put_image(&held, 0, image);
	held_put_image(&held, 2, none); /* there is no such disk */
	ck_assert(!is_open(none));
	held_put_area(&held, some_fd());
	ck_assert(!held_is_whole(&held));
	held_put_image(&held, 1, some_fd());
	ck_assert(held_is_whole(&held));
	held_put_image(&held, 0, some_fd());
	ck_assert(!is_open(image));
}
END_TEST

/* --- the shelf ---------------------------------------------------------------
 */

/* What it was told, in order: "+image-0 -conn-1 …". */
static char told[256];

static void on_put(void *arg, const char *name, int fd)
{
	ck_assert_ptr_eq(arg, told);
	ck_assert_int_ge(fd, 0);
	strcat(strcat(strcat(told, "+"), name), " ");
}

static void on_remove(void *arg, const char *name)
{
	ck_assert_ptr_eq(arg, told);
	strcat(strcat(strcat(told, "-"), name), " ");
}

static const struct held_shelf shelf = {
	.put = on_put, .remove = on_remove, .arg = told};

START_TEST(the_shelf_hears_of_all_that_comes_and_goes)
{
	uint32_t number;

	*told = '\0';
	held_put_image(&held, 0, some_fd());
	held_use_shelf(&held, &shelf);
	held_put_image(&held, 1, some_fd());
	held_put_image(&held, 2, some_fd()); /* there is no such disk */
	held_put_area(&held, some_fd());
	ck_assert(held_add_conn(&held, some_fd(), &number));
	ck_assert(held_add_conn(&held, some_fd(), &number));
	held_drop_conn(&held, 0);
	held_drop_conn(&held, 0);
	ck_assert_str_eq(told, "+image-1 +area +conn-0 +conn-1 -conn-0 ");
	*told = '\0';
	held_clear(&held);
	ck_assert_str_eq(told, "-image-0 -image-1 -conn-1 -area ");
	ck_assert_uint_eq(held.nr_conns, 0);
}
END_TEST

START_TEST(what_was_on_the_shelf_finds_its_place)
{
	const char *const foreign[] = {"image-2",  "conn-3",  "conn-",
				       "image-01", "area-0",  "",
				       "conn-1 ",  "conn- 1", "conn--1"};
	int fd = some_fd();

	*told = '\0';
	ck_assert(held_take_back(&held, "image-1", some_fd()));
	ck_assert(held_take_back(&held, "conn-2", some_fd()));
	ck_assert(held_take_back(&held, "image-0", some_fd()));
	ck_assert(!held_is_whole(&held));
	ck_assert(held_take_back(&held, "area", some_fd()));
	ck_assert(held_is_whole(&held));
	ck_assert_uint_eq(held.nr_conns, 1);
	ck_assert(!held_take_back(&held, "conn-2", fd)); /* is taken */
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		ck_assert(!held_take_back(&held, foreign[i], fd));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keep");
	TCase *channel = tcase_create("channel"), *tc = tcase_create("held");

	tcase_add_checked_fixture(channel, setup, teardown);
	tcase_add_test(channel, messages_come_in_order_and_whole);
	tcase_add_test(channel, a_descriptor_comes_with_its_message);
	tcase_add_test(channel, the_last_words_are_heard);
	tcase_add_test(channel, a_full_channel_does_not_wait);
	tcase_add_test(channel, what_is_no_message_is_an_error);
	suite_add_tcase(suite, channel);
	tcase_add_checked_fixture(tc, setup_held, teardown_held);
	tcase_add_test(tc, connections_have_the_lowest_number_that_is_free);
	tcase_add_test(tc, it_is_whole_with_all_images_and_the_area);
	tcase_add_test(tc, the_shelf_hears_of_all_that_comes_and_goes);
	tcase_add_test(tc, what_was_on_the_shelf_finds_its_place);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
