/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "model/own_ctx.h"
#include "told_rig.h"

struct store_rig rig;
void (*told_meanwhile)(void);

/* What a page begins with; what follows is made of it. */
struct told {
	uint32_t len_bytes[ZSTORE_CODECS]; /* that it is to become */
	uint64_t seed; /* not 0: the page would be same-filled */
};

static void make_page(const struct told *told, unsigned char *page)
{
	struct model_rng rng;

	model_rng_init(&rng, told->seed);
	model_rng_fill(&rng, page, ZSD_PAGE_BYTES);
	memcpy(page, told, sizeof(*told));
}

static void do_meanwhile(void)
{
	void (*deed)(void) = told_meanwhile;

	told_meanwhile = NULL;
	if (deed)
		deed();
}

/* The linker has these called by the store. */
int __wrap_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t dst_bytes, size_t *out_bytes);
int __wrap_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes);

int __wrap_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t dst_bytes, size_t *out_bytes)
{
	struct told told;
	uint32_t len;

	(void)dict;
	ck_assert_uint_eq(src_bytes, ZSD_PAGE_BYTES);
	memcpy(&told, src, sizeof(told));
	if (ctx == rig.ctx->zcomp[ZSTORE_SECONDARY])
		do_meanwhile();
	len = told.len_bytes[ctx == rig.ctx->zcomp[ZSTORE_SECONDARY]];
	if (len > dst_bytes)
		return -ENOSPC;
	memset(dst, 0x5a, len);
	memcpy(dst, &told, sizeof(told));
	*out_bytes = len;
	return 0;
}

int __wrap_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes)
{
	struct told told;

	(void)dict;
	ck_assert_uint_eq(dst_bytes, ZSD_PAGE_BYTES);
	memcpy(&told, src, sizeof(told));
	/* By the codec that made it. */
	ck_assert_uint_eq(
		src_bytes,
		told.len_bytes[ctx == rig.ctx->zcomp[ZSTORE_SECONDARY]]);
	make_page(&told, dst);
	return 0;
}

struct zstore_params told_params(void)
{
	struct zstore_params params = rig_params("lz4");

	ck_assert_int_eq(zcomp_parse("zstd:3", &params.recomp), 0);
	params.chain_size = 8; /* zram's, for the vectors are of its classes */
	return params;
}

int told_try_put(uint64_t index, uint32_t before, uint32_t after)
{
	struct told told = {{before, after}, index + 1};
	unsigned char page[ZSD_PAGE_BYTES];
	uint64_t offset = index * ZSD_PAGE_BYTES;
	int err;

	make_page(&told, page);
	err = zstore_write(rig.ctx, offset, sizeof(page), page);
	if (err)
		return err;
	memcpy(rig.flat + offset, page, sizeof(page));
	rig.is_stored[index] = true;
	return 0;
}

void told_put(uint64_t index, uint32_t before, uint32_t after)
{
	ck_assert_int_eq(told_try_put(index, before, after), 0);
}

struct zstore_block told_block(uint64_t index)
{
	struct zstore_block block = {0};

	ck_assert(zstore_block(rig.store, index, &block));
	return block;
}

void told_write_twice(uint64_t index, uint32_t before, uint32_t after)
{
	const uint64_t slot = slot_load(&rig.store->slots[index]);
	const uint64_t offset = index * ZSD_PAGE_BYTES;
	unsigned char *page = rig.flat + offset;
	struct zstore_ctx *other;

	ck_assert_int_eq(own_ctx_create(rig.store, &other), 0);
	for (uint64_t seed = 100; seed < 102; seed++) {
		struct told told = {{before, after}, seed};

		make_page(&told, page);
		ck_assert_int_eq(
			zstore_write(other, offset, ZSD_PAGE_BYTES, page), 0);
	}
	own_ctx_destroy(other);
	ck_assert_uint_eq(slot_load(&rig.store->slots[index]), slot);
}
