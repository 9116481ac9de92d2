/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_rig - changes what a store keeps behind its back
 *
 * Objects are found in the file of the image by their bytes, which the test
 * can tell, since it knows the pages and the codec.
 */
#ifndef ZSD_UNIT_IMAGE_RIG_H
#define ZSD_UNIT_IMAGE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store_rig.h"

/* Where the object of a page is in the image. */
struct rig_object {
	uint64_t index; /* of the page */
	off_t at;
	size_t bytes;
	unsigned char content[ZSD_PAGE_BYTES];
};

/* Where @bytes of @needle, which are there once, begin; -1: nowhere in one
 * piece. */
off_t rig_find_in_image(const void *needle, size_t bytes);

void rig_get_from_image(off_t at, void *dst, size_t bytes);
void rig_put_in_image(off_t at, const void *src, size_t bytes);

/* An object of one of the pages 0 .. @nr_pages - 1 that is in one piece. */
void rig_any_object(struct store_rig *rig, uint64_t nr_pages,
		    struct rig_object *object);

/* What no codec takes for its own. */
void rig_damage(const struct rig_object *object);

/* The least that there is: bit @bit of the object is the other one. */
void rig_flip_bit(const struct rig_object *object, size_t bit);

/* Undo either. */
void rig_repair(const struct rig_object *object);

#endif
