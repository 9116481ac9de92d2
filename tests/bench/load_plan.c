/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "load_plan.h"

static void *allocate(uint64_t nr, size_t bytes)
{
	void *p = calloc(nr, bytes);

	if (!p)
		error(1, ENOMEM, "%ju blocks", (uintmax_t)nr);
	return p;
}

void load_plan_init(struct load_plan *plan)
{
	plan->content = allocate(plan->nr_blocks, sizeof(*plan->content));
	plan->busy = allocate(plan->nr_blocks, sizeof(*plan->busy));
	for (uint64_t i = 0; i < plan->nr_blocks; i++)
		plan->content[i] = plan->first_content;
}

void load_plan_rewind(struct load_plan *plan, const struct load_mix *mix)
{
	plan->cursor = 0;
	if (!mix->shuffled)
		return;
	plan->order = allocate(plan->nr_blocks, sizeof(*plan->order));
	for (uint64_t i = 0; i < plan->nr_blocks; i++) {
		uint64_t other = rng_below(&plan->rng, i + 1);

		plan->order[i] = plan->order[other];
		plan->order[other] = (uint32_t)i;
	}
}

static uint64_t next_free_block(struct load_plan *plan, bool sequential)
{
	uint64_t block = sequential ? plan->cursor
				    : rng_below(&plan->rng, plan->nr_blocks);

	while (plan->busy[block])
		block = block + 1 == plan->nr_blocks ? 0 : block + 1;
	if (sequential)
		plan->cursor = block + 1 == plan->nr_blocks ? 0 : block + 1;
	return block;
}

static enum load_op next_op(struct load_plan *plan, const struct load_mix *mix)
{
	uint64_t dice;

	for (int op = 0; op < LOAD_NR_OPS; op++)
		if (mix->percent[op] == 100)
			return (enum load_op)op;
	dice = rng_below(&plan->rng, 100);
	if (dice < mix->percent[LOAD_READ])
		return LOAD_READ;
	if (dice < mix->percent[LOAD_READ] + mix->percent[LOAD_WRITE])
		return LOAD_WRITE;
	return LOAD_TRIM;
}

/* The first page of those to write to @block. */
static uint32_t next_content(struct load_plan *plan, const struct load_mix *mix,
			     uint64_t block)
{
	uint64_t block_pages = plan->block_bytes / ZSD_PAGE_BYTES;
	uint64_t nr_pages = plan->pages.nr_pages;

	if (mix->fill)
		return (uint32_t)(block % (nr_pages / block_pages) *
				  block_pages);
	return (uint32_t)rng_below(&plan->rng, nr_pages - block_pages + 1);
}

void load_plan_next(struct load_plan *plan, const struct load_mix *mix,
		    struct load_request *request)
{
	uint64_t block = mix->shuffled ? plan->order[plan->cursor++]
				       : next_free_block(plan, mix->sequential);

	plan->busy[block] = true;
	request->block = block;
	request->op = next_op(plan, mix);
	if (request->op == LOAD_WRITE)
		request->content = next_content(plan, mix, block);
	else if (request->op == LOAD_READ)
		request->content = plan->content[block];
	else
		request->content = CONTENT_ZEROS;
}

void load_plan_done(struct load_plan *plan, const struct load_request *request,
		    bool refused)
{
	if (!refused)
		plan->content[request->block] = request->content;
	plan->busy[request->block] = false;
}

unsigned char *load_plan_payload(const struct load_plan *plan,
				 const struct load_request *request)
{
	return plan->pages.base + (uint64_t)request->content * ZSD_PAGE_BYTES;
}

bool load_plan_check(const struct load_plan *plan,
		     const struct load_request *request, uint64_t offset,
		     const unsigned char *bytes, uint32_t nr_bytes)
{
	if (request->content == CONTENT_UNKNOWN)
		return true;
	if (request->content == CONTENT_ZEROS)
		return !bytes[0] && !memcmp(bytes, bytes + 1, nr_bytes - 1);
	return !memcmp(bytes, load_plan_payload(plan, request) + offset,
		       nr_bytes);
}
