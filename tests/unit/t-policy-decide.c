/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages are recompressed or written out, and how old they must be; and
 * what is read of the machine for that.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "policy/decide.h"
#include "suite.h"

/* Nothing is short, and it is time. */
static const struct decide_view calm = {
	.is_settled = true,
	.most_age_s = DECIDE_DEFAULT_AGE_S,
	.since_round_s = UINT32_MAX,
};

/* --- ages ------------------------------------------------------------------ */

/* Those of Android's mmd, of which the default is. */
static const struct {
	double used;
	uint32_t age_s;
} ages[] = {
	{0, 14400},  {0.1, 11567}, {0.25, 9263},
	{0.5, 7791}, {0.75, 7369}, {0.93, 7269},
};

START_TEST(the_fuller_memory_is_the_younger_pages_may_be)
{
	const struct pressure_reading pressure = {
		.memory_used = ages[_i].used,
	};
	struct decision decision = decide(&calm, &pressure);

	ck_assert(decision.go);
	ck_assert(!decision.is_short);
	ck_assert_int_eq(decision.reason, DECIDE_AGE);
	ck_assert_uint_eq(decision.age_s, ages[_i].age_s);
}
END_TEST

/* --- reasons --------------------------------------------------------------- */

static const struct {
	struct pressure_reading pressure;
	double limit_used;
	uint32_t since_round_s;
	bool is_settling, is_reserve_low;
	bool go, is_short;
	enum decide_reason reason;
} cases[] = {
	{.go = true, .reason = DECIDE_AGE, .since_round_s = 1800},
	{.reason = DECIDE_REST, .since_round_s = 1799},
	{.pressure.cpu_stall = 50,
	 .reason = DECIDE_CPU,
	 .since_round_s = UINT32_MAX},
	{.pressure.cpu_stall = 49,
	 .go = true,
	 .reason = DECIDE_AGE,
	 .since_round_s = UINT32_MAX},
	{.pressure.memory_stall = 2,
	 .go = true,
	 .is_short = true,
	 .reason = DECIDE_MEMORY,
	 .since_round_s = 10},
	{.pressure.memory_stall = 2,
	 .is_short = true,
	 .reason = DECIDE_REST,
	 .since_round_s = 9},
	{.pressure.memory_used = 0.94,
	 .go = true,
	 .is_short = true,
	 .reason = DECIDE_MEMORY,
	 .since_round_s = 100},
	/* Earlier, even where processors are short as well. */
	{.pressure = {0.99, 50, 99, 0},
	 .go = true,
	 .is_short = true,
	 .reason = DECIDE_MEMORY,
	 .since_round_s = 100},
	{.limit_used = 0.875,
	 .go = true,
	 .is_short = true,
	 .reason = DECIDE_LIMIT,
	 .since_round_s = 100},
	{.limit_used = 0.874, .reason = DECIDE_REST, .since_round_s = 100},
	/* Never. */
	{.pressure = {0.99, 50, 0, 0},
	 .limit_used = 1,
	 .is_reserve_low = true,
	 .is_short = true,
	 .reason = DECIDE_RESERVE,
	 .since_round_s = 100},
	{.is_settling = true,
	 .reason = DECIDE_SETTLING,
	 .since_round_s = UINT32_MAX},
};

START_TEST(reasons_hold)
{
	struct decide_view view = calm;
	struct decision decision;

	view.limit_used = cases[_i].limit_used;
	view.since_round_s = cases[_i].since_round_s;
	view.is_settled = !cases[_i].is_settling;
	view.is_reserve_low = cases[_i].is_reserve_low;
	decision = decide(&view, &cases[_i].pressure);
	ck_assert_int_eq(decision.go, cases[_i].go);
	ck_assert_int_eq(decision.is_short, cases[_i].is_short);
	ck_assert_str_eq(decide_reason_text(decision.reason),
			 decide_reason_text(cases[_i].reason));
	if (decision.is_short)
		ck_assert_uint_eq(decision.age_s, DECIDE_DEFAULT_AGE_S / 120);
}
END_TEST

/* --- writing out ----------------------------------------------------------- */

static const struct decide_writeback_view calm_backing = {
	.is_settled = true,
	.most_age_s = DECIDE_DEFAULT_WRITEBACK_AGE_S,
	.since_round_s = UINT32_MAX,
	.blocks_free = 1000,
	.blocks_left = UINT64_MAX,
};

/* Those of mmd: 20 to 25 hours. */
static const struct {
	double used;
	uint32_t age_s;
} writeback_ages[] = {
	{0, 90000},   {0.1, 82918},  {0.25, 77157},
	{0.5, 73478}, {0.75, 72423}, {0.93, 72172},
};

START_TEST(the_fuller_memory_is_the_younger_pages_go)
{
	const struct pressure_reading pressure = {
		.memory_used = writeback_ages[_i].used,
	};
	struct decision decision = decide_writeback(&calm_backing, &pressure);

	ck_assert(decision.go);
	ck_assert(!decision.is_short);
	ck_assert_uint_eq(decision.age_s, writeback_ages[_i].age_s);
	ck_assert_uint_eq(decision.max_blocks, DECIDE_LEAST_ROUND_BYTES / 4096);
}
END_TEST

static const struct {
	struct pressure_reading pressure;
	uint64_t blocks_free, blocks_left;
	uint32_t since_round_s;
	bool is_settling, was_in_vain;
	bool go, is_short;
	enum decide_reason reason;
} writeback_cases[] = {
	{.blocks_free = 1,
	 .blocks_left = 1,
	 .since_round_s = 600,
	 .go = true,
	 .reason = DECIDE_AGE},
	{.blocks_free = 1,
	 .blocks_left = 1,
	 .since_round_s = 599,
	 .reason = DECIDE_REST},
	{.blocks_left = 1, .since_round_s = 600, .reason = DECIDE_FULL},
	{.blocks_free = 1, .since_round_s = 600, .reason = DECIDE_BUDGET},
	{.pressure.io_stall = 5,
	 .blocks_free = 1,
	 .blocks_left = 1,
	 .since_round_s = 600,
	 .reason = DECIDE_IO},
	{.pressure = {.memory_stall = 2, .io_stall = 50},
	 .blocks_free = 1,
	 .blocks_left = 1,
	 .since_round_s = 10,
	 .go = true,
	 .is_short = true,
	 .reason = DECIDE_MEMORY},
	/* However short memory is. */
	{.pressure.memory_used = 0.99,
	 .blocks_free = 1,
	 .since_round_s = 600,
	 .is_short = true,
	 .reason = DECIDE_BUDGET},
	{.pressure.memory_used = 0.99,
	 .blocks_free = 1,
	 .blocks_left = 1,
	 .since_round_s = 299,
	 .was_in_vain = true,
	 .is_short = true,
	 .reason = DECIDE_REST},
	{.blocks_free = 1,
	 .blocks_left = 1,
	 .since_round_s = 600,
	 .is_settling = true,
	 .reason = DECIDE_SETTLING},
};

START_TEST(reasons_for_writing_out_hold)
{
	struct decide_writeback_view view = calm_backing;
	struct decision decision;

	view.blocks_free = writeback_cases[_i].blocks_free;
	view.blocks_left = writeback_cases[_i].blocks_left;
	view.since_round_s = writeback_cases[_i].since_round_s;
	view.is_settled = !writeback_cases[_i].is_settling;
	view.was_in_vain = writeback_cases[_i].was_in_vain;
	view.stored = 0.5;
	decision = decide_writeback(&view, &writeback_cases[_i].pressure);
	ck_assert_int_eq(decision.go, writeback_cases[_i].go);
	ck_assert_int_eq(decision.is_short, writeback_cases[_i].is_short);
	ck_assert_str_eq(decide_reason_text(decision.reason),
			 decide_reason_text(writeback_cases[_i].reason));
	if (decision.is_short)
		ck_assert_uint_eq(decision.age_s, 300);
	ck_assert_uint_eq(decision.max_blocks,
			  DECIDE_MOST_ROUND_BYTES / 2 / 4096);
}
END_TEST

/* --- the machine ------------------------------------------------------------ */

static char root[] = "/tmp/t-policy-decide-XXXXXX";

static void put(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void make_folder(const char *path)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	ck_assert(mkdir(full, 0700) == 0 || errno == EEXIST);
}

static struct pressure_reading read_root(void)
{
	struct pressure_reading reading = {9, 9, 9, 9};
	struct pressure pressure;

	pressure_open(&pressure, root);
	pressure_read(&pressure, &reading);
	pressure_close(&pressure);
	return reading;
}

START_TEST(the_machine_is_read)
{
	struct pressure_reading reading;

	ck_assert_ptr_nonnull(mkdtemp(root));
	reading = read_root(); /* nothing is there, and nothing is short */
	ck_assert_double_eq(reading.memory_used, 0);
	ck_assert_double_eq(reading.memory_stall, 0);
	ck_assert_double_eq(reading.cpu_stall, 0);
	ck_assert_double_eq(reading.io_stall, 0);
	make_folder("/proc");
	make_folder("/proc/pressure");
	put("/proc/meminfo", "MemTotal:        8000 kB\nMemFree:  100 kB\n"
			     "MemAvailable:    2000 kB\n");
	put("/proc/pressure/memory",
	    "some avg10=2.50 avg60=1.00 avg300=0.00 total=1\n"
	    "full avg10=1.25 avg60=0.00 avg300=0.00 total=1\n");
	put("/proc/pressure/cpu",
	    "some avg10=51.52 avg60=1.00 avg300=0.00 total=1\n");
	put("/proc/pressure/io",
	    "some avg10=7.50 avg60=1.00 avg300=0.00 total=1\n"
	    "full avg10=6.25 avg60=0.00 avg300=0.00 total=1\n");
	reading = read_root();
	ck_assert_double_eq(reading.io_stall, 6.25);
	ck_assert_double_eq(reading.memory_used, 0.75);
	ck_assert_double_eq(reading.memory_stall, 2.5);
	ck_assert_double_eq(reading.cpu_stall, 51.52);
	put("/proc/meminfo", "MemTotal: 10 kB\nMemAvailable: 20 kB\n");
	put("/proc/pressure/memory", "some avg10=nan\n");
	put("/proc/pressure/cpu", "some avg10=-3\n");
	reading = read_root();
	ck_assert_double_eq(reading.memory_used, 0);
	ck_assert_double_eq(reading.memory_stall, 0);
	ck_assert_double_eq(reading.cpu_stall, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("policy-decide");
	TCase *tcase = tcase_create("decide");

	tcase_add_loop_test(tcase,
			    the_fuller_memory_is_the_younger_pages_may_be, 0,
			    ARRAY_SIZE(ages));
	tcase_add_loop_test(tcase, reasons_hold, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tcase, the_fuller_memory_is_the_younger_pages_go, 0,
			    ARRAY_SIZE(writeback_ages));
	tcase_add_loop_test(tcase, reasons_for_writing_out_hold, 0,
			    ARRAY_SIZE(writeback_cases));
	tcase_add_test(tcase, the_machine_is_read);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
