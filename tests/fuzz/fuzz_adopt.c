/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image that was damaged, maybe with malice, before it is adopted.
 *
 * An input is a store's parameters and how it is filled, then damages, then
 * what is done with the disk afterwards. Whatever that is, nothing may crash or
 * hang, and each call ends with one of its errors. What a page reads as is not
 * looked at: whoever can write any words can write any page. That one damaged
 * word makes no page wrong is tested by t-zstore-damage.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "fuzz.h"
#include "model/model.h"
#include "model/own_ctx.h"
#include "model/train.h"
#include "zsmalloc/zs_internal.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"

#define DISK_PAGES 600u
#define MAX_DEEDS  400u

/* Pages that are tried at a time. */
#define MAX_TRIED 20u

/* The longest number in an input that damages a word, bytes. */
#define WORD_BYTES 8u

struct fuzz {
	struct fuzz_input in;
	struct zstore_params params;
	struct zstore *store;
	struct zstore_ctx *ctx;
	struct model_rng rng;
	bool has_dict; /* of the secondary codec */
};

int __wrap_usleep(useconds_t us);

int __wrap_usleep(useconds_t us)
{
	(void)us;
	return 0;
}

/* --- before ---------------------------------------------------------------- */

static void open_store(struct fuzz *f)
{
	uint8_t how = fuzz_byte(&f->in), chain = fuzz_byte(&f->in);

	f->params = (struct zstore_params){
		.disk_bytes = DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES,
		.reserve_bytes = 32 * KIB,
		.chain_size =
			ZS_CHAIN_SIZE_MIN +
			chain % (ZS_CHAIN_SIZE_MAX - ZS_CHAIN_SIZE_MIN + 1),
		.checksum = how & 1,
	};
	FUZZ_CHECK(!zcomp_parse(how & 2 ? "zstd:-5" : "lz4", &f->params.zcomp),
		   "zcomp_parse");
	FUZZ_CHECK(!(how & 4) || !zcomp_parse(how & 8 ? "plz" : "zstd:3",
					      &f->params.recomp),
		   "zcomp_parse");
	FUZZ_CHECK(!zstore_create(&f->params, &f->store), "zstore_create");
	FUZZ_CHECK(!own_ctx_create(f->store, &f->ctx), "own_ctx_create");
	model_rng_init(&f->rng, how);
	f->has_dict = how & 16;
}

static int write_page(struct fuzz *f, uint64_t index)
{
	unsigned char page[ZSD_PAGE_BYTES];

	model_page_fill(&f->rng, model_page_kind(&f->rng), page);
	return zstore_write(f->ctx, index * ZSD_PAGE_BYTES, sizeof(page), page);
}

/* Pages that were not accessed lately, or any. */
static int recompress(struct fuzz *f, uint32_t since_s)
{
	const struct zstore_recompress how = {
		.again = true, .since_s = since_s, .max_pages = MAX_TRIED};
	struct zstore_recompressing at = {0};
	int more;

	do {
		more = zstore_recompress(f->ctx, &how, &at, 1000);
	} while (more == 1);
	return more == -ENOMEM ? 0 : more; /* none is ready */
}

/* One for the secondary codec, and pages that it makes shorter. */
static void rest(struct fuzz *f)
{
	static unsigned char dict[MODEL_DICT_BYTES];
	struct model_run run = {.name = "fuzz_adopt"};
	unsigned number;
	size_t bytes;

	if (!f->params.recomp.ops)
		return;
	if (f->has_dict) {
		bytes = model_train(&run, &f->params.recomp, &f->rng, dict);
		FUZZ_CHECK(!zstore_dict_add(f->store, ZSTORE_SECONDARY, dict,
					    bytes, &number),
			   "zstore_dict_add");
	}
	zstore_begin_epoch(f->store, 100);
	FUZZ_CHECK(!recompress(f, UINT32_MAX), "zstore_recompress");
	(void)zstore_mark_idle(f->store, 100);
}

static void fill(struct fuzz *f)
{
	unsigned nr = fuzz_byte(&f->in), nr_holes = fuzz_byte(&f->in);

	for (unsigned i = 0; i < nr; i++)
		FUZZ_CHECK(!write_page(f, i * 7 % DISK_PAGES), "zstore_write");
	for (unsigned i = 0; i < nr_holes; i++)
		zstore_trim(f->ctx,
			    i * 3 % DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES,
			    ZSD_PAGE_BYTES);
}

/* --- damage ---------------------------------------------------------------- */

/* A part of the image that has memory, as a number says. */
static void part_of(const struct fuzz *f, unsigned which, uint64_t *offset,
		    uint64_t *bytes)
{
	const struct zs_pool *pool = f->store->pool;

	/* What came with the secondary codec, for stores that have one. */
	switch (which % (f->params.recomp.ops ? 7 : 5)) {
	case 0:
		*offset = 0;
		*bytes = sizeof(struct zstore_header);
		return;
	case 1:
		*offset = f->store->slots_offset;
		*bytes = ZSD_PAGE_BYTES;
		return;
	case 2:
		*offset = pool->handles.entries_table.offset;
		*bytes = pool->handles.nr_fresh * sizeof(uint64_t);
		return;
	case 3:
		*offset = pool->arena.descriptors.offset;
		*bytes = (pool->arena.nr_top + 1) * sizeof(struct zs_desc);
		return;
	case 4:
		*offset = (uint64_t)(pool->arena.base - f->store->image.base);
		*bytes = pool->arena.nr_top * ZSD_PAGE_BYTES;
		return;
	case 5:
		*offset = f->store->header.ages_offset;
		*bytes = 2 * ZSD_PAGE_BYTES;
		return;
	default:
		*offset = f->store->header.dicts_offset;
		*bytes = f->store->dict_bytes[1];
		return;
	}
}

/* Overwrite a few bytes, or change bits of them. */
static void damage(struct fuzz *f)
{
	uint8_t how = fuzz_byte(&f->in);
	unsigned nr = 1 + how / 32;
	uint64_t at = fuzz_number(&f->in, 3);
	uint64_t word = fuzz_number(&f->in, nr), offset, bytes, old = 0;

	part_of(f, how, &offset, &bytes);
	if (bytes < WORD_BYTES)
		return;
	offset += at % (bytes - WORD_BYTES + 1);
	memcpy(&old, f->store->image.base + offset, nr);
	if (how & 16)
		word ^= old;
	memcpy(f->store->image.base + offset, &word, nr);
}

/* Return: false where it is refused. */
static bool adopt(struct fuzz *f)
{
	int fd = dup(zstore_image_fd(f->store)), err;

	own_ctx_destroy(f->ctx);
	zstore_destroy(f->store);
	FUZZ_CHECK(fd >= 0, "dup");
	err = zstore_open(&f->params, fd, &f->store);
	close(fd);
	if (err) {
		FUZZ_CHECK(err == -EBADMSG || err == -EINVAL ||
				   err == -EPROTONOSUPPORT,
			   "zstore_open: %d", err);
		return false;
	}
	FUZZ_CHECK(!own_ctx_create(f->store, &f->ctx), "own_ctx_create");
	FUZZ_CHECK(!zstore_adopt(f->store), "zstore_adopt");
	return true;
}

/* --- after ----------------------------------------------------------------- */

static void read_all(struct fuzz *f)
{
	unsigned char page[ZSD_PAGE_BYTES];

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		int err = zstore_read(f->ctx, i * ZSD_PAGE_BYTES, sizeof(page),
				      page);

		FUZZ_CHECK(!err || err == -EIO, "zstore_read: %d", err);
	}
}

static void verify(struct fuzz *f)
{
	struct zstore_verify_report report;
	int err = zstore_verify(f->ctx, &report);

	FUZZ_CHECK(!err || err == -EUCLEAN, "zstore_verify: %d", err);
}

static int rest_anew(struct fuzz *f, uint64_t index)
{
	const uint32_t now_s = 200 + (uint32_t)index;
	struct zstore_block block;

	zstore_begin_epoch(f->store, now_s);
	(void)zstore_mark_idle(f->store, now_s - 1);
	(void)zstore_block(f->store, index, &block);
	return recompress(f, index % 2 ? now_s : UINT32_MAX);
}

static void change(struct fuzz *f, uint8_t what)
{
	uint64_t index = fuzz_number(&f->in, 2) % DISK_PAGES;
	struct zs_compacted done;
	int err = 0;

	switch (what % 8) {
	case 0:
		zstore_trim(f->ctx, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
		break;
	case 1:
		zstore_compact(f->store, &done);
		break;
	case 2:
		err = zstore_write(f->ctx, index * ZSD_PAGE_BYTES + 100, 5,
				   "12345");
		break;
	case 3:
		err = f->params.recomp.ops ? rest_anew(f, index)
					   : write_page(f, index);
		break;
	default:
		err = write_page(f, index);
		break;
	}
	FUZZ_CHECK(!err || err == -EIO || err == -ENOSPC, "a change fails: %d",
		   err);
}

static void use(struct fuzz *f)
{
	read_all(f);
	while (zstore_rebuild(f->store, 1000))
		;
	read_all(f);
	verify(f);
	for (unsigned i = 0; i < MAX_DEEDS && !fuzz_input_is_over(&f->in); i++)
		change(f, fuzz_byte(&f->in));
	verify(f);
	zstore_trim(f->ctx, 0, f->params.disk_bytes);
	read_all(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {0};
	unsigned nr;

	fuzz_input_init(&f.in, data, size);
	open_store(&f);
	fill(&f);
	rest(&f);
	for (nr = fuzz_byte(&f.in) % 16; nr; nr--)
		damage(&f);
	if (!adopt(&f))
		return 0;
	use(&f);
	own_ctx_destroy(f.ctx);
	zstore_destroy(f.store);
	return 0;
}
