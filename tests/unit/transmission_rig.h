/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transmission_rig - the server's end of a connection, and its client's
 *
 * A struct transmission with rings, on the flat_store. The client's side puts
 * requests into the receive ring and takes replies off the send ring; nothing
 * goes through a socket.
 *
 * There is one; transmission_setup() makes it new.
 */
#ifndef ZSD_UNIT_TRANSMISSION_RIG_H
#define ZSD_UNIT_TRANSMISSION_RIG_H

#include <check.h>

#include "flat_store.h"
#include "nbd/nbd_proto.h"
#include "serve/transmission/transmission.h"

#define DISK_BYTES ((uint64_t)1 << 42)

/* Of the rings: smaller than a connection's. */
#define RX_BYTES (256u << 10)
#define TX_BYTES (256u << 10)

/* The server's end of a connection, and what its client received. */
struct server_end {
	struct nbd_session session;
	struct transmission t;
	struct export_view view;
	struct io_ring rx;
	struct io_ring tx;
	uint64_t deadline_ns; /* of a turn; 0: a piece at a time */
};

extern struct server_end server;

/* Bytes that differ from place to place. */
extern unsigned char pattern[RX_BYTES];

/* A test's fixture: simple replies, nothing stored, nothing sent. */
void transmission_setup(void);

/* --- the client's end ---------------------------------------------------- */

void send_bytes(const void *data, size_t bytes);

void encode_request(unsigned char bytes[NBD_REQUEST_BYTES], uint16_t type,
		    uint64_t cookie, uint64_t offset, uint32_t length);

void send_request(uint16_t type, uint64_t cookie, uint64_t offset,
		  uint32_t length);

/* The same with NBD_CMD_FLAG_*. */
void send_flagged(uint16_t type, unsigned flags, uint64_t cookie,
		  uint64_t offset, uint32_t length);

/* Bytes that the server has sent, and the client has not taken yet. */
size_t unreceived(void);
const unsigned char *received(void);
void take(size_t bytes);

/* One call of transmission_run(). */
enum step run(void);

/* Turn after turn, as long as it only yields, or sends. Returns how many times
 * it yields. */
unsigned run_on(enum step expected);

/* The next reply, whose data is left to be received. */
void receive_reply(uint64_t cookie, uint32_t error);

void receive_data(const void *expected, size_t bytes);

void receive_nothing(void);

uint64_t count_of(enum export_count which);

#endif
