/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * malloc_count - counts the allocations of the program it is preloaded into
 *
 * With MALLOC_COUNT_FILE in the environment the counters live in that file, in
 * the order of enum counter, 8 bytes each in the machine's order, so that
 * anybody can read them at any time without asking the program. Counted are
 * calls from outside libc; an allocation that libc makes for itself (a
 * thread's stack) is not.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum counter {
	COUNT_MALLOC,
	COUNT_CALLOC,
	COUNT_REALLOC,
	COUNT_ALIGNED, /* all ways to ask for alignment */
	COUNT_FREE,
	COUNT_MMAP, /* mapping and its ends */
	NR_COUNTERS,
};

/* Counts what comes before the constructor, or without a file. */
static atomic_uint_fast64_t before[NR_COUNTERS];
static atomic_uint_fast64_t *counters = before;

/* glibc's own names for what is replaced here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t nr, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *p);

static void count(enum counter counter)
{
	atomic_fetch_add_explicit(&counters[counter], 1, memory_order_relaxed);
}

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("MALLOC_COUNT_FILE");
	size_t bytes = sizeof(before);
	void *shared;
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		abort(); /* a counter that does not count proves nothing */
	shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		abort();
	close(fd);
	for (int i = 0; i < NR_COUNTERS; i++)
		atomic_fetch_add((atomic_uint_fast64_t *)shared + i, before[i]);
	counters = shared;
}

/*
 * The names of glibc's parameters are reserved, and what the kernel returns is
 * an address.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
 * NOLINTBEGIN(performance-no-int-to-ptr)
 */

void *malloc(size_t bytes)
{
	count(COUNT_MALLOC);
	return __libc_malloc(bytes);
}

void *calloc(size_t nr, size_t bytes)
{
	count(COUNT_CALLOC);
	return __libc_calloc(nr, bytes);
}

void *realloc(void *p, size_t bytes)
{
	count(COUNT_REALLOC);
	return __libc_realloc(p, bytes);
}

void *reallocarray(void *p, size_t nr, size_t bytes)
{
	size_t all;

	count(COUNT_REALLOC);
	if (__builtin_mul_overflow(nr, bytes, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, all);
}

void *memalign(size_t align, size_t bytes)
{
	count(COUNT_ALIGNED);
	return __libc_memalign(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
	count(COUNT_ALIGNED);
	return __libc_memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
	void *p;

	count(COUNT_ALIGNED);
	p = __libc_memalign(align, bytes);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	if (p)
		count(COUNT_FREE);
	__libc_free(p);
}

void *mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	count(COUNT_MMAP);
	return (void *)syscall(SYS_mmap, addr, bytes, prot, flags, fd, offset);
}

int munmap(void *addr, size_t bytes)
{
	count(COUNT_MMAP);
	return (int)syscall(SYS_munmap, addr, bytes);
}

/*
 * NOLINTEND(performance-no-int-to-ptr)
 * NOLINTEND(readability-inconsistent-declaration-parameter-name)
 */
