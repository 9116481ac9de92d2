/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving: the slots in order, each as a record of zsave.h.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "zstore/page.h"
#include "zstore/zstore_save.h"

/* Looks at slots for one block, where most have nothing: 1 ms. A group of slots
 * that has no memory takes one. */
#define LOOKS_PER_BLOCK 8192u

#define ALL_DICTS UINT32_MAX

#define MEMBER_BYTES(type, member) sizeof(((type *)NULL)->member)

_Static_assert(MEMBER_BYTES(struct zstore_header, uuid) ==
			       MEMBER_BYTES(struct zsave_head, uuid) &&
		       MEMBER_BYTES(struct zstore_header, algorithms) ==
			       MEMBER_BYTES(struct zsave_head, algorithms) &&
		       ZSTORE_MAX_DICTS < ZSAVE_MAX_DICTS + 1 &&
		       ZSTORE_MAX_DISK_BYTES < ZSAVE_MAX_DISK_BYTES + 1,
	       "a stream can say all that a store is");
_Static_assert(ZSAVE_MAX_DISK_BYTES < ZSTORE_MAX_DISK_BYTES + 1,
	       "a store can be all that a stream says");
_Static_assert(ZCOMP_DICT_MAX_BYTES + 4 <= ZSAVE_MAX_PAYLOAD_BYTES,
	       "a dictionary fits a block");

int zstore_save_begin(struct zstore_save *save, struct zstore_ctx *ctx,
		      uint32_t flags, uint64_t time_s)
{
	struct zstore *store = ctx->store;

	if (zstore_dict_damaged(store))
		return -EUCLEAN;
	*save = (struct zstore_save){.ctx = ctx, .next_dict = 1};
	zsave_writer_init(&save->writer);
	save->dicts = zstore_dicts_hold(store, ALL_DICTS);
	save->head = (struct zsave_head){
		.flags = flags,
		.disk_bytes = store->params.disk_bytes,
		.time_s = time_s,
		.nr_dicts = (uint32_t)__builtin_popcount(save->dicts),
	};
	memcpy(save->head.uuid, store->header.uuid, sizeof(save->head.uuid));
	memcpy(save->head.algorithms, store->header.algorithms,
	       sizeof(save->head.algorithms));
	for (unsigned i = 0; i < ZSTORE_CODECS; i++) {
		unsigned current = zstore_dict_current(store, i);

		if (save->dicts >> current & 1) /* else it came just now */
			save->head.dict_current[i] = current;
	}
	return 0;
}

void zstore_save_end(struct zstore_save *save)
{
	zstore_dicts_let_go(save->ctx->store, save->dicts);
	save->dicts = 0;
}

/* The word of a page that is same-filled. */
static void put_word(uint64_t slot, unsigned char *content,
		     struct zsave_page *page)
{
	const uint64_t word = slot_filled_word(slot);

	page->form = ZSAVE_WORD;
	page->bytes = sizeof(word);
	if (slot_kind(slot) == SLOT_FILLED) /* else it is there */
		memcpy(content, &word, sizeof(word));
}

static enum zsave_form form_of(uint64_t slot)
{
	return slot_codec(slot) == ZSTORE_PRIMARY ? ZSAVE_COMPRESSED
						  : ZSAVE_RECOMPRESSED;
}

static void put_object(const struct zstore_save *save, uint64_t slot,
		       unsigned char *content, struct zsave_page *page)
{
	page->form = slot_is_huge(slot) ? ZSAVE_RAW : form_of(slot);
	page->bytes = slot_len_bytes(slot);
	page->dict = slot_dict(slot);
	if (!page->dict || save->dicts >> page->dict & 1)
		return;
	/* A dictionary that came since the save was begun. */
	memcpy(content, save->ctx->scratch->page, ZSD_PAGE_BYTES);
	page->form = ZSAVE_RAW;
	page->bytes = ZSD_PAGE_BYTES;
	page->dict = 0;
}

/* There is room for it at @content. */
static int save_page(struct zstore_save *save, unsigned char *content)
{
	struct zsave_page page = {.index = save->next};
	uint64_t slot;
	int err = page_copy(save->ctx, save->next, content, &slot);

	if (err || slot_kind(slot) == SLOT_EMPTY)
		return err;
	if (slot_kind(slot) == SLOT_FILLED || slot_is_word(slot))
		put_word(slot, content, &page);
	else
		put_object(save, slot, content, &page);
	zsave_put_page(&save->writer, &page);
	return 0;
}

/* A block of pages, as many as fit and are found. */
static int save_pages(struct zstore_save *save, unsigned char *dst,
		      size_t *bytes)
{
	const struct zstore *store = save->ctx->store;
	unsigned looks = LOOKS_PER_BLOCK;
	unsigned char *content;
	int err = 0;

	zsave_begin_pages(&save->writer, dst);
	while (looks-- && save->next < store->nr_slots &&
	       (content = zsave_room(&save->writer))) {
		if (slot_exists(store, save->next)) {
			err = save_page(save, content);
			if (err)
				break;
		} else {
			save->next |= SLOTS_PER_GROUP - 1;
		}
		save->next++;
	}
	*bytes = zsave_end_pages(&save->writer);
	return err;
}

static size_t save_dict(struct zstore_save *save, unsigned char *dst)
{
	const struct zstore *store = save->ctx->store;
	struct zsave_dict dict = {.number = save->next_dict++};

	if (!(save->dicts >> dict.number & 1))
		return 0;
	dict.codec = zstore_dict_codec(store, dict.number);
	dict.bytes = zstore_dict_held(store, dict.number, &dict.nr_bytes);
	return zsave_write_dict(&save->writer, &dict, dst);
}

int zstore_save_next(struct zstore_save *save, unsigned char *dst,
		     size_t *bytes)
{
	*bytes = 0;
	if (!save->has_begun) {
		save->has_begun = true;
		*bytes = zsave_write_head(&save->writer, &save->head, dst);
	} else if (save->next_dict <= ZSTORE_MAX_DICTS) {
		*bytes = save_dict(save, dst);
	} else if (save->next < save->ctx->store->nr_slots) {
		return save_pages(save, dst, bytes);
	} else if (!save->is_over) {
		save->is_over = true;
		*bytes = zsave_write_end(&save->writer, dst);
	}
	return 0;
}

size_t zstore_save_fail(struct zstore_save *save, const char *text,
			unsigned char *dst)
{
	save->is_over = true;
	return zsave_write_failure(&save->writer, text, dst);
}
