/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "model/behind.h"

/* Between the two parts of a block that is torn, µs. */
#define TEAR_US 50u

void behind_init_over(struct behind *behind, uint32_t nr_blocks,
		      unsigned char *bytes)
{
	*behind = (struct behind){
		.nr_blocks = nr_blocks, .bytes = bytes, .random = 1};
	pthread_mutex_init(&behind->lock, NULL);
	behind->states = calloc(nr_blocks, 1);
	BUG_ON(!behind->bytes || !behind->states);
}

void behind_init(struct behind *behind, uint32_t nr_blocks)
{
	behind_init_over(behind, nr_blocks, calloc(nr_blocks, ZSD_PAGE_BYTES));
	behind->owns_bytes = true;
}

void behind_fini(struct behind *behind)
{
	if (behind->owns_bytes)
		free(behind->bytes);
	free(behind->states);
	pthread_mutex_destroy(&behind->lock);
}

static unsigned char *block_at(struct behind *behind, uint32_t block)
{
	BUG_ON(block >= behind->nr_blocks);
	return behind->bytes + (size_t)block * ZSD_PAGE_BYTES;
}

/* Under the lock. */
static bool fails(struct behind *behind, unsigned one_in)
{
	behind->random = behind->random * UINT64_C(6364136223846793005) + 1;
	return one_in && (behind->random >> 33) % one_in == 0;
}

/* Under the lock. */
static int copy(struct behind *behind, uint32_t block, void *dst)
{
	if (fails(behind, behind->read_fails)) {
		behind->nr_read_failures++;
		return -EREMOTEIO;
	}
	behind->nr_reads++;
	memcpy(dst, block_at(behind, block), ZSD_PAGE_BYTES);
	return 0;
}

static int need(void *arg, const uint32_t *blocks, unsigned nr)
{
	struct behind *behind = arg;
	bool all = true;

	BUG_ON(!nr || nr > ZSTORE_NEED_MAX);
	pthread_mutex_lock(&behind->lock);
	for (unsigned i = 0; i < nr; i++) {
		uint8_t *state = &behind->states[blocks[i]];

		BUG_ON(blocks[i] >= behind->nr_blocks);
		if (*state == BEHIND_AWAY)
			*state = behind->arrives_at_once ? BEHIND_HERE
							 : BEHIND_ASKED;
		all = all && *state == BEHIND_HERE;
	}
	pthread_mutex_unlock(&behind->lock);
	return all ? 0 : -EINPROGRESS;
}

static int get(void *arg, uint32_t block, void *dst)
{
	struct behind *behind = arg;
	int err = -ENOENT;

	pthread_mutex_lock(&behind->lock);
	BUG_ON(block >= behind->nr_blocks);
	if (behind->states[block] == BEHIND_HERE) {
		behind->states[block] = BEHIND_AWAY;
		err = copy(behind, block, dst);
	}
	pthread_mutex_unlock(&behind->lock);
	return err;
}

static int read_now(void *arg, uint32_t block, void *dst)
{
	struct behind *behind = arg;
	int err;

	pthread_mutex_lock(&behind->lock);
	err = copy(behind, block, dst);
	pthread_mutex_unlock(&behind->lock);
	return err;
}

struct zstore_backing behind_backing(struct behind *behind)
{
	return (struct zstore_backing){
		.nr_blocks = behind->nr_blocks,
		.need = need,
		.get = get,
		.read = read_now,
		.arg = behind,
	};
}

bool behind_arrive(struct behind *behind)
{
	bool any = false;

	pthread_mutex_lock(&behind->lock);
	for (uint32_t i = 0; i < behind->nr_blocks; i++) {
		if (behind->states[i] != BEHIND_ASKED)
			continue;
		behind->states[i] = BEHIND_HERE;
		any = true;
	}
	pthread_mutex_unlock(&behind->lock);
	return any;
}

void behind_fail(struct behind *behind, unsigned reads, unsigned writes)
{
	pthread_mutex_lock(&behind->lock);
	behind->read_fails = reads;
	behind->write_fails = writes;
	pthread_mutex_unlock(&behind->lock);
}

/* Under the lock, which others may have meanwhile. */
static void write_block(struct behind *behind,
			const struct zstore_block_out *out)
{
	unsigned char *dst = block_at(behind, out->number);
	const size_t half = ZSD_PAGE_BYTES / 2;

	memcpy(dst, out->bytes, half);
	if (fails(behind, behind->write_tears)) {
		pthread_mutex_unlock(&behind->lock);
		usleep(TEAR_US);
		pthread_mutex_lock(&behind->lock);
	}
	memcpy(dst + half, out->bytes + half, half);
}

int behind_write(struct behind *behind, const struct zstore_block_out *out)
{
	int err = 0;

	pthread_mutex_lock(&behind->lock);
	if (fails(behind, behind->write_fails)) {
		behind->nr_write_failures++;
		err = -EREMOTEIO;
	} else {
		behind->nr_writes++;
		write_block(behind, out);
	}
	behind->states[out->number] = BEHIND_AWAY;
	pthread_mutex_unlock(&behind->lock);
	return err;
}

int behind_write_out(struct behind *behind, struct zstore_ctx *ctx,
		     const struct zstore_writeback *how,
		     struct zstore_writing *at, unsigned looks)
{
	static _Thread_local struct zstore_block_out out;
	int more;

	do {
		more = zstore_writeback_fill(ctx, how, at, &out, looks);
		if (more == 1)
			zstore_writeback_end(ctx, how, at, &out,
					     behind_write(behind, &out));
	} while (more == 1 || more == -EAGAIN);
	return more;
}
