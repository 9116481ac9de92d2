/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What could come in place of an answer of the kernel's.
 *
 * An input is a datagram as it is. Whatever it says, nothing is read beyond it,
 * and what is said of it is a number of an error, or that there is none.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "zsctl/device/netlink.h"

#define PORT 0x01010101u
#define SEQ  0x02020202u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct netlink n;
	bool is_last = false;
	int err;

	if (size > sizeof(n.buffer))
		size = sizeof(n.buffer);
	n.port = PORT;
	n.seq = SEQ;
	n.family = 1;
	n.why[0] = '\0';
	memcpy(n.buffer, data, size);
	fuzz_forbid(n.buffer + size, sizeof(n.buffer) - size);
	err = netlink_take(&n, size, &is_last);
	fuzz_allow(n.buffer + size, sizeof(n.buffer) - size);
	FUZZ_CHECK(err <= 0 && err >= -4095, "netlink_take() is %d", err);
	FUZZ_CHECK(memchr(n.why, '\0', sizeof(n.why)), "a text has no end");
	FUZZ_CHECK(err || is_last || !*n.why, "a text about nothing");
	for (const char *p = n.why; *p; p++)
		FUZZ_CHECK(*p >= ' ' && *p <= '~', "a text is not plain");
	return 0;
}
