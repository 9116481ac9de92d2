/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ward - a server, as its keeper sees it: a process, and a channel to it
 *
 * Terms:
 *   serving     it has the disks and the connections; there is one at most.
 *   standing by it waits for that one's death, ready to take over.
 *
 * Threads: the keeper's one. Everything here is the keeper's.
 */
#ifndef ZSD_KEEP_WARD_H
#define ZSD_KEEP_WARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "keep/channel.h"

enum ward_state {
	WARD_NONE, /* there is no process */
	WARD_BEGINNING, /* is to make the disks, and serve */
	WARD_GETTING_READY, /* is to stand by */
	WARD_STANDING_BY,
	WARD_TAKING_OVER, /* was told to serve */
	WARD_SERVING,
};

struct ward {
	enum ward_state state;
	pid_t pid;
	int channel; /* or -1 */
	uint64_t since_ns; /* it has that state, CLOCK_MONOTONIC */
	bool is_upgrade; /* of another program than the one that runs */
};

/* Of CLOCK_MONOTONIC. */
uint64_t ward_now_ns(void);

/**
 * ward_start() - start a server
 * @ward:    WARD_NONE; gets state @state
 * @program: a descriptor of what it is to run
 * @argv:    the keeper's own, once more
 *
 * Return: 0 or -errno of socketpair(2) or fork(2). What fails in execve(2) is a
 * process that dies at once.
 */
int ward_start(struct ward *ward, enum ward_state state, int program,
	       char *const *argv) ZSD_MUST_CHECK;

void ward_set_state(struct ward *ward, enum ward_state state);

/**
 * ward_tell() - send it a message, waiting a while where it does not read
 *
 * One that does not read for that long is of no use, and is killed; one that is
 * dead is not told. Either way its death is seen elsewhere.
 */
void ward_tell(const struct ward *ward, const struct keep_message *message,
	       int fd);

/**
 * ward_reap() - see whether it is dead
 * @status: receives what waitpid(2) says
 *
 * Return: whether it is. Its channel may still have what it said; then:
 * ward_forget().
 */
bool ward_reap(const struct ward *ward, int *status);

/* ward_reap_others() - wait for what servers left behind when they died, and
 * what is dead as well: the keeper is its parent by then. */
void ward_reap_others(const struct ward *one, const struct ward *other);

/* ward_describe_death() - of what a status tells, for people: "signal 9,
 * Killed" */
void ward_describe_death(int status, char *text, size_t bytes);

/* ward_forget() - it is dead, and all that it said was heard. */
void ward_forget(struct ward *ward);

#endif
