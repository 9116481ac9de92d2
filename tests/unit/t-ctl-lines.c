/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line splitter: whatever the pieces that a stream comes in, the same
 * lines come out, and memory stays what it was.
 */
#include "config.h"

#include <check.h>
#include <string.h>

#include "ctl/ctl_lines.h"
#include "suite.h"

/* The buffer of these tests: a line has at most 7 bytes and its newline. */
#define LINE_BYTES 8

/* What came out, as text: each line in brackets, "<overlong>" for one. */
#define OUT_BYTES 256

static void append(char out[OUT_BYTES], const char *text, size_t bytes)
{
	const size_t used = strlen(out);

	ck_assert_uint_lt(used + bytes, OUT_BYTES);
	memcpy(out + used, text, bytes);
	out[used + bytes] = '\0';
}

static void take_all(struct ctl_lines *lines, char out[OUT_BYTES])
{
	enum ctl_lines_next next;
	const char *line;
	size_t bytes;

	while ((next = ctl_lines_next(lines, &line, &bytes)) !=
	       CTL_LINES_NONE) {
		if (next == CTL_LINES_OVERLONG) {
			append(out, "<overlong>", strlen("<overlong>"));
			continue;
		}
		ck_assert_uint_lt(bytes, LINE_BYTES);
		append(out, "[", 1);
		append(out, line, bytes);
		append(out, "]", 1);
	}
}

/* Feed @stream in pieces of at most @piece bytes. */
static void feed(struct ctl_lines *lines, const char *stream, size_t piece,
		 char out[OUT_BYTES])
{
	size_t left = strlen(stream), n;
	char *space;

	while (left) {
		n = ctl_lines_space(lines, &space);
		ck_assert_uint_gt(n, 0);
		n = n < piece ? n : piece;
		n = n < left ? n : left;
		memcpy(space, stream, n);
		ctl_lines_add(lines, n);
		stream += n;
		left -= n;
		take_all(lines, out);
	}
}

static const struct {
	const char *stream;
	const char *out;
	bool rest;
} streams[] = {
	{"", "", false},
	{"\n", "[]", false},
	{"\n\n\n", "[][][]", false},
	{"a\n", "[a]", false},
	{"a", "", true},
	{"a\nb", "[a]", true},
	{"a\nbc\n\ndef\n", "[a][bc][][def]", false},
	{"1234567\n", "[1234567]", false},
	{"1234567\n1234567\n1234567\n", "[1234567][1234567][1234567]", false},
	{"12345678\n", "<overlong>", false},
	{"12345678", "<overlong>", true},
	{"123456789\nab\n", "<overlong>[ab]", false},
	{"ab\n12345678901234567890123456789012345\ncd\n", "[ab]<overlong>[cd]",
	 false},
	{"12345678\n12345678\n1234567\n", "<overlong><overlong>[1234567]",
	 false},
	{"ab\n123456789012345678901234567", "[ab]<overlong>", true},
};

/* Loop: stream and piece size. */
#define NR_PIECES 40

START_TEST(lines_do_not_depend_on_pieces)
{
	const size_t i = (size_t)_i / NR_PIECES;
	const size_t piece = (size_t)_i % NR_PIECES + 1;
	struct ctl_lines lines;
	char out[OUT_BYTES] = "";

	ck_assert_int_eq(ctl_lines_init(&lines, LINE_BYTES), 0);
	feed(&lines, streams[i].stream, piece, out);
	ck_assert_str_eq(out, streams[i].out);
	ck_assert_int_eq(ctl_lines_has_rest(&lines), streams[i].rest);
	ctl_lines_fini(&lines);
}
END_TEST

/* Ten mebibytes without a newline: reported once, and the next line is read. */
START_TEST(endless_line_is_passed_over)
{
	static const char tail[] = "end\nok\n";
	const size_t flood = (size_t)10 << 20;
	struct ctl_lines lines;
	char out[OUT_BYTES] = "";
	size_t n;
	char *space;

	ck_assert_int_eq(ctl_lines_init(&lines, LINE_BYTES), 0);
	for (size_t sent = 0; sent < flood; sent += n) {
		n = ctl_lines_space(&lines, &space);
		memset(space, '\0', n);
		ctl_lines_add(&lines, n);
		take_all(&lines, out);
	}
	feed(&lines, tail, 3, out);
	ck_assert_str_eq(out, "<overlong>[ok]");
	ctl_lines_fini(&lines);
}
END_TEST

/* A line that was taken stays valid until the buffer is read into again. */
START_TEST(line_stays_until_next_read)
{
	static const char stream[LINE_BYTES] = {"ab\ncd\nef"};
	struct ctl_lines lines;
	const char *first, *second;
	size_t first_bytes, second_bytes;
	char *space;

	ck_assert_int_eq(ctl_lines_init(&lines, LINE_BYTES), 0);
	ck_assert_uint_eq(ctl_lines_space(&lines, &space), LINE_BYTES);
	memcpy(space, stream, sizeof(stream));
	ctl_lines_add(&lines, sizeof(stream));
	ck_assert_int_eq(ctl_lines_next(&lines, &first, &first_bytes),
			 CTL_LINES_LINE);
	ck_assert_int_eq(ctl_lines_next(&lines, &second, &second_bytes),
			 CTL_LINES_LINE);
	ck_assert_mem_eq(first, "ab", first_bytes);
	ck_assert_mem_eq(second, "cd", second_bytes);
	ck_assert_uint_eq(ctl_lines_space(&lines, &space), LINE_BYTES - 2);
	ctl_lines_fini(&lines);
}
END_TEST

/* Bytes that are no lines may follow, with newlines in them. */
START_TEST(what_follows_a_line_can_be_taken)
{
	struct ctl_lines lines;
	const char *line;
	char *space, rest[8];
	size_t bytes;

	ck_assert_int_eq(ctl_lines_init(&lines, LINE_BYTES), 0);
	ck_assert_uint_eq(ctl_lines_space(&lines, &space), LINE_BYTES);
	memcpy(space, "ab\nc\n\nde", LINE_BYTES);
	ctl_lines_add(&lines, LINE_BYTES);
	ck_assert_int_eq(ctl_lines_next(&lines, &line, &bytes), CTL_LINES_LINE);
	ck_assert_uint_eq(ctl_lines_take(&lines, rest, 2), 2);
	ck_assert_mem_eq(rest, "c\n", 2);
	ck_assert(ctl_lines_has_rest(&lines));
	ck_assert_uint_eq(ctl_lines_take(&lines, rest, sizeof(rest)), 3);
	ck_assert_mem_eq(rest, "\nde", 3);
	ck_assert(!ctl_lines_has_rest(&lines));
	ck_assert_uint_eq(ctl_lines_take(&lines, rest, sizeof(rest)), 0);
	ctl_lines_fini(&lines);
}
END_TEST

static Suite *lines_suite(void)
{
	Suite *suite = suite_create("ctl_lines");
	TCase *tcase = tcase_create("lines");

	tcase_add_loop_test(tcase, lines_do_not_depend_on_pieces, 0,
			    ARRAY_SIZE(streams) * NR_PIECES);
	tcase_add_test(tcase, endless_line_is_passed_over);
	tcase_add_test(tcase, line_stays_until_next_read);
	tcase_add_test(tcase, what_follows_a_line_can_be_taken);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(lines_suite());
}
