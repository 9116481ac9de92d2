/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A saved disk that anybody made.
 *
 * An input is a byte, of which bit 0 says which codec the store has, bit 1
 * whether the checksums of blocks are made to fit first, and bits 2 and 3 which
 * codec is its secondary one; then the stream, read in pieces that the back of
 * the input cuts. Whatever it is, the store stays sound; where it is wholly
 * right, saving the store, recompressed, and restoring that once more must
 * bring the same disk.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "fuzz.h"
#include "model/own_ctx.h"
#include "zsave/zsave_internal.h"
#include "zstore/zstore.h"
#include "zstore/zstore_recompress.h"
#include "zstore/zstore_save.h"

/* Larger disks would say nothing more. */
#define MAX_DISK_BYTES ((uint64_t)(16 * MIB))

struct disk {
	struct zstore *store;
	struct zstore_ctx *ctx;
	struct zstore_restore *restore;
	struct zsave_reader reader;
	const char *algorithm;
	const char *secondary; /* or NULL */
};

/* --- a stream --------------------------------------------------------------- */

/* Make checksums fit, as far as there are whole blocks. */
static void seal(uint8_t *stream, size_t size)
{
	size_t at = ZSAVE_START_BYTES;

	for (uint64_t number = 0;
	     size >= ZSAVE_PREFIX_BYTES && at <= size - ZSAVE_PREFIX_BYTES;
	     number++) {
		const uint32_t payload = load_le32(stream + at + PREFIX_BYTES);
		size_t bytes = ZSAVE_PREFIX_BYTES + payload;

		if (bytes > size - at)
			return;
		store_le64(stream + at, zsave_sum(stream + at, bytes, number));
		at += bytes;
	}
}

static int begin(struct disk *disk)
{
	const struct zsave_head *head = &disk->reader.head;
	struct zstore_params params = {
		.disk_bytes = head->disk_bytes,
		.mem_limit_bytes = 4 * MIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
		.checksum = true,
	};

	if (head->disk_bytes > MAX_DISK_BYTES)
		return -ENOSPC;
	FUZZ_CHECK(!zcomp_parse(disk->algorithm, &params.zcomp), "zcomp_parse");
	FUZZ_CHECK(!disk->secondary ||
			   !zcomp_parse(disk->secondary, &params.recomp),
		   "zcomp_parse");
	FUZZ_CHECK(!zstore_create(&params, &disk->store), "zstore_create");
	FUZZ_CHECK(!own_ctx_create(disk->store, &disk->ctx), "own_ctx_create");
	return zstore_restore_begin(disk->ctx, head, &disk->restore);
}

/* Take the blocks that are there. Return: -EAGAIN where more are wanted. */
static int take_blocks(struct disk *disk)
{
	struct zsave_block block;
	int err;

	for (;;) {
		err = zsave_reader_next(&disk->reader, &block);
		if (err)
			break;
		err = block.kind == ZSAVE_HEAD
			      ? begin(disk)
			      : zstore_restore_block(disk->restore, &block);
		if (err)
			break;
	}
	FUZZ_CHECK(err != -EBADMSG || !disk->reader.fault ||
			   zsave_fault_text(disk->reader.fault),
		   "a fault without a text");
	return err;
}

static int restore(struct disk *disk, const uint8_t *stream, size_t left,
		   struct fuzz_input *in)
{
	static const size_t edges[] = {1, 15, 16, 17};
	int err = -EAGAIN;

	FUZZ_CHECK(!zsave_reader_init(&disk->reader), "zsave_reader_init");
	while (left && err == -EAGAIN) {
		size_t n = fuzz_piece(in, left, edges, ARRAY_SIZE(edges));
		void *to;

		n = min_u64(n, zsave_reader_space(&disk->reader, &to));
		FUZZ_CHECK(n, "no space for more");
		memcpy(to, stream, n);
		zsave_reader_add(&disk->reader, n);
		stream += n;
		left -= n;
		err = take_blocks(disk);
	}
	return err == -EAGAIN ? zsave_reader_finish(&disk->reader) : err;
}

static void verify(const struct disk *disk)
{
	struct zstore_verify_report report;

	if (disk->ctx)
		FUZZ_CHECK(!zstore_verify(disk->ctx, &report), "%s",
			   report.text);
}

static void end(struct disk *disk)
{
	zstore_restore_end(disk->restore);
	own_ctx_destroy(disk->ctx);
	zstore_destroy(disk->store);
	zsave_reader_fini(&disk->reader);
}

/* --- once more ---------------------------------------------------------------
 */

static uint8_t *save(const struct disk *disk, size_t *size)
{
	static unsigned char block[ZSAVE_BLOCK_BYTES];
	uint8_t *stream = NULL;
	struct zstore_save save;
	size_t bytes;

	*size = 0;
	FUZZ_CHECK(!zstore_save_begin(&save, disk->ctx, 0, 0),
		   "zstore_save_begin");
	while (!save.is_over) {
		FUZZ_CHECK(!zstore_save_next(&save, block, &bytes),
			   "a page cannot be saved");
		stream = realloc(stream, *size + bytes + 1);
		FUZZ_CHECK(stream, "no memory");
		memcpy(stream + *size, block, bytes);
		*size += bytes;
	}
	zstore_save_end(&save);
	return stream;
}

static void compare(const struct disk *disk, const struct disk *other)
{
	const uint64_t bytes = zstore_params(disk->store)->disk_bytes;

	for (uint64_t at = 0; at < bytes; at += ZSD_PAGE_BYTES) {
		unsigned char mine[ZSD_PAGE_BYTES], others[ZSD_PAGE_BYTES];

		FUZZ_CHECK(!zstore_read(disk->ctx, at, sizeof(mine), mine) &&
				   !zstore_read(other->ctx, at, sizeof(others),
						others),
			   "a page cannot be read");
		FUZZ_CHECK(memcmp(mine, others, sizeof(mine)) == 0,
			   "a page is another one when it is saved again");
	}
}

/* As many pages as are soon tried. */
static void recompress(const struct disk *disk)
{
	const struct zstore_recompress how = {.since_s = UINT32_MAX,
					      .max_pages = 20};
	struct zstore_recompressing at = {0};
	int more;

	if (!disk->secondary)
		return;
	do {
		more = zstore_recompress(disk->ctx, &how, &at, 1000);
	} while (more == 1);
	FUZZ_CHECK(!more || more == -ENOSPC || more == -ENOMEM,
		   "zstore_recompress: %d", more);
}

static void save_again(const struct disk *disk)
{
	struct disk other = {.algorithm = disk->algorithm,
			     .secondary = disk->secondary};
	struct fuzz_input none;
	uint8_t *stream;
	size_t size;

	recompress(disk);
	stream = save(disk, &size);
	fuzz_input_init(&none, stream, 0);
	FUZZ_CHECK(!restore(&other, stream, size, &none),
		   "what was saved cannot be restored");
	compare(disk, &other);
	end(&other);
	free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const secondaries[] = {NULL, "zstd:3", "plz", "lz4"};
	struct disk disk = {0};
	struct fuzz_input in;
	const uint8_t *bytes;
	uint8_t flags, *stream;
	int err;

	fuzz_input_init(&in, data, size);
	flags = fuzz_byte(&in);
	size = fuzz_take(&in, size, &bytes);
	/* The pieces are cut by the stream's own last bytes. */
	fuzz_input_init(&in, data, size);
	stream = malloc(size + !size);
	FUZZ_CHECK(stream, "no memory");
	memcpy(stream, bytes, size);
	if (flags & 2)
		seal(stream, size);
	disk.algorithm = flags & 1 ? "zstd" : "lz4";
	disk.secondary = secondaries[flags >> 2 & 3];
	err = restore(&disk, stream, size, &in);
	free(stream);
	verify(&disk);
	if (!err)
		save_again(&disk);
	end(&disk);
	return 0;
}
