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
#include "small_store.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"

/* More than one group of slots; the last one is not whole. */
#define DISK_PAGES 600u
#define DISK_BYTES (DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES)

/* Most of a range, pages; trims and zeroes may take all of the disk. */
#define MAX_IO_PAGES 20u
#define MAX_IO_BYTES (MAX_IO_PAGES * (size_t)ZSD_PAGE_BYTES)

/* Most operations that look at all of the store. */
#define MAX_SLOW_OPS 8u

/* Most dictionaries that an input adds: digesting one takes its time. */
#define MAX_DICTS  20u
#define DICT_BYTES (2 * (size_t)KIB)

/* From this value on a byte adds a dictionary, below it is one of ops[]. */
#define FIRST_DICT_OP 250u

struct fuzz {
	struct fuzz_input in;
	struct small_store s;
	struct zs_compact_cursor cursor;
	unsigned nr_slow;
	unsigned nr_dicts;
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

/* One that is good for what small_store_content() makes, always the same. */
static size_t trained_dict(uint8_t dst[DICT_BYTES])
{
	static uint8_t pages[64][ZSD_PAGE_BYTES], dict[DICT_BYTES];
	static size_t nr_bytes;
	struct zcomp_params params;
	struct model_rng rng;

	if (!nr_bytes) {
		model_rng_init(&rng, 1);
		for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
			model_page_fill(&rng, MODEL_PAGE_TEXT, pages[i]);
		FUZZ_CHECK(!zcomp_parse("zstd", &params) &&
				   !zcomp_train(&params, pages,
						ARRAY_SIZE(pages),
						ZSD_PAGE_BYTES, dict,
						DICT_BYTES, &nr_bytes),
			   "zcomp_train");
	}
	memcpy(dst, dict, nr_bytes);
	return nr_bytes;
}

/* Whole, or with up to three bytes of it changed: refused, or as good. */
static void op_add_dict(struct fuzz *f)
{
	const bool has_dicts = zcomp_has_dicts(&f->s.params.zcomp);
	unsigned nr_changes = fuzz_byte(&f->in) % 4, number;
	uint8_t dict[DICT_BYTES];
	size_t nr_bytes;
	int err;

	if (f->nr_dicts++ >= MAX_DICTS)
		return;
	nr_bytes = trained_dict(dict);
	for (unsigned i = 0; i < nr_changes; i++) {
		size_t at = fuzz_number(&f->in, 2) % nr_bytes;

		dict[at] ^= fuzz_byte(&f->in);
	}
	err = zstore_dict_add(f->s.store, ZSTORE_PRIMARY, dict, nr_bytes,
			      &number);
	FUZZ_CHECK(has_dicts ? !err || (err == -EINVAL && nr_changes) ||
				       err == -EBUSY ||
				       (err == -ENOSPC &&
					f->s.params.mem_limit_bytes)
			     : err == -EOPNOTSUPP,
		   "zstore_dict_add: %d", err);
}

static void (*const ops[])(struct fuzz *f) = {
	op_write,   op_comb,	      op_trim,	    op_write_zeroes, op_read,
	op_compact, op_compact_slice, op_housekeep, op_check_all,
};

static void run_op(struct fuzz *f, uint8_t op)
{
	if (op >= FIRST_DICT_OP)
		op_add_dict(f);
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
