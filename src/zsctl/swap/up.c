/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl up`: swap on a disk of zsd's, whatever that takes. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "zsctl/swap/swap.h"

static void explain_state(int err)
{
	if (err == -EEXIST)
		device_complain("zsctl down, then zsctl up",
				"it is up already, or what is left of it: "
				"there is %s",
				SWAP_STATE_PATH);
	else
		device_complain("become root; it must be possible to write "
				"there",
				"%s: %s", SWAP_STATE_PATH, strerror(-err));
}

/* Do a step, and keep in mind that it was done. */
static enum swap_outcome take_step(struct swap *swap,
				   const struct swap_step *step)
{
	json_t *note = json_object(), *kept;
	enum swap_outcome outcome = SWAP_FAILED;
	int err;

	if (!note) {
		explain_state(-ENOMEM);
		return SWAP_FAILED;
	}
	kept = json_incref(note);
	outcome = step->run(swap, note);
	if (outcome == SWAP_DONE) {
		err = state_add(swap, step, note);
		if (err) {
			explain_state(err);
			(void)step->undo(swap, kept);
			outcome = SWAP_FAILED;
		}
	} else {
		json_decref(note);
	}
	json_decref(kept);
	swap_tell(swap, step->does, outcome);
	return outcome;
}

static enum zsctl_exit take_steps(struct swap *swap)
{
	for (size_t i = 0; i < swap_nr_steps; i++) {
		if (take_step(swap, &swap_steps[i]) != SWAP_FAILED)
			continue;
		/* Where nothing was done there is a file all the same. */
		if (state_is_empty(swap))
			(void)unlink(SWAP_STATE_PATH);
		else
			(void)!swap_undo(swap);
		return ZSCTL_REFUSED;
	}
	return ZSCTL_OK;
}

/* Whether what was asked for can be meant at all; zsd looks closer. */
static bool is_size(const char *text)
{
	uint64_t bytes;

	return !units_parse(text, TIB, &bytes) && bytes;
}

enum zsctl_exit zsctl_up(const struct zsctl_options *options)
{
	struct swap swap = {.options = options};
	enum zsctl_exit code = ZSCTL_REFUSED;
	int err;

	if (*options->argument)
		swap.size = options->argument;
	if (swap.size && !is_size(swap.size)) {
		device_complain("give one such as 4G or ram/2",
				"'%s' is no size", swap.size);
		return ZSCTL_USAGE;
	}
	if (device_parse(options->device, "", &swap.device)) {
		device_complain("name one like /dev/nbd0",
				"'%s' is no nbd device", options->device);
		return ZSCTL_USAGE;
	}
	swap.told = json_array();
	swap_begin();
	err = state_create(&swap);
	if (err)
		explain_state(err);
	else
		code = take_steps(&swap);
	swap_tell_all(&swap, code);
	json_decref(swap.state);
	json_decref(swap.told);
	return code;
}
