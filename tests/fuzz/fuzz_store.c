/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on a store, against a flat disk.
 *
 * An input is the store's parameters, then operations of some bytes each.
 */
#include "config.h"

#include <errno.h>

#include "base/bits.h"
#include "flat_disk.h"
#include "fuzz.h"
#include "small_store.h"

/* More than one group of slots; the last one is not whole. */
#define DISK_PAGES 600u
#define DISK_BYTES (DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES)

/* Most of a range, pages; trims and zeroes may take all of the disk. */
#define MAX_IO_PAGES 20u
#define MAX_IO_BYTES (MAX_IO_PAGES * (size_t)ZSD_PAGE_BYTES)

/* Most operations that look at all of the store. */
#define MAX_SLOW_OPS 8u

struct fuzz {
	struct fuzz_input in;
	struct small_store s;
	struct zs_compact_cursor cursor;
	unsigned nr_slow;
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

	if (!zs_compact_slice(zstore_pool(f->s.store), &f->cursor,
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

static void (*const ops[])(struct fuzz *f) = {
	op_write,   op_comb,	      op_trim,	    op_write_zeroes, op_read,
	op_compact, op_compact_slice, op_housekeep, op_check_all,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {0};

	fuzz_input_init(&f.in, data, size);
	small_store_open(&f.s, &f.in, DISK_PAGES);
	while (!fuzz_input_is_over(&f.in))
		ops[fuzz_byte(&f.in) % ARRAY_SIZE(ops)](&f);
	small_store_close(&f.s);
	return 0;
}
