/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/listen.h"
#include "io/log.h"
#include "io/sd.h"
#include "io/tcp_socket.h"

/* TCP port of NBD. Source: IANA. */
#define DEFAULT_PORT "10809"

/* --- where they come from ----------------------------------------------- */

static int add_passed(struct listeners *l)
{
	struct sd_socket passed[LISTENER_MAX_SOCKETS + 1]; /* and the control */
	size_t nr;
	int err;

	err = sd_take_sockets(passed, LISTENER_MAX_SOCKETS + 1, &nr);
	if (err) {
		log_line("LISTEN_FDS: %s", strerror(-err));
		return err;
	}
	for (size_t i = 0; i < nr; i++) {
		if (passed[i].is_control && l->control_fd < 0) {
			l->control_fd = passed[i].fd;
		} else if (l->nr < LISTENER_MAX_SOCKETS) {
			l->fds[l->nr++] = passed[i].fd;
		} else {
			log_line("LISTEN_FDS: more than %u sockets",
				 LISTENER_MAX_SOCKETS);
			return -E2BIG;
		}
	}
	l->are_passed = l->nr > 0;
	return 0;
}

static int listen_unix(const char *path, struct unix_file *file, int *fd)
{
	int err = unix_listen(path, file, fd);

	if (err == -EADDRINUSE)
		log_line("%s: somebody listens there, or it is no socket",
			 path);
	else if (err)
		log_line("cannot listen on %s: %s", path, strerror(-err));
	return err;
}

static int add_unix(struct listeners *l, const char *path)
{
	int err = listen_unix(path, &l->file, &l->fds[l->nr]);

	if (!err)
		l->nr++;
	return err;
}

static int add_tcp(struct listeners *l, const char *text)
{
	struct tcp_address address;
	const char *reason;
	size_t nr;
	int err;

	err = tcp_address_parse(text, DEFAULT_PORT, &address);
	if (err) {
		log_line("%s: not of the form HOST[:PORT]", text);
		return err;
	}
	err = tcp_listen(&address, l->fds + l->nr, LISTENER_MAX_SOCKETS - l->nr,
			 &nr, &reason);
	if (err) {
		log_line("cannot listen on %s: %s", text, reason);
		return err;
	}
	l->nr += nr;
	return 0;
}

static int add_nbd(struct listeners *l, const struct listen_params *params)
{
	int err = 0;

	if (l->nr) {
		if (params->socket_path || params->listen_address)
			log_line("listening on the sockets of LISTEN_FDS "
				 "instead of --socket or --listen");
		return 0;
	}
	if (params->socket_path)
		err = add_unix(l, params->socket_path);
	if (!err && params->listen_address)
		err = add_tcp(l, params->listen_address);
	if (!err && l->nr == 0) {
		log_line("nothing to listen on: give --socket PATH or "
			 "--listen ADDRESS, or pass sockets by LISTEN_FDS");
		err = -EDESTADDRREQ;
	}
	return err;
}

int listener_open(const struct listen_params *params, struct listeners *out)
{
	struct listeners l = {.control_fd = -1};
	int err;

	err = add_passed(&l);
	if (!err)
		err = add_nbd(&l, params);
	if (!err && l.control_fd < 0 && params->control_path)
		err = listen_unix(params->control_path, &l.control_file,
				  &l.control_fd);
	if (err) {
		listener_close(&l);
		return err;
	}
	*out = l;
	return 0;
}

void listener_close_nbd(struct listeners *l)
{
	unix_file_remove(&l->file);
	for (size_t i = 0; i < l->nr; i++)
		close(l->fds[i]);
	l->nr = 0;
}

void listener_close(struct listeners *l)
{
	listener_close_nbd(l);
	unix_file_remove(&l->control_file);
	if (l->control_fd >= 0)
		close(l->control_fd);
	l->control_fd = -1;
}

int listener_take_control(struct listeners *l)
{
	int fd = l->control_fd;

	l->control_fd = -1;
	return fd;
}

/* --- for people --------------------------------------------------------- */

char *listener_describe(const struct listeners *l, size_t index, char *text,
			size_t bytes)
{
	char host[TCP_HOST_BYTES] = "?", port[TCP_PORT_BYTES] = "?";
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	struct sockaddr *any = (struct sockaddr *)&addr;

	(void)getsockname(l->fds[index], any, &len);
	if (addr.ss_family == AF_UNIX) {
		(void)snprintf(text, bytes, "%s",
			       ((struct sockaddr_un *)any)->sun_path);
		return text;
	}
	/* Where this fails, the question marks stay. */
	(void)getnameinfo(any, len, host, sizeof(host), port, sizeof(port),
			  NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(text, bytes, strchr(host, ':') ? "[%s]:%s" : "%s:%s",
		       host, port);
	return text;
}
