/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader: bytes to blocks, each of them checked before anybody has it.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/check.h"
#include "zsave/zsave_internal.h"

const char *zsave_fault_text(enum zsave_fault fault)
{
	static const char *const texts[] = {
#define FAULT_TEXT(name, text) [ZSAVE_FAULT_##name] = (text),
		ZSAVE_FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
	};

	return texts[fault];
}

int zsave_reader_init(struct zsave_reader *reader)
{
	reader->buffer = malloc(ZSAVE_BLOCK_BYTES);
	if (!reader->buffer)
		return -ENOMEM;
	zsave_reader_reset(reader);
	return 0;
}

void zsave_reader_fini(struct zsave_reader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
}

void zsave_reader_reset(struct zsave_reader *reader)
{
	*reader = (struct zsave_reader){
		.buffer = reader->buffer,
		.want = ZSAVE_START_BYTES,
	};
}

static int refuse(struct zsave_reader *reader, enum zsave_fault fault)
{
	reader->fault = fault;
	return -EBADMSG;
}

/* --- pages ---------------------------------------------------------------- */

/* The record at @at, of which @bytes are there. */
static enum zsave_fault check_record(const struct zsave_reader *reader,
				     const unsigned char *at, size_t bytes)
{
	const uint32_t content = load_le16(at + RECORD_BYTES);
	const enum zsave_form form = (enum zsave_form)at[RECORD_FORM];
	const unsigned dict = at[RECORD_DICT];

	switch (form) {
	case ZSAVE_WORD:
		if (content != ZSAVE_WORD_BYTES)
			return ZSAVE_FAULT_CONTENT;
		break;
	case ZSAVE_RAW:
		if (content != ZSD_PAGE_BYTES)
			return ZSAVE_FAULT_CONTENT;
		break;
	case ZSAVE_COMPRESSED:
	case ZSAVE_RECOMPRESSED:
		if (!content || content >= ZSD_PAGE_BYTES)
			return ZSAVE_FAULT_CONTENT;
		if (!reader->head.algorithms[zsave_codec(form)][0])
			return ZSAVE_FAULT_FORM;
		break;
	default:
		return ZSAVE_FAULT_FORM;
	}
	if (dict && (form < ZSAVE_COMPRESSED || dict > ZSAVE_MAX_DICTS ||
		     !(reader->dicts[zsave_codec(form)] >> dict & 1)))
		return ZSAVE_FAULT_NO_DICT;
	return bytes < ZSAVE_RECORD_BYTES + content ? ZSAVE_FAULT_CUT
						    : ZSAVE_FAULT_NONE;
}

/* The record that is next, of a block that has one there. */
static struct zsave_page take_record(struct zsave_pages *pages)
{
	const unsigned char *at = pages->at;
	const struct zsave_page page = {
		.index = pages->next + load_le32(at + RECORD_SKIP),
		.form = (enum zsave_form)at[RECORD_FORM],
		.dict = at[RECORD_DICT],
		.bytes = load_le16(at + RECORD_BYTES),
		.content = at + ZSAVE_RECORD_BYTES,
	};

	pages->next = page.index + 1;
	pages->at += ZSAVE_RECORD_BYTES + page.bytes;
	return page;
}

bool zsave_pages_next(struct zsave_pages *pages, struct zsave_page *out)
{
	if (pages->at == pages->end)
		return false;
	*out = take_record(pages);
	return true;
}

/* Goes on from reader->next. */
static int check_pages(struct zsave_reader *reader,
		       const struct zsave_block *block)
{
	const uint64_t nr_pages = reader->head.disk_bytes / ZSD_PAGE_BYTES;
	enum zsave_fault fault;
	struct zsave_pages pages;
	struct zsave_page page;

	zsave_pages_init(&pages, block);
	while (pages.at < pages.end) {
		const size_t left = (size_t)(pages.end - pages.at);

		if (left < ZSAVE_RECORD_BYTES)
			return refuse(reader, ZSAVE_FAULT_CUT);
		fault = check_record(reader, pages.at, left);
		if (fault)
			return refuse(reader, fault);
		page = take_record(&pages);
		if (page.index >= nr_pages)
			return refuse(reader, ZSAVE_FAULT_OUTSIDE);
		zsave_count(&reader->counts, &page);
	}
	reader->next = pages.next;
	return 0;
}

void zsave_pages_init(struct zsave_pages *pages,
		      const struct zsave_block *block)
{
	*pages = (struct zsave_pages){
		.at = block->payload,
		.end = block->payload + block->bytes,
		.next = block->next,
	};
}

/* --- the other kinds ------------------------------------------------------ */

/* Printable, maybe empty, with a NUL, and nothing but NULs behind that. */
static bool is_name(const char name[ZSAVE_ALGORITHM_BYTES])
{
	size_t n = strnlen(name, ZSAVE_ALGORITHM_BYTES);

	for (size_t i = 0; i < ZSAVE_ALGORITHM_BYTES; i++) {
		if (i < n ? name[i] <= ' ' || name[i] > '~' : name[i] != 0)
			return false;
	}
	return n < ZSAVE_ALGORITHM_BYTES;
}

/* What the head says of one. Return: whether it can be. */
static bool take_codec(struct zsave_head *head, unsigned codec,
		       const unsigned char *from)
{
	char *name = head->algorithms[codec];

	head->dict_current[codec] =
		load_le32(from + HEAD_DICT_CURRENT + codec * sizeof(uint32_t));
	memcpy(name, from + HEAD_ALGORITHMS + codec * ZSAVE_ALGORITHM_BYTES,
	       ZSAVE_ALGORITHM_BYTES);
	return is_name(name) && head->dict_current[codec] <= ZSAVE_MAX_DICTS;
}

static int check_head(struct zsave_reader *reader,
		      const struct zsave_block *block)
{
	const unsigned char *from = block->payload;
	struct zsave_head *head = &reader->head;

	*head = (struct zsave_head){
		.flags = load_le32(from + HEAD_FLAGS),
		.disk_bytes = load_le64(from + HEAD_DISK_BYTES),
		.time_s = load_le64(from + HEAD_TIME),
		.nr_dicts = load_le32(from + HEAD_NR_DICTS),
	};
	memcpy(head->uuid, from + HEAD_UUID, sizeof(head->uuid));
	if (load_le32(from + HEAD_PAGE_BYTES) != ZSD_PAGE_BYTES ||
	    head->flags & ~ZSAVE_LIVE || !head->disk_bytes ||
	    head->disk_bytes % ZSD_PAGE_BYTES ||
	    head->disk_bytes > ZSAVE_MAX_DISK_BYTES ||
	    head->nr_dicts > ZSAVE_MAX_DICTS || !take_codec(head, 0, from) ||
	    !take_codec(head, 1, from) || !head->algorithms[0][0])
		return refuse(reader, ZSAVE_FAULT_HEAD);
	return 0;
}

void zsave_block_dict(const struct zsave_block *block, struct zsave_dict *out)
{
	*out = (struct zsave_dict){
		.number = load_le16(block->payload + DICT_NUMBER),
		.codec = load_le16(block->payload + DICT_CODEC),
		.bytes = block->payload + DICT_BYTES,
		.nr_bytes = block->bytes - DICT_BYTES,
	};
}

static int check_dict(struct zsave_reader *reader,
		      const struct zsave_block *block)
{
	struct zsave_dict dict;
	uint32_t bit;

	zsave_block_dict(block, &dict);
	if (!dict.number || dict.number > ZSAVE_MAX_DICTS ||
	    dict.codec >= ZSAVE_CODECS ||
	    !reader->head.algorithms[dict.codec][0])
		return refuse(reader, ZSAVE_FAULT_DICT);
	bit = (uint32_t)1 << dict.number;
	if ((reader->dicts[0] | reader->dicts[1]) & bit)
		return refuse(reader, ZSAVE_FAULT_DICT);
	reader->dicts[dict.codec] |= bit;
	reader->nr_dicts++;
	return 0;
}

static int check_end(struct zsave_reader *reader,
		     const struct zsave_block *block)
{
	const struct zsave_counts *counts = &reader->counts;
	const unsigned char *from = block->payload;

	if (load_le64(from + END_PAGES) != counts->pages ||
	    load_le64(from + END_WORDS) != counts->words ||
	    load_le64(from + END_RAWS) != counts->raws ||
	    load_le64(from + END_CONTENT_BYTES) != counts->content_bytes)
		return refuse(reader, ZSAVE_FAULT_COUNTS);
	reader->is_over = true;
	return 0;
}

static int check_failure(struct zsave_reader *reader,
			 const struct zsave_block *block)
{
	(void)block;
	return refuse(reader, ZSAVE_FAULT_FAILURE);
}

/* By kind: how long one may be, and what else is to be right. */
static const struct {
	size_t min_bytes;
	size_t max_bytes;
	int (*check)(struct zsave_reader *reader,
		     const struct zsave_block *block);
} kinds[] = {
	[ZSAVE_HEAD] = {ZSAVE_HEAD_BYTES, ZSAVE_HEAD_BYTES, check_head},
	[ZSAVE_DICT] = {DICT_BYTES + 1, ZSAVE_MAX_PAYLOAD_BYTES, check_dict},
	[ZSAVE_PAGES] = {ZSAVE_RECORD_BYTES + 1, ZSAVE_MAX_PAYLOAD_BYTES,
			 check_pages},
	[ZSAVE_END] = {ZSAVE_END_BYTES, ZSAVE_END_BYTES, check_end},
	[ZSAVE_FAILURE] = {0, ZSAVE_MAX_TEXT_BYTES, check_failure},
};

/* --- blocks --------------------------------------------------------------- */

size_t zsave_reader_space(struct zsave_reader *reader, void **out)
{
	*out = reader->buffer + reader->have;
	return reader->want - reader->have;
}

void zsave_reader_add(struct zsave_reader *reader, size_t bytes)
{
	BUG_ON(bytes > reader->want - reader->have);
	reader->have += bytes;
}

/* What is in the buffer was taken; it stays there until more is read. */
static void go_on(struct zsave_reader *reader)
{
	reader->offset += reader->have;
	reader->have = 0;
	reader->want = reader->is_over ? 1 : ZSAVE_PREFIX_BYTES;
}

static int take_start(struct zsave_reader *reader)
{
	if (memcmp(reader->buffer, zsave_magic, ZSAVE_MAGIC_BYTES) != 0)
		return refuse(reader, ZSAVE_FAULT_FOREIGN);
	if (load_le64(reader->buffer + ZSAVE_MAGIC_BYTES) != ZSAVE_VERSION)
		return refuse(reader, ZSAVE_FAULT_VERSION);
	reader->has_started = true;
	go_on(reader);
	return -EAGAIN;
}

/* Whether a codec's current dictionary came, if it has one. */
static bool has_current(const struct zsave_reader *reader, unsigned codec)
{
	const uint32_t number = reader->head.dict_current[codec];

	return !number || reader->dicts[codec] >> number & 1;
}

/* Whether a block of that kind may be the next one. */
static enum zsave_fault check_order(const struct zsave_reader *reader,
				    uint32_t kind)
{
	if (kind == ZSAVE_FAILURE)
		return ZSAVE_FAULT_NONE;
	if ((kind == ZSAVE_HEAD) != (reader->nr_blocks == 0))
		return ZSAVE_FAULT_ORDER;
	if (kind == ZSAVE_HEAD)
		return ZSAVE_FAULT_NONE;
	if (kind == ZSAVE_DICT)
		return reader->counts.pages ? ZSAVE_FAULT_ORDER
					    : ZSAVE_FAULT_NONE;
	if (reader->nr_dicts != reader->head.nr_dicts)
		return ZSAVE_FAULT_NR_DICTS;
	if (!has_current(reader, 0) || !has_current(reader, 1))
		return ZSAVE_FAULT_NO_DICT;
	return ZSAVE_FAULT_NONE;
}

/* The prefix is there, with a checksum that nothing is known of yet. */
static int take_prefix(struct zsave_reader *reader)
{
	const uint32_t kind = load_le32(reader->buffer + PREFIX_KIND);
	const uint32_t bytes = load_le32(reader->buffer + PREFIX_BYTES);

	if (kind >= ARRAY_SIZE(kinds) || !kinds[kind].check)
		return refuse(reader, ZSAVE_FAULT_KIND);
	if (bytes < kinds[kind].min_bytes || bytes > kinds[kind].max_bytes)
		return refuse(reader, ZSAVE_FAULT_LENGTH);
	reader->want = ZSAVE_PREFIX_BYTES + bytes;
	return reader->have == reader->want ? 0 : -EAGAIN;
}

static int take_block(struct zsave_reader *reader, struct zsave_block *out)
{
	const uint32_t kind = load_le32(reader->buffer + PREFIX_KIND);
	enum zsave_fault fault;
	int err;

	if (load_le64(reader->buffer + PREFIX_SUM) !=
	    zsave_sum(reader->buffer, reader->have, reader->nr_blocks))
		return refuse(reader, ZSAVE_FAULT_SUM);
	fault = check_order(reader, kind);
	if (fault)
		return refuse(reader, fault);
	*out = (struct zsave_block){
		.kind = (enum zsave_kind)kind,
		.payload = reader->buffer + ZSAVE_PREFIX_BYTES,
		.bytes = reader->have - ZSAVE_PREFIX_BYTES,
		.next = reader->next,
	};
	err = kinds[kind].check(reader, out);
	if (err)
		return err;
	reader->nr_blocks++;
	go_on(reader);
	return 0;
}

int zsave_reader_next(struct zsave_reader *reader, struct zsave_block *out)
{
	int err = 0;

	if (reader->fault)
		return -EBADMSG;
	if (reader->have < reader->want)
		return -EAGAIN;
	if (reader->is_over)
		return refuse(reader, ZSAVE_FAULT_TRAILING);
	if (!reader->has_started)
		err = take_start(reader);
	else if (reader->have == ZSAVE_PREFIX_BYTES)
		err = take_prefix(reader);
	if (!err)
		err = take_block(reader, out);
	return err;
}

int zsave_reader_finish(struct zsave_reader *reader)
{
	if (reader->fault)
		return -EBADMSG;
	return reader->is_over ? 0 : refuse(reader, ZSAVE_FAULT_SHORT);
}
