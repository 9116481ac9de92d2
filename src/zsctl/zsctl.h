/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl - what its commands share: options, one question to zsd, exit codes
 *
 *   main.c      options, and which commands there are
 *   ask.c       one question and its answer, as a JSON document
 *   client.c    the same as lines of text, over a socket
 *   text.c      JSON values as text for a terminal
 *   stats.c …   a file for each command
 *   device/     a disk as a block device of the kernel's
 *   rest/       pages that rest
 *   save/       the file of a saved disk
 *   doctor/     what is wrong on this machine for swapping
 *   swap/       all that swapping takes, and its undoing
 *   system/     the kernel's small files, and other programs
 *
 * What an answer holds comes from the other end of a socket: members that are
 * missing or unknown are coped with, and no text reaches the terminal with
 * control characters in it.
 *
 * Threads: there is one.
 */
#ifndef ZSD_ZSCTL_ZSCTL_H
#define ZSD_ZSCTL_ZSCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "ctl/ctl.h"

/* How the program ends; documented in docs/man/zsctl.1. */
enum zsctl_exit {
	ZSCTL_OK = 0,
	ZSCTL_REFUSED = 1, /* zsd refused, or found something wrong */
	ZSCTL_USAGE = 2,
	ZSCTL_UNREACHABLE = 3, /* no server there that answers as it should */
};

/* Arguments of one command at most. */
#define ZSCTL_MAX_LIST 8u

struct zsctl_options {
	const struct zsctl_command *command;
	const char *argument; /* behind the command, or its default, or NULL */
	/* All that stand there, of a command that takes a list. */
	const char *list[ZSCTL_MAX_LIST];
	unsigned nr_list;
	const char *control_path;
	const char *device; /* for up */
	const char *socket_path; /* where zsd listens for NBD */
	const char *export; /* name of the only one that is meant, or NULL */
	const char *root; /* for doctor; "" for this machine */
	const char *output; /* file for a dictionary, or NULL */
	bool live; /* save while clients are attached */
	uint64_t dictionary_bytes; /* 0: as zsd likes */
	unsigned timeout_s; /* 0: none */
	unsigned nr_connections; /* that the kernel is to have */
	unsigned dead_timeout_s; /* see struct netlink_device */
	bool classes;
	bool json;
	bool stay;
};

struct zsctl_command {
	const char *name;
	const char *usage;
	const char *summary;
	const char *argument; /* its default; NULL: it takes none, or a list */
	bool takes_list; /* of "KEY=VALUE" */
	const int *options; /* keys of those that it takes, up to 0; or NULL */
	enum zsctl_exit (*run)(const struct zsctl_options *options);
};

enum zsctl_exit zsctl_stats(const struct zsctl_options *options);
enum zsctl_exit zsctl_compact(const struct zsctl_options *options);
enum zsctl_exit zsctl_verify(const struct zsctl_options *options);
enum zsctl_exit zsctl_train(const struct zsctl_options *options);
enum zsctl_exit zsctl_idle(const struct zsctl_options *options);
enum zsctl_exit zsctl_recompress(const struct zsctl_options *options);
enum zsctl_exit zsctl_writeback(const struct zsctl_options *options);
enum zsctl_exit zsctl_blocks(const struct zsctl_options *options);
enum zsctl_exit zsctl_policy(const struct zsctl_options *options);
enum zsctl_exit zsctl_save(const struct zsctl_options *options);
enum zsctl_exit zsctl_reset_peak(const struct zsctl_options *options);
enum zsctl_exit zsctl_upgrade(const struct zsctl_options *options);
enum zsctl_exit zsctl_attach(const struct zsctl_options *options);
enum zsctl_exit zsctl_detach(const struct zsctl_options *options);
enum zsctl_exit zsctl_up(const struct zsctl_options *options);
enum zsctl_exit zsctl_down(const struct zsctl_options *options);
enum zsctl_exit zsctl_doctor(const struct zsctl_options *options);

/* --- ask.c ---------------------------------------------------------------- */

struct zsctl_answer {
	char *line; /* as it came, without the newline */
	struct ctl_reply reply;
};

/**
 * zsctl_ask() - ask zsd for something
 * @what:      its command
 * @arguments: consumed; NULL stands for one that could not be made
 * @progress:  shown to people until the answer comes, or NULL
 * @needed:    members that the result must have, up to NULL; or NULL for none
 * @answer:    receives the answer, for ZSCTL_OK alone
 *
 * Explains on standard error what goes wrong. With --json a refusal is printed
 * as it came, too.
 * Return: ZSCTL_OK where there is a result. Release: zsctl_answer_fini().
 */
enum zsctl_exit zsctl_ask(const struct zsctl_options *options, const char *what,
			  json_t *arguments, const char *progress,
			  const char *const *needed,
			  struct zsctl_answer *answer) ZSD_MUST_CHECK;
void zsctl_answer_fini(struct zsctl_answer *answer);

struct client_rest;

/* zsctl_ask_more() - the same, where more comes behind the answer. Return:
 * ZSCTL_OK where it does. Release: client_rest_close(), too. */
enum zsctl_exit zsctl_ask_more(const struct zsctl_options *options,
			       const char *what, json_t *arguments,
			       const char *const *needed,
			       struct zsctl_answer *answer,
			       struct client_rest *rest) ZSD_MUST_CHECK;

/* zsctl_print_json() - print an object as a line. @document: consumed; NULL
 * stands for one that could not be made, which is said. */
void zsctl_print_json(json_t *document);

/* zsctl_arguments() - those that name the export @name, or none for NULL.
 * Return: a new object, or NULL without memory. */
json_t *zsctl_arguments(const char *name);

/**
 * zsctl_each_export() - do something to the export that is meant, or to all
 * @run:   is called with each name
 * @title: receives what to print before its outcome: "" where there is only
 *         one
 *
 * Return: ZSCTL_OK, or the first other thing that @run returned; it is called
 * for the other exports all the same.
 */
enum zsctl_exit
zsctl_each_export(const struct zsctl_options *options,
		  enum zsctl_exit (*run)(const struct zsctl_options *options,
					 const char *name, const char *title));

#endif
