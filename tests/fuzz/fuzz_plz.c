/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that say to be a page or a model of lib/plz, and pages.
 *
 * An input is a byte that says which of these it is:
 *   words   decompressed by every coder of the machine: all must say the same,
 *           and what passes must be a page that comes back
 *   page    repeated until it fills one; must come back
 *   model   written over one that is good, with a checksum that is right or
 * not; what loads must be good enough to code with
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bits.h"
#include "fuzz.h"
#include "plz/plz_internal.h"

#define NR_SAMPLES 4u

/* So long that a model fills its memory, and a sanitizer sees what reads
 * beyond. */
#define DICT_BYTES (2048u - sizeof(struct plz_model) % PLZ_WORKSPACE_ALIGN)

/* Of a model's bytes; as docs/plz.md has them. */
#define OFFSET_SUM  24u
#define OFFSET_REST 32u

static struct plz_model *model;
static struct plz_workspace *work;
static uint8_t *saved;
static size_t saved_bytes;

/* Once for all inputs: what is read-only, and what lasts for no call. */
static void prepare(void)
{
	static uint8_t samples[NR_SAMPLES][ZSD_PAGE_BYTES], dict[DICT_BYTES];
	uint32_t x = 1;

	if (model)
		return;
	for (unsigned i = 0; i < sizeof(samples); i++) {
		x = x * 1664525 + 1013904223;
		samples[i / ZSD_PAGE_BYTES][i % ZSD_PAGE_BYTES] =
			(uint8_t)(x >> 30 ? x >> 29 : x >> 24);
	}
	memcpy(dict, samples[1], sizeof(dict));
	work = aligned_alloc(PLZ_WORKSPACE_ALIGN,
			     align_up(plz_workspace_bytes(PLZ_TO_STORE),
				      PLZ_WORKSPACE_ALIGN));
	FUZZ_CHECK(work && !plz_train(samples, NR_SAMPLES, dict, sizeof(dict),
				      &model),
		   "no memory");
	saved_bytes = plz_model_bytes(model);
	saved = malloc(saved_bytes);
	FUZZ_CHECK(saved, "no memory");
	plz_model_save(model, saved);
}

static void round_trip(const struct plz_model *m, const uint8_t *page)
{
	uint8_t packed[PLZ_MAX_BYTES], back[ZSD_PAGE_BYTES];
	size_t bytes;

	for (unsigned i = 0; i < 2; i++) {
		if (plz_compress(m, i ? PLZ_OPTIMAL : PLZ_FAST, work, page,
				 packed, sizeof(packed), &bytes))
			continue;
		FUZZ_CHECK(!plz_decompress(m, work, packed, bytes, back),
			   "a page cannot be read");
		FUZZ_CHECK(!memcmp(back, page, sizeof(back)),
			   "a page reads as another");
	}
}

/* Without the checksum, which no input would pass by chance: as far as the
 * coder goes. */
static void take_words(const uint8_t *src, size_t bytes)
{
	uint8_t first[ZSD_PAGE_BYTES] = {0};
	int first_err = 0;

	if (bytes < 8 || bytes > PLZ_MAX_BYTES || bytes % 2)
		bytes = 0;
	for (unsigned i = 0; bytes && plz_coder_at(i); i++) {
		uint8_t *page = calloc(1, ZSD_PAGE_BYTES);
		uint32_t state[2];
		int err;

		FUZZ_CHECK(page, "no memory");
		memcpy(state, src, sizeof(state));
		memcpy(work->words, src + sizeof(state), bytes - sizeof(state));
		memset(work->words + bytes - sizeof(state), 0, 2);
		plz_model_rows(model, work->rows);
		err = plz_coder_at(i)->decode(
			model, work, bytes - sizeof(state), page, state);
		FUZZ_CHECK(!err || err == -EBADMSG, "another error: %d", err);
		if (!i) {
			memcpy(first, page, sizeof(first));
			first_err = err;
		}
		FUZZ_CHECK(err == first_err &&
				   !memcmp(first, page, sizeof(first)),
			   "%s reads something else", plz_coder_at(i)->name);
		free(page);
	}
	if (bytes && !first_err)
		round_trip(model, first);
}

static void take_page(const uint8_t *src, size_t bytes)
{
	uint8_t page[ZSD_PAGE_BYTES];

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = bytes ? src[i % bytes] : 0;
	round_trip(model, page);
}

static void take_model(struct fuzz_input *in, const uint8_t *src, size_t bytes)
{
	uint8_t *other = malloc(saved_bytes), page[ZSD_PAGE_BYTES] = {0};
	size_t at = fuzz_choice(in, 250) * (saved_bytes / 250);
	bool is_right = fuzz_choice(in, 8);
	struct plz_model *m;
	uint64_t sum;

	FUZZ_CHECK(other, "no memory");
	memcpy(other, saved, saved_bytes);
	bytes = min_u64(bytes, saved_bytes - at);
	memcpy(other + at, src, bytes);
	sum = htole64(XXH3_64bits_withSeed(other + OFFSET_REST,
					   saved_bytes - OFFSET_REST,
					   XXH3_64bits(other, OFFSET_SUM)));
	if (is_right)
		memcpy(other + OFFSET_SUM, &sum, sizeof(sum));
	if (!plz_model_load(other, saved_bytes, &m)) {
		memcpy(page, src, min_u64(bytes, sizeof(page)));
		FUZZ_CHECK(!plz_model_ready(m), "no memory");
		round_trip(m, page);
		plz_model_free(m);
	}
	free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in;
	const uint8_t *src;
	size_t bytes;
	uint8_t kind;

	prepare();
	fuzz_input_init(&in, data, size);
	kind = fuzz_byte(&in) % 4;
	bytes = fuzz_take(&in, size, &src);
	if (kind == 3) {
		fuzz_input_init(&in, data, size);
		take_model(&in, src, bytes);
	} else if (kind == 2) {
		take_page(src, bytes);
	} else {
		take_words(src, bytes);
	}
	return 0;
}
