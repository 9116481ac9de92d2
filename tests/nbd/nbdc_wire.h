/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdc_wire - the numbers of the NBD protocol, as a client knows them
 *
 * Written down from the specification, and on purpose not shared with src/nbd:
 * a number that is wrong in the server would be wrong on both sides, and no
 * test would notice. So tests compare with these, not with nbd_proto.h.
 *
 * All integers on the wire are big-endian.
 * Source: NetworkBlockDevice/nbd doc/proto.md.
 */
#ifndef ZSD_TESTS_NBD_NBDC_WIRE_H
#define ZSD_TESTS_NBD_NBDC_WIRE_H

#include <stdint.h>

#define NBDC_MAX_STRING_BYTES 4096u

/* --- handshake ----------------------------------------------------------- */

#define NBDC_INIT_MAGIC	      UINT64_C(0x4e42444d41474943)
#define NBDC_OPTION_MAGIC     UINT64_C(0x49484156454f5054)
#define NBDC_REP_MAGIC	      UINT64_C(0x0003e889045565a9)
#define NBDC_GREETING_BYTES   18u /* magic, magic, u16 flags */
#define NBDC_OPTION_BYTES     16u /* magic, u32 option, u32 length */
#define NBDC_REP_BYTES	      20u /* magic, u32 option, u32 type, u32 length */
#define NBDC_EXPORT_BYTES     10u /* u64 size, u16 flags */
#define NBDC_EXPORT_PAD_BYTES 124u /* zeros after them, unless NO_ZEROES */

/* Bits of both sides' flags. */
#define NBDC_FIXED_NEWSTYLE (1u << 0)
#define NBDC_NO_ZEROES	    (1u << 1)
#define NBDC_MODERN	    (NBDC_FIXED_NEWSTYLE | NBDC_NO_ZEROES)

enum {
	OPT_EXPORT_NAME = 1,
	OPT_ABORT,
	OPT_LIST,
	OPT_PEEK_EXPORT,
	OPT_STARTTLS,
	OPT_INFO,
	OPT_GO,
	OPT_STRUCTURED_REPLY,
	OPT_LIST_META_CONTEXT,
	OPT_SET_META_CONTEXT,
	OPT_EXTENDED_HEADERS,
};

enum {
	REP_ACK = 1,
	REP_SERVER, /* u32 length, name, description */
	REP_INFO, /* u16 INFO_*, and what goes with it */
	REP_META_CONTEXT, /* u32 id, name */
};

/* Errors; with them comes a text. */
#define REP_ERR(n)	(UINT32_C(0x80000000) + (n))
#define REP_ERR_UNSUP	REP_ERR(1u)
#define REP_ERR_INVALID REP_ERR(3u)
#define REP_ERR_UNKNOWN REP_ERR(6u)
#define REP_ERR_TOO_BIG REP_ERR(9u)

enum {
	INFO_EXPORT, /* u64 size, u16 flags */
	INFO_NAME,
	INFO_DESCRIPTION,
	INFO_BLOCK_SIZE, /* u32 least, u32 preferred, u32 most */
};

/* Flags of an export. */
enum {
	EXPORT_HAS_FLAGS = 1 << 0,
	EXPORT_READ_ONLY = 1 << 1,
	EXPORT_TRIM = 1 << 5,
	EXPORT_DF = 1 << 7,
	EXPORT_MULTI_CONN = 1 << 8,
};

/* --- transmission -------------------------------------------------------- */

#define NBDC_REQUEST_MAGIC UINT32_C(0x25609513)
#define NBDC_SIMPLE_MAGIC  UINT32_C(0x67446698)
#define NBDC_CHUNK_MAGIC   UINT32_C(0x668e33ef)
#define NBDC_REQUEST_BYTES 28u
#define NBDC_SIMPLE_BYTES  16u /* magic, u32 error, u64 cookie */
/* Magic, u16 flags, u16 type, u64 cookie, u32 length. */
#define NBDC_CHUNK_BYTES 20u

enum {
	CMD_READ,
	CMD_WRITE,
	CMD_DISC,
	CMD_FLUSH,
	CMD_TRIM,
	CMD_CACHE,
	CMD_WRITE_ZEROES,
	CMD_BLOCK_STATUS,
	CMD_RESIZE, /* of an extension */
};

enum {
	FLAG_FUA = 1 << 0,
	FLAG_NO_HOLE = 1 << 1,
	FLAG_DF = 1 << 2,
	FLAG_REQ_ONE = 1 << 3,
	FLAG_FAST_ZERO = 1 << 4,
};

enum {
	CHUNK_NONE,
	CHUNK_DATA, /* u64 offset, data */
	CHUNK_HOLE, /* u64 offset, u32 bytes */
	CHUNK_STATUS = 5, /* u32 context, {u32 bytes, u32 state}... */
	CHUNK_ERROR = 0x8001, /* u32 error, u16 length, text */
	CHUNK_ERROR_OFFSET, /* the same, u64 offset */
};

#define CHUNK_FLAG_DONE 1u

/* Of base:allocation. */
#define STATE_HOLE 1u
#define STATE_ZERO 2u

enum {
	OK = 0,
	ERR_PERM = 1,
	ERR_IO = 5,
	ERR_NOMEM = 12,
	ERR_INVAL = 22,
	ERR_NOSPC = 28,
	ERR_OVERFLOW = 75,
	ERR_NOTSUP = 95,
	ERR_SHUTDOWN = 108,
};

#endif
