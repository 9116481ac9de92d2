/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "model/beside.h"

void beside_open(struct beside *b, const struct model_run *run)
{
	struct zstore_params params = {
		.disk_bytes = BESIDE_PAGES * (uint64_t)ZSD_PAGE_BYTES,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
	};

	memset(b, 0, sizeof(*b));
	b->run = run;
	MODEL_CHECK(run,
		    !zcomp_parse("zstd", &params.zcomp) &&
			    !zstore_scratch_create(&b->scratch) &&
			    !zstore_create(&params, &b->store) &&
			    !zstore_ctx_create(b->store, b->scratch, &b->ctx),
		    "another disk cannot be had");
}

void beside_close(struct beside *b)
{
	struct zstore_verify_report report;

	MODEL_CHECK(b->run, !zstore_verify(b->ctx, &report),
		    "verifier, beside: %s", report.text);
	zstore_ctx_destroy(b->ctx);
	zstore_destroy(b->store);
	zstore_scratch_destroy(b->scratch);
}

void beside_use(struct beside *b, struct model_rng *rng)
{
	uint64_t index = model_rng_below(rng, BESIDE_PAGES);
	unsigned char page[ZSD_PAGE_BYTES];

	model_page_fill(rng, model_page_kind(rng), page);
	if (zstore_write(b->ctx, index * ZSD_PAGE_BYTES, sizeof(page), page) ==
	    0)
		memcpy(b->flat[index], page, sizeof(page));
	for (index = 0; index < BESIDE_PAGES; index++) {
		int err = zstore_read(b->ctx, index * ZSD_PAGE_BYTES,
				      sizeof(page), page);

		MODEL_CHECK(
			b->run,
			!err && memcmp(page, b->flat[index], sizeof(page)) == 0,
			"page %" PRIu64 " beside reads wrong: %d", index, err);
	}
}
