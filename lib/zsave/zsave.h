/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsave - a saved disk: the format of its stream, written and read
 *
 * What zsd sends for `zsctl save`, and reads for `zsd --restore`. This page is
 * the format's manual: with it another program can write one or read one.
 * Numbers are little-endian, so that there is no mark for their order; they
 * stand where it says, without padding.
 *
 * A stream is a start, then blocks: a head, dictionaries, pages, an end.
 *
 * - start, 16 B:
 *   -  0  8 B  89 7a 73 64 69 73 6b 0a, "\x89zsdisk\n"
 *   -  8  u64  version of the format, ZSAVE_VERSION
 * - block:
 *   -  0  u64  checksum, XXH3 of 64 bits, of all of the block behind it. Its
 *             seed is the block's number, from 0 on: so a block that is
 *             missing, moved or there twice does not fit
 *   -  8  u32  kind, enum zsave_kind
 *   - 12  u32  length of the rest, at most ZSAVE_MAX_PAYLOAD_BYTES
 *   - 16       the rest, as its kind says
 * - head:
 *   -  0  u32  bytes of a page: 4096
 *   -  4  u32  flags: ZSAVE_LIVE, all others 0
 *   -  8  u64  size of the disk, bytes: whole pages, at most 4 TiB
 *   - 16  u64  when it was saved, seconds since 1970 UTC
 *   - 24  16 B what tells the disk from others; zeros: nothing does
 *   - 40  u32  how many dictionaries follow, at most 15
 *   - 44  u32  number of the one that new pages were compressed with; 0: none
 *   - 48  u32  the same, of pages that were recompressed
 *   - 52  24 B codec and level, "zstd:1", filled up with NULs
 *   - 76  24 B the same, of the codec that recompressed pages; NULs: none did
 * - dictionary:
 *   -  0  u16  its number, 1 to 15, that no other has
 *   -  2  u16  whose it is: 0 the first codec's, 1 the second's
 *   -  4       its bytes, in the codec's own format
 * - pages: records, one behind the other, one at least:
 *   -  0  u32  how many pages are passed over since the last record: they were
 *             never written, or were trimmed. Before the first record is the
 *             beginning of the disk
 *   -  4  u16  length of the content, bytes
 *   -  6  u8   form, enum zsave_form
 *   -  7  u8   compressed: number of the dictionary, 0 for none; else 0
 *   -  8       the content: 8 B that the page repeats, or the page as it is, or
 *             what one of the codecs made of it, 1 to 4095 B
 * - end, behind which nothing comes:
 *   -  0  u64  records in all
 *   -  8  u64  those of words
 *   - 16  u64  those of raw pages
 *   - 24  u64  bytes of content in all
 * - failure: takes the place of what would come: the disk could not be saved,
 *   for the reason that is its text. Such a stream is no saved disk
 *
 * A codec's bytes are those of its library: of lz4 a block, of zstd a frame
 * without its magic (ZSTD_f_zstd1_magicless), of plz with a model docs/plz.md,
 * and without one what zstd:1 has.
 *
 * Pages come in the order of the disk, each once at most. What a dictionary is
 * for is up to the pages: there may be some that none needs.
 *
 * Checksums find accidents. Whoever makes a file can make them fit, so that the
 * reader takes nothing on trust: everything is checked that can be without the
 * codec, before anybody sees the block. Whether the content decompresses to a
 * page is for its user to find out.
 *
 * Ownership: a writer works in its caller's memory; a reader has a buffer of
 * one block. Threads: one at a time.
 */
#ifndef ZSD_ZSAVE_ZSAVE_H
#define ZSD_ZSAVE_ZSAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/units.h"

/* Any change of the format makes another one; a reader knows one. */
#define ZSAVE_VERSION 2u

#define ZSAVE_START_BYTES  ((size_t)16)
#define ZSAVE_PREFIX_BYTES ((size_t)16) /* of a block */
#define ZSAVE_HEAD_BYTES   ((size_t)100)
#define ZSAVE_END_BYTES	   ((size_t)32)
#define ZSAVE_RECORD_BYTES ((size_t)8) /* without the content */

/* A dictionary, of 144 KiB at most, must fit; and a buffer should be small. */
#define ZSAVE_MAX_PAYLOAD_BYTES ((size_t)(160 * KIB))

/* Room for any block; the first one, with the start, is a short one. */
#define ZSAVE_BLOCK_BYTES (ZSAVE_PREFIX_BYTES + ZSAVE_MAX_PAYLOAD_BYTES)

#define ZSAVE_MAX_DISK_BYTES  (4 * TIB)
#define ZSAVE_MAX_DICTS	      15u
#define ZSAVE_CODECS	      2u
#define ZSAVE_UUID_BYTES      16
#define ZSAVE_ALGORITHM_BYTES 24 /* with a NUL at least */
#define ZSAVE_WORD_BYTES      8u
#define ZSAVE_MAX_TEXT_BYTES  255u /* of a failure */

enum zsave_kind {
	ZSAVE_HEAD = 1,
	ZSAVE_DICT = 2,
	ZSAVE_PAGES = 3,
	ZSAVE_END = 4,
	ZSAVE_FAILURE = 5,
};

enum zsave_form {
	ZSAVE_WORD = 1,
	ZSAVE_RAW = 2,
	ZSAVE_COMPRESSED = 3, /* by the first codec */
	ZSAVE_RECOMPRESSED = 4, /* by the second one */
};

/* It was saved while clients could change it: as after a power cut. */
#define ZSAVE_LIVE ((uint32_t)1 << 0)

struct zsave_head {
	uint32_t flags; /* ZSAVE_* */
	uint64_t disk_bytes;
	uint64_t time_s; /* since 1970 UTC */
	uint8_t uuid[ZSAVE_UUID_BYTES];
	uint32_t nr_dicts;
	uint32_t dict_current[ZSAVE_CODECS]; /* number, or 0 */
	/* Printable ASCII, with a NUL; the second one may be empty. */
	char algorithms[ZSAVE_CODECS][ZSAVE_ALGORITHM_BYTES];
};

/* A dictionary. */
struct zsave_dict {
	unsigned number;
	unsigned codec; /* below ZSAVE_CODECS */
	const void *bytes;
	size_t nr_bytes; /* at most ZSAVE_MAX_PAYLOAD_BYTES - 4 */
};

/* One page of the disk. */
struct zsave_page {
	uint64_t index;
	enum zsave_form form;
	unsigned dict; /* number, or 0 */
	uint32_t bytes; /* of @content */
	const unsigned char *content; /* in the block */
};

struct zsave_counts {
	uint64_t pages;
	uint64_t words;
	uint64_t raws;
	uint64_t content_bytes;
};

/* --- writing -------------------------------------------------------------- */

struct zsave_writer {
	uint64_t nr_blocks; /* number of the next one */
	uint64_t next; /* page behind the last one */
	struct zsave_counts counts;
	unsigned char *block; /* of pages, being filled */
	size_t used; /* payload of it */
};

void zsave_writer_init(struct zsave_writer *writer);

/*
 * Each makes one block at @dst, which has room for ZSAVE_BLOCK_BYTES, and
 * returns its length; that of the head has the start in front of it. They are
 * called in the order of the stream: what is written must be right.
 */
size_t zsave_write_head(struct zsave_writer *writer,
			const struct zsave_head *head, unsigned char *dst);
size_t zsave_write_dict(struct zsave_writer *writer,
			const struct zsave_dict *dict, unsigned char *dst);
size_t zsave_write_end(struct zsave_writer *writer, unsigned char *dst);
/* @text: printable ASCII, cut after ZSAVE_MAX_TEXT_BYTES */
size_t zsave_write_failure(struct zsave_writer *writer, const char *text,
			   unsigned char *dst);

/**
 * zsave_begin_pages() - begin a block of pages at @dst
 *
 * Then, for each page: zsave_room() says where its content is to be put,
 * zsave_put_page() makes a record of it; at last zsave_end_pages().
 */
void zsave_begin_pages(struct zsave_writer *writer, unsigned char *dst);

/* Where to put up to a page, or NULL where there is no room for one. */
unsigned char *zsave_room(const struct zsave_writer *writer);

/* @page: behind the last one; its content is ignored: it is there already. */
void zsave_put_page(struct zsave_writer *writer, const struct zsave_page *page);

/* Return: the block's length, or 0 where no page was put: there is none. */
size_t zsave_end_pages(struct zsave_writer *writer);

/* --- reading -------------------------------------------------------------- */

/* What may be wrong with a stream. X(name, text behind "FILE: "). */
#define ZSAVE_FAULTS(X)                                                     \
	X(FOREIGN, "that is no saved disk")                                 \
	X(VERSION, "it has a version of the format that this zsd does not " \
		   "know: use the zsd that it was made with")               \
	X(SUM, "it is damaged: a checksum does not fit")                    \
	X(KIND, "it is damaged: a block of an unknown kind")                \
	X(ORDER, "it is damaged: a block where none of its kind may be")    \
	X(LENGTH, "it is damaged: a block of a wrong length")               \
	X(HEAD, "it is damaged, or of another program: its head says what " \
		"cannot be")                                                \
	X(DICT, "it is damaged: a dictionary's number is out of range or "  \
		"there twice, or it is no codec's")                         \
	X(NR_DICTS, "it is damaged: there are not as many dictionaries as " \
		    "it says")                                              \
	X(CUT, "it is damaged: a page does not end in its block")           \
	X(FORM, "it is damaged: a page of an unknown form")                 \
	X(CONTENT, "it is damaged: a page has a content of a wrong length") \
	X(OUTSIDE, "it is damaged: a page is outside of the disk")          \
	X(NO_DICT, "it is damaged: a dictionary that is needed is missing") \
	X(COUNTS, "it is damaged: there are not as many pages as it says")  \
	X(SHORT, "it is short: its end is missing")                         \
	X(TRAILING, "it is damaged: something stands behind its end")       \
	X(FAILURE, "the disk could not be saved")

enum zsave_fault {
	ZSAVE_FAULT_NONE,
#define ZSAVE_FAULT_NAME(name, text) ZSAVE_FAULT_##name,
	ZSAVE_FAULTS(ZSAVE_FAULT_NAME)
#undef ZSAVE_FAULT_NAME
};

/* zsave_fault_text() - the text of one that is not ZSAVE_FAULT_NONE */
const char *zsave_fault_text(enum zsave_fault fault);

struct zsave_block {
	enum zsave_kind kind;
	const unsigned char *payload; /* until more is read */
	size_t bytes;
	uint64_t next; /* page behind the last one before it */
};

struct zsave_reader {
	unsigned char *buffer; /* one block, or the start */
	size_t have; /* bytes in it */
	size_t want; /* how many there are to be before the next step */
	uint64_t offset; /* of the block at hand in the stream, bytes */
	uint64_t nr_blocks; /* that were taken */
	enum zsave_fault fault; /* what is wrong: nothing more is taken */
	bool has_started; /* the start was right */
	bool is_over; /* the end was right */
	struct zsave_head head; /* once it was taken */
	unsigned nr_dicts; /* that were taken */
	uint32_t dicts[ZSAVE_CODECS]; /* their numbers, a bit each, by codec */
	uint64_t next; /* page behind the last one */
	struct zsave_counts counts; /* of what was taken */
};

/* zsave_reader_init() - Return: 0 or -ENOMEM. Release: zsave_reader_fini(). */
int zsave_reader_init(struct zsave_reader *reader) ZSD_MUST_CHECK;
void zsave_reader_fini(struct zsave_reader *reader);

/* Forget everything: another stream begins. */
void zsave_reader_reset(struct zsave_reader *reader);

/**
 * zsave_reader_space() - where the stream's next bytes are to be put
 * @out: receives the address
 *
 * Never more than what the block at hand still lacks: what comes behind the end
 * of the stream need not be read. A block taken before is invalid from here on.
 * Return: how many, at least 1.
 */
size_t zsave_reader_space(struct zsave_reader *reader, void **out);

/* @bytes, at most that many, were put there. */
void zsave_reader_add(struct zsave_reader *reader, size_t bytes);

/**
 * zsave_reader_next() - take the next block, if it is there
 * @out: receives it, wholly checked; or that of a failure
 *
 * Cost: a checksum over the block, and a look at each record.
 * Return: 0, or
 *   -EAGAIN   it is not all there yet: read more. After the end there is no
 *             more, and one byte of it is a fault
 *   -EBADMSG  reader->fault says what is wrong with it, reader->offset where
 *             the block begins, bytes
 */
int zsave_reader_next(struct zsave_reader *reader,
		      struct zsave_block *out) ZSD_MUST_CHECK;

/* zsave_reader_finish() - there is no more. Return: 0 where all was there and
 * right, or -EBADMSG. */
int zsave_reader_finish(struct zsave_reader *reader) ZSD_MUST_CHECK;

/* The codec whose form it is, by number; 0 where it is no codec's. */
static inline unsigned zsave_codec(enum zsave_form form)
{
	return form == ZSAVE_RECOMPRESSED ? 1 : 0;
}

/* The dictionary of a block, which is ZSAVE_DICT; valid as long as that. */
void zsave_block_dict(const struct zsave_block *block, struct zsave_dict *out);

/* Goes through the pages of a block, which is ZSAVE_PAGES. */
struct zsave_pages {
	const unsigned char *at;
	const unsigned char *end;
	uint64_t next; /* page behind the last one */
};

void zsave_pages_init(struct zsave_pages *pages,
		      const struct zsave_block *block);

/* Return: false where there is no more. */
bool zsave_pages_next(struct zsave_pages *pages, struct zsave_page *out);

#endif
