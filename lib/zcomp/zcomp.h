/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zcomp - compression of one page at a time, whichever the codec
 *
 * Three lifetimes, kept apart as in the kernel's zcomp:
 *   params  what to do: codec and level. Immutable, shared by all threads.
 *   ctx     scratch memory of the codec. One for each thread, allocated at
 *           start: compressing and decompressing allocate nothing.
 *   call    source and destination of one compression.
 *
 * A codec is a table of functions (struct zcomp_ops, zcomp_internal.h) in a
 * backend file of its own, the only place that includes the codec's header.
 *
 * Threads: params are read-only; a ctx belongs to one thread at a time.
 * Source: Linux drivers/block/zram/zcomp.h for the split.
 */
#ifndef ZSD_ZCOMP_ZCOMP_H
#define ZSD_ZCOMP_ZCOMP_H

#include <stddef.h>

#include "base/compiler.h"

/* Room for zcomp_format(), bytes with the final NUL ("zstd:-100000"). */
#define ZCOMP_NAME_BYTES 24

struct zcomp_ops;
struct zcomp_ctx;

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

/**
 * zcomp_compress() - compress @src into at most @dst_bytes
 * @src_bytes: 1 .. src_bytes_max
 * @out_bytes: receives the compressed length; untouched on error
 *
 * Allocates nothing. Never writes beyond @dst_bytes.
 * Return: 0, or -ENOSPC where the result does not fit @dst_bytes (which is
 * how a page is found incompressible, often before all of it was looked at).
 */
int zcomp_compress(struct zcomp_ctx *ctx, const void *src, size_t src_bytes,
		   void *dst, size_t dst_bytes,
		   size_t *out_bytes) ZSD_MUST_CHECK;

/**
 * zcomp_decompress() - restore exactly @dst_bytes from @src
 *
 * Allocates nothing. Damaged or hostile @src never makes it write outside
 * @dst or read outside @src.
 * Return: 0, or -EIO where @src is no compressed form of @dst_bytes bytes;
 * @dst then holds garbage.
 */
int zcomp_decompress(struct zcomp_ctx *ctx, const void *src, size_t src_bytes,
		     void *dst, size_t dst_bytes) ZSD_MUST_CHECK;

#endif
