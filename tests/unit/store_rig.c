/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/own_ctx.h"
#include "quiet.h"
#include "store_rig.h"
#include "zstore/zstore_internal.h"

/* st_blocks counts in these, whatever the file system's blocks. */
#define STAT_BLOCK_BYTES 512u

/* What the kernel makes of memfd_create("zsd"). */
#define IMAGE_LINK "/memfd:zsd (deleted)"

struct zstore_params rig_params(const char *algorithm)
{
	struct zstore_params params = {
		.disk_bytes = RIG_DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES,
		.reserve_bytes = MIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
	};

	ck_assert_int_eq(zcomp_parse(algorithm, &params.zcomp), 0);
	return params;
}

void rig_open(struct store_rig *rig, const struct zstore_params *params)
{
	rig->params = *params;
	rig->nr_pages = params->disk_bytes / ZSD_PAGE_BYTES;
	rig->flat = calloc(rig->nr_pages, ZSD_PAGE_BYTES);
	rig->is_stored = calloc(rig->nr_pages, sizeof(*rig->is_stored));
	ck_assert_ptr_nonnull(rig->flat);
	ck_assert_ptr_nonnull(rig->is_stored);
	model_rng_init(&rig->rng, 1);
	rig->store = NULL;
	rig->ctx = NULL;
	ck_assert_int_eq(zstore_create(params, &rig->store), 0);
	ck_assert_int_eq(own_ctx_create(rig->store, &rig->ctx), 0);
}

void rig_close(struct store_rig *rig)
{
	own_ctx_destroy(rig->ctx);
	zstore_destroy(rig->store);
	free(rig->flat);
	free(rig->is_stored);
}

/* --- changing ------------------------------------------------------------ */

static void set_stored(struct store_rig *rig, uint64_t first, uint64_t end,
		       bool is_stored)
{
	while (first < end)
		rig->is_stored[first++] = is_stored;
}

/* All pages that a range touches. */
static void set_range_stored(struct store_rig *rig, uint64_t offset,
			     uint64_t bytes)
{
	if (bytes)
		set_stored(rig, offset / ZSD_PAGE_BYTES,
			   (offset + bytes - 1) / ZSD_PAGE_BYTES + 1, true);
}

void rig_write(struct store_rig *rig, uint64_t offset, size_t bytes,
	       const void *src)
{
	quiet_assert(zstore_write(rig->ctx, offset, bytes, src) == 0);
	memcpy(rig->flat + offset, src, bytes);
	set_range_stored(rig, offset, bytes);
}

void rig_store_zeroes(struct store_rig *rig, uint64_t offset, uint64_t bytes)
{
	quiet_assert(zstore_store_zeroes(rig->ctx, offset, bytes) == 0);
	memset(rig->flat + offset, 0, bytes);
	set_range_stored(rig, offset, bytes);
}

/* What a trim of [@offset, @end) takes, in whole pages. */
static void forget(struct store_rig *rig, uint64_t offset, uint64_t end)
{
	uint64_t first = (offset + ZSD_PAGE_BYTES - 1) / ZSD_PAGE_BYTES;

	end /= ZSD_PAGE_BYTES;
	if (first >= end)
		return;
	set_stored(rig, first, end, false);
	memset(rig->flat + first * ZSD_PAGE_BYTES, 0,
	       (end - first) * ZSD_PAGE_BYTES);
}

void rig_trim(struct store_rig *rig, uint64_t offset, uint64_t bytes)
{
	zstore_trim(rig->ctx, offset, bytes);
	forget(rig, offset, offset + bytes);
}

void rig_write_zeroes(struct store_rig *rig, uint64_t offset, uint64_t bytes)
{
	quiet_assert(zstore_write_zeroes(rig->ctx, offset, bytes) == 0);
	memset(rig->flat + offset, 0, bytes);
	forget(rig, offset, offset + bytes);
}

int rig_try_write_page(struct store_rig *rig, uint64_t index,
		       enum model_page kind)
{
	unsigned char page[ZSD_PAGE_BYTES];
	uint64_t offset = index * ZSD_PAGE_BYTES;
	int err;

	model_page_fill(&rig->rng, kind, page);
	err = zstore_write(rig->ctx, offset, sizeof(page), page);
	if (err)
		return err;
	memcpy(rig->flat + offset, page, sizeof(page));
	rig->is_stored[index] = true;
	return 0;
}

void rig_write_page(struct store_rig *rig, uint64_t index, enum model_page kind)
{
	quiet_assert(rig_try_write_page(rig, index, kind) == 0);
}

/* --- comparing ----------------------------------------------------------- */

void rig_assert_range(struct store_rig *rig, uint64_t offset, size_t bytes)
{
	unsigned char *found = malloc(bytes + 1);

	quiet_assert(found);
	found[bytes] = 0xa5;
	quiet_assert(zstore_read(rig->ctx, offset, bytes, found) == 0);
	quiet_assert(found[bytes] == 0xa5);
	quiet_assert(memcmp(found, rig->flat + offset, bytes) == 0);
	free(found);
}

static uint64_t nr_stored(const struct store_rig *rig)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < rig->nr_pages; i++)
		nr += rig->is_stored[i];
	return nr;
}

void rig_assert_sound(struct store_rig *rig)
{
	struct zstore_verify_report report;
	int err;

	for (uint64_t i = 0; i < rig->nr_pages; i++)
		rig_assert_range(rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	err = zstore_verify(rig->ctx, &report);
	ck_assert_msg(err == 0, "%s", report.text);
	ck_assert_str_eq(report.text, "");
	ck_assert_uint_eq(report.pages_checked, nr_stored(rig));
}

struct zstore_stats rig_stats(struct store_rig *rig)
{
	struct zstore_stats stats;

	zstore_stats(rig->store, &stats);
	return stats;
}

/* Bytes of the object that a page takes: compressed, or a huge page. */
static size_t object_bytes(struct store_rig *rig, struct zcomp_ctx *zcomp,
			   const void *page)
{
	unsigned char packed[2 * ZSD_PAGE_BYTES];
	size_t huge = zstore_huge_class_size(rig->store), bytes;

	if (zcomp_compress(zcomp, NULL, page, ZSD_PAGE_BYTES, packed, huge - 1,
			   &bytes))
		return ZSD_PAGE_BYTES;
	return bytes;
}

unsigned rig_class_of(struct store_rig *rig, uint64_t index)
{
	struct zcomp_ctx *zcomp;
	size_t bytes;

	quiet_assert(zcomp_ctx_create(&rig->params.zcomp, ZSD_PAGE_BYTES,
				      &zcomp) == 0);
	bytes = object_bytes(rig, zcomp, rig->flat + index * ZSD_PAGE_BYTES);
	zcomp_ctx_destroy(zcomp);
	return zs_lookup_class_index(rig->store->pool, bytes);
}

void rig_assert_stats(struct store_rig *rig)
{
	struct zstore_stats stats = rig_stats(rig);
	uint64_t nr_same = 0, nr_huge = 0, nr_bytes = 0;
	struct zcomp_ctx *zcomp;

	quiet_assert(zcomp_ctx_create(&rig->params.zcomp, ZSD_PAGE_BYTES,
				      &zcomp) == 0);
	for (uint64_t i = 0; i < rig->nr_pages; i++) {
		const void *page = rig->flat + i * ZSD_PAGE_BYTES;
		size_t bytes;

		if (!rig->is_stored[i])
			continue;
		if (model_page_is_same(page)) {
			nr_same++;
			continue;
		}
		bytes = object_bytes(rig, zcomp, page);
		nr_huge += bytes == ZSD_PAGE_BYTES;
		nr_bytes += bytes;
	}
	zcomp_ctx_destroy(zcomp);
	ck_assert_uint_eq(stats.orig_data_size,
			  nr_stored(rig) * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(stats.same_pages, nr_same);
	ck_assert_uint_eq(stats.huge_pages, nr_huge);
	ck_assert_uint_eq(stats.compr_data_size, nr_bytes);
	ck_assert_uint_le(stats.mem_used_total, stats.mem_used_max);
	ck_assert_uint_ge(stats.mem_used_total, stats.compr_data_size);
}

/* --- the image ----------------------------------------------------------- */

int rig_image_fd(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd = -1;

	ck_assert_ptr_nonnull(dir);
	while (fd < 0 && (entry = readdir(dir))) {
		char path[PATH_MAX], link[PATH_MAX];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (strcmp(link, IMAGE_LINK) == 0)
			fd = (int)strtol(entry->d_name, NULL, 10);
	}
	closedir(dir);
	ck_assert_msg(fd >= 0, "no file called %s is open", IMAGE_LINK);
	return fd;
}

uint64_t rig_resident_bytes(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(rig_image_fd(), &st), 0);
	return (uint64_t)st.st_blocks * STAT_BLOCK_BYTES;
}
