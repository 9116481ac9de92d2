/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/bytes.h"
#include "nbd/nbd_proto.h"
#include "zsctl/device/negotiate.h"
#include "zsctl/text.h"

/* Three are of use to us; a server may add others that it was not asked for. */
#define MAX_REPLIES 32u

/* Longest data of a reply, bytes: a type and a string. */
#define MAX_REPLY_BYTES (2u + NBD_MAX_STRING_BYTES)

/* Of what a server says in its own words, that much is repeated, bytes. */
#define SAID_BYTES 80

/* Length of a name, number of informations, the one that is asked for. */
#define GO_FIXED_BYTES (4u + 2u + 2u)

/* The 64 bits that follow NBD_MAGIC in what servers sent before 2011. */
#define OLDSTYLE_MAGIC 0x00420281861253ull

struct talk {
	int fd;
	int64_t deadline_ms; /* of CLOCK_MONOTONIC */
	const char *export;
	char *why;
	bool has_export;
	struct negotiated told;
};

struct reply {
	uint32_t type;
	uint32_t bytes; /* of data */
	uint8_t data[MAX_REPLY_BYTES];
};

/* Return: @err. */
static int give_up(struct talk *t, int err, const char *why)
{
	(void)snprintf(t->why, NEGOTIATE_TEXT_BYTES, "%s", why);
	return err;
}

/* --- bytes --------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: 0 when the socket may be ready, or -errno. */
static int wait_until(struct talk *t, short events)
{
	struct pollfd fd = {.fd = t->fd, .events = events};
	const int64_t left_ms = t->deadline_ms - now_ms();
	int n;

	if (left_ms <= 0)
		return give_up(t, -ETIMEDOUT, "it does not answer in time");
	n = poll(&fd, 1, (int)left_ms);
	if (n < 0 && errno != EINTR)
		return give_up(t, -errno, strerror(errno));
	return 0;
}

/* What an error of the socket means; 0: try again. */
static int judge_socket(struct talk *t)
{
	if (errno == EINTR || errno == EAGAIN)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return give_up(t, -ECONNRESET, "it hung up");
	return give_up(t, -errno, strerror(errno));
}

static int read_all(struct talk *t, uint8_t *data, size_t bytes)
{
	ssize_t n;
	int err;

	while (bytes) {
		err = wait_until(t, POLLIN);
		if (err)
			return err;
		n = recv(t->fd, data, bytes, MSG_DONTWAIT);
		if (n == 0)
			return give_up(t, -ECONNRESET, "it hung up");
		if (n < 0) {
			err = judge_socket(t);
			if (err)
				return err;
			continue;
		}
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int write_all(struct talk *t, const uint8_t *data, size_t bytes)
{
	ssize_t n;
	int err;

	while (bytes) {
		err = wait_until(t, POLLOUT);
		if (err)
			return err;
		n = send(t->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			err = judge_socket(t);
			if (err)
				return err;
			continue;
		}
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* --- the handshake ------------------------------------------------------- */

/* Reads the greeting and answers it. */
static int greet(struct talk *t)
{
	uint8_t greeting[NBD_GREETING_BYTES], answer[NBD_CLIENT_FLAGS_BYTES];
	uint32_t flags = NBD_FLAG_C_FIXED_NEWSTYLE;
	int err;

	err = read_all(t, greeting, 16);
	if (err)
		return err;
	if (load_be64(greeting) != NBD_MAGIC)
		return give_up(t, -EPROTO, "that is not an NBD server");
	if (load_be64(greeting + 8) == OLDSTYLE_MAGIC)
		return give_up(t, -EPROTONOSUPPORT,
			       "it speaks the NBD protocol of before 2011");
	if (load_be64(greeting + 8) != NBD_IHAVEOPT)
		return give_up(t, -EPROTO, "that is not an NBD server");
	err = read_all(t, greeting + 16, 2);
	if (err)
		return err;
	if (!(load_be16(greeting + 16) & NBD_FLAG_FIXED_NEWSTYLE))
		return give_up(t, -EPROTONOSUPPORT,
			       "it does not speak NBD's fixed newstyle");
	if (load_be16(greeting + 16) & NBD_FLAG_NO_ZEROES)
		flags |= NBD_FLAG_C_NO_ZEROES;
	store_be32(answer, flags);
	return write_all(t, answer, sizeof(answer));
}

static int ask_to_go(struct talk *t)
{
	uint8_t data[NBD_OPTION_HEADER_BYTES + GO_FIXED_BYTES +
		     NBD_MAX_STRING_BYTES];
	const size_t name_bytes = strlen(t->export);
	uint8_t *p = data;

	if (name_bytes > NBD_MAX_STRING_BYTES)
		return give_up(t, -ENAMETOOLONG,
			       "no export has such a long name");
	store_be64(p, NBD_IHAVEOPT);
	store_be32(p + 8, NBD_OPT_GO);
	store_be32(p + 12, (uint32_t)(GO_FIXED_BYTES + name_bytes));
	store_be32(p + 16, (uint32_t)name_bytes);
	memcpy(p + 20, t->export, name_bytes);
	p += 20 + name_bytes;
	store_be16(p, 1);
	store_be16(p + 2, NBD_INFO_BLOCK_SIZE);
	return write_all(t, data, (size_t)(p + 4 - data));
}

static int read_reply(struct talk *t, struct reply *reply)
{
	uint8_t header[NBD_REP_HEADER_BYTES];
	int err = read_all(t, header, sizeof(header));

	if (err)
		return err;
	if (load_be64(header) != NBD_REP_MAGIC ||
	    load_be32(header + 8) != NBD_OPT_GO)
		return give_up(t, -EPROTO,
			       "it breaks the protocol: that is no reply");
	reply->type = load_be32(header + 12);
	reply->bytes = load_be32(header + 16);
	if (reply->bytes > sizeof(reply->data))
		return give_up(t, -EPROTO,
			       "it breaks the protocol: a reply is too long");
	return read_all(t, reply->data, reply->bytes);
}

static int take_info(struct talk *t, const struct reply *reply)
{
	static const char wrong[] = "it breaks the protocol: an information "
				    "has another length than it should";
	const uint8_t *data = reply->data;
	unsigned type;

	if (reply->bytes < 2)
		return give_up(t, -EPROTO, wrong);
	type = load_be16(data);
	if (type == NBD_INFO_EXPORT) {
		if (reply->bytes != NBD_INFO_EXPORT_BYTES)
			return give_up(t, -EPROTO, wrong);
		t->told.size_bytes = load_be64(data + 2);
		t->told.flags = load_be16(data + 10);
		t->has_export = true;
	} else if (type == NBD_INFO_BLOCK_SIZE) {
		if (reply->bytes != NBD_INFO_BLOCK_SIZE_BYTES)
			return give_up(t, -EPROTO, wrong);
		t->told.min_block_bytes = load_be32(data + 2);
	}
	return 0;
}

/* What a refusal means, and what the server says about it. */
static int take_refusal(struct talk *t, struct reply *reply)
{
	static const struct {
		uint32_t type;
		int err;
		const char *text;
	} refusals[] = {
		{NBD_REP_ERR_UNSUP, -EPROTONOSUPPORT,
		 "it does not know NBD_OPT_GO"},
		{NBD_REP_ERR_POLICY, -EACCES, "it does not let us in"},
		{NBD_REP_ERR_TLS_REQD, -EACCES,
		 "it lets nobody in without TLS"},
		{NBD_REP_ERR_UNKNOWN, -ENOENT, "it has no export of that name"},
		{NBD_REP_ERR_SHUTDOWN, -ECONNRESET, "it is shutting down"},
	};
	char said[SAID_BYTES];
	const char *text = "it refuses";
	int err = -EPROTO;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].type != reply->type)
			continue;
		text = refusals[i].text;
		err = refusals[i].err;
	}
	reply->data[reply->bytes < MAX_REPLY_BYTES ? reply->bytes
						   : MAX_REPLY_BYTES - 1] = 0;
	text_plain((const char *)reply->data, said, sizeof(said));
	(void)snprintf(t->why, NEGOTIATE_TEXT_BYTES, "%s%s%s%s", text,
		       *said ? " (\"" : "", said, *said ? "\")" : "");
	return err;
}

/* Until the server lets us in. */
static int take_replies(struct talk *t)
{
	struct reply reply;
	int err = 0;

	for (unsigned i = 0; i < MAX_REPLIES && !err; i++) {
		err = read_reply(t, &reply);
		if (err)
			return err;
		if (reply.type & NBD_REP_ERR(0))
			return take_refusal(t, &reply);
		if (reply.type == NBD_REP_ACK && t->has_export)
			return 0;
		if (reply.type == NBD_REP_INFO)
			err = take_info(t, &reply);
		else
			err = give_up(t, -EPROTO,
				      "it breaks the protocol: a reply that "
				      "nobody asked for");
	}
	return err ? err
		   : give_up(t, -EPROTO,
			     "it does not come to an end of what it "
			     "has to say of the export");
}

int negotiate(int fd, const char *export, unsigned timeout_ms,
	      struct negotiated *out, char why[NEGOTIATE_TEXT_BYTES])
{
	struct talk t = {
		.fd = fd,
		.deadline_ms = now_ms() + timeout_ms,
		.export = export,
		.why = why,
		.told.min_block_bytes = 1,
	};
	int err;

	err = greet(&t);
	if (!err)
		err = ask_to_go(&t);
	if (!err)
		err = take_replies(&t);
	if (!err)
		*out = t.told;
	return err;
}
