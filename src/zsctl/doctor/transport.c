/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Over what zsd is reached: TCP is not for swap on the same machine. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/doctor/internal.h"

/* Of a socket in /proc/net/tcp. Source: Linux include/net/tcp_states.h. */
#define TCP_ESTABLISHED "01"

/* An address in /proc/net/tcp6 with its port: 32 and 4 digits, and a colon. */
#define ADDRESS_BYTES 40

/* zsd has no more: see SERVER_MAX_CONNECTIONS. */
#define MAX_SOCKETS 8192u

struct sockets {
	unsigned long inodes[MAX_SOCKETS];
	size_t nr;
	bool is_local_tcp; /* one of them, connected to this machine */
};

/* Collect the sockets that zsd has open. Return: 0 or -errno. */
static int find_sockets(const struct doctor *d, struct sockets *sockets)
{
	char path[DOCTOR_PATH_BYTES], target[DOCTOR_PATH_BYTES];
	unsigned long inode;
	struct dirent *entry;
	ssize_t bytes;
	DIR *folder;

	folder = opendir(doctor_path(d, path, "/proc/%lld/fd", d->pid));
	if (!folder)
		return -errno;
	while ((entry = readdir(folder)) != NULL) {
		doctor_path(d, path, "/proc/%lld/fd/%s", d->pid, entry->d_name);
		bytes = readlink(path, target, sizeof(target) - 1);
		if (bytes < 0)
			continue;
		target[bytes] = '\0';
		if (sscanf(target, "socket:[%lu]", &inode) == 1 &&
		    sockets->nr < MAX_SOCKETS)
			sockets->inodes[sockets->nr++] = inode;
	}
	closedir(folder);
	return 0;
}

static bool has_inode(const struct sockets *sockets, unsigned long inode)
{
	for (size_t i = 0; i < sockets->nr; i++) {
		if (sockets->inodes[i] == inode)
			return true;
	}
	return false;
}

/* "  0: 0100007F:2A39 0100007F:D431 01 ...": a connection from an address to
 * the same address stays on the machine. */
static bool look_at_tcp(void *arg, char *text)
{
	char local[ADDRESS_BYTES], remote[ADDRESS_BYTES], state[4];
	struct sockets *sockets = arg;
	unsigned long inode;

	if (sscanf(text,
		   " %*[^ ] %39[^: ]:%*s %39[^: ]:%*s %3s %*s %*s %*s %*s %*s "
		   "%lu",
		   local, remote, state, &inode) != 4)
		return true;
	if (strcmp(state, TCP_ESTABLISHED) != 0 || strcmp(local, remote) != 0 ||
	    !has_inode(sockets, inode))
		return true;
	sockets->is_local_tcp = true;
	return false;
}

void doctor_check_transport(struct doctor *d)
{
	static const char *const tables[] = {"tcp", "tcp6"};
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	char path[DOCTOR_PATH_BYTES];

	if (!sockets)
		return;
	if (find_sockets(d, sockets)) {
		doctor_add(d, "transport", DOCTOR_WARN,
			   "cannot see the sockets of process %lld", d->pid);
		doctor_mend(d, "run zsctl doctor as root, where zsd runs");
		goto out;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		doctor_path(d, path, "/proc/%lld/net/%s", d->pid, tables[i]);
		if (files_each_line(path, look_at_tcp, sockets))
			continue; /* without the table there is no socket */
	}
	if (sockets->is_local_tcp) {
		doctor_add(d, "transport", DOCTOR_FAIL,
			   "TCP from this machine: the kernel drops segments "
			   "that it sends while memory is short");
		doctor_mend(d, "attach by the Unix socket: zsd --socket PATH, "
			       "nbd-client -unix PATH");
	} else {
		doctor_add(d, "transport", DOCTOR_PASS,
			   "no TCP from this machine");
	}
out:
	free(sockets);
}
