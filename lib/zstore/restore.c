/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring: what a stream has, stored as it is or by the store's own codec.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zstore/fill.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_save.h"

/* A dictionary of the stream. */
struct restored_dict {
	unsigned number; /* in the store, if objects are stored as they are */
	void *bytes; /* else: the copy that @digest refers to */
	struct zcomp_dict *digest;
};

struct zstore_restore {
	struct zstore_ctx *ctx;
	struct zcomp_params zcomp; /* of the stream */
	struct zcomp_ctx *codec; /* the same; not to be let go of if a copy */
	bool is_copy;
	unsigned dict_before; /* the store's own, or 0 */
	uint32_t dict_current; /* of the stream, its number there */
	uint32_t held; /* dictionaries of the store */
	uint64_t page; /* the last that was looked at */
	struct restored_dict dicts[ZSAVE_MAX_DICTS + 1]; /* by number there */
	unsigned char content[ZSD_PAGE_BYTES]; /* of a page */
};

int zstore_restore_begin(struct zstore_ctx *ctx, const struct zsave_head *head,
			 struct zstore_restore **out)
{
	struct zstore *store = ctx->store;
	struct zstore_restore *restore;
	struct zcomp_params zcomp;
	int err = 0;

	BUG_ON(head->disk_bytes != store->params.disk_bytes);
	if (zcomp_parse(head->algorithm, &zcomp))
		return -EINVAL;
	restore = calloc(1, sizeof(*restore));
	if (!restore)
		return -ENOMEM;
	restore->ctx = ctx;
	restore->zcomp = zcomp;
	/* Levels of one codec read the same. */
	restore->is_copy = zcomp.ops == store->params.zcomp.ops;
	restore->dict_before = zstore_dict_current(store);
	restore->dict_current = head->dict_current;
	if (restore->is_copy)
		restore->codec = ctx->zcomp;
	else
		err = zcomp_ctx_create(&zcomp, ZSD_PAGE_BYTES, &restore->codec);
	if (err) {
		free(restore);
		return err;
	}
	/* No page may name it yet, and others become current meanwhile. */
	restore->held =
		zstore_dicts_hold(store, (uint32_t)1 << restore->dict_before);
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
	if (!restore->is_copy)
		zcomp_ctx_destroy(restore->codec);
	free(restore);
}

uint64_t zstore_restore_page(const struct zstore_restore *restore)
{
	return restore->page;
}

bool zstore_restore_is_copy(const struct zstore_restore *restore)
{
	return restore->is_copy;
}

/* --- dictionaries ---------------------------------------------------------- */

/* Pages are to name it in the store. */
static int add_dict(struct zstore_restore *restore, struct restored_dict *dict,
		    const void *src, size_t bytes)
{
	struct zstore *store = restore->ctx->store;
	int err = zstore_dict_add(store, src, bytes, &dict->number);

	/* No page does yet, and the next one may come first. */
	if (!err)
		restore->held |=
			zstore_dicts_hold(store, (uint32_t)1 << dict->number);
	return err;
}

/* Pages are only to be read with it. */
static int digest_dict(struct zstore_restore *restore,
		       struct restored_dict *dict, const void *src,
		       size_t bytes)
{
	dict->bytes = malloc(bytes);
	if (!dict->bytes)
		return -ENOMEM;
	memcpy(dict->bytes, src, bytes);
	return zcomp_dict_create(&restore->zcomp, ZSD_PAGE_BYTES, dict->bytes,
				 bytes, &dict->digest);
}

static int take_dict(struct zstore_restore *restore,
		     const struct zsave_block *block)
{
	const void *src;
	size_t bytes;
	unsigned number = zsave_block_dict(block, &src, &bytes);
	struct restored_dict *dict = &restore->dicts[number];
	int err;

	err = restore->is_copy ? add_dict(restore, dict, src, bytes)
			       : digest_dict(restore, dict, src, bytes);
	/* What the codec has none of is as wrong as what is none. */
	return err == -EOPNOTSUPP ? -EINVAL : err;
}

/* --- pages ----------------------------------------------------------------- */

/* What was compressed with it can be read by that. NULL for none. */
static const struct zcomp_dict *dict_of(const struct zstore_restore *restore,
					unsigned number)
{
	const struct restored_dict *dict = &restore->dicts[number];

	return restore->is_copy ? zstore_dict(restore->ctx->store, dict->number)
				: dict->digest;
}

static int take_compressed(struct zstore_restore *restore,
			   const struct zsave_page *page)
{
	if (zcomp_decompress(restore->codec, dict_of(restore, page->dict),
			     page->content, page->bytes, restore->content,
			     ZSD_PAGE_BYTES))
		return -EBADMSG;
	if (!restore->is_copy)
		return page_store(restore->ctx, page->index, restore->content);
	return page_put(restore->ctx, page->index, page->content, page->bytes,
			restore->dicts[page->dict].number);
}

static int take_page(struct zstore_restore *restore,
		     const struct zsave_page *page)
{
	uint64_t word;

	restore->page = page->index;
	switch (page->form) {
	case ZSAVE_WORD:
		memcpy(&word, page->content, sizeof(word));
		fill_page(restore->content, word);
		return page_store(restore->ctx, page->index, restore->content);
	case ZSAVE_RAW:
		return page_store(restore->ctx, page->index, page->content);
	case ZSAVE_COMPRESSED:
		return take_compressed(restore, page);
	}
	return -EBADMSG;
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

static void choose_dict(const struct zstore_restore *restore)
{
	unsigned number = restore->dict_before;

	if (!restore->is_copy)
		return;
	if (!number)
		number = restore->dicts[restore->dict_current].number;
	zstore_dict_choose(restore->ctx->store, number);
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
		choose_dict(restore);
		return 0;
	case ZSAVE_HEAD:
	case ZSAVE_FAILURE:
		break;
	}
	return 0;
}
