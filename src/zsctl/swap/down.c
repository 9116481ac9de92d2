/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl down`: undo what `zsctl up` has done, and nothing else. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/swap/swap.h"

static void explain(int err)
{
	if (err == -ENOENT)
		device_complain("end by hand what was begun by hand: swapoff, "
				"zsctl detach",
				"zsctl up has done nothing here: there is no "
				"%s",
				SWAP_STATE_PATH);
	else if (err == -EBADMSG)
		device_complain("end by hand what is there: swapoff, zsctl "
				"detach; then remove the file",
				"%s is damaged", SWAP_STATE_PATH);
	else
		device_complain("become root", "%s: %s", SWAP_STATE_PATH,
				strerror(-err));
}

enum zsctl_exit zsctl_down(const struct zsctl_options *options)
{
	struct swap swap = {.options = options};
	enum zsctl_exit code = ZSCTL_REFUSED;
	int err;

	swap.told = json_array();
	swap_begin();
	err = state_load(&swap);
	if (err) {
		explain(err);
	} else {
		code = swap_undo(&swap);
		/* A zsctl up that was killed at once has left it empty. */
		if (state_is_empty(&swap))
			(void)unlink(SWAP_STATE_PATH);
		swap_tell_all(&swap, code);
	}
	json_decref(swap.state);
	json_decref(swap.told);
	return code;
}
