/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "guard/watermark.h"
#include "policy/train.h"

/* Each variant is timed so often, in turn; the least counts: what else goes on
 * in the machine only ever makes it take longer. */
#define NR_ROUNDS 3u

struct training {
	struct zstore *store;
	enum zstore_codec codec;
	struct zcomp_params zcomp; /* its */
	unsigned char *pages; /* to train on */
	uint32_t nr_pages;
	unsigned char *tests; /* pages that are not trained on */
	unsigned char *packed; /* those, compressed, a page of room for each */
	size_t *lengths; /* of those; 0: raw */
	uint32_t nr_tests;
	size_t raw_bytes; /* compressed to this or more, a page is kept raw */
	struct zcomp_ctx *ctx;
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now))
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- the sample ----------------------------------------------------------- */

/* Of so many pages, how many are to test with. */
static uint32_t test_part(uint32_t nr_pages)
{
	return nr_pages / TRAIN_TEST_PART;
}

static int allocate(struct training *t, uint32_t nr_pages)
{
	const size_t nr_tests = test_part(nr_pages);

	t->pages = malloc((size_t)nr_pages * ZSD_PAGE_BYTES);
	t->tests = malloc(nr_tests * ZSD_PAGE_BYTES);
	t->packed = malloc(nr_tests * ZSD_PAGE_BYTES);
	t->lengths = malloc(nr_tests * sizeof(*t->lengths));
	return t->pages && t->tests && t->packed && t->lengths ? 0 : -ENOMEM;
}

/* Take every fifth page out, to test with. */
static void split(struct training *t, uint32_t nr_pages)
{
	for (uint32_t i = 0; i < nr_pages; i++) {
		const unsigned char *page =
			t->pages + (size_t)i * ZSD_PAGE_BYTES;
		uint32_t *nr = &t->nr_pages;
		unsigned char *to = t->pages;

		if (i % TRAIN_TEST_PART == TRAIN_TEST_PART - 1) {
			nr = &t->nr_tests;
			to = t->tests;
		}
		memmove(to + (size_t)(*nr)++ * ZSD_PAGE_BYTES, page,
			ZSD_PAGE_BYTES);
	}
}

/* As many pages, the tests among them, as make @ratio times the dictionary. */
static uint32_t pages_for(size_t dict_bytes, uint32_t ratio)
{
	uint64_t nr = div_round_up(dict_bytes * ratio, ZSD_PAGE_BYTES);

	nr = min_u64(nr, TRAIN_MAX_PAGES);
	return (uint32_t)(nr * TRAIN_TEST_PART / (TRAIN_TEST_PART - 1));
}

static int sample(struct training *t, struct zstore_ctx *ctx, size_t dict_bytes,
		  struct ctl_error *error)
{
	const uint32_t least = pages_for(dict_bytes, TRAIN_MIN_RATIO);
	const uint32_t most = pages_for(dict_bytes, TRAIN_RATIO);
	uint32_t nr;

	if (allocate(t, most))
		return ctl_error_set(error, -ENOMEM,
				     "no memory for a sample of %u pages",
				     most);
	nr = (uint32_t)zstore_sample(ctx, most, t->pages);
	if (nr < least)
		return ctl_error_set(error, -EAGAIN,
				     "only %u pages are stored compressed, and "
				     "a dictionary of %zu bytes takes %u: ask "
				     "for a smaller one, or when there are "
				     "more",
				     nr, dict_bytes, least);
	split(t, nr);
	return 0;
}

/* --- what it costs -------------------------------------------------------- */

/* Time one round; keep what is less. */
static int time_round(struct training *t, const struct zcomp_dict *dict,
		      struct train_cost *cost)
{
	unsigned char page[ZSD_PAGE_BYTES];
	uint64_t start_ns = cpu_ns(), packed_ns;

	cost->compressed_bytes = 0;
	for (uint32_t i = 0; i < t->nr_tests; i++) {
		const size_t at = (size_t)i * ZSD_PAGE_BYTES;

		if (zcomp_compress(t->ctx, dict, t->tests + at, ZSD_PAGE_BYTES,
				   t->packed + at, t->raw_bytes - 1,
				   &t->lengths[i]))
			t->lengths[i] = 0;
		cost->compressed_bytes +=
			t->lengths[i] ? t->lengths[i] : ZSD_PAGE_BYTES;
	}
	packed_ns = cpu_ns();
	cost->compress_ns = min_u64(cost->compress_ns, packed_ns - start_ns);
	for (uint32_t i = 0; i < t->nr_tests; i++) {
		const size_t at = (size_t)i * ZSD_PAGE_BYTES;

		if (t->lengths[i] &&
		    zcomp_decompress(t->ctx, dict, t->packed + at,
				     t->lengths[i], page, sizeof(page)))
			return -EIO;
	}
	cost->decompress_ns =
		min_u64(cost->decompress_ns, cpu_ns() - packed_ns);
	return 0;
}

/* Test all variants in turn; @current may be NULL. */
static int test(struct training *t, const struct zcomp_dict *current,
		const struct zcomp_dict *trained, struct train_report *out)
{
	static const struct train_cost none = {
		.compress_ns = UINT64_MAX,
		.decompress_ns = UINT64_MAX,
	};
	int err = 0;

	out->without = out->current = out->trained = none;
	for (unsigned i = 0; i < NR_ROUNDS && !err; i++) {
		err = time_round(t, NULL, &out->without);
		if (!err && current)
			err = time_round(t, current, &out->current);
		if (!err)
			err = time_round(t, trained, &out->trained);
	}
	return err;
}

/* --- all of it ------------------------------------------------------------ */

/* The kernel's memory is not asked for unless there is plenty. */
static int check_memory(struct ctl_error *error)
{
	const uint64_t need = 2 * TRAIN_MAX_MEMORY_BYTES;
	struct watermark watermark;
	uint64_t room;

	if (watermark_open(&watermark))
		return ctl_error_set(error, -EAGAIN,
				     "cannot see how much memory the system "
				     "has, which swaps on this disk");
	room = watermark_room_pages(&watermark) * ZSD_PAGE_BYTES;
	watermark_close(&watermark);
	if (room >= need)
		return 0;
	return ctl_error_set(error, -EAGAIN,
			     "the system swaps on this disk, and has %llu MiB "
			     "of memory free where this takes %llu: train when "
			     "it has more",
			     (unsigned long long)(room / MIB),
			     (unsigned long long)(need / MIB));
}

static int digest_and_test(struct training *t, struct train_report *out)
{
	struct zcomp_dict *current = NULL, *trained = NULL;
	const void *bytes;
	size_t nr_bytes;
	int err = 0;

	bytes = zstore_dict_bytes(t->store, t->codec, &nr_bytes);
	if (bytes)
		err = zcomp_dict_create(&t->zcomp, ZSD_PAGE_BYTES, bytes,
					nr_bytes, &current);
	if (!err)
		err = zcomp_dict_create(&t->zcomp, ZSD_PAGE_BYTES, out->bytes,
					out->nr_bytes, &trained);
	if (!err)
		err = zcomp_ctx_create(&t->zcomp, ZSD_PAGE_BYTES, &t->ctx);
	if (!err)
		err = test(t, current, trained, out);
	zcomp_ctx_destroy(t->ctx);
	zcomp_dict_destroy(trained);
	zcomp_dict_destroy(current);
	return err;
}

static bool is_better(const struct train_report *report)
{
	const struct train_cost *before =
		report->before ? &report->current : &report->without;

	return report->trained.compressed_bytes < before->compressed_bytes;
}

static int use(const struct training *t, struct train_report *report,
	       struct ctl_error *error)
{
	int err = zstore_dict_add(t->store, t->codec, report->bytes,
				  report->nr_bytes, &report->number);

	switch (err) {
	case 0:
		return 0;
	case -EBUSY:
		return ctl_error_set(error, err,
				     "pages are stored with each of %u "
				     "dictionaries: one comes free when all of "
				     "its pages were written again or trimmed",
				     ZSTORE_MAX_DICTS);
	case -ENOSPC:
		return ctl_error_set(error, err,
				     "--mem-limit has no room for a dictionary "
				     "of %zu bytes",
				     report->nr_bytes);
	default:
		return ctl_error_set(error, err, "cannot use the dictionary");
	}
}

/* For bytes that pages have in common, and what a dictionary has besides. */
static size_t room_for(const struct training *t, size_t dict_bytes)
{
	return min_u64(dict_bytes + zcomp_dict_bytes_besides(&t->zcomp),
		       ZCOMP_DICT_MAX_BYTES);
}

static int train(struct training *t, struct zstore_ctx *ctx, size_t dict_bytes,
		 struct train_report *out, struct ctl_error *error)
{
	int err = sample(t, ctx, dict_bytes, error);

	if (err)
		return err;
	out->nr_trained = t->nr_pages;
	out->nr_tested = t->nr_tests;
	out->before = zstore_dict_current(t->store, t->codec);
	err = zcomp_train(&t->zcomp, t->pages, t->nr_pages, ZSD_PAGE_BYTES,
			  out->bytes, room_for(t, dict_bytes), &out->nr_bytes);
	if (err == -EINVAL)
		return ctl_error_set(error, -EAGAIN,
				     "the pages that are stored have too "
				     "little in common for a dictionary");
	if (!err)
		err = digest_and_test(t, out);
	if (err)
		return ctl_error_set(error, err, "cannot train a dictionary");
	return is_better(out) ? use(t, out, error) : 0;
}

static int check_codec(const struct zcomp_params *zcomp,
		       struct ctl_error *error)
{
	char name[ZCOMP_NAME_BYTES];

	if (!zcomp->ops)
		return ctl_error_set(error, -EOPNOTSUPP,
				     "pages are not recompressed: start zsd "
				     "with --recompress plz or zstd");
	if (!zcomp_has_dicts(zcomp))
		return ctl_error_set(error, -EOPNOTSUPP,
				     "%s has no dictionaries: start zsd with "
				     "--algorithm zstd or plz",
				     zcomp_format(zcomp, name));
	return 0;
}

int train_run(struct zstore *store, struct zstore_ctx *ctx,
	      enum zstore_codec codec, bool is_swapped, size_t dict_bytes,
	      struct train_report *out, struct ctl_error *error)
{
	struct training t = {
		.store = store,
		.codec = codec,
		.zcomp = *zstore_codec(store, codec),
		.raw_bytes = zstore_huge_class_size(store),
	};
	int err = check_codec(&t.zcomp, error);

	if (!err && is_swapped)
		err = check_memory(error);
	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	err = train(&t, ctx, dict_bytes, out, error);
	free(t.pages);
	free(t.tests);
	free(t.packed);
	free(t.lengths);
	malloc_trim(0); /* it was a lot, and is not needed again soon */
	return err;
}
