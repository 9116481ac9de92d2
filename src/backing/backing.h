/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backing - a slower store behind a disk: a file or a block device
 *
 * Terms:
 *   block    4 KiB of it, by number from 0. What they hold the store knows: see
 *            zstore_backing.h.
 *   fetch    to read a block for somebody who does not wait: it is asked for,
 *            and taken when it is there.
 *   wanted   asked for, and not taken yet.
 *
 * Whoever serves clients never does I/O here: it asks (backing_need()), goes on
 * with others, is woken by params.fetched, and takes what has come
 * (backing_get()). Threads of its own read meanwhile (fetch.c). Whoever has
 * time reads and writes by itself (backing_read(), backing_write()).
 *
 * All I/O is O_DIRECT from memory that is there since the start: where the
 * machine swaps on the disk, writing out must not need memory. For the same
 * reason a file must have all of its blocks before it is used (check.c says
 * what else is refused, and why).
 *
 * What is written is encrypted, AES-256-XTS with the block's number as the
 * tweak, by a key of the caller's that is in no dump (crypt.c). XTS hides what
 * is there; it does not notice changes: the store has a checksum of each block.
 *
 * Claim: no two processes may use the same backing. One that is to go on after
 * another's death opens it before that, and claims it afterwards.
 *
 * Death: the process may be killed at any instruction. Nothing that it leaves
 * hurts the next one: I/O is pread(2) and pwrite(2) alone, each of which ends
 * before the kernel has let go of the thread that is in it, and the claim is
 * let go of after that. So once it is claimed nobody writes to it any more. A
 * block that was being written has old bytes, new ones or some of both; nobody
 * knew of it yet.
 *
 * Ownership: the caller's, from backing_open() to backing_close().
 * Threads: any, but where something else is said. Who reads or writes the same
 * block at once sees to it that this makes sense.
 */
#ifndef ZSD_BACKING_BACKING_H
#define ZSD_BACKING_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "guard/residence.h"
#include "io/log.h"

#define BACKING_BLOCK_BYTES 4096u

/* Least and most blocks: 1 MiB, below which nothing is worth it; and 1 TiB, for
 * which the store's tables take 1.25 GiB. */
#define BACKING_MIN_BLOCKS 256u
#define BACKING_MAX_BLOCKS (1u << 28)

/* Blocks that one backing_need() may ask for: those of a piece of a read. */
#define BACKING_NEED_MAX 32u

/* Blocks that one backing_write() may write: zram's writeback_batch_size. */
#define BACKING_WRITE_MAX 32u

/* Two keys of AES-256: XTS takes both. */
#define BACKING_KEY_BYTES 64u

struct backing;

struct backing_params {
	const char *path;
	bool is_swapped_on; /* stricter rules hold; threads are urgent */
	bool encrypt;
	struct residence *residence; /* that threads join; outlives it */
	struct io_log *log; /* outlives it */
	/* Called from its threads whenever blocks have come: whoever was
	 * answered -EINPROGRESS may ask again. Must not block. */
	void (*fetched)(void *arg);
	void *fetched_arg;
};

/**
 * backing_open() - look whether it may be used, and get everything ready
 * @params: copied, the path too
 * @out:    receives it; untouched on error
 *
 * Reads a block, to see whether that works. Allocates all that it will need.
 * Starts no thread, and claims nothing. Another process may be using it.
 * Return: 0 or -errno, which was logged with what to do about it: -EINVAL for
 * what may not be used.
 * Release: backing_close(), which takes NULL too.
 */
int backing_open(const struct backing_params *params,
		 struct backing **out) ZSD_MUST_CHECK;

/**
 * backing_close() - end the threads, and let go of it
 *
 * Nobody may be in another call. What is asked for is not read any more, but a
 * read that has begun ends first: where the disk hangs, so does this, for no
 * signal ends a direct read.
 */
void backing_close(struct backing *backing);

/* How many blocks it has. */
uint32_t backing_nr_blocks(const struct backing *backing);

/**
 * backing_claim() - from now on it is ours alone
 *
 * A block device is opened exclusively, a file is locked. Quick: no path is
 * looked up but one in /proc. Before backing_start().
 * Return: 0, or -EBUSY where another has it, a file system or swap too, or
 * -errno. Logged.
 */
int backing_claim(struct backing *backing) ZSD_MUST_CHECK;

/**
 * backing_start() - start the threads; before backing_claim(), too
 * @key: BACKING_KEY_BYTES; read now, and not kept but for crypt.c's own; NULL
 *       where nothing is encrypted
 *
 * Return: 0; -EINVAL where there is a key and nothing is encrypted, where there
 * is none and it is, or where its halves are the same; or -errno of starting
 * threads. Nothing else may be called then but backing_close().
 */
int backing_start(struct backing *backing, const void *key) ZSD_MUST_CHECK;

/* How many threads join the residence in backing_start(). */
unsigned backing_nr_threads(void);

/**
 * backing_need() - ask for blocks
 * @arg: the struct backing; what calls this, and the next two, does not know it
 * @nr:  1 to BACKING_NEED_MAX
 *
 * All of them or none: where they are not all here, those that are not are
 * asked for, if there is room for all of them; if there is not, for none. Those
 * that are here stay for whoever wants them, until they are taken; but not for
 * ever, as nobody may come (table.h has the rules). One that could not be read
 * is here, too: backing_get() tells of it.
 *
 * Whoever is answered -EINPROGRESS asks again, for the same blocks, after
 * params.fetched was called: where there was no room, that is called when there
 * may be some. Who notes that it was called does so before it asks.
 *
 * Cost: a lock, a look up for each. Waits for nothing, allocates nothing.
 * Return: 0 where all are here, or -EINPROGRESS.
 */
int backing_need(void *arg, const uint32_t *blocks, unsigned nr) ZSD_MUST_CHECK;

/**
 * backing_get() - take a block that is here
 * @dst: receives BACKING_BLOCK_BYTES, decrypted
 *
 * Waits for nothing. Return: 0, -ENOENT where it is not here, for it was
 * written or others have taken it meanwhile: ask again; or -EREMOTEIO where it
 * could not be read: that is told once, and then it is not here.
 */
int backing_get(void *arg, uint32_t block, void *dst) ZSD_MUST_CHECK;

/**
 * backing_read() - read a block, and wait for it
 * @dst: need not be aligned; is changed on success alone
 *
 * Return: 0 or -EREMOTEIO.
 */
int backing_read(void *arg, uint32_t block, void *dst) ZSD_MUST_CHECK;

/* What is to be written. */
struct backing_block {
	uint32_t number;
	const void *bytes; /* BACKING_BLOCK_BYTES, not encrypted */
	int err; /* receives 0 or -EREMOTEIO */
};

/**
 * backing_write() - write some blocks, and wait for them
 * @blocks: those whose numbers follow each other are one write
 * @nr:     1 to BACKING_WRITE_MAX
 *
 * None of them may be read meanwhile: nobody knows of them yet. Whatever was
 * here of them before, or is being fetched, is forgotten: what backing_get()
 * hands out from now on was read after this. What fails costs its block alone.
 * It is in the disk when this returns, or in a cache of the disk's: it outlives
 * the process, but not the loss of power.
 * One caller at a time.
 */
void backing_write(struct backing *backing, struct backing_block *blocks,
		   unsigned nr);

/* What was done, as zram's bd_stat and beyond. X(field) */
#define BACKING_COUNTS(X)                                         \
	X(reads) /* blocks that were read so far */               \
	X(writes) /* blocks that were written so far */           \
	X(failed_reads) /* those that could not be */             \
	X(failed_writes)                                          \
	X(read_us) /* what reading took, all together */          \
	X(write_us) /* what backing_write() took, all together */ \
	X(waiting) /* gauge: blocks that are being fetched now */ \
	X(full_waits) /* times that there was no room to ask for a block */

struct backing_counts {
#define BACKING_COUNT_FIELD(name) uint64_t name;
	BACKING_COUNTS(BACKING_COUNT_FIELD)
#undef BACKING_COUNT_FIELD
};

void backing_count(struct backing *backing, struct backing_counts *out);

/* Whether it is on a disk that turns, as far as the kernel tells: what comes
 * back from there takes long. Reads a file of sysfs. */
bool backing_is_rotational(const struct backing *backing);

/* What it is, for people and for stats: "file", "block device". */
const char *backing_kind(const struct backing *backing);

#endif
