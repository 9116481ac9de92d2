/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl attach`: a disk of zsd's becomes /dev/nbdN. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "nbd/nbd_proto.h"
#include "zsctl/device/device.h"
#include "zsctl/device/stay.h"

/* --- what speaks against it ---------------------------------------------- */

static void explain_busy(const struct device *d)
{
	char identifier[FILES_TEXT_BYTES];

	device_identifier(d, identifier);
	device_complain("name another device, or detach it: zsctl detach",
			"%s is attached already%s%s", d->path,
			*identifier ? ", to " : "", identifier);
}

static enum zsctl_exit check_device(const struct device *d)
{
	if (!device_exists(d)) {
		device_complain("modprobe nbd max_part=0, or name a device "
				"that there is",
				"there is no %s", d->path);
		return ZSCTL_REFUSED;
	}
	if (device_is_attached(d)) {
		explain_busy(d);
		return ZSCTL_REFUSED;
	}
	return ZSCTL_OK;
}

/* Why the kernel did not do it. */
static void explain_kernel(const struct attachment *a, int err)
{
	static const struct {
		int err;
		const char *advice;
	} advices[] = {
		{-EPERM, "become root: it takes CAP_SYS_ADMIN, outside of any "
			 "container"},
		{-ENOENT, "modprobe nbd max_part=0; in a network namespace of "
			  "its own nobody reaches it"},
	};
	const char *advice = "see what the kernel's log says (dmesg)";

	if (err == -EBUSY) {
		explain_busy(&a->device);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (advices[i].err == err)
			advice = advices[i].advice;
	}
	device_complain(advice, "the kernel's nbd: %s%s%s", strerror(-err),
			*a->netlink.why ? ": " : "", a->netlink.why);
}

/* --- connections --------------------------------------------------------- */

static void explain_connection(const struct zsctl_options *options, int err,
			       const char *why)
{
	const char *advice = "name zsd's NBD socket with --socket, and its "
			     "control socket with --control";

	if (err == -ECONNREFUSED || err == -ENOENT || err == -EACCES)
		advice = "see whether zsd runs and listens there; --socket and "
			 "--export name another one";
	device_complain(advice, "%s: %s", options->socket_path, why);
}

static enum zsctl_exit connect_all(struct attachment *a,
				   struct negotiated *told)
{
	const struct zsctl_options *options = a->options;
	struct netlink_device *kernel = &a->kernel;
	char why[DEVICE_TEXT_BYTES];
	int err, fd;

	while (kernel->nr_sockets < options->nr_connections) {
		err = disk_connect(options, &a->disk, told, &fd, why);
		if (err) {
			explain_connection(options, err, why);
			return err == -EINVAL || err == -EREMCHG
				       ? ZSCTL_REFUSED
				       : ZSCTL_UNREACHABLE;
		}
		kernel->sockets[kernel->nr_sockets++] = fd;
	}
	if (kernel->nr_sockets > 1 &&
	    !(told->flags & NBD_FLAG_CAN_MULTI_CONN)) {
		device_complain("leave --connections out, or start zsd with a "
				"higher --max-connections",
				"zsd serves one connection only");
		return ZSCTL_REFUSED;
	}
	return ZSCTL_OK;
}

/* --- all of it ----------------------------------------------------------- */

static void warn_of_setting(const struct device *d, const char *file, int err)
{
	(void)fprintf(stderr,
		      "zsctl: warning: cannot set /sys/block/%s/%s: %s\n",
		      d->name, file, strerror(-err));
}

static enum zsctl_exit tell_kernel(struct attachment *a)
{
	const char *failed;
	int err = netlink_connect(&a->netlink, &a->kernel);

	if (err) {
		explain_kernel(a, err);
		return ZSCTL_REFUSED;
	}
	if (device_size_bytes(&a->device) != a->disk.size_bytes) {
		(void)netlink_disconnect(&a->netlink, a->device.index);
		device_complain("see what the kernel's log says (dmesg)",
				"%s did not get the size of the disk",
				a->device.path);
		return ZSCTL_REFUSED;
	}
	err = device_tune(&a->device, a->kernel.nr_sockets, &failed);
	if (err)
		warn_of_setting(&a->device, failed, err);
	return ZSCTL_OK;
}

static enum zsctl_exit attach(struct attachment *a)
{
	struct negotiated told = {0};
	enum zsctl_exit code;
	int err;

	code = check_device(&a->device);
	if (code == ZSCTL_OK)
		code = disk_ask(a->options, &a->disk);
	if (code != ZSCTL_OK)
		return code;
	if (a->options->stay && !*a->disk.uuid) {
		device_complain("use a newer zsd, or leave --stay out",
				"zsd tells no UUID of its disk: it could not "
				"be told from another one later");
		return ZSCTL_REFUSED;
	}
	err = netlink_open(&a->netlink);
	if (err) {
		explain_kernel(a, err);
		return ZSCTL_REFUSED;
	}
	code = connect_all(a, &told);
	if (code != ZSCTL_OK)
		return code;
	a->kernel.index = a->device.index;
	a->kernel.size_bytes = told.size_bytes;
	a->kernel.block_bytes = DEVICE_BLOCK_BYTES;
	a->kernel.flags = told.flags;
	a->kernel.dead_timeout_s = a->options->dead_timeout_s;
	a->kernel.identifier = *a->disk.uuid ? a->disk.uuid : NULL;
	return tell_kernel(a);
}

enum zsctl_exit attach_device(const struct zsctl_options *options,
			      const struct device *device, struct attachment *a)
{
	*a = (struct attachment){.options = options, .device = *device};
	return attach(a);
}

void attach_fini(struct attachment *a)
{
	for (size_t i = 0; i < a->kernel.nr_sockets; i++)
		close(a->kernel.sockets[i]);
	a->kernel.nr_sockets = 0;
	netlink_close(&a->netlink);
}

static void tell(const struct attachment *a)
{
	char size[UNITS_TEXT_BYTES];

	if (a->options->json) {
		zsctl_print_json(
			json_pack("{ss ss? sI si}", "device", a->device.path,
				  "uuid", a->kernel.identifier, "size_bytes",
				  (json_int_t)a->disk.size_bytes, "connections",
				  (int)a->kernel.nr_sockets));
		return;
	}
	printf("%s: attached, %s%s%s, %zu connection%s\n", a->device.path,
	       units_format(a->disk.size_bytes, size),
	       *a->disk.uuid ? ", disk " : "", a->disk.uuid,
	       a->kernel.nr_sockets, a->kernel.nr_sockets == 1 ? "" : "s");
}

static enum zsctl_exit attach_and_go(const struct zsctl_options *options,
				     const struct device *device)
{
	struct attachment a;
	enum zsctl_exit code = attach_device(options, device, &a);

	if (code == ZSCTL_OK)
		tell(&a);
	attach_fini(&a);
	return code;
}

static enum zsctl_exit attach_and_stay(const struct zsctl_options *options,
				       const struct device *device)
{
	struct attachment a = {.options = options, .device = *device};
	enum zsctl_exit code;
	struct stay stay;

	code = stay_begin(&stay, &a);
	if (code == ZSCTL_OK)
		code = attach_device(options, device, &a);
	if (code == ZSCTL_OK) {
		tell(&a);
		(void)fflush(stdout);
		code = stay_on(&stay);
	}
	stay_fini(&stay);
	attach_fini(&a);
	return code;
}

enum zsctl_exit zsctl_attach(const struct zsctl_options *options)
{
	struct device device;

	if (device_parse(options->argument, "", &device)) {
		device_complain("name one like /dev/nbd0",
				"'%s' is no nbd device", options->argument);
		return ZSCTL_USAGE;
	}
	return options->stay ? attach_and_stay(options, &device)
			     : attach_and_go(options, &device);
}
