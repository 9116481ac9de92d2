/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ctl/ctl_internal.h"

static bool is_boolean(const json_t *value)
{
	return json_is_boolean(value);
}

const struct ctl_type ctl_boolean = {"true or false", is_boolean};

static bool is_count(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

const struct ctl_type ctl_count = {"an integer that is not negative", is_count};

static bool is_text(const json_t *value)
{
	return json_is_string(value);
}

const struct ctl_type ctl_text = {"a string", is_text};

/* A request is small and of our own making: what we do not know is wrong. */
static int check_members(json_t *root, struct ctl_error *error)
{
	static const char *const known[] = {"id", "command", "arguments"};
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach(root, key, value)
	{
		for (i = 0; i < ARRAY_SIZE(known); i++) {
			if (strcmp(key, known[i]) == 0)
				break;
		}
		if (i == ARRAY_SIZE(known))
			return ctl_error_set(
				error, -EPROTO,
				"unknown member '%.80s' in request", key);
	}
	return 0;
}

static int read_members(struct ctl_request *out, struct ctl_error *error)
{
	const json_t *command = json_object_get(out->root, "command");
	int err;

	err = check_members(out->root, error);
	if (err)
		return err;
	if (out->id == CTL_NO_ID)
		return ctl_error_set(error, -EPROTO,
				     "id must be an integer, 0 to %lld",
				     (long long)CTL_MAX_ID);
	if (!json_is_string(command))
		return ctl_error_set(error, -EPROTO,
				     "command must be a string");
	out->command = json_string_value(command);
	out->arguments = json_object_get(out->root, "arguments");
	if (out->arguments && !json_is_object(out->arguments))
		return ctl_error_set(error, -EPROTO,
				     "arguments must be an object");
	return 0;
}

int ctl_request_parse(const char *line, size_t bytes, struct ctl_request *out,
		      struct ctl_error *error)
{
	int err;

	memset(out, 0, sizeof(*out));
	out->id = CTL_NO_ID;
	err = ctl_object_load(line, bytes, &out->root, error);
	if (err)
		return err;
	out->id = ctl_object_id(out->root);
	err = read_members(out, error);
	if (err)
		ctl_request_fini(out);
	return err;
}

void ctl_request_fini(struct ctl_request *request)
{
	json_decref(request->root);
	request->root = NULL;
}

int ctl_request_format(json_int_t id, const char *command, json_t *arguments,
		       char **line, size_t *bytes)
{
	json_t *root = json_pack("{sI ss}", "id", id, "command", command);

	if (root && arguments &&
	    json_object_set(root, "arguments", arguments) < 0) {
		json_decref(root);
		return -ENOMEM;
	}
	return ctl_object_dump(root, CTL_MAX_REQUEST_BYTES, line, bytes);
}

int ctl_arguments_check(json_t *arguments, const struct ctl_argument *takes,
			struct ctl_error *error)
{
	const struct ctl_argument *argument;
	const char *key;
	json_t *value;

	json_object_foreach(arguments, key, value)
	{
		for (argument = takes; argument && argument->name; argument++) {
			if (strcmp(key, argument->name) == 0)
				break;
		}
		if (!argument || !argument->name)
			return ctl_error_set(error, -EINVAL,
					     "unknown argument '%.80s'", key);
		if (!argument->type->holds(value))
			return ctl_error_set(error, -EINVAL,
					     "argument '%s' must be %s", key,
					     argument->type->name);
	}
	return 0;
}
