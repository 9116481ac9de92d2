/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "load_handshake.h"
#include "load_wire.h"
#include "raw_conn.h"

int raw_connect(const char *path, unsigned timeout_s)
{
	const struct timeval timeout = {.tv_sec = timeout_s};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) <
		    0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) <
		    0 ||
	    connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int raw_open(const char *path, uint64_t *disk_bytes)
{
	struct load_export export;
	int fd = raw_connect(path, RAW_TIMEOUT_S);
	int err;

	if (fd < 0)
		return fd;
	err = load_handshake(fd, "", &export);
	if (err) {
		close(fd);
		return err;
	}
	if (disk_bytes)
		*disk_bytes = export.size_bytes;
	return fd;
}

int raw_send(int fd, const void *bytes, size_t nr_bytes)
{
	const unsigned char *at = bytes;

	while (nr_bytes) {
		ssize_t n = send(fd, at, nr_bytes, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		at += n;
		nr_bytes -= (size_t)n;
	}
	return 0;
}

int raw_receive(int fd, void *bytes, size_t nr_bytes)
{
	unsigned char *at = bytes;

	while (nr_bytes) {
		ssize_t n = recv(fd, at, nr_bytes, 0);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += n;
		nr_bytes -= (size_t)n;
	}
	return 0;
}

int raw_drain(int fd)
{
	unsigned char waste[65536];
	ssize_t n;

	do {
		n = recv(fd, waste, sizeof(waste), 0);
	} while (n > 0);
	if (n == 0 || errno == ECONNRESET)
		return 0;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

void raw_encode(const struct raw_request *request, unsigned char *bytes)
{
	store_be32(bytes, WIRE_REQUEST_MAGIC);
	store_be16(bytes + 4, request->flags);
	store_be16(bytes + 6, request->type);
	store_be64(bytes + 8, request->cookie);
	store_be64(bytes + 16, request->offset);
	store_be32(bytes + 24, request->length);
}

int raw_receive_reply(int fd, uint64_t *cookie, uint32_t *error)
{
	unsigned char reply[WIRE_REPLY_BYTES];
	int err = raw_receive(fd, reply, sizeof(reply));

	if (err)
		return err;
	if (load_be32(reply) != WIRE_REPLY_MAGIC)
		return -EPROTO;
	*error = load_be32(reply + 4);
	*cookie = load_be64(reply + 8);
	return 0;
}

void raw_run(int fd, const struct raw_request *request, void *data)
{
	unsigned char header[WIRE_REQUEST_BYTES];
	uint32_t answer = 0;
	uint64_t cookie;
	int err;

	raw_encode(request, header);
	err = raw_send(fd, header, sizeof(header));
	if (!err && request->type == WIRE_CMD_WRITE)
		err = raw_send(fd, data, request->length);
	if (!err)
		err = raw_receive_reply(fd, &cookie, &answer);
	if (!err && answer)
		error(1, (int)answer, "a request failed");
	if (!err && request->type == WIRE_CMD_READ)
		err = raw_receive(fd, data, request->length);
	if (err)
		error(1, -err, "talking to the server");
}
