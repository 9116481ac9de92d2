/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How this machine's kernel deals with memory, and how it uses zsd's disk. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "zsctl/doctor_internal.h"

/*
 * Least vm.min_free_kbytes: what the kernel keeps back of its memory is what
 * swapping out itself lives on. Found by filling guests to the last page.
 */
#define MIN_FREE_KIB 16384

/* Sectors of /sys/block/NAME/size are of this many bytes, always. */
#define SYSFS_SECTOR_BYTES 512u

/* --- memory ---------------------------------------------------------------- */

static void check_page_cluster(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	long long log_pages;

	doctor_path(d, path, "/proc/sys/vm/page-cluster");
	if (doctor_read_number(path, &log_pages))
		return; /* a kernel without swap */
	if (log_pages == 0) {
		doctor_add(d, "vm.page-cluster", DOCTOR_PASS, "0");
		return;
	}
	doctor_add(d, "vm.page-cluster", DOCTOR_FAIL,
		   "%lld: each page that is swapped in brings up to %lld more, "
		   "which zsd decompresses for nothing",
		   log_pages, (1ll << (log_pages & 15)) - 1);
	doctor_mend(d, "sysctl vm.page-cluster=0, and a file in /etc/sysctl.d "
		       "to keep it");
}

static void check_min_free(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	long long kib;

	doctor_path(d, path, "/proc/sys/vm/min_free_kbytes");
	if (doctor_read_number(path, &kib)) {
		doctor_add(d, "vm.min_free_kbytes", DOCTOR_WARN,
			   "cannot be read");
		doctor_mend(d, "run zsctl doctor as root");
	} else if (kib >= MIN_FREE_KIB) {
		doctor_add(d, "vm.min_free_kbytes", DOCTOR_PASS, "%lld", kib);
	} else {
		doctor_add(d, "vm.min_free_kbytes", DOCTOR_FAIL,
			   "%lld: the kernel begins to swap when there is "
			   "hardly memory left to do it with",
			   kib);
		doctor_mend(d,
			    "sysctl vm.min_free_kbytes=%d, and a file in "
			    "/etc/sysctl.d to keep it",
			    MIN_FREE_KIB);
	}
}

void doctor_check_machine(struct doctor *d)
{
	check_page_cluster(d);
	check_min_free(d);
}

/* --- a device ----------------------------------------------------------------
 */

/* A number of the block device @name; @otherwise where there is none. */
static long long block_number(const struct doctor *d, const char *name,
			      const char *file, long long otherwise)
{
	char path[DOCTOR_PATH_BYTES];
	long long number;

	doctor_path(d, path, "/sys/block/%s/%s", name, file);
	return doctor_read_number(path, &number) ? otherwise : number;
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
		doctor_mend(d, "attach with nbd-client -b %u", ZSD_PAGE_BYTES);
	doctor_add(d, "rotational", rotational ? DOCTOR_FAIL : DOCTOR_PASS,
		   rotational ? "1: the kernel treats memory as a disk that "
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
}

/* Whether the program that attached the device is still there, and was told
 * to wait for a server that comes back. */
static bool waits_for_server(const struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_BYTES], words[DOCTOR_FILE_BYTES] = "";
	long long pid = block_number(d, name, "pid", 0);

	doctor_path(d, path, "/proc/%lld/cmdline", pid);
	if (pid <= 0 || doctor_read(path, words))
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
	if (!doctor_read_number(path, &jiffies) && jiffies) {
		doctor_add(d, "request timeout", DOCTOR_FAIL,
			   "set: the kernel hangs up on a zsd that is slow for "
			   "once");
		doctor_mend(d, "attach without nbd-client -t (-timeout)");
	}
	if (waits_for_server(d, name)) {
		doctor_add(d, "dead connection", DOCTOR_PASS,
			   "waited for (-dead-timeout)");
		return;
	}
	doctor_add(d, "dead connection", DOCTOR_WARN,
		   "no timeout is seen: requests fail at once when the last "
		   "connection is lost");
	doctor_mend(d, "nbd-client 3.27 and later have -dead-timeout; older "
		       "ones cannot set it");
}

/* --- swap
 * --------------------------------------------------------------------- */

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
	return !doctor_each_line(path, find_swap, &device) && !device;
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
	if (doctor_each_line(path, find_swapon, &record) || !record.was_seen) {
		doctor_add(d, "discard=pages", DOCTOR_WARN,
			   "the kernel's log does not tell any more how swap "
			   "was enabled, or not you");
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

/* --- which device
 * ---------------------------------------------------------------- */

/* Attached, and of the size of zsd's disk: the kernel tells no more. */
static bool is_ours(const struct doctor *d, const char *name)
{
	const long long sectors = block_number(d, name, "size", 0);
	char path[DOCTOR_PATH_BYTES], text[DOCTOR_FILE_BYTES];

	doctor_path(d, path, "/sys/block/%s/pid", name);
	return strncmp(name, "nbd", 3) == 0 && sectors > 0 &&
	       (uint64_t)sectors == d->disk_bytes / SYSFS_SECTOR_BYTES &&
	       !doctor_read(path, text);
}

void doctor_check_device(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES], size[UNITS_TEXT_BYTES];
	DIR *folder = opendir(doctor_path(d, path, "/sys/block"));
	struct dirent *entry;
	unsigned nr = 0;

	d->section = "device";
	while (folder && (entry = readdir(folder)) != NULL) {
		if (!is_ours(d, entry->d_name))
			continue;
		nr++;
		doctor_add(d, "attached", DOCTOR_PASS, "/dev/%s",
			   entry->d_name);
		check_queue(d, entry->d_name);
		check_timeouts(d, entry->d_name);
		check_swap(d, entry->d_name);
	}
	if (folder)
		closedir(folder);
	if (nr)
		return;
	doctor_add(d, "attached", DOCTOR_WARN,
		   "no nbd device of %s on this machine",
		   units_format(d->disk_bytes, size));
	doctor_mend(d, "nbd-client -unix PATH /dev/nbd0 -b %u",
		    ZSD_PAGE_BYTES);
}
