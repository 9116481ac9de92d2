/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/ctl_lines.h"
#include "zsctl/client.h"

/* What to do about an error of connect(2). */
/* Servers in a row that may die while they answer, before it is told. */
#define REPEATS 3u

static const struct {
	int err;
	const char *advice;
} connect_advice[] = {
	{-ENOENT, "start zsd with --control, or name its control socket with "
		  "--control"},
	{-ECONNREFUSED, "nobody listens there: start zsd again, or name its "
			"control socket with --control"},
	{-EACCES, "become root, or the user that runs zsd"},
	{-ENAMETOOLONG, "the path of a socket has at most 107 bytes: use a "
			"shorter one"},
	{-ETIMEDOUT, "zsd accepts no connection: see whether it is stopped"},
	{-EPROTOTYPE, "that is another kind of socket: name zsd's control "
		      "socket with --control"},
};

static void explain_connect(const char *path, int err)
{
	const char *advice = "see whether zsd runs";

	for (size_t i = 0; i < ARRAY_SIZE(connect_advice); i++) {
		if (connect_advice[i].err == err)
			advice = connect_advice[i].advice;
	}
	(void)fprintf(stderr,
		      "zsctl: cannot connect to %s: %s\n"
		      "zsctl: %s\n",
		      path, strerror(-err), advice);
}

/* What a socket with a timeout calls one that is over. */
static int error_of_wait(void)
{
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int set_timeout(int fd, unsigned timeout_s)
{
	const struct timeval timeout = {.tv_sec = timeout_s}; /* 0: none */

	/* Of sending, for connect(2) too: it waits while the server's backlog
	 * is full. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
		       sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	return 0;
}

int client_connect(const char *path, unsigned timeout_s, int *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int err, fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = set_timeout(fd, timeout_s);
	while (!err &&
	       connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		if (errno != EINTR)
			err = error_of_wait();
	}
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}

/* A server that hangs up early may have said why: not an error here. */
static int send_all(int fd, const char *data, size_t bytes)
{
	ssize_t n;

	while (bytes) {
		n = send(fd, data, bytes, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? 0 : error_of_wait();
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

struct exchange {
	const char *path;
	unsigned timeout_s;
	bool may_take_long; /* as long as the server answers others */
	int fd;
};

static int read_some(int fd, struct ctl_lines *lines)
{
	size_t bytes;
	char *space;
	ssize_t n;

	bytes = ctl_lines_space(lines, &space);
	do {
		n = recv(fd, space, bytes, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return error_of_wait();
	if (n <= 0)
		return ctl_lines_has_rest(lines) ? -EPIPE : -ECONNRESET;
	/* Another kind of server may never send a newline: an NBD one. */
	if (!ctl_lines_has_rest(lines) && *space != '{')
		return -EPROTO;
	ctl_lines_add(lines, (size_t)n);
	return 0;
}

static bool is_alive(const char *path, unsigned timeout_s);

/* Go on waiting for a command that takes long. */
static int read_patiently(const struct exchange *x, struct ctl_lines *lines)
{
	int err;

	do {
		err = read_some(x->fd, lines);
	} while (err == -ETIMEDOUT && x->may_take_long &&
		 is_alive(x->path, x->timeout_s));
	return err;
}

static int read_line(const struct exchange *x, struct ctl_lines *lines,
		     char **out)
{
	enum ctl_lines_next next;
	const char *line;
	size_t bytes;
	int err;

	while ((next = ctl_lines_next(lines, &line, &bytes)) ==
	       CTL_LINES_NONE) {
		err = read_patiently(x, lines);
		if (err)
			return err;
	}
	if (next == CTL_LINES_OVERLONG)
		return -EMSGSIZE;
	*out = strndup(line, bytes);
	return *out ? 0 : -ENOMEM;
}

static void explain_exchange(const char *path, int err)
{
	static const char look[] = "see whether zsd still runs, and what its "
				   "log says";
	static const char stopped[] = "see whether zsd is stopped, or wait "
				      "longer with --timeout";
	static const char elsewhere[] = "name zsd's control socket with "
					"--control";
	static const struct {
		int err;
		const char *text;
		const char *advice;
	} texts[] = {
		{-ECONNRESET, "zsd hung up without a reply", look},
		{-EPIPE, "zsd hung up in the middle of its reply", look},
		{-ETIMEDOUT, "zsd does not answer", stopped},
		{-EPROTO, "that is not zsd's control socket", elsewhere},
		{-EMSGSIZE, "the reply is longer than any of zsd's", elsewhere},
	};
	const char *text = strerror(-err), *advice = look;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].err != err)
			continue;
		text = texts[i].text;
		advice = texts[i].advice;
	}
	(void)fprintf(stderr, "zsctl: %s: %s\nzsctl: %s\n", path, text, advice);
}

static bool hung_up(int err)
{
	return err == -ECONNRESET || err == -EPIPE;
}

/* @lines: receives what comes behind the reply; to be let go of, in any case */
static int ask(struct exchange *x, const char *request, size_t bytes,
	       char **reply, struct ctl_lines *lines)
{
	int err;

	*lines = (struct ctl_lines){0};
	err = ctl_lines_init(lines, CTL_MAX_REPLY_BYTES);
	if (!err)
		err = send_all(x->fd, request, bytes);
	if (!err)
		err = read_line(x, lines, reply);
	return err;
}

/* Whether zsd answers at once what it need not think about. */
static bool is_alive(const char *path, unsigned timeout_s)
{
	static const char request[] = "{\"id\":1,\"command\":\"version\"}\n";
	struct exchange x = {.path = path, .timeout_s = timeout_s};
	struct ctl_lines lines;
	char *reply = NULL;
	int err;

	err = client_connect(path, timeout_s, &x.fd);
	if (err)
		return false;
	err = ask(&x, request, strlen(request), &reply, &lines);
	ctl_lines_fini(&lines);
	close(x.fd);
	free(reply);
	return !err;
}

/* Return: as client_exchange(), explained but for @may_go_on's hang-ups. */
static int exchange_once(struct exchange *x, const char *request, size_t bytes,
			 bool may_go_on, char **reply, struct client_rest *rest)
{
	struct ctl_lines lines;
	int err = client_connect(x->path, x->timeout_s, &x->fd);

	if (err) {
		explain_connect(x->path, err);
		return err;
	}
	err = ask(x, request, bytes, reply, &lines);
	if (!err && rest) {
		*rest = (struct client_rest){.fd = x->fd, .lines = lines};
		return 0;
	}
	ctl_lines_fini(&lines);
	close(x->fd);
	if (err && !(may_go_on && hung_up(err)))
		explain_exchange(x->path, err);
	return err;
}

int client_exchange(const char *path, unsigned timeout_s, const char *request,
		    size_t bytes, bool may_repeat, char **reply,
		    struct client_rest *rest)
{
	struct exchange x = {
		.path = path,
		.timeout_s = timeout_s,
		.may_take_long = true,
	};
	int err = 0;

	for (unsigned left = may_repeat ? REPEATS : 0;; left--) {
		err = exchange_once(&x, request, bytes, left > 0, reply, rest);
		if (!left || !hung_up(err))
			return err;
	}
}

int client_rest_read(struct client_rest *rest, void *dst, size_t bytes)
{
	ssize_t n = (ssize_t)ctl_lines_take(&rest->lines, dst, bytes);

	if (n)
		return (int)n;
	do {
		n = recv(rest->fd, dst, bytes, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? error_of_wait() : (int)n;
}

bool client_rest_is_waiting(const struct client_rest *rest)
{
	return !ctl_lines_has_rest(&rest->lines);
}

void client_rest_close(struct client_rest *rest)
{
	ctl_lines_fini(&rest->lines);
	close(rest->fd);
}
