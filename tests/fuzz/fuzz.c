/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#endif

#include "base/bits.h"
#include "fuzz.h"

void fuzz_input_init(struct fuzz_input *in, const uint8_t *data, size_t size)
{
	in->front = data;
	in->back = data + size;
}

bool fuzz_input_is_over(const struct fuzz_input *in)
{
	return in->front == in->back;
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
	return fuzz_input_is_over(in) ? 0 : *in->front++;
}

uint64_t fuzz_number(struct fuzz_input *in, unsigned bytes)
{
	uint64_t number = 0;

	while (bytes--)
		number = number << 8 | fuzz_byte(in);
	return number;
}

size_t fuzz_take(struct fuzz_input *in, size_t bytes, const uint8_t **out)
{
	bytes = min_u64(bytes, (size_t)(in->back - in->front));
	*out = in->front;
	in->front += bytes;
	return bytes;
}

static uint8_t back_byte(struct fuzz_input *in)
{
	return fuzz_input_is_over(in) ? 0 : *--in->back;
}

unsigned fuzz_choice(struct fuzz_input *in, unsigned n)
{
	return back_byte(in) % n;
}

size_t fuzz_piece(struct fuzz_input *in, size_t bytes, const size_t *edges,
		  size_t nr_edges)
{
	size_t byte = back_byte(in);
	size_t piece = bytes;

	if (byte > nr_edges)
		piece = byte - nr_edges;
	else if (byte > 0)
		piece = edges[byte - 1];
	return min_u64(piece, bytes);
}

void fuzz_forbid(const void *p, size_t bytes)
{
#ifdef ASAN_POISON_MEMORY_REGION
	ASAN_POISON_MEMORY_REGION(p, bytes);
#else
	(void)p;
	(void)bytes;
#endif
}

void fuzz_allow(const void *p, size_t bytes)
{
#ifdef ASAN_UNPOISON_MEMORY_REGION
	ASAN_UNPOISON_MEMORY_REGION(p, bytes);
#else
	(void)p;
	(void)bytes;
#endif
}

void fuzz_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
