/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl detach`: /dev/nbdN is taken off, unless somebody uses it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/device/device.h"
#include "zsctl/system/run.h"

/* How long whoever looks at the device (udev, blkid) may keep it from being
 * free when it was taken off, and how often to look, ms. */
#define FREE_PATIENCE_MS 10000u
#define FREE_LOOK_MS	 10u

/* udev looks at a device that was written to. To take it away meanwhile is
 * harmless, but logged as an I/O error. */
static void let_udev_finish(void)
{
	static const char *const settle[] = {"udevadm", "settle",
					     "--timeout=30", NULL};

	if (access("/run/udev/control", F_OK) == 0)
		(void)run_quietly(settle);
}

static enum zsctl_exit explain_use(const struct device *d, const char *by)
{
	device_complain("swapoff or umount it first: what is on it would be "
			"lost",
			"%s is in use: %s", d->path, by);
	return ZSCTL_REFUSED;
}

/* Open it so that nobody can begin to swap on it or to mount it: for that the
 * kernel claims a device as we do. */
static enum zsctl_exit claim(const struct device *d, int *fd)
{
	*fd = open(d->path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (*fd >= 0)
		return ZSCTL_OK;
	if (errno == EBUSY)
		return explain_use(d, "somebody has claimed it");
	device_complain(errno == EACCES || errno == EPERM
				? "become root"
				: "see whether udev or devtmpfs made it",
			"%s: %s", d->path, strerror(errno));
	return ZSCTL_REFUSED;
}

static enum zsctl_exit tell_kernel(const struct device *d)
{
	struct netlink netlink;
	int err = netlink_open(&netlink);

	if (!err)
		err = netlink_disconnect(&netlink, d->index);
	netlink_close(&netlink);
	if (!err)
		return ZSCTL_OK;
	device_complain(err == -EPERM ? "become root: it takes CAP_SYS_ADMIN"
				      : "see what the kernel's log says "
					"(dmesg)",
			"the kernel's nbd: %s%s%s", strerror(-err),
			*netlink.why ? ": " : "", netlink.why);
	return ZSCTL_REFUSED;
}

static enum zsctl_exit wait_until_free(const struct device *d)
{
	for (unsigned ms = 0; device_is_attached(d); ms += FREE_LOOK_MS) {
		if (ms >= FREE_PATIENCE_MS) {
			device_complain("see who has it open (fuser)",
					"%s is taken off, but not free yet",
					d->path);
			return ZSCTL_REFUSED;
		}
		usleep(FREE_LOOK_MS * 1000);
	}
	return ZSCTL_OK;
}

enum zsctl_exit detach_device(const struct device *d)
{
	char by[DEVICE_TEXT_BYTES];
	enum zsctl_exit code;
	int fd;

	if (!device_exists(d) || !device_is_attached(d)) {
		device_complain("see /sys/block/nbd*/pid for those that are",
				"%s is not attached", d->path);
		return ZSCTL_REFUSED;
	}
	if (device_is_used(d, by))
		return explain_use(d, by);
	let_udev_finish();
	code = claim(d, &fd);
	if (code != ZSCTL_OK)
		return code;
	code = tell_kernel(d);
	close(fd);
	return code == ZSCTL_OK ? wait_until_free(d) : code;
}

enum zsctl_exit zsctl_detach(const struct zsctl_options *options)
{
	struct device device;
	enum zsctl_exit code;

	if (device_parse(options->argument, "", &device)) {
		device_complain("name one like /dev/nbd0",
				"'%s' is no nbd device", options->argument);
		return ZSCTL_USAGE;
	}
	code = detach_device(&device);
	if (code == ZSCTL_OK && options->json)
		zsctl_print_json(json_pack("{ss}", "device", device.path));
	else if (code == ZSCTL_OK)
		printf("%s: detached\n", device.path);
	return code;
}
