/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/units.h"
#include "model/model.h"

/* --- random numbers ------------------------------------------------------ */

/* Odd multipliers spread what differs in few bits over all of them. */
#define SPREAD_A UINT64_C(0x9e3779b97f4a7c15)
#define SPREAD_B UINT64_C(0xd1342543de82ef95)

void model_rng_init(struct model_rng *rng, uint64_t seed)
{
	rng->state = (seed + 1) * SPREAD_A;
	rng->state ^= rng->state >> 29;
	if (!rng->state)
		rng->state = SPREAD_A;
	for (int i = 0; i < 8; i++)
		model_rng_next(rng);
}

/* A 64-bit xorshift, its weak low bits hidden by a multiplication. */
uint64_t model_rng_next(struct model_rng *rng)
{
	uint64_t x = rng->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng->state = x;
	x *= SPREAD_B;
	return x ^ (x >> 32);
}

uint64_t model_rng_below(struct model_rng *rng, uint64_t n)
{
	CHECK(n);
	return model_rng_next(rng) % n;
}

uint64_t model_rng_range(struct model_rng *rng, uint64_t low, uint64_t high)
{
	return low + model_rng_below(rng, high - low + 1);
}

bool model_rng_one_in(struct model_rng *rng, unsigned n)
{
	return model_rng_below(rng, n) == 0;
}

void model_rng_fill(struct model_rng *rng, void *dst, size_t bytes)
{
	unsigned char *p = dst;
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word)) {
		word = model_rng_next(rng);
		memcpy(p, &word, sizeof(word));
		p += sizeof(word);
	}
	word = model_rng_next(rng);
	memcpy(p, &word, bytes);
}

/* --- pages --------------------------------------------------------------- */

static void fill_words(void *page, uint64_t word)
{
	unsigned char *p = page;

	for (size_t at = 0; at < ZSD_PAGE_BYTES; at += sizeof(word))
		memcpy(p + at, &word, sizeof(word));
}

/* A word whose halves differ: repeats at 8 bytes, at no less. */
static uint64_t make_word(struct model_rng *rng)
{
	uint64_t word;

	do {
		word = model_rng_next(rng);
	} while ((uint32_t)word == (uint32_t)(word >> 32));
	return word;
}

static void fill_text(struct model_rng *rng, unsigned char *p, size_t bytes)
{
	static const char *const words[] = {
		"page ",   "slot ", "the ",   "compressed ", "of ", "object\n",
		"zspage ", "a ",    "class ", "handle\t",    "is ", "memory, ",
	};
	const char *word;
	size_t n;

	while (bytes) {
		word = words[model_rng_below(rng, ARRAY_SIZE(words))];
		n = strlen(word);
		if (n > bytes)
			n = bytes;
		memcpy(p, word, n);
		p += n;
		bytes -= n;
	}
}

static void fill_pointers(struct model_rng *rng, unsigned char *page)
{
	uint64_t base = model_rng_next(rng) & UINT64_C(0x00007fffff000000);

	for (size_t at = 0; at < ZSD_PAGE_BYTES; at += sizeof(base)) {
		uint64_t word = 0;

		if (!model_rng_one_in(rng, 3))
			word = base | (model_rng_next(rng) & 0xfffff8);
		memcpy(page + at, &word, sizeof(word));
	}
}

static void fill_sparse(struct model_rng *rng, unsigned char *page)
{
	uint64_t nr = model_rng_range(rng, 1, 64);

	memset(page, 0, ZSD_PAGE_BYTES);
	while (nr--) {
		uint64_t at = model_rng_below(rng, ZSD_PAGE_BYTES);

		page[at] = (unsigned char)model_rng_next(rng);
	}
}

static void fill_mixed(struct model_rng *rng, unsigned char *page,
		       size_t random_bytes)
{
	model_rng_fill(rng, page, random_bytes);
	fill_text(rng, page + random_bytes, ZSD_PAGE_BYTES - random_bytes);
}

static void fill_nearly_same(struct model_rng *rng, unsigned char *page)
{
	uint64_t at = model_rng_below(rng, ZSD_PAGE_BYTES);

	fill_words(page, model_rng_one_in(rng, 2) ? 0 : make_word(rng));
	page[at] ^= (unsigned char)(1u << model_rng_below(rng, 8));
}

void model_page_fill(struct model_rng *rng, enum model_page kind, void *page)
{
	switch (kind) {
	case MODEL_PAGE_ZERO:
		fill_words(page, 0);
		break;
	case MODEL_PAGE_SAME:
		fill_words(page, make_word(rng));
		break;
	case MODEL_PAGE_NEARLY_SAME:
		fill_nearly_same(rng, page);
		break;
	case MODEL_PAGE_TEXT:
		fill_text(rng, page, ZSD_PAGE_BYTES);
		break;
	case MODEL_PAGE_POINTERS:
		fill_pointers(rng, page);
		break;
	case MODEL_PAGE_SPARSE:
		fill_sparse(rng, page);
		break;
	case MODEL_PAGE_MIXED:
		fill_mixed(rng, page, model_rng_below(rng, ZSD_PAGE_BYTES + 1));
		break;
	case MODEL_PAGE_BORDER:
		fill_mixed(rng, page, model_rng_range(rng, 2800, 3800));
		break;
	case MODEL_PAGE_RANDOM:
	case MODEL_NR_PAGE_KINDS:
		model_rng_fill(rng, page, ZSD_PAGE_BYTES);
		break;
	}
}

enum model_page model_page_kind(struct model_rng *rng)
{
	return (enum model_page)model_rng_below(rng, MODEL_NR_PAGE_KINDS);
}

bool model_page_is_same(const void *page)
{
	const unsigned char *p = page;

	return memcmp(p, p + sizeof(uint64_t),
		      ZSD_PAGE_BYTES - sizeof(uint64_t)) == 0;
}

/* --- a run --------------------------------------------------------------- */

/* A number from the environment; a wrong one must not pass for none. */
static bool environment_number(const char *name, uint64_t *out)
{
	const char *text = getenv(name);
	char *end;

	if (!text || !*text)
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	if (errno || *end) {
		fprintf(stderr, "%s=%s is no number\n", name, text);
		exit(2);
	}
	return true;
}

void model_run_begin(struct model_run *run, const char *name)
{
	run->name = name;
	run->op = 0;
	if (!environment_number("ZSD_MODEL_OPS", &run->nr_ops))
		run->nr_ops = MODEL_DEFAULT_OPS;
	if (!environment_number("ZSD_MODEL_SEED", &run->seed)) {
		if (getrandom(&run->seed, sizeof(run->seed), 0) !=
		    sizeof(run->seed)) {
			perror("getrandom");
			exit(2);
		}
		run->seed >>= 32; /* shorter to type */
	}
	printf("%s: seed %" PRIu64 ", operations %" PRIu64 "\n", name,
	       run->seed, run->nr_ops);
	fflush(stdout);
}

void model_fail(const struct model_run *run, const char *file, int line,
		const char *fmt, ...)
{
	uint64_t op = __atomic_load_n(&run->op, __ATOMIC_RELAXED);
	va_list args;

	fprintf(stderr, "%s: FAILED at %s:%d: ", run->name, file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr,
		"\n%s: seed %" PRIu64 ", operation %" PRIu64 " of %" PRIu64
		"\n",
		run->name, run->seed, op, run->nr_ops);
	abort();
}

size_t model_pick(struct model_rng *rng, const struct model_op *ops, size_t nr,
		  enum model_phase phase)
{
	uint64_t left, sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += ops[i].weight[phase];
	left = model_rng_below(rng, sum);
	for (i = 0; left >= ops[i].weight[phase]; i++)
		left -= ops[i].weight[phase];
	return i;
}

void model_report_ops(const struct model_run *run, const struct model_op *ops,
		      const uint64_t *counts, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		model_report_fact(run, ops[i].name, counts[i]);
}

void model_report_fact(const struct model_run *run, const char *what,
		       uint64_t count)
{
	printf("%s: %12" PRIu64 " %s\n", run->name, count, what);
	MODEL_CHECK(run, count, "%s: never happened, the run is vacuous", what);
}
