/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks that are saved and restored, while nobody changes them and while a
 * thread does, from store to store with one codec or another, or two. Before
 * they are saved, pages are recompressed.
 *
 * A page's content follows from its number and its version. What is restored
 * must be, for each page, one of the versions that it had while the disk was
 * saved; where nobody wrote meanwhile there is one. The next disk is the one
 * that was restored.
 *
 * One disk counts as OPS_PER_DISK operations of ZSD_MODEL_OPS.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "model/model.h"
#include "model/own_ctx.h"
#include "model/train.h"
#include "zstore/zstore.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"
#include "zstore/zstore_save.h"

#define OPS_PER_DISK 2500u

/* Two groups of slots, and a part of one. */
#define NR_PAGES   1200u
#define DISK_BYTES ((uint64_t)NR_PAGES * ZSD_PAGE_BYTES)

#define MAX_CHANGES 1500u /* between two disks */

static const char *const algorithms[] = {"lz4", "zstd:1", "zstd:3", "lz4:9"};

static const char *const secondaries[] = {NULL, NULL, "plz", "zstd:9", "lz4"};

/* Trained once: plz takes long to. */
#define NR_MODELS 3u

struct dict {
	unsigned char bytes[MODEL_DICT_BYTES];
	size_t nr_bytes;
};

static struct model {
	struct model_run run;
	struct model_rng rng;
	struct dict models[NR_MODELS];
	struct zstore_params params;
	struct zstore *store;
	struct zstore_ctx *ctx;
	_Atomic uint32_t versions[NR_PAGES]; /* being written, or written */
	unsigned char *stream;
	size_t bytes, room; /* of it */
	_Atomic bool is_saved; /* the thread that writes may end */
	uint64_t nr_still, nr_live, nr_copies, nr_others;
	uint64_t nr_dicts[ZSTORE_CODECS];
	_Atomic uint64_t nr_recompressed;
	/* Recompressed pages, and what became of them. */
	uint64_t nr_kept, nr_anew;
	uint64_t nr_new; /* pages of which a version was saved that came
			    meanwhile */
} m;

/* --- content --------------------------------------------------------------- */

/* Return: false where it is a hole. */
static bool make_page(uint32_t index, uint32_t version, unsigned char *page)
{
	struct model_rng rng;

	model_rng_init(&rng, m.run.seed * 1000003 + index * 7919 + version);
	if (!version || model_rng_one_in(&rng, 6)) {
		memset(page, 0, ZSD_PAGE_BYTES);
		return false;
	}
	model_page_fill(&rng, model_page_kind(&rng), page);
	return true;
}

/* The version comes before the page: what is found is one that is known. */
static void change(struct zstore_ctx *ctx, struct model_rng *rng)
{
	uint32_t index = (uint32_t)model_rng_below(rng, NR_PAGES);
	uint32_t version = atomic_fetch_add(&m.versions[index], 1) + 1;
	uint64_t offset = (uint64_t)index * ZSD_PAGE_BYTES;
	unsigned char page[ZSD_PAGE_BYTES];

	if (make_page(index, version, page))
		MODEL_CHECK(&m.run,
			    !zstore_write(ctx, offset, sizeof(page), page),
			    "a write fails");
	else
		zstore_trim(ctx, offset, sizeof(page));
}

static void recompress(struct zstore_ctx *ctx, struct model_rng *rng)
{
	const struct zstore_recompress how = {
		.again = model_rng_one_in(rng, 2),
		.since_s = UINT32_MAX,
		.max_pages = model_rng_range(rng, 1, 100),
	};
	struct zstore_recompressing at = {0};
	int more;

	if (!m.params.recomp.ops)
		return;
	do {
		more = zstore_recompress(ctx, &how, &at, 500);
	} while (more == 1);
	MODEL_CHECK(&m.run, !more || more == -ENOMEM, "zstore_recompress: %d",
		    more);
	m.nr_recompressed += at.nr_done;
}

static void *write_meanwhile(void *arg)
{
	struct model_rng *rng = arg;
	struct zstore_ctx *ctx;

	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	while (!atomic_load(&m.is_saved)) {
		change(ctx, rng);
		if (model_rng_one_in(rng, 50))
			recompress(ctx, rng);
	}
	own_ctx_destroy(ctx);
	return NULL;
}

static bool is_plz(const struct zcomp_params *params)
{
	return zcomp_dict_bytes_besides(params);
}

static void train_models(void)
{
	struct zcomp_params params;

	MODEL_CHECK(&m.run, !zcomp_parse("plz", &params), "plz");
	for (struct dict *dict = m.models; dict < m.models + NR_MODELS; dict++)
		dict->nr_bytes =
			model_train(&m.run, &params, &m.rng, dict->bytes);
}

static void train(void)
{
	const enum zstore_codec codec =
		model_rng_one_in(&m.rng, 2) ? ZSTORE_SECONDARY : ZSTORE_PRIMARY;
	const struct zcomp_params *params = zstore_codec(m.store, codec);
	struct dict *dict, made;
	unsigned number;
	int err;

	if (!params->ops || !zcomp_has_dicts(params))
		return;
	if (is_plz(params)) {
		dict = &m.models[model_rng_below(&m.rng, NR_MODELS)];
	} else {
		made.nr_bytes = model_train(&m.run, params, &m.rng, made.bytes);
		dict = &made;
	}
	err = zstore_dict_add(m.store, codec, dict->bytes, dict->nr_bytes,
			      &number);
	MODEL_CHECK(&m.run, !err || err == -EBUSY, "zstore_dict_add: %d", err);
	m.nr_dicts[codec] += !err;
}

static void stir(void)
{
	struct zs_compacted done;

	for (uint64_t n = model_rng_below(&m.rng, MAX_CHANGES); n; n--) {
		change(m.ctx, &m.rng);
		if (model_rng_one_in(&m.rng, 300))
			train();
		if (model_rng_one_in(&m.rng, 300))
			recompress(m.ctx, &m.rng);
		if (model_rng_one_in(&m.rng, 500))
			zstore_compact(m.store, &done);
	}
	recompress(m.ctx, &m.rng);
}

/* --- saving ---------------------------------------------------------------- */

static void append(const unsigned char *block, size_t bytes)
{
	if (m.bytes + bytes > m.room) {
		m.room = 2 * (m.bytes + bytes);
		m.stream = realloc(m.stream, m.room);
		MODEL_CHECK(&m.run, m.stream, "no memory");
	}
	memcpy(m.stream + m.bytes, block, bytes);
	m.bytes += bytes;
}

static void save(bool trains)
{
	static unsigned char block[ZSAVE_BLOCK_BYTES];
	struct zstore_save save;
	size_t bytes;

	m.bytes = 0;
	MODEL_CHECK(&m.run, !zstore_save_begin(&save, m.ctx, 0, m.run.op),
		    "zstore_save_begin");
	while (!save.is_over) {
		MODEL_CHECK(&m.run, !zstore_save_next(&save, block, &bytes),
			    "page %llu cannot be saved",
			    (unsigned long long)save.next);
		append(block, bytes);
		if (trains && model_rng_one_in(&m.rng, 10))
			train();
	}
	zstore_save_end(&save);
}

/* --- restoring ------------------------------------------------------------- */

struct other {
	struct zstore *store;
	struct zstore_ctx *ctx;
	struct zstore_restore *restore;
	struct zsave_reader reader;
};

static void take(struct other *other, const struct zsave_block *block)
{
	int err;

	if (block->kind == ZSAVE_HEAD)
		err = zstore_restore_begin(other->ctx, &other->reader.head,
					   &other->restore);
	else
		err = zstore_restore_block(other->restore, block);
	MODEL_CHECK(&m.run, !err, "block %llu of kind %u is refused: %d",
		    (unsigned long long)other->reader.nr_blocks, block->kind,
		    err);
}

static void read_stream(struct other *other)
{
	struct zsave_reader *reader = &other->reader;
	struct zsave_block block;
	void *to;
	int err;

	for (size_t at = 0, n; at < m.bytes; at += n) {
		n = min_u64(zsave_reader_space(reader, &to), m.bytes - at);
		n = model_rng_range(&m.rng, 1, n);
		memcpy(to, m.stream + at, n);
		zsave_reader_add(reader, n);
		err = zsave_reader_next(reader, &block);
		if (!err)
			take(other, &block);
		else
			MODEL_CHECK(&m.run, err == -EAGAIN, "%s, at %llu",
				    zsave_fault_text(reader->fault),
				    (unsigned long long)reader->offset);
	}
	MODEL_CHECK(&m.run, !zsave_reader_finish(reader), "it has no end");
}

/* Which of the versions @first .. @last the page is. */
static uint32_t find_version(uint32_t index, uint32_t first, uint32_t last,
			     const unsigned char *page, bool is_hole)
{
	unsigned char expected[ZSD_PAGE_BYTES];

	for (uint32_t v = first; v <= last; v++) {
		if (make_page(index, v, expected) != is_hole &&
		    memcmp(page, expected, sizeof(expected)) == 0)
			return v;
	}
	model_fail(&m.run, __FILE__, __LINE__,
		   "page %u is none of its versions %u to %u", index, first,
		   last);
}

static void compare(struct other *other, const uint32_t *before)
{
	for (uint32_t i = 0; i < NR_PAGES; i++) {
		const uint64_t offset = (uint64_t)i * ZSD_PAGE_BYTES;
		unsigned char page[ZSD_PAGE_BYTES];
		uint32_t steps = 1, found;
		unsigned state;

		MODEL_CHECK(&m.run,
			    !zstore_read(other->ctx, offset, sizeof(page),
					 page),
			    "page %u cannot be read", i);
		(void)zstore_extent(other->ctx, offset, sizeof(page), &steps,
				    &state);
		found = find_version(i, before[i], m.versions[i], page,
				     state & ZSTORE_HOLE);
		m.nr_new += found != before[i];
		m.versions[i] = found;
	}
}

/* --- how they are stored --------------------------------------------------- */

/* What the pages of the disk were when nobody changed it any more. */
static struct zstore_block was[NR_PAGES];

static void look_at_blocks(void)
{
	for (uint32_t i = 0; i < NR_PAGES; i++) {
		was[i] = (struct zstore_block){0};
		(void)zstore_block(m.store, i, &was[i]);
	}
}

/* Which codec of a store reads what one of another's made; ZSTORE_CODECS: none
 * of them. */
static unsigned find_codec(const struct zstore_params *from, unsigned codec,
			   const struct zstore *to)
{
	const struct zcomp_ops *ops =
		codec == ZSTORE_PRIMARY ? from->zcomp.ops : from->recomp.ops;

	if (zstore_codec(to, codec)->ops == ops)
		return codec;
	return zstore_codec(to, !codec)->ops == ops ? !codec : ZSTORE_CODECS;
}

/* What one of the store's codecs can read stays as it is, as that one's. */
static void check_form(struct other *other, uint32_t index, unsigned codec)
{
	struct zstore_block block;

	MODEL_CHECK(&m.run, zstore_block(other->store, index, &block),
		    "page %u is not there", index);
	MODEL_CHECK(&m.run,
		    codec == ZSTORE_CODECS || block.bytes == was[index].bytes,
		    "page %u has %u bytes, not %u", index, block.bytes,
		    was[index].bytes);
	MODEL_CHECK(&m.run,
		    block.is_recompressed == (codec == ZSTORE_SECONDARY),
		    "page %u is %srecompressed", index,
		    block.is_recompressed ? "" : "not ");
	if (!was[index].is_recompressed)
		return;
	m.nr_kept += codec != ZSTORE_CODECS;
	m.nr_anew += codec == ZSTORE_CODECS;
}

static void check_forms(struct other *other, const struct zstore_params *from)
{
	unsigned codecs[ZSTORE_CODECS];

	for (unsigned i = 0; i < ZSTORE_CODECS; i++)
		codecs[i] = find_codec(from, i, other->store);
	for (uint32_t i = 0; i < NR_PAGES; i++) {
		if (was[i].bytes && !was[i].is_huge)
			check_form(other, i, codecs[was[i].is_recompressed]);
	}
}

static void verify(struct zstore_ctx *ctx)
{
	struct zstore_verify_report report;

	MODEL_CHECK(&m.run, !zstore_verify(ctx, &report), "%s", report.text);
}

static void choose_params(struct zstore_params *params)
{
	const char *secondary =
		secondaries[model_rng_below(&m.rng, ARRAY_SIZE(secondaries))];
	const struct zcomp_params before = params->recomp;

	*params = (struct zstore_params){
		.disk_bytes = DISK_BYTES,
		.reserve_bytes = 256 * KIB,
		.chain_size = (unsigned)model_rng_range(
			&m.rng, ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX),
		.checksum = model_rng_one_in(&m.rng, 2),
	};
	MODEL_CHECK(&m.run,
		    !zcomp_parse(algorithms[model_rng_below(
					 &m.rng, ARRAY_SIZE(algorithms))],
				 &params->zcomp),
		    "zcomp_parse");
	if (model_rng_one_in(&m.rng, 3))
		params->recomp = before;
	else if (secondary)
		MODEL_CHECK(&m.run, !zcomp_parse(secondary, &params->recomp),
			    "zcomp_parse");
}

static void open_store(struct zstore **store, struct zstore_ctx **ctx)
{
	choose_params(&m.params);
	MODEL_CHECK(&m.run, !zstore_create(&m.params, store), "no store");
	MODEL_CHECK(&m.run, !own_ctx_create(*store, ctx), "no context");
}

static void close_store(void)
{
	own_ctx_destroy(m.ctx);
	zstore_destroy(m.store);
}

/* The disk is the restored one from now on. */
static void restore(const uint32_t *before, bool is_live)
{
	const struct zstore_params from = m.params;
	struct other other = {0};

	MODEL_CHECK(&m.run, !zsave_reader_init(&other.reader), "no memory");
	open_store(&other.store, &other.ctx);
	read_stream(&other);
	if (zstore_restore_is_copy(other.restore))
		m.nr_copies++;
	else
		m.nr_others++;
	zstore_restore_end(other.restore);
	if (!is_live)
		check_forms(&other, &from);
	compare(&other, before);
	verify(other.ctx);
	zsave_reader_fini(&other.reader);
	close_store();
	m.store = other.store;
	m.ctx = other.ctx;
}

/* --- a disk ----------------------------------------------------------------- */

static void go_on(bool is_live)
{
	static uint32_t before[NR_PAGES];
	struct model_rng rng;
	pthread_t thread;

	stir();
	look_at_blocks();
	for (uint32_t i = 0; i < NR_PAGES; i++)
		before[i] = m.versions[i];
	atomic_store(&m.is_saved, false);
	model_rng_init(&rng, model_rng_next(&m.rng));
	if (is_live)
		MODEL_CHECK(&m.run,
			    !pthread_create(&thread, NULL, write_meanwhile,
					    &rng),
			    "pthread_create");
	save(is_live);
	atomic_store(&m.is_saved, true);
	if (is_live)
		(void)pthread_join(thread, NULL);
	restore(before, is_live);
}

int main(void)
{
	model_run_begin(&m.run, "model_save");
	model_rng_init(&m.rng, m.run.seed);
	train_models();
	open_store(&m.store, &m.ctx);
	for (m.run.op = 0; m.run.op < m.run.nr_ops; m.run.op += OPS_PER_DISK) {
		const bool is_live = model_rng_one_in(&m.rng, 2);

		go_on(is_live);
		if (is_live)
			m.nr_live++;
		else
			m.nr_still++;
	}
	close_store();
	free(m.stream);
	model_report_fact(&m.run, "disks that nobody changed", m.nr_still);
	model_report_fact(&m.run, "disks that were changed", m.nr_live);
	model_report_fact(&m.run, "restored as they are", m.nr_copies);
	model_report_fact(&m.run, "restored to another codec", m.nr_others);
	model_report_fact(&m.run, "dictionaries", m.nr_dicts[ZSTORE_PRIMARY]);
	model_report_fact(&m.run, "of the secondary codec",
			  m.nr_dicts[ZSTORE_SECONDARY]);
	model_report_fact(&m.run, "pages recompressed", m.nr_recompressed);
	model_report_fact(&m.run, "of them restored as they are", m.nr_kept);
	model_report_fact(&m.run, "by another one", m.nr_anew);
	model_report_fact(&m.run, "pages that changed meanwhile", m.nr_new);
	return EXIT_SUCCESS;
}
