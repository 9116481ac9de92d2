/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No I/O call asks the heap for anything, whatever the codec and its level:
 * the process may be the one that swap waits for.
 *
 * The program's own malloc() and kin stand before libc's, for all libraries
 * in it, the codecs included. The sanitizers have theirs there, so that this
 * program is not built with them.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "quiet.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_internal.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);

static _Atomic uint64_t nr_allocations;

void *malloc(size_t size)
{
	atomic_fetch_add(&nr_allocations, 1);
	return __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
	atomic_fetch_add(&nr_allocations, 1);
	return __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
	atomic_fetch_add(&nr_allocations, 1);
	return __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	atomic_fetch_add(&nr_allocations, 1);
	return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return aligned_alloc(alignment, size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
	*memptr = aligned_alloc(alignment, size);
	return *memptr ? 0 : ENOMEM;
}

static const char *const algorithms[] = {
	"lz4",	  "lz4:65537", "zstd:-7", "zstd:-1", "zstd:1",	"zstd:3",
	"zstd:6", "zstd:9",    "zstd:13", "zstd:16", "zstd:19", "zstd:22",
};

static struct store_rig rig;

/*
 * One of each, of all kinds, with whole pages and parts. Nothing of check is
 * called, which allocates.
 */
static void do_one_of_each(void)
{
	const uint64_t pages = 600;
	static unsigned char bytes[3 * ZSD_PAGE_BYTES];
	uint64_t at = model_rng_below(&rig.rng, pages * ZSD_PAGE_BYTES);
	size_t n = model_rng_below(&rig.rng, sizeof(bytes));
	struct zs_compact_cursor cursor = {0};
	struct zstore_stats stats;
	uint64_t freed;

	rig_write_page(&rig, model_rng_below(&rig.rng, pages),
		       model_page_kind(&rig.rng));
	quiet_assert(zstore_read(rig.ctx, at, n, bytes) == 0);
	rig_write(&rig, at, n, bytes);
	rig_trim(&rig, at, n / 2);
	rig_write_zeroes(&rig, at + n, n / 2);
	zs_compact_slice(rig.store->pool, &cursor, 4, &freed);
	zstore_housekeep(rig.store, UINT64_MAX);
	zstore_stats(rig.store, &stats);
}

START_TEST(io_leaves_the_heap_alone)
{
	struct zstore_params params = rig_params(algorithms[_i]);
	uint64_t before, after;

	rig_open(&rig, &params);
	before = atomic_load(&nr_allocations);
	for (int i = 0; i < 300; i++)
		do_one_of_each();
	after = atomic_load(&nr_allocations);
	ck_assert_uint_eq(after, before);
	rig_assert_stats(&rig); /* which does allocate */
	ck_assert_uint_gt(atomic_load(&nr_allocations), after);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/heap");
	TCase *tc = tcase_create("heap");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, io_leaves_the_heap_alone, 0,
			    (int)ARRAY_SIZE(algorithms));
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
