/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Usage: conform SOCKET options|requests|read-only
 * Exit status: 0 all answers are as they must be, 1 one is not, 2 usage.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "conform.h"
#include "raw_conn.h"

#define GREETING_MAGIC UINT64_C(0x4e42444d41474943)
#define OPTION_MAGIC   UINT64_C(0x49484156454f5054)
#define REPLY_MAGIC    UINT64_C(0x0003e889045565a9)

/* Longest reply to an option that is borne, bytes. */
#define MAX_REPLY_BYTES 16384u

/* The row at hand. */
static struct {
	const char *section;
	const char *what;
	unsigned nr;
} row;

void conform_begin(const char *section, const char *what)
{
	row.section = section;
	row.what = what;
	row.nr++;
}

unsigned conform_nr_cases(void)
{
	return row.nr;
}

void conform_fail(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "conform: %s (\"%s\"): ", row.what, row.section);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

int conform_connect(const char *path, uint32_t client_flags)
{
	int fd = raw_connect(path, RAW_TIMEOUT_S);
	unsigned char bytes[18];

	if (fd < 0)
		conform_fail("connecting: %s", strerror(-fd));
	conform_receive(fd, bytes, sizeof(bytes));
	if (load_be64(bytes) != GREETING_MAGIC ||
	    load_be64(bytes + 8) != OPTION_MAGIC || load_be16(bytes + 16) != 3)
		conform_fail("no greeting");
	store_be32(bytes, client_flags);
	conform_send(fd, bytes, 4);
	return fd;
}

void conform_send(int fd, const void *bytes, size_t nr_bytes)
{
	int err = raw_send(fd, bytes, nr_bytes);

	if (err)
		conform_fail("sending: %s", strerror(-err));
}

void conform_receive(int fd, void *bytes, size_t nr_bytes)
{
	int err = raw_receive(fd, bytes, nr_bytes);

	if (err)
		conform_fail("receiving: %s", strerror(-err));
}

/* One that is closed with input unread is reset. */
void conform_expect_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n > 0)
		conform_fail("answers instead of hanging up");
	if (n < 0 && errno != ECONNRESET)
		conform_fail("does not hang up: %s", strerror(errno));
}

void conform_send_option(int fd, uint32_t option, uint32_t length,
			 const void *data, size_t bytes)
{
	unsigned char header[16];
	int err;

	store_be64(header, OPTION_MAGIC);
	store_be32(header + 8, option);
	store_be32(header + 12, length);
	conform_send(fd, header, sizeof(header));
	/* The server may hang up when it has seen the header. */
	err = raw_send(fd, data, bytes);
	if (err && err != -EPIPE && err != -ECONNRESET)
		conform_fail("sending data: %s", strerror(-err));
}

/* One reply; returns its type. */
static uint32_t receive_reply(int fd, uint32_t option)
{
	unsigned char header[20], data[MAX_REPLY_BYTES];
	uint32_t bytes;

	conform_receive(fd, header, sizeof(header));
	bytes = load_be32(header + 16);
	if (load_be64(header) != REPLY_MAGIC)
		conform_fail("a reply without its magic");
	if (load_be32(header + 8) != option)
		conform_fail("a reply to option %u", load_be32(header + 8));
	if (bytes > sizeof(data))
		conform_fail("a reply of %u bytes", bytes);
	conform_receive(fd, data, bytes);
	return load_be32(header + 12);
}

uint32_t conform_receive_answer(int fd, uint32_t option)
{
	uint32_t type;

	do {
		type = receive_reply(fd, option);
	} while (type != REP_ACK && type < REP_ERR(0));
	return type;
}

static void run_option(int fd, uint32_t option, const void *data, size_t bytes)
{
	uint32_t answer;

	conform_send_option(fd, option, (uint32_t)bytes, data, bytes);
	answer = conform_receive_answer(fd, option);
	if (answer != REP_ACK)
		conform_fail("option %u that is right: %#x", option, answer);
}

void conform_structured_reply(int fd)
{
	run_option(fd, OPT_STRUCTURED_REPLY, NULL, 0);
}

void conform_select_context(int fd)
{
	static const char data[] = "\0\0\0\0\0\0\0\1\0\0\0\17base:allocation";

	run_option(fd, OPT_SET_META_CONTEXT, data, sizeof(data) - 1);
}

void conform_go(int fd)
{
	run_option(fd, OPT_GO, "\0\0\0\0\0", 6);
}

static const struct {
	const char *name;
	void (*run)(const char *path);
} modes[] = {
	{"options", conform_options},
	{"requests", conform_requests},
	{"read-only", conform_read_only},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(modes); i++) {
		if (strcmp(argv[2], modes[i].name) != 0)
			continue;
		modes[i].run(argv[1]);
		printf("%s: %u cases answered as they must be\n", argv[2],
		       conform_nr_cases());
		return EXIT_SUCCESS;
	}
	error(2, 0, "usage: conform SOCKET options|requests|read-only");
}
