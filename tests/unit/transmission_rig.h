/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transmission_rig - the server's end of a connection, and its client's
 *
 * A struct transmission with buffers, on the flat_store. The client's side puts
 * requests into the receive buffer and takes replies off the send buffer;
 * nothing goes through a socket.
 *
 * There is one; transmission_setup() makes it new.
 */
#ifndef ZSD_UNIT_TRANSMISSION_RIG_H
#define ZSD_UNIT_TRANSMISSION_RIG_H

#include <check.h>

#include "flat_store.h"
#include "nbd/nbd_proto.h"
#include "serve/transmission.h"

#define DISK_BYTES ((uint64_t)1 << 42)

/* As large as a connection's, more or less. */
#define RX_BYTES (256u << 10)
#define TX_BYTES (TRANSMISSION_ROOM_BYTES + (64u << 10))

/* The server's end of a connection, and what its client received. */
struct server_end {
	struct nbd_session session;
	struct transmission t;
	struct request_counters counters;
	unsigned char rx_bytes[RX_BYTES];
	unsigned char tx_bytes[TX_BYTES];
	struct stream_buf rx;
	struct stream_buf tx;
	int64_t budget;
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

/* One call of transmission_run(), with what is left of the budget. */
enum step run(void);

/* Turn after turn, as long as it only yields. Returns how many times. */
unsigned run_on(enum step expected);

/* The next reply, whose data is left to be received. */
void receive_reply(uint64_t cookie, uint32_t error);

void receive_data(const void *expected, size_t bytes);

void receive_nothing(void);

uint64_t count_of(enum request_count which);

#endif
