/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ctl/ctl_internal.h"

static int read_error(const json_t *object, struct ctl_reply *reply,
		      struct ctl_error *error)
{
	reply->code = json_string_value(json_object_get(object, "code"));
	reply->message = json_string_value(json_object_get(object, "message"));
	if (!reply->code || !reply->message)
		return ctl_error_set(error, -EPROTO,
				     "error without a code and a message");
	return 0;
}

static int read_members(struct ctl_reply *reply, struct ctl_error *error)
{
	const json_t *id = json_object_get(reply->root, "id");
	const json_t *failed = json_object_get(reply->root, "error");

	reply->id = ctl_object_id(reply->root);
	if (reply->id == CTL_NO_ID && !json_is_null(id))
		return ctl_error_set(error, -EPROTO,
				     "id must be null or an integer, 0 to %lld",
				     (long long)CTL_MAX_ID);
	reply->result = json_object_get(reply->root, "result");
	if (!reply->result == !failed)
		return ctl_error_set(error, -EPROTO,
				     "must have either a result or an error");
	if (failed)
		return read_error(failed, reply, error);
	if (!json_is_object(reply->result))
		return ctl_error_set(error, -EPROTO,
				     "result must be an object");
	return 0;
}

int ctl_reply_parse(const char *line, size_t bytes, struct ctl_reply *out,
		    struct ctl_error *error)
{
	struct ctl_reply reply = {0};
	int err;

	err = ctl_object_load(line, bytes, &reply.root, error);
	if (err)
		return err;
	err = read_members(&reply, error);
	if (err) {
		ctl_reply_fini(&reply);
		return err;
	}
	*out = reply;
	return 0;
}

void ctl_reply_fini(struct ctl_reply *reply)
{
	json_decref(reply->root);
	reply->root = NULL;
}

int ctl_reply_format(json_int_t id, json_t *result,
		     const struct ctl_error *error, char **line, size_t *bytes)
{
	json_t *id_json = id == CTL_NO_ID ? json_null() : json_integer(id);
	json_t *root;

	if (result)
		root = json_pack("{so sO}", "id", id_json, "result", result);
	else
		root = json_pack("{so s{ss ss}}", "id", id_json, "error",
				 "code", ctl_error_name(error->err), "message",
				 error->text);
	return ctl_object_dump(root, CTL_MAX_REPLY_BYTES, line, bytes);
}
