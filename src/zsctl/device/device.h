/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device - attach a disk of zsd's to the kernel as /dev/nbdN, and take it off
 *
 *   negotiate.[ch]  NBD's handshake, the client's side
 *   netlink.[ch]    what is said to the kernel's nbd
 *   disk.c          which disk it is, by zsd's own word, and a connection to it
 *   sysfs.c         the device as the kernel shows it: is it there, attached,
 *                   used; and its settings
 *   attach.c        `zsctl attach`
 *   stay.[ch]       `zsctl attach --stay`: connections that are lost are mended
 *   detach.c        `zsctl detach`
 *
 * Terms:
 *   device      /dev/nbdN: the kernel's end, a block device
 *   disk        zsd's end: what an export serves
 *   identifier  the disk's UUID, which the kernel keeps with the device
 *   in use      swapped on, mounted, or held by another device: to take it off
 *               then would lose what is on it
 *
 * The control socket is asked which disk it is; the NBD socket is handed to the
 * kernel, which holds it when zsctl has ended. What comes over either is
 * checked; nothing of it reaches the terminal as it is.
 *
 * Threads: there is one.
 */
#ifndef ZSD_ZSCTL_DEVICE_DEVICE_H
#define ZSD_ZSCTL_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "zsctl/device/negotiate.h"
#include "zsctl/device/netlink.h"
#include "zsctl/system/files.h"
#include "zsctl/zsctl.h"

/* "nbd" and a number, and that behind "/dev/"; with the final NUL, bytes. */
#define DEVICE_NAME_BYTES 16

/* Highest N of /dev/nbdN: the minor numbers of Linux have 20 bits. */
#define DEVICE_MAX_INDEX ((1u << 20) - 1)

/* Longest file name that is made, and longest reason, bytes; cut to fit. */
#define DEVICE_PATH_BYTES 512
#define DEVICE_TEXT_BYTES 160

/* A UUID as text, with its final NUL, bytes. */
#define DISK_UUID_BYTES 37

/* Blocks of the device: pages are what zsd stores, and what is swapped. */
#define DEVICE_BLOCK_BYTES 4096u

struct device {
	const char *root; /* "" for this machine; tests have another */
	unsigned index;
	char name[DEVICE_NAME_BYTES]; /* "nbd0" */
	char path[DEVICE_NAME_BYTES]; /* "/dev/nbd0" */
};

/* device_complain() - say on standard error what is wrong, and in a line of its
 * own what to do about it. */
void device_complain(const char *advice, const char *format, ...)
	ZSD_PRINTF(2, 3);

/* --- sysfs.c ------------------------------------------------------------- */

/**
 * device_parse() - which device a name means
 * @name: "/dev/nbd0" or "nbd0"
 * @root: kept
 *
 * Return: 0, or -EINVAL where it is no name of a whole nbd device.
 */
int device_parse(const char *name, const char *root,
		 struct device *out) ZSD_MUST_CHECK;

/* Whether the kernel has it; whether it is attached now. */
bool device_exists(const struct device *d);
bool device_is_attached(const struct device *d);

/* device_identifier() - what it was attached with, "" where that was nothing.
 * Return: @text. */
char *device_identifier(const struct device *d, char text[FILES_TEXT_BYTES]);

/* device_size_bytes() - its size now; 0 where it is not attached. */
uint64_t device_size_bytes(const struct device *d);

/**
 * device_is_used() - whether somebody would lose what is on it
 * @by: receives who: "swap is on it", "it is mounted on /mnt", …
 *
 * Looks at swaps, mounts (in this mount namespace) and block devices that are
 * made of it, for its partitions, too. What cannot be read counts as use.
 */
bool device_is_used(const struct device *d, char by[DEVICE_TEXT_BYTES]);

/**
 * device_tune() - set what the kernel should do otherwise with such a disk
 * @nr_connections: that it is attached by
 * @failed:         receives the file that could not be written, with an error
 *
 * A setting that this kernel does not have is passed over. Return: 0 or -errno.
 */
int device_tune(const struct device *d, size_t nr_connections,
		const char **failed) ZSD_MUST_CHECK;

/* --- disk.c -------------------------------------------------------------- */

struct disk {
	char uuid[DISK_UUID_BYTES]; /* "" where zsd tells none */
	uint64_t size_bytes;
	bool is_empty; /* nothing is stored */
};

/**
 * disk_ask() - ask zsd which disk it is: the export that is meant, or the first
 *
 * Explains on standard error what goes wrong.
 */
enum zsctl_exit disk_ask(const struct zsctl_options *options,
			 struct disk *out) ZSD_MUST_CHECK;

/**
 * disk_is_same() - whether zsd has still the disk that it told of
 * @disk:    with a UUID
 * @request: the line that asks it for `stats` of the export
 *
 * Allocates nothing. Return: 0, -EREMCHG where it has another one, or -errno
 * where it does not answer.
 */
int disk_is_same(const struct zsctl_options *options, const struct disk *disk,
		 const char *request, size_t bytes) ZSD_MUST_CHECK;

/**
 * disk_connect() - a connection that is ready to be handed to the kernel
 * @disk: what zsd has told of it
 * @told: receives what the NBD server says
 * @out:  receives the socket; untouched on error
 * @why:  receives on an error what went wrong, for people
 *
 * Allocates nothing. Return: 0, -EREMCHG where it is another disk than @disk by
 * its size, -EINVAL where the kernel cannot use it, or an error of connect(2)
 * or negotiate().
 */
int disk_connect(const struct zsctl_options *options, const struct disk *disk,
		 struct negotiated *told, int *out,
		 char why[DEVICE_TEXT_BYTES]) ZSD_MUST_CHECK;

/* --- attach.c, detach.c -------------------------------------------------- */

/* A device that was attached, and what that took. */
struct attachment {
	const struct zsctl_options *options;
	struct device device;
	struct disk disk;
	struct netlink netlink;
	struct netlink_device kernel; /* what the kernel was told */
};

/**
 * attach_device() - make a disk of zsd's a block device
 * @options: which disk, which connections
 * @device:  one that exists, and is free
 * @a:       receives what there is; the sockets in it are open here, too
 *
 * Explains what goes wrong; then all is as it was. Warns where a setting of the
 * device could not be made.
 * Release: attach_fini(), also after an error. The device stays.
 */
enum zsctl_exit attach_device(const struct zsctl_options *options,
			      const struct device *device,
			      struct attachment *a) ZSD_MUST_CHECK;
void attach_fini(struct attachment *a);

/**
 * detach_device() - take it off, unless it is in use
 *
 * Nobody can begin to use it meanwhile: it is opened exclusively. Returns when
 * it is free. Explains what goes wrong.
 */
enum zsctl_exit detach_device(const struct device *device) ZSD_MUST_CHECK;

#endif
