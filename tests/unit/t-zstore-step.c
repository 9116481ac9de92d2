/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store may end at any instruction. So a process that works with one is
 * stepped through, one instruction at a time; and whenever that has changed the
 * image, a copy of it is adopted: each page must read as the deeds so far left
 * it. The page of the deed that is under way may be old or new. When all is
 * rebuilt the verifier must be content.
 *
 *   ZSD_STEP_EVERY=N  adopt each Nth image (default 16)
 *   ZSD_STEP_DEEDS=N  deeds of the process (default 22, at least 6)
 *   ZSD_STEP_SEED=N   which they are; a fresh one if unset
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "adopt_rig.h"
#include "dict_rig.h"
#include "model/behind.h"
#include "model/own_ctx.h"
#include "quiet.h"
#include "suite.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_recompress.h"
#include "zstore/zstore_share.h"

#define DISK_PAGES    48u
#define MAX_DEEDS     10000u
#define DEFAULT_DEEDS 22u
#define DEFAULT_EVERY 16u

/* By this the process says that it enters or leaves what need not be stepped
 * through. */
#define SIG_MARK SIGUSR1

static struct store_rig rig;
static struct zstore_sharing *sharing; /* the process's */

/* Its bytes are the process's and its heirs', who only read: what a copy of the
 * image does not name is free, and may be written any further. */
#define NR_BLOCKS 20u
static struct behind behind;
static unsigned char *behind_bytes;

/* --- deeds ----------------------------------------------------------------- */

enum deed_kind {
	DEED_WRITE,
	DEED_PATCH,
	DEED_TRIM,
	DEED_COMPACT,
	DEED_SHRINK,
	DEED_HOUSEKEEP,
	DEED_ADD_DICT,
	DEED_RECOMPRESS,
	DEED_BEGIN_EPOCH,
	DEED_SHARE,
	DEED_WRITE_OUT,
	DEED_READ,
};

static struct deed {
	enum deed_kind kind;
	uint64_t index; /* of the page; or which dictionary */
	unsigned char page[ZSD_PAGE_BYTES]; /* to be written, or its first
					     * bytes */
} deeds[MAX_DEEDS];

static unsigned nr_deeds;

#define PATCH_AT    1000u
#define PATCH_BYTES 77u

/* Shared with the process. */
static struct progress {
	_Atomic unsigned nr_done;
	_Atomic unsigned nr_written_out; /* pages */
} * progress;

static unsigned char dicts[3][4 * KIB];
static size_t dict_bytes[3];

static enum deed_kind choose_kind(struct model_rng *rng)
{
	static const enum deed_kind rare[] = {DEED_COMPACT, DEED_COMPACT,
					      DEED_SHRINK, DEED_HOUSEKEEP};

	if (model_rng_one_in(rng, 6))
		return model_rng_one_in(rng, 4) ? DEED_BEGIN_EPOCH
						: DEED_RECOMPRESS;
	if (model_rng_one_in(rng, 8))
		return rare[model_rng_below(rng, ARRAY_SIZE(rare))];
	if (model_rng_one_in(rng, 6))
		return DEED_SHARE;
	if (model_rng_one_in(rng, 4))
		return model_rng_one_in(rng, 3) ? DEED_READ : DEED_WRITE_OUT;
	if (model_rng_one_in(rng, 5))
		return DEED_TRIM;
	return model_rng_one_in(rng, 6) ? DEED_PATCH : DEED_WRITE;
}

/* However few deeds there are: a page that is written out is read, patched,
 * written out again, and trimmed. */
static void begin_plan(void)
{
	static const enum deed_kind kinds[] = {
		DEED_WRITE, DEED_WRITE_OUT, DEED_READ,
		DEED_PATCH, DEED_WRITE_OUT, DEED_TRIM,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		deeds[i].kind = kinds[i];
		deeds[i].index = deeds[0].index;
	}
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void plan(bool has_dicts)
{
	unsigned long seed =
		number_from("ZSD_STEP_SEED", (unsigned long)time(NULL));

	printf("ZSD_STEP_SEED=%lu\n", seed);
	model_rng_init(&rig.rng, seed);
	nr_deeds = (unsigned)number_from("ZSD_STEP_DEEDS", DEFAULT_DEEDS);
	ck_assert_uint_le(nr_deeds, MAX_DEEDS);
	for (unsigned i = 0; i < nr_deeds; i++) {
		struct deed *deed = &deeds[i];

		deed->kind = choose_kind(&rig.rng);
		deed->index = model_rng_below(&rig.rng, DISK_PAGES);
		model_page_fill(&rig.rng, model_page_kind(&rig.rng),
				deed->page);
		if (!i) /* is written out: it is not same-filled */
			model_page_fill(&rig.rng, MODEL_PAGE_TEXT, deed->page);
		/* Some are equal. */
		if (i && !model_rng_one_in(&rig.rng, 3))
			memcpy(deed->page,
			       deeds[model_rng_below(&rig.rng, i)].page,
			       sizeof(deed->page));
		if (has_dicts && i % 12 == 7) {
			deed->kind = DEED_ADD_DICT;
			deed->index = i / 12 % 3;
		}
	}
	begin_plan();
}

static bool is_about_a_page(const struct deed *deed)
{
	return deed->kind <= DEED_TRIM;
}

/* What becomes of a page. */
static void apply(const struct deed *deed, unsigned char *page)
{
	if (deed->kind == DEED_WRITE)
		memcpy(page, deed->page, ZSD_PAGE_BYTES);
	else if (deed->kind == DEED_PATCH)
		memcpy(page + PATCH_AT, deed->page, PATCH_BYTES);
	else
		memset(page, 0, ZSD_PAGE_BYTES);
}

/* --- the process ----------------------------------------------------------- */

static bool is_traced;

int __real_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t room, size_t *out_bytes);
int __wrap_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t room, size_t *out_bytes);
int __real_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes);
int __wrap_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes);
int __real_zcomp_dict_create(const struct zcomp_params *params,
			     size_t src_bytes_max, const void *bytes,
			     size_t nr_bytes, struct zcomp_dict **out);
int __wrap_zcomp_dict_create(const struct zcomp_params *params,
			     size_t src_bytes_max, const void *bytes,
			     size_t nr_bytes, struct zcomp_dict **out);

static void mark(void)
{
	if (is_traced)
		raise(SIG_MARK);
}

int __wrap_zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			  const void *src, size_t src_bytes, void *dst,
			  size_t room, size_t *out_bytes)
{
	int err;

	mark();
	err = __real_zcomp_compress(ctx, dict, src, src_bytes, dst, room,
				    out_bytes);
	mark();
	return err;
}

int __wrap_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes)
{
	int err;

	mark();
	err = __real_zcomp_decompress(ctx, dict, src, src_bytes, dst,
				      dst_bytes);
	mark();
	return err;
}

int __wrap_zcomp_dict_create(const struct zcomp_params *params,
			     size_t src_bytes_max, const void *bytes,
			     size_t nr_bytes, struct zcomp_dict **out)
{
	int err;

	mark();
	err = __real_zcomp_dict_create(params, src_bytes_max, bytes, nr_bytes,
				       out);
	mark();
	return err;
}

static int write_deed(const struct deed *deed)
{
	uint64_t at = deed->index * ZSD_PAGE_BYTES;

	if (deed->kind == DEED_WRITE)
		return zstore_write(rig.ctx, at, ZSD_PAGE_BYTES, deed->page);
	if (deed->kind == DEED_PATCH)
		return zstore_write(rig.ctx, at + PATCH_AT, PATCH_BYTES,
				    deed->page);
	return zstore_write_zeroes(rig.ctx, at, ZSD_PAGE_BYTES);
}

/* Both codecs have the same ones: in turn. */
static int add_dict(uint64_t which)
{
	unsigned number;

	return zstore_dict_add(rig.store, which % ZSTORE_CODECS, dicts[which],
			       dict_bytes[which], &number);
}

/* Of all pages up to three, the longest. */
static int recompress(void)
{
	const struct zstore_recompress how = {
		.again = true, .since_s = UINT32_MAX, .max_pages = 3};
	struct zstore_recompressing at = {0};
	int more;

	do {
		more = zstore_recompress(rig.ctx, &how, &at, DISK_PAGES);
	} while (more == 1);
	return more == -ENOMEM ? 0 : more; /* none is ready */
}

static void begin_epoch(const struct deed *deed)
{
	zstore_begin_epoch(rig.store, (uint32_t)(deed - deeds) + 1);
	(void)zstore_mark_idle(rig.store, UINT32_MAX);
}

/* One pass. */
static int share(void)
{
	int more;

	do {
		more = zstore_share(rig.ctx, sharing, 100);
	} while (more == 1);
	return more;
}

/* A block of two pages or of one. */
static int write_out(const struct deed *deed)
{
	static struct zstore_block_out out;
	const struct zstore_writeback how = {
		.singly = deed->index % 2,
		.since_s = UINT32_MAX,
	};
	struct zstore_writing at = {0};
	int more =
		zstore_writeback_fill(rig.ctx, &how, &at, &out, 4 * DISK_PAGES);

	if (more == 1)
		zstore_writeback_end(rig.ctx, &how, &at, &out,
				     behind_write(&behind, &out));
	progress->nr_written_out += (unsigned)at.nr_done;
	return more == 1 || more == -ENOSPC ? 0 : more;
}

static int read_page(const struct deed *deed)
{
	unsigned char page[ZSD_PAGE_BYTES];

	return zstore_read(rig.ctx, deed->index * ZSD_PAGE_BYTES, sizeof(page),
			   page);
}

static int do_deed(const struct deed *deed)
{
	struct zs_compacted done;

	switch (deed->kind) {
	case DEED_WRITE:
	case DEED_PATCH:
	case DEED_TRIM:
		return write_deed(deed);
	case DEED_COMPACT:
		zstore_compact(rig.store, &done);
		return 0;
	case DEED_SHRINK:
		zstore_shrink(rig.store);
		return 0;
	case DEED_HOUSEKEEP:
		(void)zstore_housekeep(rig.store, 8);
		return 0;
	case DEED_ADD_DICT:
		return add_dict(deed->index);
	case DEED_RECOMPRESS:
		return recompress();
	case DEED_BEGIN_EPOCH:
		begin_epoch(deed);
		return 0;
	case DEED_SHARE:
		return share();
	case DEED_WRITE_OUT:
		return write_out(deed);
	case DEED_READ:
		return read_page(deed);
	}
	return -EINVAL;
}

static void __attribute__((noreturn)) be_process(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(2);
	is_traced = true;
	raise(SIGSTOP);
	for (unsigned i = 0; i < nr_deeds; i++) {
		if (do_deed(&deeds[i]))
			_exit(3);
		progress->nr_done = i + 1;
	}
	_exit(0);
}

/* --- its heirs ------------------------------------------------------------- */

static unsigned nr_applied; /* deeds, to rig.flat */

static void catch_up(void)
{
	for (; nr_applied < progress->nr_done; nr_applied++) {
		const struct deed *deed = &deeds[nr_applied];

		if (is_about_a_page(deed))
			apply(deed, rig.flat + deed->index * ZSD_PAGE_BYTES);
	}
}

/* Whether a page is as the deed that is under way would leave it. */
static bool is_new(uint64_t index, const unsigned char *found)
{
	const struct deed *deed = &deeds[nr_applied];
	unsigned char page[ZSD_PAGE_BYTES];

	if (nr_applied == nr_deeds || !is_about_a_page(deed) ||
	    deed->index != index)
		return false;
	memcpy(page, rig.flat + index * ZSD_PAGE_BYTES, sizeof(page));
	apply(deed, page);
	return !memcmp(page, found, sizeof(page));
}

static void check_pages(struct zstore_ctx *ctx)
{
	unsigned char found[ZSD_PAGE_BYTES];

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		const unsigned char *old = rig.flat + i * ZSD_PAGE_BYTES;

		quiet_assert(zstore_read(ctx, i * ZSD_PAGE_BYTES, sizeof(found),
					 found) == 0);
		if (memcmp(found, old, sizeof(found)) && !is_new(i, found))
			ck_abort_msg("after %u deeds page %u is wrong",
				     nr_applied, (unsigned)i);
	}
}

/* Adopts the image as it is now. */
static void be_heir(void)
{
	struct zstore_verify_report report;
	struct zstore *store;
	struct zstore_ctx *ctx;
	int fd = rig_copy_image(&rig.store->image);

	quiet_assert(fd >= 0);
	quiet_assert(zstore_open(&rig.params, fd, &store) == 0);
	close(fd);
	quiet_assert(own_ctx_create(store, &ctx) == 0);
	quiet_assert(zstore_adopt(store) == 0);
	check_pages(ctx);
	if (zstore_verify(ctx, &report))
		ck_abort_msg("after %u deeds: %s", nr_applied, report.text);
	check_pages(ctx);
	own_ctx_destroy(ctx);
	zstore_destroy(store);
}

/* What the image was when it was looked at last. */
static unsigned char *last;

/* Whether the image has changed, and is now what it was when last looked at. */
static bool has_changed(void)
{
	const struct mapping *map = &rig.store->image;
	uint64_t at = 0, end = map->bytes;
	bool has_changed = false;

	for (; mapping_next_data(map, &at, &end); at = end, end = map->bytes) {
		if (memcmp(last + at, map->base + at, end - at)) {
			memcpy(last + at, map->base + at, end - at);
			has_changed = true;
		}
		if (end == map->bytes)
			break;
	}
	return has_changed;
}

static unsigned long every(void)
{
	unsigned long n = number_from("ZSD_STEP_EVERY", DEFAULT_EVERY);

	return n ? n : 1;
}

/* --- stepping -------------------------------------------------------------- */

/* The process has stopped by @signal: look at it. @is_marked: it is where it
 * need not be stepped through. */
static void look(int signal, bool *is_marked, uint64_t *nr_images)
{
	if (signal == SIG_MARK) {
		*is_marked = !*is_marked;
		return;
	}
	ck_assert(signal == SIGTRAP || signal == SIGSTOP);
	if (!has_changed() || (*nr_images)++ % every())
		return;
	catch_up();
	be_heir();
}

static void step_through(void)
{
	uint64_t nr_images = 0, nr_steps = 0;
	bool is_marked = false;
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid)
		be_process();
	for (;; nr_steps++) {
		quiet_assert(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status))
			break;
		quiet_assert(WIFSTOPPED(status));
		look(WSTOPSIG(status), &is_marked, &nr_images);
		quiet_assert(ptrace(is_marked ? PTRACE_CONT : PTRACE_SINGLESTEP,
				    pid, NULL, NULL) == 0);
	}
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	catch_up();
	be_heir();
	printf("%llu instructions, %llu images, one in %lu adopted\n",
	       (unsigned long long)nr_steps, (unsigned long long)nr_images,
	       every());
	ck_assert_uint_eq(nr_applied, nr_deeds);
	ck_assert_uint_ge(progress->nr_written_out, 2);
	ck_assert_uint_gt(nr_images, 10 * nr_deeds);
}

/* --- cases ----------------------------------------------------------------- */

static void *map_shared(size_t bytes, int flags)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void open_rig(const char *algorithm, const char *secondary,
		     bool checksum)
{
	struct zstore_params params = rig_params(algorithm);

	ck_assert_int_eq(zcomp_parse(secondary, &params.recomp), 0);
	params.disk_bytes = DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES;
	params.reserve_bytes = 16 * ZSD_PAGE_BYTES;
	params.checksum = checksum;
	params.share = true;
	behind_bytes = map_shared(NR_BLOCKS * ZSD_PAGE_BYTES, MAP_SHARED);
	behind_init_over(&behind, NR_BLOCKS, behind_bytes);
	params.backing = behind_backing(&behind);
	rig_open(&rig, &params);
	progress = map_shared(sizeof(*progress), MAP_SHARED);
	last = map_shared(rig.store->image.bytes, MAP_PRIVATE);
	nr_applied = 0;
	ck_assert_int_eq(zstore_sharing_create(DISK_PAGES, &sharing), 0);
}

static void teardown(void)
{
	munmap(progress, sizeof(*progress));
	munmap(last, rig.store->image.bytes);
	zstore_sharing_destroy(sharing);
	rig_close(&rig);
	behind_fini(&behind);
	munmap(behind_bytes, NR_BLOCKS * ZSD_PAGE_BYTES);
}

START_TEST(no_instruction_tears_it)
{
	plan(false);
	step_through();
}
END_TEST

START_TEST(nor_with_dictionaries)
{
	for (unsigned i = 0; i < ARRAY_SIZE(dicts); i++)
		dict_bytes[i] = rig_train(&rig.params.zcomp, i + 1, dicts[i],
					  sizeof(dicts[i]));
	plan(true);
	step_through();
}
END_TEST

static void setup(void)
{
	open_rig("lz4", "zstd:1", false);
}

static void setup_dicts(void)
{
	open_rig("zstd:1", "zstd:3", true);
}

int main(void)
{
	Suite *suite = suite_create("zstore/step");
	TCase *plain = tcase_create("plain"), *dict = tcase_create("dicts");

	tcase_add_checked_fixture(plain, setup, teardown);
	tcase_set_timeout(plain, 0);
	tcase_add_test(plain, no_instruction_tears_it);
	suite_add_tcase(suite, plain);
	tcase_add_checked_fixture(dict, setup_dicts, teardown);
	tcase_set_timeout(dict, 0);
	tcase_add_test(dict, nor_with_dictionaries);
	suite_add_tcase(suite, dict);
	return suite_run(suite);
}
