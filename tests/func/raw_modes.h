/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw_modes - what rawclient can do to a server
 *
 * Each mode ends the program with an error where the server does not do what
 * the mode says it must.
 */
#ifndef ZSD_FUNC_RAW_MODES_H
#define ZSD_FUNC_RAW_MODES_H

#include <stdbool.h>

#include "nbd/nbdc_conn.h"

/* Arguments after the name of the mode, as many as its usage names. */
typedef void raw_mode_fn(const char *address, char **args);

raw_mode_fn raw_crowd;
raw_mode_fn raw_deaf;
raw_mode_fn raw_delay;
raw_mode_fn raw_garbage;
raw_mode_fn raw_hot;
raw_mode_fn raw_knock;
raw_mode_fn raw_order;
raw_mode_fn raw_overtake;
raw_mode_fn raw_patient;
raw_mode_fn raw_steady;
raw_mode_fn raw_stripes;

/* Reads a decimal number, or ends the program. */
unsigned long raw_number(const char *text);

/* Connects and negotiates, or ends the program. */
void raw_open(struct nbdc_conn *conn, const char *address);

/* Whether a descriptor has one of these events, within so much time. */
bool raw_poll(int fd, short events, int wait_ms);

/*
 * Runs @one in @nr processes at once, each told its number; ends the program
 * where one of them fails.
 */
void raw_run_many(const char *address, char **args, unsigned nr,
		  void (*one)(const char *address, char **args,
			      unsigned number));

/* Prints a word on a line of its own, and waits for a line of input. */
void raw_say(const char *word);
void raw_say_and_wait(const char *word);

#endif
