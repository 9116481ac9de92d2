/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "io/listen.h"
#include "keep/keeper_internal.h"

#define SELF "/proc/self/exe"

/* How long to leave connections in their queue where there are no descriptors,
 * ms. */
#define ACCEPT_AGAIN_MS 100u

/* The signals, and the channels of two servers, come before the listeners. */
#define POLL_SIGNALS   0u
#define POLL_WARDS     1u
#define POLL_LISTENERS 3u
#define POLL_MAX       (POLL_LISTENERS + IO_LISTEN_MAX)

/* --- signals --------------------------------------------------------------- */

static void on_hup(struct keeper *k)
{
	if (!k->is_stuck) {
		keeper_upgrade(k);
		return;
	}
	k->is_stuck = false;
	k->nr_short_lives = 0;
	k->start_at_ns = 0;
	keeper_hand_over_if_due(k);
}

static void begin_end(struct keeper *k)
{
	if (!k->is_ending)
		k->accepts_to_refuse = k->params->ending(k->params->arg);
	k->is_ending = true;
	if (k->standby.state != WARD_NONE && k->serving.state != WARD_NONE)
		(void)kill(k->standby.pid, SIGKILL);
	if (k->serving.state != WARD_NONE)
		keeper_tell(&k->serving, KEEP_END, 0, -1);
	else if (k->is_stuck)
		keeper_end(k, -ECHILD); /* nobody could go on */
}

static void on_signal(struct keeper *k, int number)
{
	if (number == SIGCHLD)
		return;
	io_log(k->log, IO_LOG_NOTICE, "received SIG%s", sigabbrev_np(number));
	if (number == SIGHUP)
		on_hup(k);
	else
		begin_end(k);
}

static void on_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == sizeof(info))
		on_signal(k, (int)info.ssi_signo);
	keeper_reap(k);
}

static void fill_set(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGCHLD);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGQUIT);
	(void)sigaddset(set, SIGHUP);
}

void keeper_block_signals(void)
{
	sigset_t set;

	fill_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int open_signals(struct keeper *k)
{
	sigset_t set;

	fill_set(&set);
	k->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return k->signal_fd < 0 ? -errno : 0;
}

/* --- connections ----------------------------------------------------------- */

static bool may_accept(const struct keeper *k)
{
	return k->serving.state == WARD_SERVING &&
	       (!k->is_ending || k->accepts_to_refuse) &&
	       k->held.nr_conns < k->held.max_conns &&
	       ward_now_ns() >= k->accept_at_ns;
}

/* One at a time: others are told of at the next look. */
static void accept_one(struct keeper *k, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uint32_t number;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			k->accept_at_ns =
				ward_now_ns() + ACCEPT_AGAIN_MS * NS_PER_MS;
		return;
	}
	if (held_add_conn(&k->held, fd, &number))
		keeper_tell(&k->serving, KEEP_CONN, number, fd);
	else
		close(fd);
}

/* --- the loop -------------------------------------------------------------- */

/* Return: how many there are to look at. */
static nfds_t fill_poll(const struct keeper *k, struct pollfd fds[POLL_MAX])
{
	nfds_t nr = POLL_LISTENERS;

	fds[POLL_SIGNALS] =
		(struct pollfd){.fd = k->signal_fd, .events = POLLIN};
	fds[POLL_WARDS] =
		(struct pollfd){.fd = k->serving.channel, .events = POLLIN};
	fds[POLL_WARDS + 1] =
		(struct pollfd){.fd = k->standby.channel, .events = POLLIN};
	for (size_t i = 0; may_accept(k) && i < k->params->nr_listeners; i++)
		fds[nr++] = (struct pollfd){.fd = k->params->listeners[i],
					    .events = POLLIN};
	return nr;
}

/* When to look again though nothing happens; -1: never. */
static int timeout_ms(const struct keeper *k)
{
	uint64_t now = ward_now_ns(), until = UINT64_MAX;

	if (keeper_wants_standby(k))
		until = k->start_at_ns;
	until = min_u64(until, keeper_patience_ends_ns(k));
	if (k->accept_at_ns > now)
		until = min_u64(until, k->accept_at_ns);
	if (until == UINT64_MAX)
		return -1;
	return until > now ? (int)((until - now) / NS_PER_MS + 1) : 0;
}

/* A dead server's channel stays readable until its death is seen. */
static void hear_or_wait(struct keeper *k, struct ward *w, short events)
{
	keeper_hear(k, w);
	if (events & POLLHUP)
		(void)poll(NULL, 0, 1);
}

static void turn(struct keeper *k)
{
	struct pollfd fds[POLL_MAX];
	nfds_t nr = fill_poll(k, fds);

	if (poll(fds, nr, timeout_ms(k)) < 0) {
		if (errno != EINTR)
			(void)usleep(KEEP_SHORT_US);
		return;
	}
	/* First: what died has still its last words to say. */
	if (fds[POLL_SIGNALS].revents)
		on_signals(k);
	else if (fds[POLL_WARDS].revents)
		hear_or_wait(k, &k->serving, fds[POLL_WARDS].revents);
	else if (fds[POLL_WARDS + 1].revents)
		hear_or_wait(k, &k->standby, fds[POLL_WARDS + 1].revents);
	for (nfds_t i = POLL_LISTENERS; i < nr && may_accept(k); i++) {
		if (fds[i].revents)
			accept_one(k, fds[i].fd);
	}
	if (ward_now_ns() >= keeper_patience_ends_ns(k))
		keeper_end_patience(k);
	if (keeper_wants_standby(k) && ward_now_ns() >= k->start_at_ns)
		keeper_start_standby(k);
}

/* --- life ------------------------------------------------------------------ */

/* What runs here, and where it was taken from. */
static int open_program(struct keeper *k)
{
	ssize_t n = readlink(SELF, k->path, sizeof(k->path) - 1);

	if (n < 0)
		return -errno;
	k->path[n] = '\0';
	k->program_fd = open(SELF, O_PATH | O_CLOEXEC);
	return k->program_fd < 0 ? -errno : 0;
}

static int open_keeper(struct keeper *k)
{
	char pid[16];
	int err = held_init(&k->held, k->params->nr_disks,
			    k->params->max_connections);

	if (err)
		return err;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (setenv(KEEP_VARIABLE, pid, 1) < 0)
		return -errno;
	/* What outlives a server is ours, and does not stay for want of a
	 * parent that waits for it. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* cannot fail */
	err = open_program(k);
	return err ? err : open_signals(k);
}

/* What all processes before us left, if it is of use. */
static void take_back(struct keeper *k)
{
	const struct keeper_params *params = k->params;

	for (size_t i = 0; i < params->nr_kept; i++) {
		const struct keeper_kept *kept = &params->kept[i];

		if (held_take_back(&k->held, kept->name, kept->fd))
			continue;
		close(kept->fd);
		params->shelf->remove(params->shelf->arg, kept->name);
	}
	held_use_shelf(&k->held, params->shelf);
	if (!params->nr_kept || held_is_whole(&k->held))
		return;
	io_log(k->log, IO_LOG_ERROR,
	       "what was kept of the zsd before is not whole, and of no use: "
	       "beginning with empty disks");
	held_clear(&k->held);
}

static void kill_ward(struct ward *w)
{
	if (w->state == WARD_NONE)
		return;
	(void)kill(w->pid, SIGKILL);
	(void)waitpid(w->pid, NULL, 0);
	ward_forget(w);
}

static void close_keeper(struct keeper *k)
{
	kill_ward(&k->standby);
	if (k->serving.state != WARD_NONE) /* it has ended */
		ward_forget(&k->serving);
	if (k->signal_fd >= 0)
		close(k->signal_fd);
	if (k->program_fd >= 0)
		close(k->program_fd);
	if (k->upgrade_fd >= 0)
		close(k->upgrade_fd);
	held_fini(&k->held);
	(void)unsetenv(KEEP_VARIABLE);
}

int keeper_run(const struct keeper_params *params)
{
	struct keeper k = {
		.params = params,
		.log = params->log,
		.serving = {.state = WARD_NONE, .channel = -1},
		.standby = {.state = WARD_NONE, .channel = -1},
		.program_fd = -1,
		.upgrade_fd = -1,
		.signal_fd = -1,
	};
	int err = open_keeper(&k);

	if (err)
		io_log(k.log, IO_LOG_ERROR, "cannot start the keeper: %s",
		       strerror(-err));
	if (!err) {
		take_back(&k);
		err = keeper_begin(&k);
	}
	while (!err && !k.is_over)
		turn(&k);
	if (!err)
		err = k.result;
	/* Who was told to end is not to be gone on with. */
	if (!err)
		held_clear(&k.held);
	close_keeper(&k);
	return err;
}
