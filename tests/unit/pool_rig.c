/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "model/model.h"
#include "pool_rig.h"
#include "quiet.h"

/* st_blocks counts in these, whatever the file system's blocks. */
#define STAT_BLOCK_BYTES 512u

static void count_wake(void *arg)
{
	struct pool_rig *rig = arg;

	atomic_fetch_add(&rig->nr_wakes, 1);
}

void rig_open(struct pool_rig *rig, const struct zs_pool_params *params)
{
	rig->params = *params;
	rig->params.wake = count_wake;
	rig->params.wake_arg = rig;
	rig->nr_wakes = 0;
	rig->pool = NULL;
	ck_assert_int_eq(mapping_create("zsd-test",
					zs_pool_image_bytes(&rig->params),
					&rig->map),
			 0);
	ck_assert_int_eq(zs_pool_create(&rig->params, &rig->map, 0, &rig->pool),
			 0);
}

void rig_close(struct pool_rig *rig)
{
	zs_pool_destroy(rig->pool);
	mapping_destroy(&rig->map);
}

void rig_content(unsigned char *dst, size_t bytes, uint32_t seed)
{
	struct model_rng rng;

	model_rng_init(&rng, seed);
	model_rng_fill(&rng, dst, bytes);
}

uint32_t rig_tag(uint32_t seed)
{
	return seed * 2654435761u;
}

int rig_store(struct pool_rig *rig, const void *src, size_t bytes, uint32_t tag,
	      enum zs_alloc how, zs_handle *out)
{
	int err;

	do {
		err = zs_store(rig->pool, src, bytes, tag, how, out);
	} while (err == -EAGAIN && !(err = zs_make_ready(rig->pool, how)));
	return err;
}

int rig_try_put(struct pool_rig *rig, size_t bytes, enum zs_alloc how,
		uint32_t seed, zs_handle *out)
{
	unsigned char content[ZS_MAX_OBJ_BYTES];

	rig_content(content, bytes, seed);
	return rig_store(rig, content, bytes, rig_tag(seed), how, out);
}

zs_handle rig_put(struct pool_rig *rig, size_t bytes, uint32_t seed)
{
	zs_handle handle = ZS_HANDLE_NONE;

	quiet_assert(rig_try_put(rig, bytes, ZS_NORMAL, seed, &handle) == 0);
	quiet_assert(handle != ZS_HANDLE_NONE);
	return handle;
}

void rig_shuffle_pages(struct pool_rig *rig)
{
	enum {
		NR = 256
	};
	zs_handle handles[NR];
	struct model_rng rng;

	model_rng_init(&rng, 1);
	for (uint32_t i = 0; i < NR; i++)
		handles[i] = rig_put(rig, ZS_MAX_OBJ_BYTES, i);
	/* What is freed last is taken first. */
	for (uint32_t left = NR; left > 0; left--) {
		uint64_t at = model_rng_below(&rng, left);

		zs_free(rig->pool, handles[at]);
		handles[at] = handles[left - 1];
	}
}

void rig_assert_holds(struct pool_rig *rig, zs_handle handle, size_t bytes,
		      uint32_t seed)
{
	unsigned char expected[ZS_MAX_OBJ_BYTES], local[ZS_MAX_OBJ_BYTES];
	const void *found = NULL;
	bool same;

	rig_content(expected, bytes, seed);
	quiet_assert(zs_obj_read_begin(rig->pool, handle, bytes, local,
				       &found) == 0);
	same = memcmp(found, expected, bytes) == 0;
	zs_obj_read_end(rig->pool, handle);
	quiet_assert(same);
}

size_t rig_payload_bytes(const struct zs_geometry *geometry)
{
	if (geometry->size_bytes == ZS_MAX_OBJ_BYTES)
		return ZS_MAX_OBJ_BYTES;
	return geometry->size_bytes - ZS_HEADER_BYTES;
}

struct zs_class_stats rig_class_stats(struct pool_rig *rig, size_t bytes)
{
	struct zs_class_stats stats;

	quiet_assert(zs_class_stats(
		rig->pool, zs_lookup_class_index(rig->pool, bytes), &stats));
	return stats;
}

uint64_t rig_freeable(struct pool_rig *rig)
{
	struct zs_class_stats stats;
	uint64_t sum = 0;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (zs_class_stats(rig->pool, i, &stats))
			sum += stats.freeable;
	}
	return sum;
}

struct zs_pool_stats rig_stats(struct pool_rig *rig)
{
	struct zs_pool_stats stats;

	zs_pool_stats(rig->pool, &stats);
	return stats;
}

uint64_t rig_resident_bytes(struct pool_rig *rig)
{
	struct stat st;

	quiet_assert(fstat(rig->map.fd, &st) == 0);
	return (uint64_t)st.st_blocks * STAT_BLOCK_BYTES;
}

uint64_t rig_accounted_bytes(struct pool_rig *rig)
{
	struct zs_pool_stats stats = rig_stats(rig);

	return (stats.pages_used + stats.pages_reserve) * ZSD_PAGE_BYTES +
	       stats.metadata_bytes + stats.charged_bytes;
}

static void assert_class_adds_up(const struct zs_class_stats *stats)
{
	uint64_t nr_zspages =
		stats->almost_empty + stats->almost_full + stats->full;

	quiet_assert(stats->obj_used <= stats->obj_allocated);
	quiet_assert(stats->freeable <= stats->pages_used);
	quiet_assert(!stats->pages_used == !nr_zspages);
	quiet_assert(!stats->pages_used == !stats->obj_used);
	if (!nr_zspages)
		return;
	/* All zspages are whole, but for one that may be growing. */
	quiet_assert(stats->pages_used <=
		     nr_zspages * stats->geometry.pages_per_zspage);
	quiet_assert(stats->pages_used >
		     (nr_zspages - 1) * stats->geometry.pages_per_zspage);
	quiet_assert(stats->obj_allocated <=
		     nr_zspages * stats->geometry.objs_per_zspage);
	quiet_assert(stats->obj_allocated >
		     (nr_zspages - 1) * stats->geometry.objs_per_zspage);
	quiet_assert(stats->obj_used >=
		     stats->full * stats->geometry.objs_per_zspage);
}

void rig_assert_sound(struct pool_rig *rig)
{
	char text[ZS_VERIFY_TEXT_BYTES] = "untouched";
	struct zs_pool_stats pool = rig_stats(rig);
	struct zs_class_stats class;
	uint64_t nr_pages = 0;

	ck_assert_msg(zs_pool_verify(rig->pool, text) == 0, "%s", text);
	ck_assert_str_eq(text, "");
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (!zs_class_stats(rig->pool, i, &class))
			continue;
		assert_class_adds_up(&class);
		nr_pages += class.pages_used;
	}
	ck_assert_uint_eq(nr_pages, pool.pages_used);
	ck_assert_uint_le(pool.pages_used, pool.pages_used_max);
	ck_assert_uint_eq(rig_resident_bytes(rig) + pool.charged_bytes,
			  rig_accounted_bytes(rig));
}
