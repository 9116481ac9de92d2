/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "load_plan.h"

int load_plan_init(struct load_plan *plan, const struct load_params *params)
{
	*plan = (struct load_plan){
		.params = *params,
		.nr_blocks = params->span_bytes / params->block_bytes,
		.rng = {params->seed},
	};
	plan->content = calloc(plan->nr_blocks, sizeof(*plan->content));
	plan->busy = calloc(plan->nr_blocks, sizeof(*plan->busy));
	if (!plan->content || !plan->busy) {
		load_plan_fini(plan);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < plan->nr_blocks; i++)
		plan->content[i] = params->first_content;
	return 0;
}

void load_plan_fini(struct load_plan *plan)
{
	free(plan->content);
	free(plan->busy);
	free(plan->order);
}

void load_plan_rewind(struct load_plan *plan)
{
	plan->cursor = 0;
}

int load_plan_shuffle(struct load_plan *plan)
{
	if (plan->nr_blocks > UINT32_MAX)
		return -EFBIG;
	plan->order = calloc(plan->nr_blocks, sizeof(*plan->order));
	if (!plan->order)
		return -ENOMEM;
	for (uint64_t i = 0; i < plan->nr_blocks; i++) {
		uint64_t other = rng_below(&plan->rng, i + 1);

		plan->order[i] = plan->order[other];
		plan->order[other] = (uint32_t)i;
	}
	return 0;
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
	uint64_t nr_pages = plan->params.pages->nr_pages;
	uint64_t block_pages = plan->params.block_bytes / ZSD_PAGE_BYTES;

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
	switch (request->op) {
	case LOAD_WRITE:
		request->content = next_content(plan, mix, block);
		break;
	case LOAD_TRIM:
		request->content = plan->params.trim_is_undefined
					   ? CONTENT_UNKNOWN
					   : CONTENT_ZEROS;
		break;
	default:
		request->content = plan->content[block];
	}
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
	return plan->params.pages->base +
	       (uint64_t)request->content * ZSD_PAGE_BYTES;
}

static bool is_zero(const unsigned char *bytes, uint32_t nr_bytes)
{
	return !nr_bytes ||
	       (!bytes[0] && !memcmp(bytes, bytes + 1, nr_bytes - 1));
}

bool load_plan_check(const struct load_plan *plan,
		     const struct load_request *request, uint32_t offset,
		     const unsigned char *bytes, uint32_t nr_bytes)
{
	if (request->content == CONTENT_UNKNOWN)
		return true;
	if (request->content == CONTENT_ZEROS)
		return is_zero(bytes, nr_bytes);
	return !memcmp(bytes, load_plan_payload(plan, request) + offset,
		       nr_bytes);
}
