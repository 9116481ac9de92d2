/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `idle` and `recompress`: what is done to pages that rest. Arguments are named
 * as those of zram's attributes.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "control/commands.h"
#include "policy/recompress.h"

/* zram has up to three codecs besides the first one; we have one. */
#define ONLY_PRIORITY 1

const struct ctl_argument control_idle_arguments[] = {
	{"export", &ctl_text},
	{"age", &ctl_count},
	{NULL, NULL},
};

const struct ctl_argument control_recompress_arguments[] = {
	{"export", &ctl_text},
	{"type", &ctl_text},
	{"threshold", &ctl_count},
	{"max_pages", &ctl_count},
	{"algo", &ctl_text},
	{"priority", &ctl_count},
	{NULL, NULL},
};

/* --- idle ------------------------------------------------------------------ */

int control_idle(const struct control_env *env, const json_t *arguments,
		 json_t **result, struct ctl_error *error)
{
	const json_int_t age_s =
		json_integer_value(json_object_get(arguments, "age"));
	struct export *export;
	struct ctl_idle idle;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (err)
		return err;
	if (age_s > UINT32_MAX)
		return ctl_error_set(error, -EINVAL,
				     "'age' must be at most %u seconds",
				     UINT32_MAX);
	idle.pages_idle =
		policy_mark_idle(env->params.policy, export, (uint32_t)age_s);
	return control_hand_over(ctl_idle_document(&idle), result);
}

/* --- recompress ------------------------------------------------------------ */

/* Which codec: there is one, and whoever names it must mean that. */
static int take_codec(const json_t *arguments, const struct zstore_params *disk,
		      struct ctl_error *error)
{
	const char *algo =
		json_string_value(json_object_get(arguments, "algo"));
	const json_t *priority = json_object_get(arguments, "priority");
	char name[ZCOMP_NAME_BYTES];

	if (!disk->recomp.ops)
		return ctl_error_set(error, -EINVAL,
				     "there is no codec for it: start zsd with "
				     "--recompress plz or zstd");
	if (priority && json_integer_value(priority) != ONLY_PRIORITY)
		return ctl_error_set(
			error, -EINVAL,
			"'priority' must be %d: there is one codec "
			"besides --algorithm",
			ONLY_PRIORITY);
	zcomp_format(&disk->recomp, name);
	if (!algo || strcmp(algo, name) == 0 ||
	    (strncmp(algo, name, strlen(algo)) == 0 &&
	     name[strlen(algo)] == ':'))
		return 0;
	return ctl_error_set(error, -EINVAL,
			     "'algo' must be what zsd was started with: %s",
			     name);
}

static int take_threshold(const json_t *arguments, const struct zstore *store,
			  struct zstore_recompress *how,
			  struct ctl_error *error)
{
	const json_int_t bytes =
		json_integer_value(json_object_get(arguments, "threshold"));
	const size_t most = zstore_huge_class_size(store) - 1;

	if (bytes > (json_int_t)most)
		return ctl_error_set(error, -EINVAL,
				     "'threshold' must be at most %zu bytes: "
				     "what is longer takes a page",
				     most);
	how->threshold_bytes = (uint32_t)bytes;
	return 0;
}

static int take_all(const json_t *arguments, const struct export *export,
		    struct zstore_recompress *how, struct ctl_error *error)
{
	struct control_type type = {0};
	int err = take_codec(arguments, zstore_params(export->store), error);

	if (!err)
		err = control_take_type(arguments, CONTROL_TYPE_COMPRESSIBLE,
					&type, error);
	how->is_idle = type.is_idle;
	how->is_huge = type.is_huge;
	if (!err)
		err = take_threshold(arguments, export->store, how, error);
	how->max_pages = (uint64_t)json_integer_value(
		json_object_get(arguments, "max_pages"));
	return err;
}

static int explain(int err, struct ctl_error *error)
{
	if (err == -EINPROGRESS)
		return ctl_error_set(error, -EAGAIN,
				     "the disk was adopted, and is not rebuilt "
				     "yet");
	if (err == -EIO)
		return ctl_error_set(error, err,
				     "the dictionary that pages are "
				     "recompressed with is damaged: `zsctl "
				     "verify` says which");
	if (err)
		return ctl_error_set(error, err,
				     "there is no room ready for shorter "
				     "objects: try again");
	return 0;
}

int control_recompress(const struct control_env *env, const json_t *arguments,
		       json_t **result, struct ctl_error *error)
{
	struct zstore_recompress how = {.since_s = UINT32_MAX};
	const uint64_t start_ns = uv_hrtime();
	struct zstore_recompressing done;
	struct ctl_recompress figures;
	struct export *export;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (!err)
		err = take_all(arguments, export, &how, error);
	if (err)
		return err;
	err = explain(recompress_run(env->ctxs[export->index],
				     env->params.exports, &how, &done),
		      error);
	if (err)
		return err;
	figures = (struct ctl_recompress){
		.pages_tried = done.nr_tried,
		.pages_recompressed = done.nr_done,
		.bytes_before = done.bytes_before,
		.bytes_after = done.bytes_after,
		.duration_us = control_us_since(start_ns),
	};
	return control_hand_over(ctl_recompress_document(&figures), result);
}
