/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply - what a client is answered in the transmission phase
 *
 * Source: NBD doc/proto.md, "Simple reply message".
 */
#ifndef ZSD_NBD_REPLY_H
#define ZSD_NBD_REPLY_H

#include <stdint.h>

#include "nbd/nbd_proto.h"

/**
 * nbd_reply_encode() - write the header of a simple reply
 * @bytes:  receives NBD_SIMPLE_REPLY_BYTES
 * @cookie: of the request
 * @error:  NBD_SUCCESS or an NBD error; the data of a read follows a success
 *          only
 */
void nbd_reply_encode(unsigned char bytes[NBD_SIMPLE_REPLY_BYTES],
		      uint64_t cookie, uint32_t error);

#endif
