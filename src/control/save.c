/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `save`: a disk as a stream behind the reply. What is made of it is the
 * client's affair: zsd opens no file.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "control/commands.h"
#include "zstore/zstore_save.h"

const struct ctl_argument control_save_arguments[] = {
	{"export", &ctl_text},
	{"live", &ctl_boolean},
	{NULL, NULL},
};

struct saving {
	struct control_stream stream;
	struct export *export;
	bool is_live; /* clients may change it meanwhile */
	uint64_t nr_attached; /* clients so far, when it was begun */
	struct zstore_scratch *scratch;
	struct zstore_ctx *ctx;
	struct zstore_save save;
	unsigned char block[ZSAVE_BLOCK_BYTES];
};

static struct saving *saving_of(struct control_stream *stream)
{
	return container_of(stream, struct saving, stream);
}

/* Why it cannot go on, or "". */
static const char *trouble(const struct saving *saving, int err,
			   char text[CTL_ERROR_TEXT_BYTES])
{
	text[0] = '\0';
	if (err)
		(void)snprintf(text, CTL_ERROR_TEXT_BYTES,
			       "page %" PRIu64 " of the disk is damaged: write "
			       "it anew, or trim it",
			       saving->save.next);
	else if (!saving->is_live &&
		 export_attached(saving->export) != saving->nr_attached)
		(void)snprintf(
			text, CTL_ERROR_TEXT_BYTES,
			"a client attached to the disk meanwhile: detach "
			"it, or save with --live");
	return text;
}

static bool next_block(struct control_stream *stream, const void **piece,
		       size_t *bytes)
{
	struct saving *saving = saving_of(stream);
	char text[CTL_ERROR_TEXT_BYTES];
	int err = 0;

	if (saving->save.is_over)
		return false;
	/* Before the end is made: all pages have been read by then. */
	if (!*trouble(saving, 0, text)) {
		err = zstore_save_next(&saving->save, saving->block, bytes);
		(void)trouble(saving, err, text);
	}
	if (*text && !saving->save.is_over)
		*bytes = zstore_save_fail(&saving->save, text, saving->block);
	*piece = saving->block;
	return true;
}

static void free_saving(struct saving *saving)
{
	zstore_ctx_destroy(saving->ctx);
	zstore_scratch_destroy(saving->scratch);
	free(saving);
}

static void close_saving(struct control_stream *stream)
{
	struct saving *saving = saving_of(stream);

	zstore_save_end(&saving->save);
	free_saving(saving);
}

/* The only time that it allocates. */
static int new_saving(struct export *export, bool is_live, struct saving **out)
{
	struct saving *saving = calloc(1, sizeof(*saving));
	int err;

	if (!saving)
		return -ENOMEM;
	saving->stream = (struct control_stream){.next = next_block,
						 .close = close_saving};
	saving->export = export;
	saving->is_live = is_live;
	err = zstore_scratch_create(&saving->scratch);
	if (!err)
		err = zstore_ctx_create(export->store, saving->scratch,
					&saving->ctx);
	if (err)
		free_saving(saving);
	else
		*out = saving;
	return err;
}

/* Whether nobody changes the disk, or it does not matter. */
static int check_clients(struct saving *saving, struct ctl_error *error)
{
	unsigned nr_clients;

	if (saving->export->read_only)
		saving->is_live = true; /* and still nobody does */
	saving->nr_attached = export_attached(saving->export);
	nr_clients = atomic_load(&saving->export->nr_clients);
	if (saving->is_live || !nr_clients)
		return 0;
	return ctl_error_set(error, -EBUSY,
			     "the disk has %u client%s: detach first, or save "
			     "with --live, as after a power cut",
			     nr_clients, nr_clients == 1 ? "" : "s");
}

static int begin(struct saving *saving, struct ctl_error *error)
{
	const bool is_live = saving->is_live;
	uv_timeval64_t now = {0};
	int err;

	err = check_clients(saving, error);
	if (err)
		return err;
	(void)uv_gettimeofday(&now);
	err = zstore_save_begin(&saving->save, saving->ctx,
				is_live ? ZSAVE_LIVE : 0, (uint64_t)now.tv_sec);
	if (err)
		err = ctl_error_set(error, -EIO,
				    "a dictionary is damaged: see zsctl "
				    "verify");
	return err;
}

static int tell(const struct saving *saving, json_t **result)
{
	struct zstore_stats stats;
	struct ctl_save figures;

	zstore_stats(saving->export->store, &stats);
	figures = (struct ctl_save){
		.format = ZSAVE_VERSION,
		.size_bytes = saving->save.head.disk_bytes,
		.pages = stats.orig_data_size / ZSD_PAGE_BYTES,
		.live = saving->save.head.flags & ZSAVE_LIVE,
	};
	return control_hand_over(ctl_save_document(&figures), result);
}

int control_save(const struct control_env *env, const json_t *arguments,
		 json_t **result, struct control_stream **stream,
		 struct ctl_error *error)
{
	struct export *export;
	struct saving *saving;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (!err)
		err = new_saving(
			export,
			json_is_true(json_object_get(arguments, "live")),
			&saving);
	if (err)
		return err;
	err = begin(saving, error);
	if (err) {
		free_saving(saving);
		return err;
	}
	err = tell(saving, result);
	if (err)
		close_saving(&saving->stream);
	else
		*stream = &saving->stream;
	return err;
}
