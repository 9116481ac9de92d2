/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/units.h"
#include "load_conn.h"

/*
 * Room for what one recv(2) brings: the replies of 32 reads of 4 KiB twice
 * over, and small enough to stay in the second-level cache.
 */
#define RECEIVE_BYTES ((size_t)256 * KIB)

/* A request that is under way. */
struct slot {
	struct load_request request;
	bool is_wrong; /* some of its data was not as expected */
};

struct load_conn {
	struct nbdc_conn conn;
	unsigned depth;
	uint64_t nr_started; /* makes cookies unique */
	struct slot slots[LOAD_MAX_DEPTH];
	struct slot *free_slots[LOAD_MAX_DEPTH];
	unsigned nr_free;

	/* The batch being sent. */
	unsigned char header[LOAD_MAX_DEPTH][NBDC_REQUEST_BYTES];
	struct iovec piece[2 * LOAD_MAX_DEPTH];
	unsigned nr_pieces;
	unsigned first_piece; /* the first one not sent whole */

	unsigned char received[RECEIVE_BYTES];
};

struct load_conn *load_conn_open(const struct nbdc_conn *conn, unsigned depth)
{
	struct load_conn *c = calloc(1, sizeof(*c));

	if (!c)
		error(1, ENOMEM, "a connection");
	c->conn = *conn;
	c->depth = depth;
	for (; c->nr_free < depth; c->nr_free++)
		c->free_slots[c->nr_free] = &c->slots[c->nr_free];
	return c;
}

void load_conn_close(struct load_conn *c)
{
	nbdc_leave(&c->conn);
	free(c);
}

const struct nbdc_conn *load_conn_base(const struct load_conn *c)
{
	return &c->conn;
}

bool load_conn_has_unsent(const struct load_conn *c)
{
	return c->first_piece < c->nr_pieces;
}

bool load_conn_is_busy(const struct load_conn *c)
{
	return c->nr_free < c->depth;
}

/* Adds bytes to the batch, to its last piece where they follow it. */
static void add_piece(struct load_conn *c, unsigned char *bytes,
		      size_t nr_bytes)
{
	struct iovec *last = c->nr_pieces ? &c->piece[c->nr_pieces - 1] : NULL;

	if (last && (unsigned char *)last->iov_base + last->iov_len == bytes) {
		last->iov_len += nr_bytes;
		return;
	}
	c->piece[c->nr_pieces].iov_base = bytes;
	c->piece[c->nr_pieces++].iov_len = nr_bytes;
}

static void add_request(struct load_conn *c, struct load_work *work,
			unsigned char *header, uint64_t now_ns)
{
	static const uint16_t command[LOAD_NR_OPS] = {
		[LOAD_READ] = CMD_READ,
		[LOAD_WRITE] = CMD_WRITE,
		[LOAD_TRIM] = CMD_TRIM,
	};
	uint64_t block_bytes = work->plan->block_bytes;
	struct slot *slot = c->free_slots[--c->nr_free];
	struct nbdc_request request;

	load_plan_next(work->plan, &work->mix, &slot->request);
	slot->request.start_ns = now_ns;
	slot->is_wrong = false;
	request = (struct nbdc_request){
		.type = command[slot->request.op],
		.cookie = ++c->nr_started,
		.offset = slot->request.block * block_bytes,
		.length = (uint32_t)block_bytes,
	};
	nbdc_encode_request(header, &request);
	nbdc_replies_sent(&c->conn.replies, &request, slot);
	add_piece(c, header, NBDC_REQUEST_BYTES);
	if (slot->request.op == LOAD_WRITE)
		add_piece(c, load_plan_payload(work->plan, &slot->request),
			  block_bytes);
}

static void make_batch(struct load_conn *c, struct load_work *work)
{
	uint64_t now_ns = bench_now_ns(CLOCK_MONOTONIC);
	unsigned nr_headers = 0;

	c->nr_pieces = 0;
	c->first_piece = 0;
	while (c->nr_free && work->nr_left && now_ns < work->deadline_ns) {
		work->nr_left--;
		add_request(c, work, c->header[nr_headers++], now_ns);
	}
}

static void drop_sent(struct load_conn *c, size_t sent)
{
	while (sent) {
		struct iovec *piece = &c->piece[c->first_piece];

		if (sent < piece->iov_len) {
			piece->iov_base =
				(unsigned char *)piece->iov_base + sent;
			piece->iov_len -= sent;
			return;
		}
		sent -= piece->iov_len;
		c->first_piece++;
	}
}

int load_conn_send(struct load_conn *c, struct load_work *work)
{
	struct msghdr message = {0};
	ssize_t sent;

	if (!load_conn_has_unsent(c))
		make_batch(c, work);
	while (load_conn_has_unsent(c)) {
		message.msg_iov = &c->piece[c->first_piece];
		message.msg_iovlen = c->nr_pieces - c->first_piece;
		sent = sendmsg(c->conn.fd, &message,
			       MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		drop_sent(c, (size_t)sent);
	}
	return 0;
}

static void finish(struct load_conn *c, struct load_work *work,
		   struct slot *slot, uint32_t error, uint64_t now_ns)
{
	struct load_tally *tally = &work->tally;
	const struct load_request *request = &slot->request;

	if (error == OK)
		histogram_add(&tally->latency[request->op],
			      now_ns - request->start_ns);
	else if (error == ERR_NOSPC)
		tally->nr_enospc++;
	else if (!tally->nr_errors++)
		tally->first_error = error;
	if (slot->is_wrong && !tally->nr_mismatches++)
		tally->first_mismatch_block = request->block;
	load_plan_done(work->plan, request, error != OK);
	c->free_slots[c->nr_free++] = slot;
}

static int take_received(struct load_conn *c, struct load_work *work,
			 size_t nr_bytes)
{
	uint64_t now_ns = bench_now_ns(CLOCK_MONOTONIC);
	const unsigned char *at = c->received;
	struct nbdc_event event;
	struct slot *slot;
	size_t used;
	int err;

	do {
		err = nbdc_replies_next(&c->conn.replies, at, nr_bytes, &used,
					&event);
		if (err)
			return err;
		at += used;
		nr_bytes -= used;
		slot = event.pending ? event.pending->data : NULL;
		if (event.kind == NBDC_DONE)
			finish(c, work, slot, event.pending->error, now_ns);
		else if (event.kind == NBDC_DATA && work->verify &&
			 !load_plan_check(work->plan, &slot->request,
					  event.offset -
						  event.pending->request.offset,
					  event.data, event.bytes))
			slot->is_wrong = true;
	} while (event.kind != NBDC_MORE);
	return 0;
}

int load_conn_receive(struct load_conn *c, struct load_work *work, bool wait)
{
	ssize_t got = recv(c->conn.fd, c->received, RECEIVE_BYTES,
			   wait ? 0 : MSG_DONTWAIT);

	if (!got)
		return -ECONNRESET;
	if (got < 0) {
		if (errno == EINTR)
			return 0;
		if (errno != EAGAIN)
			return -errno;
		return wait ? -ETIMEDOUT : 0;
	}
	return take_received(c, work, (size_t)got);
}
