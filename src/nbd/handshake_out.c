/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "nbd/handshake_internal.h"

unsigned char *handshake_put(struct nbd_out *out, size_t bytes)
{
	unsigned char *p = out->data + out->bytes;

	BUG_ON(bytes > out->room - out->bytes);
	out->bytes += bytes;
	return p;
}

void handshake_put_text(struct nbd_out *out, const char *text)
{
	size_t bytes = strlen(text);

	memcpy(handshake_put(out, bytes), text, bytes);
}

void handshake_put_reply(struct nbd_handshake *hs, struct nbd_out *out,
			 uint32_t type, size_t data_bytes)
{
	unsigned char *p = handshake_put(out, NBD_REP_HEADER_BYTES);

	store_be64(p, NBD_REP_MAGIC);
	store_be32(p + 8, hs->option);
	store_be32(p + 12, type);
	store_be32(p + 16, (uint32_t)data_bytes);
}

void handshake_put_ack(struct nbd_handshake *hs, struct nbd_out *out)
{
	handshake_put_reply(hs, out, NBD_REP_ACK, 0);
}

enum nbd_handshake_result handshake_put_error(struct nbd_handshake *hs,
					      struct nbd_out *out,
					      uint32_t type, const char *text)
{
	handshake_put_reply(hs, out, type, strlen(text));
	handshake_put_text(out, text);
	return NBD_HANDSHAKE_MORE;
}
