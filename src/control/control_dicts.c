/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "ctl/ctl_base64.h"
#include "control/control_dicts.h"
#include "policy/train.h"

const struct ctl_argument control_train_arguments[] = {
	{"bytes", &ctl_count},
	{"contents", &ctl_boolean},
	{NULL, NULL},
};

/* --- stats ---------------------------------------------------------------- */

static json_t *row(unsigned number, const struct zstore_dict_info *info)
{
	return json_pack("{si sI sI sI sb}", "number", (int)number, "bytes",
			 (json_int_t)info->bytes, "memory_bytes",
			 (json_int_t)info->memory_bytes, "pages",
			 (json_int_t)info->pages, "current", info->is_current);
}

json_t *control_dicts_document(struct zstore *store)
{
	json_t *rows = json_array();
	struct zstore_dict_info info;
	uint64_t memory_bytes = 0;
	int failed = 0;

	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		if (!zstore_dict_info(store, i, &info))
			continue;
		memory_bytes += info.memory_bytes;
		failed |= json_array_append_new(rows, row(i, &info));
	}
	if (!failed)
		return json_pack("{si sI so}", "current",
				 (int)zstore_dict_current(store),
				 "memory_bytes", (json_int_t)memory_bytes,
				 "dictionaries", rows);
	json_decref(rows);
	return NULL;
}

/* --- train ---------------------------------------------------------------- */

/* What one page came to. */
static json_t *cost_document(const struct train_cost *cost,
			     const struct train_report *report)
{
	const double nr = report->nr_tested;

	return json_pack("{sf sf sf}", "bytes_per_page",
			 (double)cost->compressed_bytes / nr, "compress_us",
			 (double)cost->compress_ns / nr / 1e3, "decompress_us",
			 (double)cost->decompress_ns / nr / 1e3);
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

static json_t *report_document(const struct train_report *report,
			       bool with_contents, uint64_t start_ns)
{
	json_t *document = json_pack(
		"{sb si sI sI sI so so si so sI}", "used", report->number != 0,
		"number", (int)report->number, "bytes",
		(json_int_t)report->nr_bytes, "pages_trained",
		(json_int_t)report->nr_trained, "pages_tested",
		(json_int_t)report->nr_tested, "without",
		cost_document(&report->without, report), "trained",
		cost_document(&report->trained, report), "before_number",
		(int)report->before, "before",
		report->before ? cost_document(&report->current, report)
			       : json_null(),
		"duration_us", (json_int_t)((uv_hrtime() - start_ns) / 1000));

	if (!document || !with_contents ||
	    json_object_set_new(document, "contents", contents(report)) == 0)
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

int control_train(const struct control_env *env, const json_t *arguments,
		  json_t **result, struct ctl_error *error)
{
	const bool is_swapped =
		residence_mode(env->params.residence) != SWAP_OFF;
	const uint64_t start_ns = uv_hrtime();
	struct train_report *report;
	size_t bytes;
	int err;

	err = take_bytes(arguments, &bytes, error);
	if (err)
		return err;
	report = malloc(sizeof(*report));
	if (!report)
		return -ENOMEM;
	err = train_run(env->params.exports->all[0]->store, env->ctxs[0], is_swapped, bytes, report,
			error);
	if (!err) {
		*result = report_document(
			report,
			json_is_true(json_object_get(arguments, "contents")),
			start_ns);
		err = *result ? 0 : -ENOMEM;
	}
	free(report);
	return err;
}
