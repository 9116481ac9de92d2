/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "zsctl/client.h"
#include "zsctl/device/stay.h"
#include "zsctl/text.h"

/* How often to look whether the device is still attached, ms: when it is taken
 * off the links go, and nothing is left to hear of. */
#define LOOK_MS 1000

/* How long to wait before another try, ms: the least, and the most where it
 * goes on failing. */
#define LEAST_WAIT_MS 10
#define MOST_WAIT_MS  1000

/* What signals come by in epoll; serials of sockets begin above it. */
#define SIGNALS_SERIAL 0u

/* More stack than anything here takes, bytes. */
#define STACK_BYTES ((size_t)128 << 10)

/* --- messages ------------------------------------------------------------ */

/* To standard error, if it can be taken there at once: its reader may be
 * waiting for swap, and so for us. */
static void say(const struct stay *s, const char *format, ...) ZSD_PRINTF(2, 3);
static void say(const struct stay *s, const char *format, ...)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	char raw[2 * DEVICE_TEXT_BYTES], text[2 * DEVICE_TEXT_BYTES];
	char line[3 * DEVICE_TEXT_BYTES];
	va_list args;
	ssize_t n;

	va_start(args, format);
	(void)vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	text_plain(raw, text, sizeof(text));
	(void)snprintf(line, sizeof(line), "zsctl: %s: %s\n", s->a->device.path,
		       text);
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
		return;
	n = write(STDERR_FILENO, line, strlen(line));
	(void)n; /* nobody is left to be told */
}

/* Say why it fails, when that is another reason than the last time. */
static void say_why(struct stay *s, int err, const char *why)
{
	if (s->said_err == err)
		return;
	s->said_err = err;
	say(s, "cannot connect again yet: %s", why);
}

/* --- what is needed ------------------------------------------------------ */

static void warn_of_measure(const char *what)
{
	(void)fprintf(stderr, "zsctl: warning: %s: %s\n", what,
		      strerror(errno));
}

static void touch_stack(void)
{
	volatile char stack[STACK_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
}

/* Never to wait for what waits for us. */
static void take_measures(void)
{
	int err;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		warn_of_measure("cannot lock memory");
	touch_stack();
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		warn_of_measure("cannot become an I/O flusher");
	err = files_write("/proc/self/oom_score_adj", "-1000");
	if (err) {
		errno = -err;
		warn_of_measure("the kernel may kill it for want of memory");
	}
}

static int watch(struct stay *s, int fd, uint32_t events, uint64_t serial)
{
	struct epoll_event event = {.events = events, .data.u64 = serial};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int take_descriptors(struct stay *s)
{
	sigset_t ends;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &ends, NULL))
		return -errno;
	s->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->signals < 0 || s->epoll < 0)
		return -errno;
	return watch(s, s->signals, EPOLLIN, SIGNALS_SERIAL);
}

enum zsctl_exit stay_begin(struct stay *s, struct attachment *a)
{
	json_t *arguments = zsctl_arguments(a->options->export);
	int err = -ENOMEM;

	*s = (struct stay){
		.a = a,
		.epoll = -1,
		.signals = -1,
		.last_serial = SIGNALS_SERIAL,
	};
	if (arguments)
		err = ctl_request_format(1, "stats", arguments, &s->request,
					 &s->request_bytes);
	json_decref(arguments);
	if (!err)
		err = take_descriptors(s);
	if (err) {
		device_complain("try again with more memory and descriptors",
				"cannot stay: %s", strerror(-err));
		return ZSCTL_REFUSED;
	}
	take_measures();
	return ZSCTL_OK;
}

void stay_fini(struct stay *s)
{
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->signals >= 0)
		close(s->signals);
	free(s->request);
}

/* --- links -------------------------------------------------------------------
 */

/* Reported once: it stays lost until it is another one. */
#define LINK_EVENTS (EPOLLRDHUP | EPOLLONESHOT)

/* Watch a socket that the kernel may have, and let go of it. */
static int put_link(struct stay *s, struct stay_link *link, int fd)
{
	const uint64_t serial = ++s->last_serial;
	int err = watch(s, fd, LINK_EVENTS, serial);

	close(fd);
	if (!err)
		*link = (struct stay_link){.serial = serial};
	return err;
}

/* A line of /proc/self/fdinfo: "tfd:  5 events: … data:  1f pos:0 …". */
static bool look_for_serial(void *arg, char *line)
{
	static const char name[] = "data:";
	uint64_t *serial = arg;
	const char *data = strstr(line, name);

	if (!data || strtoull(data + strlen(name), NULL, 16) != *serial)
		return true;
	*serial = 0;
	return false;
}

/* Whether somebody, which can be the kernel alone, still has the socket. */
static bool is_taken(const struct stay *s, const struct stay_link *link)
{
	char path[DEVICE_PATH_BYTES];
	uint64_t serial = link->serial;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->epoll);
	return files_each_line(path, look_for_serial, &serial) == 0 && !serial;
}

static size_t nr_lost(const struct stay *s)
{
	size_t nr = 0;

	for (size_t i = 0; i < s->nr_links; i++)
		nr += s->links[i].is_lost;
	return nr;
}

static void lose_link(struct stay *s, uint64_t serial)
{
	for (size_t i = 0; i < s->nr_links; i++) {
		if (s->links[i].serial != serial || s->links[i].is_lost)
			continue;
		s->links[i].is_lost = true;
		s->has_news = true;
		say(s, "connection %zu of %zu is lost: connecting again", i + 1,
		    s->nr_links);
	}
}

/* --- mending ------------------------------------------------------------- */

/* A socket to the same disk, or why there is none. */
static int connect_again(struct stay *s, int *fd, char why[DEVICE_TEXT_BYTES])
{
	const struct attachment *a = s->a;
	struct negotiated told;
	int err;

	err = disk_is_same(a->options, &a->disk, s->request, s->request_bytes);
	if (err == -EREMCHG)
		(void)snprintf(why, DEVICE_TEXT_BYTES,
			       "the zsd at %s has another disk. What this one "
			       "held is lost if its zsd has ended",
			       a->options->control_path);
	else if (err)
		(void)snprintf(why, DEVICE_TEXT_BYTES, "%s: %s",
			       a->options->control_path, strerror(-err));
	if (!err)
		err = disk_connect(a->options, &a->disk, &told, fd, why);
	return err;
}

/* Return: 0, -EAGAIN where the kernel does not know yet that one is lost, or
 * another -errno, which was said. */
static int mend(struct stay *s, struct stay_link *link)
{
	struct attachment *a = s->a;
	struct stay_link mended;
	char why[DEVICE_TEXT_BYTES] = "";
	int err, fd;

	err = connect_again(s, &fd, why);
	if (!err) {
		err = netlink_reconfigure(&a->netlink, a->device.index,
					  a->kernel.identifier, fd);
		if (err)
			(void)snprintf(why, sizeof(why),
				       "the kernel's nbd: %s %s",
				       strerror(-err), a->netlink.why);
		if (err)
			close(fd);
	}
	if (!err) {
		err = put_link(s, &mended, fd);
		if (err)
			(void)snprintf(why, sizeof(why), "epoll: %s",
				       strerror(-err));
	}
	if (err) {
		say_why(s, err, why);
		return err;
	}
	if (!is_taken(s, &mended))
		return -EAGAIN;
	*link = mended;
	s->said_err = 0;
	say(s, "connected again");
	return 0;
}

/* Return: how long to wait until the next try, ms. */
static int mend_all(struct stay *s, int waited_ms)
{
	int err = 0;

	for (size_t i = 0; i < s->nr_links && !err; i++) {
		if (s->links[i].is_lost)
			err = mend(s, &s->links[i]);
	}
	if (!err || err == -EAGAIN)
		return LEAST_WAIT_MS;
	return 2 * waited_ms < MOST_WAIT_MS ? 2 * waited_ms : MOST_WAIT_MS;
}

/* --- all of it ----------------------------------------------------------- */

static void tell_that_we_are_ready(const struct stay *s)
{
#ifdef HAVE_SYSTEMD
	(void)sd_notify(0, "READY=1");
#endif
	say(s, "attached; its connections are watched");
}

/* Take up what has happened. Return: false where a signal has come. */
static bool take_events(struct stay *s, int timeout_ms)
{
	struct epoll_event events[NETLINK_MAX_SOCKETS + 1];
	bool goes_on = true;
	int nr;

	nr = epoll_wait(s->epoll, events, NETLINK_MAX_SOCKETS + 1, timeout_ms);
	for (int i = 0; i < nr; i++) {
		if (events[i].data.u64 == SIGNALS_SERIAL)
			goes_on = false;
		else
			lose_link(s, events[i].data.u64);
	}
	return goes_on;
}

/* The kernel has the sockets: they are watched from here on. */
static int take_links(struct stay *s)
{
	struct netlink_device *kernel = &s->a->kernel;
	int err = 0;

	s->nr_links = kernel->nr_sockets;
	for (size_t i = 0; i < s->nr_links && !err; i++)
		err = put_link(s, &s->links[i], kernel->sockets[i]);
	kernel->nr_sockets = 0;
	return err;
}

enum zsctl_exit stay_on(struct stay *s)
{
	int wait_ms = LEAST_WAIT_MS, err = take_links(s);

	if (err) {
		device_complain("detach it, and attach it again: zsctl detach",
				"%s is attached, but cannot be watched: %s",
				s->a->device.path, strerror(-err));
		return ZSCTL_REFUSED;
	}
	tell_that_we_are_ready(s);
	while (take_events(s, nr_lost(s) ? wait_ms : LOOK_MS)) {
		if (!device_is_attached(&s->a->device)) {
			say(s, "it was detached");
			return ZSCTL_OK;
		}
		/* The kernel must have seen it, too; and a device that is being
		 * taken off is gone by then. */
		if (s->has_news || !nr_lost(s)) {
			s->has_news = false;
			wait_ms = LEAST_WAIT_MS;
			continue;
		}
		wait_ms = mend_all(s, wait_ms);
	}
	say(s, "told to end; it stays attached, and nobody watches it");
	return ZSCTL_OK;
}
