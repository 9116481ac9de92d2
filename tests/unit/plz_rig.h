/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz_rig - models and pages to test lib/plz with
 */
#ifndef ZSD_UNIT_PLZ_RIG_H
#define ZSD_UNIT_PLZ_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "plz/plz.h"

#define RIG_NR_SAMPLES 48u
#define RIG_DICT_BYTES 6000u

/* Pages of the kinds of model.h, one after another; the same for a seed on
 * every machine. Release with free(3). */
unsigned char *rig_pages(uint64_t seed, unsigned nr);

/* A model trained on such pages, with a dictionary of pieces of them or without
 * one (@dict_bytes 0). Release with plz_model_free(). */
struct plz_model *rig_model(uint64_t seed, size_t dict_bytes);

/* A workspace whose last byte is its memory's, so that a sanitizer sees what
 * reads beyond; full of garbage. Release with free(3). */
struct plz_workspace *rig_workspace(enum plz_use use);

/* Compress and decompress; in buffers that end where they may be touched.
 * Return: the length, or 0 where it is more than PLZ_MAX_BYTES. */
size_t rig_round_trip(const struct plz_model *model, enum plz_effort effort,
		      struct plz_workspace *work, const unsigned char *page);

#endif
