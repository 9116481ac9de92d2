/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/compiler.h"
#include "nbd/reply.h"

uint32_t nbd_error_from_errno(int err)
{
	switch (-err) {
	case 0:
		return NBD_SUCCESS;
	case EPERM:
	case EROFS:
		return NBD_EPERM;
	case EIO:
		return NBD_EIO;
	case ENOMEM:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return NBD_ENOSPC;
	case EOVERFLOW:
		return NBD_EOVERFLOW;
	case ENOTSUP:
		return NBD_ENOTSUP;
	case ESHUTDOWN:
		return NBD_ESHUTDOWN;
	default:
		return NBD_EINVAL;
	}
}

/* What to tell people, at most NBD_ERROR_TEXT_BYTES. */
static const struct {
	uint32_t error;
	const char *text;
} texts[] = {
	{NBD_EPERM, "the export is read-only"},
	{NBD_EIO, "what is stored there cannot be read"},
	{NBD_ENOMEM, "the server has no memory"},
	{NBD_EINVAL, "the request makes no sense for this export"},
	{NBD_ENOSPC, "past the end of the disk, or no memory to store it"},
	{NBD_EOVERFLOW, "too long for a single chunk"},
	{NBD_ENOTSUP, "this cannot be done fast"},
	{NBD_ESHUTDOWN, "the server is shutting down"},
};

static const char *error_text(uint32_t error)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].error == error)
			return texts[i].text;
	}
	return "";
}

void nbd_reply_encode(unsigned char bytes[NBD_SIMPLE_REPLY_BYTES],
		      uint64_t cookie, uint32_t error)
{
	store_be32(bytes, NBD_SIMPLE_REPLY_MAGIC);
	store_be32(bytes + 4, error);
	store_be64(bytes + 8, cookie);
}

/* Returns where the payload begins, of which there are @length bytes. */
static unsigned char *encode_header(unsigned char *bytes, uint64_t cookie,
				    bool is_last, uint16_t type,
				    uint32_t length)
{
	store_be32(bytes, NBD_STRUCTURED_REPLY_MAGIC);
	store_be16(bytes + 4, is_last ? NBD_REPLY_FLAG_DONE : 0);
	store_be16(bytes + 6, type);
	store_be64(bytes + 8, cookie);
	store_be32(bytes + 16, length);
	return bytes + NBD_CHUNK_BYTES;
}

void nbd_chunk_encode_none(unsigned char bytes[NBD_CHUNK_BYTES],
			   uint64_t cookie)
{
	encode_header(bytes, cookie, true, NBD_REPLY_TYPE_NONE, 0);
}

void nbd_chunk_encode_data(unsigned char bytes[NBD_DATA_CHUNK_BYTES],
			   uint64_t cookie, bool is_last, uint64_t offset,
			   uint32_t data_bytes)
{
	bytes = encode_header(bytes, cookie, is_last,
			      NBD_REPLY_TYPE_OFFSET_DATA,
			      NBD_OFFSET_BYTES + data_bytes);
	store_be64(bytes, offset);
}

void nbd_chunk_encode_hole(unsigned char bytes[NBD_HOLE_CHUNK_BYTES],
			   uint64_t cookie, bool is_last, uint64_t offset,
			   uint32_t hole_bytes)
{
	bytes = encode_header(bytes, cookie, is_last,
			      NBD_REPLY_TYPE_OFFSET_HOLE,
			      NBD_OFFSET_HOLE_BYTES);
	store_be64(bytes, offset);
	store_be32(bytes + NBD_OFFSET_BYTES, hole_bytes);
}

void nbd_chunk_encode_status(unsigned char bytes[NBD_STATUS_CHUNK_BYTES],
			     uint64_t cookie, uint32_t context_id,
			     uint32_t nr_extents)
{
	bytes = encode_header(bytes, cookie, true, NBD_REPLY_TYPE_BLOCK_STATUS,
			      NBD_CONTEXT_ID_BYTES +
				      nr_extents * NBD_EXTENT_BYTES);
	store_be32(bytes, context_id);
}

void nbd_extent_encode(unsigned char bytes[NBD_EXTENT_BYTES], uint32_t length,
		       uint32_t state)
{
	store_be32(bytes, length);
	store_be32(bytes + 4, state);
}

uint32_t nbd_chunk_encode_error(unsigned char *bytes, uint64_t cookie,
				uint32_t error, const uint64_t *offset)
{
	const char *text = error_text(error);
	uint32_t text_bytes = (uint32_t)strlen(text);
	uint32_t length = NBD_ERROR_BYTES + text_bytes;
	uint16_t type = NBD_REPLY_TYPE_ERROR;

	BUG_ON(text_bytes > NBD_ERROR_TEXT_BYTES);
	if (offset) {
		length += NBD_OFFSET_BYTES;
		type = NBD_REPLY_TYPE_ERROR_OFFSET;
	}
	bytes = encode_header(bytes, cookie, true, type, length);
	store_be32(bytes, error);
	store_be16(bytes + 4, (uint16_t)text_bytes);
	memcpy(bytes + NBD_ERROR_BYTES, text, text_bytes);
	if (offset)
		store_be64(bytes + NBD_ERROR_BYTES + text_bytes, *offset);
	return NBD_CHUNK_BYTES + length;
}
