/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_dicts - what control clients are told of dictionaries, and `train`
 *
 * The documents are described in docs/control-protocol.md.
 */
#ifndef ZSD_CONTROL_CONTROL_DICTS_H
#define ZSD_CONTROL_CONTROL_DICTS_H

#include "control/control_commands.h"

/* The arguments of `train`. */
extern const struct ctl_argument control_train_arguments[];

/* The command; see struct control_command. */
int control_train(const struct control_env *env, const json_t *arguments,
		  json_t **result, struct ctl_error *error);

/* control_dicts_document() - which there are. Return: a new object, or NULL
 * without memory. */
json_t *control_dicts_document(struct zstore *store);

#endif
