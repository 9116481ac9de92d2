/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocator against an array of objects with their bytes.
 *
 * One thread, so that everything can be told beforehand: whether an
 * allocation must succeed, what each class has in use, what compaction frees.
 * Each round has a pool of its own shape.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "model/model.h"
#include "model/refuse.h"
#include "zsmalloc/zsmalloc.h"

#define MAX_LIVE  4096u
#define MAX_FREED 256u
#define NR_ROUNDS 12u

/*
 * Metadata is committed some KiB at a time: that much may be missing to an
 * allocation that would fit the limit by itself, bytes.
 */
#define SLACK_BYTES (96 * KIB)

/* st_blocks counts in these. */
#define STAT_BLOCK_BYTES 512u

/* How sizes are drawn. */
enum sizes {
	SIZES_ANY, /* 1 .. 4096, all alike */
	SIZES_PAGES, /* as compressed pages have them */
	SIZES_FEW, /* few classes, many zspages of each */
	SIZES_EDGES, /* the first and the last of classes */
	SIZES_TINY,
	SIZES_LARGE, /* around the border to huge */
	NR_SIZES,
};

struct object {
	uint32_t bytes;
	unsigned char *content; /* one of model.content, however it moves */
};

struct model {
	struct model_run run;
	struct model_rng rng;
	enum model_phase phase;
	enum sizes sizes;
	struct mapping map;
	struct zs_pool *pool;
	struct zs_pool_params params;
	struct zs_geometry table[ZS_NR_CLASSES];
	uint64_t limit_bytes;
	uint64_t charged_bytes;
	struct zs_compact_cursor cursor;

	/* Objects 0 .. nr_live - 1 are live, in no order. */
	uint32_t nr_live;
	zs_handle handles[MAX_LIVE];
	struct object objects[MAX_LIVE];
	uint64_t nr_used[ZS_NR_CLASSES]; /* by class */
	zs_handle freed[MAX_FREED]; /* some handles that were live once */

	uint64_t nr_waits, nr_enospc, nr_stale, nr_reused, nr_straddling,
		nr_at_limit;
	uint64_t nr_moved, nr_compacted, nr_verified, nr_without_memory;
};

static unsigned char content_memory[MAX_LIVE][ZS_MAX_OBJ_BYTES];

#define CHECK_MODEL(m, cond, ...) MODEL_CHECK(&(m)->run, cond, __VA_ARGS__)

/* --- what is expected ---------------------------------------------------- */

static struct zs_pool_stats stats_of(struct model *m)
{
	struct zs_pool_stats stats;

	zs_pool_stats(m->pool, &stats);
	return stats;
}

static uint64_t used_bytes(const struct zs_pool_stats *stats)
{
	return stats->pages_used * ZSD_PAGE_BYTES + stats->metadata_bytes +
	       stats->charged_bytes;
}

static uint64_t accounted_bytes(const struct zs_pool_stats *stats)
{
	return used_bytes(stats) + stats->pages_reserve * ZSD_PAGE_BYTES;
}

static uint64_t resident_bytes(struct model *m)
{
	struct stat st;

	CHECK_MODEL(m, fstat(m->map.fd, &st) == 0, "fstat: errno %d", errno);
	return (uint64_t)st.st_blocks * STAT_BLOCK_BYTES;
}

/* Where there is a limit, nothing may make memory grow beyond it. */
static void check_limit(struct model *m, const struct zs_pool_stats *before)
{
	struct zs_pool_stats after = stats_of(m);
	uint64_t most = max_u64(m->limit_bytes, accounted_bytes(before));

	CHECK_MODEL(m, !m->limit_bytes || accounted_bytes(&after) <= most,
		    "%" PRIu64 " bytes in use, limit %" PRIu64
		    ", before %" PRIu64,
		    accounted_bytes(&after), m->limit_bytes,
		    accounted_bytes(before));
}

static uint32_t find_handle(const struct model *m, zs_handle handle)
{
	uint32_t i = 0;

	while (i < m->nr_live && m->handles[i] != handle)
		i++;
	return i;
}

static uint64_t sum_freeable(struct model *m)
{
	struct zs_class_stats stats;
	uint64_t sum = 0;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (zs_class_stats(m->pool, i, &stats))
			sum += stats.freeable;
	}
	return sum;
}

/* Whether a page may be taken for what is allocated in this @how. */
static bool may_lack_room(struct model *m, enum zs_alloc how,
			  const struct zs_pool_stats *stats)
{
	uint64_t limit = m->limit_bytes;
	uint64_t reserve = m->params.reserve_pages * ZSD_PAGE_BYTES;

	if (!limit)
		return false;
	if (how == ZS_NORMAL)
		limit -= min_u64(limit / 16, reserve);
	return used_bytes(stats) + ZSD_PAGE_BYTES + SLACK_BYTES > limit;
}

/* --- drawing ------------------------------------------------------------- */

static uint32_t draw_edge(struct model *m)
{
	const struct zs_geometry *g =
		&m->table[model_rng_below(&m->rng, ZS_NR_CLASSES)];
	int64_t bytes = (int64_t)g->size_bytes - ZS_HEADER_BYTES +
			(int64_t)model_rng_range(&m->rng, 0, 2) - 1;

	return (uint32_t)(bytes > 4096 ? 4096 : bytes);
}

/* Three in twenty are huge; the others are around 1500, as LZ4 leaves them. */
static uint32_t draw_page(struct model *m)
{
	uint64_t sum = 0;

	if (model_rng_below(&m->rng, 20) < 3)
		return ZS_MAX_OBJ_BYTES;
	for (int i = 0; i < 3; i++)
		sum += model_rng_range(&m->rng, 20, 1000);
	return (uint32_t)sum;
}

/* Few classes, whose zspages are many, are what compaction is about. */
static enum sizes draw_sizes(struct model *m)
{
	if (model_rng_one_in(&m->rng, 3))
		return SIZES_FEW;
	return (enum sizes)model_rng_below(&m->rng, NR_SIZES);
}

static uint32_t draw_size(struct model *m)
{
	static const uint32_t few[] = {100, 204, 900, 1500, 3000, 3600};

	switch (m->sizes) {
	case SIZES_PAGES:
		return draw_page(m);
	case SIZES_FEW:
		return few[model_rng_below(&m->rng, ARRAY_SIZE(few))];
	case SIZES_EDGES:
		return draw_edge(m);
	case SIZES_TINY:
		return (uint32_t)model_rng_range(&m->rng, 1, 100);
	case SIZES_LARGE:
		return (uint32_t)model_rng_range(&m->rng, 3000, 4096);
	case SIZES_ANY:
	case NR_SIZES:
		break;
	}
	return (uint32_t)model_rng_range(&m->rng, 1, 4096);
}

static void fill_content(struct model *m, struct object *object)
{
	model_rng_fill(&m->rng, object->content, object->bytes);
}

/* It follows from the content. */
static uint32_t tag_of(const struct object *object)
{
	return object->bytes * 2654435761u + object->content[0];
}

/* --- operations ---------------------------------------------------------- */

/* @nr_refused: refusals before the allocation. */
static void check_failure(struct model *m, enum zs_alloc how, bool has_object,
			  const struct zs_pool_stats *before,
			  uint64_t nr_refused, int err)
{
	bool is_arena_full = before->pages_used == m->params.nr_pages;

	if (refuse_count() != nr_refused) {
		CHECK_MODEL(m, err == -ENOSPC || err == -ENOMEM,
			    "zs_store without memory returned %d", err);
		m->nr_without_memory++;
		return;
	}
	CHECK_MODEL(m, err == -ENOSPC, "zs_store returned %d", err);
	m->nr_enospc++;
	if (may_lack_room(m, how, before)) {
		m->nr_at_limit++;
		return;
	}
	CHECK_MODEL(m, is_arena_full && !has_object,
		    "no room, with %" PRIu64 " of %" PRIu64
		    " pages and %u of %" PRIu64 " handles in use",
		    before->pages_used, m->params.nr_pages, m->nr_live,
		    m->params.nr_handles);
}

static void op_store(void *arg)
{
	struct model *m = arg;
	struct object *object = &m->objects[m->nr_live];
	enum zs_alloc how =
		model_rng_one_in(&m->rng, 8) ? ZS_SHRINKING : ZS_NORMAL;
	zs_handle untouched = ZS_HANDLE_NONE, handle = untouched;
	struct zs_pool_stats before = stats_of(m);
	uint64_t nr_refused = refuse_count();
	struct zs_class_stats class;
	unsigned class_idx;
	int err;

	if (m->nr_live == min_u64(MAX_LIVE, m->params.nr_handles))
		return;
	object->bytes = draw_size(m);
	class_idx = zs_lookup_class_index(m->pool, object->bytes);
	CHECK_MODEL(m, zs_class_stats(m->pool, class_idx, &class),
		    "class %u of size %u does not exist", class_idx,
		    object->bytes);
	fill_content(m, object);
	do {
		err = zs_store(m->pool, object->content, object->bytes,
			       tag_of(object), how, &handle);
		m->nr_waits += err == -EAGAIN;
	} while (err == -EAGAIN && !(err = zs_make_ready(m->pool, how)));
	check_limit(m, &before);
	if (err) {
		CHECK_MODEL(m, handle == untouched, "handle %u on error",
			    handle);
		check_failure(m, how, class.obj_used < class.obj_allocated,
			      &before, nr_refused, err);
		return;
	}
	CHECK_MODEL(m, handle && find_handle(m, handle) == m->nr_live,
		    "handle %u is given out twice", handle);
	m->handles[m->nr_live++] = handle;
	m->nr_used[class_idx]++;
}

static void free_object(struct model *m, uint32_t i)
{
	struct object object = m->objects[i];
	zs_handle handle = m->handles[i];

	zs_free(m->pool, handle);
	m->freed[model_rng_below(&m->rng, MAX_FREED)] = handle;
	m->nr_used[zs_lookup_class_index(m->pool, object.bytes)]--;
	m->nr_live--;
	m->handles[i] = m->handles[m->nr_live];
	m->objects[i] = m->objects[m->nr_live];
	m->objects[m->nr_live].content = object.content;
}

static void op_free(void *arg)
{
	struct model *m = arg;

	if (m->nr_live)
		free_object(m, (uint32_t)model_rng_below(&m->rng, m->nr_live));
}

static void check_object(struct model *m, uint32_t i, size_t bytes)
{
	unsigned char local[ZS_MAX_OBJ_BYTES];
	const unsigned char *end = m->map.base + m->map.bytes, *p;
	const void *found = NULL;
	int err =
		zs_obj_read_begin(m->pool, m->handles[i], bytes, local, &found);

	CHECK_MODEL(m, !err, "handle %u, live: %d", m->handles[i], err);
	p = found;
	CHECK_MODEL(m, p == local || (p >= m->map.base && p + bytes <= end),
		    "handle %u: bytes outside the arena", m->handles[i]);
	CHECK_MODEL(m, memcmp(p, m->objects[i].content, bytes) == 0,
		    "handle %u: wrong bytes, %u of %u", m->handles[i],
		    (unsigned)bytes, m->objects[i].bytes);
	CHECK_MODEL(m,
		    !m->params.has_tags || zs_obj_tag(m->pool, m->handles[i]) ==
						   tag_of(&m->objects[i]),
		    "handle %u: wrong tag", m->handles[i]);
	m->nr_straddling += p == local;
	zs_obj_read_end(m->pool, m->handles[i]);
}

static void op_read(void *arg)
{
	struct model *m = arg;
	uint32_t i;

	if (!m->nr_live)
		return;
	i = (uint32_t)model_rng_below(&m->rng, m->nr_live);
	check_object(m, i, model_rng_range(&m->rng, 0, m->objects[i].bytes));
}

/* A handle that was freed: dead, or by now another object's. */
static void op_read_stale(void *arg)
{
	struct model *m = arg;
	zs_handle handle = m->freed[model_rng_below(&m->rng, MAX_FREED)];
	unsigned char local[ZS_MAX_OBJ_BYTES];
	size_t bytes = model_rng_range(&m->rng, 0, ZS_MAX_OBJ_BYTES);
	const void *found;
	uint32_t i = find_handle(m, handle);
	int err;

	if (!handle)
		return;
	err = zs_obj_read_begin(m->pool, handle, bytes, local, &found);
	if (!err)
		zs_obj_read_end(m->pool, handle);
	if (i == m->nr_live) {
		CHECK_MODEL(m, err == -ESTALE, "handle %u, dead: %d", handle,
			    err);
		m->nr_stale++;
		return;
	}
	m->nr_reused++;
	CHECK_MODEL(m, !err || (err == -ESTALE && bytes > m->objects[i].bytes),
		    "handle %u of %u bytes, read %u: %d", handle,
		    m->objects[i].bytes, (unsigned)bytes, err);
}

/* After compaction no class has a page more than its objects need. */
static void check_packed(struct model *m, unsigned class_idx)
{
	const struct zs_geometry *g = &m->table[class_idx];
	uint64_t nr_full = m->nr_used[class_idx] / g->objs_per_zspage;
	uint64_t left_over = m->nr_used[class_idx] % g->objs_per_zspage;
	uint64_t needed =
		nr_full * g->pages_per_zspage +
		(left_over * g->size_bytes + ZSD_PAGE_BYTES - 1) /
			ZSD_PAGE_BYTES;
	struct zs_class_stats stats;

	if (!zs_class_stats(m->pool, class_idx, &stats))
		return;
	CHECK_MODEL(m, stats.pages_used == needed,
		    "class %u: %" PRIu64 " objects in %" PRIu64
		    " pages, not %" PRIu64,
		    class_idx, stats.obj_used, stats.pages_used, needed);
}

static void op_compact(void *arg)
{
	struct model *m = arg;
	struct zs_pool_stats before = stats_of(m), after;
	uint64_t promised = sum_freeable(m), freed;
	struct zs_compacted done;

	zs_compact(m->pool, &done);
	freed = done.freed_pages;
	after = stats_of(m);
	CHECK_MODEL(m, after.objs_moved - before.objs_moved == done.moved_objs,
		    "%" PRIu64 " objects moved, but %" PRIu64 " counted",
		    done.moved_objs, after.objs_moved - before.objs_moved);
	CHECK_MODEL(m, freed == promised,
		    "compaction freed %" PRIu64 " of %" PRIu64 " pages", freed,
		    promised);
	CHECK_MODEL(m, before.pages_used - after.pages_used == freed,
		    "%" PRIu64 " pages freed, but used %" PRIu64
		    " before and %" PRIu64,
		    freed, before.pages_used, after.pages_used);
	CHECK_MODEL(m, sum_freeable(m) == 0, "more to free after compaction");
	CHECK_MODEL(m, freed || before.objs_moved == after.objs_moved,
		    "objects moved for nothing");
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++)
		check_packed(m, i);
}

/* An object is being read meanwhile; nobody else has it pinned. */
static void op_compact_beside_reader(void *arg)
{
	unsigned char local[ZS_MAX_OBJ_BYTES];
	struct model *m = arg;
	uint64_t promised = sum_freeable(m);
	struct zs_compacted done;
	const void *found;
	uint32_t i;

	if (!m->nr_live)
		return;
	i = (uint32_t)model_rng_below(&m->rng, m->nr_live);
	CHECK_MODEL(m,
		    zs_obj_read_begin(m->pool, m->handles[i],
				      m->objects[i].bytes, local, &found) == 0,
		    "handle %u is dead", m->handles[i]);
	zs_compact(m->pool, &done);
	CHECK_MODEL(m,
		    memcmp(found, m->objects[i].content,
			   m->objects[i].bytes) == 0,
		    "handle %u: bytes changed under its reader", m->handles[i]);
	zs_obj_read_end(m->pool, m->handles[i]);
	CHECK_MODEL(m, done.freed_pages <= promised,
		    "compaction freed %" PRIu64 " of %" PRIu64 " pages",
		    done.freed_pages, promised);
}

static void op_compact_slice(void *arg)
{
	struct model *m = arg;
	struct zs_pool_stats before = stats_of(m), after;
	unsigned max = (unsigned)model_rng_range(&m->rng, 1, 60);
	uint64_t freed = UINT64_MAX;

	if (!zs_compact_slice(m->pool, &m->cursor, max, &freed))
		m->cursor = (struct zs_compact_cursor){0};
	after = stats_of(m);
	CHECK_MODEL(m, after.objs_moved - before.objs_moved <= max,
		    "a slice of %u moved %" PRIu64, max,
		    after.objs_moved - before.objs_moved);
	CHECK_MODEL(m, before.pages_used - after.pages_used == freed,
		    "slice freed %" PRIu64 " pages, not %" PRIu64,
		    before.pages_used - after.pages_used, freed);
}

static void op_housekeep(void *arg)
{
	struct model *m = arg;
	struct zs_pool_stats before = stats_of(m);

	zs_pool_housekeep(m->pool, UINT64_MAX);
	check_limit(m, &before);
}

static void op_shrink(void *arg)
{
	struct model *m = arg;
	struct zs_pool_stats before = stats_of(m), after;
	uint64_t released = zs_pool_shrink(m->pool);

	after = stats_of(m);
	CHECK_MODEL(m, before.pages_reserve - after.pages_reserve == released,
		    "%" PRIu64 " pages released, reserve %" PRIu64
		    " before and %" PRIu64,
		    released, before.pages_reserve, after.pages_reserve);
	CHECK_MODEL(m,
		    after.pages_reserve <=
			    max_u64(m->params.reserve_pages,
				    before.pages_reserve - released),
		    "%" PRIu64 " pages in reserve", after.pages_reserve);
}

/* None, or somewhere around what is in use. */
static void op_set_limit(void *arg)
{
	struct model *m = arg;
	struct zs_pool_stats stats = stats_of(m);
	uint64_t used = accounted_bytes(&stats);

	m->limit_bytes = 0;
	if (model_rng_one_in(&m->rng, 2))
		m->limit_bytes =
			model_rng_range(&m->rng, used / 2, 2 * used + MIB);
	zs_pool_set_limit(m->pool, m->limit_bytes);
}

/* How much memory the system has: mostly enough. */
static void op_refuse(void *arg)
{
	static const unsigned chances[] = {0, 0, 0, 20, 3, 1};
	struct model *m = arg;

	refuse_one_in(chances[model_rng_below(&m->rng, ARRAY_SIZE(chances))]);
}

static void op_charge(void *arg)
{
	struct model *m = arg;
	struct zs_pool_stats before = stats_of(m);
	uint64_t bytes = model_rng_range(&m->rng, 1, 256 * KIB);
	int err;

	if (m->charged_bytes >= bytes) {
		zs_pool_uncharge(m->pool, bytes);
		m->charged_bytes -= bytes;
	} else {
		err = zs_pool_charge(m->pool, bytes, ZS_SHRINKING);
		check_limit(m, &before);
		CHECK_MODEL(m,
			    !err || (err == -ENOSPC && m->limit_bytes &&
				     used_bytes(&before) + bytes >
					     m->limit_bytes),
			    "charge of %" PRIu64 ": %d", bytes, err);
		m->charged_bytes += err ? 0 : bytes;
	}
	CHECK_MODEL(m, stats_of(m).charged_bytes == m->charged_bytes,
		    "%" PRIu64 " bytes charged, not %" PRIu64,
		    stats_of(m).charged_bytes, m->charged_bytes);
}

static void check_class(struct model *m, unsigned class_idx, uint64_t *nr_pages)
{
	struct zs_class_stats stats;

	if (!zs_class_stats(m->pool, class_idx, &stats)) {
		CHECK_MODEL(m, !m->nr_used[class_idx], "class %u is merged",
			    class_idx);
		return;
	}
	CHECK_MODEL(m, stats.obj_used == m->nr_used[class_idx],
		    "class %u: %" PRIu64 " objects, not %" PRIu64, class_idx,
		    stats.obj_used, m->nr_used[class_idx]);
	CHECK_MODEL(m, stats.obj_allocated >= stats.obj_used,
		    "class %u: %" PRIu64 " objects in room for %" PRIu64,
		    class_idx, stats.obj_used, stats.obj_allocated);
	*nr_pages += stats.pages_used;
}

static void op_verify(void *arg)
{
	struct model *m = arg;
	char text[ZS_VERIFY_TEXT_BYTES];
	struct zs_pool_stats stats = stats_of(m);
	uint64_t nr_pages = 0;

	CHECK_MODEL(m, zs_pool_verify(m->pool, text) == 0, "verifier: %s",
		    text);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++)
		check_class(m, i, &nr_pages);
	CHECK_MODEL(m, nr_pages == stats.pages_used,
		    "classes have %" PRIu64 " pages, the pool %" PRIu64,
		    nr_pages, stats.pages_used);
	CHECK_MODEL(m,
		    resident_bytes(m) + stats.charged_bytes ==
			    accounted_bytes(&stats),
		    "%" PRIu64 " bytes are resident, accounted are %" PRIu64,
		    resident_bytes(m) + stats.charged_bytes,
		    accounted_bytes(&stats));
	for (uint32_t i = 0; i < m->nr_live; i++)
		check_object(m, i, m->objects[i].bytes);
	m->nr_verified++;
}

static const struct model_op ops[] = {
	{"store", {600, 150, 300}, op_store},
	{"free", {150, 600, 300}, op_free},
	{"read", {150, 150, 300}, op_read},
	{"read of a freed handle", {20, 20, 20}, op_read_stale},
	{"compact", {1, 1, 8}, op_compact},
	{"compact beside a reader", {1, 1, 8}, op_compact_beside_reader},
	{"compact a slice", {4, 4, 80}, op_compact_slice},
	{"housekeep", {10, 10, 10}, op_housekeep},
	{"shrink", {2, 2, 2}, op_shrink},
	{"set the limit", {2, 2, 2}, op_set_limit},
	{"make memory scarce", {2, 2, 2}, op_refuse},
	{"charge", {2, 2, 2}, op_charge},
	{"verify", {4, 4, 4}, op_verify},
};

/* --- rounds -------------------------------------------------------------- */

static void open_pool(struct model *m)
{
	const bool is_tight = model_rng_one_in(&m->rng, 3);
	int err;

	m->params = (struct zs_pool_params){
		.chain_size = (unsigned)model_rng_range(
			&m->rng, ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX),
		.nr_handles = is_tight ? model_rng_range(&m->rng, 300, MAX_LIVE)
				       : MAX_LIVE,
		.nr_pages = is_tight ? model_rng_range(&m->rng, 200, 2000)
				     : 4 * (uint64_t)MAX_LIVE,
		.reserve_pages = model_rng_below(&m->rng, 65),
		.has_tags = model_rng_one_in(&m->rng, 2),
	};
	zs_geometry_table(m->params.chain_size, m->table);
	err = mapping_create("zsd-model", zs_pool_image_bytes(&m->params),
			     &m->map);
	CHECK_MODEL(m, !err, "mapping_create: %d", err);
	refuse_one_in(0);
	err = zs_pool_create(&m->params, &m->map, 0, &m->pool);
	CHECK_MODEL(m, !err, "zs_pool_create: %d", err);
	memset(m->freed, 0, sizeof(m->freed));
	memset(m->nr_used, 0, sizeof(m->nr_used));
	m->cursor = (struct zs_compact_cursor){0};
	m->limit_bytes = 0;
	m->charged_bytes = 0;
	m->nr_live = 0;
	for (uint32_t i = 0; i < MAX_LIVE; i++)
		m->objects[i].content = content_memory[i];
}

static void close_pool(struct model *m)
{
	struct zs_pool_stats stats;

	op_verify(m);
	while (m->nr_live)
		free_object(m, m->nr_live - 1);
	op_verify(m);
	stats = stats_of(m);
	CHECK_MODEL(m, !stats.pages_used, "empty, but %" PRIu64 " pages used",
		    stats.pages_used);
	m->nr_moved += stats.objs_moved;
	m->nr_compacted += stats.pages_compacted;
	zs_pool_destroy(m->pool);
	mapping_destroy(&m->map);
}

static void run_round(struct model *m, uint64_t nr_ops, uint64_t *counts)
{
	uint64_t phase_left = 0;

	open_pool(m);
	while (nr_ops--) {
		size_t op;

		if (!phase_left--) {
			m->phase = (enum model_phase)model_rng_below(
				&m->rng, MODEL_NR_PHASES);
			m->sizes = draw_sizes(m);
			phase_left = model_rng_range(&m->rng, 200, 8000);
		}
		op = model_pick(&m->rng, ops, ARRAY_SIZE(ops), m->phase);
		ops[op].run(m);
		counts[op]++;
		m->run.op++;
	}
	close_pool(m);
}

int main(void)
{
	static struct model m;
	uint64_t counts[ARRAY_SIZE(ops)] = {0};

	model_run_begin(&m.run, "model_zsmalloc");
	model_rng_init(&m.rng, m.run.seed);
	for (unsigned i = 0; i < NR_ROUNDS; i++)
		run_round(&m, m.run.nr_ops / NR_ROUNDS, counts);
	model_report_ops(&m.run, ops, counts, ARRAY_SIZE(ops));
	model_report_fact(&m.run, "waits for memory", m.nr_waits);
	model_report_fact(&m.run, "allocations without room", m.nr_enospc);
	model_report_fact(&m.run, "of them at the limit", m.nr_at_limit);
	model_report_fact(&m.run, "allocations without memory",
			  m.nr_without_memory);
	model_report_fact(&m.run, "reads of a dead handle", m.nr_stale);
	model_report_fact(&m.run, "reads of a handle come again", m.nr_reused);
	model_report_fact(&m.run, "reads of straddling objects",
			  m.nr_straddling);
	model_report_fact(&m.run, "objects moved by compaction", m.nr_moved);
	model_report_fact(&m.run, "pages freed by compaction", m.nr_compacted);
	model_report_fact(&m.run, "times verified", m.nr_verified);
	return EXIT_SUCCESS;
}
