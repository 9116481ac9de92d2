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
	bool has_data; /* as request or as reply: its length is bounded */
	uint16_t offered_by; /* transmission flags that must be set */
	uint16_t flags; /* command flags that it takes */
	uint32_t range_error; /* what to say when it reaches past the end */
} commands[] = {
	[NBD_CMD_READ] = {.known = true,
			  .has_data = true,
			  .range_error = NBD_EINVAL},
	[NBD_CMD_WRITE] = {.known = true,
			   .modifies = true,
			   .has_data = true,
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

/* The command flags that may come with @cmd on this export. */
static unsigned allowed_flags(const struct command *cmd,
			      const struct nbd_export *export)
{
	unsigned flags = cmd->flags;

	if (export->flags & NBD_FLAG_SEND_FUA)
		flags |= NBD_CMD_FLAG_FUA;
	if (!(export->flags & NBD_FLAG_SEND_FAST_ZERO))
		flags &= ~NBD_CMD_FLAG_FAST_ZERO;
	return flags;
}

uint32_t nbd_request_check(const struct nbd_request *req,
			   const struct nbd_export *export)
{
	const struct command *cmd;

	if (req->type >= ARRAY_SIZE(commands) || !commands[req->type].known)
		return NBD_EINVAL;
	cmd = &commands[req->type];
	if (req->type == NBD_CMD_DISC)
		return NBD_SUCCESS; /* there is no reply to put an error in */
	if (cmd->offered_by & ~export->flags)
		return NBD_EINVAL;
	if (req->flags & ~allowed_flags(cmd, export))
		return NBD_EINVAL;
	if (cmd->modifies && (export->flags & NBD_FLAG_READ_ONLY))
		return NBD_EPERM;
	if (req->type == NBD_CMD_FLUSH)
		return req->offset || req->length ? NBD_EINVAL : NBD_SUCCESS;
	if (req->offset > export->size_bytes ||
	    req->length > export->size_bytes - req->offset)
		return cmd->range_error;
	if (cmd->has_data && req->length > NBD_EXPORT_MAX_PAYLOAD_BYTES)
		return NBD_EINVAL;
	return NBD_SUCCESS;
}
