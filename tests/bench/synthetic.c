/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shares and the shapes below were tuned by hand until LZ4 and zstd made
 * about 0.42 and 0.29 of the pages, as they do of the heaps of compilers and
 * interpreters.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/units.h"
#include "rng.h"
#include "synthetic.h"

#define NR_WORDS       1024u /* vocabulary of the text pages */
#define MAX_WORD_BYTES 11u
#define NR_OPCODES     48u /* instruction heads of the code pages */
#define NR_TYPES       24u /* distinct type pointers of the record pages */
#define HEAP_BASE      UINT64_C(0x00007f3a54000000)
#define TYPES_BASE     UINT64_C(0x000055d0c81a2000)

struct generator {
	struct rng rng;
	unsigned char word[NR_WORDS][MAX_WORD_BYTES + 1]; /* [0]: length */
	unsigned char opcode[NR_OPCODES][8]; /* [0]: length */
};

static void make_vocabulary(struct generator *gen)
{
	static const char letters[] = "etaoinsrhldcumfpgwybvkxjqz_";

	for (unsigned i = 0; i < NR_WORDS; i++) {
		unsigned char *word = gen->word[i];

		word[0] = (unsigned char)(2 + rng_below(&gen->rng, 10));
		for (unsigned k = 1; k <= word[0]; k++) {
			uint64_t a = rng_below(&gen->rng, sizeof(letters) - 1);
			uint64_t b = rng_below(&gen->rng, sizeof(letters) - 1);

			word[k] = (unsigned char)letters[min_u64(a, b)];
		}
	}
	for (unsigned i = 0; i < NR_OPCODES; i++) {
		unsigned char *opcode = gen->opcode[i];

		opcode[0] = (unsigned char)(3 + rng_below(&gen->rng, 5));
		for (unsigned k = 1; k <= opcode[0]; k++)
			opcode[k] = (unsigned char)rng_next(&gen->rng);
	}
}

/* A number below @n, small ones far more often than large ones. */
static uint64_t skewed_below(struct rng *rng, uint64_t n)
{
	return rng_below(rng, 1 + rng_below(rng, n));
}

/*
 * Words with spaces, now and then a line end and an indent. A page has its
 * own topic: a small or large part of the vocabulary.
 */
static void fill_text(struct generator *gen, unsigned char *page)
{
	uint64_t nr_words = 48 + skewed_below(&gen->rng, NR_WORDS - 48);
	uint32_t at = 0;

	while (at < ZSD_PAGE_BYTES) {
		const unsigned char *word =
			gen->word[skewed_below(&gen->rng, nr_words)];
		uint32_t room = ZSD_PAGE_BYTES - at;
		uint32_t bytes = min_u32(word[0], room);

		memcpy(page + at, word + 1, bytes);
		at += bytes;
		if (at == ZSD_PAGE_BYTES)
			break;
		if (rng_below(&gen->rng, 9)) {
			page[at++] = ' ';
			continue;
		}
		page[at++] = '\n';
		bytes = min_u32((uint32_t)(4 * rng_below(&gen->rng, 4)),
				ZSD_PAGE_BYTES - at);
		memset(page + at, ' ', bytes);
		at += bytes;
	}
}

/*
 * One field of a record: a pointer to a neighbour, a count, a hash or
 * nothing, the last in @emptiness of 16 cases.
 */
static uint64_t record_field(struct rng *rng, uint64_t self, uint64_t emptiness)
{
	if (rng_below(rng, 16) < emptiness)
		return 0;
	switch (rng_below(rng, 6)) {
	case 0:
	case 1:
		return self + 16 * skewed_below(rng, 4096);
	case 2:
		return HEAP_BASE + 16 * rng_below(rng, 1 << 20);
	case 3:
	case 4:
		return skewed_below(rng, 300);
	default:
		return rng_below(rng, 2) ? rng_next(rng) >> 32 : UINT64_MAX;
	}
}

/*
 * Objects of 16 to 96 bytes: type, reference count, fields. Neighbours are
 * often of one type, and then alike in shape.
 */
static void fill_records(struct generator *gen, unsigned char *page,
			 uint64_t address)
{
	struct rng *rng = &gen->rng;
	uint64_t emptiness = 2 + rng_below(rng, 13);
	uint64_t type = 0, nr_fields = 2;
	uint32_t at = 0;

	while (at < ZSD_PAGE_BYTES) {
		uint32_t end;

		if (!rng_below(rng, 4)) {
			type = TYPES_BASE + 416 * skewed_below(rng, NR_TYPES);
			nr_fields = 1 + rng_below(rng, 10);
		}
		end = min_u32(at + 16 + 8 * (uint32_t)nr_fields,
			      ZSD_PAGE_BYTES);
		for (uint32_t start = at; at < end; at += 8) {
			uint64_t value =
				at == start ? 1
				: at == start + 8
					? type
					: record_field(rng, address + at,
						       emptiness);

			value = htole64(value);
			memcpy(page + at, &value, sizeof(value));
		}
	}
}

/* Frequent instruction heads, some with an operand that is often small. */
static void fill_code(struct generator *gen, unsigned char *page)
{
	uint64_t nr_opcodes = 8 + skewed_below(&gen->rng, NR_OPCODES - 8);
	uint32_t at = 0;

	while (at < ZSD_PAGE_BYTES) {
		const unsigned char *opcode =
			gen->opcode[skewed_below(&gen->rng, nr_opcodes)];
		uint32_t bytes = min_u32(opcode[0], ZSD_PAGE_BYTES - at);

		memcpy(page + at, opcode + 1, bytes);
		at += bytes;
		if (at < ZSD_PAGE_BYTES && !rng_below(&gen->rng, 8))
			page[at++] =
				(unsigned char)(8 * rng_below(&gen->rng, 12));
	}
}

static void fill_words(unsigned char *page, uint64_t word)
{
	word = htole64(word);
	for (uint32_t at = 0; at < ZSD_PAGE_BYTES; at += 8)
		memcpy(page + at, &word, sizeof(word));
}

static void fill_random(struct rng *rng, unsigned char *page)
{
	for (uint32_t at = 0; at < ZSD_PAGE_BYTES; at += 8) {
		uint64_t word = htole64(rng_next(rng));

		memcpy(page + at, &word, sizeof(word));
	}
}

/* @kind: 0 .. 99, the shares in percent. */
static void fill_page(struct generator *gen, unsigned char *page, uint64_t kind,
		      uint64_t address)
{
	if (kind < 58)
		fill_records(gen, page, address);
	else if (kind < 80)
		fill_text(gen, page);
	else if (kind < 95)
		fill_code(gen, page);
	else if (kind < 97)
		fill_words(page, 0);
	else if (kind < 98)
		fill_words(page, rng_next(&gen->rng));
	else
		fill_random(&gen->rng, page);
}

void synthetic_fill(unsigned char *pages, uint64_t nr_pages, uint64_t seed)
{
	struct generator gen = {.rng = {seed}};
	uint64_t kind = 0;

	make_vocabulary(&gen);
	for (uint64_t i = 0; i < nr_pages; i++) {
		uint64_t offset = i * ZSD_PAGE_BYTES;

		if (i % SYNTHETIC_RUN_PAGES == 0)
			kind = rng_below(&gen.rng, 100);
		fill_page(&gen, pages + offset, kind, HEAP_BASE + offset);
	}
}
