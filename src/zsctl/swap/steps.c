/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/swap/area.h"
#include "zsctl/swap/swap.h"
#include "zsctl/system/run.h"

/* Before swap on slower devices, whose priorities are negative by default. */
#define SWAP_PRIORITY 100u

/* How long the devices may take to appear when the module is there, ms. */
#define DEVICE_PATIENCE_MS 5000u
#define DEVICE_LOOK_MS	   20u

/* --- the module ---------------------------------------------------------- */

static bool wait_for_device(const struct device *device)
{
	for (unsigned ms = 0; ms < DEVICE_PATIENCE_MS; ms += DEVICE_LOOK_MS) {
		if (device_exists(device) && access(device->path, F_OK) == 0)
			return true;
		usleep(DEVICE_LOOK_MS * 1000);
	}
	return false;
}

static enum swap_outcome load_module(struct swap *swap, json_t *note)
{
	/* Looking for partitions would read the disk each time. */
	static const char *const load[] = {"modprobe", "nbd", "max_part=0",
					   NULL};
	static const char *const unload[] = {"modprobe", "-r", "nbd", NULL};
	int err;

	(void)note;
	if (device_exists(&swap->device))
		return SWAP_WAS_SO;
	err = run_program(load);
	if (err) {
		device_complain("become root, or use a kernel that has nbd",
				"cannot load the kernel's nbd: modprobe: %s",
				err == -ECHILD ? "it has failed"
					       : strerror(-err));
		return SWAP_FAILED;
	}
	if (wait_for_device(&swap->device))
		return SWAP_DONE;
	(void)run_quietly(unload);
	device_complain("name a device that there is with --device, or load "
			"nbd with a higher nbds_max",
			"there is no %s even with nbd", swap->device.path);
	return SWAP_FAILED;
}

static enum swap_outcome unload_module(struct swap *swap, const json_t *note)
{
	static const char *const unload[] = {"modprobe", "-r", "nbd", NULL};

	(void)swap;
	(void)note;
	if (!run_program(unload))
		return SWAP_DONE;
	device_complain("see who uses another nbd device",
			"cannot unload the kernel's nbd");
	return SWAP_FAILED;
}

/* --- the device ---------------------------------------------------------- */

static enum swap_outcome attach(struct swap *swap, json_t *note)
{
	struct attachment a;
	enum zsctl_exit code;

	(void)note;
	code = attach_device(swap->options, &swap->device, &a);
	attach_fini(&a);
	return code == ZSCTL_OK ? SWAP_DONE : SWAP_FAILED;
}

static enum swap_outcome detach(struct swap *swap, const json_t *note)
{
	(void)note;
	/* Somebody else may have done it. */
	if (!device_is_attached(&swap->device))
		return SWAP_WAS_SO;
	return detach_device(&swap->device) == ZSCTL_OK ? SWAP_DONE
							: SWAP_FAILED;
}

/* --- swapping ------------------------------------------------------------ */

static enum swap_outcome begin_swap(struct swap *swap, json_t *note)
{
	int err = area_on(swap->device.path, SWAP_PRIORITY);

	(void)note;
	if (!err)
		return SWAP_DONE;
	device_complain(err == -EPERM ? "become root, outside of containers"
				      : "see what the kernel's log says "
					"(dmesg)",
			"cannot swap on %s: %s", swap->device.path,
			strerror(-err));
	return SWAP_FAILED;
}

static enum swap_outcome end_swap(struct swap *swap, const json_t *note)
{
	int err = area_off(swap->device.path);

	(void)note;
	if (!err)
		return SWAP_DONE;
	if (err == -EINVAL) /* somebody else has done it */
		return SWAP_WAS_SO;
	device_complain(err == -ENOMEM
				? "what is swapped out does not fit into "
				  "memory: end something, then zsctl down"
				: "become root, then zsctl down",
			"cannot end swapping on %s: %s", swap->device.path,
			strerror(-err));
	return SWAP_FAILED;
}

/* --- all of them --------------------------------------------------------- */

/* Swapping is the last to begin: it never does without the settings. */
const struct swap_step swap_steps[] = {
	{"module", "load the kernel's nbd", "unload the kernel's nbd",
	 load_module, unload_module},
	{"zsd", "start zsd", "stop zsd", server_start, server_stop},
	{"attach", "attach the device", "detach the device", attach, detach},
	{"header", "make it a swap area", "erase the swap area", header_write,
	 header_erase},
	{"sysctls", "set the sysctls", "restore the sysctls", sysctls_set,
	 sysctls_restore},
	{"swap", "swap on it", "end swapping on it", begin_swap, end_swap},
};

const size_t swap_nr_steps = ARRAY_SIZE(swap_steps);

void swap_begin(void)
{
	sigset_t ends;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &ends, NULL);
}

void swap_tell(struct swap *swap, const char *what, enum swap_outcome outcome)
{
	static const char *const outcomes[] = {
		[SWAP_DONE] = "ok",
		[SWAP_WAS_SO] = "nothing to do",
		[SWAP_FAILED] = "failed",
	};

	if (swap->options->json) {
		(void)json_array_append_new(
			swap->told, json_pack("{ss ss}", "step", what,
					      "outcome", outcomes[outcome]));
		return;
	}
	printf("%-24s %s\n", what, outcomes[outcome]);
	(void)fflush(stdout);
}

void swap_tell_all(struct swap *swap, enum zsctl_exit code)
{
	if (!swap->options->json)
		return;
	zsctl_print_json(json_pack("{sb ss sO}", "ok", code == ZSCTL_OK,
				   "device", swap->device.path, "steps",
				   swap->told));
}

enum zsctl_exit swap_undo(struct swap *swap)
{
	const struct swap_step *step;
	enum swap_outcome outcome;
	const json_t *note;
	int err = 0;

	while (!state_is_empty(swap)) {
		step = state_last(swap, &note);
		if (!step) {
			device_complain("use the zsctl that has written it",
					"%s has a step that is unknown",
					SWAP_STATE_PATH);
			return ZSCTL_REFUSED;
		}
		outcome = step->undo(swap, note);
		swap_tell(swap, step->undoes, outcome);
		if (outcome == SWAP_FAILED) {
			device_complain("mend what failed, then zsctl down",
					"the steps before it are left as they "
					"are");
			return ZSCTL_REFUSED;
		}
		err = state_drop_last(swap);
		if (err && !state_is_empty(swap)) {
			/* Undone twice does no harm: all look first. */
			(void)fprintf(stderr, "zsctl: warning: %s: %s\n",
				      SWAP_STATE_PATH, strerror(-err));
		}
	}
	return ZSCTL_OK;
}
