/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl - the control protocol: text of requests and replies, for both ends
 *
 * One JSON object a line each way:
 *   request  {"id":1,"command":"stats","arguments":{"classes":true}}
 *   reply    {"id":1,"result":{...}}
 *            {"id":1,"error":{"code":"EINVAL","message":"..."}}
 * Every line that the server takes is answered by one reply, in order; what
 * cannot be read as a request is answered by an error that says what is wrong
 * with it. docs/control-protocol.md is the standard; this is its text form and
 * nothing else: no sockets, and no knowledge of which commands there are.
 *
 * Hostile input: any bytes may be given to the parsers. Size is bounded by the
 * line splitter (ctl_lines.h), depth and numbers by the JSON parser.
 *
 * Ownership: what a parser fills in holds one JSON document until its fini;
 * strings and members point into it.
 * Threads: pure functions of their arguments.
 */
#ifndef ZSD_CTL_CTL_H
#define ZSD_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/units.h"

/*
 * The protocol's version. It grows only when something that a client may rely
 * on changes its meaning or goes away; additions leave it as it is.
 */
#define CTL_PROTOCOL 2

/* Longest request, bytes with the newline: far more than any command needs. */
#define CTL_MAX_REQUEST_BYTES ((size_t)(64 * KIB))

/*
 * Longest reply, bytes with the newline. The largest is `stats` of 64 exports
 * at some 3 KiB each, and as much for the longest name; half of it is left for
 * additions.
 */
#define CTL_MAX_REPLY_BYTES ((size_t)MIB)

/* Ids are 0 .. 2^53-1: integers that every JSON library keeps exact. */
#define CTL_MAX_ID ((json_int_t)(((uint64_t)1 << 53) - 1))
#define CTL_NO_ID  ((json_int_t)-1) /* null: the request's could not be read */

/* Error codes, X(name): of errno(3), and sent by name. */
#define CTL_ERRORS(X)                                                  \
	X(EPROTO) /* the line is no request */                         \
	X(EMSGSIZE) /* the line is too long */                         \
	X(EOPNOTSUPP) /* no such command, or not with this codec */    \
	X(EINVAL) /* an argument is unknown, or not what it must be */ \
	X(EBUSY) /* too many control clients, or dictionaries */       \
	X(EAGAIN) /* not now, but at another time */                   \
	X(ENOSPC) /* mem_limit has no room for it */                   \
	X(ENOMEM) /* the server is out of memory */                    \
	X(EIO) /* anything else */

/* Room for an error's message, bytes with the final NUL. */
#define CTL_ERROR_TEXT_BYTES 256

struct ctl_error {
	int err; /* -errno, one of CTL_ERRORS */
	char text[CTL_ERROR_TEXT_BYTES]; /* printable ASCII */
};

/**
 * ctl_error_set() - fill in an error
 * @err: -errno; one that is not in CTL_ERRORS is sent as EIO
 *
 * The text is cut to fit, and whatever is not printable ASCII becomes '?', so
 * that it may quote what the other end sent. Return: @err.
 */
int ctl_error_set(struct ctl_error *error, int err, const char *format, ...)
	ZSD_PRINTF(3, 4);

/* ctl_error_name() - "EINVAL" for -EINVAL; "EIO" if not in CTL_ERRORS */
const char *ctl_error_name(int err);

struct ctl_request {
	json_t *root; /* the document that the others point into */
	json_int_t id; /* 0 .. CTL_MAX_ID, or CTL_NO_ID */
	const char *command; /* UTF-8, without NULs */
	json_t *arguments; /* an object, or NULL where there are none */
};

/**
 * ctl_request_parse() - read one line as a request
 * @line:  any bytes, without the newline
 * @out:   receives the request; after an error only @out->id means anything:
 *         the request's, if it could be read, for the error reply
 * @error: filled in on error
 *
 * Which commands and arguments there are is for the server to say: see
 * ctl_arguments_check().
 *
 * Release: ctl_request_fini(), needless but harmless after an error.
 * Return: 0, -EPROTO where it is no request.
 */
int ctl_request_parse(const char *line, size_t bytes, struct ctl_request *out,
		      struct ctl_error *error) ZSD_MUST_CHECK;
void ctl_request_fini(struct ctl_request *request);

/**
 * ctl_request_format() - write a request as a line
 * @arguments: an object, or NULL for none; stays the caller's
 * @line:      receives the text, newline included; release with free(3)
 *
 * Return: 0, -ENOMEM, or -EMSGSIZE above CTL_MAX_REQUEST_BYTES.
 */
int ctl_request_format(json_int_t id, const char *command, json_t *arguments,
		       char **line, size_t *bytes) ZSD_MUST_CHECK;

/* What an argument may be. */
struct ctl_type {
	const char *name; /* for a message: "true or false" */
	bool (*holds)(const json_t *value);
};

extern const struct ctl_type ctl_boolean;
extern const struct ctl_type ctl_count;
extern const struct ctl_type ctl_text;

/* One argument that a command takes; all are optional. */
struct ctl_argument {
	const char *name; /* NULL ends a list */
	const struct ctl_type *type;
};

/**
 * ctl_arguments_check() - see whether a command takes these arguments
 * @arguments: an object, or NULL for none
 * @takes:     what the command takes, up to an entry without a name; NULL for
 *             none
 *
 * Return: 0, or -EINVAL with an error that names the argument.
 */
int ctl_arguments_check(json_t *arguments, const struct ctl_argument *takes,
			struct ctl_error *error) ZSD_MUST_CHECK;

struct ctl_reply {
	json_t *root; /* the document that the others point into */
	json_int_t id; /* of the request, or CTL_NO_ID */
	json_t *result; /* an object, or NULL: then it is an error */
	const char *code; /* of the error; may be one we do not know */
	const char *message; /* UTF-8: not fit for a terminal as it is */
};

/**
 * ctl_reply_parse() - read one line as a reply
 * @line:  any bytes, without the newline
 * @out:   receives the reply; untouched on error
 * @error: filled in on error
 *
 * Members that it does not know are passed over: additions break no client.
 *
 * Release: ctl_reply_fini(). Return: 0, -EPROTO where it is no reply.
 */
int ctl_reply_parse(const char *line, size_t bytes, struct ctl_reply *out,
		    struct ctl_error *error) ZSD_MUST_CHECK;
void ctl_reply_fini(struct ctl_reply *reply);

/**
 * ctl_reply_format() - write a reply as a line
 * @id:     of the request, or CTL_NO_ID
 * @result: an object, or NULL for an error; stays the caller's
 * @error:  used where there is no result
 * @line:   receives the text, newline included; release with free(3)
 *
 * Return: 0, -ENOMEM, or -EMSGSIZE above CTL_MAX_REPLY_BYTES.
 */
int ctl_reply_format(json_int_t id, json_t *result,
		     const struct ctl_error *error, char **line,
		     size_t *bytes) ZSD_MUST_CHECK;

#endif
