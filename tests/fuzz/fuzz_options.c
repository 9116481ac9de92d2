/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsd's command line.
 *
 * An input is its words, separated by newlines. What is taken must be in
 * range, and mean the same when it is written out and read again.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "zsd/options.h"

#define MAX_WORDS 64
#define MAX_BYTES 4096u

/* Words of a command line that was made here. */
struct command_line {
	int argc;
	char *argv[MAX_WORDS + 1];
};

static void add_word(struct command_line *line, const char *fmt, ...)
	ZSD_PRINTF(2, 3);

static void add_word(struct command_line *line, const char *fmt, ...)
{
	va_list args;
	int n;

	FUZZ_CHECK(line->argc < MAX_WORDS, "too many words");
	va_start(args, fmt);
	n = vasprintf(&line->argv[line->argc++], fmt, args);
	va_end(args);
	FUZZ_CHECK(n >= 0, "no memory");
	line->argv[line->argc] = NULL;
}

static void add_text(struct command_line *line, const char *option,
		     const char *text)
{
	if (text)
		add_word(line, "--%s=%s", option, text);
}

static void free_words(struct command_line *line)
{
	/* The parser may have put them in another order. */
	for (int i = 0; i < line->argc; i++)
		free(line->argv[i]);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void write_out(const struct server_params *p, struct command_line *line)
{
	char codec[ZCOMP_NAME_BYTES];

	add_word(line, "zsd");
	add_word(line, "--size=%" PRIu64, p->store.disk_bytes);
	add_text(line, "socket", p->listen.socket_path);
	add_text(line, "listen", p->listen.listen_address);
	add_text(line, "control", p->listen.control_path);
	add_text(line, "algorithm", zcomp_format(&p->store.zcomp, codec));
	if (p->store.checksum)
		add_word(line, "--checksum");
	add_word(line, "--mem-limit=%" PRIu64, p->store.mem_limit_bytes);
	add_word(line, "--reserve=%" PRIu64, p->store.reserve_bytes);
	add_word(line, "--threads=%u", p->nr_threads);
	add_word(line, "--chain-size=%u", p->store.chain_size);
	add_text(line, "export-name", p->export_name);
	add_text(line, "description", p->description);
	if (p->read_only)
		add_word(line, "--read-only");
	add_word(line, "--max-connections=%u", p->max_connections);
	add_word(line, "--handshake-timeout=%u", p->handshake_timeout_s);
	add_word(line, "--stop-timeout=%u", p->stop_timeout_s);
	add_text(line, "pid-file", p->pid_file);
	if (p->verbose)
		add_word(line, "--verbose");
	add_word(line, "--poll=%u", p->poll_us);
	if (p->swap != SWAP_OFF)
		add_word(line, "--swap%s",
			 p->swap == SWAP_STRICT ? "=strict" : "");
}

static void compare(const struct server_params *a,
		    const struct server_params *b)
{
	char a_codec[ZCOMP_NAME_BYTES], b_codec[ZCOMP_NAME_BYTES];

	FUZZ_CHECK(a->store.disk_bytes == b->store.disk_bytes &&
			   a->store.mem_limit_bytes ==
				   b->store.mem_limit_bytes &&
			   a->store.reserve_bytes == b->store.reserve_bytes,
		   "a size changes");
	FUZZ_CHECK(a->nr_threads == b->nr_threads &&
			   a->store.chain_size == b->store.chain_size &&
			   a->max_connections == b->max_connections &&
			   a->handshake_timeout_s == b->handshake_timeout_s &&
			   a->stop_timeout_s == b->stop_timeout_s &&
			   a->poll_us == b->poll_us &&
			   a->store.checksum == b->store.checksum &&
			   a->swap == b->swap && a->read_only == b->read_only &&
			   a->verbose == b->verbose,
		   "a number changes");
	FUZZ_CHECK(is_same_text(a->listen.socket_path, b->listen.socket_path) &&
			   is_same_text(a->listen.listen_address, b->listen.listen_address) &&
			   is_same_text(a->listen.control_path, b->listen.control_path) &&
			   is_same_text(a->export_name, b->export_name) &&
			   is_same_text(a->description, b->description) &&
			   is_same_text(a->pid_file, b->pid_file),
		   "a text changes");
	FUZZ_CHECK(strcmp(zcomp_format(&a->store.zcomp, a_codec),
			  zcomp_format(&b->store.zcomp, b_codec)) == 0,
		   "the algorithm changes");
}

static void check_ranges(const struct server_params *p)
{
	FUZZ_CHECK(p->store.disk_bytes &&
			   p->store.disk_bytes % ZSD_PAGE_BYTES == 0 &&
			   p->store.disk_bytes <= ZSTORE_MAX_DISK_BYTES,
		   "a disk of %" PRIu64 " bytes", p->store.disk_bytes);
	FUZZ_CHECK(p->nr_threads >= 1 && p->nr_threads <= SERVER_MAX_THREADS,
		   "%u threads", p->nr_threads);
	FUZZ_CHECK(p->store.chain_size >= ZS_CHAIN_SIZE_MIN &&
			   p->store.chain_size <= ZS_CHAIN_SIZE_MAX,
		   "chains of %u", p->store.chain_size);
	FUZZ_CHECK(p->max_connections >= 1 &&
			   p->max_connections <= SERVER_MAX_CONNECTIONS,
		   "%u connections", p->max_connections);
	FUZZ_CHECK(!p->store.mem_limit_bytes ||
			   p->store.mem_limit_bytes >= ZSTORE_MIN_LIMIT_BYTES,
		   "a limit of %" PRIu64 " bytes", p->store.mem_limit_bytes);
	FUZZ_CHECK(p->handshake_timeout_s >= 1, "no time for a handshake");
	FUZZ_CHECK(strlen(p->export_name) <= SERVER_MAX_NAME_BYTES &&
			   strlen(p->description) <= SERVER_MAX_NAME_BYTES,
		   "too long a name");
	FUZZ_CHECK(p->listen.socket_path || p->listen.listen_address, "no socket");
	FUZZ_CHECK(p->listen.control_path || !p->listen.socket_path, "no control socket");
}

/* Words of our own are all right. */
static void read_back(const struct server_params *p)
{
	struct command_line line = {0};
	struct options twin;

	write_out(p, &line);
	FUZZ_CHECK(!options_read(line.argc, line.argv, true, &twin),
		   "what it read it does not read again");
	compare(p, &twin.server);
	options_fini(&twin);
	free_words(&line);
}

/* The reference is as wide as no size can be. */
static void check_size(const char *text)
{
	static const char suffixes[] = "KMGT";
	unsigned __int128 expected = 0;
	const char *p = text, *suffix;
	uint64_t bytes;
	int err = units_parse(text, &bytes);
	bool is_size = *p >= '0' && *p <= '9';

	for (; *p >= '0' && *p <= '9'; p++) {
		expected = expected * 10 + (unsigned)(*p - '0');
		if (expected >> 64)
			expected = (unsigned __int128)1 << 64;
	}
	suffix = *p ? strchr(suffixes, toupper((unsigned char)*p)) : NULL;
	if (suffix) {
		expected <<= 10 * (suffix - suffixes + 1);
		p++;
		if (strcasecmp(p, "iB") == 0)
			p += 2;
	}
	if (strcasecmp(p, "B") == 0)
		p++;
	is_size = is_size && !*p;
	if (!is_size)
		FUZZ_CHECK(err == -EINVAL, "'%s' is no size: %d", text, err);
	else if (expected >> 64)
		FUZZ_CHECK(err == -ERANGE, "'%s' is too large: %d", text, err);
	else
		FUZZ_CHECK(!err && bytes == (uint64_t)expected,
			   "'%s' is read as %" PRIu64, text, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char bytes[MAX_BYTES + 1], program[] = "zsd";
	char *argv[MAX_WORDS + 1] = {program}, *rest = bytes;
	struct options options;
	int argc = 1;

	unsetenv("LISTEN_FDS");
	size = size < MAX_BYTES ? size : MAX_BYTES;
	memcpy(bytes, data, size);
	bytes[size] = '\0';
	while (rest && argc < MAX_WORDS) {
		argv[argc] = strsep(&rest, "\n");
		check_size(argv[argc++]);
	}
	if (!options_read(argc, argv, true, &options)) {
		check_ranges(&options.server);
		read_back(&options.server);
	}
	options_fini(&options);
	return 0;
}
