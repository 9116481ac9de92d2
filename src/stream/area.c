/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/units.h"
#include "stream/area.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

#define AREA_MAGIC   UINT64_C(0x6e6e6f6364737a00) /* "\0zsdconn" */
#define AREA_VERSION 2u

struct area_header {
	uint64_t magic;
	uint32_t version;
	uint32_t nr_slots;
	uint64_t stream_bytes;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

struct slot {
	bool is_taken;
	struct stream *stream; /* where it is mapped ahead, or NULL */
	struct io_ring rx, tx; /* the same */
};

struct stream_area {
	int fd;
	struct stream_area_params params;
	pthread_mutex_t lock; /* is_taken */
	struct slot slots[];
};

/* --- places --------------------------------------------------------------- */

static size_t stream_bytes(void)
{
	return align_up(sizeof(struct stream), ZSD_PAGE_BYTES);
}

static uint64_t slot_bytes(const struct stream_area *area)
{
	return stream_bytes() + area->params.rx_bytes + area->params.tx_bytes;
}

static uint64_t slot_offset(const struct stream_area *area, unsigned slot)
{
	CHECK(slot < area->params.nr_slots);
	return ZSD_PAGE_BYTES + slot * slot_bytes(area);
}

static uint64_t area_bytes(const struct stream_area *area)
{
	return ZSD_PAGE_BYTES + area->params.nr_slots * slot_bytes(area);
}

static struct area_header header_of(const struct stream_area *area)
{
	return (struct area_header){
		.magic = AREA_MAGIC,
		.version = AREA_VERSION,
		.nr_slots = area->params.nr_slots,
		.stream_bytes = sizeof(struct stream),
		.rx_bytes = area->params.rx_bytes,
		.tx_bytes = area->params.tx_bytes,
	};
}

/* --- life ----------------------------------------------------------------- */

static struct stream_area *make_area(const struct stream_area_params *params)
{
	struct stream_area *area = calloc(
		1, sizeof(*area) + params->nr_slots * sizeof(*area->slots));

	if (!area)
		return NULL;
	area->params = *params;
	area->fd = -1;
	lock_init(&area->lock, params->inherit_priority);
	return area;
}

void stream_area_destroy(struct stream_area *area)
{
	if (!area)
		return;
	stream_area_unmap_ahead(area);
	if (area->fd >= 0)
		close(area->fd);
	pthread_mutex_destroy(&area->lock);
	free(area);
}

static int make_memory(struct stream_area *area)
{
	const struct area_header header = header_of(area);

	area->fd = memfd_create("zsd connections", MFD_CLOEXEC);
	if (area->fd < 0 || ftruncate(area->fd, (off_t)area_bytes(area)) < 0)
		return -errno;
	return pwrite(area->fd, &header, sizeof(header), 0) == sizeof(header)
		       ? 0
		       : -ENOMEM;
}

int stream_area_create(const struct stream_area_params *params,
		       struct stream_area **out)
{
	struct stream_area *area = make_area(params);
	int err;

	if (!area)
		return -ENOMEM;
	err = make_memory(area);
	if (err)
		stream_area_destroy(area);
	else
		*out = area;
	return err;
}

static bool is_ours(const struct stream_area *area, int fd)
{
	const struct area_header ours = header_of(area);
	struct area_header header;

	return lseek(fd, 0, SEEK_END) == (off_t)area_bytes(area) &&
	       pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       !memcmp(&header, &ours, sizeof(header));
}

int stream_area_open(int fd, const struct stream_area_params *params,
		     struct stream_area **out)
{
	struct stream_area *area = make_area(params);

	if (!area)
		return -ENOMEM;
	if (!is_ours(area, fd)) {
		stream_area_destroy(area);
		return -EUCLEAN;
	}
	area->fd = fd;
	stream_area_look(area);
	*out = area;
	return 0;
}

void stream_area_look(struct stream_area *area)
{
	for (unsigned i = 0; i < area->params.nr_slots; i++)
		area->slots[i].is_taken = false;
	for (unsigned i = 0; stream_area_find_kept(area, &i); i++)
		area->slots[i].is_taken = true;
}

int stream_area_fd(const struct stream_area *area)
{
	return area->fd;
}

unsigned stream_area_nr_slots(const struct stream_area *area)
{
	return area->params.nr_slots;
}

/* --- slots ---------------------------------------------------------------- */

/* A word of a slot's stream; 0 where it cannot be read. */
static uint32_t word_of(const struct stream_area *area, unsigned slot,
			size_t offset)
{
	uint64_t at = slot_offset(area, slot) + offset;
	uint32_t word;

	return pread(area->fd, &word, sizeof(word), (off_t)at) == sizeof(word)
		       ? word
		       : 0;
}

bool stream_area_is_kept(const struct stream_area *area, unsigned slot)
{
	return word_of(area, slot, offsetof(struct stream, is_kept));
}

/* The first slot from @slot on that has memory, or nr_slots. */
static unsigned find_memory(const struct stream_area *area, unsigned slot)
{
	off_t from, data;

	if (slot >= area->params.nr_slots)
		return area->params.nr_slots;
	from = (off_t)slot_offset(area, slot);
	data = lseek(area->fd, from, SEEK_DATA);
	if (data < 0) /* -ENXIO: none; all are looked at where it cannot say */
		return errno == ENXIO ? area->params.nr_slots : slot;
	return slot + (unsigned)((uint64_t)(data - from) / slot_bytes(area));
}

bool stream_area_find_kept(const struct stream_area *area, unsigned *slot)
{
	unsigned i = find_memory(area, *slot);

	while (i < area->params.nr_slots && !stream_area_is_kept(area, i))
		i = find_memory(area, i + 1);
	*slot = i;
	return i < area->params.nr_slots;
}

uint32_t stream_area_number(const struct stream_area *area, unsigned slot)
{
	return word_of(area, slot, offsetof(struct stream, session.number));
}

int stream_area_take(struct stream_area *area, unsigned *slot)
{
	unsigned i = 0;

	pthread_mutex_lock(&area->lock);
	while (i < area->params.nr_slots && area->slots[i].is_taken)
		i++;
	if (i < area->params.nr_slots)
		area->slots[i].is_taken = true;
	pthread_mutex_unlock(&area->lock);
	*slot = i;
	return i < area->params.nr_slots ? 0 : -ENOSPC;
}

void stream_area_free(struct stream_area *area, unsigned slot)
{
	/* If that fails, the next one finds memory there. */
	(void)fallocate(area->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)slot_offset(area, slot),
			(off_t)slot_bytes(area));
	pthread_mutex_lock(&area->lock);
	area->slots[slot].is_taken = false;
	pthread_mutex_unlock(&area->lock);
}

/* --- mappings ------------------------------------------------------------- */

/* For a kernel before 5.14. What has memory faults without fail. */
static int commit_by_call(const struct stream_area *area, uint64_t offset)
{
	while (fallocate(area->fd, 0, (off_t)offset, (off_t)stream_bytes()) <
	       0) {
		if (errno != EINTR)
			return errno == ENOSPC ? -ENOMEM : -errno;
	}
	return 0;
}

/* Memory behind a stream, or an error instead of a SIGBUS later. */
static int commit_stream(const struct stream_area *area, void *base,
			 uint64_t offset)
{
	while (madvise(base, stream_bytes(), MADV_POPULATE_WRITE) < 0) {
		if (errno == EINVAL)
			return commit_by_call(area, offset);
		if (errno != EINTR && errno != EAGAIN)
			return errno == EFAULT ? -ENOMEM : -errno;
	}
	return 0;
}

static int map_stream(const struct stream_area *area, uint64_t offset,
		      struct stream **out)
{
	void *base = mmap(NULL, stream_bytes(), PROT_READ | PROT_WRITE,
			  MAP_SHARED, area->fd, (off_t)offset);
	int err;

	if (base == MAP_FAILED)
		return -errno;
	/* What a client asks for is not for a core dump. */
	(void)madvise(base, stream_bytes(), MADV_DONTDUMP);
	err = commit_stream(area, base, offset);
	if (err)
		munmap(base, stream_bytes());
	else
		*out = base;
	return err;
}

static int map_ring(const struct stream_area *area, struct io_ring *ring,
		    size_t bytes, uint64_t offset)
{
	int err = io_ring_map(ring, bytes, area->fd, offset);

	if (!err && io_ring_prepare(ring, bytes) < bytes) {
		io_ring_destroy(ring);
		err = -ENOMEM;
	}
	return err;
}

static int map_slot(const struct stream_area *area, unsigned slot,
		    struct stream **stream, struct io_ring *rx,
		    struct io_ring *tx)
{
	const struct stream_area_params *params = &area->params;
	uint64_t offset = slot_offset(area, slot);
	int err = map_stream(area, offset, stream);

	if (err)
		return err;
	offset += stream_bytes();
	err = map_ring(area, rx, params->rx_bytes, offset);
	if (err)
		goto err_stream;
	err = map_ring(area, tx, params->tx_bytes, offset + params->rx_bytes);
	if (err)
		goto err_rx;
	return 0;

err_rx:
	io_ring_destroy(rx);
err_stream:
	munmap(*stream, stream_bytes());
	return err;
}

void stream_area_unmap(struct stream *stream, struct io_ring *rx,
		       struct io_ring *tx)
{
	io_ring_destroy(rx);
	io_ring_destroy(tx);
	munmap(stream, stream_bytes());
}

int stream_area_map(struct stream_area *area, unsigned slot,
		    struct stream **stream, struct io_ring *rx,
		    struct io_ring *tx)
{
	struct slot *ahead = &area->slots[slot];

	if (!ahead->stream)
		return map_slot(area, slot, stream, rx, tx);
	*stream = ahead->stream;
	*rx = ahead->rx;
	*tx = ahead->tx;
	ahead->stream = NULL;
	return 0;
}

void stream_area_map_ahead(struct stream_area *area)
{
	for (unsigned i = 0; stream_area_find_kept(area, &i); i++) {
		struct slot *slot = &area->slots[i];

		if (slot->stream)
			continue;
		if (map_slot(area, i, &slot->stream, &slot->rx, &slot->tx)) {
			slot->stream = NULL;
			return;
		}
	}
}

void stream_area_unmap_ahead(struct stream_area *area)
{
	for (unsigned i = 0; i < area->params.nr_slots; i++) {
		struct slot *slot = &area->slots[i];

		if (slot->stream)
			stream_area_unmap(slot->stream, &slot->rx, &slot->tx);
		slot->stream = NULL;
	}
}
