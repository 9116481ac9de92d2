/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring: what a stream has, stored as it is or by the store's own codec.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "zstore/fill.h"
#include "zstore/page.h"
#include "zstore/zstore_save.h"

/* A codec of the stream. */
struct restored_codec {
	struct zcomp_params params; /* .ops NULL: the stream has none such */
	bool is_copy; /* the store has it, so that objects stay as they are */
	enum zstore_codec as; /* which of the store's it is */
	struct zcomp_ctx *zcomp; /* the context's if a copy */
};

/* A dictionary of the stream. */
struct restored_dict {
	unsigned number; /* in the store, if objects are stored as they are */
	void *bytes; /* else: the copy that @digest refers to */
	struct zcomp_dict *digest;
};

struct zstore_restore {
	struct zstore_ctx *ctx;
	struct restored_codec codecs[ZSAVE_CODECS];
	uint32_t dict_current[ZSAVE_CODECS]; /* of the stream, number there */
	unsigned dict_before[ZSTORE_CODECS]; /* the store's own, or 0 */
	uint32_t held; /* dictionaries of the store */
	uint64_t page; /* the last that was looked at */
	struct restored_dict dicts[ZSAVE_MAX_DICTS + 1]; /* by number there */
	unsigned char content[ZSD_PAGE_BYTES]; /* of a page */
};

/* --- codecs ---------------------------------------------------------------- */

/* Which of the store's it is: that of the same rank, or else the other. Levels
 * of one codec read the same. */
static void find_codec(const struct zstore *store, enum zstore_codec rank,
		       struct restored_codec *codec)
{
	const enum zstore_codec order[] = {rank, !rank};

	for (unsigned i = 0; i < ARRAY_SIZE(order) && !codec->is_copy; i++) {
		codec->as = order[i];
		codec->is_copy = zstore_codec(store, codec->as)->ops ==
				 codec->params.ops;
	}
}

/* 0, -EINVAL where it is not known, or -ENOMEM. */
static int open_codec(struct zstore_ctx *ctx, const char *name,
		      enum zstore_codec rank, struct restored_codec *codec)
{
	if (!name[0])
		return 0;
	if (zcomp_parse(name, &codec->params))
		return -EINVAL;
	find_codec(ctx->store, rank, codec);
	if (!codec->is_copy)
		return zcomp_ctx_create(&codec->params, ZSD_PAGE_BYTES,
					&codec->zcomp);
	codec->zcomp = ctx->zcomp[codec->as];
	return 0;
}

static void close_codecs(struct zstore_restore *restore)
{
	for (unsigned i = 0; i < ZSAVE_CODECS; i++) {
		if (!restore->codecs[i].is_copy)
			zcomp_ctx_destroy(restore->codecs[i].zcomp);
	}
}

static int open_codecs(struct zstore_restore *restore,
		       const struct zsave_head *head)
{
	int err = 0;

	for (unsigned i = 0; i < ZSAVE_CODECS && !err; i++)
		err = open_codec(restore->ctx, head->algorithms[i], i,
				 &restore->codecs[i]);
	return err;
}

/* --- its life -------------------------------------------------------------- */

/* No page may name them yet, and others become current meanwhile. */
static void hold_current(struct zstore_restore *restore)
{
	struct zstore *store = restore->ctx->store;
	uint32_t mask = 0;

	for (unsigned i = 0; i < ZSTORE_CODECS; i++) {
		restore->dict_before[i] = zstore_dict_current(store, i);
		mask |= (uint32_t)1 << restore->dict_before[i];
	}
	restore->held = zstore_dicts_hold(store, mask);
}

int zstore_restore_begin(struct zstore_ctx *ctx, const struct zsave_head *head,
			 struct zstore_restore **out)
{
	struct zstore_restore *restore = calloc(1, sizeof(*restore));
	int err;

	BUG_ON(head->disk_bytes != ctx->store->params.disk_bytes);
	if (!restore)
		return -ENOMEM;
	restore->ctx = ctx;
	memcpy(restore->dict_current, head->dict_current,
	       sizeof(restore->dict_current));
	err = open_codecs(restore, head);
	if (err) {
		close_codecs(restore);
		free(restore);
		return err;
	}
	hold_current(restore);
	*out = restore;
	return 0;
}

void zstore_restore_end(struct zstore_restore *restore)
{
	if (!restore)
		return;
	zstore_dicts_let_go(restore->ctx->store, restore->held);
	for (unsigned i = 1; i <= ZSAVE_MAX_DICTS; i++) {
		zcomp_dict_destroy(restore->dicts[i].digest);
		free(restore->dicts[i].bytes);
	}
	close_codecs(restore);
	free(restore);
}

uint64_t zstore_restore_page(const struct zstore_restore *restore)
{
	return restore->page;
}

bool zstore_restore_is_copy(const struct zstore_restore *restore)
{
	return restore->codecs[0].is_copy;
}

/* --- dictionaries ---------------------------------------------------------- */

/* Pages are to name it in the store. */
static int add_dict(struct zstore_restore *restore,
		    const struct zsave_dict *from, struct restored_dict *dict)
{
	struct zstore *store = restore->ctx->store;
	int err = zstore_dict_add(store, restore->codecs[from->codec].as,
				  from->bytes, from->nr_bytes, &dict->number);

	/* No page does yet, and the next one may come first. */
	if (!err)
		restore->held |=
			zstore_dicts_hold(store, (uint32_t)1 << dict->number);
	return err;
}

/* Pages are only to be read with it. */
static int digest_dict(const struct restored_codec *codec,
		       const struct zsave_dict *from,
		       struct restored_dict *dict)
{
	dict->bytes = malloc(from->nr_bytes);
	if (!dict->bytes)
		return -ENOMEM;
	memcpy(dict->bytes, from->bytes, from->nr_bytes);
	return zcomp_dict_create(&codec->params, ZSD_PAGE_BYTES, dict->bytes,
				 from->nr_bytes, &dict->digest);
}

static int take_dict(struct zstore_restore *restore,
		     const struct zsave_block *block)
{
	const struct restored_codec *codec;
	struct restored_dict *dict;
	struct zsave_dict from;
	int err;

	zsave_block_dict(block, &from);
	codec = &restore->codecs[from.codec];
	dict = &restore->dicts[from.number];
	err = codec->is_copy ? add_dict(restore, &from, dict)
			     : digest_dict(codec, &from, dict);
	/* What the codec has none of is as wrong as what is none. */
	return err == -EOPNOTSUPP ? -EINVAL : err;
}

/* --- pages ----------------------------------------------------------------- */

/* What was compressed with it can be read by that. NULL for none. */
static const struct zcomp_dict *dict_of(const struct zstore_restore *restore,
					const struct restored_codec *codec,
					unsigned number)
{
	const struct restored_dict *dict = &restore->dicts[number];

	return codec->is_copy ? zstore_dict(restore->ctx->store, codec->as,
					    dict->number)
			      : dict->digest;
}

static int take_compressed(struct zstore_restore *restore,
			   const struct zsave_page *page)
{
	const struct restored_codec *codec =
		&restore->codecs[zsave_codec(page->form)];

	if (zcomp_decompress(codec->zcomp, dict_of(restore, codec, page->dict),
			     page->content, page->bytes, restore->content,
			     ZSD_PAGE_BYTES))
		return -EBADMSG;
	if (!codec->is_copy)
		return page_store(restore->ctx, page->index, restore->content);
	return page_put(restore->ctx, page->index, page->content, page->bytes,
			codec->as, restore->dicts[page->dict].number);
}

static int store_content(struct zstore_restore *restore,
			 const struct zsave_page *page)
{
	uint64_t word;

	switch (page->form) {
	case ZSAVE_WORD:
		memcpy(&word, page->content, sizeof(word));
		fill_page(restore->content, word);
		return page_store(restore->ctx, page->index, restore->content);
	case ZSAVE_RAW:
		return page_store(restore->ctx, page->index, page->content);
	case ZSAVE_COMPRESSED:
	case ZSAVE_RECOMPRESSED:
		return take_compressed(restore, page);
	}
	return -EBADMSG;
}

static int take_page(struct zstore_restore *restore,
		     const struct zsave_page *page)
{
	int err;

	restore->page = page->index;
	err = store_content(restore, page);
	if (!err)
		zstore_touch(restore->ctx->store, page->index);
	return err;
}

static int take_pages(struct zstore_restore *restore,
		      const struct zsave_block *block)
{
	struct zsave_pages pages;
	struct zsave_page page;
	int err = 0;

	zsave_pages_init(&pages, block);
	while (!err && zsave_pages_next(&pages, &page))
		err = take_page(restore, &page);
	return err;
}

/* --- blocks ---------------------------------------------------------------- */

/* Whether an earlier codec of the stream became the same of the store. */
static bool is_chosen(const struct zstore_restore *restore, unsigned codec)
{
	const struct restored_codec *first = &restore->codecs[0];

	return codec && first->is_copy &&
	       first->as == restore->codecs[codec].as;
}

/* Have a codec compress with the dictionary that it had, here or there. */
static void choose_dict(const struct zstore_restore *restore, unsigned codec)
{
	const struct restored_codec *from = &restore->codecs[codec];
	unsigned number;

	if (!from->is_copy || is_chosen(restore, codec))
		return;
	number = restore->dict_before[from->as];
	if (!number)
		number = restore->dicts[restore->dict_current[codec]].number;
	zstore_dict_choose(restore->ctx->store, from->as, number);
}

int zstore_restore_block(struct zstore_restore *restore,
			 const struct zsave_block *block)
{
	switch (block->kind) {
	case ZSAVE_DICT:
		return take_dict(restore, block);
	case ZSAVE_PAGES:
		return take_pages(restore, block);
	case ZSAVE_END:
		for (unsigned i = 0; i < ZSAVE_CODECS; i++)
			choose_dict(restore, i);
		return 0;
	case ZSAVE_HEAD:
	case ZSAVE_FAILURE:
		break;
	}
	return 0;
}
