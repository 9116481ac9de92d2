/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#ifdef __x86_64__
#define PLZ_ROWS_SSE2

#include "plz/coder_loop.h"

const struct plz_coder plz_coder_sse2 = {
	.name = "sse2",
	.encode = coder_encode,
	.decode = coder_decode,
};

#endif
