/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "nbd/nbdc_conn.h"

/* Longest reply to an option that is borne, bytes; and most of them before the
 * last: a peer that never stops is no server. */
#define MAX_REP_BYTES 16384u
#define MAX_REPS      64u

static int fail(struct nbdc_conn *conn, const char *why)
{
	(void)snprintf(conn->replies.wrong, sizeof(conn->replies.wrong), "%s",
		       why);
	return -EPROTO;
}

const char *nbdc_explain(const struct nbdc_conn *conn, int err)
{
	return err == -EPROTO ? conn->replies.wrong : strerror(-err);
}

void nbdc_must(const struct nbdc_conn *conn, int err)
{
	if (err)
		error(1, 0, "the server: %s", nbdc_explain(conn, err));
}

/* --- bytes --------------------------------------------------------------- */

void nbdc_adopt(struct nbdc_conn *conn, int fd)
{
	memset(conn, 0, sizeof(*conn));
	conn->fd = fd;
	conn->buffers = malloc(sizeof(*conn->buffers));
	if (!conn->buffers)
		abort();
	nbdc_replies_init(&conn->replies, false);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

static int connect_tcp(const char *address)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(address, ':');
	struct addrinfo *found = NULL;
	char host[256];
	int fd = -1, err = -EINVAL;

	if (!colon || (size_t)(colon - address) >= sizeof(host))
		return -EINVAL;
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - address),
		       address);
	if (getaddrinfo(host, colon + 1, &hints, &found))
		return -EADDRNOTAVAIL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int))) {
		err = -errno;
		close(fd);
		fd = err;
	}
	freeaddrinfo(found);
	return fd;
}

int nbdc_connect(struct nbdc_conn *conn, const char *address,
		 unsigned timeout_s)
{
	const struct timeval timeout = {.tv_sec = timeout_s};
	int fd = strchr(address, '/') ? connect_unix(address)
				      : connect_tcp(address);

	if (fd < 0)
		return fd;
	nbdc_adopt(conn, fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
			 sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
			 sizeof(timeout));
	return 0;
}

void nbdc_close(struct nbdc_conn *conn)
{
	close(conn->fd);
	free(conn->buffers);
	nbdc_replies_fini(&conn->replies);
}

int nbdc_send_bytes(struct nbdc_conn *conn, const void *bytes, size_t nr_bytes)
{
	const unsigned char *at = bytes;

	while (nr_bytes) {
		ssize_t n = send(conn->fd, at, nr_bytes, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += n;
		nr_bytes -= (size_t)n;
	}
	return 0;
}

int nbdc_receive_bytes(struct nbdc_conn *conn, void *bytes, size_t nr_bytes)
{
	unsigned char *at = bytes;

	while (nr_bytes) {
		size_t n = min_u64(nr_bytes, conn->nr_received - conn->taken);
		int err = n ? 0 : nbdc_pull(conn, true);

		if (err)
			return err;
		memcpy(at, conn->buffers->received + conn->taken, n);
		conn->taken += n;
		at += n;
		nr_bytes -= n;
	}
	return 0;
}

/* One that is closed with input unread is reset. */
int nbdc_drain(struct nbdc_conn *conn)
{
	int err;

	do {
		err = nbdc_pull(conn, true);
	} while (!err);
	return err == -ECONNRESET ? 0 : err;
}

int nbdc_receive_end(struct nbdc_conn *conn)
{
	char byte;
	int err = nbdc_receive_bytes(conn, &byte, 1);

	if (!err)
		return fail(conn, "answers instead of hanging up");
	return err == -ECONNRESET ? 0 : err;
}

/* --- handshake ----------------------------------------------------------- */

int nbdc_greet(struct nbdc_conn *conn, uint32_t client_flags)
{
	unsigned char bytes[NBDC_GREETING_BYTES];
	int err = nbdc_receive_bytes(conn, bytes, sizeof(bytes));

	if (err)
		return err;
	if (load_be64(bytes) != NBDC_INIT_MAGIC ||
	    load_be64(bytes + 8) != NBDC_OPTION_MAGIC ||
	    load_be16(bytes + 16) != NBDC_MODERN)
		return fail(conn, "no greeting");
	store_be32(bytes, client_flags);
	return nbdc_send_bytes(conn, bytes, 4);
}

/* One answer. What it tells about the export is remembered. */
static int receive_rep(struct nbdc_conn *conn, uint32_t option, uint32_t *type)
{
	unsigned char bytes[NBDC_REP_BYTES + MAX_REP_BYTES];
	struct nbdc_bytes b = {.data = bytes, .room = sizeof(bytes)};
	struct nbdc_rep rep;
	const char *wrong;
	int err = nbdc_receive_bytes(conn, bytes, NBDC_REP_BYTES);

	if (err)
		return err;
	b.bytes = NBDC_REP_BYTES + (size_t)load_be32(bytes + 16);
	if (b.bytes > b.room)
		return fail(conn, "an answer that is far too long");
	err = nbdc_receive_bytes(conn, bytes + NBDC_REP_BYTES,
				 b.bytes - NBDC_REP_BYTES);
	if (err)
		return err;
	wrong = nbdc_take_rep(&b, option, &rep);
	if (wrong)
		return fail(conn, wrong);
	if (rep.type == REP_INFO && load_be16(rep.data) == INFO_EXPORT) {
		conn->size_bytes = load_be64(rep.data + 2);
		conn->flags = load_be16(rep.data + 10);
	}
	*type = rep.type;
	return 0;
}

int nbdc_receive_answer(struct nbdc_conn *conn, uint32_t option, uint32_t *last)
{
	for (unsigned i = 0; i < MAX_REPS; i++) {
		int err = receive_rep(conn, option, last);

		if (err || nbdc_rep_is_last(*last))
			return err;
	}
	return fail(conn, "answers without an end");
}

int nbdc_send_option(struct nbdc_conn *conn, uint32_t option, const void *data,
		     size_t bytes)
{
	unsigned char header[NBDC_OPTION_BYTES];
	struct nbdc_bytes b = {.data = header, .room = sizeof(header)};
	int err;

	nbdc_put_option_header(&b, option, bytes);
	err = nbdc_send_bytes(conn, header, sizeof(header));
	return err ? err : nbdc_send_bytes(conn, data, bytes);
}

/* An option that was put together. */
static int run_option(struct nbdc_conn *conn, const struct nbdc_bytes *b)
{
	uint32_t answer;
	int err = nbdc_send_bytes(conn, b->data, b->bytes);

	if (!err)
		err = nbdc_receive_answer(conn, load_be32(b->data + 8),
					  &answer);
	return err ? err : answer == REP_ACK ? 0 : -ENOENT;
}

static int take_export(struct nbdc_conn *conn, const struct nbdc_bytes *b)
{
	unsigned char export[NBDC_EXPORT_BYTES] = {0};
	int err = nbdc_send_bytes(conn, b->data, b->bytes);

	if (!err)
		err = nbdc_receive_bytes(conn, export, sizeof(export));
	conn->size_bytes = load_be64(export);
	conn->flags = load_be16(export + 8);
	return err;
}

int nbdc_negotiate(struct nbdc_conn *conn, const struct nbdc_wish *wish)
{
	static const char *const queries[] = {"base:allocation", NULL};
	unsigned char data[2 * NBDC_MAX_STRING_BYTES];
	struct nbdc_bytes b = {.data = data, .room = sizeof(data)};
	const char *name = wish->name ? wish->name : "";
	int err = nbdc_greet(conn, NBDC_MODERN);

	if (!err && wish->structured) {
		nbdc_put_option(&b, OPT_STRUCTURED_REPLY, NULL, 0);
		err = run_option(conn, &b);
	}
	b.bytes = 0;
	if (!err && wish->context) {
		nbdc_put_contexts(&b, OPT_SET_META_CONTEXT, name, queries);
		err = run_option(conn, &b);
	}
	b.bytes = 0;
	if (wish->by_name)
		nbdc_put_option(&b, OPT_EXPORT_NAME, name, strlen(name));
	else
		nbdc_put_info(&b, OPT_GO, name, NULL, 0);
	if (!err)
		err = wish->by_name ? take_export(conn, &b)
				    : run_option(conn, &b);
	if (!err && !(conn->flags & EXPORT_HAS_FLAGS))
		err = fail(conn, "no flags of the export");
	conn->replies.structured = wish->structured;
	return err;
}

int nbdc_open(struct nbdc_conn *conn, const char *address,
	      const struct nbdc_wish *wish)
{
	int err = nbdc_connect(conn, address, NBDC_TIMEOUT_S);

	if (err)
		return err;
	err = nbdc_negotiate(conn, wish ? wish : &(struct nbdc_wish){0});
	if (err)
		nbdc_close(conn);
	return err;
}

/* --- many requests ------------------------------------------------------- */

/* To the last piece, where they follow it. */
static void add_piece(struct nbdc_conn *conn, void *bytes, size_t nr_bytes)
{
	struct iovec *next = &conn->buffers->piece[conn->nr_pieces];

	if (conn->nr_pieces &&
	    (char *)next[-1].iov_base + next[-1].iov_len == bytes) {
		next[-1].iov_len += nr_bytes;
		return;
	}
	*next = (struct iovec){bytes, nr_bytes};
	conn->nr_pieces++;
}

void nbdc_add(struct nbdc_conn *conn, const struct nbdc_request *request,
	      void *payload, void *user)
{
	unsigned char *header;

	if (!nbdc_has_unsent(conn))
		conn->nr_headers = conn->nr_pieces = conn->first_piece = 0;
	header = conn->buffers->header[conn->nr_headers++];
	nbdc_encode_request(header, request);
	if (request->type != CMD_DISC)
		nbdc_replies_sent(&conn->replies, request, user);
	add_piece(conn, header, NBDC_REQUEST_BYTES);
	if (request->type == CMD_WRITE && request->length)
		add_piece(conn, payload, request->length);
}

bool nbdc_has_unsent(const struct nbdc_conn *conn)
{
	return conn->first_piece < conn->nr_pieces;
}

static void drop_sent(struct nbdc_conn *conn, size_t sent)
{
	while (sent) {
		struct iovec *piece = &conn->buffers->piece[conn->first_piece];

		if (sent < piece->iov_len) {
			piece->iov_base = (char *)piece->iov_base + sent;
			piece->iov_len -= sent;
			return;
		}
		sent -= piece->iov_len;
		conn->first_piece++;
	}
}

int nbdc_push(struct nbdc_conn *conn, bool wait)
{
	while (nbdc_has_unsent(conn)) {
		const struct msghdr message = {
			.msg_iov = &conn->buffers->piece[conn->first_piece],
			.msg_iovlen = conn->nr_pieces - conn->first_piece,
		};
		ssize_t sent =
			sendmsg(conn->fd, &message,
				MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));

		if (sent < 0 && errno == EAGAIN)
			return wait ? -ETIMEDOUT : 0;
		if (sent < 0)
			return -errno;
		drop_sent(conn, (size_t)sent);
	}
	return 0;
}

int nbdc_pull(struct nbdc_conn *conn, bool wait)
{
	ssize_t got = recv(conn->fd, conn->buffers->received,
			   NBDC_RECEIVE_BYTES, wait ? 0 : MSG_DONTWAIT);

	conn->taken = 0;
	conn->nr_received = got < 0 ? 0 : (size_t)got;
	if (got > 0)
		return 0;
	if (got == 0)
		return -ECONNRESET;
	if (errno == EAGAIN)
		return wait ? -ETIMEDOUT : 0;
	return -errno;
}

int nbdc_next(struct nbdc_conn *conn, struct nbdc_event *event)
{
	size_t used;
	int err = nbdc_replies_next(&conn->replies,
				    conn->buffers->received + conn->taken,
				    conn->nr_received - conn->taken, &used,
				    event);

	conn->taken += used;
	return err;
}

/* --- requests ------------------------------------------------------------ */

int nbdc_send(struct nbdc_conn *conn, const struct nbdc_request *request,
	      void *data)
{
	nbdc_add(conn, request, data, data);
	return nbdc_push(conn, true);
}

/* What was read goes where it is wanted. */
static void keep(const struct nbdc_event *event)
{
	const struct nbdc_pending *p = event->pending;
	unsigned char *to = p->data;

	if (!to || (event->kind != NBDC_DATA && event->kind != NBDC_HOLE))
		return;
	to += event->offset - p->request.offset;
	if (event->kind == NBDC_DATA)
		memcpy(to, event->data, event->bytes);
	else
		memset(to, 0, event->bytes);
}

int nbdc_receive(struct nbdc_conn *conn, struct nbdc_pending *done)
{
	struct nbdc_event event;
	int err;

	do {
		err = nbdc_next(conn, &event);
		if (!err && event.kind == NBDC_MORE)
			err = nbdc_pull(conn, true);
		else if (!err)
			keep(&event);
	} while (!err && event.kind != NBDC_DONE);
	if (!err)
		*done = *event.pending;
	return err;
}

int nbdc_run(struct nbdc_conn *conn, const struct nbdc_request *request,
	     void *data, uint32_t *error)
{
	struct nbdc_pending done;
	int err = nbdc_send(conn, request, data);

	if (!err)
		err = nbdc_receive(conn, &done);
	if (!err)
		*error = done.error;
	return err;
}

void nbdc_must_run(struct nbdc_conn *conn, const struct nbdc_request *request,
		   void *data)
{
	uint32_t answer = OK;

	nbdc_must(conn, nbdc_run(conn, request, data, &answer));
	if (answer)
		error(1, 0, "a request of type %u fails: error %u",
		      request->type, answer);
}

void nbdc_leave(struct nbdc_conn *conn)
{
	const struct nbdc_request disc = {.type = CMD_DISC};

	nbdc_add(conn, &disc, NULL, NULL);
	(void)!nbdc_push(conn, false);
	nbdc_close(conn);
}
