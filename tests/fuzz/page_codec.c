/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fuzz.h"
#include "page_codec.h"

#define NR_SAMPLES 4u

/* So long that a model fills its memory, and a sanitizer sees what reads
 * beyond. */
#define DICT_BYTES (2048u - sizeof(struct plz_model) % PLZ_WORKSPACE_ALIGN)

const struct page_codec *page_codec(void)
{
	static uint8_t samples[NR_SAMPLES][ZSD_PAGE_BYTES], dict[DICT_BYTES];
	static struct page_codec codec;
	uint32_t x = 1;

	if (codec.model)
		return &codec;
	for (unsigned i = 0; i < sizeof(samples); i++) {
		x = x * 1664525 + 1013904223;
		samples[i / ZSD_PAGE_BYTES][i % ZSD_PAGE_BYTES] =
			(uint8_t)(x >> 30 ? x >> 29 : x >> 24);
	}
	memcpy(dict, samples[1], sizeof(dict));
	codec.work = aligned_alloc(PLZ_WORKSPACE_ALIGN,
				   align_up(plz_workspace_bytes(PLZ_TO_STORE),
					    PLZ_WORKSPACE_ALIGN));
	FUZZ_CHECK(codec.work && !plz_train(samples, NR_SAMPLES, dict,
					    sizeof(dict), &codec.model),
		   "no memory");
	return &codec;
}

void page_codec_round_trip(const struct plz_model *model, const uint8_t *page)
{
	static const enum plz_effort efforts[] = {PLZ_FAST, PLZ_OPTIMAL};
	struct plz_workspace *work = page_codec()->work;
	uint8_t packed[PLZ_MAX_BYTES], back[ZSD_PAGE_BYTES];
	size_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(efforts); i++) {
		if (plz_compress(model, efforts[i], work, page, packed,
				 sizeof(packed), &bytes))
			continue;
		FUZZ_CHECK(!plz_decompress(model, work, packed, bytes, back),
			   "a page cannot be read");
		FUZZ_CHECK(!memcmp(back, page, sizeof(back)),
			   "a page reads as another");
	}
}
