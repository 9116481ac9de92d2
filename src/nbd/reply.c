/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/bytes.h"
#include "nbd/reply.h"

void nbd_reply_encode(unsigned char bytes[NBD_SIMPLE_REPLY_BYTES],
		      uint64_t cookie, uint32_t error)
{
	store_be32(bytes, NBD_SIMPLE_REPLY_MAGIC);
	store_be32(bytes + 4, error);
	store_be64(bytes + 8, cookie);
}
