/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "serve/busy_poll.h"
#include "zsd/options/options.h"
#include "zsd/options/utf8.h"
#include "zsd/options/values.h"

/* A day: a bound that keeps milliseconds far from any overflow. */
#define MAX_TIMEOUT_S 86400u

struct value {
	int key;
	const char *name;
	/* Returns 0, or EINVAL after refuse(). */
	error_t (*take)(const struct value *value,
			const struct value_source *source, const char *text,
			void *field);
	bool is_of_disk;
	size_t field; /* its offset */
	unsigned min; /* for take_number() */
	unsigned max;
};

/* Say what is wrong with a value. Return: EINVAL. */
static error_t refuse(const struct value *value,
		      const struct value_source *source, const char *format,
		      ...) ZSD_PRINTF(3, 4);
static error_t refuse(const struct value *value,
		      const struct value_source *source, const char *format,
		      ...)
{
	char what[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (source->export)
		argp_error(source->state, "--export '%s': %s: %s",
			   source->export, value->name, what);
	else
		argp_error(source->state, "--%s: %s", value->name, what);
	return EINVAL;
}

/* --- numbers and sizes ------------------------------------------------------ */

static error_t take_number(const struct value *value,
			   const struct value_source *source, const char *text,
			   void *field)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno ||
	    number < value->min || number > value->max)
		return refuse(value, source,
			      "'%s' must be a number from %u to %u", text,
			      value->min, value->max);
	*(unsigned *)field = (unsigned)number;
	return 0;
}

static uint64_t memory_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

static error_t take_size(const struct value *value,
			 const struct value_source *source, const char *text,
			 void *field)
{
	if (units_parse(text, memory_bytes(), field) == 0)
		return 0;
	return refuse(value, source,
		      "'%s' must be a size, such as 512M, 1.5G (1 G is 1024 "
		      "M), 50%% or ram/2",
		      text);
}

static error_t take_limit(const struct value *value,
			  const struct value_source *source, const char *text,
			  void *field)
{
	const uint64_t *bytes = field;
	char min[UNITS_TEXT_BYTES];

	if (take_size(value, source, text, field))
		return EINVAL;
	if (*bytes == 0 || *bytes >= ZSTORE_MIN_LIMIT_BYTES)
		return 0;
	return refuse(value, source,
		      "'%s' must be at least %s, which metadata alone may "
		      "take, or 0 for no limit",
		      text, units_format(ZSTORE_MIN_LIMIT_BYTES, min));
}

static error_t take_disk_size(const struct value *value,
			      const struct value_source *source,
			      const char *text, void *field)
{
	const uint64_t *bytes = field;
	char max[UNITS_TEXT_BYTES];

	if (take_size(value, source, text, field))
		return EINVAL;
	if (*bytes && *bytes % ZSD_PAGE_BYTES == 0 &&
	    *bytes <= ZSTORE_MAX_DISK_BYTES)
		return 0;
	return refuse(value, source,
		      "'%s' must be a multiple of %u bytes, and at most %s",
		      text, ZSD_PAGE_BYTES,
		      units_format(ZSTORE_MAX_DISK_BYTES, max));
}

/* --- text --------------------------------------------------------------------
 */

static error_t take_text(const struct value *value,
			 const struct value_source *source, const char *text,
			 void *field)
{
	if (*text == '\0')
		return refuse(value, source, "it must not be empty");
	*(const char **)field = text;
	return 0;
}

static error_t take_name(const struct value *value,
			 const struct value_source *source, const char *text,
			 void *field)
{
	if (strlen(text) > EXPORT_MAX_NAME_BYTES)
		return refuse(value, source, "it must have at most %u bytes",
			      EXPORT_MAX_NAME_BYTES);
	if (!utf8_is_valid(text))
		return refuse(value, source, "it must be UTF-8");
	*(const char **)field = text;
	return 0;
}

/* --- choices
 * ------------------------------------------------------------------- */

/* What --algorithm auto stands for. */
#define AUTO_ALGORITHM	"zstd:1"
#define AUTO_RECOMPRESS "plz"

/* Refuse @text, which is none, and none of @others. */
static error_t refuse_codec(const struct value *value,
			    const struct value_source *source, const char *text,
			    const char *others)
{
	char known[128] = "";
	const char *one;

	for (size_t i = 0; (one = zcomp_describe(i)) != NULL; i++) {
		strncat(known, i ? " or " : "",
			sizeof(known) - strlen(known) - 1);
		strncat(known, one, sizeof(known) - strlen(known) - 1);
	}
	return refuse(value, source, "'%s' must be %s%s", text, known, others);
}

static error_t take_algorithm(const struct value *value,
			      const struct value_source *source,
			      const char *text, void *field)
{
	struct zstore_params *store = field;

	if (strcmp(text, "auto") == 0) {
		if (zcomp_parse(AUTO_ALGORITHM, &store->zcomp) ||
		    zcomp_parse(AUTO_RECOMPRESS, &store->recomp))
			abort();
		return 0;
	}
	if (zcomp_parse(text, &store->zcomp) == 0)
		return 0;
	return refuse_codec(value, source, text, " or auto");
}

/* Of "plz,age=60,threshold=1K" what stands behind the codec. */
static error_t take_rest(const struct value *value,
			 const struct value_source *source, char *list,
			 struct disk_params *disk)
{
	char name[64], *item;

	while ((item = strsep(&list, ",")) != NULL) {
		char *text = strchr(item, '=');
		const struct value *other;

		if (!text)
			return refuse(value, source,
				      "'%s' must be age=SECONDS or "
				      "threshold=SIZE",
				      item);
		*text++ = '\0';
		(void)snprintf(name, sizeof(name), "recompress-%s", item);
		other = value_of_disk(name);
		if (!other)
			return refuse(value, source,
				      "'%s' must be age or threshold", item);
		if (value_take(other, source, text, NULL, disk))
			return EINVAL;
	}
	return 0;
}

static error_t take_recompress(const struct value *value,
			       const struct value_source *source,
			       const char *text, void *field)
{
	struct disk_params *disk = field;
	char copy[256], *rest = copy, *codec;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return refuse(value, source, "it is too long");
	codec = strsep(&rest, ",");
	if (strcmp(codec, "off") == 0)
		disk->store.recomp.ops = NULL;
	else if (zcomp_parse(codec, &disk->store.recomp))
		return refuse_codec(value, source, codec, " or off");
	return rest ? take_rest(value, source, rest, disk) : 0;
}

static error_t take_threshold(const struct value *value,
			      const struct value_source *source,
			      const char *text, void *field)
{
	uint32_t *threshold = field;
	uint64_t bytes = 0;

	if (take_size(value, source, text, &bytes))
		return EINVAL;
	if (bytes >= ZSD_PAGE_BYTES)
		return refuse(value, source, "'%s' must be less than a page",
			      text);
	*threshold = (uint32_t)bytes;
	return 0;
}

static error_t take_flag(const struct value *value,
			 const struct value_source *source, const char *text,
			 void *field)
{
	if (text && strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		return refuse(value, source, "'%s' must be on or off", text);
	*(bool *)field = !text || strcmp(text, "on") == 0;
	return 0;
}

static error_t take_share(const struct value *value,
			  const struct value_source *source, const char *text,
			  void *field)
{
	bool is_on = false;

	if (take_flag(value, source, text, &is_on))
		return EINVAL;
	*(enum share_mode *)field = is_on ? SHARE_ON : SHARE_OFF;
	return 0;
}

static error_t take_incompressible(const struct value *value,
				   const struct value_source *source,
				   const char *text, void *field)
{
	enum incompressible_mode *mode = field;

	if (strcmp(text, "store") == 0)
		*mode = INCOMPRESSIBLE_STORE;
	else if (strcmp(text, "backing") == 0)
		*mode = INCOMPRESSIBLE_BACKING;
	else
		return refuse(value, source, "'%s' must be store or backing",
			      text);
	return 0;
}

static error_t take_swap(const struct value *value,
			 const struct value_source *source, const char *text,
			 void *field)
{
	if (text && strcmp(text, "strict") != 0)
		return refuse(value, source, "'%s' must be strict", text);
	*(enum swap_mode *)field = text ? SWAP_STRICT : SWAP_ON;
	return 0;
}

static error_t take_survive(const struct value *value,
			    const struct value_source *source, const char *text,
			    void *field)
{
	enum survive_mode *mode = field;

	if (!text)
		*mode = SURVIVE_ON;
	else if (strcmp(text, "strict") == 0)
		*mode = SURVIVE_STRICT;
	else if (strcmp(text, "off") == 0)
		*mode = SURVIVE_OFF;
	else
		return refuse(value, source, "'%s' must be strict or off",
			      text);
	return 0;
}

static error_t take_poll(const struct value *value,
			 const struct value_source *source, const char *text,
			 void *field)
{
	if (text)
		return take_number(value, source, text, field);
	*(unsigned *)field = BUSY_POLL_DEFAULT_US;
	return 0;
}

/* --- which there are
 * ------------------------------------------------------------ */

#define SERVER(field) false, offsetof(struct server_params, field)
#define DISK(field)   true, offsetof(struct disk_params, field)

static const struct value values[] = {
	{'s', "size", take_disk_size, DISK(store.disk_bytes), 0, 0},
	{'u', "socket", take_text, SERVER(listen.socket_path), 0, 0},
	{'l', "listen", take_text, SERVER(listen.listen_address), 0, 0},
	{'c', "control", take_text, SERVER(listen.control_path), 0, 0},
	{'a', "algorithm", take_algorithm, DISK(store), 0, 0},
	{KEY_RECOMPRESS, "recompress", take_recompress, true, 0, 0, 0},
	{KEY_SHARE, "share", take_share, DISK(share), 0, 0},
	{KEY_RECOMPRESS_AGE, "recompress-age", take_number, DISK(policy.age_s),
	 1, DECIDE_MAX_AGE_S},
	{KEY_RECOMPRESS_THRESHOLD, "recompress-threshold", take_threshold,
	 DISK(policy.threshold_bytes), 0, 0},
	{KEY_BACKING, "backing", take_text, DISK(backing), 0, 0},
	{KEY_ENCRYPT, "encrypt", take_flag, DISK(encrypt), 0, 0},
	{KEY_INCOMPRESSIBLE, "incompressible", take_incompressible,
	 DISK(incompressible), 0, 0},
	{KEY_WRITEBACK_AGE, "writeback-age", take_number,
	 DISK(policy.writeback_age_s), 1, DECIDE_MAX_AGE_S},
	{KEY_WRITEBACK_LIMIT, "writeback-limit", take_size,
	 DISK(writeback_day_bytes), 0, 0},
	{KEY_CHECKSUM, "checksum", take_flag, DISK(store.checksum), 0, 0},
	{KEY_DICTIONARY, "dictionary", take_text, DISK(dictionary), 0, 0},
	{'m', "mem-limit", take_limit, DISK(store.mem_limit_bytes), 0, 0},
	{'r', "reserve", take_size, DISK(store.reserve_bytes), 0, 0},
	{'t', "threads", take_number, SERVER(nr_threads), 1, SERVE_MAX_THREADS},
	{KEY_CHAIN_SIZE, "chain-size", take_number, DISK(store.chain_size),
	 ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX},
	{'n', "export-name", take_name, DISK(name), 0, 0},
	{KEY_DESCRIPTION, "description", take_name, DISK(description), 0, 0},
	{KEY_READ_ONLY, "read-only", take_flag, DISK(read_only), 0, 0},
	{KEY_MAX_CONNECTIONS, "max-connections", take_number,
	 SERVER(max_connections), 1, SERVE_MAX_CONNECTIONS},
	{KEY_HANDSHAKE_TIMEOUT, "handshake-timeout", take_number,
	 SERVER(handshake_timeout_s), 1, MAX_TIMEOUT_S},
	{KEY_STOP_TIMEOUT, "stop-timeout", take_number, SERVER(stop_timeout_s),
	 0, MAX_TIMEOUT_S},
	{'P', "pid-file", take_text, SERVER(pid_file), 0, 0},
	{'v', "verbose", take_flag, SERVER(verbose), 0, 0},
	{KEY_SWAP, "swap", take_swap, SERVER(swap), 0, 0},
	{KEY_SURVIVE, "survive", take_survive, SERVER(survive), 0, 0},
	{KEY_POLL, "poll", take_poll, SERVER(poll_us), 0, BUSY_POLL_MAX_US},
	{KEY_DAEMON, "daemon", take_flag, SERVER(daemon), 0, 0},
	{KEY_RESTORE, "restore", take_text, DISK(restore), 0, 0},
};

const struct value *value_of_option(int key)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].key == key)
			return &values[i];
	}
	return NULL;
}

const struct value *value_of_disk(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].is_of_disk && values[i].key != 'n' &&
		    strcmp(values[i].name, name) == 0)
			return &values[i];
	}
	return NULL;
}

error_t value_take(const struct value *value, const struct value_source *source,
		   const char *text, struct server_params *server,
		   struct disk_params *disk)
{
	char *to = value->is_of_disk ? (char *)disk : (char *)server;

	if (!text && value->take != take_flag && value->take != take_swap &&
	    value->take != take_survive && value->take != take_poll)
		return refuse(value, source, "it needs a value");
	return value->take(value, source, text, to + value->field);
}

error_t value_take_name(const struct value_source *source, const char *text,
			struct disk_params *disk)
{
	static const struct value name = {.name = "export"};
	const struct value_source option = {.state = source->state};

	return take_name(&name, &option, text, &disk->name);
}
