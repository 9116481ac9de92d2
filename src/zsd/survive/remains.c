/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "zsd/survive/remains.h"

/* Of the companion, bytes: it calls the kernel, and nothing else. */
#define STACK_BYTES 16384

/*
 * The companion runs on the memory of a thread that runs as well, its errno and
 * what a sanitizer keeps of it included. So it calls the kernel alone. The
 * thread sanitizer takes clone() for fork(), and forgets in the companion what
 * it knows of the server: where it watches there is none.
 */
#if defined(__SANITIZE_THREAD__)
#define IS_WATCHED true
#elif defined(__has_feature)
#define IS_WATCHED __has_feature(thread_sanitizer)
#else
#define IS_WATCHED false
#endif

/* @arg: the server's pid. */
static int be_companion(void *arg)
{
	const struct sched_param param = {.sched_priority = 0};

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_NAME, "zsd-remains", 0, 0, 0);
	syscall(SYS_close_range, 0, UINT_MAX, 0);
	/* There is time for what it will do. */
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param);
	/* The server may have died before its death was waited for. */
	while (syscall(SYS_getppid) == (long)(intptr_t)arg)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	syscall(SYS_exit, 0);
	return 0;
}

int remains_outlive(void)
{
	const int prot = PROT_READ | PROT_WRITE;
	sigset_t all, before;
	char *stack;
	int err = 0;

	if (IS_WATCHED)
		return 0;
	/* Tried here: the companion could not say that there is none. */
	if (syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) < 0)
		return -errno;
	stack = mmap(NULL, STACK_BYTES, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (stack == MAP_FAILED)
		return -errno;
	/* No signal is the companion's: a handler would run twice. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	if (clone(be_companion, stack + STACK_BYTES, CLONE_VM,
		  (void *)(intptr_t)getpid()) < 0)
		err = -errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (err)
		(void)munmap(stack, STACK_BYTES);
	return err;
}
