/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_export - what a server has to offer: disks, and what may be done to each
 *
 * Handshake and request checks both work from this description, so that what
 * was promised and what is accepted cannot differ. Immutable while in use.
 */
#ifndef ZSD_NBD_NBD_EXPORT_H
#define ZSD_NBD_NBD_EXPORT_H

#include <stddef.h>
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

/* All that one server has to offer, at least one. */
struct nbd_exports {
	const struct nbd_export *const *all;
	size_t nr;
};

/**
 * nbd_exports_find() - the export that a client names
 * @name, @bytes: as they came from the client
 *
 * The empty name is that of the default export: the one that has no other, or
 * else the first. Return: NULL where there is none of that name.
 */
const struct nbd_export *nbd_exports_find(const struct nbd_exports *exports,
					  const unsigned char *name,
					  size_t bytes);

#endif
