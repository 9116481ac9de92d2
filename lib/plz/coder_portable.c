/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "plz/coder_loop.h"

const struct plz_coder plz_coder_portable = {
	.name = "portable",
	.encode = coder_encode,
	.decode = coder_decode,
};
