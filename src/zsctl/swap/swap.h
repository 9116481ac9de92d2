/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * swap - `zsctl up` and `zsctl down`: all that swapping on a disk of zsd's
 * takes
 *
 *   up.c         `zsctl up`: the steps, one after the other
 *   down.c       `zsctl down`: the same steps undone, from the last to the
 * first steps.c      the table of steps, and those that are short server.c the
 * step that starts zsd header.c     the step that makes the disk a swap area
 *   sysctls.c    the step that sets what the machine should do otherwise
 *   area.[ch]    a swap area, as the kernel wants it
 *   state.c      what has been done, in a file
 *
 * Terms:
 *   step    one thing that is done to the machine, and how it is undone
 *   note    what undoing it needs to know: a JSON object
 *   state   the notes of all steps that were done, in their order: the file
 *           SWAP_STATE_PATH, from which `zsctl down` works
 *
 * What was so already is not done, and so not undone. Where a step fails, those
 * before it are undone; where undoing fails, it stops there, for what is above
 * stands on what is below: the state has what is left, and `zsctl down` goes on
 * with it. Each step is told of in a line.
 *
 * Signals that end programs wait until the machine is in one of its two states.
 *
 * Threads: there is one.
 */
#ifndef ZSD_ZSCTL_SWAP_SWAP_H
#define ZSD_ZSCTL_SWAP_SWAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "zsctl/device/device.h"
#include "zsctl/zsctl.h"

#define SWAP_STATE_FOLDER "/run/zsd"
#define SWAP_STATE_PATH	  SWAP_STATE_FOLDER "/up.json"

/* Of the zsd that is started where systemd does not start it. */
#define SWAP_PID_PATH SWAP_STATE_FOLDER "/zsctl-up.pid"

enum swap_outcome {
	SWAP_DONE,
	SWAP_WAS_SO, /* nothing was to be done */
	SWAP_FAILED, /* which was explained, and nothing is different */
};

struct swap {
	const struct zsctl_options *options;
	const char *size; /* of the disk as it was asked for, or NULL */
	struct device device;
	json_t *state; /* {"device": …, "done": [{"step": …, "note": …}, …]} */
	json_t *told; /* with --json: what was told of each step */
};

struct swap_step {
	const char *name; /* in the state; never changes */
	const char *does; /* what is told of it: "start zsd" */
	const char *undoes;
	/* Do it. @note: an object, to be filled. */
	enum swap_outcome (*run)(struct swap *swap, json_t *note);
	/* Undo it. @note: may hold anything, where the file was changed. */
	enum swap_outcome (*undo)(struct swap *swap, const json_t *note);
};

extern const struct swap_step swap_steps[];
extern const size_t swap_nr_steps;

/* swap_begin() - hold signals back that end programs. */
void swap_begin(void);

/* swap_undo() - undo all that the state has, the last first. Return: ZSCTL_OK,
 * or ZSCTL_REFUSED where something is left. */
enum zsctl_exit swap_undo(struct swap *swap) ZSD_MUST_CHECK;

/* swap_tell() - tell of a step. swap_tell_all() - the same for programs, at the
 * end. */
void swap_tell(struct swap *swap, const char *what, enum swap_outcome outcome);
void swap_tell_all(struct swap *swap, enum zsctl_exit code);

/* --- state.c ------------------------------------------------------------- */

/**
 * state_create() - begin a state in which nothing was done
 *
 * Return: 0, -EEXIST where there is one, or another -errno.
 */
int state_create(struct swap *swap) ZSD_MUST_CHECK;

/* state_load() - read the state of an earlier `zsctl up`; sets the device, too.
 * Return: 0, -ENOENT where there is none, -EBADMSG, or another -errno. */
int state_load(struct swap *swap) ZSD_MUST_CHECK;

/* state_add() - a step was done. @note: consumed. state_drop_last() - the last
 * was undone; where none is left the file goes. Return: 0 or -errno. */
int state_add(struct swap *swap, const struct swap_step *step,
	      json_t *note) ZSD_MUST_CHECK;
int state_drop_last(struct swap *swap) ZSD_MUST_CHECK;

/* state_last() - the step that was done last, and its note; NULL: none is left,
 * or it is none of ours. state_is_empty() - whether none is left. */
const struct swap_step *state_last(const struct swap *swap,
				   const json_t **note);
bool state_is_empty(const struct swap *swap);

/* --- steps in files of their own ----------------------------------------- */

enum swap_outcome server_start(struct swap *swap, json_t *note);
enum swap_outcome server_stop(struct swap *swap, const json_t *note);
enum swap_outcome header_write(struct swap *swap, json_t *note);
enum swap_outcome header_erase(struct swap *swap, const json_t *note);
enum swap_outcome sysctls_set(struct swap *swap, json_t *note);
enum swap_outcome sysctls_restore(struct swap *swap, const json_t *note);

/**
 * sysctls_apply(), sysctls_take_back() - the same below another root
 * @note: receives, or has, for each name the old value and the new one
 */
enum swap_outcome sysctls_apply(const char *root, json_t *note);
enum swap_outcome sysctls_take_back(const char *root, const json_t *note);

#endif
