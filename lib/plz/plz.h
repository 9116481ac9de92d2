/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz - a codec for single pages of memory, made for pages that rest
 *
 * A page of 4 KiB becomes denser than general codecs make it, and is still read
 * by itself. What they learn from each page anew is known here beforehand: how
 * pages like these begin. It costs time: some eight times that of
 * zstd:1 to store a page, and four times to read one (docs/plz.md has figures).
 *
 * - model: what is known: a dictionary, and how often each symbol comes in each
 *   context as a page begins. Trained on pages; read-only from then on, and
 *   shared by all threads. Its bytes are all that reading takes.
 * - tables: what storing takes besides, twice as much, which follows from the
 *   model. They are there from plz_model_ready() to plz_model_rest().
 * - workspace: memory of a thread, given by the caller. Nothing lasts there
 *   between calls, and no other memory is taken: compressing and decompressing
 *   allocate nothing.
 *
 * A page that was compressed with a model needs the same to be read. It carries
 * a checksum of 32 bits, in bits that the coder would waste otherwise: another
 * model, a damaged dictionary and damaged bytes are all found out, but for one
 * chance in 2^32.
 *
 * The same page, model and effort give the same bytes on every machine,
 * whatever its processor has: AVX2, SSE2 or NEON are used where they are there.
 *
 * Threads: any, with a workspace of its own each. Format: docs/plz.md.
 */
#ifndef ZSD_PLZ_PLZ_H
#define ZSD_PLZ_PLZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct plz_model;
struct plz_workspace;

/* --- pages --------------------------------------------------------------- */

/* The longest result, bytes. What would be longer is not worth storing: it has
 * twice a page's length. */
#define PLZ_MAX_BYTES 8192u

/* The alignment of a workspace, bytes. */
#define PLZ_WORKSPACE_ALIGN 64u

enum plz_use {
	PLZ_TO_READ, /* plz_decompress() alone */
	PLZ_TO_STORE, /* all */
};

/* plz_workspace_bytes() - how much memory a thread must bring: some 100 KiB to
 * read, 350 KiB to store */
size_t plz_workspace_bytes(enum plz_use use);

enum plz_effort {
	PLZ_FAST, /* the best token at each place, looking one byte ahead */
	PLZ_OPTIMAL, /* the best of all ways: 3 % denser, eight times the time */
};

/**
 * plz_compress() - compress a page
 * @model:     what it is compressed with; it is ready
 * @effort:    how long to look for tokens; the result is read in the same way
 * @work:      plz_workspace_bytes(PLZ_TO_STORE), aligned to PLZ_WORKSPACE_ALIGN
 * @page:      ZSD_PAGE_BYTES
 * @dst:       receives the result; untouched on error
 * @dst_bytes: room there
 * @out_bytes: receives its length, 8 .. PLZ_MAX_BYTES, even; untouched on error
 *
 * Cost: some 150 us, or 1,200 with PLZ_OPTIMAL; bounded for any page.
 * Return: 0, or -ENOSPC where the result would be longer than @dst_bytes or
 * PLZ_MAX_BYTES.
 */
int plz_compress(const struct plz_model *model, enum plz_effort effort,
		 struct plz_workspace *work, const void *page, void *dst,
		 size_t dst_bytes, size_t *out_bytes) ZSD_MUST_CHECK;

/**
 * plz_decompress() - restore a page
 * @model:     what it was compressed with
 * @work:      plz_workspace_bytes(PLZ_TO_READ), aligned to PLZ_WORKSPACE_ALIGN
 * @src:       @src_bytes, of which each is read once
 * @page:      receives ZSD_PAGE_BYTES; garbage on error
 *
 * Hostile @src never makes it read outside @src and the model, nor write outside
 * @page and @work; nor do a model's bytes that have changed since it was loaded:
 * then no page reads. Cost: some 10 us and 30 ns for each byte of @src; bounded
 * for any @src. Return: 0, or -EBADMSG where @src is no page of this model.
 */
int plz_decompress(const struct plz_model *model, struct plz_workspace *work,
		   const void *src, size_t src_bytes,
		   void *page) ZSD_MUST_CHECK;

/* --- models -------------------------------------------------------------- */

/* The longest dictionary: its places are numbers of 16 bits. */
#define PLZ_DICT_MAX_BYTES 65536u

/* Pages that training takes at most: more would not make it better. */
#define PLZ_TRAIN_MAX_PAGES 65536u

/**
 * plz_train() - make a model for pages like some samples
 * @pages:      @nr_pages of ZSD_PAGE_BYTES, one behind the other
 * @nr_pages:   1 .. PLZ_TRAIN_MAX_PAGES. A thousand from all over a store do;
 *              four times as many make 0.1 % of difference
 * @dict:       what such pages have in common: any bytes, such as a dictionary
 *              that zcomp_train() made; copied. NULL where there is none
 * @dict_bytes: 0 .. PLZ_DICT_MAX_BYTES. 64 KiB are worth it from some ten
 *              thousand pages on
 * @out:        receives the model; untouched on error
 *
 * The model is ready. The same samples give the same one on every machine.
 * Cost: some 0.7 ms a page; 1.5 MiB of memory while it runs, besides the model.
 * Return: 0, -EMSGSIZE where a number is out of range, or -ENOMEM.
 * Release: plz_model_free().
 */
int plz_train(const void *pages, size_t nr_pages, const void *dict,
	      size_t dict_bytes, struct plz_model **out) ZSD_MUST_CHECK;

/* plz_model_free() - when no call uses it; takes NULL too */
void plz_model_free(struct plz_model *model);

/**
 * plz_model_ready() - make the tables that storing takes, if there are none
 *
 * No call stores with the model meanwhile; any may read. Takes memory from the
 * system. Cost: some 0.7 ms.
 * Return: 0, -ENOMEM, or -EBADMSG where the model's bytes have changed since it
 * was loaded.
 */
int plz_model_ready(struct plz_model *model) ZSD_MUST_CHECK;

/* plz_model_rest() - give them back, if there are any; as plz_model_ready() */
void plz_model_rest(struct plz_model *model);

/* Bytes of memory that a model takes, besides its own bytes; and its tables,
 * with such a dictionary: 240 KiB, and twice the dictionary. */
size_t plz_model_memory(void);
size_t plz_tables_memory(size_t dict_bytes);

/* Which instructions a model's pages are coded with: "avx2", "sse2", "neon" or
 * "portable". */
const char *plz_model_coder(const struct plz_model *model);

/* The length of a model's bytes. */
size_t plz_model_bytes(const struct plz_model *model);

/* plz_model_room() - the same, of a model with such a dictionary */
size_t plz_model_room(size_t dict_bytes);

/* plz_model_save() - write them to @dst, where there is room for them all: a
 * versioned header with a checksum, the rows, the dictionary */
void plz_model_save(const struct plz_model *model, void *dst);

/**
 * plz_model_load() - make a model of what plz_model_save() wrote
 * @src: kept by reference: it stays as it is until the model is freed. Hostile
 *       bytes are answered with an error: whatever passes is a model that can
 *       be used, if not one that is good for anything
 * @out: receives the model, which is to be read with: see plz_model_ready();
 *       untouched on error
 *
 * Cost: some 50 us.
 * Return: 0, or
 *   -EPROTO   these bytes are of another version of the format
 *   -EBADMSG  these bytes are no model, or a damaged one
 *   -ENOMEM
 * Release: plz_model_free().
 */
int plz_model_load(const void *src, size_t src_bytes,
		   struct plz_model **out) ZSD_MUST_CHECK;

/**
 * plz_model_write() - put a model into a file, in one piece or not at all
 * @path: replaced if it is there. Its owner alone may read it, for it holds
 *        pieces of memory
 *
 * The file's bytes are on the disk before it takes its name. Blocks for that.
 * Return: 0, or -errno of what the system refused.
 */
int plz_model_write(const struct plz_model *model,
		    const char *path) ZSD_MUST_CHECK;

/**
 * plz_model_read() - load a model from a file, which is not needed any more then
 * @out: as of plz_model_load()
 *
 * Return: 0, or as of plz_model_load(), -EBADMSG too where the file is longer
 * than any model is, or -errno of what the system refused.
 * Release: plz_model_free().
 */
int plz_model_read(const char *path, struct plz_model **out) ZSD_MUST_CHECK;

#endif
