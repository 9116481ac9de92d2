/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suite - the main() of a unit test program
 */
#ifndef ZSD_UNIT_SUITE_H
#define ZSD_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/**
 * suite_run() - run a suite and say how it went
 * @suite: freed by this call
 *
 * Verbosity and forking follow check's own environment variables.
 * Return: what main() should return.
 */
static inline int suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int nr_failed;

	srunner_run_all(runner, CK_ENV);
	nr_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
