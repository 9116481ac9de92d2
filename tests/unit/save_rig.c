/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "quiet.h"
#include "save_rig.h"
#include "zsave/zsave_internal.h"

void stream_init(struct stream *stream)
{
	*stream = (struct stream){0};
}

void stream_fini(struct stream *stream)
{
	free(stream->bytes);
}

static void make_room(struct stream *stream, size_t nr_bytes)
{
	size_t room = stream->nr_bytes + nr_bytes;

	if (room <= stream->room)
		return;
	stream->room = 2 * room;
	stream->bytes = realloc(stream->bytes, stream->room);
	quiet_assert(stream->bytes);
}

void stream_add(struct stream *stream, const void *bytes, size_t nr_bytes)
{
	if (!nr_bytes)
		return;
	make_room(stream, nr_bytes);
	quiet_assert(stream->nr_blocks < STREAM_MAX_BLOCKS);
	memcpy(stream->bytes + stream->nr_bytes, bytes, nr_bytes);
	stream->blocks[stream->nr_blocks] =
		stream->nr_blocks ? stream->nr_bytes : ZSAVE_START_BYTES;
	stream->nr_blocks++;
	stream->nr_bytes += nr_bytes;
}

static size_t end_of(const struct stream *stream, unsigned number)
{
	return number + 1 < stream->nr_blocks ? stream->blocks[number + 1]
					      : stream->nr_bytes;
}

void stream_seal(struct stream *stream)
{
	for (unsigned i = 0; i < stream->nr_blocks; i++) {
		unsigned char *block = stream->bytes + stream->blocks[i];
		const size_t bytes = end_of(stream, i) - stream->blocks[i];

		store_le32(block + PREFIX_BYTES,
			   (uint32_t)(bytes - ZSAVE_PREFIX_BYTES));
		store_le64(block + PREFIX_SUM, zsave_sum(block, bytes, i));
	}
}

unsigned char *stream_payload(struct stream *stream, unsigned number)
{
	quiet_assert(number < stream->nr_blocks);
	return stream->bytes + stream->blocks[number] + ZSAVE_PREFIX_BYTES;
}

void stream_drop(struct stream *stream, unsigned number)
{
	const size_t at = stream->blocks[number];
	const size_t bytes = end_of(stream, number) - at;

	memmove(stream->bytes + at, stream->bytes + at + bytes,
		stream->nr_bytes - at - bytes);
	for (unsigned i = number + 1; i < stream->nr_blocks; i++)
		stream->blocks[i - 1] = stream->blocks[i] - bytes;
	stream->nr_blocks--;
	stream->nr_bytes -= bytes;
}

void stream_double(struct stream *stream, unsigned number)
{
	const size_t at = stream->blocks[number];
	const size_t bytes = end_of(stream, number) - at;

	make_room(stream, bytes);
	quiet_assert(stream->nr_blocks < STREAM_MAX_BLOCKS);
	memmove(stream->bytes + at + bytes, stream->bytes + at,
		stream->nr_bytes - at);
	for (unsigned i = stream->nr_blocks; i > number; i--)
		stream->blocks[i] = stream->blocks[i - 1] + bytes;
	stream->nr_blocks++;
	stream->nr_bytes += bytes;
}

/* Return: -EAGAIN where more is to be read. */
static int take_blocks(struct zsave_reader *reader,
		       int (*take)(void *arg, const struct zsave_block *block),
		       void *arg)
{
	struct zsave_block block;
	int err;

	while ((err = zsave_reader_next(reader, &block)) == 0) {
		if (take)
			err = take(arg, &block);
		if (err)
			break;
	}
	return err;
}

int stream_read(const struct stream *stream, struct zsave_reader *reader,
		size_t piece,
		int (*take)(void *arg, const struct zsave_block *block),
		void *arg)
{
	size_t at = 0;
	int err = -EAGAIN;

	zsave_reader_reset(reader);
	while (err == -EAGAIN && at < stream->nr_bytes) {
		size_t left = stream->nr_bytes - at, n;
		void *to;

		n = zsave_reader_space(reader, &to);
		quiet_assert(n > 0);
		n = min_u64(min_u64(n, piece), left);
		memcpy(to, stream->bytes + at, n);
		zsave_reader_add(reader, n);
		at += n;
		err = take_blocks(reader, take, arg);
	}
	return err == -EAGAIN ? zsave_reader_finish(reader) : err;
}
