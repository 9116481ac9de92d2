/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "io/log.h"

void log_line(const char *format, ...)
{
	char line[LOG_LINE_BYTES] = "zsd: ";
	size_t used = strlen(line);
	size_t room = sizeof(line) - used - 1; /* the newline's byte kept */
	va_list args;
	ssize_t written;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(line + used, room, format, args);
	va_end(args);
	if (bytes < 0)
		return;
	used += min_u64((uint64_t)bytes, room - 1);
	line[used++] = '\n';
	written = write(STDERR_FILENO, line, used);
	(void)written; /* nobody left to tell */
}
