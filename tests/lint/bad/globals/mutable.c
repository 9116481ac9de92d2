/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

int initialised = 1;
int zeroed;
static __thread int per_thread;
const int constant = 2;
const char *const relocated[] = {"one", "two"};

int next_number(void);

int next_number(void)
{
	static int hidden_in_function;

	return ++hidden_in_function + ++per_thread;
}
