/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

#include "image_rig.h"
#include "quiet.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"

off_t rig_find_in_image(const void *needle, size_t bytes)
{
	static unsigned char image[64 * MIB];
	ssize_t n = pread(rig_image_fd(), image, sizeof(image), 0);
	unsigned char *found;

	ck_assert_int_gt(n, 0);
	found = memmem(image, (size_t)n, needle, bytes);
	return found ? found - image : -1;
}

void rig_get_from_image(off_t at, void *dst, size_t bytes)
{
	quiet_assert(pread(rig_image_fd(), dst, bytes, at) == (ssize_t)bytes);
}

void rig_put_in_image(off_t at, const void *src, size_t bytes)
{
	quiet_assert(pwrite(rig_image_fd(), src, bytes, at) == (ssize_t)bytes);
}

/* As the store compressed the page, with the codec's current dictionary. */
static int compress(const struct store_rig *rig, enum zstore_codec codec,
		    const unsigned char *page, struct rig_object *object)
{
	const struct zcomp_params *params = zstore_codec(rig->store, codec);
	struct zcomp_dict *dict = NULL;
	struct zcomp_ctx *zcomp;
	size_t nr_bytes;
	const void *bytes = zstore_dict_bytes(rig->store, codec, &nr_bytes);
	int err;

	ck_assert_int_eq(zcomp_ctx_create(params, ZSD_PAGE_BYTES, &zcomp), 0);
	if (bytes)
		ck_assert_int_eq(zcomp_dict_create(params, ZSD_PAGE_BYTES,
						   bytes, nr_bytes, &dict),
				 0);
	err = zcomp_compress(zcomp, dict, page, ZSD_PAGE_BYTES, object->content,
			     zstore_huge_class_size(rig->store) - 1,
			     &object->bytes);
	zcomp_dict_destroy(dict);
	zcomp_ctx_destroy(zcomp);
	return err;
}

/* What page @index is stored as. */
static void pack(struct store_rig *rig, uint64_t index,
		 struct rig_object *object)
{
	const unsigned char *page = rig->flat + index * ZSD_PAGE_BYTES;
	struct zstore_block block = {0};

	object->index = index;
	ck_assert(zstore_block(rig->store, index, &block));
	if (model_page_is_same(page)) {
		object->bytes = sizeof(uint64_t);
		memcpy(object->content, page, object->bytes);
	} else if (compress(rig,
			    block.is_recompressed ? ZSTORE_SECONDARY
						  : ZSTORE_PRIMARY,
			    page, object)) {
		memcpy(object->content, page, ZSD_PAGE_BYTES);
		object->bytes = ZSD_PAGE_BYTES;
	}
}

void rig_any_object(struct store_rig *rig, uint64_t nr_pages,
		    struct rig_object *object)
{
	for (uint64_t index = 0; index < nr_pages; index++) {
		pack(rig, index, object);
		object->at = rig_find_in_image(object->content, object->bytes);
		if (object->at >= 0)
			return;
	}
	ck_abort_msg("no object is in one piece");
}

void rig_damage(const struct rig_object *object)
{
	unsigned char ones[ZSD_PAGE_BYTES];

	memset(ones, 0xff, sizeof(ones));
	rig_put_in_image(object->at, ones, object->bytes);
}

void rig_flip_bit(const struct rig_object *object, size_t bit)
{
	unsigned char byte = object->content[bit / 8];

	byte ^= (unsigned char)(1u << bit % 8);
	rig_put_in_image(object->at + (off_t)(bit / 8), &byte, 1);
}

void rig_repair(const struct rig_object *object)
{
	rig_put_in_image(object->at, object->content, object->bytes);
}
