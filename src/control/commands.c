/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "control/commands.h"
#include "policy/compact.h"

/* --- what all share ------------------------------------------------------- */

int control_env_init(struct control_env *env,
		     const struct control_params *params)
{
	int err;

	env->params = *params;
	env->started_ns = uv_hrtime();
	err = zstore_scratch_create(&env->scratch);
	for (size_t i = 0; i < params->exports->nr && !err; i++)
		err = zstore_ctx_create(params->exports->all[i]->store,
					env->scratch, &env->ctxs[i]);
	return err;
}

void control_env_fini(struct control_env *env)
{
	for (size_t i = 0; i < EXPORT_MAX; i++)
		zstore_ctx_destroy(env->ctxs[i]);
	zstore_scratch_destroy(env->scratch);
}

int control_find_export(const struct control_env *env, const json_t *arguments,
			struct export **out, struct ctl_error *error)
{
	const struct export_table *exports = env->params.exports;
	const char *name =
		json_string_value(json_object_get(arguments, "export"));

	if (!name && exports->nr > 1)
		return ctl_error_set(error, -EINVAL,
				     "there are %zu exports: argument 'export' "
				     "must name one of them",
				     exports->nr);
	*out = name ? export_table_find(exports, name) : exports->all[0];
	if (*out)
		return 0;
	return ctl_error_set(error, -EINVAL, "there is no export '%.80s'",
			     name);
}

uint64_t control_us_since(uint64_t start_ns)
{
	return (uv_hrtime() - start_ns) / 1000;
}

int control_hand_over(json_t *document, json_t **result)
{
	if (!document)
		return -ENOMEM;
	*result = document;
	return 0;
}

int control_take_type(const json_t *arguments, enum control_types known,
		      struct control_type *out, struct ctl_error *error)
{
	static const struct control_type types[] = {
		{"idle", true, false, false},
		{"huge", false, true, false},
		{"huge_idle", true, true, false},
		{"incompressible", false, false, true},
	};
	const char *name =
		json_string_value(json_object_get(arguments, "type"));

	*out = (struct control_type){0};
	for (unsigned i = 0; name && i < known; i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		*out = types[i];
		return 0;
	}
	if (!name)
		return 0;
	return ctl_error_set(error, -EINVAL,
			     "'type' must be idle, huge%s, not '%.80s'",
			     known == CONTROL_TYPE_ANY
				     ? ", huge_idle or incompressible"
				     : " or huge_idle",
			     name);
}

/* --- version -------------------------------------------------------------- */

static int run_version(const struct control_env *env, const json_t *arguments,
		       json_t **result, struct ctl_error *error)
{
	(void)env;
	(void)arguments;
	(void)error;
	return control_hand_over(json_pack("{ss si}", "version",
					   PACKAGE_VERSION, "protocol",
					   CTL_PROTOCOL),
				 result);
}

/* --- what is done to a disk ----------------------------------------------- */

static const struct ctl_argument export_arguments[] = {
	{"export", &ctl_text},
	{NULL, NULL},
};

static int run_compact(const struct control_env *env, const json_t *arguments,
		       json_t **result, struct ctl_error *error)
{
	const uint64_t start_ns = uv_hrtime();
	struct ctl_compact compact;
	struct zs_compacted done;
	struct export *export;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (err)
		return err;
	compact_run(export, env->params.exports, &done);
	compact = (struct ctl_compact){
		.pages_compacted = done.freed_pages,
		.bytes_freed = done.freed_pages * ZSD_PAGE_BYTES,
		.objects_moved = done.moved_objs,
		.duration_us = control_us_since(start_ns),
	};
	zstore_shrink(export->store);
	compact.release_us = control_us_since(start_ns) - compact.duration_us;
	return control_hand_over(ctl_compact_document(&compact), result);
}

static int run_verify(const struct control_env *env, const json_t *arguments,
		      json_t **result, struct ctl_error *error)
{
	const uint64_t start_ns = uv_hrtime();
	struct zstore_verify_report report;
	struct ctl_verify verify;
	struct export *export;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (err)
		return err;
	verify.ok = zstore_verify(env->ctxs[export->index], &report) == 0;
	verify.pages_checked = report.pages_checked;
	verify.pages_damaged = report.pages_damaged;
	verify.problem = report.text;
	verify.duration_us = control_us_since(start_ns);
	return control_hand_over(ctl_verify_document(&verify), result);
}

static int run_reset_peak(const struct control_env *env,
			  const json_t *arguments, json_t **result,
			  struct ctl_error *error)
{
	struct ctl_reset_peak peak;
	struct zstore_stats stats;
	struct export *export;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (err)
		return err;
	zstore_reset_peak(export->store);
	zstore_stats(export->store, &stats);
	peak.mem_used_max = stats.mem_used_max;
	return control_hand_over(ctl_reset_peak_document(&peak), result);
}

/* --- what is done to the server ------------------------------------------- */

static int run_upgrade(const struct control_env *env, const json_t *arguments,
		       json_t **result, struct ctl_error *error)
{
	struct ctl_connections connections;
	struct ctl_survival survival;
	struct ctl_polling polling;
	struct ctl_upgrade upgrade;
	int err;

	(void)arguments;
	env->params.count(env->params.count_arg, &connections, &polling,
			  &survival);
	err = env->params.upgrade(env->params.count_arg);
	if (err == -EOPNOTSUPP)
		return ctl_error_set(error, err,
				     "zsd has no keeper that could hand over: "
				     "it runs without --survive");
	if (err)
		return ctl_error_set(error, -EAGAIN, "the keeper is busy");
	upgrade = (struct ctl_upgrade){
		.generation = survival.generation,
		.refused_upgrades = survival.refused_upgrades,
	};
	return control_hand_over(ctl_upgrade_document(&upgrade), result);
}

/* --- which there are ------------------------------------------------------ */

static const struct control_command commands[] = {
	{"version", NULL, false, run_version, NULL},
	{"stats", control_stats_arguments, false, control_stats, NULL},
	{"compact", export_arguments, true, run_compact, NULL},
	{"verify", export_arguments, true, run_verify, NULL},
	{"train", control_train_arguments, true, control_train, NULL},
	{"idle", control_idle_arguments, false, control_idle, NULL},
	{"recompress", control_recompress_arguments, true, control_recompress,
	 NULL},
	{"writeback", control_writeback_arguments, true, control_writeback,
	 NULL},
	{"blocks", control_blocks_arguments, false, control_blocks, NULL},
	{"reset_peak", export_arguments, false, run_reset_peak, NULL},
	{"upgrade", NULL, false, run_upgrade, NULL},
	{"save", control_save_arguments, false, NULL, control_save},
};

const struct control_command *control_command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}
