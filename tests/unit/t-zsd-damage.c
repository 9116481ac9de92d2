/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of damage: every page is named as long as there are few, and no
 * client that reads a damaged page again and again fills a disk with lines.
 */
#include "config.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "zsd/damage_log.h"
#include "io/log.h"
#include "suite.h"

static struct damage_log damage;

/* What was logged since the last look. */
static struct {
	unsigned nr;
	char last[LOG_LINE_BYTES];
	char before[LOG_LINE_BYTES];
} lines;

void log_line(const char *format, ...)
{
	va_list args;

	lines.nr++;
	memcpy(lines.before, lines.last, sizeof(lines.last));
	va_start(args, format);
	vsnprintf(lines.last, sizeof(lines.last), format, args);
	va_end(args);
}

static void setup(void)
{
	ck_assert_int_eq(damage_log_init(&damage), 0);
	memset(&lines, 0, sizeof(lines));
}

static void teardown(void)
{
	damage_log_fini(&damage);
}

static unsigned flush_at(uint64_t seconds)
{
	lines.nr = 0;
	damage_log_flush(&damage, seconds * UINT64_C(1000000000));
	return lines.nr;
}

static void assert_last_names(uint64_t index)
{
	char name[32];

	snprintf(name, sizeof(name), "page %" PRIu64 " ", index);
	ck_assert_msg(strstr(lines.last, name), "no '%s' in: %s", name,
		      lines.last);
}

START_TEST(a_page_is_named)
{
	ck_assert(damage_log_note(&damage, 4711));
	ck_assert_uint_eq(flush_at(100), 1);
	assert_last_names(4711);
	ck_assert_uint_eq(flush_at(100), 0);
	ck_assert(damage_log_note(&damage, UINT64_MAX));
	ck_assert_uint_eq(flush_at(100), 1);
	assert_last_names(UINT64_MAX);
}
END_TEST

START_TEST(only_the_first_wakes)
{
	ck_assert(damage_log_note(&damage, 1));
	ck_assert(!damage_log_note(&damage, 2));
	ck_assert(!damage_log_note(&damage, 1));
	ck_assert_uint_eq(flush_at(100), 3);
	ck_assert(damage_log_note(&damage, 2));
}
END_TEST

START_TEST(lines_are_bounded_and_none_is_lost_count_of)
{
	unsigned nr = 0, nr_notes = 0;

	for (uint64_t i = 0; i < 1000; i++) {
		for (unsigned j = 0; j < 2 * DAMAGE_LOG_PAGES; j++) {
			damage_log_note(&damage, i);
			nr_notes++;
		}
		nr += flush_at(100);
	}
	ck_assert_uint_eq(nr, DAMAGE_LOG_BURST);
	damage_log_note(&damage, 5);
	ck_assert_uint_eq(flush_at(106), 2);
	assert_last_names(5);
	ck_assert_uint_eq(strtoul(strpbrk(lines.before, "0123456789"), NULL,
				  10),
			  nr_notes - DAMAGE_LOG_BURST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsd/damage");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_page_is_named);
	tcase_add_test(tc, only_the_first_wakes);
	tcase_add_test(tc, lines_are_bounded_and_none_is_lost_count_of);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
