/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "nbd/request.h"

/*
 * What each type may come with. FUA is no column: once offered, every type
 * must take it.
 */
static const struct command {
	bool known;
	bool modifies; /* refused on a read-only export */
	bool needs_context; /* one must have been selected */
	uint16_t offered_by; /* transmission flags that must be set */
	uint16_t flags; /* command flags that it takes */
	uint32_t range_error; /* what to say when it reaches past the end */
} commands[] = {
	[NBD_CMD_READ] = {.known = true,
			  .flags = NBD_CMD_FLAG_DF,
			  .range_error = NBD_EINVAL},
	[NBD_CMD_WRITE] = {.known = true,
			   .modifies = true,
			   .range_error = NBD_ENOSPC},
	[NBD_CMD_DISC] = {.known = true},
	[NBD_CMD_FLUSH] = {.known = true, .offered_by = NBD_FLAG_SEND_FLUSH},
	[NBD_CMD_TRIM] = {.known = true,
			  .modifies = true,
			  .offered_by = NBD_FLAG_SEND_TRIM,
			  .range_error = NBD_EINVAL},
	[NBD_CMD_CACHE] = {.known = true,
			   .offered_by = NBD_FLAG_SEND_CACHE,
			   .range_error = NBD_EINVAL},
	[NBD_CMD_WRITE_ZEROES] = {.known = true,
				  .modifies = true,
				  .offered_by = NBD_FLAG_SEND_WRITE_ZEROES,
				  .flags = NBD_CMD_FLAG_NO_HOLE |
					   NBD_CMD_FLAG_FAST_ZERO,
				  .range_error = NBD_ENOSPC},
	[NBD_CMD_BLOCK_STATUS] = {.known = true,
				  .needs_context = true,
				  .flags = NBD_CMD_FLAG_REQ_ONE,
				  .range_error = NBD_EINVAL},
};

int nbd_request_decode(const unsigned char bytes[NBD_REQUEST_BYTES],
		       struct nbd_request *out)
{
	struct nbd_request req;

	if (load_be32(bytes) != NBD_REQUEST_MAGIC)
		return -EPROTO;
	req.flags = load_be16(bytes + 4);
	req.type = load_be16(bytes + 6);
	req.cookie = load_be64(bytes + 8);
	req.offset = load_be64(bytes + 16);
	req.length = load_be32(bytes + 24);
	if (nbd_request_payload_bytes(&req) > NBD_MAX_SKIP_BYTES)
		return -EMSGSIZE;
	*out = req;
	return 0;
}

/* The command flags that may come with @cmd where @offered are the
 * transmission flags. */
static unsigned allowed_flags(const struct command *cmd, unsigned offered)
{
	unsigned flags = cmd->flags;

	if (offered & NBD_FLAG_SEND_FUA)
		flags |= NBD_CMD_FLAG_FUA;
	if (!(offered & NBD_FLAG_SEND_FAST_ZERO))
		flags &= ~NBD_CMD_FLAG_FAST_ZERO;
	if (!(offered & NBD_FLAG_SEND_DF))
		flags &= ~NBD_CMD_FLAG_DF;
	return flags;
}

static uint32_t check_range(const struct nbd_request *req,
			    const struct command *cmd, uint64_t size_bytes)
{
	if (req->offset > size_bytes || req->length > size_bytes - req->offset)
		return cmd->range_error;
	return NBD_SUCCESS;
}

/* Reads in chunks are the only data that may be as long as a request can be. */
static uint32_t check_length(const struct nbd_request *req,
			     const struct nbd_session *session)
{
	bool is_long = req->length > NBD_EXPORT_MAX_PAYLOAD_BYTES;

	switch (req->type) {
	case NBD_CMD_READ:
		if (!is_long)
			return NBD_SUCCESS;
		if (req->flags & NBD_CMD_FLAG_DF)
			return NBD_EOVERFLOW;
		return session->structured_replies ? NBD_SUCCESS : NBD_EINVAL;
	case NBD_CMD_WRITE:
		return is_long ? NBD_EINVAL : NBD_SUCCESS;
	case NBD_CMD_BLOCK_STATUS: /* an answer has one extent at least */
		return req->length ? NBD_SUCCESS : NBD_EINVAL;
	default:
		return NBD_SUCCESS;
	}
}

/* Whether this kind of request may be made in this session at all. */
static uint32_t check_kind(const struct nbd_request *req,
			   const struct command *cmd,
			   const struct nbd_session *session)
{
	unsigned offered = nbd_session_flags(session);

	/* Said first: such an export offers no trims, but EPERM is the error
	 * that the specification has for one. */
	if (cmd->modifies && (offered & NBD_FLAG_READ_ONLY))
		return NBD_EPERM;
	if (cmd->offered_by & ~offered)
		return NBD_EINVAL;
	if (cmd->needs_context && !session->has_context)
		return NBD_EINVAL;
	if (req->flags & ~allowed_flags(cmd, offered))
		return NBD_EINVAL;
	return NBD_SUCCESS;
}

uint32_t nbd_request_check(const struct nbd_request *req,
			   const struct nbd_session *session)
{
	const struct command *cmd;
	uint32_t error;

	if (req->type >= ARRAY_SIZE(commands) || !commands[req->type].known)
		return NBD_EINVAL;
	cmd = &commands[req->type];
	if (req->type == NBD_CMD_DISC)
		return NBD_SUCCESS; /* there is no reply to put an error in */
	error = check_kind(req, cmd, session);
	if (error)
		return error;
	if (req->type == NBD_CMD_FLUSH)
		return req->offset || req->length ? NBD_EINVAL : NBD_SUCCESS;
	error = check_range(req, cmd, session->export->size_bytes);
	return error ? error : check_length(req, session);
}
