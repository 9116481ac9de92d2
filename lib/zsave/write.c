/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <xxhash.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/check.h"
#include "zsave/zsave_internal.h"

const unsigned char zsave_magic[ZSAVE_MAGIC_BYTES] = {0x89, 'z', 's', 'd',
						      'i',  's', 'k', '\n'};

uint64_t zsave_sum(const unsigned char *block, size_t bytes, uint64_t number)
{
	return XXH3_64bits_withSeed(block + PREFIX_KIND, bytes - PREFIX_KIND,
				    number);
}

void zsave_writer_init(struct zsave_writer *writer)
{
	*writer = (struct zsave_writer){0};
}

/* The payload is there. Return: the block's length. */
static size_t seal(struct zsave_writer *writer, unsigned char *block,
		   enum zsave_kind kind, size_t payload_bytes)
{
	const size_t bytes = ZSAVE_PREFIX_BYTES + payload_bytes;

	BUG_ON(payload_bytes > ZSAVE_MAX_PAYLOAD_BYTES);
	store_le32(block + PREFIX_KIND, kind);
	store_le32(block + PREFIX_BYTES, (uint32_t)payload_bytes);
	store_le64(block + PREFIX_SUM,
		   zsave_sum(block, bytes, writer->nr_blocks++));
	return bytes;
}

static void put_codecs(const struct zsave_head *head, unsigned char *to)
{
	for (unsigned i = 0; i < ZSAVE_CODECS; i++) {
		const char *name = head->algorithms[i];

		store_le32(to + HEAD_DICT_CURRENT + i * sizeof(uint32_t),
			   head->dict_current[i]);
		memcpy(to + HEAD_ALGORITHMS + i * ZSAVE_ALGORITHM_BYTES, name,
		       strnlen(name, ZSAVE_ALGORITHM_BYTES - 1));
	}
}

size_t zsave_write_head(struct zsave_writer *writer,
			const struct zsave_head *head, unsigned char *dst)
{
	unsigned char *block = dst + ZSAVE_START_BYTES;
	unsigned char *to = block + ZSAVE_PREFIX_BYTES;

	memcpy(dst, zsave_magic, ZSAVE_MAGIC_BYTES);
	store_le64(dst + ZSAVE_MAGIC_BYTES, ZSAVE_VERSION);
	memset(to, 0, ZSAVE_HEAD_BYTES);
	store_le32(to + HEAD_PAGE_BYTES, ZSD_PAGE_BYTES);
	store_le32(to + HEAD_FLAGS, head->flags);
	store_le64(to + HEAD_DISK_BYTES, head->disk_bytes);
	store_le64(to + HEAD_TIME, head->time_s);
	memcpy(to + HEAD_UUID, head->uuid, sizeof(head->uuid));
	store_le32(to + HEAD_NR_DICTS, head->nr_dicts);
	put_codecs(head, to);
	return ZSAVE_START_BYTES +
	       seal(writer, block, ZSAVE_HEAD, ZSAVE_HEAD_BYTES);
}

size_t zsave_write_dict(struct zsave_writer *writer,
			const struct zsave_dict *dict, unsigned char *dst)
{
	unsigned char *to = dst + ZSAVE_PREFIX_BYTES;

	BUG_ON(dict->nr_bytes > ZSAVE_MAX_PAYLOAD_BYTES - DICT_BYTES);
	store_le16(to + DICT_NUMBER, (uint16_t)dict->number);
	store_le16(to + DICT_CODEC, (uint16_t)dict->codec);
	memcpy(to + DICT_BYTES, dict->bytes, dict->nr_bytes);
	return seal(writer, dst, ZSAVE_DICT, DICT_BYTES + dict->nr_bytes);
}

void zsave_begin_pages(struct zsave_writer *writer, unsigned char *dst)
{
	writer->block = dst;
	writer->used = 0;
}

unsigned char *zsave_room(const struct zsave_writer *writer)
{
	if (writer->used + ZSAVE_RECORD_BYTES + ZSD_PAGE_BYTES >
	    ZSAVE_MAX_PAYLOAD_BYTES)
		return NULL;
	return writer->block + ZSAVE_PREFIX_BYTES + writer->used +
	       ZSAVE_RECORD_BYTES;
}

void zsave_put_page(struct zsave_writer *writer, const struct zsave_page *page)
{
	unsigned char *to = writer->block + ZSAVE_PREFIX_BYTES + writer->used;

	BUG_ON(page->index < writer->next);
	store_le32(to + RECORD_SKIP, (uint32_t)(page->index - writer->next));
	store_le16(to + RECORD_BYTES, (uint16_t)page->bytes);
	to[RECORD_FORM] = (unsigned char)page->form;
	to[RECORD_DICT] = (unsigned char)page->dict;
	writer->used += ZSAVE_RECORD_BYTES + page->bytes;
	writer->next = page->index + 1;
	zsave_count(&writer->counts, page);
}

size_t zsave_end_pages(struct zsave_writer *writer)
{
	unsigned char *block = writer->block;

	writer->block = NULL;
	if (!writer->used)
		return 0;
	return seal(writer, block, ZSAVE_PAGES, writer->used);
}

size_t zsave_write_end(struct zsave_writer *writer, unsigned char *dst)
{
	unsigned char *to = dst + ZSAVE_PREFIX_BYTES;

	store_le64(to + END_PAGES, writer->counts.pages);
	store_le64(to + END_WORDS, writer->counts.words);
	store_le64(to + END_RAWS, writer->counts.raws);
	store_le64(to + END_CONTENT_BYTES, writer->counts.content_bytes);
	return seal(writer, dst, ZSAVE_END, ZSAVE_END_BYTES);
}

size_t zsave_write_failure(struct zsave_writer *writer, const char *text,
			   unsigned char *dst)
{
	const size_t bytes = strnlen(text, ZSAVE_MAX_TEXT_BYTES);

	memcpy(dst + ZSAVE_PREFIX_BYTES, text, bytes);
	return seal(writer, dst, ZSAVE_FAILURE, bytes);
}
