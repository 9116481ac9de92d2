/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_commands - what a control client may ask for
 *
 * A command turns checked arguments into a result document; sockets, lines and
 * errors of the protocol are not its business. The documents are described in
 * docs/control-protocol.md and built from the counters' lists, so that a new
 * counter shows up by itself.
 */
#ifndef ZSD_CONTROL_CONTROL_COMMANDS_H
#define ZSD_CONTROL_CONTROL_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl.h"
#include "control/control.h"

/* What commands work with. */
struct control_env {
	struct control_params params;
	/* Of each export, for long commands: one runs at a time. */
	struct zstore_ctx *ctxs[EXPORT_MAX];
	uint64_t started_ns; /* uv_hrtime() */
};

/* control_env_init() - Return: 0 or -ENOMEM; control_env_fini() in any case. */
int control_env_init(struct control_env *env,
		     const struct control_params *params) ZSD_MUST_CHECK;
void control_env_fini(struct control_env *env);

struct control_command {
	const char *name;
	const struct ctl_argument *arguments; /* see ctl_arguments_check() */
	/* May take long: runs on a thread of its own, while others answer. */
	bool is_long;
	/**
	 * run() - do it
	 * @arguments: checked; NULL for none
	 * @result:    receives an object, a reference
	 * @error:     may be filled in on error, where there is more to say
	 *             than the error's number does; empty before
	 *
	 * Return: 0 or -errno.
	 */
	int (*run)(const struct control_env *env, const json_t *arguments,
		   json_t **result, struct ctl_error *error);
};

/* control_command_find() - the command of that name, or NULL */
const struct control_command *control_command_find(const char *name);

#endif
