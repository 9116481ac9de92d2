/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request - what a client asks for in the transmission phase
 *
 * First a request is decoded (can the stream be followed?), then checked
 * against the session (may it be done?). All input may be hostile.
 *
 * Source: NBD doc/proto.md, "Transmission", "Request types", "Command flags".
 */
#ifndef ZSD_NBD_REQUEST_H
#define ZSD_NBD_REQUEST_H

#include <stdint.h>

#include "base/compiler.h"
#include "nbd/nbd_proto.h"
#include "nbd/nbd_session.h"

/*
 * Longest payload of a write that is still received to be thrown away, bytes:
 * twice what is advertised. Whoever sends more is not worth the time.
 */
#define NBD_MAX_SKIP_BYTES (2 * NBD_EXPORT_MAX_PAYLOAD_BYTES)

struct nbd_request {
	uint64_t cookie; /* opaque; goes back with the reply */
	uint64_t offset; /* where, bytes */
	uint32_t length; /* how much, bytes */
	uint16_t flags; /* NBD_CMD_FLAG_* */
	uint16_t type; /* NBD_CMD_*, or anything else */
};

/**
 * nbd_request_decode() - read the header of a request
 * @bytes: NBD_REQUEST_BYTES of them
 * @out:   receives the request; untouched on error
 *
 * Return: 0, or where the stream cannot be followed any further, so that the
 * connection must be closed
 *   -EPROTO    wrong magic
 *   -EMSGSIZE  a payload longer than NBD_MAX_SKIP_BYTES follows
 */
int nbd_request_decode(const unsigned char bytes[NBD_REQUEST_BYTES],
		       struct nbd_request *out) ZSD_MUST_CHECK;

/* How many bytes of payload follow the header, whether it is valid or not. */
static inline uint32_t nbd_request_payload_bytes(const struct nbd_request *req)
{
	return req->type == NBD_CMD_WRITE ? req->length : 0;
}

/**
 * nbd_request_check() - may this be done to this export?
 *
 * A request that passes has a known type and a range inside the export. A
 * write has at most NBD_EXPORT_MAX_PAYLOAD_BYTES, and so has a read that must
 * be answered in one piece. A length of 0 is fine but for a block status.
 *
 * Return: NBD_SUCCESS, or the error to reply
 *   NBD_EINVAL     unknown type or flag, one that was not offered, a range
 *                  past the end, too long
 *   NBD_ENOSPC     a write or write-zeroes past the end
 *   NBD_EPERM      a change to a read-only export
 *   NBD_EOVERFLOW  too long for a read that must not be fragmented
 */
uint32_t nbd_request_check(const struct nbd_request *req,
			   const struct nbd_session *session) ZSD_MUST_CHECK;

#endif
