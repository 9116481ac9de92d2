/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#ifdef __aarch64__
#define PLZ_ROWS_NEON

#include "plz/coder_loop.h"

const struct plz_coder plz_coder_neon = {
	.name = "neon",
	.encode = coder_encode,
	.decode = coder_decode,
};

#endif
