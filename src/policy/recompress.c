/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <time.h>

#include "base/bits.h"
#include "policy/recompress.h"

/* A piece that the kernel interrupted took no longer for that. */
#define MAX_REST_US 10000u

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void wait_for_room(void)
{
	const struct timespec wait = {.tv_nsec =
					      RECOMPRESS_RETRY_MS * 1000000L};

	(void)nanosleep(&wait, NULL);
}

int recompress_piece(struct zstore_ctx *ctx,
		     const struct zstore_recompress *how,
		     struct zstore_recompressing *at, struct pace *pace,
		     bool in_haste)
{
	const uint64_t start_us = now_us();
	int more = zstore_recompress(ctx, how, at, RECOMPRESS_LOOKS);
	uint64_t rest_us = RECOMPRESS_REST_TIMES * (now_us() - start_us);

	if (more == 1)
		pace_rest(pace,
			  in_haste ? 0
				   : (unsigned)min_u64(rest_us, MAX_REST_US));
	return more;
}

static bool lacks_room(int more)
{
	return more == -ENOSPC || more == -ENOMEM;
}

int recompress_run(struct zstore_ctx *ctx, const struct export_table *exports,
		   const struct zstore_recompress *how,
		   struct zstore_recompressing *out)
{
	unsigned nr_retries = 0;
	struct pace pace;
	int more;

	*out = (struct zstore_recompressing){0};
	pace_begin(&pace, exports);
	do {
		more = recompress_piece(ctx, how, out, &pace, false);
		if (lacks_room(more))
			wait_for_room();
		nr_retries = lacks_room(more) ? nr_retries + 1 : 0;
	} while (more == 1 ||
		 (lacks_room(more) && nr_retries < RECOMPRESS_RETRIES));
	zstore_recompress_end(ctx);
	return more;
}
