/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#ifdef __x86_64__
#define PLZ_ROWS_AVX2

#include "plz/coder_loop.h"

const struct plz_coder plz_coder_avx2 = {
	.name = "avx2",
	.encode = coder_encode,
	.decode = coder_decode,
};

#endif
