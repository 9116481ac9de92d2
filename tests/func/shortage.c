/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shortage - a system that is short of everything, for the program that it is
 * preloaded into
 *
 * SHORTAGE_FILE names a file of at least a page, which the test makes and
 * changes while the program runs:
 *
 *   byte 0    which call fails: 0 none, N the Nth of the list below, 255 any
 *   byte 1    one call of so many begins a burst of failures
 *   byte 2    the longest burst
 *   from 64   for each of the list two numbers of 8 bytes, the machine's own:
 *             how often it was called, and how often it failed
 *
 * What a call fails with is in turn each of the errors that its manual page
 * has for a lack of something, and EINTR where the page has that. EAGAIN is not
 * among them where the caller would wait for an edge that does not come, and
 * an eventfd or a pipe has nothing to be short of.
 *
 * A program made with -fsanitize=address brings an allocator of its own, which
 * cannot be replaced: FAULT_NO_MALLOC leaves it alone.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call {
	ACCEPT4,
	CALLOC,
	CLOSE,
	EPOLL_CTL,
	EPOLL_WAIT,
	FALLOCATE,
	FTRUNCATE,
	GETSOCKOPT,
	MADVISE,
	MALLOC,
	MEMFD_CREATE,
	MMAP,
	MUNMAP,
	POLL,
	PREAD,
	READ,
	RECV,
	RECVMMSG,
	RECVMSG,
	SEND,
	SENDMMSG,
	SENDMSG,
	SETSOCKOPT,
	WRITE,
	NR_CALLS,
};

#define MAX_ERRORS 6u
#define ANY	   255u
#define PAGE_BYTES 4096u

/* In the order in which the test names them. */
static const int errors[NR_CALLS][MAX_ERRORS] = {
	[ACCEPT4] = {ENOMEM, ENOBUFS, EMFILE, ENFILE, EINTR, ECONNABORTED},
	[CALLOC] = {ENOMEM},
	[CLOSE] = {EINTR},
	[EPOLL_CTL] = {ENOMEM, ENOSPC},
	[EPOLL_WAIT] = {EINTR},
	[FALLOCATE] = {ENOSPC, ENOMEM, EINTR},
	[FTRUNCATE] = {ENOMEM, ENOSPC},
	[GETSOCKOPT] = {ENOMEM, ENOBUFS},
	[MADVISE] = {ENOMEM, EAGAIN, EINTR},
	[MALLOC] = {ENOMEM},
	[MEMFD_CREATE] = {ENOMEM, EMFILE, ENFILE},
	[MMAP] = {ENOMEM, EAGAIN, ENFILE},
	[MUNMAP] = {ENOMEM},
	[POLL] = {ENOMEM, EINTR},
	[PREAD] = {ENOMEM, EINTR},
	[READ] = {EINTR},
	[RECV] = {ENOMEM, ENOBUFS, EINTR},
	[RECVMMSG] = {ENOMEM, ENOBUFS, EINTR},
	[RECVMSG] = {ENOMEM, ENOBUFS, EINTR},
	[SEND] = {ENOMEM, ENOBUFS, EINTR},
	[SENDMMSG] = {ENOMEM, ENOBUFS, EINTR},
	[SENDMSG] = {ENOMEM, ENOBUFS, EINTR},
	[SETSOCKOPT] = {ENOMEM, ENOBUFS},
	[WRITE] = {EINTR},
};

struct control {
	_Atomic uint8_t which, odds, longest;
	_Alignas(64) struct {
		_Atomic uint64_t nr_calls, nr_failed;
	} calls[NR_CALLS];
};

static struct {
	struct control *control;
	_Atomic uint64_t random; /* state of a sequence */
	_Atomic uint64_t nr_errors; /* so far */
	_Atomic unsigned burst; /* calls that are still to fail */
} shortage;

/* --- deciding ------------------------------------------------------------ */

__attribute__((constructor)) static void read_environment(void)
{
	const char *path = getenv("SHORTAGE_FILE");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path,
				     O_RDWR | O_CLOEXEC)
		      : -1;

	_Static_assert(sizeof(struct control) <= PAGE_BYTES, "it fits a page");
	if (fd < 0)
		return;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	shortage.control = (void *)syscall(SYS_mmap, NULL, (size_t)PAGE_BYTES,
					   PROT_READ | PROT_WRITE, MAP_SHARED,
					   fd, (off_t)0);
	syscall(SYS_close, fd);
}

static unsigned draw(unsigned n)
{
	uint64_t x = atomic_fetch_add(&shortage.random,
				      UINT64_C(0x9e3779b97f4a7c15));

	x ^= x >> 32;
	x *= UINT64_C(0xd1342543de82ef95);
	x ^= x >> 32;
	return n ? (unsigned)(x % n) : 0;
}

static bool is_in_burst(const struct control *c)
{
	unsigned left = atomic_load(&shortage.burst);

	while (left &&
	       !atomic_compare_exchange_weak(&shortage.burst, &left, left - 1))
		;
	if (!left && draw(c->odds) == 0) {
		atomic_store(&shortage.burst, draw(c->longest));
		left = 1;
	}
	return left;
}

/* Whether the call is to fail; with errno set. */
static bool fails(enum call call)
{
	struct control *c = shortage.control;
	unsigned which, nr = 0;

	if (!c)
		return false;
	which = atomic_load(&c->which);
	atomic_fetch_add(&c->calls[call].nr_calls, 1);
	if ((which != ANY && which != call + 1) || !is_in_burst(c))
		return false;
	atomic_fetch_add(&c->calls[call].nr_failed, 1);
	while (nr < MAX_ERRORS && errors[call][nr])
		nr++;
	errno = errors[call][atomic_fetch_add(&shortage.nr_errors, 1) % nr];
	return true;
}

/* --- calls ---------------------------------------------------------------- */

/* The names of glibc's parameters are reserved, and what the kernel returns is
 * an address.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
 * NOLINTBEGIN(performance-no-int-to-ptr) */

int accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags)
{
	return fails(ACCEPT4)
		       ? -1
		       : (int)syscall(SYS_accept4, fd, address, bytes, flags);
}

/* Linux has closed it all the same. */
int close(int fd)
{
	int result = (int)syscall(SYS_close, fd);

	return fails(CLOSE) ? -1 : result;
}

int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	return op != EPOLL_CTL_DEL && fails(EPOLL_CTL)
		       ? -1
		       : (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, event);
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout)
{
	return fails(EPOLL_WAIT) ? -1
				 : (int)syscall(SYS_epoll_wait, epoll_fd,
						events, max, timeout);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	return fails(FALLOCATE)
		       ? -1
		       : (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

int ftruncate(int fd, off_t bytes)
{
	return fails(FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, bytes);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *bytes)
{
	return fails(GETSOCKOPT) ? -1
				 : (int)syscall(SYS_getsockopt, fd, level, name,
						value, bytes);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
	return fails(SETSOCKOPT) ? -1
				 : (int)syscall(SYS_setsockopt, fd, level, name,
						value, bytes);
}

int madvise(void *address, size_t bytes, int advice)
{
	return fails(MADVISE)
		       ? -1
		       : (int)syscall(SYS_madvise, address, bytes, advice);
}

int memfd_create(const char *name, unsigned flags)
{
	return fails(MEMFD_CREATE)
		       ? -1
		       : (int)syscall(SYS_memfd_create, name, flags);
}

void *mmap(void *address, size_t bytes, int prot, int flags, int fd,
	   off_t offset)
{
	return fails(MMAP) ? MAP_FAILED
			   : (void *)syscall(SYS_mmap, address, bytes, prot,
					     flags, fd, offset);
}

int munmap(void *address, size_t bytes)
{
	return fails(MUNMAP) ? -1 : (int)syscall(SYS_munmap, address, bytes);
}

ssize_t pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return fails(PREAD) ? -1 : syscall(SYS_pread64, fd, buf, bytes, offset);
}

ssize_t read(int fd, void *buf, size_t bytes)
{
	return fails(READ) ? -1 : syscall(SYS_read, fd, buf, bytes);
}

ssize_t write(int fd, const void *buf, size_t bytes)
{
	return fails(WRITE) ? -1 : syscall(SYS_write, fd, buf, bytes);
}

ssize_t recv(int fd, void *buf, size_t bytes, int flags)
{
	return fails(RECV) ? -1
			   : syscall(SYS_recvfrom, fd, buf, bytes, flags, NULL,
				     NULL);
}

ssize_t send(int fd, const void *buf, size_t bytes, int flags)
{
	return fails(SEND)
		       ? -1
		       : syscall(SYS_sendto, fd, buf, bytes, flags, NULL, 0);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned nr, int flags,
	     struct timespec *timeout)
{
	return fails(RECVMMSG) ? -1
			       : (int)syscall(SYS_recvmmsg, fd, messages, nr,
					      flags, timeout);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned nr, int flags)
{
	return fails(SENDMMSG)
		       ? -1
		       : (int)syscall(SYS_sendmmsg, fd, messages, nr, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	return fails(RECVMSG) ? -1 : syscall(SYS_recvmsg, fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return fails(SENDMSG) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

int poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	return fails(POLL) ? -1 : (int)syscall(SYS_poll, fds, nr, timeout);
}

/* --- the heap ------------------------------------------------------------ */

#ifndef FAULT_NO_MALLOC
/* glibc's own names for what is replaced here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t nr, size_t bytes);

void *malloc(size_t bytes)
{
	return fails(MALLOC) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t nr, size_t bytes)
{
	return fails(CALLOC) ? NULL : __libc_calloc(nr, bytes);
}
#endif

/* NOLINTEND(performance-no-int-to-ptr)
 * NOLINTEND(readability-inconsistent-declaration-parameter-name) */
