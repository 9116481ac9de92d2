/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_internal - what reading and writing of requests and replies share
 */
#ifndef ZSD_CTL_CTL_INTERNAL_H
#define ZSD_CTL_CTL_INTERNAL_H

#include "ctl/ctl.h"

/**
 * ctl_object_load() - read a line as one JSON object
 * @out: receives the object, a reference; untouched on error
 *
 * Return: 0, or -EPROTO with what is wrong and where.
 */
int ctl_object_load(const char *line, size_t bytes, json_t **out,
		    struct ctl_error *error) ZSD_MUST_CHECK;

/**
 * ctl_object_dump() - write a JSON object as a line
 * @object:    consumed; NULL stands for one that could not be made
 * @max_bytes: the longest line
 * @line:      receives the text, newline included; release with free(3)
 *
 * Return: 0, -ENOMEM, or -EMSGSIZE above @max_bytes.
 */
int ctl_object_dump(json_t *object, size_t max_bytes, char **line,
		    size_t *bytes) ZSD_MUST_CHECK;

/* The member "id" of @object, or CTL_NO_ID where it is no proper one. */
json_int_t ctl_object_id(const json_t *object);

#endif
