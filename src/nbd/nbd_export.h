/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_export - what a server has to offer: one disk and what may be done to it
 *
 * Handshake and request checks both work from this description, so that what
 * was promised and what is accepted cannot differ. Immutable while in use.
 */
#ifndef ZSD_NBD_NBD_EXPORT_H
#define ZSD_NBD_NBD_EXPORT_H

#include <stdint.h>

/*
 * Block sizes that are advertised, bytes. Any offset and length is served (1);
 * pages are the unit of the store (4096); 32 MiB is the payload that the
 * specification asks every server to take.
 * Source: doc/proto.md, "Size constraints".
 */
#define NBD_EXPORT_MIN_BLOCK_BYTES	 1u
#define NBD_EXPORT_PREFERRED_BLOCK_BYTES 4096u
#define NBD_EXPORT_MAX_PAYLOAD_BYTES	 (32u << 20)

struct nbd_export {
	const char *name; /* at most NBD_MAX_STRING_BYTES; "" is default */
	const char *description; /* for people, same bound */
	uint64_t size_bytes; /* of the disk */
	uint16_t flags; /* NBD_FLAG_*: transmission flags */
};

#endif
