/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zsctl/swap/swap.h"

/* What is written, until it takes the place of the file. */
#define NEW_PATH SWAP_STATE_PATH ".new"

/* Nobody else has to know it, or may change it. */
#define STATE_MODE  0600
#define FOLDER_MODE 0755

static int write_text(const char *path, int flags, const char *text)
{
	const size_t bytes = strlen(text);
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags,
		  STATE_MODE);
	if (fd < 0)
		return -errno;
	if (write(fd, text, bytes) != (ssize_t)bytes)
		err = errno ? -errno : -ENOSPC;
	if (close(fd) && !err)
		err = -errno;
	if (err)
		(void)unlink(path);
	return err;
}

/* A reader sees the old one or the new one, whole. */
static int replace(const json_t *state)
{
	char *text = json_dumps(state, JSON_COMPACT);
	int err = -ENOMEM;

	if (text)
		err = write_text(NEW_PATH, O_TRUNC, text);
	free(text);
	if (!err && rename(NEW_PATH, SWAP_STATE_PATH))
		err = -errno;
	return err;
}

int state_create(struct swap *swap)
{
	char *text;
	int err = -ENOMEM;

	swap->state =
		json_pack("{ss s[]}", "device", swap->device.path, "done");
	text = swap->state ? json_dumps(swap->state, JSON_COMPACT) : NULL;
	if (mkdir(SWAP_STATE_FOLDER, FOLDER_MODE) && errno != EEXIST)
		err = -errno;
	else if (text)
		err = write_text(SWAP_STATE_PATH, O_EXCL, text);
	free(text);
	return err;
}

int state_load(struct swap *swap)
{
	const char *device;
	json_error_t error;
	int fd;

	fd = open(SWAP_STATE_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	swap->state = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
	close(fd);
	device = json_string_value(json_object_get(swap->state, "device"));
	if (!device || !json_is_array(json_object_get(swap->state, "done")) ||
	    device_parse(device, "", &swap->device))
		return -EBADMSG;
	return 0;
}

int state_add(struct swap *swap, const struct swap_step *step, json_t *note)
{
	json_t *done = json_object_get(swap->state, "done");
	json_t *row = json_pack("{ss so}", "step", step->name, "note", note);
	int err;

	if (!row || json_array_append_new(done, row))
		return -ENOMEM;
	err = replace(swap->state);
	if (err)
		(void)json_array_remove(done, json_array_size(done) - 1);
	return err;
}

int state_drop_last(struct swap *swap)
{
	json_t *done = json_object_get(swap->state, "done");

	(void)json_array_remove(done, json_array_size(done) - 1);
	if (!state_is_empty(swap))
		return replace(swap->state);
	return unlink(SWAP_STATE_PATH) ? -errno : 0;
}

bool state_is_empty(const struct swap *swap)
{
	return !json_array_size(json_object_get(swap->state, "done"));
}

const struct swap_step *state_last(const struct swap *swap, const json_t **note)
{
	const json_t *done = json_object_get(swap->state, "done");
	const json_t *row = json_array_get(done, json_array_size(done) - 1);
	const char *name = json_string_value(json_object_get(row, "step"));

	*note = json_object_get(row, "note");
	for (size_t i = 0; name && i < swap_nr_steps; i++) {
		if (strcmp(swap_steps[i].name, name) == 0)
			return &swap_steps[i];
	}
	return NULL;
}
