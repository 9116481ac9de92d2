/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * document - JSON of the figures in schema.h
 *
 * Threads: pure functions of their arguments.
 */
#ifndef ZSD_CTL_DOCUMENT_H
#define ZSD_CTL_DOCUMENT_H

#include <jansson.h>

#include "ctl/schema.h"

/*
 * ctl_server_document(), … one for each group: a JSON object of its struct.
 * Text must be UTF-8. Return: a new object, or NULL without memory.
 */
#define CTL_DECLARE(name, FIGURES, place) \
	json_t *ctl_##name##_document(const struct ctl_##name *from);
CTL_GROUPS(CTL_DECLARE)
#undef CTL_DECLARE

#endif
