/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that come and go: starting them, handing over what one left to the
 * next, hearing what they say, and what follows from their deaths.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "keep/keeper_internal.h"

/* How long to wait before a server is started in place of one that could not
 * get ready, ms: it may be memory that is short. Twice as long each time, up to
 * the most.
 */
#define FIRST_WAIT_MS 20u
#define MAX_WAIT_MS   2000u

/* How long one may take to get ready to stand by, or to take over, s: it maps
 * disks, digests dictionaries, starts threads. */
#define READY_S 60u

/* --- telling --------------------------------------------------------------- */

void keeper_tell(const struct ward *w, enum keep_kind kind, uint32_t number,
		 int fd)
{
	const struct keep_message message = {.kind = kind, .number = number};

	ward_tell(w, &message, fd);
}

static void tell_figures(struct keeper *k, const struct ward *w,
			 enum keep_kind kind)
{
	const struct keep_message message = {.kind = kind,
					     .figures = k->figures};

	ward_tell(w, &message, -1);
}

/* The standby's state, to whoever serves. */
static void note_standby(struct keeper *k)
{
	k->figures.is_standby_ready = k->standby.state == WARD_STANDING_BY;
	if (k->serving.state == WARD_SERVING)
		tell_figures(k, &k->serving, KEEP_FIGURES);
}

static void give_controls(const struct keeper *k, const struct ward *w)
{
	for (size_t i = 0; i < k->params->nr_controls; i++)
		keeper_tell(w, KEEP_CONTROL, 0, k->params->controls[i]);
}

static void give_images(const struct keeper *k, const struct ward *w)
{
	for (unsigned i = 0; i < k->held.nr_images; i++)
		keeper_tell(w, KEEP_IMAGE, i, k->held.images[i]);
	keeper_tell(w, KEEP_AREA, 0, k->held.area);
}

/* --- starting servers ------------------------------------------------------ */

/* Go on with what was kept of others, as after a death. */
static void resume(struct keeper *k)
{
	io_log(k->log, IO_LOG_WARNING,
	       "all of the zsd before died; its disks and %u connections were "
	       "kept",
	       k->held.nr_conns);
	k->has_begun = true;
	k->died_ns = ward_now_ns();
	k->figures.deaths++;
	k->figures.was_killed = true; /* for all that is known */
}

int keeper_begin(struct keeper *k)
{
	int err;

	if (held_is_whole(&k->held)) {
		resume(k);
		return 0;
	}
	err = ward_start(&k->serving, WARD_BEGINNING, k->program_fd,
			 k->params->argv);
	if (err) {
		io_log(k->log, IO_LOG_ERROR, "cannot start a server: %s",
		       strerror(-err));
		return err;
	}
	give_controls(k, &k->serving);
	keeper_tell(&k->serving, KEEP_BEGIN, 0, -1);
	return 0;
}

static unsigned wait_ms(const struct keeper *k)
{
	unsigned shift = k->nr_failures < 8 ? k->nr_failures : 8;

	return (unsigned)min_u64(FIRST_WAIT_MS << shift, MAX_WAIT_MS);
}

static void put_off(struct keeper *k)
{
	k->start_at_ns = ward_now_ns() + (uint64_t)wait_ms(k) * NS_PER_MS;
}

void keeper_start_standby(struct keeper *k)
{
	bool is_upgrade = k->upgrade_fd >= 0;
	int err = ward_start(&k->standby, WARD_GETTING_READY,
			     is_upgrade ? k->upgrade_fd : k->program_fd,
			     k->params->argv);

	if (err) {
		io_log(k->log, IO_LOG_WARNING,
		       "warning: cannot start a server to stand by: %s; trying "
		       "again",
		       strerror(-err));
		k->nr_failures++;
		put_off(k);
		return;
	}
	k->standby.is_upgrade = is_upgrade;
	k->start_at_ns = 0;
	give_controls(k, &k->standby);
	give_images(k, &k->standby);
	keeper_tell(&k->standby, KEEP_STAND_BY, 0, -1);
}

bool keeper_wants_standby(const struct keeper *k)
{
	bool is_of_use = k->serving.state == WARD_NONE ||
			 (k->serving.state == WARD_SERVING && !k->is_ending);

	return k->standby.state == WARD_NONE && k->has_begun && is_of_use &&
	       !k->is_stuck && held_is_whole(&k->held);
}

/* --- taking over ----------------------------------------------------------- */

/* It has all that was left, and goes on with it. */
static void hand_over(struct keeper *k)
{
	k->serving = k->standby;
	k->standby = (struct ward){.state = WARD_NONE, .channel = -1};
	k->figures.generation++;
	k->figures.is_standby_ready = 0;
	ward_set_state(&k->serving, WARD_TAKING_OVER);
	for (unsigned i = 0; i < k->held.max_conns; i++) {
		if (k->held.conns[i] >= 0)
			keeper_tell(&k->serving, KEEP_HELD, i,
				    k->held.conns[i]);
	}
	tell_figures(k, &k->serving, KEEP_SERVE);
	if (k->is_ending)
		keeper_tell(&k->serving, KEEP_END, 0, -1);
}

void keeper_hand_over_if_due(struct keeper *k)
{
	if (k->serving.state == WARD_NONE &&
	    k->standby.state == WARD_STANDING_BY && !k->is_stuck)
		hand_over(k);
}

/* From now on others run it, too. */
static void settle_upgrade(struct keeper *k)
{
	if (!k->serving.is_upgrade)
		return;
	k->serving.is_upgrade = false;
	close(k->program_fd);
	k->program_fd = k->upgrade_fd;
	k->upgrade_fd = -1;
}

/* @since_us: at least one client is answered. */
static void on_serving(struct keeper *k, uint32_t since_us)
{
	bool is_first = k->serving.state == WARD_BEGINNING;
	uint64_t all_us;

	ward_set_state(&k->serving, WARD_SERVING);
	k->has_begun = true;
	if (!k->was_announced)
		k->params->ready(k->params->arg);
	k->was_announced = true;
	if (is_first)
		return;
	all_us = (k->serving.since_ns - k->died_ns) / 1000;
	k->figures.pause_us = all_us - min_u64(since_us, all_us);
	io_log(k->log, IO_LOG_WARNING,
	       "%s has taken over after %" PRIu64 ".%03" PRIu64
	       " ms, and serves all of %u connections after %" PRIu64
	       ".%03" PRIu64 " ms",
	       k->serving.is_upgrade ? "the program that is installed now"
				     : "another server",
	       k->figures.pause_us / 1000, k->figures.pause_us % 1000,
	       k->held.nr_conns, all_us / 1000, all_us % 1000);
	settle_upgrade(k);
	tell_figures(k, &k->serving, KEEP_FIGURES);
	put_off(k); /* who was served last goes first */
}

/* --- upgrades -------------------------------------------------------------- */

/* To whoever serves, and may be asked. */
static void count_refusal(struct keeper *k)
{
	k->figures.nr_refused++;
	if (k->serving.state == WARD_SERVING)
		tell_figures(k, &k->serving, KEEP_FIGURES);
}

void keeper_upgrade(struct keeper *k)
{
	if (k->upgrade_fd >= 0)
		return; /* one is under way */
	if (k->is_ending) {
		count_refusal(k);
		return;
	}
	k->upgrade_fd = open(k->path, O_PATH | O_CLOEXEC);
	if (k->upgrade_fd < 0) {
		io_log(k->log, IO_LOG_ERROR,
		       "cannot hand over to another program: %s: %s", k->path,
		       strerror(errno));
		count_refusal(k);
		return;
	}
	io_log(k->log, IO_LOG_NOTICE,
	       "handing over to the program that is installed now, %s",
	       k->path);
	k->start_at_ns = 0;
	if (k->standby.state != WARD_NONE)
		(void)kill(k->standby.pid, SIGKILL);
}

/* It is of no use. @status: of its end, as waitpid(2) says it. */
static void refuse_upgrade(struct keeper *k, int status)
{
	char text[80];

	ward_describe_death(status, text, sizeof(text));
	io_log(k->log, IO_LOG_ERROR,
	       "%s cannot take over (%s), and has said why: the program that "
	       "was there before goes on",
	       k->path, text);
	close(k->upgrade_fd);
	k->upgrade_fd = -1;
	count_refusal(k);
}

/* The one that stands by is better. */
static void make_way(struct keeper *k)
{
	k->is_handing_over = true;
	(void)kill(k->serving.pid, SIGKILL);
}

static uint64_t patience_ends_ns(const struct ward *w)
{
	return w->state == WARD_GETTING_READY || w->state == WARD_TAKING_OVER
		       ? w->since_ns + READY_S * NS_PER_S
		       : UINT64_MAX;
}

uint64_t keeper_patience_ends_ns(const struct keeper *k)
{
	return min_u64(patience_ends_ns(&k->serving),
		       patience_ends_ns(&k->standby));
}

static void end_patience(struct keeper *k, struct ward *w)
{
	if (ward_now_ns() < patience_ends_ns(w))
		return;
	io_log(k->log, IO_LOG_WARNING,
	       "warning: a server has not got ready in %u s: killing it",
	       READY_S);
	(void)kill(w->pid, SIGKILL);
	ward_set_state(w, w->state); /* its death is seen elsewhere */
}

void keeper_end_patience(struct keeper *k)
{
	end_patience(k, &k->serving);
	end_patience(k, &k->standby);
}

/* --- what servers say ------------------------------------------------------ */

static void on_ready(struct keeper *k, struct ward *w, uint32_t since_us)
{
	if (w->state == WARD_GETTING_READY) {
		ward_set_state(w, WARD_STANDING_BY);
		k->nr_failures = 0;
		note_standby(k);
		keeper_hand_over_if_due(k);
		if (w->is_upgrade && k->serving.state == WARD_SERVING)
			make_way(k);
	} else if (w->state == WARD_BEGINNING || w->state == WARD_TAKING_OVER) {
		on_serving(k, since_us);
	}
}

/* One that stands by has nothing to give. */
static void on_message(struct keeper *k, struct ward *w,
		       const struct keep_message *message, int fd)
{
	bool is_serving = w == &k->serving;

	if (message->kind == KEEP_READY) {
		on_ready(k, w, message->number);
	} else if (message->kind == KEEP_DROP && is_serving) {
		held_drop_conn(&k->held, message->number);
	} else if (message->kind == KEEP_UPGRADE && is_serving) {
		keeper_upgrade(k);
	} else if (message->kind == KEEP_STATUS && is_serving) {
		k->params->status(k->params->arg, message->text,
				  message->number);
	} else if (message->kind == KEEP_IMAGE && is_serving && fd >= 0) {
		held_put_image(&k->held, message->number, fd);
		return;
	} else if (message->kind == KEEP_AREA && is_serving && fd >= 0) {
		held_put_area(&k->held, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
}

/* All that it has said. */
void keeper_hear(struct keeper *k, struct ward *w)
{
	struct keep_message message;
	int fd;

	while (w->state != WARD_NONE &&
	       keep_receive(w->channel, &message, &fd, false) == 0)
		on_message(k, w, &message, fd);
}

/* --- deaths ---------------------------------------------------------------- */

void keeper_end(struct keeper *k, int result)
{
	k->is_over = true;
	k->result = result;
}

static bool was_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Too many in too short a time: what kills them is still there. Unless it was
 * somebody. */
static void count_life(struct keeper *k, int status)
{
	if (was_killed(status))
		return;
	if (ward_now_ns() - k->serving.since_ns >
	    KEEPER_SHORT_LIFE_S * NS_PER_S)
		k->nr_short_lives = 0;
	if (++k->nr_short_lives < KEEPER_MAX_SHORT_LIVES)
		return;
	k->is_stuck = true;
	io_log(k->log, IO_LOG_ERROR,
	       "%u servers died, each within %u s: no more are started. What is "
	       "stored is kept, and clients wait. Look at the log for why; send "
	       "SIGHUP to process %d to try again",
	       k->nr_short_lives, KEEPER_SHORT_LIFE_S, (int)getpid());
	k->params->status(k->params->arg,
			  "Servers die: all is kept; SIGHUP tries again", 0);
}

static void on_death(struct keeper *k, int status)
{
	char text[80];

	k->died_ns = ward_now_ns();
	k->figures.was_killed = was_killed(status);
	if (!k->is_handing_over) {
		ward_describe_death(status, text, sizeof(text));
		k->figures.deaths++;
		io_log(k->log, IO_LOG_ERROR,
		       "the server died (%s); %u connections are kept", text,
		       k->held.nr_conns);
		count_life(k, status);
	}
	k->is_handing_over = false;
	if (k->serving.is_upgrade)
		refuse_upgrade(k, status);
	ward_forget(&k->serving);
	keeper_hand_over_if_due(k);
}

static void reap_serving(struct keeper *k)
{
	int status;

	if (!ward_reap(&k->serving, &status))
		return;
	keeper_hear(k, &k->serving);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		keeper_end(k, 0);
	else if (!k->has_begun)
		keeper_end(k, -ECHILD);
	else
		on_death(k, status);
}

static void reap_standby(struct keeper *k)
{
	char text[80];
	int status;

	if (!ward_reap(&k->standby, &status))
		return;
	if (k->standby.is_upgrade) {
		refuse_upgrade(k, status);
	} else if (k->upgrade_fd < 0 && !k->is_ending) {
		ward_describe_death(status, text, sizeof(text));
		io_log(k->log, IO_LOG_WARNING,
		       "warning: the server that stands by died (%s)", text);
		k->nr_failures++;
	}
	ward_forget(&k->standby);
	note_standby(k);
	put_off(k);
}

void keeper_reap(struct keeper *k)
{
	reap_serving(k);
	reap_standby(k);
	ward_reap_others(&k->serving, &k->standby);
}
