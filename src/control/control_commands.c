/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "control/control_commands.h"
#include "control/control_dicts.h"
#include "control/safety.h"

int control_env_init(struct control_env *env,
		     const struct control_params *params)
{
	int err = 0;

	env->params = *params;
	env->started_ns = uv_hrtime();
	for (size_t i = 0; i < params->exports->nr && !err; i++)
		err = zstore_ctx_create(params->exports->all[i]->store,
					&env->ctxs[i]);
	return err;
}

void control_env_fini(struct control_env *env)
{
	for (size_t i = 0; i < EXPORT_MAX; i++)
		zstore_ctx_destroy(env->ctxs[i]);
}

static struct zstore *store_of(const struct control_env *env)
{
	return env->params.exports->all[0]->store;
}

/*
 * NAME_document(): an object with each field of a struct that a list of
 * X(field) names.
 */
#define SET_FIELD(name, ...)                         \
	failed |= json_object_set_new(object, #name, \
				      json_integer((json_int_t)from->name));
#define DEFINE_DOCUMENT(name, type, FIELDS)                     \
	static json_t *name##_document(const struct type *from) \
	{                                                       \
		json_t *object = json_object();                 \
		int failed = 0;                                 \
                                                                \
		FIELDS(SET_FIELD)                               \
		if (!failed)                                    \
			return object;                          \
		json_decref(object);                            \
		return NULL;                                    \
	}

DEFINE_DOCUMENT(mm_stat, zstore_stats, ZSTORE_MM_STAT)
DEFINE_DOCUMENT(io_stat, zstore_stats, ZSTORE_IO_STAT)
DEFINE_DOCUMENT(memory_stat, zstore_stats, ZSTORE_MEMORY_STAT)
DEFINE_DOCUMENT(requests, ctl_requests, CTL_REQUESTS)
DEFINE_DOCUMENT(connections, ctl_connections, CTL_CONNECTIONS)
DEFINE_DOCUMENT(polling, ctl_polling, CTL_POLLING)

/* What the process has in memory, the store included; null if not told. */
static json_t *resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;
	char line[128], *end;

	if (!file)
		return json_null();
	/* Pages: of the whole address space, then those in memory. */
	if (fgets(line, sizeof(line), file)) {
		(void)strtoull(line, &end, 10);
		pages = strtoull(end, NULL, 10);
	}
	(void)fclose(file);
	if (!pages)
		return json_null();
	return json_integer((json_int_t)pages * sysconf(_SC_PAGESIZE));
}

static json_t *quotient(uint64_t dividend, uint64_t divisor)
{
	if (!dividend || !divisor)
		return json_null();
	return json_real((double)dividend / (double)divisor);
}

static json_t *memory_document(const struct zstore_stats *stats)
{
	const uint64_t cost = stats->mem_used_total + stats->metadata_bytes;
	json_t *object = memory_stat_document(stats);
	int failed;

	failed = json_object_set_new(object, "ratio",
				     quotient(stats->orig_data_size, cost));
	failed |= json_object_set_new(object, "bytes_per_compressed_byte",
				      quotient(cost, stats->compr_data_size));
	failed |=
		json_object_set_new(object, "resident_bytes", resident_bytes());
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *disk_document(const struct control_env *env)
{
	const struct zstore_params *params = zstore_params(store_of(env));
	char algorithm[ZCOMP_NAME_BYTES];

	return json_pack("{sI ss sb si si}", "size_bytes",
			 (json_int_t)params->disk_bytes, "algorithm",
			 zcomp_format(&params->zcomp, algorithm), "checksum",
			 params->checksum, "chain_size",
			 (int)params->chain_size, "threads",
			 (int)env->params.nr_threads);
}

static int run_version(const struct control_env *env, const json_t *arguments,
		       json_t **result, struct ctl_error *error)
{
	json_t *document = json_pack("{ss si}", "version", PACKAGE_VERSION,
				     "protocol", CTL_PROTOCOL);

	(void)env;
	(void)arguments;
	(void)error;
	if (!document)
		return -ENOMEM;
	*result = document;
	return 0;
}

static json_t *whole_stats(const struct control_env *env)
{
	const uint64_t uptime_ns = uv_hrtime() - env->started_ns;
	struct ctl_connections connections;
	struct ctl_requests requests;
	struct ctl_polling polling;
	struct zstore_stats stats;

	zstore_stats(store_of(env), &stats);
	export_sum(env->params.exports->all[0], &requests);
	env->params.count(env->params.count_arg, &connections, &polling);
	return json_pack(
		"{ss si si sI so so so so so so so so so}", "version",
		PACKAGE_VERSION, "protocol", CTL_PROTOCOL, "pid", (int)getpid(),
		"uptime_seconds", (json_int_t)(uptime_ns / 1000000000), "disk",
		disk_document(env), "mm_stat", mm_stat_document(&stats),
		"io_stat", io_stat_document(&stats), "memory",
		memory_document(&stats), "dictionary",
		control_dicts_document(store_of(env)), "connections",
		connections_document(&connections), "requests",
		requests_document(&requests), "polling",
		polling_document(&polling), "safety",
		safety_document(env->params.residence, env->params.keeper,
				store_of(env)));
}

/* The columns that add up: X(field of struct zs_class_stats). */
#define CLASS_SUMS(X)    \
	X(almost_full)   \
	X(almost_empty)  \
	X(obj_allocated) \
	X(obj_used)      \
	X(pages_used)    \
	X(freeable)

DEFINE_DOCUMENT(class_sums, zs_class_stats, CLASS_SUMS)

static json_t *class_row(const struct zs_class_stats *class)
{
	const struct zs_geometry *geometry = &class->geometry;
	json_t *row = json_pack("{si si si si}", "class", geometry->class_idx,
				"size", geometry->size_bytes,
				"pages_per_zspage", geometry->pages_per_zspage,
				"objs_per_zspage", geometry->objs_per_zspage);
	json_t *sums = class_sums_document(class);
	int failed = json_object_update(row, sums);

	json_decref(sums);
	if (!failed)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *class_stats(struct zs_pool *pool)
{
	struct zs_class_stats class, total = {0};
	json_t *rows = json_array();
	int failed = 0;

#define ADD_FIELD(name) total.name += class.name;
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (!zs_class_stats(pool, i, &class) || !class.obj_allocated)
			continue;
		CLASS_SUMS(ADD_FIELD)
		failed |= json_array_append_new(rows, class_row(&class));
	}
#undef ADD_FIELD
	if (!failed)
		return json_pack("{so so}", "classes", rows, "total",
				 class_sums_document(&total));
	json_decref(rows);
	return NULL;
}

static int run_stats(const struct control_env *env, const json_t *arguments,
		     json_t **result, struct ctl_error *error)
{
	json_t *document;

	(void)error;
	if (json_is_true(json_object_get(arguments, "classes")))
		document = class_stats(zstore_pool(store_of(env)));
	else
		document = whole_stats(env);
	if (!document)
		return -ENOMEM;
	*result = document;
	return 0;
}

static json_int_t us_since(uint64_t start_ns)
{
	return (json_int_t)((uv_hrtime() - start_ns) / 1000);
}

static int run_compact(const struct control_env *env, const json_t *arguments,
		       json_t **result, struct ctl_error *error)
{
	const uint64_t start_ns = uv_hrtime();
	struct zs_compacted done;
	json_int_t duration_us;
	json_t *document;

	(void)arguments;
	(void)error;
	zstore_compact(store_of(env), &done);
	duration_us = us_since(start_ns);
	zstore_shrink(store_of(env));
	document = json_pack("{sI sI sI sI sI}", "pages_compacted",
			     (json_int_t)done.freed_pages, "bytes_freed",
			     (json_int_t)done.freed_pages * ZSD_PAGE_BYTES,
			     "objects_moved", (json_int_t)done.moved_objs,
			     "duration_us", duration_us, "release_us",
			     us_since(start_ns) - duration_us);
	if (!document)
		return -ENOMEM;
	*result = document;
	return 0;
}

static int run_verify(const struct control_env *env, const json_t *arguments,
		      json_t **result, struct ctl_error *error)
{
	const uint64_t start_ns = uv_hrtime();
	struct zstore_verify_report report;
	json_t *document;
	bool ok;

	(void)arguments;
	(void)error;
	ok = zstore_verify(env->ctxs[0], &report) == 0;
	document = json_pack("{sb sI sI ss sI}", "ok", ok, "pages_checked",
			     (json_int_t)report.pages_checked, "pages_damaged",
			     (json_int_t)report.pages_damaged, "problem",
			     report.text, "duration_us", us_since(start_ns));
	if (!document)
		return -ENOMEM;
	*result = document;
	return 0;
}

static const struct ctl_argument stats_arguments[] = {
	{"classes", &ctl_boolean},
	{NULL, NULL},
};

static const struct control_command commands[] = {
	{"version", NULL, false, run_version},
	{"stats", stats_arguments, false, run_stats},
	{"compact", NULL, true, run_compact},
	{"verify", NULL, true, run_verify},
	{"train", control_train_arguments, true, control_train},
};

const struct control_command *control_command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}
