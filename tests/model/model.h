/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model - what the model tests share: seed, random numbers, pages, report
 *
 * A model test does random operations both to the real thing and to a trivial
 * reference, and compares the two. What it does depends on its seed alone, so
 * that a failure can be repeated:
 *
 *   ZSD_MODEL_SEED=N  the seed; a fresh one if unset
 *   ZSD_MODEL_OPS=N   how many operations, all rounds together
 *
 * It says at the start which they are and at the end how often it did what,
 * and fails where a kind of operation never happened: a run that tested
 * nothing must not look like one that found nothing.
 *
 * Threads: everything belongs to its caller; nothing here is shared.
 */
#ifndef ZSD_MODEL_MODEL_H
#define ZSD_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Operations of `make check`; long runs ask for more by ZSD_MODEL_OPS. */
#define MODEL_DEFAULT_OPS 200000u

/* --- random numbers ------------------------------------------------------ */

struct model_rng {
	uint64_t state; /* never 0 */
};

/* Any seed will do; near seeds give unrelated sequences. */
void model_rng_init(struct model_rng *rng, uint64_t seed);
uint64_t model_rng_next(struct model_rng *rng);

/* A number in 0 .. @n - 1; @n is at least 1. */
uint64_t model_rng_below(struct model_rng *rng, uint64_t n);

/* A number in @low .. @high, both included. */
uint64_t model_rng_range(struct model_rng *rng, uint64_t low, uint64_t high);

/* True once in @n times. */
bool model_rng_one_in(struct model_rng *rng, unsigned n);

/* Fill @dst with bytes that no codec makes shorter. */
void model_rng_fill(struct model_rng *rng, void *dst, size_t bytes);

/* --- pages --------------------------------------------------------------- */

/* Kinds of content, as swap sees them, and those at the codecs' edges. */
enum model_page {
	MODEL_PAGE_ZERO,
	MODEL_PAGE_SAME, /* one 8-byte word that is not two equal halves */
	MODEL_PAGE_NEARLY_SAME, /* the same but for one byte anywhere */
	MODEL_PAGE_TEXT, /* words from a small vocabulary */
	MODEL_PAGE_POINTERS, /* 8-byte addresses with equal upper halves */
	MODEL_PAGE_SPARSE, /* a few bytes among zeros */
	MODEL_PAGE_MIXED, /* random bytes up to a random point, then text:
			   * any compressed length */
	MODEL_PAGE_BORDER, /* the same near where a page becomes huge */
	MODEL_PAGE_RANDOM, /* does not compress */
	MODEL_NR_PAGE_KINDS,
};

/* Fill one page of ZSD_PAGE_BYTES with content of @kind. */
void model_page_fill(struct model_rng *rng, enum model_page kind, void *page);

/* A kind at random, all alike likely. */
enum model_page model_page_kind(struct model_rng *rng);

/* Whether a page repeats one 8-byte word. */
bool model_page_is_same(const void *page);

/* --- a run --------------------------------------------------------------- */

struct model_run {
	const char *name; /* of the program */
	uint64_t seed;
	uint64_t nr_ops;
	/* What is being done; relaxed, for the text of a failure alone. */
	uint64_t op;
};

/* Read the environment, print "NAME: seed N, operations M". */
void model_run_begin(struct model_run *run, const char *name);

/**
 * model_fail() - say what differs, under which seed and when, and abort
 * @fmt: what was expected and what was found
 */
void model_fail(const struct model_run *run, const char *file, int line,
		const char *fmt, ...) ZSD_PRINTF(4, 5) ZSD_NORETURN ZSD_COLD;

#define MODEL_CHECK(run, cond, ...)                                       \
	do {                                                              \
		if (unlikely(!(cond)))                                    \
			model_fail(run, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/* Phases of a run: what it stores grows, shrinks, or is stirred. */
enum model_phase {
	MODEL_GROW,
	MODEL_SHRINK,
	MODEL_STIR,
	MODEL_NR_PHASES,
};

/* One kind of operation. */
struct model_op {
	const char *name;
	unsigned weight[MODEL_NR_PHASES]; /* how often, next to the others */
	void (*run)(void *arg);
};

/* Pick one of @nr operations by its weight in @phase. Return: its index. */
size_t model_pick(struct model_rng *rng, const struct model_op *ops, size_t nr,
		  enum model_phase phase);

/* Print how often each of @nr operations ran; fail where one never did. */
void model_report_ops(const struct model_run *run, const struct model_op *ops,
		      const uint64_t *counts, size_t nr);

/* Print a number that must not be 0 at the end of a run; fail where it is. */
void model_report_fact(const struct model_run *run, const char *what,
		       uint64_t count);

#endif
