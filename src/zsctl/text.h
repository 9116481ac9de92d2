/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text - text of JSON values, fit for a terminal
 */
#ifndef ZSD_ZSCTL_TEXT_H
#define ZSD_ZSCTL_TEXT_H

#include <jansson.h>
#include <stdint.h>

#include "ctl/schema.h"

/* Room for the text of one value, bytes with the final NUL; cut to fit. */
#define TEXT_BYTES 64

/**
 * text_value() - write a value for people
 * @value: any, or NULL where there is none
 * @unit:  of an integer; anything else is written by its type
 *
 * Anything but printable ASCII becomes '?'. Return: @text.
 */
char *text_value(const json_t *value, enum ctl_unit unit,
		 char text[TEXT_BYTES]);

/* text_member() - the same of a member of an object */
char *text_member(const json_t *object, const char *name, enum ctl_unit unit,
		  char text[TEXT_BYTES]);

/* text_plain() - copy @from, cut to fit and made plain as above */
char *text_plain(const char *from, char *text, size_t bytes);

#endif
