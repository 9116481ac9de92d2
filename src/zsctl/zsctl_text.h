/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl_text - text of JSON values, fit for a terminal
 */
#ifndef ZSD_ZSCTL_ZSCTL_TEXT_H
#define ZSD_ZSCTL_ZSCTL_TEXT_H

#include <jansson.h>
#include <stdint.h>

/* Room for the text of one value, bytes with the final NUL; cut to fit. */
#define TEXT_BYTES 64

enum text_unit {
	TEXT_PLAIN,
	TEXT_SIZE, /* bytes, as units_format() writes them */
	TEXT_SIZE_OR_NONE, /* the same; 0 is "none" */
};

/**
 * text_value() - write a value for people
 * @value: any, or NULL where there is none
 *
 * Anything but printable ASCII becomes '?'. Return: @text.
 */
char *text_value(const json_t *value, enum text_unit unit,
		 char text[TEXT_BYTES]);

/* text_plain() - copy @from, cut to fit and made plain as above */
char *text_plain(const char *from, char *text, size_t bytes);

/* text_uptime() - "3 d 4 h", "12 min 3 s", "7 s". Return: @text. */
char *text_uptime(uint64_t seconds, char text[TEXT_BYTES]);

#endif
