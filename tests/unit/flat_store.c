/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "flat_store.h"
#include "zstore/zstore_backing.h"

struct zstore {
	int unused;
};

struct zstore_ctx {
	int unused;
};

struct flat_store flat;
static struct zstore the_store;
static struct zstore_ctx the_ctx;

/* A door in front of all calls, shut while somebody holds it. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_shut;
	bool is_waiting;
} door = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

void flat_store_reset(void)
{
	if (flat.bytes)
		munmap(flat.bytes, FLAT_STORE_BYTES);
	memset(&flat, 0, sizeof(flat));
	flat.bytes = mmap(NULL, FLAT_STORE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(flat.bytes, MAP_FAILED);
	flat.last_end = UINT64_MAX;
}

struct zstore *flat_store(void)
{
	return &the_store;
}

struct zstore_ctx *flat_store_ctx(void)
{
	return &the_ctx;
}

/* --- the door ----------------------------------------------------------- */

void flat_store_hold(void)
{
	pthread_mutex_lock(&door.lock);
	door.is_shut = true;
	pthread_mutex_unlock(&door.lock);
}

void flat_store_wait_held(void)
{
	pthread_mutex_lock(&door.lock);
	while (!door.is_waiting)
		pthread_cond_wait(&door.changed, &door.lock);
	pthread_mutex_unlock(&door.lock);
}

void flat_store_release(void)
{
	pthread_mutex_lock(&door.lock);
	door.is_shut = false;
	pthread_cond_broadcast(&door.changed);
	pthread_mutex_unlock(&door.lock);
}

static void pass_door(void)
{
	pthread_mutex_lock(&door.lock);
	while (door.is_shut) {
		door.is_waiting = true;
		pthread_cond_broadcast(&door.changed);
		pthread_cond_wait(&door.changed, &door.lock);
	}
	door.is_waiting = false;
	pthread_mutex_unlock(&door.lock);
}

/* --- its life ------------------------------------------------------------- */

const struct zstore_params *zstore_params(const struct zstore *store)
{
	static const struct zstore_params params = {
		.disk_bytes = FLAT_STORE_DISK_BYTES,
	};

	ck_assert_ptr_eq(store, &the_store);
	return &params;
}

void zstore_destroy(struct zstore *store)
{
	ck_assert_ptr_eq(store, &the_store);
}

/* --- what the server calls ---------------------------------------------- */

int zstore_scratch_create(struct zstore_scratch **out)
{
	*out = NULL;
	return 0;
}

void zstore_scratch_destroy(struct zstore_scratch *scratch)
{
	ck_assert_ptr_null(scratch);
}

int zstore_ctx_create(struct zstore *store, struct zstore_scratch *scratch,
		      struct zstore_ctx **out)
{
	ck_assert_ptr_null(scratch);
	ck_assert_ptr_eq(store, &the_store);
	*out = &the_ctx;
	return 0;
}

void zstore_ctx_never_wait(struct zstore_ctx *ctx)
{
	(void)ctx;
}

void zstore_ctx_destroy(struct zstore_ctx *ctx)
{
	ck_assert_ptr_eq(ctx, &the_ctx);
}

/* Notes a call; tells whether it is to fail. */
static bool note(uint64_t offset, uint64_t bytes)
{
	pass_door();
	flat.nr_calls++;
	if (offset == flat.last_end && offset % ZSD_PAGE_BYTES)
		flat.split_a_page = true;
	flat.last_end = offset + bytes;
	return flat.bad_offset >= offset && flat.bad_offset - offset < bytes;
}

static bool must_wait(uint64_t offset, uint64_t bytes)
{
	return flat.waits && flat.waits(offset, bytes);
}

/* How much of a range has memory behind it. */
static uint64_t backed_bytes(uint64_t offset, uint64_t bytes)
{
	return offset < FLAT_STORE_BYTES
		       ? min_u64(bytes, FLAT_STORE_BYTES - offset)
		       : 0;
}

int zstore_read(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		void *dst)
{
	uint64_t backed = backed_bytes(offset, bytes);

	(void)ctx;
	if (must_wait(offset, bytes))
		return -EINPROGRESS;
	memset(dst, 0, bytes);
	if (note(offset, bytes) && flat.read_err)
		return flat.read_err;
	flat.nr_calls_at_read = flat.nr_calls;
	if (backed)
		memcpy(dst, flat.bytes + offset, backed);
	return 0;
}

/* Counted is what needs all that comes before. */
void zstore_prefetch(const struct zstore_ctx *ctx, uint64_t offset,
		     enum zstore_stage stage)
{
	(void)ctx;
	flat.nr_prefetches += stage == ZSTORE_NEAR_OBJECT;
	flat.last_prefetch = offset;
}

int zstore_write(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		 const void *src)
{
	(void)ctx;
	if (must_wait(offset, bytes))
		return -EINPROGRESS;
	if (note(offset, bytes) && flat.write_err)
		return flat.write_err;
	if (backed_bytes(offset, bytes) != bytes)
		ck_abort_msg("the test writes where it has no memory");
	memcpy(flat.bytes + offset, src, bytes);
	return 0;
}

static void clear(uint64_t offset, uint64_t bytes)
{
	uint64_t backed = backed_bytes(offset, bytes);

	flat.longest_trim = max_u64(flat.longest_trim, bytes);
	flat.trimmed_bytes += bytes;
	if (backed)
		memset(flat.bytes + offset, 0, backed);
}

int zstore_trim(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	uint64_t first = align_up(offset, ZSD_PAGE_BYTES);
	uint64_t end = align_down(offset + bytes, ZSD_PAGE_BYTES);

	(void)ctx;
	note(offset, bytes);
	if (first < end)
		clear(first, end - first);
	return 0;
}

int zstore_write_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	(void)ctx;
	if (must_wait(offset, bytes))
		return -EINPROGRESS;
	if (note(offset, bytes) && flat.zeroes_err)
		return flat.zeroes_err;
	clear(offset, bytes);
	return 0;
}

int zstore_store_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	int err = zstore_write_zeroes(ctx, offset, bytes);

	if (!err)
		flat.stored_zero_bytes += bytes;
	return err;
}

/* One look at the page of @offset, or at all that has no memory. */
static unsigned look(uint64_t offset, uint64_t *end)
{
	static const unsigned char zeros[ZSD_PAGE_BYTES];
	uint64_t start = align_down(offset, ZSD_PAGE_BYTES);

	*end = start + ZSD_PAGE_BYTES;
	if (start < FLAT_STORE_BYTES)
		return memcmp(flat.bytes + start, zeros, sizeof(zeros))
			       ? 0
			       : ZSTORE_HOLE | ZSTORE_ZERO;
	*end = UINT64_MAX;
	return ZSTORE_HOLE | ZSTORE_ZERO;
}

uint64_t zstore_extent(const struct zstore_ctx *ctx, uint64_t offset,
		       uint64_t bytes, uint32_t *steps, unsigned *state)
{
	uint64_t at = offset, end;

	(void)ctx;
	*state = look(at, &at);
	while (--*steps && at - offset < bytes && look(at, &end) == *state)
		at = end;
	return min_u64(at - offset, bytes);
}
