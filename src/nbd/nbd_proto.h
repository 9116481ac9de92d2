/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_proto - facts of the NBD wire format, nothing else
 *
 * All integers on the wire are big-endian. Names are the specification's.
 * Source: NetworkBlockDevice/nbd doc/proto.md; the section is named with each
 * group.
 */
#ifndef ZSD_NBD_NBD_PROTO_H
#define ZSD_NBD_NBD_PROTO_H

#include <stdint.h>

/* "Conventions": no string may be longer, bytes. */
#define NBD_MAX_STRING_BYTES 4096u

/* TCP port. Source: IANA, as the specification says. */
#define NBD_PORT "10809"

/* "Newstyle negotiation": what the server opens with. */
#define NBD_MAGIC	   0x4e42444d41474943ull /* "NBDMAGIC" */
#define NBD_IHAVEOPT	   0x49484156454f5054ull /* "IHAVEOPT" */
#define NBD_GREETING_BYTES 18u /* NBD_MAGIC, NBD_IHAVEOPT, u16 flags */

/* "Flag fields": handshake flags, the server's. */
#define NBD_FLAG_FIXED_NEWSTYLE (1u << 0)
#define NBD_FLAG_NO_ZEROES	(1u << 1)

/* "Flag fields": the client's answer, u32. */
#define NBD_CLIENT_FLAGS_BYTES	  4u
#define NBD_FLAG_C_FIXED_NEWSTYLE (1u << 0)
#define NBD_FLAG_C_NO_ZEROES	  (1u << 1)

/* "Newstyle negotiation": IHAVEOPT u64, option u32, length u32, data. */
#define NBD_OPTION_HEADER_BYTES 16u

/* "Option types". */
#define NBD_OPT_EXPORT_NAME	  1u
#define NBD_OPT_ABORT		  2u
#define NBD_OPT_LIST		  3u
#define NBD_OPT_PEEK_EXPORT	  4u
#define NBD_OPT_STARTTLS	  5u
#define NBD_OPT_INFO		  6u
#define NBD_OPT_GO		  7u
#define NBD_OPT_STRUCTURED_REPLY  8u
#define NBD_OPT_LIST_META_CONTEXT 9u
#define NBD_OPT_SET_META_CONTEXT  10u
#define NBD_OPT_EXTENDED_HEADERS  11u

/* "Newstyle negotiation": magic u64, option u32, type u32, length u32, data. */
#define NBD_REP_MAGIC	     0x0003e889045565a9ull
#define NBD_REP_HEADER_BYTES 20u

/* "Option reply types". Errors have the top bit set; their data is a text. */
#define NBD_REP_ACK		    1u
#define NBD_REP_SERVER		    2u
#define NBD_REP_INFO		    3u
#define NBD_REP_META_CONTEXT	    4u
#define NBD_REP_ERR(n)		    ((1u << 31) + (n))
#define NBD_REP_ERR_UNSUP	    NBD_REP_ERR(1u)
#define NBD_REP_ERR_POLICY	    NBD_REP_ERR(2u)
#define NBD_REP_ERR_INVALID	    NBD_REP_ERR(3u)
#define NBD_REP_ERR_PLATFORM	    NBD_REP_ERR(4u)
#define NBD_REP_ERR_TLS_REQD	    NBD_REP_ERR(5u)
#define NBD_REP_ERR_UNKNOWN	    NBD_REP_ERR(6u)
#define NBD_REP_ERR_SHUTDOWN	    NBD_REP_ERR(7u)
#define NBD_REP_ERR_BLOCK_SIZE_REQD NBD_REP_ERR(8u)
#define NBD_REP_ERR_TOO_BIG	    NBD_REP_ERR(9u)
#define NBD_REP_ERR_EXT_HEADER_REQD NBD_REP_ERR(10u)

/* "Option types", NBD_OPT_GO: what NBD_REP_INFO may carry, u16 and data. */
#define NBD_INFO_EXPORT	     0u
#define NBD_INFO_NAME	     1u
#define NBD_INFO_DESCRIPTION 2u
#define NBD_INFO_BLOCK_SIZE  3u

#define NBD_INFO_EXPORT_BYTES	  12u /* u16 type, u64 size, u16 flags */
#define NBD_INFO_BLOCK_SIZE_BYTES 14u /* u16 type, u32 min, preferred, max */

/* Answer to NBD_OPT_EXPORT_NAME: size u64, flags u16, zeros if asked for. */
#define NBD_EXPORT_NAME_BYTES  10u
#define NBD_EXPORT_NAME_ZEROES 124u

/* "Transmission flags", u16: what an export can do. */
#define NBD_FLAG_HAS_FLAGS	   (1u << 0)
#define NBD_FLAG_READ_ONLY	   (1u << 1)
#define NBD_FLAG_SEND_FLUSH	   (1u << 2)
#define NBD_FLAG_SEND_FUA	   (1u << 3)
#define NBD_FLAG_ROTATIONAL	   (1u << 4)
#define NBD_FLAG_SEND_TRIM	   (1u << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES (1u << 6)
#define NBD_FLAG_SEND_DF	   (1u << 7)
#define NBD_FLAG_CAN_MULTI_CONN	   (1u << 8)
#define NBD_FLAG_SEND_RESIZE	   (1u << 9)
#define NBD_FLAG_SEND_CACHE	   (1u << 10)
#define NBD_FLAG_SEND_FAST_ZERO	   (1u << 11)

/*
 * "Request message": magic u32, command flags u16, type u16, cookie u64,
 * offset u64, length u32; for NBD_CMD_WRITE length bytes of data.
 */
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_REQUEST_BYTES 28u

/* "Request types". */
#define NBD_CMD_READ	     0u
#define NBD_CMD_WRITE	     1u
#define NBD_CMD_DISC	     2u
#define NBD_CMD_FLUSH	     3u
#define NBD_CMD_TRIM	     4u
#define NBD_CMD_CACHE	     5u
#define NBD_CMD_WRITE_ZEROES 6u
#define NBD_CMD_BLOCK_STATUS 7u

/* "Command flags". */
#define NBD_CMD_FLAG_FUA       (1u << 0)
#define NBD_CMD_FLAG_NO_HOLE   (1u << 1)
#define NBD_CMD_FLAG_DF	       (1u << 2)
#define NBD_CMD_FLAG_REQ_ONE   (1u << 3)
#define NBD_CMD_FLAG_FAST_ZERO (1u << 4)

/*
 * "Simple reply message": magic u32, error u32, cookie u64; for a read that
 * succeeded the data.
 */
#define NBD_SIMPLE_REPLY_MAGIC 0x67446698u
#define NBD_SIMPLE_REPLY_BYTES 16u

/*
 * "Structured reply chunk message": magic u32, flags u16, type u16, cookie u64,
 * length u32; then length bytes, which "Structured reply types" lays out.
 */
#define NBD_STRUCTURED_REPLY_MAGIC 0x668e33efu
#define NBD_CHUNK_BYTES		   20u

/* "Structured reply flags": the last chunk of a reply. */
#define NBD_REPLY_FLAG_DONE (1u << 0)

/* "Structured reply types". Errors have the top bit set. */
#define NBD_REPLY_TYPE_NONE	    0u
#define NBD_REPLY_TYPE_OFFSET_DATA  1u /* offset u64, data */
#define NBD_REPLY_TYPE_OFFSET_HOLE  2u /* offset u64, size u32 */
#define NBD_REPLY_TYPE_BLOCK_STATUS 5u /* context u32, {length, state u32}… */
#define NBD_REPLY_TYPE_ERROR	    ((1u << 15) + 1u)
#define NBD_REPLY_TYPE_ERROR_OFFSET ((1u << 15) + 2u)

#define NBD_OFFSET_BYTES      8u /* in front of the data of a chunk */
#define NBD_OFFSET_HOLE_BYTES 12u
#define NBD_CONTEXT_ID_BYTES  4u /* in front of the extents of a chunk */
#define NBD_EXTENT_BYTES      8u
#define NBD_ERROR_BYTES	      6u /* error u32, text length u16; then text */

/* "base:allocation metadata context": its name, and the state of an extent. */
#define NBD_CONTEXT_NAMESPACE "base:"
#define NBD_CONTEXT_NAME      "base:allocation"
#define NBD_STATE_HOLE	      (1u << 0)
#define NBD_STATE_ZERO	      (1u << 1)

/* "Error values": the only ones that may be sent. */
#define NBD_SUCCESS   0u
#define NBD_EPERM     1u
#define NBD_EIO	      5u
#define NBD_ENOMEM    12u
#define NBD_EINVAL    22u
#define NBD_ENOSPC    28u
#define NBD_EOVERFLOW 75u
#define NBD_ENOTSUP   95u
#define NBD_ESHUTDOWN 108u

#endif
