/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread with several stores: one scratch, a context for each. Codecs are
 * shared where they can be, and nothing of one store shows in another.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "dict_rig.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_dict.h"

#define NR_STORES 4u
#define NR_PAGES  100u

/* Two of the same codec and level, two that differ. */
static const char *const algorithms[NR_STORES] = {"zstd:1", "lz4", "zstd:1",
						  "zstd:3"};
#define NR_CODECS 3u

static struct zstore_scratch *scratch;
static struct zstore *stores[NR_STORES];
static struct zstore_ctx *ctxs[NR_STORES];
static unsigned char flat[NR_STORES][NR_PAGES][ZSD_PAGE_BYTES];

/* Codecs' contexts that there are. The linker has these called instead. */
static unsigned nr_codecs;

int __wrap_zcomp_ctx_create(const struct zcomp_params *params,
			    size_t src_bytes_max, struct zcomp_ctx **out);
int __real_zcomp_ctx_create(const struct zcomp_params *params,
			    size_t src_bytes_max, struct zcomp_ctx **out);
void __wrap_zcomp_ctx_destroy(struct zcomp_ctx *ctx);
void __real_zcomp_ctx_destroy(struct zcomp_ctx *ctx);

int __wrap_zcomp_ctx_create(const struct zcomp_params *params,
			    size_t src_bytes_max, struct zcomp_ctx **out)
{
	nr_codecs++;
	return __real_zcomp_ctx_create(params, src_bytes_max, out);
}

void __wrap_zcomp_ctx_destroy(struct zcomp_ctx *ctx)
{
	nr_codecs--;
	__real_zcomp_ctx_destroy(ctx);
}

static void setup(void)
{
	nr_codecs = 0;
	memset(flat, 0, sizeof(flat));
	ck_assert_int_eq(zstore_scratch_create(&scratch), 0);
	for (unsigned i = 0; i < NR_STORES; i++) {
		struct zstore_params params = rig_params(algorithms[i]);

		params.checksum = i % 2;
		ck_assert_int_eq(zstore_create(&params, &stores[i]), 0);
		ck_assert_int_eq(
			zstore_ctx_create(stores[i], scratch, &ctxs[i]), 0);
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < NR_STORES; i++) {
		zstore_ctx_destroy(ctxs[i]);
		zstore_destroy(stores[i]);
	}
	zstore_scratch_destroy(scratch);
	ck_assert_uint_eq(nr_codecs, 0);
}

START_TEST(equal_codecs_are_shared)
{
	struct zstore_ctx *second;

	ck_assert_uint_eq(nr_codecs, NR_CODECS);
	ck_assert_int_eq(zstore_ctx_create(stores[0], scratch, &second), 0);
	ck_assert_uint_eq(nr_codecs, NR_CODECS);
	zstore_ctx_destroy(second);
	zstore_ctx_destroy(ctxs[0]);
	ctxs[0] = NULL;
	ck_assert_uint_eq(nr_codecs, NR_CODECS); /* store 2 still needs it */
	zstore_ctx_destroy(ctxs[2]);
	ctxs[2] = NULL;
	ck_assert_uint_eq(nr_codecs, NR_CODECS - 1);
}
END_TEST

/* Some of the stores have dictionaries, each its own. */
static void add_dict(unsigned i)
{
	const struct zcomp_params *params = &zstore_params(stores[i])->zcomp;
	unsigned char dict[4 * KIB];
	unsigned number;
	size_t bytes;

	if (!zcomp_has_dicts(params))
		return;
	bytes = rig_train(params, i, dict, sizeof(dict));
	ck_assert_int_eq(zstore_dict_add(stores[i], ZSTORE_PRIMARY, dict, bytes,
					 &number),
			 0);
}

static void write_page(struct model_rng *rng, unsigned i, uint64_t index)
{
	unsigned char *home = flat[i][index];
	const uint64_t at = index * ZSD_PAGE_BYTES;

	if (model_rng_one_in(rng, 4)) { /* a part of it */
		model_rng_fill(rng, home + 100, 50);
		quiet_assert(!zstore_write(ctxs[i], at + 100, 50, home + 100));
		return;
	}
	model_page_fill(rng, model_page_kind(rng), home);
	quiet_assert(!zstore_write(ctxs[i], at, ZSD_PAGE_BYTES, home));
}

static void assert_page(unsigned i, uint64_t index)
{
	unsigned char found[ZSD_PAGE_BYTES];

	quiet_assert(!zstore_read(ctxs[i], index * ZSD_PAGE_BYTES,
				  sizeof(found), found));
	quiet_assert(memcmp(found, flat[i][index], sizeof(found)) == 0);
}

START_TEST(stores_do_not_show_in_each_other)
{
	struct zstore_verify_report report;
	struct model_rng rng;

	model_rng_init(&rng, 1);
	add_dict(0);
	for (unsigned n = 0; n < 20 * NR_PAGES; n++) {
		unsigned i = (unsigned)model_rng_below(&rng, NR_STORES);

		write_page(&rng, i, model_rng_below(&rng, NR_PAGES));
		i = (unsigned)model_rng_below(&rng, NR_STORES);
		assert_page(i, model_rng_below(&rng, NR_PAGES));
		if (n % 500 == 400)
			add_dict(n / 500 % NR_STORES);
	}
	for (unsigned i = 0; i < NR_STORES; i++) {
		for (uint64_t index = 0; index < NR_PAGES; index++)
			assert_page(i, index);
		ck_assert_msg(zstore_verify(ctxs[i], &report) == 0, "%s",
			      report.text);
	}
}
END_TEST

/* In a process of its own: not with CK_FORK=no. */
START_TEST(scratch_in_use_is_not_destroyed)
{
	zstore_scratch_destroy(scratch);
}
END_TEST

START_TEST(destroying_nothing_is_allowed)
{
	zstore_scratch_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/scratch");
	TCase *tc = tcase_create("scratch");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, equal_codecs_are_shared);
	tcase_add_test(tc, stores_do_not_show_in_each_other);
	tcase_add_test_raise_signal(tc, scratch_in_use_is_not_destroyed,
				    SIGABRT);
	tcase_add_test(tc, destroying_nothing_is_allowed);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
