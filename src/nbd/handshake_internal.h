/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake_internal - how the files of the handshake share its work
 *
 *   handshake.c          the states, and the options that end it or tell of
 *                        an export
 *   handshake_context.c  the options about meta contexts
 *   handshake_out.c      what is appended to the output
 */
#ifndef ZSD_NBD_HANDSHAKE_INTERNAL_H
#define ZSD_NBD_HANDSHAKE_INTERNAL_H

#include "nbd/handshake.h"

/* The data of one option, all of it there. */
struct option_data {
	const unsigned char *p;
	uint32_t bytes;
};

/* --- handshake_out.c: room was made sure of before ----------------------- */

/* Takes @bytes of the room, to be filled by the caller. */
unsigned char *handshake_put(struct nbd_out *out, size_t bytes);

void handshake_put_text(struct nbd_out *out, const char *text);

/* The header of a reply to the option at hand; @data_bytes are to follow. */
void handshake_put_reply(struct nbd_handshake *hs, struct nbd_out *out,
			 uint32_t type, size_t data_bytes);

void handshake_put_ack(struct nbd_handshake *hs, struct nbd_out *out);

/* Returns NBD_HANDSHAKE_MORE: the client may go on. */
enum nbd_handshake_result handshake_put_error(struct nbd_handshake *hs,
					      struct nbd_out *out,
					      uint32_t type, const char *text);

/* --- handshake_context.c ------------------------------------------------- */

/* NBD_OPT_LIST_META_CONTEXT */
enum nbd_handshake_result handshake_list_contexts(struct nbd_handshake *hs,
						  struct option_data data,
						  struct nbd_out *out);

/* NBD_OPT_SET_META_CONTEXT */
enum nbd_handshake_result handshake_set_contexts(struct nbd_handshake *hs,
						 struct option_data data,
						 struct nbd_out *out);

/* Forget what was selected, as each SET_META_CONTEXT does, even one that
 * fails. */
void handshake_forget_contexts(struct nbd_handshake *hs);

/* The session's export was chosen by a name of @name_bytes: what was selected
 * for another, or by another name, does not hold. */
void handshake_settle_contexts(struct nbd_handshake *hs, uint32_t name_bytes);

#endif
