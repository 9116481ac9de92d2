/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/bits.h"
#include "base/check.h"
#include "io/log.h"

_Static_assert((IO_LOG_LINES & (IO_LOG_LINES - 1)) == 0, "it is a mask");

#define NS_PER_S UINT64_C(1000000000)

/* How the system's log tells a daemon from others: RFC 3164, "facility". */
#define FACILITY_DAEMON (3u << 3)

static const char prefix[] = "zsd: ";

/*
 * One line of the ring. @turn tells whose it is: that of the line with number
 * N is N while a writer may fill it, N + 1 once it is filled, and N + the
 * number of lines in the ring when it was taken out.
 */
struct line {
	_Atomic uint64_t turn;
	uint16_t bytes; /* of text, the newline included */
	uint8_t priority;
	char text[IO_LOG_LINE_BYTES];
};

struct io_log {
	struct line lines[IO_LOG_LINES];
	_Atomic uint64_t next; /* number of the next line to be filled */
	uint64_t first; /* of the next to be taken out; the reader's */
	_Atomic uint64_t nr_dropped;
	uint64_t nr_said; /* of those dropped, how many were told of */
	bool is_journal; /* priorities are wanted */
	_Atomic int syslog_fd; /* to the system's log, or -1 */
	struct sockaddr_un syslog; /* set before syslog_fd */
	bool is_started;
	uv_sem_t filled; /* posted for each line, and for the end */
	uv_sem_t ended; /* the thread's last act */
	uv_thread_t thread;
	atomic_bool is_ending;
};

/* --- filling -------------------------------------------------------------- */

/* The next free line, and its number; NULL where the ring is full. */
static struct line *take_line(struct io_log *log, uint64_t *number)
{
	uint64_t next = atomic_load_explicit(&log->next, memory_order_relaxed);

	for (;;) {
		struct line *line = &log->lines[next % IO_LOG_LINES];
		uint64_t turn =
			atomic_load_explicit(&line->turn, memory_order_acquire);

		if (turn < next) /* it was not taken out yet */
			return NULL;
		if (turn == next &&
		    atomic_compare_exchange_weak_explicit(
			    &log->next, &next, next + 1, memory_order_relaxed,
			    memory_order_relaxed)) {
			*number = next;
			return line;
		}
		next = atomic_load_explicit(&log->next, memory_order_relaxed);
	}
}

static ZSD_PRINTF(2, 0) void fill(struct line *line, const char *format,
				  va_list args)
{
	const size_t used = sizeof(prefix) - 1;
	const size_t room = sizeof(line->text) - used - 1; /* for the newline */
	int bytes;

	memcpy(line->text, prefix, used);
	bytes = vsnprintf(line->text + used, room, format, args);
	line->bytes = (uint16_t)(used + min_u64(bytes > 0 ? (uint64_t)bytes : 0,
						room - 1));
	line->text[line->bytes++] = '\n';
}

static ZSD_PRINTF(3, 0) void log_va(struct io_log *log,
				    enum io_log_priority priority,
				    const char *format, va_list args)
{
	uint64_t number;
	struct line *line = take_line(log, &number);

	if (!line) {
		atomic_fetch_add_explicit(&log->nr_dropped, 1,
					  memory_order_relaxed);
		return;
	}
	fill(line, format, args);
	line->priority = (uint8_t)priority;
	atomic_store_explicit(&line->turn, number + 1, memory_order_release);
	uv_sem_post(&log->filled);
}

void io_log(struct io_log *log, enum io_log_priority priority,
	    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_va(log, priority, format, args);
	va_end(args);
}

/* --- not too many --------------------------------------------------------- */

/* Several threads may see a second begin; a line more or less is no harm. */
static bool may_say(struct io_log_limit *limit)
{
	const uint64_t now = uv_hrtime() / NS_PER_S;

	if (atomic_exchange(&limit->window, now) != now)
		atomic_store(&limit->nr_lines, 0);
	return atomic_fetch_add(&limit->nr_lines, 1) < IO_LOG_SOME;
}

void io_log_some(struct io_log *log, struct io_log_limit *limit,
		 enum io_log_priority priority, const char *format, ...)
{
	uint64_t nr_unsaid;
	va_list args;

	if (!may_say(limit)) {
		atomic_fetch_add(&limit->nr_unsaid, 1);
		return;
	}
	nr_unsaid = atomic_exchange(&limit->nr_unsaid, 0);
	va_start(args, format);
	log_va(log, priority, format, args);
	va_end(args);
	if (nr_unsaid)
		io_log(log, priority,
		       "%" PRIu64 " more like this were not logged", nr_unsaid);
}

/* --- writing -------------------------------------------------------------- */

static void write_all(const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(STDERR_FILENO, text, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) { /* its reader's choice */
			struct pollfd fd = {STDERR_FILENO, POLLOUT, 0};

			(void)poll(&fd, 1, -1);
			continue;
		}
		if (n <= 0)
			return; /* nobody is left to be told */
		text += n;
		bytes -= (size_t)n;
	}
}

/* Each line is a datagram, without its newline. */
static void send_to_syslog(const struct io_log *log, unsigned priority,
			   const char *text, size_t text_bytes)
{
	char whole[IO_LOG_LINE_BYTES + 32];
	int bytes = snprintf(whole, sizeof(whole),
			     "<%u>zsd[%d]: ", FACILITY_DAEMON | priority,
			     (int)getpid());

	text += sizeof(prefix) - 1;
	text_bytes -= sizeof(prefix);
	memcpy(whole + bytes, text, text_bytes);
	/* Each time by its address: whoever listens there may start anew. */
	while (sendto(log->syslog_fd, whole, (size_t)bytes + text_bytes,
		      MSG_NOSIGNAL, (const struct sockaddr *)&log->syslog,
		      sizeof(log->syslog)) < 0 &&
	       errno == EINTR)
		;
}

/* In one piece, so that it does not mix with what others write there. */
static void write_line(const struct io_log *log, unsigned priority,
		       const char *text, size_t text_bytes)
{
	char whole[IO_LOG_LINE_BYTES + 8];
	int bytes = 0;

	if (atomic_load(&log->syslog_fd) >= 0) {
		send_to_syslog(log, priority, text, text_bytes);
		return;
	}
	if (log->is_journal)
		bytes = snprintf(whole, sizeof(whole), "<%u>", priority);
	memcpy(whole + bytes, text, text_bytes);
	write_all(whole, (size_t)bytes + text_bytes);
}

static void tell_of_dropped(struct io_log *log)
{
	uint64_t dropped = io_log_nr_dropped(log);
	char text[64];
	int bytes;

	if (dropped == log->nr_said)
		return;
	bytes = snprintf(text, sizeof(text),
			 "zsd: %" PRIu64 " lines of the log were lost\n",
			 dropped - log->nr_said);
	log->nr_said = dropped;
	write_line(log, IO_LOG_WARNING, text, (size_t)bytes);
}

/* Write what there is. */
static void drain(struct io_log *log)
{
	for (;;) {
		struct line *line = &log->lines[log->first % IO_LOG_LINES];

		if (atomic_load_explicit(&line->turn, memory_order_acquire) !=
		    log->first + 1)
			break;
		write_line(log, line->priority, line->text, line->bytes);
		atomic_store_explicit(&line->turn, log->first + IO_LOG_LINES,
				      memory_order_release);
		log->first++;
	}
	tell_of_dropped(log);
}

static void thread_main(void *arg)
{
	struct io_log *log = arg;

	do {
		uv_sem_wait(&log->filled);
		drain(log);
	} while (!atomic_load(&log->is_ending));
	drain(log);
	uv_sem_post(&log->ended);
}

/* --- life ----------------------------------------------------------------- */

/* Whether standard error is what the journal gave us. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
	       st.st_ino == inode;
}

int io_log_create(struct io_log **out)
{
	struct io_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	for (unsigned i = 0; i < IO_LOG_LINES; i++)
		atomic_init(&log->lines[i].turn, i);
	log->is_journal = is_journal();
	atomic_init(&log->syslog_fd, -1);
	if (uv_sem_init(&log->filled, 0))
		goto err_log;
	if (uv_sem_init(&log->ended, 0))
		goto err_filled;
	*out = log;
	return 0;

err_filled:
	uv_sem_destroy(&log->filled);
err_log:
	free(log);
	return -ENOMEM;
}

int io_log_start(struct io_log *log)
{
	int err = uv_thread_create(&log->thread, thread_main, log);

	log->is_started = !err;
	return err;
}

int io_log_to_syslog(struct io_log *log, const char *path)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	log->syslog.sun_family = AF_UNIX;
	(void)snprintf(log->syslog.sun_path, sizeof(log->syslog.sun_path), "%s",
		       path);
	/* Only to find out whether there is somebody. */
	if (connect(fd, (const struct sockaddr *)&log->syslog,
		    sizeof(log->syslog)) ||
	    connect(fd, &nobody, sizeof(nobody))) {
		err = -errno;
		close(fd);
		return err;
	}
	atomic_store(&log->syslog_fd, fd);
	return 0;
}

/* Whether the thread ended within IO_LOG_END_MS. */
static bool await_end(struct io_log *log)
{
	for (unsigned ms = 0; ms < IO_LOG_END_MS; ms++) {
		if (uv_sem_trywait(&log->ended) == 0)
			return true;
		(void)usleep(1000);
	}
	return false;
}

void io_log_close(struct io_log *log)
{
	if (!log)
		return;
	if (!log->is_started) {
		drain(log);
	} else {
		atomic_store(&log->is_ending, true);
		uv_sem_post(&log->filled);
		/* If nobody reads what it writes, the process ends with it
		 * there, and so its memory must stay. */
		if (!await_end(log))
			return;
		uv_thread_join(&log->thread);
	}
	if (atomic_load(&log->syslog_fd) >= 0)
		close(atomic_load(&log->syslog_fd));
	uv_sem_destroy(&log->ended);
	uv_sem_destroy(&log->filled);
	free(log);
}

uint64_t io_log_nr_dropped(const struct io_log *log)
{
	return atomic_load_explicit(&log->nr_dropped, memory_order_relaxed);
}
