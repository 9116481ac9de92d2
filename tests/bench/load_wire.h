/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_wire - the numbers of the NBD protocol that a client needs
 *
 * Written from the specification and not shared with the server, so that a
 * number that is wrong there does not go unnoticed here.
 * Source: doc/proto.md of the NBD project.
 */
#ifndef ZSD_BENCH_LOAD_WIRE_H
#define ZSD_BENCH_LOAD_WIRE_H

#include <stdint.h>

/* Handshake. */
#define WIRE_INIT_MAGIC	  UINT64_C(0x4e42444d41474943)
#define WIRE_OPTION_MAGIC UINT64_C(0x49484156454f5054)
#define WIRE_REP_MAGIC	  UINT64_C(0x0003e889045565a9)

#define WIRE_FIXED_NEWSTYLE 1u /* bit of both sides' handshake flags */
#define WIRE_NO_ZEROES	    2u

#define WIRE_OPT_GO	   7u
#define WIRE_REP_ACK	   1u
#define WIRE_REP_INFO	   3u
#define WIRE_REP_ERROR_BIT UINT32_C(0x80000000)
#define WIRE_INFO_EXPORT   0u

#define WIRE_GREETING_BYTES	18u /* magic, magic, flags */
#define WIRE_OPTION_BYTES	16u /* magic, option, length */
#define WIRE_OPTION_REPLY_BYTES 20u /* magic, option, type, length */
#define WIRE_INFO_EXPORT_BYTES	12u /* type, size, flags */

/* Flags of an export. */
#define WIRE_EXPORT_TRIM       (1u << 5)
#define WIRE_EXPORT_MULTI_CONN (1u << 8)

/* Transmission. */
#define WIRE_REQUEST_MAGIC UINT32_C(0x25609513)
#define WIRE_REPLY_MAGIC   UINT32_C(0x67446698)

#define WIRE_REQUEST_BYTES 28u /* magic, flags, type, cookie, offset, length */
#define WIRE_REPLY_BYTES   16u /* magic, error, cookie */

#define WIRE_CMD_READ  0u
#define WIRE_CMD_WRITE 1u
#define WIRE_CMD_DISC  2u
#define WIRE_CMD_TRIM  4u

#define WIRE_ENOSPC 28u

#endif
