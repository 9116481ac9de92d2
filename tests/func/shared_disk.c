/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bits.h"
#include "shared_disk.h"
#include "zstore/zstore_backing.h"

struct zstore {
	unsigned char *bytes;
};

struct zstore_ctx {
	unsigned char *bytes;
};

static struct zstore disk;
static struct zstore_ctx its_ctx;

void shared_disk_create(void)
{
	disk.bytes = mmap(NULL, SHARED_DISK_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (disk.bytes == MAP_FAILED)
		error(1, errno, "memory for the disk");
	its_ctx.bytes = disk.bytes;
}

struct zstore *shared_disk(void)
{
	return &disk;
}

const struct zstore_params *zstore_params(const struct zstore *store)
{
	static const struct zstore_params params = {
		.disk_bytes = SHARED_DISK_BYTES,
	};

	(void)store;
	return &params;
}

void zstore_destroy(struct zstore *store)
{
	(void)store;
}

int zstore_scratch_create(struct zstore_scratch **out)
{
	*out = NULL;
	return 0;
}

void zstore_scratch_destroy(struct zstore_scratch *scratch)
{
	(void)scratch;
}

int zstore_ctx_create(struct zstore *store, struct zstore_scratch *scratch,
		      struct zstore_ctx **out)
{
	(void)store;
	(void)scratch;
	*out = &its_ctx;
	return 0;
}

void zstore_ctx_never_wait(struct zstore_ctx *ctx)
{
	(void)ctx;
}

void zstore_ctx_destroy(struct zstore_ctx *ctx)
{
	(void)ctx;
}

void zstore_prefetch(const struct zstore_ctx *ctx, uint64_t offset,
		     enum zstore_stage stage)
{
	(void)ctx;
	(void)offset;
	(void)stage;
}

static void change(uint64_t offset, uint64_t bytes)
{
	if (offset <= SHARED_DISK_POISON && SHARED_DISK_POISON < offset + bytes)
		raise(SIGABRT);
}

int zstore_read(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		void *dst)
{
	memcpy(dst, ctx->bytes + offset, bytes);
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Pages take about as long as with a codec, so that workers help each other. */
static void take_time(size_t bytes)
{
	const uint64_t end_ns = now_ns() + bytes / ZSD_PAGE_BYTES * 10000;

	while (now_ns() < end_ns)
		;
}

int zstore_write(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		 const void *src)
{
	take_time(bytes);
	change(offset, bytes);
	memcpy(ctx->bytes + offset, src, bytes);
	return 0;
}

int zstore_trim(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	uint64_t first = align_up(offset, ZSD_PAGE_BYTES);
	uint64_t end = align_down(offset + bytes, ZSD_PAGE_BYTES);

	if (first < end)
		memset(ctx->bytes + first, 0, end - first);
	return 0;
}

int zstore_write_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	change(offset, bytes);
	memset(ctx->bytes + offset, 0, bytes);
	return 0;
}

int zstore_store_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	return zstore_write_zeroes(ctx, offset, bytes);
}

uint64_t zstore_extent(const struct zstore_ctx *ctx, uint64_t offset,
		       uint64_t bytes, uint32_t *steps, unsigned *state)
{
	static const unsigned char zeros[ZSD_PAGE_BYTES];
	uint64_t start = align_down(offset, ZSD_PAGE_BYTES);

	--*steps;
	*state = memcmp(ctx->bytes + start, zeros, sizeof(zeros))
			 ? 0
			 : ZSTORE_HOLE | ZSTORE_ZERO;
	return min_u64(bytes, start + ZSD_PAGE_BYTES - offset);
}
