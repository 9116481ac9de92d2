/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was written in 24 hours, and its file. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"
#include "policy/writeback/budget.h"
#include "suite.h"

#define HOUR_S UINT64_C(3600)
#define NOW_S  (HOUR_S * 490000 + 1234)

static char path[] = "/tmp/t-policy-budget-XXXXXX";

START_TEST(an_hour_counts_for_a_day)
{
	struct budget budget = {0};

	budget_spend(&budget, NOW_S, 10);
	budget_spend(&budget, NOW_S + HOUR_S, 5);
	ck_assert_uint_eq(budget_used(&budget, NOW_S + HOUR_S), 15);
	ck_assert_uint_eq(budget_used(&budget, NOW_S + 23 * HOUR_S), 15);
	ck_assert_uint_eq(budget_used(&budget, NOW_S + 24 * HOUR_S), 5);
	ck_assert_uint_eq(budget_used(&budget, NOW_S + 25 * HOUR_S), 0);
	budget_spend(&budget, NOW_S + 1000 * HOUR_S, 7);
	ck_assert_uint_eq(budget_used(&budget, NOW_S + 1000 * HOUR_S), 7);
}
END_TEST

START_TEST(a_clock_that_is_set_back_forgets_nothing)
{
	struct budget budget = {0};

	budget_spend(&budget, NOW_S, 10);
	budget_spend(&budget, NOW_S - 100 * HOUR_S, 5);
	ck_assert_uint_eq(budget_used(&budget, NOW_S - 100 * HOUR_S), 15);
	ck_assert_uint_eq(budget_used(&budget, NOW_S), 15);
}
END_TEST

START_TEST(it_never_runs_over)
{
	struct budget budget = {0};

	budget_spend(&budget, NOW_S, UINT32_MAX);
	budget_spend(&budget, NOW_S, 10);
	ck_assert_uint_eq(budget_used(&budget, NOW_S), UINT32_MAX);
}
END_TEST

static void put(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_file_keeps_it)
{
	struct budget budget = {0}, found = {0};

	for (unsigned i = 0; i < 30; i++)
		budget_spend(&budget, NOW_S + i * HOUR_S, i);
	ck_assert_int_eq(budget_save(path, &budget), 0);
	ck_assert_int_eq(budget_load(path, &found), 0);
	ck_assert_mem_eq(&found, &budget, sizeof(found));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(budget_load(path, &found), -ENOENT);
	ck_assert_int_eq(budget_save("/nonexistent/file", &budget), -ENOENT);
}
END_TEST

static const char *const damaged[] = {
	"",
	"zsd-written 2 490000 1 2 3\n",
	"zsd-written 1 490000 1 2 3\n",
	"zsd-written 1 3 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n",
	"zsd-written 1 490000 1 1 1 1 1 1 x 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n",
};

START_TEST(a_file_that_is_none_changes_nothing)
{
	struct budget found = {.hour = 5};

	put(damaged[_i]);
	ck_assert_int_eq(budget_load(path, &found), -EBADMSG);
	ck_assert_uint_eq(found.hour, 5);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("policy-budget");
	TCase *tcase = tcase_create("budget");

	tcase_add_test(tcase, an_hour_counts_for_a_day);
	tcase_add_test(tcase, a_clock_that_is_set_back_forgets_nothing);
	tcase_add_test(tcase, it_never_runs_over);
	tcase_add_test(tcase, a_file_keeps_it);
	tcase_add_loop_test(tcase, a_file_that_is_none_changes_nothing, 0,
			    ARRAY_SIZE(damaged));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd >= 0)
		(void)close(fd);
	return suite_run(suite());
}
