/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that say to be a page of lib/plz, and pages.
 *
 * An input is a byte that says which of these it is:
 *   words   decompressed by every coder of the machine: all must say the same,
 *           and what passes must be a page that comes back
 *   page    repeated until it fills one; must come back
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "page_codec.h"

/* Without the checksum, which no input would pass by chance: as far as the
 * coder goes. */
static void take_words(const uint8_t *src, size_t bytes)
{
	const struct plz_model *model = page_codec()->model;
	struct plz_workspace *work = page_codec()->work;
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
		page_codec_round_trip(model, first);
}

static void take_page(const uint8_t *src, size_t bytes)
{
	uint8_t page[ZSD_PAGE_BYTES];

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = bytes ? src[i % bytes] : 0;
	page_codec_round_trip(page_codec()->model, page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in;
	const uint8_t *src;
	size_t bytes;
	bool is_page;

	fuzz_input_init(&in, data, size);
	is_page = fuzz_byte(&in) % 4 == 2;
	bytes = fuzz_take(&in, size, &src);
	if (is_page)
		take_page(src, bytes);
	else
		take_words(src, bytes);
	return 0;
}
