/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_codec - a model of lib/plz, and a workspace, for fuzzers
 *
 * Both are made once for all inputs: the model is only read, and what is in the
 * workspace lasts for no call.
 */
#ifndef ZSD_FUZZ_PAGE_CODEC_H
#define ZSD_FUZZ_PAGE_CODEC_H

#include "plz/plz_internal.h"

struct page_codec {
	struct plz_model *model;
	struct plz_workspace *work;
};

/* The same one for each call. */
const struct page_codec *page_codec(void);

/* Compress @page with @model and decompress it, with either effort: a finding
 * where it does not come back. */
void page_codec_round_trip(const struct plz_model *model, const uint8_t *page);

#endif
