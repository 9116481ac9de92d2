/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/units.h"
#include "model/model.h"
#include "quiet.h"
#include "suite.h"
#include "zcomp/zcomp.h"

/* No page grows to more than this by any codec's worst case, bytes. */
#define ROOM_BYTES (2 * (size_t)ZSD_PAGE_BYTES)

/* What a byte next to a buffer holds, to see whether it was written. */
#define CANARY 0xa5

/*
 * Both ends of each codec's range, its default and what lies between.
 * Source: LZ4_ACCELERATION_MAX in lz4.c; ZSTD_maxCLevel() in zstd.h.
 */
static const char *const levels[] = {
	"lz4",	   "lz4:1",   "lz4:2",	 "lz4:65536", "lz4:65537",
	"zstd",	   "zstd:-7", "zstd:-1", "zstd:1",    "zstd:3",
	"zstd:19", "zstd:22", "plz",	 "plz:1",     "plz:2",
};

static const char *const codecs[] = {"lz4", "zstd", "plz"};

static bool is_all_canary(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p == CANARY)
		p++;
	return p == end;
}

static struct zcomp_ctx *ctx_of(const char *name)
{
	struct zcomp_ctx *ctx = NULL;
	struct zcomp_params params;

	ck_assert_int_eq(zcomp_parse(name, &params), 0);
	ck_assert_int_eq(zcomp_ctx_create(&params, ZSD_PAGE_BYTES, &ctx), 0);
	ck_assert_ptr_nonnull(ctx);
	return ctx;
}

/* --- names --------------------------------------------------------------- */

START_TEST(a_name_alone_means_the_default_level)
{
	struct zcomp_params params;

	ck_assert_int_eq(zcomp_parse("lz4", &params), 0);
	ck_assert_int_eq(params.level, 1);
	ck_assert_int_eq(zcomp_parse("zstd", &params), 0);
	ck_assert_int_eq(params.level, 1);
}
END_TEST

START_TEST(codecs_differ)
{
	struct zcomp_params lz4, zstd;

	ck_assert_int_eq(zcomp_parse("lz4", &lz4), 0);
	ck_assert_int_eq(zcomp_parse("zstd", &zstd), 0);
	ck_assert_ptr_ne(lz4.ops, zstd.ops);
}
END_TEST

static const struct {
	const char *text;
	int level;
} good_names[] = {
	{"lz4:1", 1},  {"lz4:65537", 65537}, {"zstd:-7", -7}, {"zstd:-1", -1},
	{"zstd:1", 1}, {"zstd:22", 22},	     {"zstd:007", 7},
};

START_TEST(levels_are_read)
{
	struct zcomp_params params;

	ck_assert_int_eq(zcomp_parse(good_names[_i].text, &params), 0);
	ck_assert_int_eq(params.level, good_names[_i].level);
}
END_TEST

static const struct {
	const char *text;
	int err;
} bad_names[] = {
	{"", -ENOENT},
	{":", -ENOENT},
	{":1", -ENOENT},
	{"lz", -ENOENT},
	{"lz44", -ENOENT},
	{"lz4 ", -ENOENT},
	{" lz4", -ENOENT},
	{"lz4;1", -ENOENT},
	{"lz4hc", -ENOENT},
	{"zst", -ENOENT},
	{"zstd1", -ENOENT},
	{"deflate:3", -ENOENT},
	{"lz4:", -EINVAL},
	{"lz4:x", -EINVAL},
	{"lz4:1x", -EINVAL},
	{"lz4:1 ", -EINVAL},
	{"lz4: 1", -EINVAL},
	{"lz4:\t1", -EINVAL},
	{"lz4:1:1", -EINVAL},
	{"lz4:0x1", -EINVAL},
	{"lz4:1.5", -EINVAL},
	{"zstd:-", -EINVAL},
	{"zstd:--1", -EINVAL},
	{"zstd:- 1", -EINVAL},
	{"lz4:0", -ERANGE},
	{"lz4:-1", -ERANGE},
	{"lz4:65538", -ERANGE},
	{"zstd:0", -ERANGE},
	{"zstd:-0", -ERANGE},
	{"zstd:-8", -ERANGE},
	{"zstd:23", -ERANGE},
	{"lz4:4294967297", -ERANGE}, /* 2^32 + 1 */
	{"zstd:18446744073709551617", -ERANGE}, /* 2^64 + 1 */
	{"zstd:-99999999999999999999", -ERANGE},
};

START_TEST(wrong_names_are_told_apart)
{
	const struct zcomp_params before = {.ops = NULL, .level = 1234};
	struct zcomp_params params = before;

	ck_assert_msg(
		zcomp_parse(bad_names[_i].text, &params) == bad_names[_i].err,
		"\"%s\" must give %d", bad_names[_i].text, bad_names[_i].err);
	ck_assert_ptr_eq(params.ops, before.ops);
	ck_assert_int_eq(params.level, before.level);
}
END_TEST

/* Longer than any buffer that a parser might copy to. */
START_TEST(a_long_name_is_an_error)
{
	static char text[1 << 16];
	struct zcomp_params params;

	memset(text, 'z', sizeof(text) - 1);
	ck_assert_int_eq(zcomp_parse(text, &params), -ENOENT);
	memset(text, '1', sizeof(text) - 1);
	for (size_t i = 0; i < strlen("zstd:"); i++)
		text[i] = "zstd:"[i];
	ck_assert_int_eq(zcomp_parse(text, &params), -ERANGE);
}
END_TEST

START_TEST(format_writes_what_parse_reads)
{
	struct zcomp_params params, again;
	char text[ZCOMP_NAME_BYTES];

	ck_assert_int_eq(zcomp_parse(levels[_i], &params), 0);
	ck_assert_ptr_eq(zcomp_format(&params, text), text);
	ck_assert_uint_lt(strlen(text), sizeof(text));
	ck_assert_int_eq(zcomp_parse(text, &again), 0);
	ck_assert_ptr_eq(again.ops, params.ops);
	ck_assert_int_eq(again.level, params.level);
}
END_TEST

START_TEST(describe_lists_each_codec_once)
{
	const size_t nr = ARRAY_SIZE(codecs);

	for (size_t i = 0; i < nr; i++) {
		const char *text = zcomp_describe(i);

		quiet_assert(text && text == strstr(text, codecs[i]));
	}
	ck_assert_str_eq(zcomp_describe(0), "lz4[:1..65537]");
	ck_assert_ptr_null(zcomp_describe(nr));
	ck_assert_ptr_null(zcomp_describe(SIZE_MAX));
}
END_TEST

/* --- round trips --------------------------------------------------------- */

static void assert_round_trip(struct zcomp_ctx *ctx, const unsigned char *src,
			      size_t bytes)
{
	unsigned char packed[ROOM_BYTES], back[ZSD_PAGE_BYTES + 1];
	size_t packed_bytes = 0;

	ck_assert_int_eq(zcomp_compress(ctx, NULL, src, bytes, packed,
					sizeof(packed), &packed_bytes),
			 0);
	ck_assert_uint_ge(packed_bytes, 1);
	ck_assert_uint_le(packed_bytes, sizeof(packed));
	memset(back, CANARY, sizeof(back));
	ck_assert_int_eq(zcomp_decompress(ctx, NULL, packed, packed_bytes, back,
					  bytes),
			 0);
	ck_assert_mem_eq(back, src, bytes);
	ck_assert_uint_eq(back[bytes], CANARY);
}

START_TEST(every_kind_of_page_comes_back)
{
	struct zcomp_ctx *ctx = ctx_of(levels[_i]);
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, (uint64_t)_i);
	for (unsigned kind = 0; kind < MODEL_NR_PAGE_KINDS; kind++) {
		for (int i = 0; i < 4; i++) {
			model_page_fill(&rng, (enum model_page)kind, page);
			assert_round_trip(ctx, page, sizeof(page));
		}
	}
	zcomp_ctx_destroy(ctx);
}
END_TEST

START_TEST(sources_of_any_length_come_back)
{
	static const size_t lengths[] = {1,  2,	  3,   7,    8,	   12,	13,
					 64, 255, 256, 1000, 4095, 4096};
	struct zcomp_ctx *ctx = ctx_of(levels[_i]);
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, (uint64_t)_i);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		model_page_fill(&rng, MODEL_PAGE_TEXT, page);
		assert_round_trip(ctx, page, lengths[i]);
		model_page_fill(&rng, MODEL_PAGE_RANDOM, page);
		assert_round_trip(ctx, page, lengths[i]);
	}
	zcomp_ctx_destroy(ctx);
}
END_TEST

START_TEST(the_same_page_compresses_to_the_same_bytes)
{
	unsigned char page[ZSD_PAGE_BYTES], a[ROOM_BYTES], b[ROOM_BYTES];
	struct zcomp_ctx *ctx = ctx_of(levels[_i]);
	struct model_rng rng;
	size_t a_bytes, b_bytes;

	model_rng_init(&rng, 5);
	model_page_fill(&rng, MODEL_PAGE_TEXT, page);
	ck_assert_int_eq(zcomp_compress(ctx, NULL, page, sizeof(page), a,
					sizeof(a), &a_bytes),
			 0);
	model_page_fill(&rng, MODEL_PAGE_RANDOM, b);
	assert_round_trip(ctx, b, sizeof(page));
	ck_assert_int_eq(zcomp_compress(ctx, NULL, page, sizeof(page), b,
					sizeof(b), &b_bytes),
			 0);
	ck_assert_uint_eq(a_bytes, b_bytes);
	ck_assert_mem_eq(a, b, a_bytes);
	zcomp_ctx_destroy(ctx);
}
END_TEST

START_TEST(text_becomes_shorter)
{
	struct zcomp_ctx *ctx = ctx_of(codecs[_i]);
	unsigned char page[ZSD_PAGE_BYTES], packed[ZSD_PAGE_BYTES];
	struct model_rng rng;
	size_t bytes;

	model_rng_init(&rng, 7);
	model_page_fill(&rng, MODEL_PAGE_TEXT, page);
	ck_assert_int_eq(zcomp_compress(ctx, NULL, page, sizeof(page), packed,
					sizeof(packed), &bytes),
			 0);
	ck_assert_uint_lt(bytes, sizeof(page) / 2);
	zcomp_ctx_destroy(ctx);
}
END_TEST

START_TEST(destroying_nothing_is_allowed)
{
	zcomp_ctx_destroy(NULL);
}
END_TEST

/* --- little room --------------------------------------------------------- */

/* Compress into @room bytes; whatever comes of it, no byte more is written. */
static int compress_within(struct zcomp_ctx *ctx, const unsigned char *page,
			   size_t room, size_t *bytes)
{
	unsigned char packed[ROOM_BYTES + 64], back[ZSD_PAGE_BYTES];
	int err;

	memset(packed, CANARY, sizeof(packed));
	err = zcomp_compress(ctx, NULL, page, ZSD_PAGE_BYTES, packed, room,
			     bytes);
	quiet_assert(is_all_canary(packed + room, packed + sizeof(packed)));
	if (err)
		return err;
	ck_assert_uint_le(*bytes, room);
	ck_assert_int_eq(zcomp_decompress(ctx, NULL, packed, *bytes, back,
					  sizeof(back)),
			 0);
	ck_assert_mem_eq(back, page, sizeof(back));
	return 0;
}

/*
 * A codec may ask for a few bytes more than its result takes, but below the
 * result's length it must fail, and well above succeed.
 */
static void assert_needs_room(struct zcomp_ctx *ctx, const unsigned char *page)
{
	const size_t untouched = 12345;
	size_t needed = 0, bytes;

	ck_assert_int_eq(compress_within(ctx, page, ROOM_BYTES, &needed), 0);
	for (size_t room = 0; room < needed; room += room < 64 ? 1 : 61) {
		bytes = untouched;
		ck_assert_int_eq(compress_within(ctx, page, room, &bytes),
				 -ENOSPC);
		ck_assert_uint_eq(bytes, untouched);
	}
	bytes = untouched;
	ck_assert_int_eq(compress_within(ctx, page, needed - 1, &bytes),
			 -ENOSPC);
	ck_assert_uint_eq(bytes, untouched);
	ck_assert_int_eq(compress_within(ctx, page, needed + 32, &bytes), 0);
	ck_assert_uint_eq(bytes, needed);
}

START_TEST(too_little_room_is_enospc)
{
	static const enum model_page kinds[] = {MODEL_PAGE_TEXT,
						MODEL_PAGE_MIXED,
						MODEL_PAGE_RANDOM,
						MODEL_PAGE_ZERO};
	struct zcomp_ctx *ctx = ctx_of(levels[_i]);
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, 11);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		model_page_fill(&rng, kinds[i], page);
		assert_needs_room(ctx, page);
	}
	zcomp_ctx_destroy(ctx);
}
END_TEST

/* How the store finds that a page is incompressible. */
START_TEST(a_random_page_does_not_fit_a_page)
{
	struct zcomp_ctx *ctx = ctx_of(levels[_i]);
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;
	size_t bytes;

	model_rng_init(&rng, 13);
	model_page_fill(&rng, MODEL_PAGE_RANDOM, page);
	ck_assert_int_eq(compress_within(ctx, page, ZSD_PAGE_BYTES, &bytes),
			 -ENOSPC);
	zcomp_ctx_destroy(ctx);
}
END_TEST

/* --- damaged input ------------------------------------------------------- */

/*
 * A buffer whose last byte is the last of mapped memory: one read or write
 * past it is a SIGSEGV, with a sanitizer or without.
 */
struct fence {
	unsigned char *map;
	unsigned char *end; /* first byte that must not be touched */
};

static struct fence fence_open(void)
{
	struct fence fence;

	fence.map =
		mmap(NULL, 3 * (size_t)ZSD_PAGE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(fence.map, MAP_FAILED);
	fence.end = fence.map + 2 * (size_t)ZSD_PAGE_BYTES;
	ck_assert_int_eq(mprotect(fence.end, ZSD_PAGE_BYTES, PROT_NONE), 0);
	return fence;
}

static void fence_close(struct fence *fence)
{
	munmap(fence->map, 3 * (size_t)ZSD_PAGE_BYTES);
}

struct damage {
	struct zcomp_ctx *ctx;
	struct model_rng rng;
	struct fence src, dst;
	unsigned char page[ZSD_PAGE_BYTES];
	unsigned char packed[ROOM_BYTES];
	size_t packed_bytes;
};

static void damage_open(struct damage *d, const char *name,
			enum model_page kind)
{
	d->ctx = ctx_of(name);
	model_rng_init(&d->rng, 17);
	d->src = fence_open();
	d->dst = fence_open();
	model_page_fill(&d->rng, kind, d->page);
	ck_assert_int_eq(zcomp_compress(d->ctx, NULL, d->page, ZSD_PAGE_BYTES,
					d->packed, sizeof(d->packed),
					&d->packed_bytes),
			 0);
}

static void damage_close(struct damage *d)
{
	fence_close(&d->src);
	fence_close(&d->dst);
	zcomp_ctx_destroy(d->ctx);
}

/* Decompress @src, with fences behind both buffers and a canary before one. */
static int decompress_fenced(struct damage *d, const void *src,
			     size_t src_bytes, size_t dst_bytes)
{
	unsigned char *in = d->src.end - src_bytes;
	unsigned char *out = d->dst.end - dst_bytes;
	int err;

	if (src_bytes)
		memcpy(in, src, src_bytes);
	memset(d->dst.map, CANARY, (size_t)(out - d->dst.map));
	err = zcomp_decompress(d->ctx, NULL, in, src_bytes, out, dst_bytes);
	quiet_assert(is_all_canary(d->dst.map, out));
	quiet_assert(err == 0 || err == -EIO);
	return err;
}

/* The context must not be the worse for what it was given. */
static void assert_still_works(struct damage *d)
{
	ck_assert_int_eq(decompress_fenced(d, d->packed, d->packed_bytes,
					   ZSD_PAGE_BYTES),
			 0);
	ck_assert_mem_eq(d->dst.end - ZSD_PAGE_BYTES, d->page, ZSD_PAGE_BYTES);
}

START_TEST(a_truncated_source_is_eio)
{
	struct damage d;

	damage_open(&d, codecs[_i], MODEL_PAGE_TEXT);
	for (size_t n = 0; n < d.packed_bytes; n++)
		quiet_assert(decompress_fenced(&d, d.packed, n,
					       ZSD_PAGE_BYTES) == -EIO);
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

START_TEST(another_length_is_eio)
{
	static const size_t lengths[] = {0, 1, 2048, 4095, 4097, 8192};
	struct damage d;

	damage_open(&d, codecs[_i], MODEL_PAGE_TEXT);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		ck_assert_int_eq(decompress_fenced(&d, d.packed, d.packed_bytes,
						   lengths[i]),
				 -EIO);
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

START_TEST(bytes_behind_the_source_are_eio)
{
	struct damage d;

	damage_open(&d, codecs[_i], MODEL_PAGE_TEXT);
	for (size_t more = 1; more < 64; more++) {
		memset(d.packed + d.packed_bytes, 0xff, more);
		ck_assert_int_eq(decompress_fenced(&d, d.packed,
						   d.packed_bytes + more,
						   ZSD_PAGE_BYTES),
				 -EIO);
	}
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

/* The content may differ unnoticed: a page carries no checksum. */
START_TEST(flipped_bits_stay_inside)
{
	unsigned char hurt[ROOM_BYTES];
	struct damage d;
	unsigned nr_eio = 0;

	damage_open(&d, codecs[_i], MODEL_PAGE_TEXT);
	for (size_t bit = 0; bit < 8 * d.packed_bytes; bit++) {
		memcpy(hurt, d.packed, d.packed_bytes);
		hurt[bit / 8] ^= (unsigned char)(1u << bit % 8);
		nr_eio += decompress_fenced(&d, hurt, d.packed_bytes,
					    ZSD_PAGE_BYTES) == -EIO;
	}
	ck_assert_uint_gt(nr_eio, 0);
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

START_TEST(damage_of_any_kind_stays_inside)
{
	unsigned char hurt[ROOM_BYTES];
	struct damage d;

	damage_open(&d, codecs[_i], MODEL_PAGE_MIXED);
	for (int i = 0; i < 4000; i++) {
		size_t n = model_rng_range(&d.rng, 1, d.packed_bytes);
		size_t at = model_rng_below(&d.rng, n);
		size_t len = model_rng_range(&d.rng, 1, n - at);

		memcpy(hurt, d.packed, n);
		if (model_rng_one_in(&d.rng, 4))
			memset(hurt + at, model_rng_one_in(&d.rng, 2) ? 0 : 255,
			       len);
		else
			model_rng_fill(&d.rng, hurt + at, len);
		(void)decompress_fenced(&d, hurt, n, ZSD_PAGE_BYTES);
	}
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

START_TEST(noise_stays_inside)
{
	unsigned char noise[ZSD_PAGE_BYTES];
	struct damage d;

	damage_open(&d, codecs[_i], MODEL_PAGE_TEXT);
	for (int i = 0; i < 4000; i++) {
		size_t n = model_rng_range(&d.rng, 1, sizeof(noise));
		size_t dst_bytes = model_rng_range(&d.rng, 1, ZSD_PAGE_BYTES);

		model_rng_fill(&d.rng, noise, n);
		(void)decompress_fenced(&d, noise, n, dst_bytes);
	}
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

START_TEST(bytes_of_ones_are_eio)
{
	unsigned char ones[ZSD_PAGE_BYTES];
	struct damage d;

	damage_open(&d, codecs[_i], MODEL_PAGE_TEXT);
	memset(ones, 0xff, sizeof(ones));
	for (size_t n = 1; n <= sizeof(ones); n += 15)
		ck_assert_int_eq(decompress_fenced(&d, ones, n, ZSD_PAGE_BYTES),
				 -EIO);
	assert_still_works(&d);
	damage_close(&d);
}
END_TEST

static TCase *names_case(void)
{
	TCase *tc = tcase_create("names");

	tcase_add_test(tc, a_name_alone_means_the_default_level);
	tcase_add_test(tc, codecs_differ);
	tcase_add_loop_test(tc, levels_are_read, 0,
			    (int)ARRAY_SIZE(good_names));
	tcase_add_loop_test(tc, wrong_names_are_told_apart, 0,
			    (int)ARRAY_SIZE(bad_names));
	tcase_add_test(tc, a_long_name_is_an_error);
	tcase_add_loop_test(tc, format_writes_what_parse_reads, 0,
			    (int)ARRAY_SIZE(levels));
	tcase_add_test(tc, describe_lists_each_codec_once);
	return tc;
}

static TCase *round_trip_case(void)
{
	TCase *tc = tcase_create("round_trip");
	const int nr = (int)ARRAY_SIZE(levels);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_kind_of_page_comes_back, 0, nr);
	tcase_add_loop_test(tc, sources_of_any_length_come_back, 0, nr);
	tcase_add_loop_test(tc, the_same_page_compresses_to_the_same_bytes, 0,
			    nr);
	tcase_add_loop_test(tc, text_becomes_shorter, 0,
			    (int)ARRAY_SIZE(codecs));
	tcase_add_test(tc, destroying_nothing_is_allowed);
	return tc;
}

static TCase *room_case(void)
{
	TCase *tc = tcase_create("room");
	const int nr = (int)ARRAY_SIZE(levels);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, too_little_room_is_enospc, 0, nr);
	tcase_add_loop_test(tc, a_random_page_does_not_fit_a_page, 0, nr);
	return tc;
}

static TCase *damage_case(void)
{
	TCase *tc = tcase_create("damage");
	const int nr = (int)ARRAY_SIZE(codecs);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_truncated_source_is_eio, 0, nr);
	tcase_add_loop_test(tc, another_length_is_eio, 0, nr);
	tcase_add_loop_test(tc, bytes_behind_the_source_are_eio, 0, nr);
	tcase_add_loop_test(tc, flipped_bits_stay_inside, 0, nr);
	tcase_add_loop_test(tc, damage_of_any_kind_stays_inside, 0, nr);
	tcase_add_loop_test(tc, noise_stays_inside, 0, nr);
	tcase_add_loop_test(tc, bytes_of_ones_are_eio, 0, nr);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("zcomp");

	suite_add_tcase(suite, names_case());
	suite_add_tcase(suite, round_trip_case());
	suite_add_tcase(suite, room_case());
	suite_add_tcase(suite, damage_case());
	return suite_run(suite);
}
