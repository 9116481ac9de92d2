/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl - how the program ends; documented in docs/man/zsctl.1
 */
#ifndef ZSD_ZSCTL_ZSCTL_H
#define ZSD_ZSCTL_ZSCTL_H

enum zsctl_exit {
	ZSCTL_OK = 0,
	ZSCTL_REFUSED = 1, /* the server refused, or found something wrong */
	ZSCTL_USAGE = 2,
	ZSCTL_UNREACHABLE = 3, /* no server there that answers as it should */
};

#endif
