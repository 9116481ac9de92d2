/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/units.h"
#include "load_conn.h"
#include "load_wire.h"

/*
 * Room for what one recv(2) brings: the replies of 32 reads of 4 KiB twice
 * over, and small enough to stay in the second-level cache.
 */
#define RECEIVE_BYTES ((size_t)256 * KIB)

struct load_conn {
	int fd;
	unsigned depth;
	struct load_request request[LOAD_MAX_DEPTH]; /* by tag */
	uint64_t cookie[LOAD_MAX_DEPTH]; /* of it; 0: the tag is free */
	uint64_t nr_started; /* makes cookies unique */
	uint16_t free_tag[LOAD_MAX_DEPTH];
	unsigned nr_free;

	/* The batch being sent. */
	unsigned char header[LOAD_MAX_DEPTH][WIRE_REQUEST_BYTES];
	struct iovec piece[2 * LOAD_MAX_DEPTH];
	unsigned nr_pieces;
	unsigned first_piece; /* the first one not sent whole */

	/* The reply being received. */
	unsigned reading_tag; /* whose data comes, if data_left */
	uint32_t data_left; /* bytes of it still to come */
	bool data_is_wrong; /* some of it was not as expected */
	size_t have; /* bytes in received */
	unsigned char received[RECEIVE_BYTES];
};

uint64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int connect_unix(const char *path, unsigned timeout_s, int *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = timeout_s};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
		       sizeof(timeout))) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int load_conn_open(const char *socket_path, const char *export_name,
		   unsigned depth, unsigned timeout_s, struct load_conn **out,
		   struct load_export *out_export)
{
	struct load_conn *conn = calloc(1, sizeof(*conn));
	int err;

	if (!conn)
		return -ENOMEM;
	err = connect_unix(socket_path, timeout_s, &conn->fd);
	if (err) {
		free(conn);
		return err;
	}
	err = load_handshake(conn->fd, export_name, out_export);
	if (err) {
		close(conn->fd);
		free(conn);
		return err;
	}
	conn->depth = depth;
	while (conn->nr_free < depth) {
		conn->free_tag[conn->nr_free] = (uint16_t)conn->nr_free;
		conn->nr_free++;
	}
	*out = conn;
	return 0;
}

void load_conn_close(struct load_conn *conn)
{
	unsigned char disconnect[WIRE_REQUEST_BYTES] = {0};

	if (!conn)
		return;
	store_be32(disconnect, WIRE_REQUEST_MAGIC);
	store_be16(disconnect + 6, WIRE_CMD_DISC);
	/* A courtesy: the connection ends here in any case. */
	(void)send(conn->fd, disconnect, sizeof(disconnect),
		   MSG_NOSIGNAL | MSG_DONTWAIT);
	close(conn->fd);
	free(conn);
}

int load_conn_fd(const struct load_conn *conn)
{
	return conn->fd;
}

bool load_conn_has_unsent(const struct load_conn *conn)
{
	return conn->first_piece < conn->nr_pieces;
}

bool load_conn_is_busy(const struct load_conn *conn)
{
	return conn->nr_free < conn->depth;
}

/* Adds bytes to the batch, to its last piece where they follow it. */
static void add_piece(struct load_conn *conn, unsigned char *bytes,
		      size_t nr_bytes)
{
	if (conn->nr_pieces) {
		struct iovec *last = &conn->piece[conn->nr_pieces - 1];

		if ((unsigned char *)last->iov_base + last->iov_len == bytes) {
			last->iov_len += nr_bytes;
			return;
		}
	}
	conn->piece[conn->nr_pieces].iov_base = bytes;
	conn->piece[conn->nr_pieces++].iov_len = nr_bytes;
}

static void add_request(struct load_conn *conn, struct load_work *work,
			unsigned char *header, uint64_t now_ns)
{
	static const uint16_t command[LOAD_NR_OPS] = {
		[LOAD_READ] = WIRE_CMD_READ,
		[LOAD_WRITE] = WIRE_CMD_WRITE,
		[LOAD_TRIM] = WIRE_CMD_TRIM,
	};
	uint32_t block_bytes = work->plan->params.block_bytes;
	uint16_t tag = conn->free_tag[--conn->nr_free];
	struct load_request *request = &conn->request[tag];

	load_plan_next(work->plan, &work->mix, request);
	request->start_ns = now_ns;
	/* LOAD_MAX_DEPTH tags fit the low 16 bits; counting from 1. */
	conn->cookie[tag] = ++conn->nr_started << 16 | tag;
	store_be32(header, WIRE_REQUEST_MAGIC);
	store_be16(header + 4, 0);
	store_be16(header + 6, command[request->op]);
	store_be64(header + 8, conn->cookie[tag]);
	store_be64(header + 16, request->block * block_bytes);
	store_be32(header + 24, block_bytes);
	add_piece(conn, header, WIRE_REQUEST_BYTES);
	if (request->op == LOAD_WRITE)
		add_piece(conn, load_plan_payload(work->plan, request),
			  block_bytes);
}

static void make_batch(struct load_conn *conn, struct load_work *work)
{
	uint64_t now_ns = load_now_ns();
	unsigned nr_headers = 0;

	conn->nr_pieces = 0;
	conn->first_piece = 0;
	while (conn->nr_free && work->nr_left && now_ns < work->deadline_ns) {
		work->nr_left--;
		add_request(conn, work, conn->header[nr_headers++], now_ns);
	}
}

static void drop_sent(struct load_conn *conn, size_t sent)
{
	while (sent) {
		struct iovec *piece = &conn->piece[conn->first_piece];

		if (sent < piece->iov_len) {
			piece->iov_base =
				(unsigned char *)piece->iov_base + sent;
			piece->iov_len -= sent;
			return;
		}
		sent -= piece->iov_len;
		conn->first_piece++;
	}
}

int load_conn_send(struct load_conn *conn, struct load_work *work)
{
	struct msghdr message = {0};
	ssize_t sent;

	if (!load_conn_has_unsent(conn))
		make_batch(conn, work);
	while (load_conn_has_unsent(conn)) {
		message.msg_iov = &conn->piece[conn->first_piece];
		message.msg_iovlen = conn->nr_pieces - conn->first_piece;
		sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		drop_sent(conn, (size_t)sent);
	}
	return 0;
}

/* The reply of @tag is complete. */
static void finish(struct load_conn *conn, struct load_work *work, unsigned tag,
		   uint32_t error, uint64_t now_ns)
{
	struct load_request *request = &conn->request[tag];
	struct load_tally *tally = &work->tally;

	if (!error) {
		histogram_add(&tally->latency[request->op],
			      now_ns - request->start_ns);
	} else if (error == WIRE_ENOSPC) {
		tally->nr_enospc++;
	} else if (!tally->nr_errors++) {
		tally->first_error = error;
	}
	load_plan_done(work->plan, request, error != 0);
	conn->cookie[tag] = 0;
	conn->free_tag[conn->nr_free++] = (uint16_t)tag;
}

/* Bytes of a read's data; the last of them completes the reply. */
static void take_data(struct load_conn *conn, struct load_work *work,
		      const unsigned char *bytes, uint32_t nr_bytes,
		      uint64_t now_ns)
{
	const struct load_request *request = &conn->request[conn->reading_tag];
	uint32_t offset = work->plan->params.block_bytes - conn->data_left;
	struct load_tally *tally = &work->tally;

	if (work->verify &&
	    !load_plan_check(work->plan, request, offset, bytes, nr_bytes))
		conn->data_is_wrong = true;
	conn->data_left -= nr_bytes;
	if (conn->data_left)
		return;
	if (conn->data_is_wrong && !tally->nr_mismatches++)
		tally->first_mismatch_block = request->block;
	finish(conn, work, conn->reading_tag, 0, now_ns);
}

static int take_reply(struct load_conn *conn, struct load_work *work,
		      const unsigned char *reply, uint64_t now_ns)
{
	uint32_t error = load_be32(reply + 4);
	uint64_t cookie = load_be64(reply + 8);
	unsigned tag = cookie & 0xffff;

	if (load_be32(reply) != WIRE_REPLY_MAGIC || !cookie ||
	    tag >= conn->depth || conn->cookie[tag] != cookie)
		return -EPROTO;
	if (error || conn->request[tag].op != LOAD_READ) {
		finish(conn, work, tag, error, now_ns);
		return 0;
	}
	conn->reading_tag = tag;
	conn->data_left = work->plan->params.block_bytes;
	conn->data_is_wrong = false;
	return 0;
}

static int take_received(struct load_conn *conn, struct load_work *work)
{
	uint64_t now_ns = load_now_ns();
	size_t at = 0;
	int err;

	for (;;) {
		size_t left = conn->have - at;

		if (conn->data_left && left) {
			uint32_t bytes =
				(uint32_t)min_u64(conn->data_left, left);

			take_data(conn, work, conn->received + at, bytes,
				  now_ns);
			at += bytes;
		} else if (!conn->data_left && left >= WIRE_REPLY_BYTES) {
			err = take_reply(conn, work, conn->received + at,
					 now_ns);
			if (err)
				return err;
			at += WIRE_REPLY_BYTES;
		} else {
			/* At most part of a reply's head is left. */
			memmove(conn->received, conn->received + at, left);
			conn->have = left;
			return 0;
		}
	}
}

int load_conn_receive(struct load_conn *conn, struct load_work *work, bool wait)
{
	ssize_t got = recv(conn->fd, conn->received + conn->have,
			   RECEIVE_BYTES - conn->have, wait ? 0 : MSG_DONTWAIT);

	if (!got)
		return -ECONNRESET;
	if (got < 0) {
		if (errno == EINTR)
			return 0;
		if (errno != EAGAIN)
			return -errno;
		return wait ? -ETIMEDOUT : 0;
	}
	conn->have += (size_t)got;
	return take_received(conn, work);
}
