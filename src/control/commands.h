/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands - what control clients may ask for
 *
 * The commands are those of docs/control-protocol.md; each is one function that
 * makes the result out of the checked arguments:
 *
 *   commands.c  which there are, and the short ones
 *   stats.c     `stats`
 *   train.c     `train`
 *   rest.c      `idle`, `recompress`
 *   save.c      `save`
 *
 * Context: the control's thread; of a long command the thread for those. One of
 * each runs at a time.
 */
#ifndef ZSD_CONTROL_COMMANDS_H
#define ZSD_CONTROL_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "ctl/ctl.h"
#include "ctl/document.h"

/* What commands work with. */
struct control_env {
	struct control_params params;
	/* Of each export, for long commands: one runs at a time. */
	struct zstore_ctx *ctxs[EXPORT_MAX];
	struct zstore_scratch *scratch; /* of all of them */
	uint64_t started_ns; /* uv_hrtime() */
};

/* control_env_init() - Return: 0 or -ENOMEM; control_env_fini() in any case. */
int control_env_init(struct control_env *env,
		     const struct control_params *params) ZSD_MUST_CHECK;
void control_env_fini(struct control_env *env);

/**
 * control_run() - do what a command is for
 * @arguments: checked; NULL for none
 * @result:    receives a new object
 * @error:     may be filled in on error, where there is more to say than the
 *             error's number does; empty before
 *
 * Return: 0 or -errno.
 */
typedef int control_run(const struct control_env *env, const json_t *arguments,
			json_t **result, struct ctl_error *error);

/*
 * What follows the reply of some commands: bytes, in pieces. The next piece is
 * made when the one before has been sent, so that it is the client that sets
 * the pace; others are served in between.
 */
struct control_stream {
	/*
	 * Make a piece, in some ms at most; it stays until the next call.
	 * @bytes may be 0: ask again. Return: false where there is no more.
	 */
	bool (*next)(struct control_stream *stream, const void **piece,
		     size_t *bytes);
	/* It is sent, or the client is gone. */
	void (*close)(struct control_stream *stream);
};

/* As control_run, of a command that has a stream: @stream receives it. */
typedef int control_open(const struct control_env *env, const json_t *arguments,
			 json_t **result, struct control_stream **stream,
			 struct ctl_error *error);

struct control_command {
	const char *name;
	const struct ctl_argument *arguments; /* see ctl_arguments_check() */
	/* May take long: runs on a thread of its own, while others answer. */
	bool is_long;
	control_run *run;
	control_open *open; /* in its place, where a stream follows; or NULL */
};

/* control_command_find() - the command of that name, or NULL */
const struct control_command *control_command_find(const char *name);

/**
 * control_find_export() - the export that a command is about
 *
 * It is the one that the argument "export" names. Without that argument there
 * must be only one.
 * Return: 0, or -EINVAL with an error.
 */
int control_find_export(const struct control_env *env, const json_t *arguments,
			struct export **out,
			struct ctl_error *error) ZSD_MUST_CHECK;

/* Which pages a command is about, as zram's attributes have it. Without the
 * argument "type": all. */
struct control_type {
	const char *name;
	bool is_idle; /* marked */
	bool is_huge; /* stored raw */
	bool is_incompressible; /* recompressing gained nothing */
};

/* How many of the types a command knows: all, or all but the last. */
enum control_types {
	CONTROL_TYPE_COMPRESSIBLE = 3,
	CONTROL_TYPE_ANY = 4,
};

/**
 * control_take_type() - the argument "type"
 * @out: receives it; all false without one, and on error
 *
 * Return: 0, or -EINVAL with an error.
 */
int control_take_type(const json_t *arguments, enum control_types known,
		      struct control_type *out,
		      struct ctl_error *error) ZSD_MUST_CHECK;

/* The arguments of commands, and what runs them. */
extern const struct ctl_argument control_stats_arguments[];
extern const struct ctl_argument control_train_arguments[];
extern const struct ctl_argument control_save_arguments[];
extern const struct ctl_argument control_idle_arguments[];
extern const struct ctl_argument control_recompress_arguments[];
extern const struct ctl_argument control_writeback_arguments[];
extern const struct ctl_argument control_blocks_arguments[];
control_run control_stats;
control_run control_train;
control_run control_idle;
control_run control_recompress;
control_run control_writeback;
control_run control_blocks;
control_open control_save;

/* control_us_since() - microseconds since @start_ns of uv_hrtime() */
uint64_t control_us_since(uint64_t start_ns);

/* control_hand_over() - make @document the result, if there is one.
 * Return: 0, or -ENOMEM without. */
int control_hand_over(json_t *document, json_t **result) ZSD_MUST_CHECK;

#endif
