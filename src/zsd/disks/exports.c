/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks: for each a store, with its dictionary, and its export.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "plz_factory/plz_factory.h"
#include "zsd/server_internal.h"
#include "zstore/zstore_dict.h"

/* One byte more than a dictionary may have, to see that there are too many. */
#define ROOM_BYTES (ZCOMP_DICT_MAX_BYTES + 1)

/* --- dictionaries --------------------------------------------------------- */

static int read_file(const char *path, unsigned char *dst, size_t *nr_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	size_t bytes = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, dst + bytes, ROOM_BYTES - bytes);
		if (n > 0)
			bytes += (size_t)n;
		else if (n < 0 && errno != EINTR)
			err = -errno;
	} while (n != 0 && !err && bytes < ROOM_BYTES);
	close(fd);
	*nr_bytes = bytes;
	return err;
}

/* Return: @err. */
static int refuse_dictionary(const struct server *s, const char *path, int err)
{
	switch (err) {
	case -EMSGSIZE:
		io_log(s->log, IO_LOG_ERROR,
		       "--dictionary %s: a dictionary has %zu to %zu bytes: is "
		       "it another file?",
		       path, ZCOMP_DICT_MIN_BYTES, ZCOMP_DICT_MAX_BYTES);
		break;
	case -EINVAL:
		io_log(s->log, IO_LOG_ERROR,
		       "--dictionary %s: not a dictionary, or a damaged one: "
		       "give one that `zsctl train --output FILE` or `zstd "
		       "--train` made",
		       path);
		break;
	case -ENOSPC:
		io_log(s->log, IO_LOG_ERROR,
		       "--dictionary %s: --mem-limit has no room for it", path);
		break;
	default:
		io_log(s->log, IO_LOG_ERROR, "--dictionary %s: %s", path,
		       strerror(-err));
	}
	return err;
}

static int load_dictionary(const struct server *s, struct zstore *store,
			   const char *path)
{
	unsigned char *bytes = malloc(ROOM_BYTES);
	size_t nr_bytes = 0;
	unsigned number;
	int err;

	if (!bytes)
		return refuse_dictionary(s, path, -ENOMEM);
	err = read_file(path, bytes, &nr_bytes);
	if (!err)
		err = zstore_dict_add(store, ZSTORE_PRIMARY, bytes, nr_bytes,
				      &number);
	free(bytes);
	return err ? refuse_dictionary(s, path, err) : 0;
}

/* --- stores --------------------------------------------------------------- */

/* The store's callback: any thread, under any lock. */
static void note_damage(void *arg, uint64_t index)
{
	struct damage *damage = arg;

	io_log_some(damage->log, &damage->limit, IO_LOG_ERROR,
		    "export '%s': page %" PRIu64 " is damaged: what is stored "
		    "of it does not decompress or has another checksum",
		    damage->name, index);
}

/* The store's callback: any thread. Changes that wait may be made. */
static void wake_changes(void *arg)
{
	const struct server *s = arg;

	serve_wake(s->serve);
}

/* The disk of another server, which may still have it. */
static int open_store(struct server *s, size_t index,
		      const struct zstore_params *params, struct zstore **out)
{
	int err = zstore_open(params, keep_link_image(s->link, (unsigned)index),
			      out);

	if (err == -EINVAL)
		io_log(s->log, IO_LOG_ERROR,
		       "cannot go on with the disk '%s': it was made with "
		       "another --size or other options: start zsd with those "
		       "that it had then",
		       s->params->disks[index].name);
	else if (err == -EPROTONOSUPPORT)
		io_log(s->log, IO_LOG_ERROR,
		       "cannot go on with the disk '%s': its format has another "
		       "version: install the zsd that made it",
		       s->params->disks[index].name);
	else if (err)
		server_complain(s, "cannot go on with the disk", err);
	if (err)
		return err;
	reserve_give_store(s->reserves[index], *out);
	return 0;
}

/* A random one: RFC 4122, version 4. */
static int make_uuid(uint8_t uuid[ZSTORE_UUID_BYTES])
{
	if (getrandom(uuid, ZSTORE_UUID_BYTES, 0) != ZSTORE_UUID_BYTES)
		return -EIO;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int create_store(struct server *s, size_t index, struct zstore **out)
{
	const struct disk_params *disk = &s->params->disks[index];
	struct zstore_params params = disk->store;
	struct reserve *reserve;
	struct zstore *store;
	int err;

	err = restore_describe(s, index, &params);
	if (!err)
		err = backings_open(s, index, &params);
	if (err)
		return err;
	err = reserve_create(s->keeper, &reserve);
	if (err)
		return server_complain(s, "cannot make the store", err);
	s->reserves[index] = reserve;
	s->damages[index] = (struct damage){.log = s->log, .name = disk->name};
	params.wake = reserve_wake;
	params.wake_arg = reserve;
	params.damaged = note_damage;
	params.damaged_arg = &s->damages[index];
	params.settled = wake_changes;
	params.settled_arg = s;
	if (s->params->swap != SWAP_OFF) {
		params.starve = reserve_starve;
		params.inherit_priority = true; /* compaction's is lower */
	}
	if (s->link && !keep_link_is_first(s->link))
		return open_store(s, index, &params, out);
	err = make_uuid(params.uuid);
	if (!err)
		err = zstore_create(&params, &store);
	if (err)
		return server_complain(s, "cannot make the store", err);
	if (disk->dictionary)
		err = load_dictionary(s, store, disk->dictionary);
	if (!err && s->params->swap != SWAP_OFF) {
		err = zstore_populate(store);
		if (err)
			server_complain(s, "no memory for slots and handles",
					err);
	}
	if (err) {
		zstore_destroy(store);
		return err;
	}
	reserve_give_store(reserve, store);
	*out = store;
	return 0;
}

static int create_export(struct server *s, size_t index)
{
	const struct disk_params *disk = &s->params->disks[index];
	const struct export_params params = {
		.name = disk->name,
		.description = disk->description,
		.read_only = disk->read_only,
		.one_connection = s->params->max_connections == 1,
	};
	struct export *export;
	struct zstore *store = NULL;
	int err;

	err = create_store(s, index, &store);
	if (err)
		return err;
	err = export_create(&params, store, &export);
	if (err) {
		zstore_destroy(store);
		return server_complain(s, "cannot make the export", err);
	}
	err = export_table_add(&s->exports, export);
	if (err) {
		export_destroy(export);
		return server_complain(s, disk->name, err);
	}
	return 0;
}

int exports_create(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < s->params->nr_disks && !err; i++)
		err = create_export(s, i);
	return err;
}

/* --- models ---------------------------------------------------------------- */

/* Whether a codec lives by a model, and has none. */
static bool lacks_model(const struct zstore *store, enum zstore_codec codec)
{
	const struct zcomp_params *zcomp = zstore_codec(store, codec);

	return zcomp_has_dicts(zcomp) && zcomp_dict_bytes_besides(zcomp) &&
	       !zstore_dict_current(store, codec);
}

static void give_model(struct server *s, struct export *export,
		       enum zstore_codec codec)
{
	const void *model;
	unsigned number;
	size_t bytes;
	int err;

	if (!lacks_model(export->store, codec))
		return;
	model = plz_factory_model(&bytes);
	err = zstore_dict_add(export->store, codec, model, bytes, &number);
	if (err)
		io_log(s->log, IO_LOG_WARNING,
		       "export '%s': --mem-limit has no room for the model "
		       "that comes with zsd: until there is one, plz stores as "
		       "zstd:1 does",
		       export->nbd.name);
}

int exports_give_models(struct server *s)
{
	if (s->link && !keep_link_is_first(s->link))
		return 0; /* who made them did */
	for (size_t i = 0; i < s->exports.nr; i++) {
		for (unsigned codec = 0; codec < ZSTORE_CODECS; codec++)
			give_model(s, s->exports.all[i], codec);
	}
	return 0;
}

int exports_watch(struct server *s)
{
	struct policy_params params = {
		.exports = &s->exports,
		.residence = s->residence,
	};
	int err;

	for (size_t i = 0; i < s->params->nr_disks; i++) {
		params.disks[i] = s->params->disks[i].policy;
		params.disks[i].writeback = s->writebacks[i];
	}
	err = policy_start(&params, &s->policy);
	return err ? server_complain(s, "cannot start the policy thread", err)
		   : 0;
}
