/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a disk of zsd's is attached to this machine, and how it is swapped on. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "zsctl/doctor/internal.h"

/* Sectors of /sys/block/NAME/size are of this many bytes, always. */
#define SYSFS_SECTOR_BYTES 512u

/* --- a device --------------------------------------------------------------- */

/* A number of the block device @name; @otherwise where there is none. */
static long long block_number(const struct doctor *d, const char *name,
			      const char *file, long long otherwise)
{
	char path[DOCTOR_PATH_BYTES];
	long long number;

	doctor_path(d, path, "/sys/block/%s/%s", name, file);
	return files_read_number(path, &number) ? otherwise : number;
}

/* The file names all there are, the one in use in brackets. */
static void check_scheduler(struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_BYTES], text[FILES_TEXT_BYTES];

	doctor_path(d, path, "/sys/block/%s/queue/scheduler", name);
	if (files_read(path, text))
		return; /* a kernel without any */
	if (strstr(text, "[none]") || strcmp(text, "none") == 0) {
		doctor_add(d, "scheduler", DOCTOR_PASS, "none");
		return;
	}
	doctor_add(d, "scheduler", DOCTOR_WARN,
		   "%s: a page that is waited for stands behind those that are "
		   "written",
		   text);
	doctor_mend(d, "echo none > /sys/block/%s/queue/scheduler", name);
}

static void check_queue(struct doctor *d, const char *name)
{
	const long long block =
		block_number(d, name, "queue/logical_block_size", 0);
	const long long rotational =
		block_number(d, name, "queue/rotational", 0);
	const long long discard =
		block_number(d, name, "queue/discard_max_bytes", 0);

	doctor_add(d, "block size",
		   block == ZSD_PAGE_BYTES ? DOCTOR_PASS : DOCTOR_FAIL,
		   block == ZSD_PAGE_BYTES
			   ? "%lld"
			   : "%lld: parts of a page cost zsd the whole of it",
		   block);
	if (block != ZSD_PAGE_BYTES)
		doctor_mend(d, "attach with zsctl attach, or nbd-client -b %u",
			    ZSD_PAGE_BYTES);
	doctor_add(d, "rotational", rotational ? DOCTOR_FAIL : DOCTOR_PASS,
		   rotational
			   ? "1: the kernel orders requests as for a disk that "
			     "turns"
			   : "0");
	if (rotational)
		doctor_mend(d,
			    "echo 0 > /sys/block/%s/queue/rotational, before "
			    "swapon",
			    name);
	doctor_add(d, "discard", discard ? DOCTOR_PASS : DOCTOR_FAIL,
		   discard ? "the device takes it"
			   : "the device does not take it: nothing that is "
			     "freed is freed in zsd");
	if (!discard)
		doctor_mend(d, "attach with an nbd-client and a kernel that "
			       "know NBD_CMD_TRIM");
	check_scheduler(d, name);
}

/* Whether it was attached with the UUID of one of zsd's disks, as `zsctl
 * attach` does. */
static bool has_uuid(const struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_BYTES], backend[FILES_TEXT_BYTES];
	const json_t *export;
	const char *uuid;
	size_t i;

	doctor_path(d, path, "/sys/block/%s/backend", name);
	if (files_read(path, backend))
		return false;
	json_array_foreach(d->exports, i, export)
	{
		uuid = json_string_value(json_object_get(export, "uuid"));
		if (uuid && strcmp(uuid, backend) == 0)
			return true;
	}
	return false;
}

/* Whether the program that attached the device is still there, and was told
 * to wait for a server that comes back. */
static bool waits_for_server(const struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_BYTES], words[FILES_TEXT_BYTES] = "";
	long long pid = block_number(d, name, "pid", 0);

	doctor_path(d, path, "/proc/%lld/cmdline", pid);
	if (pid <= 0 || files_read(path, words))
		return false;
	for (size_t i = 0; i < sizeof(words) - 1; i++) {
		if (words[i] == '\0') /* between two words */
			words[i] = ' ';
	}
	return strstr(words, "-dead-timeout");
}

static void check_timeouts(struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_BYTES];
	long long jiffies;

	doctor_path(d, path, "/sys/kernel/debug/nbd/%s/timeout", name);
	if (!files_read_number(path, &jiffies) && jiffies) {
		doctor_add(d, "request timeout", DOCTOR_FAIL,
			   "set: the kernel hangs up on a zsd that is slow for "
			   "once");
		doctor_mend(d, "attach without nbd-client -t (-timeout)");
	}
	if (has_uuid(d, name)) {
		doctor_add(d, "dead connection", DOCTOR_PASS,
			   "waited for (zsctl attach)");
		return;
	}
	if (waits_for_server(d, name)) {
		doctor_add(d, "dead connection", DOCTOR_PASS,
			   "waited for (-dead-timeout)");
		return;
	}
	doctor_add(d, "dead connection", DOCTOR_WARN,
		   "no timeout is seen: when the connection is lost, requests "
		   "fail or wait until nbd-client -d /dev/%s",
		   name);
	doctor_mend(d, "attach with zsctl attach, or nbd-client 3.27 or later "
		       "and -dead-timeout");
}

/* --- swap ----------------------------------------------------------------- */

static bool find_swap(void *arg, char *text)
{
	const char **device = arg;
	const size_t bytes = strlen(*device);

	if (strncmp(text, *device, bytes) != 0 ||
	    (text[bytes] != ' ' && text[bytes] != '\t'))
		return true;
	*device = NULL;
	return false;
}

static bool is_swap(const struct doctor *d, const char *device)
{
	char path[DOCTOR_PATH_BYTES];

	doctor_path(d, path, "/proc/swaps");
	return !files_each_line(path, find_swap, &device) && !device;
}

struct swapon_record {
	const char *device;
	bool was_seen;
	bool has_page_discard;
};

/*
 * The one trace of swapon's options is in the kernel's log: "Adding 4k swap on
 * /dev/nbd0.  Priority:100 extents:1 across:4k SSDscFS", where "D" is discard,
 * "s" once and "c" for each cluster that is freed. The last such line counts.
 * Source: Linux mm/swapfile.c.
 */
static bool find_swapon(void *arg, char *text)
{
	static const char across[] = " across:";
	struct swapon_record *record = arg;
	char start[DOCTOR_PATH_BYTES];
	const char *flags;

	(void)snprintf(start, sizeof(start), " swap on %s. ", record->device);
	flags = strstr(text, start);
	flags = flags ? strstr(flags, across) : NULL;
	if (!flags)
		return true;
	flags += strlen(across);
	flags += strcspn(flags, " ");
	record->was_seen = true;
	flags = strchr(flags, 'D');
	record->has_page_discard = flags && strchr(flags, 'c');
	return true;
}

static void check_swapon(struct doctor *d, const char *device)
{
	struct swapon_record record = {.device = device};
	char path[DOCTOR_PATH_BYTES];

	doctor_path(d, path, "/dev/kmsg");
	if (files_each_line(path, find_swapon, &record) || !record.was_seen) {
		doctor_add(d, "discard=pages", DOCTOR_WARN,
			   "the kernel's log no longer shows how swap was "
			   "enabled, or not to you");
		doctor_mend(d, "see that it was: swapon --discard=pages, or "
			       "Options=discard=pages in the swap unit");
	} else if (record.has_page_discard) {
		doctor_add(d, "discard=pages", DOCTOR_PASS, "yes");
	} else {
		doctor_add(d, "discard=pages", DOCTOR_FAIL,
			   "no: zsd keeps pages that were freed until they are "
			   "written again");
		doctor_mend(d, "swapoff %s; swapon --discard=pages %s", device,
			    device);
	}
}

static void check_swap(struct doctor *d, const char *name)
{
	char device[DOCTOR_PATH_BYTES];

	(void)snprintf(device, sizeof(device), "/dev/%s", name);
	if (is_swap(d, device)) {
		doctor_add(d, "swap", DOCTOR_PASS, "on %s", device);
		check_swapon(d, device);
		return;
	}
	doctor_add(d, "swap", DOCTOR_WARN, "not on %s", device);
	doctor_mend(d, "mkswap %s; swapon --discard=pages --priority=100 %s",
		    device, device);
}

/* --- which device ---------------------------------------------------------- */

/* The export of that size, or NULL. */
static const json_t *export_of_size(const struct doctor *d, uint64_t bytes)
{
	const json_t *export;
	size_t i;

	json_array_foreach(d->exports, i, export)
	{
		if (bytes ==
		    (uint64_t)doctor_figure(export, "disk", "size_bytes"))
			return export;
	}
	return NULL;
}

/* Attached, and to a disk of zsd's: with its UUID, or where there is none of
 * its size. */
static bool is_ours(const struct doctor *d, const char *name)
{
	const long long sectors = block_number(d, name, "size", 0);
	char path[DOCTOR_PATH_BYTES], text[FILES_TEXT_BYTES];

	doctor_path(d, path, "/sys/block/%s/pid", name);
	if (strncmp(name, "nbd", 3) != 0 || sectors <= 0 ||
	    files_read(path, text))
		return false;
	return has_uuid(d, name) ||
	       export_of_size(d, (uint64_t)sectors * SYSFS_SECTOR_BYTES);
}

static void check_attached(struct doctor *d, const char *name)
{
	doctor_add(d, "attached", DOCTOR_PASS, "/dev/%s", name);
	check_queue(d, name);
	check_timeouts(d, name);
	check_swap(d, name);
}

void doctor_check_device(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	DIR *folder = opendir(doctor_path(d, path, "/sys/block"));
	struct dirent *entry;
	unsigned nr = 0;

	while (folder && (entry = readdir(folder)) != NULL) {
		if (!is_ours(d, entry->d_name))
			continue;
		nr++;
		check_attached(d, entry->d_name);
	}
	if (folder)
		closedir(folder);
	if (nr)
		return;
	doctor_add(d, "attached", DOCTOR_WARN,
		   "no nbd device on this machine has the size of a disk of "
		   "zsd's");
	doctor_mend(d, "zsctl attach --socket PATH /dev/nbd0");
}
