/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz - what the fuzzers share: an input taken apart, and how to fail
 *
 * A fuzzer is one program with one function, LLVMFuzzerTestOneInput(), that
 * does with a string of bytes what a hostile peer could do, and compares what
 * comes out with a reference. Built with --enable-fuzzers it is linked with
 * clang's libFuzzer, which looks for strings that reach new code; else with
 * replay.c, which runs the strings of tests/fuzz/corpus. Both take the names
 * of files to run.
 *
 * An input is read from both ends: what is sent stands at its front, how it is
 * cut into pieces at its back. So a change to one leaves the other as it was.
 * An end that has run out reads as zeros.
 *
 * What an input does depends on the input alone.
 */
#ifndef ZSD_FUZZ_FUZZ_H
#define ZSD_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Return: 0. Called by libFuzzer, or by replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const uint8_t *front;
	const uint8_t *back; /* one past the last byte that is left */
};

void fuzz_input_init(struct fuzz_input *in, const uint8_t *data, size_t size);
bool fuzz_input_is_over(const struct fuzz_input *in);

/* From the front: one byte; a big-endian number of @bytes, at most 8. */
uint8_t fuzz_byte(struct fuzz_input *in);
uint64_t fuzz_number(struct fuzz_input *in, unsigned bytes);

/**
 * fuzz_take() - a string of bytes from the front
 * @out: receives its address, inside the input
 *
 * Return: how many there are, at most @bytes.
 */
size_t fuzz_take(struct fuzz_input *in, size_t bytes, const uint8_t **out);

/**
 * fuzz_piece() - from the back: how much of @bytes to move at a time
 * @edges, @nr_edges: sizes that are worth trying
 *
 * Return: 1 .. @bytes; all of it where the back has run out. 0 for 0.
 */
size_t fuzz_piece(struct fuzz_input *in, size_t bytes, const size_t *edges,
		  size_t nr_edges);

/* From the back: a number below @n, 0 where it has run out. */
unsigned fuzz_choice(struct fuzz_input *in, unsigned n);

/* Memory that must not be touched, where a sanitizer looks on, until it is
 * allowed again. */
void fuzz_forbid(const void *p, size_t bytes);
void fuzz_allow(const void *p, size_t bytes);

/* Say what is wrong, and abort: a finding. */
void fuzz_fail(const char *file, int line, const char *fmt, ...)
	ZSD_PRINTF(3, 4) ZSD_NORETURN ZSD_COLD;

#define FUZZ_CHECK(cond, ...)                                       \
	do {                                                        \
		if (unlikely(!(cond)))                              \
			fuzz_fail(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#endif
