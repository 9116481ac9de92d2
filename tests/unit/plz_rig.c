/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "model/model.h"
#include "plz_rig.h"
#include "quiet.h"

unsigned char *rig_pages(uint64_t seed, unsigned nr)
{
	unsigned char *pages = malloc((size_t)nr * ZSD_PAGE_BYTES);
	struct model_rng rng;

	ck_assert_ptr_nonnull(pages);
	model_rng_init(&rng, seed);
	for (unsigned i = 0; i < nr; i++)
		model_page_fill(&rng, i % MODEL_NR_PAGE_KINDS,
				pages + (size_t)i * ZSD_PAGE_BYTES);
	return pages;
}

/* Of pages of text and pointers, 100 bytes each. */
static void fill_dict(const unsigned char *pages, unsigned char *dict,
		      size_t dict_bytes)
{
	for (size_t i = 0; i < dict_bytes; i++) {
		size_t page = i / 100 % (RIG_NR_SAMPLES / MODEL_NR_PAGE_KINDS);
		size_t kind =
			i / 100 % 2 ? MODEL_PAGE_TEXT : MODEL_PAGE_POINTERS;

		dict[i] = pages[(page * MODEL_NR_PAGE_KINDS + kind) *
					ZSD_PAGE_BYTES +
				i % ZSD_PAGE_BYTES];
	}
}

struct plz_model *rig_model(uint64_t seed, size_t dict_bytes)
{
	unsigned char *pages = rig_pages(seed, RIG_NR_SAMPLES);
	unsigned char *dict = malloc(dict_bytes + !dict_bytes);
	struct plz_model *model = NULL;

	ck_assert_ptr_nonnull(dict);
	fill_dict(pages, dict, dict_bytes);
	ck_assert_int_eq(
		plz_train(pages, RIG_NR_SAMPLES, dict, dict_bytes, &model), 0);
	free(dict);
	free(pages);
	return model;
}

struct plz_workspace *rig_workspace(enum plz_use use)
{
	size_t bytes = plz_workspace_bytes(use);
	void *work = NULL;

	ck_assert_int_eq(posix_memalign(&work, PLZ_WORKSPACE_ALIGN, bytes), 0);
	memset(work, 0xa5, bytes);
	return work;
}

size_t rig_round_trip(const struct plz_model *model, enum plz_effort effort,
		      struct plz_workspace *work, const unsigned char *page)
{
	unsigned char packed[PLZ_MAX_BYTES], back[ZSD_PAGE_BYTES], *exact;
	size_t bytes = 0;
	int err = plz_compress(model, effort, work, page, packed,
			       sizeof(packed), &bytes);

	if (err) {
		quiet_assert(err == -ENOSPC);
		return 0;
	}
	quiet_assert(bytes >= 8 && bytes <= sizeof(packed) && bytes % 2 == 0);
	exact = malloc(bytes);
	quiet_assert(exact);
	memcpy(exact, packed, bytes);
	quiet_assert(plz_decompress(model, work, exact, bytes, back) == 0);
	quiet_assert(memcmp(back, page, ZSD_PAGE_BYTES) == 0);
	free(exact);
	return bytes;
}
