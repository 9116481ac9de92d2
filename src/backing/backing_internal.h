/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backing_internal - what the files of this module share
 */
#ifndef ZSD_BACKING_BACKING_INTERNAL_H
#define ZSD_BACKING_BACKING_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backing/backing.h"
#include "base/compiler.h"

/* pread(2) and pwrite(2), but for tests, which delay them and have them fail. */
struct backing_ops {
	ssize_t (*read)(int fd, void *buf, size_t bytes, off_t at);
	ssize_t (*write)(int fd, const void *buf, size_t bytes, off_t at);
};

struct backing {
	struct backing_params params;
	char *path; /* that of the params */
	int fd;
	bool is_device; /* a block device; else a file */
	bool may_move; /* its file system writes elsewhere, if not told */
	uint32_t nr_blocks;
	const struct backing_ops *ops;
	struct crypt *crypt; /* NULL: nothing is encrypted */
	struct fetch *fetch;
	unsigned char *write_buffer; /* of BACKING_WRITE_MAX blocks */
	struct io_log_limit failures; /* lines about them */

	_Atomic uint64_t nr_reads;
	_Atomic uint64_t nr_writes;
	_Atomic uint64_t nr_failed_reads;
	_Atomic uint64_t nr_failed_writes;
	_Atomic uint64_t read_us;
	_Atomic uint64_t write_us;
};

/* --- memory.c -------------------------------------------------------------- */

/**
 * memory_map() - pages of our own to do I/O with, or to keep a key in
 *
 * In no dump, for what is in them is not ours; and in no child, for the kernel
 * may put what is being read into the child's copy.
 * Source: open(2), of O_DIRECT and fork(2); madvise(2).
 *
 * They are touched: where memory is locked they stay. Return: 0 or -errno.
 * Release: memory_give_back().
 */
int memory_map(size_t bytes, void **out) ZSD_MUST_CHECK;

/* --- check.c, extents.c, claim.c ------------------------------------------- */

/**
 * check_open() - look whether it may be used, and open it
 *
 * Fills in fd, is_device, nr_blocks. Return: 0 or -errno, which was logged.
 */
int check_open(struct backing *backing) ZSD_MUST_CHECK;

/* How the blocks of a file lie on its device. */
enum extents {
	EXTENTS_WHOLE, /* all are there, and are written in place */
	EXTENTS_HOLES, /* some are not there */
	EXTENTS_MOVING, /* some are elsewhere after each write */
};

/* extents_look() - what a file is like, up to a length */
enum extents extents_look(int fd, uint64_t bytes);

int claim(struct backing *backing) ZSD_MUST_CHECK;

/* --- crypt.c --------------------------------------------------------------- */

/* crypt_create() - room for a key. Return: 0 or -errno.
 * Release: crypt_destroy(), which wipes it, and takes NULL too. */
int crypt_create(struct crypt **out) ZSD_MUST_CHECK;
void crypt_destroy(struct crypt *crypt);

/**
 * crypt_is_locked() - whether the key cannot be swapped out
 *
 * Where it can, it may get where what it encrypts is.
 */
bool crypt_is_locked(const struct crypt *crypt);

/**
 * crypt_set_key() - take a key of BACKING_KEY_BYTES
 *
 * Return: 0, or -EINVAL where its halves are the same, which makes XTS weak.
 * Source: NIST, "Implementation Guidance for FIPS 140-2", A.9.
 */
int crypt_set_key(struct crypt *crypt, const void *key) ZSD_MUST_CHECK;

/* Of one block; @dst may be @src. Threads: any, after crypt_set_key(). */
void crypt_encrypt(struct crypt *crypt, uint32_t block, void *dst,
		   const void *src);
void crypt_decrypt(struct crypt *crypt, uint32_t block, void *dst,
		   const void *src);

/* --- io.c ------------------------------------------------------------------ */

/**
 * io_read() - read a block, and decrypt it
 * @page: of memory_map(), or as aligned as it; receives the block
 *
 * Return: 0 or -EREMOTEIO, which was logged and counted.
 */
int io_read(struct backing *backing, uint32_t block, void *page) ZSD_MUST_CHECK;

/* io_write() - encrypt blocks and write them. Fills in their err. */
void io_write(struct backing *backing, struct backing_block *blocks,
	      unsigned nr);

/* --- fetch.c --------------------------------------------------------------- */

/* fetch_create() - the table, without threads. Return: 0 or -errno.
 * Release: fetch_destroy(), which ends threads, and takes NULL too. */
int fetch_create(struct backing *backing, struct fetch **out) ZSD_MUST_CHECK;
void fetch_destroy(struct fetch *fetch);

int fetch_start(struct fetch *fetch) ZSD_MUST_CHECK;

/* Around a write: nothing that was read before its end is handed out after. */
void fetch_begin_write(struct fetch *fetch, const struct backing_block *blocks,
		       unsigned nr);
void fetch_end_write(struct fetch *fetch);

/* Blocks that are being fetched, and times that there was no room. */
void fetch_count(struct fetch *fetch, struct backing_counts *out);

#endif
