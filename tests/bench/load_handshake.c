/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "load_handshake.h"
#include "load_wire.h"

/*
 * Most option replies before ACK: a handful of NBD_REP_INFO is usual, and a
 * peer that never stops is not a server.
 */
#define MAX_OPTION_REPLIES 64

static int send_all(int fd, const unsigned char *bytes, size_t nr_bytes)
{
	while (nr_bytes) {
		ssize_t sent = send(fd, bytes, nr_bytes, MSG_NOSIGNAL);

		if (sent < 0)
			return -errno;
		bytes += sent;
		nr_bytes -= (size_t)sent;
	}
	return 0;
}

static int receive_all(int fd, unsigned char *bytes, size_t nr_bytes)
{
	while (nr_bytes) {
		ssize_t got = recv(fd, bytes, nr_bytes, 0);

		if (!got)
			return -ECONNRESET;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		bytes += got;
		nr_bytes -= (size_t)got;
	}
	return 0;
}

static int greet(int fd)
{
	unsigned char greeting[WIRE_GREETING_BYTES], flags[4];
	int err = receive_all(fd, greeting, sizeof(greeting));

	if (err)
		return err;
	if (load_be64(greeting) != WIRE_INIT_MAGIC ||
	    load_be64(greeting + 8) != WIRE_OPTION_MAGIC ||
	    !(load_be16(greeting + 16) & WIRE_FIXED_NEWSTYLE))
		return -EPROTO;
	store_be32(flags, load_be16(greeting + 16) &
				  (WIRE_FIXED_NEWSTYLE | WIRE_NO_ZEROES));
	return send_all(fd, flags, sizeof(flags));
}

static int send_go(int fd, const char *name, size_t name_bytes)
{
	unsigned char
		option[WIRE_OPTION_BYTES + 4 + LOAD_MAX_EXPORT_NAME_BYTES + 2];

	store_be64(option, WIRE_OPTION_MAGIC);
	store_be32(option + 8, WIRE_OPT_GO);
	store_be32(option + 12, (uint32_t)(4 + name_bytes + 2));
	store_be32(option + 16, (uint32_t)name_bytes);
	memcpy(option + 20, name, name_bytes);
	store_be16(option + 20 + name_bytes, 0); /* no information requests */
	return send_all(fd, option, 20 + name_bytes + 2);
}

/*
 * One option reply; its data are cut to WIRE_INFO_EXPORT_BYTES, which is as
 * much as anything here needs.
 */
static int receive_reply(int fd, uint32_t *type, unsigned char *data,
			 uint32_t *data_bytes)
{
	unsigned char reply[WIRE_OPTION_REPLY_BYTES], waste[256];
	uint32_t left;
	int err = receive_all(fd, reply, sizeof(reply));

	if (err)
		return err;
	if (load_be64(reply) != WIRE_REP_MAGIC ||
	    load_be32(reply + 8) != WIRE_OPT_GO)
		return -EPROTO;
	*type = load_be32(reply + 12);
	left = load_be32(reply + 16);
	*data_bytes = min_u32(left, WIRE_INFO_EXPORT_BYTES);
	err = receive_all(fd, data, *data_bytes);
	left -= *data_bytes;
	while (!err && left) {
		uint32_t bytes = min_u32(left, sizeof(waste));

		err = receive_all(fd, waste, bytes);
		left -= bytes;
	}
	return err;
}

int load_handshake(int fd, const char *name, struct load_export *out)
{
	unsigned char data[WIRE_INFO_EXPORT_BYTES];
	struct load_export export = {0};
	bool have_export = false;
	uint32_t type, bytes;
	int err = greet(fd);

	if (!err)
		err = send_go(fd, name, strlen(name));
	for (int i = 0; !err && i < MAX_OPTION_REPLIES; i++) {
		err = receive_reply(fd, &type, data, &bytes);
		if (err)
			return err;
		if (type & WIRE_REP_ERROR_BIT)
			return -ENOENT;
		if (type == WIRE_REP_ACK) {
			if (!have_export)
				return -EPROTO;
			*out = export;
			return 0;
		}
		if (type == WIRE_REP_INFO && bytes == WIRE_INFO_EXPORT_BYTES &&
		    load_be16(data) == WIRE_INFO_EXPORT) {
			export.size_bytes = load_be64(data + 2);
			export.flags = load_be16(data + 10);
			have_export = true;
		}
	}
	return err ? err : -EPROTO;
}
