/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault - makes calls of the program fail that it is preloaded into
 *
 * By the environment:
 *   FAULT_CALL=NAME, FAULT_AT=N  the Nth call of the function NAME fails, N
 *                   from 1 on, whichever thread makes it
 *   FAULT_LOG=FILE  receives the name of the call that was made to fail
 *   FAULT_MEMORY=FILE  as long as FILE exists, the system has no memory for
 *                   the store
 *   FAULT_CRASH=FILE  once there is something in FILE, the next recv(2) does
 *                   what it names: "null" goes where nothing is mapped, "trap"
 *                   is no instruction, "abort" calls abort(3)
 *   FAULT_IO=SEED   sockets take and give less than they could, and calls
 *                   on them are interrupted, at random; that there is more
 *                   is told as a kernel would that has just received it
 *
 * Which calls may fail is in the list of wrappers below: all that the program
 * and its libraries make while it starts. libc's calls of its own functions
 * are not seen. A program made with -fsanitize=address brings an allocator of
 * its own, which cannot be replaced: FAULT_NO_MALLOC leaves it alone.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

static struct {
	const char *call; /* FAULT_CALL, or NULL */
	uint64_t at; /* FAULT_AT */
	int log_fd; /* FAULT_LOG, or -1 */
	const char *memory; /* FAULT_MEMORY, or NULL */
	const char *crash; /* FAULT_CRASH, or NULL */
	bool io; /* FAULT_IO */
	_Atomic uint64_t nr_calls; /* of that function */
	_Atomic uint64_t random; /* state of a sequence */
} fault = {.log_fd = -1};

/* --- deciding ------------------------------------------------------------ */

__attribute__((constructor)) static void read_environment(void)
{
	const char *at = getenv("FAULT_AT"), *io = getenv("FAULT_IO");
	const char *log = getenv("FAULT_LOG");

	if (log)
		fault.log_fd =
			(int)syscall(SYS_openat, AT_FDCWD, log,
				     O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fault.memory = getenv("FAULT_MEMORY");
	fault.crash = getenv("FAULT_CRASH");
	fault.io = io;
	fault.random = io ? strtoull(io, NULL, 10) : 0;
	fault.call = getenv("FAULT_CALL");
	fault.at = at ? strtoull(at, NULL, 10) : 0;
}

static bool fails(const char *name)
{
	if (!fault.call || strcmp(name, fault.call) != 0 ||
	    atomic_fetch_add(&fault.nr_calls, 1) + 1 != fault.at)
		return false;
	/* By number: write() itself is one that may be made to fail. */
	if (fault.log_fd >= 0)
		(void)syscall(SYS_write, fault.log_fd, name, strlen(name));
	return true;
}

static bool lacks_memory(void)
{
	return fault.memory &&
	       syscall(SYS_faccessat, AT_FDCWD, fault.memory, F_OK) == 0;
}

static unsigned draw(unsigned n)
{
	uint64_t x =
		atomic_fetch_add(&fault.random, UINT64_C(0x9e3779b97f4a7c15));

	x ^= x >> 32;
	x *= UINT64_C(0xd1342543de82ef95);
	x ^= x >> 32;
	return (unsigned)(x % n);
}

/* --- calls that fail once ------------------------------------------------ */

/*
 * Not among them: epoll_ctl(2) and write(2) to an eventfd, whose failure
 * libuv's loop answers with abort(3); locks and conditions, which glibc makes
 * without memory.
 */

/*
 * The names of glibc's parameters are reserved, what the kernel returns is an
 * address, and a type is no expression.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
 * NOLINTBEGIN(performance-no-int-to-ptr)
 * NOLINTBEGIN(bugprone-macro-parentheses)
 */

/*
 * WRAP(result, name, declared arguments, arguments, what it fails with): the
 * function that stands in for libc's of that name.
 */
#define WRAP(type, name, params, args, failure)                         \
	type name params;                                               \
	type name params                                                \
	{                                                               \
		static type(*_Atomic real) params;                      \
                                                                        \
		if (fails(#name))                                       \
			return failure;                                 \
		if (!real)                                              \
			real = (type(*) params)dlsym(RTLD_NEXT, #name); \
		return real args;                                       \
	}

#define FAIL(number) (errno = (number), -1)

WRAP(int, epoll_create1, (int flags), (flags), FAIL(EMFILE))
WRAP(int, epoll_create, (int size), (size), FAIL(EMFILE))
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), FAIL(EMFILE))
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags), FAIL(EMFILE))
WRAP(int, socket, (int domain, int type, int protocol),
     (domain, type, protocol), FAIL(EMFILE))
WRAP(int, bind, (int fd, const struct sockaddr *address, socklen_t bytes),
     (fd, address, bytes), FAIL(EACCES))
WRAP(int, listen, (int fd, int backlog), (fd, backlog), FAIL(EADDRINUSE))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), FAIL(EPERM))
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags),
     FAIL(EMFILE))
WRAP(int, ftruncate, (int fd, off_t bytes), (fd, bytes), FAIL(EFBIG))
WRAP(int, rename, (const char *from, const char *to), (from, to), FAIL(EACCES))
WRAP(int, setrlimit, (__rlimit_resource_t which, const struct rlimit *limit),
     (which, limit), FAIL(EPERM))
WRAP(int, getrlimit, (__rlimit_resource_t which, struct rlimit *limit),
     (which, limit), FAIL(EPERM))
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *),
      void *arg),
     (thread, attr, start, arg), EAGAIN)
WRAP(int, sem_init, (sem_t * sem, int shared, unsigned value),
     (sem, shared, value), FAIL(ENOSPC))
/* --- memory of the store ------------------------------------------------- */

static int real_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	if (mode == 0 && (fails("fallocate") || lacks_memory()))
		return FAIL(ENOSPC);
	return real_fallocate(fd, mode, offset, bytes);
}

int madvise(void *address, size_t bytes, int advice)
{
	if (advice == MADV_POPULATE_WRITE &&
	    (fails("madvise") || lacks_memory()))
		return FAIL(ENOMEM);
	return (int)syscall(SYS_madvise, address, bytes, advice);
}

/* --- files: those that have arguments of any number ---------------------- */

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (fails("open"))
		return FAIL(EMFILE);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	if (command == F_DUPFD_CLOEXEC && fails("fcntl"))
		return FAIL(EMFILE);
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

/* --- sockets that are slow ----------------------------------------------- */

/*
 * How much of @bytes a call on @fd may move: 0 where it is to be interrupted.
 * What is no socket is left alone.
 */
static size_t share(int fd, size_t bytes)
{
	static _Atomic bool has_told;
	struct stat st;
	int saved = errno;
	bool is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);

	errno = saved;
	if (!fault.io || !is_socket || bytes == 0)
		return bytes;
	if (fault.log_fd >= 0 && !atomic_exchange(&has_told, true))
		(void)syscall(SYS_write, fault.log_fd, "io", 2);
	switch (draw(4)) {
	case 0:
		return 0;
	case 1:
		return 1 + draw(bytes < 40 ? (unsigned)bytes : 40);
	case 2:
		return 1 + draw((unsigned)bytes);
	default:
		return bytes;
	}
}

#define IO_BYTES(fd, bytes)                                \
	size_t wanted = (bytes), part = share(fd, wanted); \
                                                           \
	if (wanted && !part)                               \
	return FAIL(EINTR)

/* Descriptors that an epoll watches, by their number. */
#define MAX_WATCHED 4096

static struct {
	_Atomic int epoll_fd;
	_Atomic uint64_t data; /* that goes with its events */
	_Atomic bool is_due; /* something was held back: an edge must follow */
} watched[MAX_WATCHED];

static void hold_back(int fd)
{
	if (fd < MAX_WATCHED && watched[fd].epoll_fd)
		watched[fd].is_due = true;
}

int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	int result = (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, event);

	if (result == 0 && fd < MAX_WATCHED) {
		watched[fd].is_due = false;
		watched[fd].epoll_fd = op == EPOLL_CTL_DEL ? 0 : epoll_fd;
		if (event)
			watched[fd].data = event->data.u64;
	}
	return result;
}

/* The edges that are due, as events. Return: how many. */
static int take_due(int epoll_fd, struct epoll_event *events, int max)
{
	int n = 0;

	for (int fd = 0; fd < MAX_WATCHED && n < max; fd++) {
		if (watched[fd].epoll_fd != epoll_fd ||
		    !atomic_exchange(&watched[fd].is_due, false))
			continue;
		events[n].events = EPOLLIN;
		events[n++].data.u64 = watched[fd].data;
	}
	return n;
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout)
{
	int due = fault.io ? take_due(epoll_fd, events, max) : 0, n;

	if (due == max)
		return due;
	n = (int)syscall(SYS_epoll_wait, epoll_fd, events + due, max - due,
			 due ? 0 : timeout);
	return due ? due + (n > 0 ? n : 0) : n;
}

static void crash_if_told(void)
{
	static int *volatile nowhere;
	char word[8] = "";
	int fd;

	if (!fault.crash)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, fault.crash, O_RDONLY);
	if (fd < 0)
		return;
	if (syscall(SYS_read, fd, word, sizeof(word) - 1) > 0) {
		if (word[0] == 'n')
			*nowhere = 1;
		if (word[0] == 't')
			__builtin_trap();
		abort();
	}
	syscall(SYS_close, fd);
}

ssize_t recv(int fd, void *buf, size_t bytes, int flags)
{
	IO_BYTES(fd, bytes);
	crash_if_told();
	if (part < wanted)
		hold_back(fd);
	return syscall(SYS_recvfrom, fd, buf, part, flags, NULL, NULL);
}

ssize_t send(int fd, const void *buf, size_t bytes, int flags)
{
	IO_BYTES(fd, bytes);
	return syscall(SYS_sendto, fd, buf, part, flags, NULL, 0);
}

ssize_t read(int fd, void *buf, size_t bytes)
{
	IO_BYTES(fd, bytes);
	return syscall(SYS_read, fd, buf, part);
}

/* No terminal, where errors are told, and no eventfd, for which see above. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t write(int fd, const void *buf, size_t bytes)
{
	IO_BYTES(fd, bytes);
	if (is_file(fd) && fails("write"))
		return FAIL(ENOSPC);
	return syscall(SYS_write, fd, buf, part);
}

/* Of several buffers only a part of the first one, where not all of them. */
ssize_t writev(int fd, const struct iovec *iov, int nr)
{
	size_t first = nr > 0 ? iov[0].iov_len : 0;
	struct iovec piece;

	IO_BYTES(fd, first);
	if (part == wanted)
		return syscall(SYS_writev, fd, iov, nr);
	piece = (struct iovec){.iov_base = iov[0].iov_base, .iov_len = part};
	return syscall(SYS_writev, fd, &piece, 1);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	size_t first = msg->msg_iovlen ? msg->msg_iov[0].iov_len : 0;
	struct msghdr short_msg = *msg;
	struct iovec piece;

	IO_BYTES(fd, first);
	if (part < wanted) {
		piece = msg->msg_iov[0];
		piece.iov_len = part;
		short_msg.msg_iov = &piece;
		short_msg.msg_iovlen = 1;
	}
	return syscall(SYS_sendmsg, fd, &short_msg, flags);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	size_t first = msg->msg_iovlen ? msg->msg_iov[0].iov_len : 0;
	struct iovec *iov = msg->msg_iov, piece;
	size_t nr = msg->msg_iovlen;
	ssize_t n;

	IO_BYTES(fd, first);
	if (part < wanted) {
		piece = (struct iovec){iov[0].iov_base, part};
		msg->msg_iov = &piece;
		msg->msg_iovlen = 1;
	}
	n = syscall(SYS_recvmsg, fd, msg, flags);
	msg->msg_iov = iov;
	msg->msg_iovlen = nr;
	return n;
}

int accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags)
{
	IO_BYTES(fd, 1);
	return (int)syscall(SYS_accept4, fd, address, bytes, flags);
}

/* --- the heap ------------------------------------------------------------ */

void *mmap(void *address, size_t bytes, int prot, int flags, int fd,
	   off_t offset)
{
	if (fails("mmap")) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, address, bytes, prot, flags, fd,
			       offset);
}

#ifndef FAULT_NO_MALLOC
/* glibc's own names for what is replaced here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t nr, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

static bool heap_fails(const char *name)
{
	if (!fails(name))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t bytes)
{
	return heap_fails("malloc") ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t nr, size_t bytes)
{
	return heap_fails("calloc") ? NULL : __libc_calloc(nr, bytes);
}

void *realloc(void *p, size_t bytes)
{
	return heap_fails("realloc") ? NULL : __libc_realloc(p, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
	return heap_fails("aligned_alloc") ? NULL
					   : __libc_memalign(align, bytes);
}
#endif

/*
 * NOLINTEND(bugprone-macro-parentheses)
 * NOLINTEND(performance-no-int-to-ptr)
 * NOLINTEND(readability-inconsistent-declaration-parameter-name)
 */
