/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "control/commands.h"
#include "ctl/ctl_base64.h"
#include "policy/train.h"

const struct ctl_argument control_train_arguments[] = {
	{"export", &ctl_text},
	{"bytes", &ctl_count},
	{"secondary", &ctl_boolean},
	{"contents", &ctl_boolean},
	{NULL, NULL},
};

/* --- train ---------------------------------------------------------------- */

/* What one page came to. */
static json_t *cost_document(const struct train_cost *cost,
			     const struct train_report *report)
{
	const double nr = report->nr_tested;
	const struct ctl_train_cost figures = {
		.bytes_per_page = (double)cost->compressed_bytes / nr,
		.compress_us = (double)cost->compress_ns / nr / 1e3,
		.decompress_us = (double)cost->decompress_ns / nr / 1e3,
	};

	return ctl_train_cost_document(&figures);
}

/* The dictionary's bytes as text. */
static json_t *contents(const struct train_report *report)
{
	char *text = malloc(CTL_BASE64_CHARS(report->nr_bytes) + 1);
	json_t *string;

	if (!text)
		return NULL;
	ctl_base64_encode(report->bytes, report->nr_bytes, text);
	string = json_string(text);
	free(text);
	return string;
}

/* What is asked for. */
struct job {
	enum zstore_codec codec;
	bool more; /* the other codec is worth asking for, too */
	bool with_contents;
	uint64_t start_ns;
};

static json_t *report_document(const struct train_report *report,
			       const struct job *job)
{
	const struct ctl_train figures = {
		.used = report->number != 0,
		.number = report->number,
		.bytes = report->nr_bytes,
		.pages_trained = report->nr_trained,
		.pages_tested = report->nr_tested,
		.before_number = report->before,
		.secondary = job->codec == ZSTORE_SECONDARY,
		.more = job->more,
		.duration_us = control_us_since(job->start_ns),
	};
	json_t *document = ctl_train_document(&figures);
	int failed = !document;

	failed |= json_object_set_new(document, "without",
				      cost_document(&report->without, report));
	failed |= json_object_set_new(document, "trained",
				      cost_document(&report->trained, report));
	failed |= json_object_set_new(
		document, "before",
		report->before ? cost_document(&report->current, report)
			       : json_null());
	if (job->with_contents)
		failed |= json_object_set_new(document, "contents",
					      contents(report));
	if (!failed)
		return document;
	json_decref(document);
	return NULL;
}

static int take_bytes(const json_t *arguments, size_t *out,
		      struct ctl_error *error)
{
	const json_t *value = json_object_get(arguments, "bytes");
	json_int_t bytes = value ? json_integer_value(value)
				 : (json_int_t)TRAIN_DEFAULT_DICT_BYTES;

	if (bytes < (json_int_t)TRAIN_MIN_DICT_BYTES ||
	    bytes > (json_int_t)ZCOMP_DICT_MAX_BYTES)
		return ctl_error_set(error, -EINVAL,
				     "a dictionary has %zu to %zu bytes",
				     TRAIN_MIN_DICT_BYTES,
				     ZCOMP_DICT_MAX_BYTES);
	*out = (size_t)bytes;
	return 0;
}

/* The first codec that learns, unless the second one is asked for. */
static void choose_codec(const json_t *arguments,
			 const struct zstore_params *disk, struct job *job)
{
	const bool second =
		json_is_true(json_object_get(arguments, "secondary"));

	job->codec = second || (!zcomp_has_dicts(&disk->zcomp) &&
				zcomp_has_dicts(&disk->recomp))
			     ? ZSTORE_SECONDARY
			     : ZSTORE_PRIMARY;
	job->more =
		job->codec == ZSTORE_PRIMARY && zcomp_has_dicts(&disk->recomp);
}

int control_train(const struct control_env *env, const json_t *arguments,
		  json_t **result, struct ctl_error *error)
{
	const bool is_swapped =
		residence_mode(env->params.residence) != SWAP_OFF;
	struct job job = {
		.with_contents =
			json_is_true(json_object_get(arguments, "contents")),
		.start_ns = uv_hrtime(),
	};
	struct train_report *report;
	struct export *export;
	size_t bytes;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (!err)
		err = take_bytes(arguments, &bytes, error);
	if (err)
		return err;
	report = malloc(sizeof(*report));
	if (!report)
		return -ENOMEM;
	choose_codec(arguments, zstore_params(export->store), &job);
	err = train_run(export->store, env->ctxs[export->index], job.codec,
			is_swapped, bytes, report, error);
	if (!err)
		err = control_hand_over(report_document(report, &job), result);
	free(report);
	return err;
}
