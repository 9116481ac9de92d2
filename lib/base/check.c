/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

static void put(const char *s)
{
	ssize_t n = write(STDERR_FILENO, s, strlen(s));

	(void)n; /* nothing better can be done while dying */
}

static void put_number(int n)
{
	char digits[12];
	char *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put(p);
}

void check_failed(const char *file, int line, const char *expr)
{
	put("zsd: broken invariant at ");
	put(file);
	put(":");
	put_number(line);
	put(": ");
	put(expr);
	put("\n");
	abort();
}
