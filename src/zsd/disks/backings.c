/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is behind the disks: opened before their stores are made, which must
 * know how many blocks there are; started when the stores are there; claimed
 * when they are ours. A server that takes over does nothing but claim: it must
 * not need memory then.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "policy/writeback/area.h"
#include "policy/writeback/writeback.h"
#include "zsd/server_internal.h"

unsigned backings_nr_threads(const struct server_params *params)
{
	unsigned nr = 0;

	for (size_t i = 0; i < params->nr_disks; i++)
		nr += params->disks[i].backing ? backing_nr_threads() : 0;
	return nr;
}

/* The backing's callback: its threads. Reads that wait may go on. */
static void wake_reads(void *arg)
{
	const struct server *s = arg;

	serve_wake(s->serve);
}

int backings_open(struct server *s, size_t index, struct zstore_params *params)
{
	const struct disk_params *disk = &s->params->disks[index];
	const struct backing_params backing = {
		.path = disk->backing,
		.is_swapped_on = s->params->swap != SWAP_OFF,
		.encrypt = disk->encrypt,
		.residence = s->residence,
		.log = s->log,
		.fetched = wake_reads,
		.fetched_arg = s,
	};
	int err;

	if (!disk->backing)
		return 0;
	err = backing_open(&backing, &s->backings[index]);
	if (err)
		return err;
	params->backing = (struct zstore_backing){
		.nr_blocks = backing_nr_blocks(s->backings[index]),
		.need = backing_need,
		.get = backing_get,
		.read = backing_read,
		.arg = s->backings[index],
	};
	return 0;
}

/* --- starting -------------------------------------------------------------- */

static bool is_zero(const unsigned char *bytes, size_t n)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, n - 1);
}

/* Else they are another server's, which may still live. */
static bool are_new(const struct server *s)
{
	return !s->link || keep_link_is_first(s->link);
}

/* A disk that is new gets a key, if it is to have one; one that is adopted has
 * that which its blocks are encrypted with. */
static int make_key(const struct server *s, size_t index, struct area *area)
{
	if (!are_new(s) || !s->params->disks[index].encrypt)
		return 0;
	if (getrandom(area->key, sizeof(area->key), 0) !=
	    (ssize_t)sizeof(area->key))
		return -EIO;
	return 0;
}

/* Of a disk's name, what may stand in a file's: the rest as %xx. */
static void escape(const char *name, char *text, size_t bytes)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_";
	size_t n = 0;

	for (; *name && n + 4 < bytes; name++) {
		if (strchr(plain, *name))
			text[n++] = *name;
		else
			n += (size_t)snprintf(text + n, bytes - n, "%%%02x",
					      (unsigned char)*name);
	}
	text[n] = '\0';
}

/* Where the budget of a disk is kept across restarts: where systemd says that
 * state goes. NULL: nowhere. */
static char *record_of(const struct disk_params *disk)
{
	const char *directory = getenv("STATE_DIRECTORY");
	char name[256], *path;

	if (!directory)
		return NULL;
	escape(disk->name, name, sizeof(name));
	/* Of several, which have a colon between them, the first. */
	if (asprintf(&path, "%.*s/written-%s", (int)strcspn(directory, ":"),
		     directory, name) < 0)
		return NULL;
	return path;
}

static int start_one(struct server *s, size_t index)
{
	const struct disk_params *disk = &s->params->disks[index];
	struct export *export = s->exports.all[index];
	struct area *area = area_of(export->store);
	struct writeback_params params = {
		.export = export,
		.backing = s->backings[index],
		.exports = &s->exports,
		.day_limit_bytes = disk->writeback_day_bytes,
		.is_new = are_new(s),
		.log = s->log,
	};
	int err = make_key(s, index, area);

	if (err)
		return server_complain(s, "cannot make a key", err);
	params.is_encrypted = !is_zero(area->key, sizeof(area->key));
	err = backing_start(s->backings[index],
			    params.is_encrypted ? area->key : NULL);
	if (err)
		return server_complain(s, "cannot start the backing", err);
	s->records[index] = record_of(disk);
	params.record = s->records[index];
	err = writeback_create(&params, &s->writebacks[index]);
	return err ? server_complain(s, "cannot start writing out", err) : 0;
}

int backings_start(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < s->params->nr_disks && !err; i++)
		err = s->backings[i] ? start_one(s, i) : 0;
	return err || !are_new(s) ? err : backings_claim(s);
}

int backings_claim(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < s->params->nr_disks && !err; i++)
		err = s->backings[i] ? backing_claim(s->backings[i]) : 0;
	return err;
}

void backings_close(struct server *s)
{
	for (size_t i = 0; i < s->params->nr_disks; i++) {
		writeback_destroy(s->writebacks[i]);
		backing_close(s->backings[i]);
		free(s->records[i]);
	}
}
