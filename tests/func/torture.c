/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that are killed at any moment, one after the other, and clients that
 * must not notice: torture RAWCLIENT ADDRESS SEED KILLS
 *
 * This program holds what outlives a server: the disk, the area of connections,
 * their sockets. Each server is a child that goes on with them. The clients are
 * rawclient's of mode order: they have up to 200 requests under way, of all
 * kinds and sizes, and check each byte, each answer's being the only one, and
 * the order in which requests take effect. The handshake of each is served
 * while the others are under way.
 *
 * ADDRESS: the path of a Unix socket that is to be made, or 127.0.0.1:PORT.
 *
 * Before that, one request kills each server that runs it: the third death must
 * be the last.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model/model.h"
#include "nbd/nbdc_conn.h"
#include "serve/serve.h"
#include "shared_disk.h"

#define NR_CLIENTS 4u

/* How long a server lives after it has begun to serve, at most. */
#define MAX_LIFE_US 3000u

/* What a socket takes of answers, about, bytes. */
#define NARROW_BYTES 16384

/* Until then a client must have got through its handshake, seconds. */
#define HANDSHAKE_S 30

/* And until then a server must have given up the slots of those that have
 * gone. */
#define GOODBYE_S 30

static struct serve_params params = {
	.nr_threads = NR_CLIENTS + 2, /* so that some have nothing to do */
	.max_connections = NR_CLIENTS + 1,
	.handshake_timeout_s = 60,
};

/* A connection that outlives its servers. */
static struct held {
	int fd;
	unsigned slot;
	struct stream *stream;
	struct io_ring rx, tx;
} held[NR_CLIENTS];

static unsigned nr_held;
static bool were_killed; /* servers, by us */
static int clients_stdin = -1; /* which ends when nobody has this */
static struct stream_area *area;
static struct model_rng rng;

/* What the deaths left. */
static struct {
	unsigned kills;
	unsigned early; /* before a server was ready */
	unsigned with_input; /* received, and not done with */
	unsigned with_answers; /* made, and not sent */
	unsigned in_requests;
	_Atomic unsigned *with_help; /* servers where one worker helped the
				      * other: shared with them */
} seen;

/* --- a server ------------------------------------------------------------- */

static void must(int err, const char *what)
{
	if (err)
		error(1, -err, "%s", what);
}

static void adopt_all(struct serve *serve)
{
	for (unsigned i = 0; i < nr_held; i++)
		must(serve_adopt(serve, held[i].slot, held[i].fd, were_killed),
		     "serve_adopt");
}

static void live_for(uint64_t us)
{
	const struct timespec time = {.tv_nsec = (long)us * 1000};

	nanosleep(&time, NULL);
}

/* Wait until one worker has helped the other, and say so. */
static void count_help(struct export *export)
{
	struct ctl_requests sum;

	do {
		live_for(100);
		export_sum(export, &sum);
	} while (!sum.helped_pages);
	atomic_fetch_add(seen.with_help, 1);
}

/* @fresh: a socket whose client has said nothing yet, or -1. Writes a byte to
 * @ready when it serves. */
static void __attribute__((noreturn)) be_server(int fresh, int ready)
{
	const struct export_params disk = {.name = "", .description = ""};
	static struct export_table exports;
	struct residence *residence;
	struct export *export;
	struct serve *serve;
	struct io_log *log;

	/* Not to be left behind by a torture that fails. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0); /* no core of those that abort */
	if (clients_stdin >= 0)
		close(clients_stdin);
	must(io_log_create(&log), "io_log_create");
	must(export_create(&disk, shared_disk(), &export), "export_create");
	must(export_table_add(&exports, export), "export_table_add");
	must(residence_begin(SWAP_OFF, params.nr_threads, log, &residence),
	     "residence");
	params.exports = &exports;
	params.residence = residence;
	params.log = log;
	/* Mapped anew, elsewhere. */
	must(serve_area_open(&params, dup(stream_area_fd(area)), &params.area),
	     "serve_area_open");
	must(serve_create(&params, &serve), "serve_create");
	adopt_all(serve);
	if (fresh >= 0)
		must(serve_give(serve, fresh, 0, true), "serve_give");
	if (write(ready, "", 1) != 1)
		error(1, errno, "write");
	count_help(export);
	for (;;)
		pause();
}

static pid_t start_server(int fresh, int *ready)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		error(1, errno, "pipe");
	pid = fork();
	if (pid < 0)
		error(1, errno, "fork");
	if (!pid) {
		close(fds[0]);
		be_server(fresh, fds[1]);
	}
	close(fds[1]);
	*ready = fds[0];
	return pid;
}

static void wait_ready(int ready)
{
	char byte;

	if (read(ready, &byte, 1) != 1)
		error(1, 0, "a server ends by itself");
}

static void look_at(const struct held *h)
{
	struct io_ring rx = h->rx, tx = h->tx;

	must(stream_resume(h->stream, &rx, &tx), "what a server left");
	seen.with_input += io_ring_used(&rx) > 0;
	seen.with_answers += io_ring_used(&tx) > 0;
	seen.in_requests += h->stream->mark.request > 0;
}

static void kill_server(pid_t pid)
{
	int status = 0;

	if (kill(pid, SIGKILL) < 0 || waitpid(pid, &status, 0) != pid)
		error(1, errno, "the end of a server");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		error(1, 0, "a server ended by itself: status %#x", status);
	seen.kills++;
	for (unsigned i = 0; i < nr_held; i++)
		look_at(&held[i]);
}

/* Mostly a while after it began to serve; now and then before that. */
static void let_live_and_die(void)
{
	bool is_early = model_rng_one_in(&rng, 8);
	int ready;
	pid_t pid = start_server(-1, &ready);

	if (!is_early)
		wait_ready(ready);
	live_for(model_rng_below(&rng, MAX_LIFE_US));
	kill_server(pid);
	seen.early += is_early;
	close(ready);
}

/* --- its clients ---------------------------------------------------------- */

static bool is_held(unsigned slot)
{
	for (unsigned i = 0; i < nr_held; i++) {
		if (held[i].slot == slot)
			return true;
	}
	return false;
}

static bool find_new_slot(unsigned *slot)
{
	for (unsigned i = 0; i < stream_area_nr_slots(area); i++) {
		if (!is_held(i) && stream_area_is_kept(area, i)) {
			*slot = i;
			return true;
		}
	}
	return false;
}

/* A server serves its handshake; from then on it is kept. */
static void hold(int fd)
{
	const time_t end = time(NULL) + HANDSHAKE_S;
	struct held *h = &held[nr_held];
	int ready;
	pid_t pid = start_server(fd, &ready);

	while (!find_new_slot(&h->slot)) {
		if (time(NULL) > end)
			error(1, 0, "no handshake in %d s", HANDSHAKE_S);
		live_for(100);
	}
	must(stream_area_map(area, h->slot, &h->stream, &h->rx, &h->tx),
	     "stream_area_map");
	h->fd = fd;
	nr_held++;
	kill_server(pid);
	close(ready);
}

/* The servers' processes alone have it from now on. */
static void let_go(void)
{
	for (unsigned i = 0; i < nr_held; i++) {
		close(held[i].fd);
		stream_area_unmap(held[i].stream, &held[i].rx, &held[i].tx);
	}
	nr_held = 0;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		error(2, 0, "too long: %s", path);
	memcpy(addr.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		error(1, errno, "%s", path);
	return fd;
}

/* @address: HOST:0 is completed with a port that is free. */
static int listen_tcp(char *address, size_t room)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t bytes = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&addr, bytes) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &bytes) < 0)
		error(1, errno, "%s", address);
	snprintf(address, room, "127.0.0.1:%u", ntohs(addr.sin_port));
	return fd;
}

static pid_t start_clients(const char *program, const char *address,
			   uint64_t seed)
{
	char seed_text[24], nr_text[12];
	int fds[2];
	pid_t pid;

	snprintf(seed_text, sizeof(seed_text), "%" PRIu64, seed);
	snprintf(nr_text, sizeof(nr_text), "%u", NR_CLIENTS);
	if (pipe(fds) < 0)
		error(1, errno, "pipe");
	pid = fork();
	if (pid < 0)
		error(1, errno, "fork");
	if (!pid) {
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(program, program, address, "order", seed_text, nr_text,
		      "0", NULL);
		error(1, errno, "%s", program);
	}
	close(fds[0]);
	clients_stdin = fds[1];
	return pid;
}

static void check_clients(pid_t clients)
{
	int status;

	if (waitpid(clients, &status, WNOHANG))
		error(1, 0, "the clients found something after %u deaths",
		      seen.kills);
}

/* So that answers are often sent in part. */
static void make_narrow(int fd)
{
	const int bytes = NARROW_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		error(1, errno, "setsockopt");
}

static void accept_all(int listener)
{
	while (nr_held < NR_CLIENTS) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

		if (fd < 0)
			error(1, errno, "accept");
		make_narrow(fd);
		hold(fd);
	}
}

static unsigned find_kept(void)
{
	unsigned slot = 0;

	while (slot < stream_area_nr_slots(area) &&
	       !stream_area_is_kept(area, slot))
		slot++;
	return slot;
}

/* A server that lives takes a while to see that its clients have gone. */
static void wait_none_kept(void)
{
	const time_t end = time(NULL) + GOODBYE_S;
	unsigned slot;

	while ((slot = find_kept()) < stream_area_nr_slots(area)) {
		if (time(NULL) > end)
			error(1, 0, "slot %u is kept without a client", slot);
		live_for(100);
	}
}

/* The last server ends as its clients do. */
static void end_clients(pid_t clients)
{
	int ready, status;
	pid_t pid = start_server(-1, &ready);

	wait_ready(ready);
	let_go();
	close(clients_stdin);
	if (waitpid(clients, &status, 0) != clients || status)
		error(1, 0, "the clients fail in the end");
	wait_none_kept();
	kill_server(pid);
	close(ready);
}

static void torture(const char *program, const char *address, uint64_t seed,
		    unsigned nr_kills)
{
	char where[108];
	bool is_unix = strchr(address, '/');
	int listener;
	pid_t clients;

	snprintf(where, sizeof(where), "%s", address);
	listener =
		is_unix ? listen_unix(where) : listen_tcp(where, sizeof(where));
	if (listen(listener, NR_CLIENTS) < 0)
		error(1, errno, "listen");
	clients = start_clients(program, where, seed);
	accept_all(listener);
	while (seen.kills < nr_kills) {
		let_live_and_die();
		check_clients(clients);
	}
	end_clients(clients);
	close(listener);
	if (is_unix)
		unlink(where);
}

/* --- a request that kills ------------------------------------------------- */

/* Answers may come in any order. */
static void receive_three(struct nbdc_conn *conn)
{
	for (unsigned i = 0; i < 3; i++) {
		struct nbdc_pending done;
		uint32_t expected;

		nbdc_must(conn, nbdc_receive(conn, &done));
		expected =
			done.request.offset == SHARED_DISK_POISON ? ERR_IO : OK;
		if (done.error != expected)
			error(1, 0, "request at %" PRIu64 ": error %u",
			      done.request.offset, done.error);
	}
}

/* Of whole pages several are packed side by side, and who died in that midst is
 * to blame nobody: here it is always the second request. */
static void send_three(struct nbdc_conn *conn)
{
	static unsigned char page[ZSD_PAGE_BYTES - 512];

	for (unsigned i = 0; i < 3; i++) {
		const struct nbdc_request request = {
			.type = CMD_WRITE,
			.cookie = i,
			.offset = SHARED_DISK_POISON - ZSD_PAGE_BYTES +
				  i * ZSD_PAGE_BYTES,
			.length = sizeof(page),
		};

		nbdc_must(conn, nbdc_send(conn, &request, page));
	}
}

static pid_t negotiate(struct nbdc_conn *conn, int fds[2], int *ready)
{
	const struct nbdc_wish wish = {0};
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		error(1, errno, "socketpair");
	pid = start_server(fds[1], ready);
	nbdc_adopt(conn, fds[0]);
	nbdc_must(conn, nbdc_negotiate(conn, &wish));
	if (!find_new_slot(&held[0].slot))
		error(1, 0, "a connection is not kept");
	held[0].fd = fds[1];
	nr_held = 1;
	return pid;
}

static void poison(void)
{
	struct nbdc_conn conn;
	unsigned nr_deaths;
	int fds[2], ready, status;
	pid_t pid = negotiate(&conn, fds, &ready);

	send_three(&conn);
	for (nr_deaths = 0; nr_deaths < STREAM_MAX_DEATHS; nr_deaths++) {
		if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
			error(1, 0, "a server does not die of the request");
		close(ready);
		pid = start_server(-1, &ready);
	}
	receive_three(&conn);
	close(fds[1]);
	nr_held = 0;
	nbdc_leave(&conn);
	while (stream_area_is_kept(area, held[0].slot))
		live_for(100);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ready);
	printf("a request killed %u servers, and was answered with an error\n",
	       nr_deaths);
}

/* --- all ------------------------------------------------------------------ */

static void say_count(const char *what, unsigned nr)
{
	printf("%8u %s\n", nr, what);
	if (!nr)
		error(1, 0, "that never happened: too few to find anything");
}

int main(int argc, char **argv)
{
	uint64_t seed;
	unsigned nr_kills;

	if (argc != 5)
		error(2, 0, "usage: torture RAWCLIENT ADDRESS SEED KILLS");
	seed = strtoull(argv[3], NULL, 10);
	nr_kills = (unsigned)strtoul(argv[4], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	model_rng_init(&rng, seed);
	seen.with_help = mmap(NULL, sizeof(*seen.with_help),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen.with_help == MAP_FAILED)
		error(1, errno, "memory for a counter");
	shared_disk_create();
	must(serve_area_create(&params, &area), "serve_area_create");
	poison();
	fflush(stdout);
	were_killed = true;
	torture(argv[1], argv[2], seed, nr_kills);
	say_count("servers killed", seen.kills);
	say_count("of those before they served", seen.early);
	say_count("with input that was not done with", seen.with_input);
	say_count("with answers that were not sent", seen.with_answers);
	say_count("in the middle of a request", seen.in_requests);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		say_count("in which workers helped each other",
			  atomic_load(seen.with_help));
	stream_area_destroy(area);
	return 0;
}
