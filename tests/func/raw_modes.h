/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw_modes - what rawclient can do to a server
 *
 * Each mode ends the program with an error where the server does not do what
 * the mode says it must.
 */
#ifndef ZSD_FUNC_RAW_MODES_H
#define ZSD_FUNC_RAW_MODES_H

/* Arguments after the name of the mode, as many as its usage names. */
typedef void raw_mode_fn(const char *socket_path, char **args);

raw_mode_fn raw_beside;
raw_mode_fn raw_crowd;
raw_mode_fn raw_deaf;
raw_mode_fn raw_delay;
raw_mode_fn raw_errors;
raw_mode_fn raw_garbage;
raw_mode_fn raw_hot;
raw_mode_fn raw_steady;
raw_mode_fn raw_stripes;

/* Reads a decimal number, or ends the program. */
unsigned long raw_number(const char *text);

/*
 * Runs @one in @nr processes at once, each told its number; ends the program
 * where one of them fails.
 */
void raw_run_many(const char *path, char **args, unsigned nr,
		  void (*one)(const char *path, char **args, unsigned number));

/* Prints a word on a line of its own and waits for a line of input. */
void raw_say_and_wait(const char *word);

#endif
