/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rawclient - a client for what well-behaved ones do not do
 *
 * Usage: rawclient SOCKET MODE [ARGUMENT...]; the modes are in a table below.
 * Exit status: 0 the server did what it must, 1 it did not, 2 usage.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "load_wire.h"
#include "raw_conn.h"
#include "raw_modes.h"

/* Most connections of the mode hold. */
#define MAX_HELD 1024u

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

void raw_say_and_wait(const char *word)
{
	int c;

	puts(word);
	fflush(stdout);
	while ((c = getchar()) != '\n') {
		if (c == EOF)
			error(1, 0, "nobody waits for us any more");
	}
}

void raw_run_many(const char *path, char **args, unsigned nr,
		  void (*one)(const char *path, char **args, unsigned number))
{
	int status;

	for (unsigned i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (pid < 0)
			error(1, errno, "fork");
		if (pid == 0) {
			one(path, args, i);
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

static int connect_or_exit(const char *path, unsigned timeout_s)
{
	int fd = raw_connect(path, timeout_s);

	if (fd < 0)
		error(1, -fd, "%s", path);
	return fd;
}

static void wait_for_end_of_input(void)
{
	while (getchar() != EOF)
		;
}

/* Say so, and stay until standard input ends. */
static void hold(const char *path, char **args)
{
	unsigned long nr = raw_number(args[0]);

	if (nr > MAX_HELD)
		error(2, 0, "at most %u connections", MAX_HELD);
	for (unsigned long i = 0; i < nr; i++) {
		int fd = raw_open(path, NULL);

		if (fd < 0)
			error(1, -fd, "connection %lu", i + 1);
	}
	puts("held");
	fflush(stdout);
	wait_for_end_of_input();
}

static void expect_hang_up(int fd, unsigned seconds)
{
	int err = raw_drain(fd);

	if (err)
		error(1, -err, "not dropped within %u s", seconds);
}

static void silent(const char *path, char **args)
{
	unsigned seconds = (unsigned)raw_number(args[0]);

	expect_hang_up(connect_or_exit(path, seconds), seconds);
}

/*
 * A byte now and then of options that are all in order: a server that starts
 * its clock anew with each would wait for ever.
 */
static void trickle(const char *path, char **args)
{
	const struct timespec pause = {.tv_nsec = 50000000}; /* 50 ms */
	unsigned seconds = (unsigned)raw_number(args[0]);
	unsigned char bytes[4 + WIRE_OPTION_BYTES];
	int fd = connect_or_exit(path, seconds);
	time_t deadline = time(NULL) + seconds;
	size_t at = 0;

	store_be32(bytes, WIRE_FIXED_NEWSTYLE | WIRE_NO_ZEROES);
	store_be64(bytes + 4, WIRE_OPTION_MAGIC);
	store_be32(bytes + 12, UINT32_C(0x7a7a7a7a)); /* nobody knows it */
	store_be32(bytes + 16, 0);
	while (!raw_send(fd, bytes + at, 1)) {
		if (time(NULL) > deadline)
			error(1, 0, "not dropped within %u s", seconds);
		at = at + 1 < sizeof(bytes) ? at + 1 : 4;
		nanosleep(&pause, NULL);
	}
}

/* Standard input to the socket, then what comes back to standard output. */
static void cat(const char *path, char **args)
{
	int fd = connect_or_exit(path, RAW_TIMEOUT_S);
	char buffer[4096];
	size_t n;
	ssize_t got;

	(void)args;
	while ((n = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
		if (raw_send(fd, buffer, n))
			break; /* what it said before it hung up counts */
	}
	shutdown(fd, SHUT_WR);
	while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		fwrite(buffer, 1, (size_t)got, stdout);
	if (got < 0 && errno != ECONNRESET)
		error(1, errno, "receiving");
}

static const struct mode {
	const char *name;
	const char *arguments;
	int nr_arguments;
	raw_mode_fn *run;
} modes[] = {
	{"beside", "trim|zeroes", 1, raw_beside},
	{"cat", "", 0, cat},
	{"crowd", "MEMBERS", 1, raw_crowd},
	{"deaf", "", 0, raw_deaf},
	{"delay", "trim|zeroes", 1, raw_delay},
	{"errors", "", 0, raw_errors},
	{"garbage", "SEED ROUNDS", 2, raw_garbage},
	{"hold", "CONNECTIONS", 1, hold},
	{"hot", "WRITERS READERS REQUESTS", 3, raw_hot},
	{"silent", "SECONDS", 1, silent},
	{"steady", "SEED CONNECTIONS WARMUP-REQUESTS REQUESTS", 4, raw_steady},
	{"stripes", "SEED WRITERS WRITES", 3, raw_stripes},
	{"trickle", "SECONDS", 1, trickle},
};

static void usage(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		fprintf(stderr, "usage: rawclient SOCKET %s %s\n",
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
