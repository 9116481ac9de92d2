/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_session - what one client and the server agreed on
 *
 * The handshake fills it in; the checks of requests and the replies to them go
 * by it, so that what was promised and what is done cannot differ. It does not
 * change any more once the transmission phase has begun.
 */
#ifndef ZSD_NBD_NBD_SESSION_H
#define ZSD_NBD_NBD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "nbd/nbd_export.h"
#include "nbd/nbd_proto.h"

/* The id that base:allocation has in all sessions. Any will do: it is told to
 * whoever selects the context. */
#define NBD_CONTEXT_ID 1u

struct nbd_session {
	const struct nbd_export *export;
	bool structured_replies; /* reads must be answered in chunks */
	bool has_context; /* base:allocation may be asked for */
};

/* The transmission flags of this session, NBD_FLAG_*: reads that must not be
 * fragmented are offered where they could be otherwise. */
static inline uint16_t nbd_session_flags(const struct nbd_session *session)
{
	uint16_t flags = session->export->flags;

	if (session->structured_replies)
		flags |= NBD_FLAG_SEND_DF;
	return flags;
}

#endif
