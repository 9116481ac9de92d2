/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the service manager is told. Source: sd_notify(3). */
#include "config.h"

#include "zsd/server_internal.h"

#ifdef HAVE_SYSTEMD

#include <systemd/sd-daemon.h>

/* Nothing can be done where the manager cannot be told: all are hints. */

void notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void notify_waiting(unsigned nr, unsigned patience_s)
{
	(void)sd_notifyf(0,
			 "STATUS=Waiting for %u connections to be closed: "
			 "swapoff, then nbd-client -d\n"
			 "EXTEND_TIMEOUT_USEC=%u000000",
			 nr, patience_s);
}

#else

void notify_ready(void)
{
}

void notify_stopping(void)
{
}

void notify_waiting(unsigned nr, unsigned patience_s)
{
	(void)nr;
	(void)patience_s;
}

#endif
