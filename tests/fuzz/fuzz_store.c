/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on a store, against a flat disk.
 *
 * An input is the store's parameters, then operations of some bytes each.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "flat_disk.h"
#include "fuzz.h"
#include "model/model.h"
#include "model/train.h"
#include "small_store.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"

/* More than one group of slots; the last one is not whole. */
#define DISK_PAGES 600u
#define DISK_BYTES (DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES)

/* Most of a range, pages; trims and zeroes may take all of the disk. */
#define MAX_IO_PAGES 20u
#define MAX_IO_BYTES (MAX_IO_PAGES * (size_t)ZSD_PAGE_BYTES)

/* Most operations that look at all of the store. */
#define MAX_SLOW_OPS 8u

/* Most dictionaries that an input adds: digesting one takes its time. */
#define MAX_DICTS 20u

/* Most pages that an input recompresses, and at a time. */
#define MAX_TRIED	400u
#define MAX_TRIED_A_RUN 40u

/* From these values on a byte adds a dictionary, recompresses, or begins an
 * epoch; below them it is one of ops[]. */
#define FIRST_DICT_OP	    250u
#define FIRST_RECOMPRESS_OP 246u
#define FIRST_EPOCH_OP	    244u

struct fuzz {
	struct fuzz_input in;
	struct small_store s;
	struct zs_compact_cursor cursor;
	uint32_t now_s;
	unsigned nr_slow;
	unsigned nr_dicts;
	uint64_t nr_tried; /* pages, by the secondary codec */
};

/* A range that is page aligned, or not, as a byte says. */
static void take_range(struct fuzz *f, uint64_t max_bytes, uint64_t *offset,
		       size_t *bytes)
{
	uint8_t how = fuzz_byte(&f->in);

	*offset = fuzz_number(&f->in, 2) % DISK_PAGES * ZSD_PAGE_BYTES;
	*bytes = fuzz_byte(&f->in) * (size_t)ZSD_PAGE_BYTES;
	if (how & 1)
		*offset += fuzz_number(&f->in, 2) % ZSD_PAGE_BYTES;
	if (how & 2)
		*bytes += fuzz_number(&f->in, 2) % ZSD_PAGE_BYTES;
	if (how & 4)
		*bytes = max_bytes;
	*bytes = min_u64(*bytes, max_bytes);
	*bytes = min_u64(*bytes, DISK_BYTES - *offset);
}

static void check_failure(const struct fuzz *f, int err)
{
	FUZZ_CHECK(err == -ENOSPC && f->s.params.mem_limit_bytes,
		   "a write fails: %d", err);
}

static void op_write(struct fuzz *f)
{
	static uint8_t src[MAX_IO_BYTES];
	uint64_t offset;
	size_t bytes;
	int err;

	take_range(f, MAX_IO_BYTES, &offset, &bytes);
	small_store_content(&f->in, bytes, src);
	err = zstore_write(f->s.ctx, offset, bytes, src);
	if (!err) {
		flat_write(offset, bytes, src);
		return;
	}
	check_failure(f, err);
	flat_settle_write(f->s.ctx, offset, bytes, src);
}

/* Trims every other page of a range: zspages get holes. */
static void op_comb(struct fuzz *f)
{
	uint64_t index = fuzz_number(&f->in, 2) % DISK_PAGES;
	uint64_t end = min_u64(DISK_PAGES, index + fuzz_byte(&f->in));

	for (; index < end; index += 2) {
		zstore_trim(f->s.ctx, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
		flat_trim(index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
}

static void op_trim(struct fuzz *f)
{
	uint64_t offset;
	size_t bytes;

	take_range(f, DISK_BYTES, &offset, &bytes);
	zstore_trim(f->s.ctx, offset, bytes);
	flat_trim(offset, bytes);
}

static void op_write_zeroes(struct fuzz *f)
{
	uint64_t offset;
	size_t bytes;
	int err;

	take_range(f, DISK_BYTES, &offset, &bytes);
	err = zstore_write_zeroes(f->s.ctx, offset, bytes);
	if (!err) {
		flat_write_zeroes(offset, bytes);
		return;
	}
	check_failure(f, err);
	flat_settle_zeroes(f->s.ctx, offset, bytes);
}

static void op_read(struct fuzz *f)
{
	uint64_t offset;
	size_t bytes;

	take_range(f, MAX_IO_BYTES, &offset, &bytes);
	flat_compare(f->s.ctx, offset, bytes);
}

static void op_compact(struct fuzz *f)
{
	struct zs_compacted done;

	if (f->nr_slow++ < MAX_SLOW_OPS)
		zstore_compact(f->s.store, &done);
}

static void op_compact_slice(struct fuzz *f)
{
	uint64_t freed;

	if (!zs_compact_slice(f->s.store->pool, &f->cursor,
			      1u + fuzz_byte(&f->in), &freed))
		f->cursor = (struct zs_compact_cursor){0};
}

static void op_housekeep(struct fuzz *f)
{
	zstore_housekeep(f->s.store, UINT64_MAX);
}

static void op_check_all(struct fuzz *f)
{
	if (f->nr_slow++ < MAX_SLOW_OPS)
		flat_check_all(f->s.store, f->s.ctx);
}

struct dict {
	unsigned char bytes[MODEL_DICT_BYTES];
	size_t nr_bytes; /* 0: not trained */
};

static void train(const struct zcomp_params *params, struct dict *dict)
{
	struct model_run run = {.name = "fuzz_store"};
	struct model_rng rng;

	model_rng_init(&rng, 1);
	dict->nr_bytes = model_train(&run, params, &rng, dict->bytes);
}

/* One that is good for what small_store_content() makes, always the same of
 * each kind: zstd's, and, which is longer, plz's. */
static const struct dict *trained_dict(const struct zcomp_params *params)
{
	static struct dict dicts[2], zero;
	struct dict *dict;

	if (!params->ops || !zcomp_has_dicts(params)) {
		zero.nr_bytes = ZCOMP_DICT_MIN_BYTES;
		return &zero;
	}
	dict = &dicts[zcomp_dict_bytes_besides(params) != 0];
	if (!dict->nr_bytes)
		train(params, dict);
	return dict;
}

/* Whole, or with up to three bytes of it changed: refused, or as good. */
static void op_add_dict(struct fuzz *f)
{
	uint8_t how = fuzz_byte(&f->in);
	const enum zstore_codec codec =
		how & 4 ? ZSTORE_SECONDARY : ZSTORE_PRIMARY;
	const struct zcomp_params *params = zstore_codec(f->s.store, codec);
	const bool has_dicts = params->ops && zcomp_has_dicts(params);
	unsigned nr_changes = how % 4, number;
	static struct dict dict;
	int err;

	if (f->nr_dicts++ >= MAX_DICTS)
		return;
	dict = *trained_dict(params);
	for (unsigned i = 0; i < nr_changes; i++) {
		size_t at = fuzz_number(&f->in, 2) % dict.nr_bytes;

		dict.bytes[at] ^= fuzz_byte(&f->in);
	}
	err = zstore_dict_add(f->s.store, codec, dict.bytes, dict.nr_bytes,
			      &number);
	FUZZ_CHECK(has_dicts ? !err || (err == -EINVAL && nr_changes) ||
				       err == -EBUSY ||
				       (err == -ENOSPC &&
					f->s.params.mem_limit_bytes)
			     : err == -EOPNOTSUPP,
		   "zstore_dict_add: %d", err);
}

static void op_epoch(struct fuzz *f)
{
	uint8_t how = fuzz_byte(&f->in);

	f->now_s += how % 16;
	zstore_begin_epoch(f->s.store, f->now_s);
	if (how & 16)
		(void)zstore_mark_idle(f->s.store,
				       how & 32 ? UINT32_MAX : f->now_s);
}

static void op_recompress(struct fuzz *f)
{
	uint8_t how_byte = fuzz_byte(&f->in);
	unsigned looks = 1u + fuzz_byte(&f->in);
	const struct zstore_recompress how = {
		.is_idle = how_byte & 1,
		.is_huge = how_byte & 2,
		.again = how_byte & 4,
		.since_s = how_byte & 8 ? f->now_s : UINT32_MAX,
		.threshold_bytes = how_byte / 16 * 200u,
		.max_pages = MAX_TRIED_A_RUN,
	};
	struct zstore_recompressing at = {0};
	int more = 1;

	if (!f->s.params.recomp.ops || f->nr_tried >= MAX_TRIED)
		return;
	while (more == 1)
		more = zstore_recompress(f->s.ctx, &how, &at, looks);
	FUZZ_CHECK(!more || more == -ENOSPC || more == -ENOMEM,
		   "zstore_recompress: %d", more);
	f->nr_tried += at.nr_tried;
}

static void (*const ops[])(struct fuzz *f) = {
	op_write,   op_comb,	      op_trim,	    op_write_zeroes, op_read,
	op_compact, op_compact_slice, op_housekeep, op_check_all,
};

static void run_op(struct fuzz *f, uint8_t op)
{
	if (op >= FIRST_DICT_OP)
		op_add_dict(f);
	else if (op >= FIRST_RECOMPRESS_OP)
		op_recompress(f);
	else if (op >= FIRST_EPOCH_OP)
		op_epoch(f);
	else
		ops[op % ARRAY_SIZE(ops)](f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {0};

	fuzz_input_init(&f.in, data, size);
	small_store_open(&f.s, &f.in, DISK_PAGES);
	while (!fuzz_input_is_over(&f.in))
		run_op(&f, fuzz_byte(&f.in));
	small_store_close(&f.s);
	return 0;
}
