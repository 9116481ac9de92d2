/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zcomp - compression of one page at a time, whichever the codec
 *
 * Four lifetimes, the first three kept apart as in the kernel's zcomp:
 *   params  what to do: codec and level. Immutable, shared by all threads.
 *   dict    bytes that pages have in common, and how often each byte and each
 *           length occurs in them, digested: the codec needs to find out less
 *           about each page. Immutable, shared by all threads. What was
 *           compressed with one needs the same to be decompressed. The half of
 *           the digest that compressing takes, which is most of it, can be
 * given back while nobody compresses. ctx     scratch memory of the codec. One
 * for each thread, allocated at start: compressing and decompressing allocate
 * nothing. call    source and destination of one compression.
 *
 * A codec is a table of functions (struct zcomp_ops, zcomp_internal.h) in a
 * backend file of its own, the only place that includes the codec's header.
 *
 * Threads: params and dicts are read-only; a ctx belongs to one thread at a
 * time. Source: Linux drivers/block/zram/zcomp.h for the split.
 */
#ifndef ZSD_ZCOMP_ZCOMP_H
#define ZSD_ZCOMP_ZCOMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/units.h"

/* Room for zcomp_format(), bytes with the final NUL ("zstd:-100000"). */
#define ZCOMP_NAME_BYTES 24

/*
 * Size of a dictionary, bytes. Least: zstd has none with less content; most:
 * what plz's largest models have, 64 KiB that pages have in common and 78 KiB
 * of rows. Longer ones would be of no use: their digest takes several times as
 * much, and what does not stay in the processor's caches is slow to search.
 */
#define ZCOMP_DICT_MIN_BYTES ((size_t)256)
#define ZCOMP_DICT_MAX_BYTES ((size_t)(144 * KIB))

struct zcomp_ops;
struct zcomp_ctx;
struct zcomp_dict;

struct zcomp_params {
	const struct zcomp_ops *ops; /* the codec */
	int level; /* in the codec's own range */
};

/**
 * zcomp_parse() - read "ALGORITHM[:LEVEL]", for example "lz4" or "zstd:-1"
 * @text: hostile input is answered with an error
 * @out:  receives the params, the codec's default level where none is named;
 *        untouched on error
 *
 * Return: 0, -ENOENT for an unknown algorithm, -EINVAL where LEVEL is no
 * number, -ERANGE where it is outside the codec's range.
 */
int zcomp_parse(const char *text, struct zcomp_params *out) ZSD_MUST_CHECK;

/* zcomp_format() - write params as zcomp_parse() reads them. Return: @text. */
char *zcomp_format(const struct zcomp_params *params,
		   char text[ZCOMP_NAME_BYTES]);

/**
 * zcomp_describe() - the codecs, for a help text or an error
 * @index: 0, 1, … in the order they are listed
 *
 * Return: "lz4[:1..65537]" and the like, or NULL past the last one. The text
 * lives as long as the program.
 */
const char *zcomp_describe(size_t index);

/**
 * zcomp_ctx_create() - allocate all that a thread needs to use @params
 * @params:       copied
 * @src_bytes_max: the largest source that will be compressed
 * @out:          receives the context; untouched on error
 *
 * Return: 0 or -ENOMEM. Release: zcomp_ctx_destroy(), which takes NULL too.
 */
int zcomp_ctx_create(const struct zcomp_params *params, size_t src_bytes_max,
		     struct zcomp_ctx **out) ZSD_MUST_CHECK;
void zcomp_ctx_destroy(struct zcomp_ctx *ctx);

/*
 * zcomp_worth_bytes() - how long a page may become and still be worth the time
 * that reading it takes, bytes: plz 2,048, of which a page is read in some
 * 70 us; SIZE_MAX of codecs that read any length fast.
 */
size_t zcomp_worth_bytes(const struct zcomp_params *params);

/* zcomp_has_dicts() - whether this codec has dictionaries at all; where .ops is
 * NULL, it is none, and has none */
bool zcomp_has_dicts(const struct zcomp_params *params);

/**
 * zcomp_dict_create() - digest a dictionary, once for all threads
 * @params:        that it will be used with
 * @src_bytes_max: the largest source that it will be used for
 * @bytes:         the dictionary, in the codec's own format (of zstd, what
 *                 zcomp_train() and `zstd --train` make; of plz, a model that
 *                 zcomp_train() made). Kept by reference: must stay as it is
 *                 until the dict is destroyed
 * @nr_bytes:      ZCOMP_DICT_MIN_BYTES .. ZCOMP_DICT_MAX_BYTES
 * @out:           receives the dict, which is ready; untouched on error
 *
 * Hostile @bytes are answered with an error, or compress badly. Cost: some
 * 100 us; plz 0.7 ms.
 * Return: 0, or
 *   -EOPNOTSUPP  the codec has no dictionaries
 *   -EMSGSIZE    @nr_bytes is out of range
 *   -EINVAL      @bytes are no dictionary, or a damaged one
 *   -ENOMEM
 * Release: zcomp_dict_destroy(), when no call uses it; takes NULL too.
 */
int zcomp_dict_create(const struct zcomp_params *params, size_t src_bytes_max,
		      const void *bytes, size_t nr_bytes,
		      struct zcomp_dict **out) ZSD_MUST_CHECK;
void zcomp_dict_destroy(struct zcomp_dict *dict);

/* What a digest is for. */
enum zcomp_use {
	ZCOMP_TO_DECOMPRESS,
	ZCOMP_TO_COMPRESS, /* what that takes besides */
};

/**
 * zcomp_dict_ready() - make anew what zcomp_dict_rest() gave back, if it did
 *
 * Nobody compresses with the dict meanwhile; all may decompress. Allocates.
 * Cost: as zcomp_dict_create(). Return: 0, -ENOMEM, or -EINVAL where the
 * dictionary's bytes have changed.
 */
int zcomp_dict_ready(struct zcomp_dict *dict) ZSD_MUST_CHECK;

/* zcomp_dict_rest() - give back what compressing alone takes, until it is made
 * ready again; as zcomp_dict_ready() */
void zcomp_dict_rest(struct zcomp_dict *dict);

/*
 * zcomp_dict_memory() - bytes that a digest takes for one use, besides those of
 * the dictionary. For a codec that has dictionaries.
 */
size_t zcomp_dict_memory(const struct zcomp_params *params, enum zcomp_use use,
			 size_t src_bytes_max, size_t nr_bytes);

/*
 * zcomp_dict_bytes_besides() - what a dictionary takes besides bytes that pages
 * have in common, bytes: plz's are models, which say how often each symbol
 * occurs, too. For a codec that has dictionaries.
 */
size_t zcomp_dict_bytes_besides(const struct zcomp_params *params);

/**
 * zcomp_train() - make a dictionary for pages like some samples
 * @params:       that it will be used with
 * @samples:      @nr_samples of @sample_bytes each, one behind the other
 * @dst_bytes:    room, ZCOMP_DICT_MIN_BYTES .. ZCOMP_DICT_MAX_BYTES, which is
 *                used up nearly, if not wholly
 * @out_bytes:    receives the length; untouched on error
 *
 * Allocates up to ZCOMP_TRAIN_BYTES meanwhile. Cost: some 50 us a sample; plz
 * 700, and its samples must be pages.
 * Good results take samples of a hundred times the dictionary's size.
 * Return: 0, or
 *   -EOPNOTSUPP  the codec has no dictionaries
 *   -EMSGSIZE    @dst_bytes is out of range
 *   -EINVAL      there are too few samples for one of that size, or nothing in
 *                them that could be learned; or there is no room for what a
 *                dictionary takes besides
 *   -ENOMEM
 */
int zcomp_train(const struct zcomp_params *params, const void *samples,
		unsigned nr_samples, size_t sample_bytes, void *dst,
		size_t dst_bytes, size_t *out_bytes) ZSD_MUST_CHECK;

/* What zcomp_train() takes, bytes: 1 MiB to count in, twice; codec contexts. */
#define ZCOMP_TRAIN_BYTES ((size_t)(6 * MIB))

/**
 * zcomp_compress() - compress @src into at most @dst_bytes
 * @dict:      created with the same params as @ctx, and ready; or NULL
 * @src_bytes: 1 .. src_bytes_max
 * @out_bytes: receives the compressed length; untouched on error
 *
 * Allocates nothing. Never writes beyond @dst_bytes.
 * Return: 0, or -ENOSPC where the result does not fit @dst_bytes (which is
 * how a page is found incompressible, often before all of it was looked at).
 */
int zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
		   const void *src, size_t src_bytes, void *dst,
		   size_t dst_bytes, size_t *out_bytes) ZSD_MUST_CHECK;

/**
 * zcomp_decompress() - restore exactly @dst_bytes from @src
 * @dict: what it was compressed with, or one of the same bytes; NULL for none
 *
 * Allocates nothing. Damaged or hostile @src, or another @dict, never makes it
 * write outside @dst or read outside @src.
 * Return: 0, or -EIO where @src is no compressed form of @dst_bytes bytes;
 * @dst then holds garbage. Another @dict may give garbage and 0.
 */
int zcomp_decompress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
		     const void *src, size_t src_bytes, void *dst,
		     size_t dst_bytes) ZSD_MUST_CHECK;

#endif
