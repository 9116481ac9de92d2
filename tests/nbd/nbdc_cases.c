/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/bits.h"
#include "base/units.h"
#include "nbd/nbdc_cases.h"

/* --- options ------------------------------------------------------------- */

static const char fixed[] = "Fixed newstyle negotiation";
static const char notls[] = "NOTLS mode";
static const char types[] = "Option types";
static const char querying[] = "Metadata querying";
static const char base[] = "The base: metadata namespace";
static const char strings[] = "Conventions";

/* Data, all of them; or, with 'n' after those given, so many bytes. */
#define PADDED(literal, bytes) literal, sizeof(literal) - 1, bytes
#define WHOLE(literal)	       PADDED(literal, sizeof(literal) - 1)
#define TOO_LONG	       PADDED("", NBDC_MAX_DATA_BYTES + 1)

#define INFOS	 OPT_INFO, OPT_GO
#define CONTEXTS OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT
#define UNSUP	 REP_ERR_UNSUP
#define INVALID	 REP_ERR_INVALID

/* Lengths that do not add up. */
#define BAD_INFO(what, data)                                   \
	{                                                      \
		types, what, INFOS, WHOLE(data), INVALID, true \
	}
#define BAD_CONTEXT(section, what, data)                            \
	{                                                           \
		section, what, CONTEXTS, WHOLE(data), INVALID, true \
	}

/* The empty name of an export, and a count of queries. */
#define ONE_QUERY "\0\0\0\0\0\0\0\1"

const struct nbdc_option_case nbdc_option_cases[] = {
	/* Options that are not known. */
	{types, "option 0", 0, 0, WHOLE(""), UNSUP, true},
	{types, "an option of no number yet", 12, 0, WHOLE(""), UNSUP, true},
	{fixed, "the largest option, with data to be skipped", UINT32_MAX, 0,
	 PADDED("data", 5004), UNSUP, true},
	{types, "PEEK_EXPORT, withdrawn", OPT_PEEK_EXPORT, 0, WHOLE(""), UNSUP,
	 true},
	{types, "EXTENDED_HEADERS, an extension", OPT_EXTENDED_HEADERS, 0,
	 WHOLE(""), UNSUP, true},
	{notls, "STARTTLS", OPT_STARTTLS, 0, WHOLE(""), UNSUP, true},
	{notls, "STARTTLS with data", OPT_STARTTLS, 0, WHOLE("x"), UNSUP, true},

	/* EXPORT_NAME, which knows no error. */
	{types, "EXPORT_NAME of no export", OPT_EXPORT_NAME, 0, WHOLE("other"),
	 HANGS_UP, true},
	{types, "EXPORT_NAME with a NUL", OPT_EXPORT_NAME, 0, WHOLE("swap\0"),
	 HANGS_UP, true},
	{strings, "EXPORT_NAME of 4097 bytes", OPT_EXPORT_NAME, 0,
	 PADDED("", 4097), HANGS_UP, true},
	{strings, "EXPORT_NAME of 65537 bytes", OPT_EXPORT_NAME, 0, TOO_LONG,
	 HANGS_UP, true},

	/* LIST, STRUCTURED_REPLY: no data. */
	{types, "LIST with data", OPT_LIST, 0, WHOLE("x"), INVALID, true},
	{types, "STRUCTURED_REPLY with data", OPT_STRUCTURED_REPLY, 0,
	 WHOLE("x"), INVALID, false},
	{fixed, "STRUCTURED_REPLY once more", OPT_STRUCTURED_REPLY, 0,
	 WHOLE(""), REP_ACK, true},

	/* INFO and GO. */
	BAD_INFO("no data", ""),
	BAD_INFO("a name length alone", "\0\0\0\0"),
	BAD_INFO("half a count of infos", "\0\0\0\0\0"),
	BAD_INFO("a name longer than the data - 6", "\0\0\0\5swap\0\0"),
	BAD_INFO("a name of 2^32 - 1 bytes", "\377\377\377\377\0\0"),
	BAD_INFO("an info too few", "\0\0\0\0\0\2\0\3"),
	BAD_INFO("65535 infos that are not there", "\0\0\0\0\377\377"),
	BAD_INFO("a byte after the infos", "\0\0\0\0\0\1\0\3x"),
	BAD_INFO("a byte after no infos", "\0\0\0\0\0\0\0"),
	BAD_INFO("half an info", "\0\0\0\0\0\1\0"),
	BAD_INFO("a name that runs into the count", "\0\0\0\1\0\0"),
	BAD_INFO("a name and half a count", "\0\0\0\4swap\0"),
	BAD_INFO("a name of 2^32 - 6 bytes", "\377\377\377\372\0\0"),
	BAD_INFO("a name of 2^31 bytes", "\200\0\0\0swap\0\0"),
	{types, "an unknown export", INFOS, WHOLE("\0\0\0\5other\0\0"),
	 REP_ERR_UNKNOWN, true},
	{types, "an unknown info", INFOS, WHOLE("\0\0\0\0\0\1\377\377"),
	 REP_ACK, true},
	{types, "an info that is asked for twice", INFOS,
	 WHOLE("\0\0\0\0\0\2\0\3\0\3"), REP_ACK, true},
	{types, "data of 65537 bytes", INFOS, TOO_LONG, REP_ERR_TOO_BIG, true},

	/* LIST_META_CONTEXT and SET_META_CONTEXT. */
	{types, "contexts without structured replies", CONTEXTS,
	 WHOLE(ONE_QUERY "\0\0\0\17base:allocation"), INVALID, false},
	BAD_CONTEXT(types, "no data", ""),
	BAD_CONTEXT(types, "no count of queries", "\0\0\0\0"),
	BAD_CONTEXT(types, "a name that reaches beyond the data",
		    "\0\0\0\5swap\0\0\0\0"),
	BAD_CONTEXT(types, "a name of 2^32 - 1 bytes",
		    "\377\377\377\377\0\0\0\0"),
	BAD_CONTEXT(types, "a query that is not there", ONE_QUERY),
	BAD_CONTEXT(types, "2^32 - 1 queries that are not there",
		    "\0\0\0\0\377\377\377\377"),
	BAD_CONTEXT(types, "a query that reaches beyond the data",
		    ONE_QUERY "\0\0\0\20base:allocation"),
	BAD_CONTEXT(types, "a query of 2^32 - 1 bytes",
		    ONE_QUERY "\377\377\377\377base:allocation"),
	BAD_CONTEXT(types, "a byte after the queries", "\0\0\0\0\0\0\0\0x"),
	BAD_CONTEXT(types, "half a name length", "\0\0\0"),
	BAD_CONTEXT(types, "half a count", "\0\0\0\0\0\0\0"),
	BAD_CONTEXT(types, "a name that runs into the count",
		    "\0\0\0\1\0\0\0\0"),
	BAD_CONTEXT(types, "half a query length", ONE_QUERY "\0\0\0"),
	BAD_CONTEXT(types, "a query and a byte", ONE_QUERY "\0\0\0\2a:b"),
	BAD_CONTEXT(types, "a second query that is not there",
		    "\0\0\0\0\0\0\0\2\0\0\0\2a:"),
	BAD_CONTEXT(querying, "an empty query", ONE_QUERY "\0\0\0\0"),
	BAD_CONTEXT(querying, "a colon alone", ONE_QUERY "\0\0\0\1:"),
	BAD_CONTEXT(querying, "a query without a colon",
		    ONE_QUERY "\0\0\0\4base"),
	BAD_CONTEXT(querying, "a query with an empty namespace",
		    ONE_QUERY "\0\0\0\2:x"),
	{strings, "a query of 4098 bytes", CONTEXTS,
	 PADDED(ONE_QUERY "\0\0\20\2x:", 4110), INVALID, true},
	{types, "contexts of an unknown export", CONTEXTS,
	 WHOLE("\0\0\0\5other\0\0\0\1\0\0\0\17base:allocation"),
	 REP_ERR_UNKNOWN, true},
	{types, "a query of an unknown namespace", CONTEXTS,
	 WHOLE(ONE_QUERY "\0\0\0\6qemu:x"), REP_ACK, true},
	{base, "a query of an unknown leaf", CONTEXTS,
	 WHOLE(ONE_QUERY "\0\0\0\6base:x"), REP_ACK, true},
	{types, "data of 65537 bytes", CONTEXTS, TOO_LONG, REP_ERR_TOO_BIG,
	 true},
};

const size_t nbdc_nr_option_cases = ARRAY_SIZE(nbdc_option_cases);

/* --- requests ------------------------------------------------------------ */

static const char reading[] = "Request types: NBD_CMD_READ";
static const char writing[] = "Request types: NBD_CMD_WRITE";
static const char flushing[] = "Request types: NBD_CMD_FLUSH";
static const char trimming[] = "Request types: NBD_CMD_TRIM";
static const char caching[] = "Request types: NBD_CMD_CACHE";
static const char zeroing[] = "Request types: NBD_CMD_WRITE_ZEROES";
static const char status[] = "Request types: NBD_CMD_BLOCK_STATUS";
static const char flags[] = "Command flags";
static const char errors[] = "Error values";
static const char sizes[] = "Size constraints";

#define END	NBDC_CASES_DISK_BYTES
#define WRAP(n) (UINT64_MAX - (n) + 1)

const struct nbdc_request_case nbdc_request_cases[] = {
	/* Ranges. */
	{errors, "read: the last byte", SIMPLE, CMD_READ, 0, END - 1, 1, OK},
	{errors, "read: a byte too many", SIMPLE, CMD_READ, 0, END - 1, 2,
	 ERR_INVAL},
	{errors, "read: past the end", SIMPLE, CMD_READ, 0, END, 1, ERR_INVAL},
	{errors, "read: the end wraps around", SIMPLE, CMD_READ, 0, WRAP(1),
	 4096, ERR_INVAL},
	{errors, "read in chunks: a byte too many", CHUNKS, CMD_READ, 0,
	 END - 1, 2, ERR_INVAL},
	{errors, "read in chunks: the end wraps around", CHUNKS, CMD_READ, 0,
	 WRAP(4096), UINT32_MAX, ERR_INVAL},
	{errors, "write: the last byte", SIMPLE, CMD_WRITE, 0, END - 1, 1, OK},
	{errors, "write: a byte too many", SIMPLE, CMD_WRITE, 0, END - 4095,
	 4096, ERR_NOSPC},
	{errors, "write: past the end", SIMPLE, CMD_WRITE, 0, END, 65536,
	 ERR_NOSPC},
	{errors, "write: the end wraps around", SIMPLE, CMD_WRITE, 0, WRAP(1),
	 4096, ERR_NOSPC},
	{errors, "write: past the end, told in a chunk", CHUNKS, CMD_WRITE, 0,
	 END - 4095, 4096, ERR_NOSPC},
	{errors, "trim: past the end", SIMPLE, CMD_TRIM, 0, END - 4096, 8192,
	 ERR_INVAL},
	{errors, "trim: the end wraps around", SIMPLE, CMD_TRIM, 0, WRAP(4096),
	 UINT32_MAX, ERR_INVAL},
	{errors, "trim: past the end, told in a chunk", CHUNKS, CMD_TRIM, 0,
	 END, 1, ERR_INVAL},
	{zeroing, "zeroes: past the end", SIMPLE, CMD_WRITE_ZEROES, 0,
	 END - 4096, 8192, ERR_NOSPC},
	{zeroing, "zeroes: the end wraps around", SIMPLE, CMD_WRITE_ZEROES, 0,
	 WRAP(4096), UINT32_MAX, ERR_NOSPC},
	{sizes, "cache: past the end", SIMPLE, CMD_CACHE, 0, END - 4096, 8192,
	 ERR_INVAL},
	{status, "status: the last byte", CONTEXT, CMD_BLOCK_STATUS, 0, END - 1,
	 1, OK},
	{status, "status: past the end", CONTEXT, CMD_BLOCK_STATUS, 0, END - 1,
	 2, ERR_INVAL},
	{status, "status: the end wraps around", CONTEXT, CMD_BLOCK_STATUS, 0,
	 WRAP(1), UINT32_MAX, ERR_INVAL},

	/* No length at all: no error, but for what has no answer then. */
	{reading, "read: of nothing", SIMPLE, CMD_READ, 0, 0, 0, OK},
	{reading, "read in chunks: of nothing", CHUNKS, CMD_READ, 0, END, 0,
	 OK},
	{writing, "write: of nothing", SIMPLE, CMD_WRITE, 0, END, 0, OK},
	{trimming, "trim: of nothing", SIMPLE, CMD_TRIM, 0, 0, 0, OK},
	{zeroing, "zeroes: of nothing", SIMPLE, CMD_WRITE_ZEROES, 0, 0, 0, OK},
	{status, "status: of nothing", CONTEXT, CMD_BLOCK_STATUS, 0, 0, 0,
	 ERR_INVAL},

	/* Lengths. */
	{sizes, "read: as long as may be", SIMPLE, CMD_READ, 0, 5, 32 * MIB,
	 OK},
	{sizes, "read: longer", SIMPLE, CMD_READ, 0, 0, 32 * MIB + 1,
	 ERR_INVAL},
	{reading, "read in chunks: longer", CHUNKS, CMD_READ, 0, 0, 33 * MIB,
	 OK},
	{reading, "read in one chunk: 64 KiB", CHUNKS, CMD_READ, FLAG_DF, 1,
	 65536, OK},
	{reading, "read in one chunk: as long as may be", CHUNKS, CMD_READ,
	 FLAG_DF, 1, 32 * MIB, OK},
	{reading, "read in one chunk: longer", CHUNKS, CMD_READ, FLAG_DF, 0,
	 32 * MIB + 1, ERR_OVERFLOW},
	{reading, "read in one chunk: the last byte, FUA", CHUNKS, CMD_READ,
	 FLAG_DF | FLAG_FUA, END - 1, 1, OK},
	{reading, "read in one chunk: past the end", CHUNKS, CMD_READ, FLAG_DF,
	 END, 1, ERR_INVAL},
	{status, "status: of the whole disk", CONTEXT, CMD_BLOCK_STATUS, 0, 0,
	 END, OK},
	{sizes, "write: longer, told in a chunk", CHUNKS, CMD_WRITE, 0, 0,
	 32 * MIB + 1, ERR_INVAL},
	{sizes, "write: longer", SIMPLE, CMD_WRITE, 0, 0, 32 * MIB + 1,
	 ERR_INVAL},
	{sizes, "write: the longest that is skipped", SIMPLE, CMD_WRITE, 0, 0,
	 NBDC_MAX_SKIP_BYTES, ERR_INVAL},
	{sizes, "write: denial of service", SIMPLE, CMD_WRITE, 0, 0,
	 NBDC_MAX_SKIP_BYTES + 1, HANGS_UP},
	{sizes, "write: 4 GiB", CHUNKS, CMD_WRITE, 0, 0, UINT32_MAX, HANGS_UP},
	{sizes, "trim: of any length", SIMPLE, CMD_TRIM, 0,
	 2 * NBDC_KNOWN_OFFSET, END - 2 * NBDC_KNOWN_OFFSET, OK},
	{sizes, "zeroes: of any length", SIMPLE, CMD_WRITE_ZEROES,
	 FLAG_FAST_ZERO, 2 * NBDC_KNOWN_OFFSET, END - 2 * NBDC_KNOWN_OFFSET,
	 OK},

	/* Types. */
	{errors, "the first type that is unknown", SIMPLE, CMD_RESIZE, 0, 0,
	 4096, ERR_INVAL},
	{errors, "the largest type", SIMPLE, UINT16_MAX, 0, 0, 4096, ERR_INVAL},
	{errors, "an unknown type with a flag", SIMPLE, 255, FLAG_REQ_ONE, 0, 0,
	 ERR_INVAL},
	{errors, "an unknown type, told in a chunk", CHUNKS, 99, 0, 0, 0,
	 ERR_INVAL},
	{status, "status without structured replies", SIMPLE, CMD_BLOCK_STATUS,
	 0, 0, 4096, ERR_INVAL},
	{status, "status without a context", CHUNKS, CMD_BLOCK_STATUS, 0, 0,
	 4096, ERR_INVAL},
	{flushing, "flush with an offset", SIMPLE, CMD_FLUSH, 0, 1, 0,
	 ERR_INVAL},
	{flushing, "flush with a length", SIMPLE, CMD_FLUSH, 0, 0, 1,
	 ERR_INVAL},

	/* Flags. */
	{flags, "read: FUA, as any command", SIMPLE, CMD_READ, FLAG_FUA, 0,
	 4096, OK},
	{flags, "write: FUA, as any command", SIMPLE, CMD_WRITE, FLAG_FUA, 0,
	 4096, OK},
	{flags, "trim: FUA, as any command", SIMPLE, CMD_TRIM, FLAG_FUA, 0,
	 4096, OK},
	{flags, "flush: FUA, as any command", SIMPLE, CMD_FLUSH, FLAG_FUA, 0, 0,
	 OK},
	{flags, "status: FUA, as any command", CONTEXT, CMD_BLOCK_STATUS,
	 FLAG_FUA | FLAG_REQ_ONE, 0, 4096, OK},
	{flags, "read: DF without structured replies", SIMPLE, CMD_READ,
	 FLAG_DF, 0, 4096, ERR_INVAL},
	{flags, "read: REQ_ONE", CONTEXT, CMD_READ, FLAG_REQ_ONE, 0, 4096,
	 ERR_INVAL},
	{flags, "write: NO_HOLE", SIMPLE, CMD_WRITE, FLAG_NO_HOLE, 0, 4096,
	 ERR_INVAL},
	{flags, "write: FAST_ZERO, told in a chunk", CHUNKS, CMD_WRITE,
	 FLAG_FAST_ZERO, 0, 4096, ERR_INVAL},
	{flags, "trim: FAST_ZERO", SIMPLE, CMD_TRIM, FLAG_FAST_ZERO, 0, 4096,
	 ERR_INVAL},
	{flags, "trim: NO_HOLE", SIMPLE, CMD_TRIM, FLAG_NO_HOLE, 0, 4096,
	 ERR_INVAL},
	{flags, "trim: DF", CHUNKS, CMD_TRIM, FLAG_DF, 0, 4096, ERR_INVAL},
	{caching, "cache: a page", SIMPLE, CMD_CACHE, 0, 0, 4096, OK},
	{caching, "cache: a flag that it does not know", SIMPLE, CMD_CACHE,
	 FLAG_REQ_ONE, 0, 4096, ERR_INVAL},
	{flags, "zeroes: all its flags", SIMPLE, CMD_WRITE_ZEROES,
	 FLAG_FUA | FLAG_NO_HOLE | FLAG_FAST_ZERO, 0, 4096, OK},
	{flags, "zeroes: DF", CHUNKS, CMD_WRITE_ZEROES, FLAG_DF, 0, 4096,
	 ERR_INVAL},
	{flags, "flush: DF", CHUNKS, CMD_FLUSH, FLAG_DF, 0, 0, ERR_INVAL},
	{flags, "write: DF", CHUNKS, CMD_WRITE, FLAG_DF, 0, 4096, ERR_INVAL},
	{flags, "status: NO_HOLE", CONTEXT, CMD_BLOCK_STATUS, FLAG_NO_HOLE, 0,
	 4096, ERR_INVAL},
	{flags, "status: FAST_ZERO", CONTEXT, CMD_BLOCK_STATUS, FLAG_FAST_ZERO,
	 0, 4096, ERR_INVAL},
	{flags, "status: DF", CONTEXT, CMD_BLOCK_STATUS, FLAG_DF, 0, 4096,
	 ERR_INVAL},
};

const size_t nbdc_nr_request_cases = ARRAY_SIZE(nbdc_request_cases);

const struct nbdc_request_case nbdc_read_only_cases[] = {
	{errors, "write", SIMPLE, CMD_WRITE, 0, 0, 4096, ERR_PERM},
	{errors, "write: FUA, told in a chunk", CHUNKS, CMD_WRITE, FLAG_FUA, 0,
	 100000, ERR_PERM},
	{errors, "trim", SIMPLE, CMD_TRIM, 0, 0, 4096, ERR_PERM},
	{zeroing, "zeroes", SIMPLE, CMD_WRITE_ZEROES, 0, 0, 4096, ERR_PERM},
	{zeroing, "zeroes: NO_HOLE, told in a chunk", CHUNKS, CMD_WRITE_ZEROES,
	 FLAG_NO_HOLE, 0, 4096, ERR_PERM},
	{reading, "read", SIMPLE, CMD_READ, 0, 0, 4096, OK},
	{flushing, "flush", SIMPLE, CMD_FLUSH, 0, 0, 0, OK},
	{caching, "cache", SIMPLE, CMD_CACHE, 0, 0, 4096, OK},
	{status, "status", CONTEXT, CMD_BLOCK_STATUS, 0, 0, 4096, OK},
};

const size_t nbdc_nr_read_only_cases = ARRAY_SIZE(nbdc_read_only_cases);
