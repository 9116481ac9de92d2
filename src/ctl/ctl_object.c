/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl_internal.h"

/* Reals are ratios: six digits say all there is to say. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(6))

int ctl_error_set(struct ctl_error *error, int err, const char *format, ...)
{
	va_list args;

	error->err = err;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	for (char *p = error->text; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return err;
}

const char *ctl_error_name(int err)
{
#define CTL_ERROR_NAME(name) {-(name), #name},
	static const struct {
		int err;
		const char *name;
	} names[] = {CTL_ERRORS(CTL_ERROR_NAME)};
#undef CTL_ERROR_NAME

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].err == err)
			return names[i].name;
	}
	return "EIO";
}

int ctl_object_load(const char *line, size_t bytes, json_t **out,
		    struct ctl_error *error)
{
	json_error_t at;
	json_t *root;

	/*
	 * Without JSON_ALLOW_NUL no string has a NUL, escaped or not, and
	 * duplicate keys would let two readers see two different requests.
	 */
	root = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &at);
	if (!root)
		return ctl_error_set(error, -EPROTO,
				     "no JSON object: %s (byte %d)", at.text,
				     at.position);
	if (!json_is_object(root)) {
		json_decref(root);
		return ctl_error_set(error, -EPROTO,
				     "no JSON object, but an array");
	}
	*out = root;
	return 0;
}

int ctl_object_dump(json_t *object, size_t max_bytes, char **line,
		    size_t *bytes)
{
	size_t length;
	char *text;
	int err = -ENOMEM;

	if (!object)
		return -ENOMEM;
	/* The size first: a second pass is cheap, a line that grows is not. */
	length = json_dumpb(object, NULL, 0, DUMP_FLAGS);
	if (!length)
		goto out;
	err = -EMSGSIZE;
	if (length + 1 > max_bytes)
		goto out;
	err = -ENOMEM;
	text = malloc(length + 1);
	if (!text)
		goto out;
	length = json_dumpb(object, text, length, DUMP_FLAGS);
	text[length] = '\n';
	*line = text;
	*bytes = length + 1;
	err = 0;
out:
	json_decref(object);
	return err;
}

json_int_t ctl_object_id(const json_t *object)
{
	const json_t *id = json_object_get(object, "id");

	if (!json_is_integer(id) || json_integer_value(id) < 0 ||
	    json_integer_value(id) > CTL_MAX_ID)
		return CTL_NO_ID;
	return json_integer_value(id);
}
