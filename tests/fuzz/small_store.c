/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/bits.h"
#include "flat_disk.h"
#include "model/model.h"
#include "model/own_ctx.h"
#include "small_store.h"

static const char *const algorithms[] = {"lz4", "zstd", "lz4:20", "zstd:-5"};

/* Half of all stores have none. */
static const char *const secondaries[] = {NULL, "zstd:3", NULL, "plz",
					  NULL, "lz4",	  NULL, "zstd:9"};

/* The smallest limit, bytes: metadata and a few pages. Another step for each
 * value of a byte makes the largest as good as none. */
#define LIMIT_MIN_BYTES	   (160 * KIB)
#define LIMIT_STEP_BYTES   (16 * KIB)
#define RESERVE_STEP_BYTES (8 * KIB)

void small_store_open(struct small_store *s, struct fuzz_input *in,
		      uint64_t nr_pages)
{
	uint8_t limit = fuzz_byte(in), reserve = fuzz_byte(in);
	uint8_t codec = fuzz_byte(in), chain = fuzz_byte(in);
	const char *secondary = secondaries[codec / ARRAY_SIZE(algorithms) %
					    ARRAY_SIZE(secondaries)];

	s->params = (struct zstore_params){
		.disk_bytes = nr_pages * ZSD_PAGE_BYTES,
		.mem_limit_bytes =
			limit ? LIMIT_MIN_BYTES + limit * LIMIT_STEP_BYTES : 0,
		.reserve_bytes = reserve * RESERVE_STEP_BYTES,
		.chain_size =
			ZS_CHAIN_SIZE_MIN +
			chain % (ZS_CHAIN_SIZE_MAX - ZS_CHAIN_SIZE_MIN + 1),
		.checksum = codec >= 128,
	};
	FUZZ_CHECK(!zcomp_parse(algorithms[codec % ARRAY_SIZE(algorithms)],
				&s->params.zcomp),
		   "zcomp_parse");
	FUZZ_CHECK(!secondary || !zcomp_parse(secondary, &s->params.recomp),
		   "zcomp_parse");
	FUZZ_CHECK(!zstore_create(&s->params, &s->store), "zstore_create");
	FUZZ_CHECK(!own_ctx_create(s->store, &s->ctx), "own_ctx_create");
	flat_open(nr_pages);
}

static void check_empty(struct small_store *s)
{
	struct zstore_stats stats;

	zstore_trim(s->ctx, 0, s->params.disk_bytes);
	flat_trim(0, s->params.disk_bytes);
	zstore_stats(s->store, &stats);
	FUZZ_CHECK(!stats.mem_used_total, "empty, but pages are in use");
}

void small_store_close(struct small_store *s)
{
	flat_check_all(s->store, s->ctx);
	check_empty(s);
	own_ctx_destroy(s->ctx);
	zstore_destroy(s->store);
}

void small_store_content(struct fuzz_input *in, size_t bytes, uint8_t *dst)
{
	uint8_t kind = fuzz_byte(in), seed = fuzz_byte(in);
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;
	size_t n;

	model_rng_init(&rng, seed);
	for (; bytes; dst += n, bytes -= n) {
		n = min_u64(bytes, sizeof(page));
		if (kind % (MODEL_NR_PAGE_KINDS + 1) == MODEL_NR_PAGE_KINDS)
			model_page_fill(&rng, model_page_kind(&rng), page);
		else
			model_page_fill(&rng, kind % (MODEL_NR_PAGE_KINDS + 1),
					page);
		memcpy(dst, page, n);
	}
}
