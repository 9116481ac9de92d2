/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stats`: what each export holds and costs, and how the server does. Which
 * figures there are is in ctl/schema.h; here they are filled in.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/units.h"
#include "control/commands.h"
#include "policy/writeback/writeback.h"
#include "zstore/zstore_dict.h"

const struct ctl_argument control_stats_arguments[] = {
	{"export", &ctl_text},
	{"classes", &ctl_boolean},
	{NULL, NULL},
};

/* --- putting documents together -------------------------------------------- */

/* Put @value into @object; what could not be made is passed on. Return:
 * @object, or NULL without memory; both are consumed. */
static json_t *with(json_t *object, const char *name, json_t *value)
{
	if (object && json_object_set_new(object, name, value) == 0)
		return object;
	if (!object)
		json_decref(value);
	json_decref(object);
	return NULL;
}

/* The same, for an array. */
static json_t *with_row(json_t *array, json_t *row)
{
	if (array && json_array_append_new(array, row) == 0)
		return array;
	if (!array)
		json_decref(row);
	json_decref(array);
	return NULL;
}

/* --- of an export ---------------------------------------------------------- */

/* The store counts most of it under the same names. */
#define TAKE_FIGURE(name, ...) .name = stats->name,

static json_t *mm_stat_document(const struct zstore_stats *stats)
{
	const struct ctl_mm_stat mm_stat = {CTL_MM_STAT(TAKE_FIGURE)};

	return ctl_mm_stat_document(&mm_stat);
}

static json_t *io_stat_document(const struct zstore_stats *stats)
{
	const struct ctl_io_stat io_stat = {CTL_IO_STAT(TAKE_FIGURE)};

	return ctl_io_stat_document(&io_stat);
}

static double quotient(uint64_t dividend, uint64_t divisor)
{
	if (!dividend || !divisor)
		return NAN;
	return (double)dividend / (double)divisor;
}

static json_t *memory_document(const struct control_env *env,
			       const struct export *export,
			       const struct zstore_stats *stats)
{
	struct zstore *store = export->store;
	const uint64_t cost = stats->mem_used_total + stats->metadata_bytes;
	struct ctl_memory memory = {
		.metadata_bytes = stats->metadata_bytes,
		.reserve_bytes = zstore_reserve_pages(store) * ZSD_PAGE_BYTES,
		.reserve_target_bytes =
			zstore_reserve_target_pages(store) * ZSD_PAGE_BYTES,
		.direct_grows = stats->direct_grows,
		.ratio = quotient(stats->orig_data_size, cost),
		.bytes_per_compressed_byte =
			quotient(cost, stats->compr_data_size),
	};

	reserve_count(env->params.reserves[export->index],
		      &memory.starved_requests, &memory.failed_requests);
	return ctl_memory_document(&memory);
}

static json_t *disk_document(const struct export *export)
{
	const struct zstore_params *params = zstore_params(export->store);
	char algorithm[ZCOMP_NAME_BYTES], recomp[ZCOMP_NAME_BYTES];
	const struct ctl_disk disk = {
		.size_bytes = params->disk_bytes,
		.algorithm = zcomp_format(&params->zcomp, algorithm),
		.recomp_algorithm =
			params->recomp.ops
				? zcomp_format(&params->recomp, recomp)
				: NULL,
		.checksum = params->checksum,
		.read_only = export->read_only,
		.chain_size = params->chain_size,
		.clients = atomic_load(&export->nr_clients),
	};

	return ctl_disk_document(&disk);
}

static json_t *dictionary_row(unsigned number,
			      const struct zstore_dict_info *info)
{
	const struct ctl_dictionary_row row = {
		.number = number,
		.secondary = info->codec == ZSTORE_SECONDARY,
		.bytes = info->bytes,
		.memory_bytes = info->memory_bytes,
		.pages = info->pages,
		.current = info->is_current,
	};

	return ctl_dictionary_row_document(&row);
}

static json_t *dictionary_document(struct zstore *store)
{
	struct ctl_dictionary dictionary = {
		.current = zstore_dict_current(store, ZSTORE_PRIMARY),
	};
	json_t *rows = json_array();
	struct zstore_dict_info info;

	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		if (!zstore_dict_info(store, i, &info))
			continue;
		dictionary.memory_bytes += info.memory_bytes;
		rows = with_row(rows, dictionary_row(i, &info));
	}
	return with(ctl_dictionary_document(&dictionary), "dictionaries", rows);
}

static json_t *policy_document(const struct control_env *env,
			       const struct export *export)
{
	struct ctl_policy policy;

	policy_state(env->params.policy, export, &policy);
	return ctl_policy_document(&policy);
}

static json_t *backing_document(struct writeback *writeback)
{
	struct ctl_backing backing;

	writeback_tell(writeback, &backing);
	return ctl_backing_document(&backing);
}

static json_t *requests_document(struct export *export)
{
	struct ctl_requests requests;

	export_sum(export, &requests);
	return ctl_requests_document(&requests);
}

/* As RFC 4122 writes one: "01234567-89ab-…"; with its final NUL, bytes. */
#define UUID_TEXT_BYTES 37

/* Return: @text, or NULL where the disk has none. */
static const char *uuid_text(const uint8_t *uuid, char text[UUID_TEXT_BYTES])
{
	char *end = text;
	unsigned any = 0;

	for (size_t i = 0; i < ZSTORE_UUID_BYTES; i++) {
		any |= uuid[i];
		end += snprintf(
			end, UUID_TEXT_BYTES - (size_t)(end - text), "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			uuid[i]);
	}
	return any ? text : NULL;
}

static json_t *export_document(const struct control_env *env,
			       struct export *export)
{
	char uuid[UUID_TEXT_BYTES];
	const struct ctl_export figures = {
		.name = export->nbd.name,
		.uuid = uuid_text(zstore_uuid(export->store), uuid),
	};
	json_t *document = ctl_export_document(&figures);
	struct zstore_stats stats;

	zstore_stats(export->store, &stats);
	document = with(document, "disk", disk_document(export));
	document = with(document, "mm_stat", mm_stat_document(&stats));
	document = with(document, "io_stat", io_stat_document(&stats));
	document =
		with(document, "memory", memory_document(env, export, &stats));
	document = with(document, "dictionary",
			dictionary_document(export->store));
	document = with(document, "policy", policy_document(env, export));
	if (env->params.writebacks[export->index])
		document = with(document, "backing",
				backing_document(
					env->params.writebacks[export->index]));
	return with(document, "requests", requests_document(export));
}

static json_t *exports_document(const struct control_env *env,
				const struct export *only)
{
	const struct export_table *exports = env->params.exports;
	json_t *rows = json_array();

	for (size_t i = 0; i < exports->nr; i++) {
		if (!only || exports->all[i] == only)
			rows = with_row(rows,
					export_document(env, exports->all[i]));
	}
	return rows;
}

/* --- of the server ---------------------------------------------------------- */

static const char *const mode_names[] = {
	[SWAP_OFF] = "off",
	[SWAP_ON] = "swap",
	[SWAP_STRICT] = "strict",
};

static json_t *thread_document(const struct residence_thread *thread)
{
	const struct ctl_thread figures = {
		.name = thread->name,
		.tid = (uint64_t)thread->tid,
		.io_flusher = thread->is_io_flusher,
		.realtime = thread->is_real_time,
		.minor_faults = thread->minor_faults,
		.major_faults = thread->major_faults,
	};

	return ctl_thread_document(&figures);
}

static json_t *safety_document(struct residence *residence)
{
	json_t *threads = json_array();
	struct residence_thread thread;
	struct residence_state state;
	struct ctl_safety safety;

	residence_state(residence, &state);
	safety = (struct ctl_safety){
		.mode = mode_names[residence_mode(residence)],
		.vm_lck_bytes = state.vm_lck_bytes,
		.vm_swap_bytes = state.vm_swap_bytes,
		.oom_score_adj = state.oom_score_adj,
		.heap_growth_bytes = state.heap_growth_bytes,
	};
	for (unsigned i = 0; residence_thread(residence, i, &thread); i++)
		threads = with_row(threads, thread_document(&thread));
	return with(ctl_safety_document(&safety), "threads", threads);
}

/* What the process has in memory, the stores included. */
static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;
	char line[128], *end;

	if (!file)
		return CTL_UNKNOWN;
	/* Pages: of the whole address space, then those in memory. */
	if (fgets(line, sizeof(line), file)) {
		(void)strtoull(line, &end, 10);
		pages = strtoull(end, NULL, 10);
	}
	(void)fclose(file);
	return pages ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : CTL_UNKNOWN;
}

static json_t *server_document(const struct control_env *env)
{
	const struct ctl_server server = {
		.version = PACKAGE_VERSION,
		.protocol = CTL_PROTOCOL,
		.pid = (uint64_t)getpid(),
		.uptime_seconds = control_us_since(env->started_ns) / 1000000,
		.threads = env->params.nr_threads,
		.resident_bytes = resident_bytes(),
	};

	return ctl_server_document(&server);
}

static json_t *whole_document(const struct control_env *env,
			      const struct export *only)
{
	json_t *document = server_document(env);
	struct ctl_connections connections;
	struct ctl_polling polling;
	struct ctl_survival survival;

	env->params.count(env->params.count_arg, &connections, &polling,
			  &survival);
	document = with(document, "exports", exports_document(env, only));
	document = with(document, "connections",
			ctl_connections_document(&connections));
	document = with(document, "polling", ctl_polling_document(&polling));
	document = with(document, "survival", ctl_survival_document(&survival));
	return with(document, "safety", safety_document(env->params.residence));
}

/* --- of size classes ---------------------------------------------------------
 */

static json_t *class_document(const struct zs_class_stats *class)
{
	const struct zs_geometry *geometry = &class->geometry;
	const struct ctl_class figures = {
		.class = geometry->class_idx,
		.size = geometry->size_bytes,
		.almost_full = class->almost_full,
		.almost_empty = class->almost_empty,
		.obj_allocated = class->obj_allocated,
		.obj_used = class->obj_used,
		.pages_used = class->pages_used,
		.pages_per_zspage = geometry->pages_per_zspage,
		.objs_per_zspage = geometry->objs_per_zspage,
		.freeable = class->freeable,
	};

	return ctl_class_document(&figures);
}

static json_t *classes_document(const struct export *export)
{
	struct ctl_class_total total = {0};
	json_t *rows = json_array();
	struct zs_class_stats class;
	json_t *document;

#define ADD_FIGURE(name, ...) total.name += class.name;
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (!zstore_class_stats(export->store, i, &class) ||
		    !class.obj_allocated)
			continue;
		CTL_CLASS_TOTAL(ADD_FIGURE)
		rows = with_row(rows, class_document(&class));
	}
#undef ADD_FIGURE
	document = with(json_object(), "export", json_string(export->nbd.name));
	document = with(document, "classes", rows);
	return with(document, "total", ctl_class_total_document(&total));
}

/* --- the command -------------------------------------------------------------
 */

int control_stats(const struct control_env *env, const json_t *arguments,
		  json_t **result, struct ctl_error *error)
{
	const bool of_classes =
		json_is_true(json_object_get(arguments, "classes"));
	struct export *export = NULL;
	int err = 0;

	if (of_classes || json_object_get(arguments, "export"))
		err = control_find_export(env, arguments, &export, error);
	if (err)
		return err;
	return control_hand_over(of_classes ? classes_document(export)
					    : whole_document(env, export),
				 result);
}
