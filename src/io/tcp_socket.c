/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tcp_socket.h"

/* --- addresses ---------------------------------------------------------- */

static int copy_part(const char *from, size_t bytes, char *to, size_t room)
{
	if (bytes >= room)
		return -EINVAL;
	memcpy(to, from, bytes);
	to[bytes] = '\0';
	return 0;
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Where the host ends, and the text of the port or NULL. */
static int split(const char *text, const char **host, size_t *host_bytes,
		 const char **port)
{
	const char *end;

	*port = NULL;
	*host = text;
	*host_bytes = 0;
	if (is_number(text)) {
		*port = text;
		return 0;
	}
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		*host = text + 1;
		*host_bytes = (size_t)(end - *host);
		if (end[1] == ':')
			*port = end + 2;
		return 0;
	}
	end = strchr(text, ':');
	if (!end || strchr(end + 1, ':')) { /* a name, or bare IPv6 */
		*host_bytes = strlen(text);
		return 0;
	}
	*host_bytes = (size_t)(end - text);
	*port = end + 1;
	return 0;
}

/* getaddrinfo(3) takes any number, and uses the low 16 bits of it. */
static bool is_port(const char *text, unsigned long min)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return *text != '\0'; /* the name of a service */
	number = strtoul(text, &end, 10);
	return *end == '\0' && number >= min && number <= UINT16_MAX;
}

int tcp_address_parse(const char *text, const char *default_port,
		      struct tcp_address *out)
{
	struct tcp_address address;
	const char *host, *port;
	size_t host_bytes;
	int err;

	err = split(text, &host, &host_bytes, &port);
	if (err)
		return err;
	if (!port)
		port = default_port;
	if (*text == '\0' || !is_port(port, host_bytes ? 0 : 1))
		return -EINVAL;
	if (host_bytes == 1 && *host == '*')
		host_bytes = 0;
	err = copy_part(host, host_bytes, address.host, sizeof(address.host));
	if (err)
		return err;
	err = copy_part(port, strlen(port), address.port, sizeof(address.port));
	if (err)
		return err;
	*out = address;
	return 0;
}

/* --- sockets ------------------------------------------------------------ */

static int listen_one(const struct addrinfo *info, int *out)
{
	const int on = 1;
	int fd, err;

	fd = socket(info->ai_family,
		    info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    info->ai_protocol);
	if (fd < 0)
		return -errno;
	/* A restart must not wait for old connections to time out. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		goto err_close;
	/* IPv4 has a socket of its own in the list. */
	if (info->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		goto err_close;
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		goto err_close;
	*out = fd;
	return 0;

err_close:
	err = -errno;
	close(fd);
	return err;
}

static void set_reason(char reason[TCP_REASON_BYTES], const char *why)
{
	(void)snprintf(reason, TCP_REASON_BYTES, "%s", why);
}

/* The name may stand for several: on which of them? */
static void set_reason_at(char reason[TCP_REASON_BYTES], int err,
			  const struct addrinfo *at)
{
	char host[TCP_REASON_BYTES / 2], port[TCP_PORT_BYTES];

	if (getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV)) {
		set_reason(reason, strerror(-err));
		return;
	}
	(void)snprintf(reason, TCP_REASON_BYTES,
		       strchr(host, ':') ? "%s ([%s]:%s)" : "%s (%s:%s)",
		       strerror(-err), host, port);
}

static int resolve(const struct tcp_address *address, struct addrinfo **list,
		   char reason[TCP_REASON_BYTES])
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE,
				       .ai_family = AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM};
	int code;

	code = getaddrinfo(*address->host ? address->host : NULL, address->port,
			   &hints, list);
	if (code == 0)
		return 0;
	set_reason(reason,
		   code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
	return -EADDRNOTAVAIL;
}

/* This machine has no such address: IPv6 may be switched off. */
static bool is_absent(int err)
{
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL;
}

/* Whether it stands in the list before: /etc/hosts may name one twice. */
static bool is_repeated(const struct addrinfo *list, const struct addrinfo *at)
{
	for (const struct addrinfo *i = list; i != at; i = i->ai_next) {
		if (i->ai_addrlen == at->ai_addrlen &&
		    memcmp(i->ai_addr, at->ai_addr, at->ai_addrlen) == 0)
			return true;
	}
	return false;
}

/* Return: 0 or -errno, where one that is absent counts only if all are. */
static int listen_all(const struct addrinfo *list, int *fds, size_t max,
		      size_t *nr, char reason[TCP_REASON_BYTES])
{
	int err = 0, absent = -EADDRNOTAVAIL;

	*nr = 0;
	set_reason(reason, strerror(-absent));
	for (const struct addrinfo *i = list; i && *nr < max; i = i->ai_next) {
		if (is_repeated(list, i))
			continue;
		err = listen_one(i, &fds[*nr]);
		*nr += !err;
		if (!err)
			continue;
		set_reason_at(reason, err, i);
		if (!is_absent(err))
			return err;
		absent = err;
	}
	return *nr ? 0 : absent;
}

int tcp_listen(const struct tcp_address *address, int *fds, size_t max,
	       size_t *nr, char reason[TCP_REASON_BYTES])
{
	struct addrinfo *list;
	int err;

	err = resolve(address, &list, reason);
	if (err)
		return err;
	err = listen_all(list, fds, max, nr, reason);
	freeaddrinfo(list);
	while (err && *nr)
		close(fds[--*nr]);
	return err;
}

void tcp_tune(int fd)
{
	const int on = 1;

	/* Both are hints. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}
