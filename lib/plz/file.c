/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "plz/plz_internal.h"

/* Longer than any model of this version. */
#define MAX_FILE_BYTES \
	(PLZ_DICT_MAX_BYTES + sizeof(struct plz_row) * (PLZ_NR_ROWS + 2))

static int write_all(int fd, const uint8_t *bytes, size_t nr_bytes)
{
	while (nr_bytes) {
		ssize_t n = write(fd, bytes, nr_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		nr_bytes -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* To a file of this name, which must not be there. */
static int write_new(const char *path, const uint8_t *bytes, size_t nr_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, bytes, nr_bytes);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int plz_model_write(const struct plz_model *model, const char *path)
{
	size_t nr_bytes = plz_model_bytes(model);
	char *temp = NULL;
	int err;

	if (asprintf(&temp, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(temp); /* left behind by one that was stopped */
	err = write_new(temp, model->bytes, nr_bytes);
	if (!err && rename(temp, path))
		err = -errno;
	if (err)
		unlink(temp);
	free(temp);
	return err;
}

/* Return: how many bytes there are, up to @room, or -errno. */
static ssize_t read_all(int fd, uint8_t *bytes, size_t room)
{
	size_t done = 0;

	while (done < room) {
		ssize_t n = read(fd, bytes + done, room - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int plz_model_read(const char *path, struct plz_model **out)
{
	uint8_t *bytes = malloc(MAX_FILE_BYTES);
	ssize_t nr_bytes;
	int fd, err;

	if (!bytes)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(bytes);
		return err;
	}
	nr_bytes = read_all(fd, bytes, MAX_FILE_BYTES);
	close(fd);
	err = nr_bytes < 0 ? (int)nr_bytes
			   : plz_model_load(bytes, (size_t)nr_bytes, out);
	if (err)
		free(bytes);
	else
		(*out)->own_bytes = bytes;
	return err;
}
