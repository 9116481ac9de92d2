/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rawclient - a client for what well-behaved ones do not do
 *
 * Usage: rawclient ADDRESS MODE [ARGUMENT...]; the modes are in a table below,
 * an address is what nbdc_connect() takes.
 * Exit status: 0 the server did what it must, 1 it did not, 2 usage.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/units.h"
#include "raw_modes.h"

unsigned long raw_number(const char *text)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end)
		error(2, 0, "not a number: %s", text);
	return number;
}

void raw_open(struct nbdc_conn *conn, const char *address)
{
	nbdc_must(conn, nbdc_open(conn, address, NULL));
}

bool raw_poll(int fd, short events, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, wait_ms) > 0;
}

void raw_say(const char *word)
{
	puts(word);
	fflush(stdout);
}

void raw_say_and_wait(const char *word)
{
	int c;

	raw_say(word);
	while ((c = getchar()) != '\n') {
		if (c == EOF)
			error(1, 0, "nobody waits for us any more");
	}
}

void raw_run_many(const char *address, char **args, unsigned nr,
		  void (*one)(const char *address, char **args,
			      unsigned number))
{
	int status;

	for (unsigned i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (pid < 0)
			error(1, errno, "fork");
		if (pid == 0) {
			one(address, args, i);
			exit(0);
		}
	}
	for (unsigned i = 0; i < nr; i++) {
		if (wait(&status) < 0)
			error(1, errno, "wait");
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			error(1, 0, "one of %u processes failed", nr);
	}
}

/* Say so, and stay until standard input ends. */
static void hold(const char *address, char **args)
{
	unsigned long nr = raw_number(args[0]);
	struct nbdc_conn conn;

	for (unsigned long i = 0; i < nr; i++) {
		raw_open(&conn, address);
		if (dup(conn.fd) < 0) /* which stays open */
			error(1, errno, "dup");
		nbdc_close(&conn);
	}
	raw_say("held");
	while (getchar() != EOF)
		;
}

/*
 * Each line of input is a question, whether the server serves on: a page is
 * written, read back and compared. Says "served"; the server may close only
 * when there are no more questions.
 */
static void ask(const char *address, char **args)
{
	struct nbdc_request write = {.type = CMD_WRITE,
				     .length = ZSD_PAGE_BYTES};
	struct nbdc_request read = {.type = CMD_READ, .length = ZSD_PAGE_BYTES};
	unsigned char page[ZSD_PAGE_BYTES], back[ZSD_PAGE_BYTES];
	struct nbdc_conn conn;
	unsigned nr = 0;

	(void)args;
	raw_open(&conn, address);
	raw_say("attached");
	for (int c; (c = getchar()) != EOF;) {
		if (c != '\n')
			continue;
		memset(page, (int)(nr % 251), sizeof(page));
		write.offset = read.offset =
			(uint64_t)(nr++ % 256) * ZSD_PAGE_BYTES;
		nbdc_must_run(&conn, &write, page);
		nbdc_must_run(&conn, &read, back);
		if (memcmp(page, back, sizeof(page)) != 0)
			error(1, 0, "what was written is not there");
		raw_say("served");
	}
	nbdc_leave(&conn);
}

static void silent(const char *address, char **args)
{
	struct nbdc_conn conn;

	nbdc_must(&conn,
		  nbdc_connect(&conn, address, (unsigned)raw_number(args[0])));
	nbdc_must(&conn, nbdc_drain(&conn));
	nbdc_close(&conn);
}

/*
 * A byte now and then of options that are all in order: a server that starts
 * its clock anew with each would wait for ever.
 */
static void trickle(const char *address, char **args)
{
	const struct timespec pause = {.tv_nsec = 50000000}; /* 50 ms */
	unsigned char bytes[4 + NBDC_OPTION_BYTES];
	struct nbdc_bytes b = {.data = bytes, .room = sizeof(bytes)};
	time_t deadline = time(NULL) + (time_t)raw_number(args[0]);
	struct nbdc_conn conn;
	size_t at = 0;

	nbdc_must(&conn, nbdc_connect(&conn, address, NBDC_TIMEOUT_S));
	nbdc_put(&b, 4, NBDC_MODERN);
	nbdc_put_option(&b, UINT32_C(0x7a7a7a7a), NULL, 0); /* no such one */
	while (!nbdc_send_bytes(&conn, bytes + at, 1)) {
		if (time(NULL) > deadline)
			error(1, 0, "not dropped within %s s", args[0]);
		at = at + 1 < sizeof(bytes) ? at + 1 : 4;
		nanosleep(&pause, NULL);
	}
	nbdc_close(&conn);
}

/* Standard input to the socket, then what comes back to standard output. */
static void cat(const char *address, char **args)
{
	struct nbdc_conn conn;
	char buffer[4096];
	size_t n;
	ssize_t got;

	(void)args;
	nbdc_must(&conn, nbdc_connect(&conn, address, NBDC_TIMEOUT_S));
	while ((n = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
		if (nbdc_send_bytes(&conn, buffer, n))
			break; /* what it said before it hung up counts */
	}
	shutdown(conn.fd, SHUT_WR);
	while ((got = recv(conn.fd, buffer, sizeof(buffer), 0)) > 0)
		fwrite(buffer, 1, (size_t)got, stdout);
	if (got < 0 && errno != ECONNRESET)
		error(1, errno, "receiving");
	nbdc_close(&conn);
}

static const struct mode {
	const char *name;
	const char *arguments;
	int nr_arguments;
	raw_mode_fn *run;
} modes[] = {
	{"ask", "", 0, ask},
	{"cat", "", 0, cat},
	{"crowd", "MEMBERS", 1, raw_crowd},
	{"deaf", "", 0, raw_deaf},
	{"delay", "trim|zeroes", 1, raw_delay},
	{"garbage", "SEED ROUNDS", 2, raw_garbage},
	{"hold", "CONNECTIONS", 1, hold},
	{"hot", "WRITERS READERS REQUESTS", 3, raw_hot},
	{"knock", "", 0, raw_knock},
	{"order", "SEED CONNECTIONS REQUESTS", 3, raw_order},
	{"overtake", "ROUNDS", 1, raw_overtake},
	{"patient", "SEED CONNECTIONS", 2, raw_patient},
	{"silent", "SECONDS", 1, silent},
	{"steady", "SEED CONNECTIONS WARMUP-REQUESTS REQUESTS", 4, raw_steady},
	{"stripes", "SEED WRITERS WRITES", 3, raw_stripes},
	{"trickle", "SECONDS", 1, trickle},
};

static void usage(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		fprintf(stderr, "usage: rawclient ADDRESS %s %s\n",
			modes[i].name, modes[i].arguments);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		usage();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(argv[2], modes[i].name) != 0)
			continue;
		if (argc != 3 + modes[i].nr_arguments)
			usage();
		modes[i].run(argv[1], argv + 3);
		return EXIT_SUCCESS;
	}
	usage();
}
