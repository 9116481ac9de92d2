/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "load_pages.h"
#include "synthetic.h"

/* Huge pages where there are: the client's own TLB misses are noise. */
static int map_pool(uint64_t bytes, unsigned char **out)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	(void)madvise(base, bytes, MADV_HUGEPAGE);
	*out = base;
	return 0;
}

static int file_bytes(const char *path, uint64_t *out)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size % ZSD_PAGE_BYTES)
		return -EINVAL;
	*out = (uint64_t)st.st_size;
	return 0;
}

static int read_file(const char *path, unsigned char *to, uint64_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	while (bytes) {
		ssize_t got = read(fd, to, bytes);

		if (got <= 0) { /* 0: it shrank since stat(2) */
			err = got ? -errno : -EINVAL;
			break;
		}
		to += got;
		bytes -= (uint64_t)got;
	}
	close(fd);
	return err;
}

int load_pages_init_files(const char *const *paths, size_t nr_paths,
			  struct load_pages *out, const char **bad_path)
{
	uint64_t total = 0, bytes = 0, offset = 0;
	unsigned char *base = NULL;
	int err;

	for (size_t i = 0; i < nr_paths; i++) {
		*bad_path = paths[i];
		err = file_bytes(paths[i], &bytes);
		if (err)
			return err;
		total += bytes;
	}
	err = map_pool(total, &base);
	if (err)
		return err;
	for (size_t i = 0; i < nr_paths; i++) {
		*bad_path = paths[i];
		err = file_bytes(paths[i], &bytes);
		if (!err && bytes > total - offset)
			err = -EINVAL; /* it grew meanwhile */
		if (!err)
			err = read_file(paths[i], base + offset, bytes);
		if (err) {
			munmap(base, total);
			return err;
		}
		offset += bytes;
	}
	out->base = base;
	out->nr_pages = offset / ZSD_PAGE_BYTES;
	return 0;
}

int load_pages_init_synthetic(uint64_t nr_pages, uint64_t seed,
			      struct load_pages *out)
{
	unsigned char *base = NULL;
	int err = map_pool(nr_pages * ZSD_PAGE_BYTES, &base);

	if (err)
		return err;
	synthetic_fill(base, nr_pages, seed);
	out->base = base;
	out->nr_pages = nr_pages;
	return 0;
}

void load_pages_fini(struct load_pages *pages)
{
	munmap(pages->base, pages->nr_pages * ZSD_PAGE_BYTES);
}
