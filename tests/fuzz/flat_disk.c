/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "flat_disk.h"
#include "fuzz.h"

static struct {
	uint64_t nr_pages;
	uint64_t nr_stored;
	bool is_touched[FLAT_MAX_PAGES + 1]; /* changed, ever */
	bool is_stored[FLAT_MAX_PAGES]; /* written since it was trimmed */
	unsigned char bytes[FLAT_MAX_BYTES];
} flat;

static unsigned char *page_at(uint64_t index)
{
	return flat.bytes + index * ZSD_PAGE_BYTES;
}

void flat_open(uint64_t nr_pages)
{
	FUZZ_CHECK(nr_pages <= FLAT_MAX_PAGES, "too large a disk");
	for (uint64_t i = 0; i < flat.nr_pages; i++) {
		if (flat.is_touched[i])
			memset(page_at(i), 0, ZSD_PAGE_BYTES);
	}
	memset(flat.is_touched, 0, sizeof(flat.is_touched));
	memset(flat.is_stored, 0, sizeof(flat.is_stored));
	flat.nr_pages = nr_pages;
	flat.nr_stored = 0;
}

const unsigned char *flat_at(uint64_t offset)
{
	return flat.bytes + offset;
}

unsigned flat_state(uint64_t index)
{
	static const unsigned char zeros[ZSD_PAGE_BYTES];

	if (!flat.is_stored[index])
		return ZSTORE_HOLE | ZSTORE_ZERO;
	return memcmp(page_at(index), zeros, sizeof(zeros)) ? 0 : ZSTORE_ZERO;
}

static void set_stored(uint64_t index, bool is_stored)
{
	flat.nr_stored -= flat.is_stored[index];
	flat.nr_stored += is_stored;
	flat.is_stored[index] = is_stored;
	flat.is_touched[index] = true;
}

/* The part of a range that lies in the page where it begins. */
static size_t first_part(uint64_t offset, uint64_t bytes)
{
	return min_u64(bytes, ZSD_PAGE_BYTES - offset % ZSD_PAGE_BYTES);
}

/* --- following ----------------------------------------------------------- */

void flat_write(uint64_t offset, uint64_t bytes, const void *src)
{
	memcpy(flat.bytes + offset, src, bytes);
	for (size_t n; bytes; offset += n, bytes -= n) {
		n = first_part(offset, bytes);
		set_stored(offset / ZSD_PAGE_BYTES, true);
	}
}

void flat_trim(uint64_t offset, uint64_t bytes)
{
	uint64_t index = div_round_up(offset, ZSD_PAGE_BYTES);
	uint64_t end = (offset + bytes) / ZSD_PAGE_BYTES;

	for (; index < end; index++) {
		if (!flat.is_touched[index])
			continue; /* as it was: that saves most of the time */
		memset(page_at(index), 0, ZSD_PAGE_BYTES);
		set_stored(index, false);
	}
}

void flat_write_zeroes(uint64_t offset, uint64_t bytes)
{
	flat_trim(offset, bytes);
	for (size_t n; bytes; offset += n, bytes -= n) {
		n = first_part(offset, bytes);
		if (flat.is_touched[offset / ZSD_PAGE_BYTES])
			memset(flat.bytes + offset, 0, n);
	}
}

static void read_store(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		       void *dst)
{
	int err = zstore_read(ctx, offset, bytes, dst);

	FUZZ_CHECK(!err, "read of %zu bytes at %" PRIu64 ": %d", bytes, offset,
		   err);
}

/*
 * What is both old and new: whether the page is stored by now nobody can tell,
 * so it is made to be what it was.
 */
static void forget_twin(struct zstore_ctx *ctx, uint64_t index)
{
	if (!flat.is_stored[index])
		zstore_trim(ctx, index * (uint64_t)ZSD_PAGE_BYTES,
			    ZSD_PAGE_BYTES);
}

void flat_settle_write(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes,
		       const void *src)
{
	unsigned char found[ZSD_PAGE_BYTES];
	const unsigned char *new = src;
	bool is_new = true;

	for (size_t n; bytes; offset += n, new += n, bytes -= n) {
		uint64_t index = offset / ZSD_PAGE_BYTES;

		n = first_part(offset, bytes);
		read_store(ctx, offset, n, found);
		if (memcmp(flat.bytes + offset, new, n) == 0) {
			forget_twin(ctx, index);
		} else if (is_new && memcmp(found, new, n) == 0) {
			flat_write(offset, n, new);
			continue;
		} else {
			is_new = false;
		}
		FUZZ_CHECK(memcmp(found, flat.bytes + offset, n) == 0,
			   "page %" PRIu64 " is neither old nor new", index);
	}
}

void flat_settle_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	static const unsigned char zeros[ZSD_PAGE_BYTES];
	unsigned char found[ZSD_PAGE_BYTES];

	for (size_t n; bytes; offset += n, bytes -= n) {
		uint64_t index = offset / ZSD_PAGE_BYTES;

		n = first_part(offset, bytes);
		read_store(ctx, offset, n, found);
		if (memcmp(found, zeros, n) == 0) {
			/* A whole page may be stored still, holding zeros. */
			if (n == ZSD_PAGE_BYTES)
				zstore_trim(ctx, offset, n);
			else
				forget_twin(ctx, index);
			flat_write_zeroes(offset, n);
			continue;
		}
		FUZZ_CHECK(memcmp(found, flat.bytes + offset, n) == 0,
			   "page %" PRIu64 " is neither old nor zeros", index);
	}
}

/* --- comparing ----------------------------------------------------------- */

void flat_compare(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	/* One more than is asked for, to see that it is left alone. */
	static unsigned char found[FLAT_MAX_BYTES + 1];

	found[bytes] = 0xa5;
	read_store(ctx, offset, bytes, found);
	FUZZ_CHECK(found[bytes] == 0xa5, "a read writes beyond its end");
	FUZZ_CHECK(memcmp(found, flat.bytes + offset, bytes) == 0,
		   "%" PRIu64 " bytes at %" PRIu64 " read wrong", bytes,
		   offset);
}

static void check_stats(struct zstore *store)
{
	struct zstore_stats stats;
	uint64_t used;

	zstore_stats(store, &stats);
	FUZZ_CHECK(stats.orig_data_size == flat.nr_stored * ZSD_PAGE_BYTES,
		   "orig_data_size is %" PRIu64 " for %" PRIu64 " pages",
		   stats.orig_data_size, flat.nr_stored);
	FUZZ_CHECK(!stats.failed_reads, "failed_reads is %" PRIu64,
		   stats.failed_reads);
	used = stats.mem_used_total + stats.metadata_bytes +
	       stats.reserve_bytes;
	FUZZ_CHECK(!stats.mem_limit || used <= stats.mem_limit,
		   "%" PRIu64 " bytes in use, limit %" PRIu64, used,
		   stats.mem_limit);
}

void flat_check_all(struct zstore *store, struct zstore_ctx *ctx)
{
	struct zstore_verify_report report;

	for (uint64_t i = 0; i < flat.nr_pages; i++) {
		if (flat.is_touched[i] || (i && flat.is_touched[i - 1]))
			flat_compare(ctx, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
	FUZZ_CHECK(zstore_verify(ctx, &report) == 0, "verifier: %s",
		   report.text);
	FUZZ_CHECK(report.pages_checked == flat.nr_stored,
		   "%" PRIu64 " pages verified of %" PRIu64,
		   report.pages_checked, flat.nr_stored);
	check_stats(store);
}
