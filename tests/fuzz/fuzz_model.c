/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that say to be a model of lib/plz.
 *
 * An input is written over a model that is good, somewhere, with a checksum
 * that is right or not; what loads must be good enough to code with.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bits.h"
#include "fuzz.h"
#include "page_codec.h"

/* Of a model's bytes; as docs/plz.md has them. */
#define OFFSET_SUM  24u
#define OFFSET_REST 32u

/* Places to write at, at even distances. */
#define NR_PLACES 250u

static uint8_t *save_good_model(size_t *bytes)
{
	const struct plz_model *model = page_codec()->model;
	uint8_t *saved;

	*bytes = plz_model_bytes(model);
	saved = malloc(*bytes);
	FUZZ_CHECK(saved, "no memory");
	plz_model_save(model, saved);
	return saved;
}

static void put_sum(uint8_t *saved, size_t bytes)
{
	uint64_t sum = htole64(
		XXH3_64bits_withSeed(saved + OFFSET_REST, bytes - OFFSET_REST,
				     XXH3_64bits(saved, OFFSET_SUM)));

	memcpy(saved + OFFSET_SUM, &sum, sizeof(sum));
}

static void load(const uint8_t *saved, size_t saved_bytes, const uint8_t *src,
		 size_t bytes)
{
	uint8_t page[ZSD_PAGE_BYTES] = {0};
	struct plz_model *model;

	if (plz_model_load(saved, saved_bytes, &model))
		return;
	memcpy(page, src, min_u64(bytes, sizeof(page)));
	FUZZ_CHECK(!plz_model_ready(model), "no memory");
	page_codec_round_trip(model, page);
	plz_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in;
	const uint8_t *src;
	size_t at, bytes, saved_bytes;
	uint8_t *saved = save_good_model(&saved_bytes);
	bool is_right;

	fuzz_input_init(&in, data, size);
	at = fuzz_choice(&in, NR_PLACES) * (saved_bytes / NR_PLACES);
	is_right = fuzz_choice(&in, 8);
	bytes = fuzz_take(&in, saved_bytes - at, &src);
	memcpy(saved + at, src, bytes);
	if (is_right)
		put_sum(saved, saved_bytes);
	load(saved, saved_bytes, src, bytes);
	free(saved);
	return 0;
}
