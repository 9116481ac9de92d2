/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said to the kernel's nbd, byte by byte, and what its answers mean,
 * hostile ones too. Layouts by hand: nothing of libmnl.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "zsctl/device/netlink.h"

#define FAMILY 0x1c
#define PORT   0x12345
#define SEQ    7u

/* Source: Linux include/uapi/linux/netlink.h. */
#define TYPE_ERROR     2
#define FLAG_CAPPED    0x100
#define FLAG_ACK_TLVS  0x200
#define GENL_CONTROL   0x10
#define HEADER_BYTES   16u
#define NESTED	       0x8000
#define ATTR_MSG       1
#define ATTR_FAMILY_ID 1

static struct netlink n;

static void setup(void)
{
	n = (struct netlink){.port = PORT, .seq = SEQ, .family = FAMILY};
}

/* --- bytes, in the order of this machine ------------------------------------ */

struct bytes {
	uint8_t data[NETLINK_BUFFER_BYTES];
	size_t nr;
};

static void put(struct bytes *b, const void *from, size_t nr)
{
	ck_assert_uint_le(nr, sizeof(b->data) - b->nr);
	memcpy(b->data + b->nr, from, nr);
	b->nr += nr;
}

static void put16(struct bytes *b, uint16_t value)
{
	put(b, &value, sizeof(value));
}

static void put32(struct bytes *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void put64(struct bytes *b, uint64_t value)
{
	put(b, &value, sizeof(value));
}

static void put_head(struct bytes *b, uint16_t type, uint16_t flags,
		     uint32_t seq, uint32_t port)
{
	put32(b, 0); /* the length: see set_length() */
	put16(b, type);
	put16(b, flags);
	put32(b, seq);
	put32(b, port);
}

static void set_length(struct bytes *b, uint32_t nr)
{
	memcpy(b->data, &nr, sizeof(nr));
}

static void put_attr(struct bytes *b, uint16_t type, const void *value,
		     size_t nr)
{
	static const uint8_t padding[4];

	put16(b, (uint16_t)(4 + nr));
	put16(b, type);
	put(b, value, nr);
	put(b, padding, (4 - nr % 4) % 4);
}

static void put_number(struct bytes *b, uint16_t type, uint64_t value)
{
	put16(b, 12);
	put16(b, type);
	put64(b, value);
}

static void put_command(struct bytes *b, uint8_t command)
{
	const uint8_t head[4] = {command, 1, 0, 0};

	put_head(b, FAMILY, 1 | 4 /* request, acknowledge */, SEQ + 1, 0);
	put(b, head, sizeof(head));
}

static void put_index(struct bytes *b, uint32_t index)
{
	put_attr(b, 1, &index, sizeof(index));
}

static void put_sockets(struct bytes *b, const uint32_t *fds, unsigned nr)
{
	put16(b, (uint16_t)(4 + 12 * nr));
	put16(b, 7 | NESTED);
	for (unsigned i = 0; i < nr; i++) {
		put16(b, 12);
		put16(b, 1 | NESTED);
		put_attr(b, 1, &fds[i], sizeof(fds[i]));
	}
}

static void expect_message(size_t bytes, struct bytes *expected)
{
	set_length(expected, (uint32_t)expected->nr);
	ck_assert_uint_eq(bytes, expected->nr);
	ck_assert_mem_eq(n.buffer, expected->data, bytes);
}

/* --- what is said
 * ------------------------------------------------------------- */

static const char uuid[] = "01234567-89ab-cdef-0011-2233445566ff";

START_TEST(a_device_is_connected)
{
	static const uint32_t fds[] = {5, 9};
	const struct netlink_device device = {
		.index = 3,
		.size_bytes = UINT64_C(1) << 40,
		.block_bytes = 4096,
		.flags = 0x16d,
		.dead_timeout_s = 3600,
		.identifier = uuid,
		.sockets = {5, 9},
		.nr_sockets = 2,
	};
	struct bytes expected = {.nr = 0};

	put_command(&expected, 1);
	put_index(&expected, 3);
	put_number(&expected, 2, UINT64_C(1) << 40);
	put_number(&expected, 3, 4096);
	put_number(&expected, 5, 0x16d);
	put_number(&expected, 4, 0); /* that there is none is said */
	put_number(&expected, 8, 3600);
	put_attr(&expected, 10, uuid, sizeof(uuid));
	put_sockets(&expected, fds, 2);
	expect_message(netlink_put_connect(&n, &device), &expected);
}
END_TEST

START_TEST(most_sockets_fit)
{
	struct netlink_device device = {
		.identifier = uuid,
		.nr_sockets = NETLINK_MAX_SOCKETS,
	};

	ck_assert_uint_gt(netlink_put_connect(&n, &device), 0);
}
END_TEST

START_TEST(an_identifier_that_is_too_long_does_not_fit)
{
	static char text[NETLINK_BUFFER_BYTES];
	struct netlink_device device = {.identifier = text, .nr_sockets = 1};

	memset(text, 'x', sizeof(text) - 1);
	ck_assert_uint_eq(netlink_put_connect(&n, &device), 0);
	ck_assert_uint_eq(netlink_put_reconfigure(&n, 0, text, 1), 0);
}
END_TEST

START_TEST(a_socket_is_replaced)
{
	static const uint32_t fd = 6;
	struct bytes expected = {.nr = 0};

	put_command(&expected, 3);
	put_index(&expected, 3);
	put_attr(&expected, 10, uuid, sizeof(uuid));
	put_sockets(&expected, &fd, 1);
	expect_message(netlink_put_reconfigure(&n, 3, uuid, 6), &expected);
}
END_TEST

START_TEST(a_device_is_disconnected)
{
	struct bytes expected = {.nr = 0};

	put_command(&expected, 2);
	put_index(&expected, 15);
	expect_message(netlink_put_disconnect(&n, 15), &expected);
}
END_TEST

/* --- what is answered
 * ----------------------------------------------------------- */

/* An answer of the kernel's to message SEQ, with an error, and maybe a text. */
static void put_verdict(struct bytes *b, int32_t error, uint16_t flags,
			const char *text)
{
	put_head(b, TYPE_ERROR, flags, SEQ, PORT);
	put(b, &error, sizeof(error));
	/* The head of our message, and unless capped what it held: 4 bytes. */
	put32(b, HEADER_BYTES + 4);
	put16(b, FAMILY);
	put16(b, 5);
	put32(b, SEQ);
	put32(b, PORT);
	if (!(flags & FLAG_CAPPED))
		put32(b, 0x0101);
	if (text)
		put_attr(b, ATTR_MSG, text, strlen(text) + 1);
	set_length(b, (uint32_t)b->nr);
}

static int take(const struct bytes *b, bool *is_last)
{
	memcpy(n.buffer, b->data, b->nr);
	return netlink_take(&n, b->nr, is_last);
}

START_TEST(the_kernel_agrees)
{
	struct bytes b = {.nr = 0};
	bool is_last;

	put_verdict(&b, 0, FLAG_CAPPED, NULL);
	ck_assert_int_eq(take(&b, &is_last), 0);
	ck_assert(is_last);
}
END_TEST

/* Loop: whether the kernel repeats our message. */
START_TEST(the_kernel_refuses_and_says_why)
{
	const uint16_t flags =
		(uint16_t)(FLAG_ACK_TLVS | (_i ? FLAG_CAPPED : 0));
	struct bytes b = {.nr = 0};
	bool is_last;

	put_verdict(&b, -EBUSY, flags, "nbd0 already in use\x1b[2J");
	ck_assert_int_eq(take(&b, &is_last), -EBUSY);
	ck_assert(is_last);
	ck_assert_str_eq(n.why, "nbd0 already in use?[2J");
}
END_TEST

START_TEST(answers_to_others_are_passed_over)
{
	struct bytes b = {.nr = 0};
	uint32_t other = SEQ - 1;
	bool is_last;

	put_verdict(&b, -EPERM, FLAG_CAPPED, NULL);
	memcpy(b.data + 8, &other, sizeof(other));
	ck_assert_int_eq(take(&b, &is_last), 0);
	ck_assert(!is_last);

	b.nr = 0;
	other = PORT + 1;
	put_verdict(&b, -EPERM, FLAG_CAPPED, NULL);
	memcpy(b.data + 12, &other, sizeof(other));
	ck_assert_int_eq(take(&b, &is_last), 0);
	ck_assert(!is_last);
}
END_TEST

static void put_family(struct bytes *b, uint16_t type, const void *value,
		       size_t nr)
{
	static const uint8_t head[4] = {1, 2, 0, 0};

	put_head(b, GENL_CONTROL, 0, SEQ, PORT);
	put(b, head, sizeof(head));
	put_attr(b, 2, "nbd", 4);
	put_attr(b, type, value, nr);
	set_length(b, (uint32_t)b->nr);
}

START_TEST(the_family_is_found)
{
	static const uint16_t id = 0x21;
	struct bytes b = {.nr = 0};
	bool is_last;

	put_family(&b, ATTR_FAMILY_ID, &id, sizeof(id));
	ck_assert_int_eq(take(&b, &is_last), 0);
	ck_assert(!is_last);
	ck_assert_uint_eq(n.family, id);
}
END_TEST

/* Loop: how an answer is wrong. */
START_TEST(a_wrong_answer_is_refused)
{
	static const uint8_t id = 0x21;
	struct bytes b = {.nr = 0};
	bool is_last;

	switch (_i) {
	case 0: /* an error that is none */
		put_verdict(&b, 1, FLAG_CAPPED, NULL);
		break;
	case 1:
		put_verdict(&b, INT32_MIN, FLAG_CAPPED, NULL);
		break;
	case 2: /* cut within the error */
		put_verdict(&b, 0, FLAG_CAPPED, NULL);
		b.nr = HEADER_BYTES + 2;
		set_length(&b, (uint32_t)b.nr);
		break;
	case 3: /* longer than what came */
		put_verdict(&b, 0, FLAG_CAPPED, NULL);
		set_length(&b, (uint32_t)b.nr + 4);
		break;
	case 4: /* a family whose number has one byte */
		put_family(&b, ATTR_FAMILY_ID, &id, sizeof(id));
		break;
	case 5: /* so long that it is negative to some */
		put_verdict(&b, 0, FLAG_CAPPED, NULL);
		set_length(&b, 0x80000000);
		break;
	default: /* shorter than a head */
		put_head(&b, TYPE_ERROR, 0, SEQ, PORT);
		set_length(&b, 4);
		break;
	}
	ck_assert_int_eq(take(&b, &is_last), -EBADMSG);
	ck_assert_uint_eq(n.family, FAMILY);
}
END_TEST

/* Loop: how the text of an error is wrong: it is left out then. */
START_TEST(a_wrong_text_is_passed_over)
{
	static const uint32_t wrong[] = {0, 4, 0x7fffffff, 0xffffffff};
	const size_t at = HEADER_BYTES + 4; /* length of what is repeated */
	struct bytes b = {.nr = 0};
	bool is_last;

	if (_i < 4) {
		put_verdict(&b, -EPERM, FLAG_ACK_TLVS, "text");
		memcpy(b.data + at, &wrong[_i], 4);
	} else {
		put_verdict(&b, -EPERM, FLAG_ACK_TLVS | FLAG_CAPPED, NULL);
		put_attr(&b, ATTR_MSG, "endless", 7); /* no NUL */
		set_length(&b, (uint32_t)b.nr);
	}
	ck_assert_int_eq(take(&b, &is_last), -EPERM);
	ck_assert(is_last);
	ck_assert_str_eq(n.why, "");
}
END_TEST

/* A kernel that has nbd says so, any other one too. */
START_TEST(the_kernel_is_asked)
{
	int err = netlink_open(&n);

	ck_assert_msg(err == 0 || err == -ENOENT, "netlink_open(): %s",
		      strerror(-err));
	ck_assert((err == 0) == (n.family != 0));
	netlink_close(&n);
	netlink_close(&n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device-netlink");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_device_is_connected);
	tcase_add_test(tc, most_sockets_fit);
	tcase_add_test(tc, an_identifier_that_is_too_long_does_not_fit);
	tcase_add_test(tc, a_socket_is_replaced);
	tcase_add_test(tc, a_device_is_disconnected);
	tcase_add_test(tc, the_kernel_agrees);
	tcase_add_loop_test(tc, the_kernel_refuses_and_says_why, 0, 2);
	tcase_add_test(tc, answers_to_others_are_passed_over);
	tcase_add_test(tc, the_family_is_found);
	tcase_add_loop_test(tc, a_wrong_answer_is_refused, 0, 7);
	tcase_add_loop_test(tc, a_wrong_text_is_passed_over, 0, 5);
	tcase_add_test(tc, the_kernel_is_asked);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
