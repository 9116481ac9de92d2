/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each instruction of a server is one after which it may die. A process that
 * answers two bytes for each that it receives is stepped through, and after
 * each step it is looked whether another could go on: what the stream says was
 * received and sent must be what the sockets say, and the bytes must be there.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"
#include "stream/area.h"
#include "suite.h"

#define RX_BYTES ((size_t)4 * KIB)
#define TX_BYTES ((size_t)16 * KIB)
#define ROUNDS	 50u

static const struct stream_area_params params = {
	.nr_slots = 2,
	.rx_bytes = RX_BYTES,
	.tx_bytes = TX_BYTES,
};

/* What the toy server saves. */
struct toy_state {
	uint64_t nr_consumed; /* of the client's bytes */
	uint64_t nr_produced; /* of the answers' */
};

/* In which order a round goes. */
enum order {
	AS_IT_MUST,
	SENDS_TOO_EARLY,
	RECEIVES_TOO_EARLY,
};

static struct stream_area *area;
static struct stream *stream;
static struct io_ring rx, tx;
static int client, server;

/* Bytes of both ways repeat after so many, which is no divisor of a ring's. */
#define PERIOD 1021u

static unsigned char pattern[PERIOD + TX_BYTES];

static const unsigned char *bytes_at(uint64_t at)
{
	return pattern + at % PERIOD;
}

/* --- the server ----------------------------------------------------------- */

static void run(struct toy_state *state)
{
	size_t nr = min_u64(io_ring_used(&rx), io_ring_room(&tx) / 2);

	memcpy(io_ring_end(&tx), bytes_at(state->nr_produced), 2 * nr);
	io_ring_fill(&tx, 2 * nr);
	io_ring_consume_to(&rx, rx.head + nr);
	state->nr_produced += 2 * nr;
	state->nr_consumed += nr;
}

static void commit(const struct toy_state *state)
{
	memcpy(stream_next(stream), state, sizeof(*state));
	stream_commit(stream, &rx, &tx);
}

static void send_answers(void)
{
	ssize_t n = io_ring_used(&tx) ? stream_send(stream, server, &tx) : 0;

	if (n > 0)
		io_ring_consume_to(&tx, tx.head + (uint64_t)n);
}

static void receive(void)
{
	size_t room = io_ring_room(&rx);
	ssize_t n = room ? stream_recv(stream, server, &rx, room) : 0;

	if (n > 0)
		io_ring_fill(&rx, (size_t)n);
}

static void rewind_rings(void)
{
	if (!io_ring_used(&rx))
		io_ring_rewind(&rx);
	if (!io_ring_used(&tx))
		io_ring_rewind(&tx);
}

static void go_round(struct toy_state *state, enum order order)
{
	rewind_rings();
	run(state);
	if (order == SENDS_TOO_EARLY)
		send_answers();
	if (order == RECEIVES_TOO_EARLY)
		receive();
	commit(state);
	send_answers();
	receive();
}

static void begin_server(void)
{
	const struct toy_state none = {0};

	stream_begin(stream, &rx, &tx);
	commit(&none);
	stream_keep(stream);
}

static void __attribute__((noreturn)) be_server(enum order order)
{
	struct toy_state state = {0};

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(2);
	raise(SIGSTOP);
	for (unsigned i = 0; i < ROUNDS; i++)
		go_round(&state, order);
	_exit(0);
}

/* --- its client, and whoever looks ---------------------------------------- */

static uint64_t nr_asked, nr_taken;

static unsigned unread(int fd)
{
	int bytes = -1;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &bytes), 0);
	return (unsigned)bytes;
}

/* Keep it busy, with lots that differ: two of the first ones do not fit its
 * receive ring. */
static void be_client(void)
{
	unsigned char bytes[TX_BYTES];
	size_t nr = nr_asked < 9 * KIB ? 3 * KIB : 1 + nr_asked % 13 * 23;
	ssize_t n;

	if (!unread(server) && nr_asked * 2 - nr_taken < TX_BYTES / 2) {
		ck_assert_int_eq(send(client, bytes_at(nr_asked), nr,
				      MSG_DONTWAIT),
				 (ssize_t)nr);
		nr_asked += nr;
	}
	if (unread(client) < nr && nr % 3)
		return;
	n = recv(client, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n < 0)
		return;
	ck_assert_int_eq(memcmp(bytes, bytes_at(nr_taken), (size_t)n), 0);
	nr_taken += (uint64_t)n;
}

static bool holds(const struct io_ring *ring, uint64_t from)
{
	return !memcmp(io_ring_at(ring, ring->head), bytes_at(from),
		       io_ring_used(ring));
}

/* Whether another could go on, without a byte lost, sent twice or wrong. */
static bool could_go_on(void)
{
	struct io_ring in = rx, out = tx;
	struct toy_state state;

	if (!stream_is_kept(stream) || stream_resume(stream, &in, &out))
		return false;
	memcpy(&state, stream_committed(stream), sizeof(state));
	return state.nr_consumed + io_ring_used(&in) ==
		       nr_asked - unread(server) &&
	       state.nr_produced - io_ring_used(&out) ==
		       nr_taken + unread(client) &&
	       holds(&in, state.nr_consumed) &&
	       holds(&out, state.nr_produced - io_ring_used(&out));
}

/* Steps through a server, to its end or to where nobody could go on. Return:
 * whether that was found. */
static bool step_through(enum order order)
{
	uint64_t nr_steps = 0;
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid)
		be_server(order);
	for (;;) {
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		ck_assert(WIFSTOPPED(status));
		if (!could_go_on()) {
			kill(pid, SIGKILL);
			return true;
		}
		nr_steps++;
		if (nr_steps % 64 == 0)
			be_client();
		ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	}
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	/* That it was at work, and came round its rings. */
	ck_assert_uint_gt(nr_steps, 100 * ROUNDS);
	ck_assert_uint_gt(nr_taken, TX_BYTES);
	return false;
}

/* --- cases ---------------------------------------------------------------- */

static void setup(void)
{
	unsigned slot;
	int fds[2];

	ck_assert_int_eq(stream_area_create(&params, &area), 0);
	ck_assert_int_eq(stream_area_take(area, &slot), 0);
	ck_assert_int_eq(stream_area_map(area, slot, &stream, &rx, &tx), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	client = fds[0];
	server = fds[1];
	nr_asked = nr_taken = 0;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] =
			(unsigned char)(i % PERIOD * 7 + (i % PERIOD >> 8));
	begin_server();
}

static void teardown(void)
{
	close(client);
	close(server);
	stream_area_unmap(stream, &rx, &tx);
	stream_area_destroy(area);
}

START_TEST(any_instruction_may_be_the_last)
{
	ck_assert(!step_through(AS_IT_MUST));
}
END_TEST

/* That the case above would find out. */
START_TEST(sending_before_the_commit_is_found_out)
{
	ck_assert(step_through(SENDS_TOO_EARLY));
}
END_TEST

START_TEST(receiving_before_the_commit_is_found_out)
{
	ck_assert(step_through(RECEIVES_TOO_EARLY));
}
END_TEST

START_TEST(positions_that_cannot_be_are_refused)
{
	struct io_ring in = rx, out = tx;

	ck_assert_int_eq(stream_resume(stream, &in, &out), 0);
	stream->commits[stream->current & 1].tx_head = 1;
	ck_assert_int_eq(stream_resume(stream, &in, &out), -EUCLEAN);
	stream->commits[stream->current & 1].tx_head = 0;
	stream->rx.calls[stream->rx.current & 1].base = RX_BYTES + 1;
	ck_assert_int_eq(stream_resume(stream, &in, &out), -EUCLEAN);
}
END_TEST

/* --- blame ---------------------------------------------------------------- */

static uint64_t die_at(uint64_t request, uint64_t offset)
{
	stream->mark =
		(struct stream_mark){.request = request, .offset = offset};
	return stream_blame(stream, false);
}

START_TEST(a_request_is_blamed_for_deaths_in_the_same_place)
{
	ck_assert_uint_eq(die_at(5, 4096), 0);
	ck_assert_uint_eq(die_at(5, 4096), 0);
	ck_assert_uint_eq(die_at(5, 4096), 5);
	ck_assert_uint_eq(die_at(0, 0), 5); /* until it is answered */
	ck_assert_uint_eq(die_at(6, 0), 0);
}
END_TEST

START_TEST(progress_and_deaths_elsewhere_are_nobodys_fault)
{
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_uint_eq(die_at(5, i * 4096), 0);
		ck_assert_uint_eq(die_at(0, 0), 0);
		ck_assert_uint_eq(die_at(0, 0), 0);
	}
	ck_assert_uint_eq(stream->nr_adoptions, 30);
}
END_TEST

START_TEST(who_is_killed_blames_nobody)
{
	for (unsigned i = 0; i < 10; i++) {
		stream->mark = (struct stream_mark){.request = 5};
		ck_assert_uint_eq(stream_blame(stream, true), 0);
	}
	ck_assert_uint_eq(die_at(5, 0), 0);
}
END_TEST

START_TEST(what_is_committed_is_not_being_run)
{
	stream->mark.request = 5;
	stream_commit(stream, &rx, &tx);
	ck_assert_uint_eq(stream->mark.request, 0);
}
END_TEST

/* --- areas ---------------------------------------------------------------- */

static struct stream_area *open_again(void)
{
	struct stream_area *other;

	ck_assert_int_eq(stream_area_open(dup(stream_area_fd(area)), &params,
					  &other),
			 0);
	return other;
}

START_TEST(an_area_is_found_by_its_descriptor)
{
	struct stream_area *other = open_again();
	struct stream *same;
	struct io_ring in, out;
	unsigned slot;

	memcpy(rx.base, "asked", 5);
	memcpy(tx.base, "told", 4);
	ck_assert(stream_area_is_kept(other, 0));
	ck_assert(!stream_area_is_kept(other, 1));
	ck_assert_int_eq(stream_area_map(other, 0, &same, &in, &out), 0);
	ck_assert(stream_is_kept(same));
	/* Each ring is there twice in a row. */
	ck_assert_int_eq(memcmp(in.base + RX_BYTES, "asked", 5), 0);
	ck_assert_int_eq(memcmp(out.base + TX_BYTES, "told", 4), 0);
	stream_area_unmap(same, &in, &out);

	/* What is kept is taken. */
	ck_assert_int_eq(stream_area_take(other, &slot), 0);
	ck_assert_uint_eq(slot, 1);
	ck_assert_int_eq(stream_area_take(other, &slot), -ENOSPC);
	stream_area_free(other, 0);
	ck_assert_int_eq(stream_area_take(other, &slot), 0);
	ck_assert_uint_eq(slot, 0);
	ck_assert(!stream_area_is_kept(other, 0));
	stream_area_destroy(other);
}
END_TEST

/* Slot 0 was mapped when it was kept; slot 1 comes to be kept later. */
START_TEST(what_is_mapped_ahead_is_handed_out_once)
{
	struct stream_area *other = open_again();
	struct stream *ahead, *again;
	struct io_ring in, out, in2, out2;

	stream_area_map_ahead(other);
	memcpy(rx.base, "asked", 5);
	ck_assert_int_eq(stream_area_map(other, 0, &ahead, &in, &out), 0);
	ck_assert(stream_is_kept(ahead));
	ck_assert_int_eq(memcmp(in.base, "asked", 5), 0);
	ck_assert_uint_eq(out.bytes, TX_BYTES);
	ck_assert_int_eq(stream_area_map(other, 0, &again, &in2, &out2), 0);
	ck_assert_ptr_ne(again, ahead);
	stream_area_unmap(again, &in2, &out2);
	stream_area_unmap(ahead, &in, &out);
	stream_area_map_ahead(other);
	stream_area_unmap_ahead(other);
	ck_assert_int_eq(stream_area_map(other, 1, &again, &in2, &out2), 0);
	ck_assert(!stream_is_kept(again));
	stream_area_unmap(again, &in2, &out2);
	stream_area_destroy(other);
}
END_TEST

START_TEST(what_is_kept_is_found_beyond_what_is_not)
{
	struct stream_area_params many = params;
	struct stream_area *wide;
	struct stream *one;
	struct io_ring in, out;
	unsigned slot = 0;

	many.nr_slots = 9;
	ck_assert_int_eq(stream_area_create(&many, &wide), 0);
	ck_assert(!stream_area_find_kept(wide, &slot));
	for (unsigned i = 0; i < 9; i++) {
		ck_assert_int_eq(stream_area_take(wide, &slot), 0);
		ck_assert_uint_eq(slot, i);
		if (i != 2 && i != 3 && i != 7)
			continue;
		ck_assert_int_eq(stream_area_map(wide, i, &one, &in, &out), 0);
		if (i != 3)
			stream_keep(one);
		stream_area_unmap(one, &in, &out);
	}
	for (slot = 0; stream_area_find_kept(wide, &slot); slot++)
		ck_assert_uint_eq(slot % 5, 2);
	ck_assert_uint_eq(slot, 9);
	stream_area_look(wide);
	ck_assert_int_eq(stream_area_take(wide, &slot), 0);
	ck_assert_uint_eq(slot, 0);
	stream_area_destroy(wide);
}
END_TEST

START_TEST(other_memory_is_no_area)
{
	struct stream_area_params others = params;
	struct stream_area *other;
	int fd = stream_area_fd(area);

	others.nr_slots++;
	ck_assert_int_eq(stream_area_open(fd, &others, &other), -EUCLEAN);
	others = params;
	others.rx_bytes *= 2;
	others.tx_bytes /= 2;
	ck_assert_int_eq(stream_area_open(fd, &others, &other), -EUCLEAN);
	ck_assert_int_eq(pwrite(fd, "zsd", 3, 0), 3);
	ck_assert_int_eq(stream_area_open(fd, &params, &other), -EUCLEAN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tc = tcase_create("stream");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, any_instruction_may_be_the_last);
	tcase_add_test(tc, sending_before_the_commit_is_found_out);
	tcase_add_test(tc, receiving_before_the_commit_is_found_out);
	tcase_add_test(tc, positions_that_cannot_be_are_refused);
	tcase_add_test(tc, a_request_is_blamed_for_deaths_in_the_same_place);
	tcase_add_test(tc, progress_and_deaths_elsewhere_are_nobodys_fault);
	tcase_add_test(tc, who_is_killed_blames_nobody);
	tcase_add_test(tc, what_is_committed_is_not_being_run);
	tcase_add_test(tc, an_area_is_found_by_its_descriptor);
	tcase_add_test(tc, what_is_mapped_ahead_is_handed_out_once);
	tcase_add_test(tc, what_is_kept_is_found_beyond_what_is_not);
	tcase_add_test(tc, other_memory_is_no_area);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
