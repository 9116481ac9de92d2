/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_rig - a store to be tested, and a flat copy of what it must hold
 *
 * Every change goes to both. From the copy follow the content of each page
 * and, by compressing it once more, the statistics to the byte.
 */
#ifndef ZSD_UNIT_STORE_RIG_H
#define ZSD_UNIT_STORE_RIG_H

#include <check.h>

#include "model/model.h"
#include "zstore/zstore.h"

/* A small disk whose last group of slots is not whole. */
#define RIG_DISK_PAGES 1500u

struct store_rig {
	struct zstore_params params;
	struct zstore *store;
	struct zstore_ctx *ctx;
	unsigned char *flat; /* the disk */
	bool *is_stored; /* for each page: written since it was trimmed */
	uint64_t nr_pages;
	struct model_rng rng;
};

/* Ready-made parameters: RIG_DISK_PAGES, no limit, a reserve of 1 MiB. */
struct zstore_params rig_params(const char *algorithm);

void rig_open(struct store_rig *rig, const struct zstore_params *params);
void rig_close(struct store_rig *rig);

/* Change both, which must succeed. */
void rig_write(struct store_rig *rig, uint64_t offset, size_t bytes,
	       const void *src);
void rig_trim(struct store_rig *rig, uint64_t offset, uint64_t bytes);
void rig_write_zeroes(struct store_rig *rig, uint64_t offset, uint64_t bytes);
void rig_store_zeroes(struct store_rig *rig, uint64_t offset, uint64_t bytes);

/* Write one page of @kind. */
void rig_write_page(struct store_rig *rig, uint64_t index,
		    enum model_page kind);

/* The same where it may fail. Return: as zstore_write(); the copy follows. */
int rig_try_write_page(struct store_rig *rig, uint64_t index,
		       enum model_page kind);

/* A range of the disk must read as the copy says. */
void rig_assert_range(struct store_rig *rig, uint64_t offset, size_t bytes);

/* The whole disk must, and the verifier must be content. */
void rig_assert_sound(struct store_rig *rig);

/* Pages, same-filled and huge ones, and compressed bytes must be exact. */
void rig_assert_stats(struct store_rig *rig);

/* The size class of page @index's object, which is no same-filled page. */
unsigned rig_class_of(struct store_rig *rig, uint64_t index);

struct zstore_stats rig_stats(struct store_rig *rig);

/* The image's file; it can be read and damaged through it. */
int rig_image_fd(void);

/* Memory that the system really gave for the image, bytes. */
uint64_t rig_resident_bytes(void);

#endif
