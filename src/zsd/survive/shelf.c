/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager as a shelf: it holds what the keeper holds, and passes it
 * to the zsd that it starts when all processes of this one are dead.
 *
 * Nothing waits for it: it may itself be swapped out onto our disks, and the
 * server that is to bring it back be dead. What it does not hear is not kept.
 *
 * Source: sd_pid_notify_with_fds(3), "FDSTORE=1"; systemd.service(5),
 * FileDescriptorStoreMax=.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/manager/manager.h"
#include "zsd/survive/shelf.h"

#define STATE_BYTES (sizeof("FDSTOREREMOVE=1\nFDPOLL=0\nFDNAME=") + 64)

static void tell(const struct shelf *shelf, const char *state, int fd)
{
	int err = io_manager_tell(shelf->socket, state, fd);

	if (err && err != -EDESTADDRREQ)
		io_log(shelf->log, IO_LOG_WARNING,
		       "warning: the service manager does not listen: %s; if "
		       "all of zsd dies now, not everything is kept",
		       strerror(-err));
}

/* --- the keeper's calls
 * ------------------------------------------------------- */

/* Without FDPOLL=0 it lets go of a connection whose client is gone, and its
 * number would come to stand for another one. */
static void put(void *arg, const char *name, int fd)
{
	char state[STATE_BYTES];

	(void)snprintf(state, sizeof(state),
		       "FDSTORE=1\nFDPOLL=0\nFDNAME=" IO_MANAGER_KEPT "%s",
		       name);
	tell(arg, state, fd);
}

static void remove_one(void *arg, const char *name)
{
	char state[STATE_BYTES];

	(void)snprintf(state, sizeof(state),
		       "FDSTOREREMOVE=1\nFDNAME=" IO_MANAGER_KEPT "%s", name);
	tell(arg, state, -1);
}

static void take(void *arg, const char *name, int fd)
{
	struct shelf *shelf = arg;
	struct keeper_kept *kept = &shelf->kept[shelf->nr_kept];

	if (shelf->nr_kept == shelf->max_kept ||
	    strlen(name) >= sizeof(kept->name)) {
		close(fd);
		return;
	}
	(void)snprintf(kept->name, sizeof(kept->name), "%s", name);
	kept->fd = fd;
	shelf->nr_kept++;
}

/* --- life
 * --------------------------------------------------------------------- */

int shelf_open(struct shelf *shelf, struct io_log *log, size_t max_kept)
{
	int err;

	*shelf = (struct shelf){
		.calls = {.put = put, .remove = remove_one, .arg = shelf},
		.log = log,
		.max_kept = max_kept,
	};
	shelf->kept = calloc(max_kept, sizeof(*shelf->kept));
	shelf->socket = -1;
	err = shelf->kept ? io_manager_open(&shelf->socket) : -ENOMEM;
	if (err)
		shelf_close(shelf);
	else
		io_manager_each_kept(take, shelf);
	return err;
}

void shelf_clear(struct shelf *shelf)
{
	while (shelf->nr_kept) {
		const struct keeper_kept *kept = &shelf->kept[--shelf->nr_kept];

		close(kept->fd);
		remove_one(shelf, kept->name);
	}
}

void shelf_close(struct shelf *shelf)
{
	if (shelf->socket >= 0)
		close(shelf->socket);
	free(shelf->kept);
	shelf->kept = NULL;
	shelf->socket = -1;
}
