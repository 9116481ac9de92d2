/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes on the control socket, as the server's end and as the client's.
 *
 * An input is the longest line, then the stream itself. Lines are compared
 * with those of a splitter that sees the stream whole; what reads as a request
 * or a reply must read the same when it is written and read again.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "ctl/ctl.h"
#include "ctl/ctl_lines.h"
#include "fuzz.h"

static const struct ctl_argument some_arguments[] = {
	{"classes", &ctl_boolean},
	{NULL, NULL},
};

/* --- one line ------------------------------------------------------------ */

static void check_error(const struct ctl_error *error)
{
	size_t bytes = strnlen(error->text, sizeof(error->text));

	FUZZ_CHECK(bytes && bytes < sizeof(error->text),
		   "an error without a text");
	for (size_t i = 0; i < bytes; i++)
		FUZZ_CHECK(error->text[i] >= ' ' && error->text[i] <= '~',
			   "an error's text is not printable");
}

/* The reply to it can be sent, and be read. */
static void check_refusal(json_int_t id, const struct ctl_error *error)
{
	struct ctl_error other;
	struct ctl_reply reply;
	size_t bytes;
	char *line;

	check_error(error);
	FUZZ_CHECK(!ctl_reply_format(id, NULL, error, &line, &bytes),
		   "a refusal cannot be written");
	FUZZ_CHECK(line[bytes - 1] == '\n' && !memchr(line, '\n', bytes - 1),
		   "a refusal is not one line");
	FUZZ_CHECK(!ctl_reply_parse(line, bytes - 1, &reply, &other),
		   "a refusal cannot be read: %s", other.text);
	FUZZ_CHECK(reply.id == id && !reply.result &&
			   strcmp(reply.code, ctl_error_name(error->err)) ==
				   0 &&
			   strcmp(reply.message, error->text) == 0,
		   "a refusal says something else");
	ctl_reply_fini(&reply);
	free(line);
}

static void check_twin_request(const struct ctl_request *request)
{
	struct ctl_request twin;
	struct ctl_error error;
	size_t bytes;
	char *line;
	int err;

	err = ctl_request_format(request->id, request->command,
				 request->arguments, &line, &bytes);
	/* What was sent as two bytes may take six when it is escaped. */
	if (err == -EMSGSIZE)
		return;
	FUZZ_CHECK(!err, "a request cannot be written: %d", err);
	FUZZ_CHECK(!ctl_request_parse(line, bytes - 1, &twin, &error),
		   "a request cannot be read again: %s", error.text);
	FUZZ_CHECK(twin.id == request->id &&
			   strcmp(twin.command, request->command) == 0 &&
			   !twin.arguments == !request->arguments &&
			   (!twin.arguments ||
			    json_equal(twin.arguments, request->arguments)),
		   "a request changes when it is written");
	ctl_request_fini(&twin);
	free(line);
}

static void take_as_request(const char *line, size_t bytes)
{
	struct ctl_request request;
	struct ctl_error error;
	int err;

	err = ctl_request_parse(line, bytes, &request, &error);
	FUZZ_CHECK(request.id >= CTL_NO_ID && request.id <= CTL_MAX_ID,
		   "an id out of range");
	if (err) {
		FUZZ_CHECK(err == -EPROTO && error.err == err, "no request: %d",
			   err);
		check_refusal(request.id, &error);
		return;
	}
	check_twin_request(&request);
	err = ctl_arguments_check(request.arguments, some_arguments, &error);
	if (err)
		check_refusal(request.id, &error);
	else
		FUZZ_CHECK(json_object_size(request.arguments) <= 1,
			   "arguments that no command takes");
	ctl_request_fini(&request);
}

static void take_as_reply(const char *line, size_t bytes)
{
	struct ctl_reply reply;
	struct ctl_error error;
	int err;

	err = ctl_reply_parse(line, bytes, &reply, &error);
	if (err) {
		FUZZ_CHECK(err == -EPROTO, "no reply: %d", err);
		check_error(&error);
		return;
	}
	FUZZ_CHECK(reply.result ? json_is_object(reply.result)
				: reply.code && reply.message,
		   "a reply that is neither result nor error");
	ctl_reply_fini(&reply);
}

/* In memory of its own, so that a sanitizer sees what reads beyond it. */
static void take_alone(const char *line, size_t bytes)
{
	char *copy = malloc(bytes + !bytes);

	FUZZ_CHECK(copy, "no memory");
	memcpy(copy, line, bytes);
	take_as_request(copy, bytes);
	take_as_reply(copy, bytes);
	free(copy);
}

/* --- lines --------------------------------------------------------------- */

/* What is left of the stream, and the longest line in it that is one. */
struct reference {
	const char *at;
	const char *end;
	size_t max_bytes;
	bool in_overlong; /* at the rest of a line that was reported */
};

/* The next thing in the part of the stream that was received. */
static enum ctl_lines_next next_in_reference(struct reference *r,
					     const char **line, size_t *bytes)
{
	size_t left = (size_t)(r->end - r->at);
	const char *newline = memchr(r->at, '\n', left);

	if (r->in_overlong) {
		if (!newline)
			return CTL_LINES_NONE;
		r->in_overlong = false;
		r->at = newline + 1;
		return next_in_reference(r, line, bytes);
	}
	*line = r->at;
	*bytes = newline ? (size_t)(newline - r->at) : left;
	if (*bytes >= r->max_bytes) {
		r->in_overlong = true;
		return CTL_LINES_OVERLONG;
	}
	if (!newline)
		return CTL_LINES_NONE;
	r->at = newline + 1;
	return CTL_LINES_LINE;
}

/* Takes out all that there is, and compares it. */
static void take_lines(struct ctl_lines *lines, struct reference *r)
{
	const char *line, *same_line;
	size_t bytes, same_bytes;
	enum ctl_lines_next next;

	do {
		next = ctl_lines_next(lines, &line, &bytes);
		FUZZ_CHECK(next == next_in_reference(r, &same_line,
						     &same_bytes),
			   "another kind of line");
		if (next != CTL_LINES_LINE)
			continue;
		FUZZ_CHECK(bytes == same_bytes &&
				   memcmp(line, same_line, bytes) == 0,
			   "another line");
		take_alone(line, bytes);
	} while (next != CTL_LINES_NONE);
	FUZZ_CHECK(ctl_lines_has_rest(lines) ==
			   (r->in_overlong || r->at < r->end),
		   "another rest");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t edges[] = {2, 63, 64, 65};
	struct fuzz_input in;
	struct ctl_lines lines;
	struct reference r;
	const uint8_t *stream;
	size_t left;
	uint8_t max;

	fuzz_input_init(&in, data, size);
	max = fuzz_byte(&in);
	left = fuzz_take(&in, size, &stream);
	/* The pieces are cut by the stream's own last bytes. */
	fuzz_input_init(&in, data, size);
	r = (struct reference){.at = (const char *)stream,
			       .end = (const char *)stream,
			       .max_bytes = max < 128 ? CTL_MAX_REQUEST_BYTES
						      : max - 126u};
	FUZZ_CHECK(!ctl_lines_init(&lines, r.max_bytes), "ctl_lines_init");
	while (left) {
		char *space;
		size_t room = ctl_lines_space(&lines, &space);
		size_t n = fuzz_piece(&in, left, edges, ARRAY_SIZE(edges));

		FUZZ_CHECK(room, "no space for more");
		n = min_u64(n, room);
		memcpy(space, r.end, n);
		ctl_lines_add(&lines, n);
		r.end += n;
		left -= n;
		take_lines(&lines, &r);
	}
	ctl_lines_fini(&lines);
	return 0;
}
