/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report of `zsctl stats`: every group and member that the server sends,
 * in its order, under the names that --json and the manuals use, with what is
 * known about them beside.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "zsctl/zsctl_report.h"
#include "zsctl/zsctl_text.h"

/* Width of the values: "1023.9 GiB", or twelve digits. */
#define VALUE_WIDTH 12

struct fact {
	const char *group;
	const char *name;
	enum text_unit unit;
	const char *meaning;
};

/* What is not here is shown all the same, without a meaning. */
static const struct fact facts[] = {
	{"disk", "size_bytes", TEXT_SIZE, "what the client sees"},
	{"disk", "algorithm", TEXT_PLAIN, "how pages are compressed"},
	{"disk", "checksum", TEXT_PLAIN, "one of each object"},
	{"disk", "chain_size", TEXT_PLAIN, "pages per zspage at most"},
	{"disk", "threads", TEXT_PLAIN, "workers"},
	{"mm_stat", "orig_data_size", TEXT_SIZE, "stored, uncompressed"},
	{"mm_stat", "compr_data_size", TEXT_SIZE, "the same, compressed"},
	{"mm_stat", "mem_used_total", TEXT_SIZE, "the same, in memory"},
	{"mm_stat", "mem_limit", TEXT_SIZE_OR_NONE, "bound on memory"},
	{"mm_stat", "mem_used_max", TEXT_SIZE, "most memory so far"},
	{"mm_stat", "same_pages", TEXT_PLAIN, "pages of one word repeated"},
	{"mm_stat", "pages_compacted", TEXT_PLAIN,
	 "pages freed by compaction so far"},
	{"mm_stat", "huge_pages", TEXT_PLAIN, "incompressible pages"},
	{"mm_stat", "huge_pages_since", TEXT_PLAIN,
	 "incompressible pages so far"},
	{"io_stat", "failed_reads", TEXT_PLAIN, "pages"},
	{"io_stat", "corrupt_reads", TEXT_PLAIN,
	 "times that a stored page was damaged"},
	{"io_stat", "failed_writes", TEXT_PLAIN, "pages"},
	{"io_stat", "invalid_io", TEXT_PLAIN, "requests out of shape"},
	{"io_stat", "notify_free", TEXT_PLAIN, "pages freed by trims"},
	{"memory", "metadata_bytes", TEXT_SIZE,
	 "slots, handles and descriptors"},
	{"memory", "reserve_bytes", TEXT_SIZE, "free pages kept ready"},
	{"memory", "direct_grows", TEXT_PLAIN,
	 "writes that found no page ready"},
	{"memory", "ratio", TEXT_PLAIN, "stored bytes per byte of memory"},
	{"memory", "bytes_per_compressed_byte", TEXT_PLAIN,
	 "bytes of memory per compressed byte"},
	{"memory", "resident_bytes", TEXT_SIZE, "of the whole process"},
	{"connections", "open", TEXT_PLAIN, "now"},
	{"dictionary", "current", TEXT_PLAIN, "of new pages; 0: none"},
	{"dictionary", "memory_bytes", TEXT_SIZE, "of all"},
	{"connections", "max", TEXT_PLAIN, "most there may be"},
	{"connections", "accepted", TEXT_PLAIN, "so far"},
	{"connections", "refused", TEXT_PLAIN, "beyond max"},
	{"connections", "handshake_failures", TEXT_PLAIN,
	 "ended before any request"},
	{"requests", "errors", TEXT_PLAIN, "answered with an error"},
	{"requests", "read_bytes", TEXT_SIZE, "sent"},
	{"requests", "write_bytes", TEXT_SIZE, "received"},
	{"polling", "window_us", TEXT_PLAIN, "microseconds; 0: never"},
	{"polling", "hits", TEXT_PLAIN, "requests that came meanwhile"},
	{"polling", "misses", TEXT_PLAIN, "in vain"},
	{"polling", "spun_us", TEXT_PLAIN, "microseconds, all workers"},
	{"safety", "mode", TEXT_PLAIN, "zsd's --swap"},
	{"safety", "vm_lck_bytes", TEXT_SIZE, "locked, or to be when used"},
	{"safety", "vm_swap_bytes", TEXT_SIZE, "swapped out"},
	{"safety", "oom_score_adj", TEXT_PLAIN, "-1000: never killed"},
	{"safety", "reserve_bytes", TEXT_SIZE, "free pages kept ready"},
	{"safety", "reserve_target_bytes", TEXT_SIZE, "what they should be"},
	{"safety", "starved_requests", TEXT_PLAIN, "waited for a free page"},
	{"safety", "failed_requests", TEXT_PLAIN, "waited in vain"},
	{"safety", "heap_growth_bytes", TEXT_SIZE, "allocated since ready"},
};

static const struct fact *find_fact(const char *group, const char *name)
{
	static const struct fact unknown = {"", "", TEXT_PLAIN, ""};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		if (strcmp(facts[i].group, group) == 0 &&
		    strcmp(facts[i].name, name) == 0)
			return &facts[i];
	}
	return &unknown;
}

/* The longest name in any group. */
static int name_width(json_t *groups)
{
	const char *group_name, *name;
	json_t *group, *value;
	size_t width = 0;

	json_object_foreach(groups, group_name, group)
	{
		json_object_foreach(group, name, value)
		{
			if (strlen(name) > width)
				width = strlen(name);
		}
	}
	return width < TEXT_BYTES ? (int)width : TEXT_BYTES;
}

/* An array of objects: a line each, "name: value" for each member. */
static void print_rows(const char *name, const json_t *rows)
{
	char name_text[TEXT_BYTES], value_text[TEXT_BYTES];
	const char *member, *comma;
	json_t *row, *value;
	size_t i;

	printf("  %s\n", text_plain(name, name_text, TEXT_BYTES));
	json_array_foreach(rows, i, row)
	{
		comma = "    ";
		json_object_foreach(row, member, value)
		{
			printf("%s%s %s", comma,
			       text_plain(member, name_text, TEXT_BYTES),
			       text_value(value, TEXT_PLAIN, value_text));
			comma = ", ";
		}
		printf("\n");
	}
}

static void print_group(const char *group_name, json_t *group, int width)
{
	char name_text[TEXT_BYTES], value_text[TEXT_BYTES];
	const struct fact *fact;
	const char *name;
	json_t *value;

	printf("\n%s\n", text_plain(group_name, name_text, TEXT_BYTES));
	json_object_foreach(group, name, value)
	{
		if (json_is_array(value)) {
			print_rows(name, value);
			continue;
		}
		fact = find_fact(group_name, name);
		printf("  %-*s  %*s", width,
		       text_plain(name, name_text, TEXT_BYTES), VALUE_WIDTH,
		       text_value(value, fact->unit, value_text));
		printf("%s%s\n", *fact->meaning ? "  " : "", fact->meaning);
	}
}

/* Names and numbers may then mean something else: say so. */
static void check_protocol(const json_t *result)
{
	const json_t *protocol = json_object_get(result, "protocol");

	if (json_integer_value(protocol) != CTL_PROTOCOL)
		(void)fprintf(stderr,
			      "zsctl: zsd does not speak version %d of the "
			      "control protocol: use the zsctl that came with "
			      "it\n",
			      CTL_PROTOCOL);
}

enum zsctl_exit report_stats(json_t *result)
{
	const json_t *uptime = json_object_get(result, "uptime_seconds");
	char version[TEXT_BYTES], pid[TEXT_BYTES], up[TEXT_BYTES];
	const char *name;
	json_t *group;
	int width;

	check_protocol(result);
	printf("zsd %s, process %s, up %s\n",
	       text_value(json_object_get(result, "version"), TEXT_PLAIN,
			  version),
	       text_value(json_object_get(result, "pid"), TEXT_PLAIN, pid),
	       text_uptime((uint64_t)json_integer_value(uptime), up));
	width = name_width(result);
	json_object_foreach(result, name, group)
	{
		if (json_is_object(group))
			print_group(name, group, width);
	}
	return ZSCTL_OK;
}
