/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/units.h"
#include "zsctl/client.h"
#include "zsctl/device/device.h"
#include "zsctl/text.h"

/* The longest that a negotiation may take where zsctl waits for ever, ms. zsd
 * itself hangs up on one that takes 10 seconds. */
#define PATIENCE_MS 60000u

/* --- which one ---------------------------------------------------------------
 */

/* The export that is meant, or NULL. */
static const json_t *find_export(const json_t *result, const char *name)
{
	const json_t *exports = json_object_get(result, "exports"), *export;
	const char *one;
	size_t i;

	json_array_foreach(exports, i, export)
	{
		one = json_string_value(json_object_get(export, "name"));
		if (!name || (one && strcmp(one, name) == 0))
			return export;
	}
	return NULL;
}

/* What is not as zsd writes one is none: nothing else goes to the kernel. */
static void take_uuid(const char *text, char uuid[DISK_UUID_BYTES])
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
	size_t i;

	uuid[0] = '\0';
	if (!text || strlen(text) != strlen(form))
		return;
	for (i = 0; form[i]; i++) {
		if (form[i] == '-' ? text[i] != '-'
				   : !strchr("0123456789abcdef", text[i]))
			return;
	}
	memcpy(uuid, text, i + 1);
}

static enum zsctl_exit take_disk(const json_t *result, const char *name,
				 struct disk *out)
{
	const json_t *export = find_export(result, name);
	const json_int_t size = json_integer_value(
		json_object_get(json_object_get(export, "disk"), "size_bytes"));
	const json_t *stored;

	if (!export || size <= 0) {
		device_complain("use the zsctl that came with this zsd",
				"zsd's reply tells of no such disk");
		return ZSCTL_UNREACHABLE;
	}
	stored = json_object_get(json_object_get(export, "mm_stat"),
				 "orig_data_size");
	out->size_bytes = (uint64_t)size;
	out->is_empty = json_is_integer(stored) && !json_integer_value(stored);
	take_uuid(json_string_value(json_object_get(export, "uuid")),
		  out->uuid);
	return ZSCTL_OK;
}

enum zsctl_exit disk_ask(const struct zsctl_options *options, struct disk *out)
{
	static const char *const needed[] = {"exports", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;

	code = zsctl_ask(options, "stats", zsctl_arguments(options->export),
			 NULL, needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	code = take_disk(answer.reply.result, options->export, out);
	zsctl_answer_fini(&answer);
	return code;
}

/* --- whether it still is ------------------------------------------------- */

/* What of a reply is looked at together, and what of it is kept when more
 * comes: less than what is looked for, bytes. */
#define LOOK_BYTES 4096u
#define KEEP_BYTES 63u

/* Look for @needle in the line that comes. */
static int find_in_line(int fd, const char *needle)
{
	char text[KEEP_BYTES + LOOK_BYTES];
	size_t used = 0, all = 0;
	ssize_t n;

	while (all <= CTL_MAX_REPLY_BYTES) {
		n = recv(fd, text + used, LOOK_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		used += (size_t)n;
		all += (size_t)n;
		if (memmem(text, used, needle, strlen(needle)))
			return 0;
		if (memchr(text, '\n', used))
			return -EREMCHG;
		if (used > KEEP_BYTES) {
			memmove(text, text + used - KEEP_BYTES, KEEP_BYTES);
			used = KEEP_BYTES;
		}
	}
	return -EMSGSIZE;
}

int disk_is_same(const struct zsctl_options *options, const struct disk *disk,
		 const char *request, size_t bytes)
{
	char needle[KEEP_BYTES + 1];
	int err, fd;

	(void)snprintf(needle, sizeof(needle), "\"uuid\":\"%s\"", disk->uuid);
	err = client_connect(options->control_path, options->timeout_s, &fd);
	if (err)
		return err;
	if (send(fd, request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes)
		err = find_in_line(fd, needle);
	else
		err = -ECONNRESET;
	close(fd);
	return err;
}

/* --- a connection ------------------------------------------------------------
 */

/* The kernel would go by the timeouts of ours, and give up a zsd that is idle. */
static int without_timeouts(int fd)
{
	const struct timeval none = {0};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)))
		return -errno;
	return 0;
}

/* Whether the kernel can use it, and it is the disk that zsd told of. */
static int judge(const struct disk *disk, const struct negotiated *told,
		 char why[DEVICE_TEXT_BYTES])
{
	char size[UNITS_TEXT_BYTES], other[UNITS_TEXT_BYTES];

	if (told->size_bytes != disk->size_bytes) {
		(void)snprintf(why, DEVICE_TEXT_BYTES,
			       "it serves a disk of %s, and the zsd at the "
			       "control socket one of %s",
			       units_format(told->size_bytes, size),
			       units_format(disk->size_bytes, other));
		return -EREMCHG;
	}
	if (told->size_bytes % DEVICE_BLOCK_BYTES) {
		(void)snprintf(why, DEVICE_TEXT_BYTES,
			       "its size is no multiple of %u bytes",
			       DEVICE_BLOCK_BYTES);
		return -EINVAL;
	}
	if (told->min_block_bytes > DEVICE_BLOCK_BYTES) {
		(void)snprintf(why, DEVICE_TEXT_BYTES,
			       "it wants blocks of at least %u bytes, which is "
			       "more than %u",
			       told->min_block_bytes, DEVICE_BLOCK_BYTES);
		return -EINVAL;
	}
	return 0;
}

int disk_connect(const struct zsctl_options *options, const struct disk *disk,
		 struct negotiated *told, int *out, char why[DEVICE_TEXT_BYTES])
{
	const unsigned patience_ms =
		options->timeout_s ? options->timeout_s * 1000 : PATIENCE_MS;
	int err, fd;

	err = client_connect(options->socket_path, options->timeout_s, &fd);
	if (err) {
		(void)snprintf(why, DEVICE_TEXT_BYTES, "%s", strerror(-err));
		return err;
	}
	err = negotiate(fd, options->export ? options->export : "", patience_ms,
			told, why);
	if (!err)
		err = judge(disk, told, why);
	if (!err) {
		err = without_timeouts(fd);
		if (err)
			(void)snprintf(why, DEVICE_TEXT_BYTES, "%s",
				       strerror(-err));
	}
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}
