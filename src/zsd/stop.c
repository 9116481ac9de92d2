/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals. The swap of a machine must not be lost by one that was meant for
 * somebody else, or for nothing:
 *
 *   TERM, INT, QUIT   begin the end: attached clients are waited for
 *   HUP               is answered in the log
 *   USR1 and others   are ignored, those that stop a process too: a terminal
 *                     may be closed, and a key be pressed
 *   SEGV and others   end the process where it is to blame, not where somebody
 *                     sent them
 *   KILL, STOP        cannot be helped
 *
 * A server that has a keeper hears of none of them: a terminal, and many who
 * send one, send it to the keeper as well, which knows what is to be done.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/compiler.h"
#include "zsd/server_internal.h"

/*
 * How long after the signal that began the end another one means that attached
 * clients are to be closed, ms. Before that it is a key that was pressed twice,
 * or a script that asks twice.
 */
#define AGAIN_MS 5000u

/* The first real-time signal of the kernel's; SIGRTMIN is the C library's. */
#define FIRST_REALTIME 32

/* --- those that are not waited for ---------------------------------------- */

/* What end or stop a process by default, and is sent for all kinds of reasons:
 * limits, terminals, timers. */
static const int ignored[] = {
	SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM,  SIGVTALRM,
	SIGPROF, SIGIO,	  SIGPWR,  SIGXCPU,  SIGXFSZ,
	SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGSTKFLT,
};

/* What the kernel sends to a thread that did something wrong. */
static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
			     SIGSYS,  SIGTRAP, SIGABRT};

/* Others may send them as well: then there is nothing wrong. abort(3) is how
 * the process sends one to itself. */
static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0 && info->si_pid != getpid())
		return;
	(void)signal(number, SIG_DFL);
	/* What faults is done again on return, and ends the process then. A
	 * call or a trap is not. */
	if (info->si_code <= 0 || number == SIGSYS || number == SIGTRAP)
		(void)raise(number);
}

static void guard_fault(int number)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction now;

	/* A sanitizer may have a handler of its own. */
	if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		(void)sigaction(number, &action, NULL);
}

/* What the kernel takes and gives; what is behind the handler may be zeros. */
struct kernel_sigaction {
	void (*handler)(int number);
	unsigned long rest[15];
};

/*
 * The C library keeps the first real-time signals to itself, and its functions
 * refuse to touch them. It takes them over when it needs them; until then they
 * end the process, whoever sends them.
 */
static void ignore_reserved(int number)
{
	const size_t mask_bytes = ((size_t)SIGRTMAX + 7) / 8;
	struct kernel_sigaction action = {0};

	if (syscall(SYS_rt_sigaction, number, NULL, &action, mask_bytes) ||
	    action.handler != SIG_DFL)
		return;
	action = (struct kernel_sigaction){.handler = SIG_IGN};
	(void)syscall(SYS_rt_sigaction, number, &action, NULL, mask_bytes);
}

/* Whoever starts us may have kept some for later: they would never come. */
static void unblock_all(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const int waited_for[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};

_Static_assert(ARRAY_SIZE(waited_for) == NR_SIGNALS, "each has a handle");

void signals_prepare(bool is_kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	for (size_t i = 0; is_kept && i < ARRAY_SIZE(waited_for); i++)
		(void)signal(waited_for[i], SIG_IGN);
	for (int number = FIRST_REALTIME; number < SIGRTMIN; number++)
		ignore_reserved(number);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		(void)signal(number, SIG_IGN);
	unblock_all();
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		guard_fault(faults[i]);
}

/* --- those that are -------------------------------------------------------- */

static const char *name_of(int number)
{
	switch (number) {
	case SIGTERM:
		return "SIGTERM";
	case SIGINT:
		return "SIGINT";
	case SIGQUIT:
		return "SIGQUIT";
	default:
		return "SIGHUP";
	}
}

static void begin_end(struct server *s, const char *why)
{
	io_log(s->log, IO_LOG_NOTICE, "%s: shutting down", why);
	s->is_ending = true;
	s->told_ms = uv_now(&s->loop.uv);
	/* On a socket that was passed clients would wait for the next server:
	 * those are accepted, and refused. */
	if (!s->listeners.are_passed) {
		io_accept_close(&s->acceptor);
		io_listen_close_nbd(&s->listeners);
	}
	serve_drain(s->serve);
	drain_start(&s->drain);
}

/* Another one, while clients are still attached. */
static void hear_again(struct server *s, const char *why)
{
	if (s->params->swap != SWAP_OFF) {
		io_log(s->log, IO_LOG_NOTICE,
		       "%s again: with --swap attached clients are waited for, "
		       "whatever is sent; SIGKILL ends zsd, and what is "
		       "swapped out is lost",
		       why);
		drain_report(&s->drain);
		return;
	}
	if (uv_now(&s->loop.uv) - s->told_ms < AGAIN_MS) {
		io_log(s->log, IO_LOG_NOTICE,
		       "%s again within %u s: ignored; send it later to close "
		       "the connections",
		       why, AGAIN_MS / 1000);
		return;
	}
	io_log(s->log, IO_LOG_WARNING, "%s again: closing %u connections", why,
	       serve_nr_conns(s->serve));
	drain_stop(&s->drain);
	s->is_over = true;
}

void stop_begin(struct server *s, const char *why)
{
	if (s->is_ending)
		hear_again(s, why);
	else
		begin_end(s, why);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct server *s = signal->data;
	char why[32];

	(void)snprintf(why, sizeof(why), "received %s", name_of(number));
	if (number == SIGHUP)
		io_log(s->log, IO_LOG_NOTICE,
		       "received SIGHUP: there is no configuration file to be "
		       "read again");
	else
		stop_begin(s, why);
}

int stop_open(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < NR_SIGNALS && !err; i++)
		err = uv_signal_start(&s->signals[i], on_signal, waited_for[i]);
	return err;
}

/* What now takes too long ends by one more signal: it finds its default. But
 * not by a terminal that is closed. */
void stop_close(struct server *s)
{
	for (size_t i = 0; i < NR_SIGNALS; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	(void)signal(SIGHUP, SIG_IGN);
}
