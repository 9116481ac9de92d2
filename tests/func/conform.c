/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Usage: conform SOCKET|HOST:PORT options|requests|many|read-only
 * Exit status: 0 all answers are as they must be, 1 one is not, 2 usage.
 */
#include "config.h"

#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

/* The row at hand. */
static struct {
	const char *section;
	const char *what;
	unsigned nr;
} row;

void conform_begin(const char *section, const char *what)
{
	row.section = section;
	row.what = what;
	row.nr++;
}

unsigned conform_nr_cases(void)
{
	return row.nr;
}

void conform_fail(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "conform: %s (\"%s\"): ", row.what, row.section);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void conform_must(const struct nbdc_conn *conn, int err)
{
	if (err)
		conform_fail("%s", nbdc_explain(conn, err));
}

static const struct {
	const char *name;
	void (*run)(const char *address);
} modes[] = {
	{"options", conform_options},
	{"requests", conform_requests},
	{"many", conform_many},
	{"read-only", conform_read_only},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(modes); i++) {
		if (strcmp(argv[2], modes[i].name) != 0)
			continue;
		modes[i].run(argv[1]);
		printf("%s: %u cases answered as they must be\n", argv[2],
		       conform_nr_cases());
		return EXIT_SUCCESS;
	}
	error(2, 0, "usage: conform ADDRESS options|requests|many|read-only");
}
