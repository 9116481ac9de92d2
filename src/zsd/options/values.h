/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * values - from an option's argument to a field of struct server_params
 *
 * Each option that has a value is a row of one table. Those of a disk are also
 * keys of --export, so that both take the same values, and refuse the same.
 */
#ifndef ZSD_ZSD_OPTIONS_VALUES_H
#define ZSD_ZSD_OPTIONS_VALUES_H

#include <argp.h>
#include <stddef.h>

#include "zsd/server.h"

/* No size that can be given: --reserve is not there. */
#define RESERVE_UNSET UINT64_MAX

/* No window that can be given: --poll is not there. */
#define POLL_UNSET UINT32_MAX

/* Options without a letter. */
enum {
	KEY_CHAIN_SIZE = 0x100,
	KEY_MAX_CONNECTIONS,
	KEY_HANDSHAKE_TIMEOUT,
	KEY_STOP_TIMEOUT,
	KEY_CHECKSUM,
	KEY_DICTIONARY,
	KEY_SWAP,
	KEY_DESCRIPTION,
	KEY_READ_ONLY,
	KEY_POLL,
	KEY_SURVIVE,
	KEY_DAEMON,
	KEY_EXPORT,
	KEY_RESTORE,
	KEY_RECOMPRESS,
	KEY_RECOMPRESS_AGE,
	KEY_RECOMPRESS_THRESHOLD,
	KEY_SHARE,
	KEY_BACKING,
	KEY_ENCRYPT,
	KEY_INCOMPRESSIBLE,
	KEY_WRITEBACK_AGE,
	KEY_WRITEBACK_LIMIT,
};

/* Where a value comes from, for what is said of a wrong one. */
struct value_source {
	struct argp_state *state;
	const char *export; /* name in --export, or NULL: an option of its own */
};

struct value;

/* value_of_option() - the row of an option, or NULL: it has no value */
const struct value *value_of_option(int key);

/* value_of_disk() - the row of a key of --export, or NULL: there is no such */
const struct value *value_of_disk(const char *name);

/**
 * value_take() - read an argument, and put it where it belongs
 * @text:   NULL where there is none
 * @server: receives it, if it is not of a disk
 * @disk:   receives it, if it is
 *
 * A wrong one is explained on standard error and ends the process.
 * Return: 0 or an errno, for argp.
 */
error_t value_take(const struct value *value, const struct value_source *source,
		   const char *text, struct server_params *server,
		   struct disk_params *disk);

/* value_take_name() - the name of an export, in --export */
error_t value_take_name(const struct value_source *source, const char *text,
			struct disk_params *disk);

#endif
