/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agree - check that zsd's numbers agree with each other and the kernel's
 *
 * usage: agree rest STATS CLASSES KERNEL-BEFORE KERNEL-NOW CONNECTIONS
 *        agree compact STATS CLASSES COMPACT STATS-AFTER CLASSES-AFTER
 *        agree number FILE PATH     print one number: mm_stat.same_pages
 *
 * The files hold what "zsctl --json" printed (stats, stats --classes, compact)
 * and the device's /sys/block/nbdN/stat, all read while no request was under
 * way. KERNEL-BEFORE is the one from before zsd served the device.
 *
 * Prints one line for each check, "ok" or "not ok". Exit: 0 if all are ok, 1
 * if one is not, 2 where a file is not what it should be.
 */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"

/* Columns of /sys/block/<dev>/stat; Documentation/block/stat.rst. */
enum kernel_stat_column {
	KERNEL_READ_IOS = 0,
	KERNEL_READ_SECTORS = 2,
	KERNEL_WRITE_IOS = 4,
	KERNEL_WRITE_SECTORS = 6,
	KERNEL_IN_FLIGHT = 8,
	KERNEL_DISCARD_IOS = 11,
	KERNEL_NR_COLUMNS = 17,
};

#define KERNEL_SECTOR_BYTES 512

struct kernel_stat {
	uint64_t columns[KERNEL_NR_COLUMNS];
};

/* What the checks found so far. */
struct verdict {
	unsigned nr_ok;
	unsigned nr_not_ok;
};

static void ZSD_PRINTF(1, 2) ZSD_NORETURN fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("agree: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

/* The "result" of a reply of zsd's, the caller's to release: of statistics,
 * with those of the first export among the others. */
static json_t *load_result(const char *path)
{
	json_error_t error;
	json_t *reply = json_load_file(path, 0, &error);
	json_t *result;

	if (!reply)
		fail("%s:%d: %s", path, error.line, error.text);
	result = json_incref(json_object_get(reply, "result"));
	if (!result)
		fail("%s: no result in this reply", path);
	/* Nothing where there are none. */
	(void)json_object_update_missing(
		result, json_array_get(json_object_get(result, "exports"), 0));
	json_decref(reply);
	return result;
}

/* The member at @path, names with dots in between. */
static const json_t *member(const json_t *object, const char *path)
{
	const json_t *found = object;
	char names[64];
	char *rest = names;
	char *name;

	snprintf(names, sizeof(names), "%s", path);
	while ((name = strsep(&rest, "."))) {
		found = json_object_get(found, name);
		if (!found)
			fail("there is no %s", path);
	}
	return found;
}

static uint64_t number(const json_t *object, const char *path)
{
	const json_t *value = member(object, path);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		fail("%s is no whole number", path);
	return (uint64_t)json_integer_value(value);
}

static double real(const json_t *object, const char *path)
{
	const json_t *value = member(object, path);

	if (!json_is_number(value))
		fail("%s is no number", path);
	return json_number_value(value);
}

static void load_kernel_stat(struct kernel_stat *stat, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		fail("%s: cannot open", path);
	for (int i = 0; i < KERNEL_NR_COLUMNS; i++) {
		if (fscanf(file, "%" SCNu64, &stat->columns[i]) != 1)
			fail("%s: no column %d", path, i);
	}
	fclose(file);
}

static void note(struct verdict *v, bool ok)
{
	if (ok)
		v->nr_ok++;
	else
		v->nr_not_ok++;
	fputs(ok ? "ok      " : "not ok  ", stdout);
}

static void equal(struct verdict *v, const char *what, uint64_t a, uint64_t b)
{
	note(v, a == b);
	printf("%s: %" PRIu64 " = %" PRIu64 "\n", what, a, b);
}

static void at_most(struct verdict *v, const char *what, uint64_t a, uint64_t b)
{
	note(v, a <= b);
	printf("%s: %" PRIu64 " <= %" PRIu64 "\n", what, a, b);
}

/* For quotients, which zsd tells with six digits. */
static void nearly_equal(struct verdict *v, const char *what, double a,
			 double b)
{
	note(v, fabs(a - b) <= 1e-5 * fabs(b));
	printf("%s: %.6g = %.6g\n", what, a, b);
}

/* --- the class table against itself ------------------------------------ */

/*
 * Objects that fit the pages of a class: N in each zspage, and in one that
 * still grows as many as end in the pages that it has.
 */
static uint64_t objects_that_fit(const json_t *row)
{
	uint64_t zspage = number(row, "pages_per_zspage");
	uint64_t size = number(row, "size");
	uint64_t pages = number(row, "pages_used");

	if (!zspage || !size)
		fail("a class without pages or size");
	return pages / zspage * number(row, "objs_per_zspage") +
	       pages % zspage * ZSD_PAGE_BYTES / size;
}

static void check_class(struct verdict *v, const json_t *row)
{
	uint64_t allocated = number(row, "obj_allocated");

	printf("class %" PRIu64 ":\n", number(row, "class"));
	equal(v, "  obj_allocated, what fits its pages", allocated,
	      objects_that_fit(row));
	at_most(v, "  obj_used, obj_allocated", number(row, "obj_used"),
		allocated);
	at_most(v, "  freeable, pages_used", number(row, "freeable"),
		number(row, "pages_used"));
	at_most(v, "  objects of a zspage, its pages",
		number(row, "objs_per_zspage") * number(row, "size"),
		number(row, "pages_per_zspage") * ZSD_PAGE_BYTES);
}

static uint64_t column_sum(const json_t *classes, const char *column)
{
	const json_t *rows = member(classes, "classes");
	uint64_t sum = 0;

	for (size_t i = 0; i < json_array_size(rows); i++)
		sum += number(json_array_get(rows, i), column);
	return sum;
}

/* Bytes that the objects could hold at most: their classes' sizes. */
static uint64_t object_room(const json_t *classes)
{
	const json_t *rows = member(classes, "classes");
	uint64_t sum = 0;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		sum += number(row, "size") * number(row, "obj_used");
	}
	return sum;
}

/* Objects in the class of that size. */
static uint64_t objects_of_size(const json_t *classes, uint64_t size)
{
	const json_t *rows = member(classes, "classes");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (number(row, "size") == size)
			return number(row, "obj_used");
	}
	return 0;
}

static void check_classes(struct verdict *v, const json_t *classes)
{
	static const char *const summed[] = {
		"almost_full", "almost_empty", "obj_allocated",
		"obj_used",    "pages_used",   "freeable",
	};
	const json_t *rows = member(classes, "classes");
	char path[64];

	for (size_t i = 0; i < json_array_size(rows); i++)
		check_class(v, json_array_get(rows, i));
	for (size_t i = 0; i < ARRAY_SIZE(summed); i++) {
		snprintf(path, sizeof(path), "total.%s", summed[i]);
		equal(v, path, number(classes, path),
		      column_sum(classes, summed[i]));
	}
}

/* --- mm_stat against the class table ------------------------------------ */

/*
 * Every page that is stored is one object or same-filled. Of these, those whose
 * word does not fit the slot are an object of the smallest class too.
 */
static void check_objects(struct verdict *v, const json_t *stats,
			  const json_t *classes)
{
	uint64_t pages =
		number(stats, "mm_stat.orig_data_size") / ZSD_PAGE_BYTES;
	uint64_t same = number(stats, "mm_stat.same_pages");
	uint64_t objects = number(classes, "total.obj_used");
	uint64_t words = min_u64(same, objects_of_size(classes, 32));

	equal(v, "orig_data_size, whole pages", pages * ZSD_PAGE_BYTES,
	      number(stats, "mm_stat.orig_data_size"));
	at_most(v, "stored pages, objects and same_pages", pages,
		objects + same);
	at_most(v, "objects and same_pages, stored pages and words",
		objects + same, pages + words);
	equal(v, "huge_pages, objects of 4096 bytes",
	      number(stats, "mm_stat.huge_pages"),
	      objects_of_size(classes, ZSD_PAGE_BYTES));
}

static void check_memory(struct verdict *v, const json_t *stats,
			 const json_t *classes)
{
	uint64_t orig = number(stats, "mm_stat.orig_data_size");
	uint64_t compr = number(stats, "mm_stat.compr_data_size");
	uint64_t used = number(stats, "mm_stat.mem_used_total");

	at_most(v, "orig_data_size, the disk", orig,
		number(stats, "disk.size_bytes"));
	equal(v, "mem_used_total, 4096 * pages_used", used,
	      ZSD_PAGE_BYTES * number(classes, "total.pages_used"));
	at_most(v, "mem_used_total, mem_used_max", used,
		number(stats, "mm_stat.mem_used_max"));
	at_most(v, "huge_pages, huge_pages_since",
		number(stats, "mm_stat.huge_pages"),
		number(stats, "mm_stat.huge_pages_since"));
	at_most(v, "compr_data_size, the objects' classes", compr,
		object_room(classes));
	at_most(v, "compr_data_size, mem_used_total", compr, used);
	at_most(v, "pages in use, resident_bytes", used,
		number(stats, "resident_bytes"));
}

static void check_quotients(struct verdict *v, const json_t *stats)
{
	double orig = real(stats, "mm_stat.orig_data_size");
	double compr = real(stats, "mm_stat.compr_data_size");
	double cost = real(stats, "mm_stat.mem_used_total") +
		      real(stats, "memory.metadata_bytes");

	nearly_equal(v, "ratio, bytes stored for each byte it costs",
		     real(stats, "memory.ratio"), orig / cost);
	nearly_equal(v, "bytes_per_compressed_byte, what each costs",
		     real(stats, "memory.bytes_per_compressed_byte"),
		     cost / compr);
}

/* --- requests against the kernel's counters ------------------------------ */

static uint64_t delta(const struct kernel_stat *before,
		      const struct kernel_stat *now,
		      enum kernel_stat_column column)
{
	return now->columns[column] - before->columns[column];
}

static void check_requests(struct verdict *v, const json_t *stats,
			   const struct kernel_stat *before,
			   const struct kernel_stat *now)
{
	equal(v, "requests in flight, none", now->columns[KERNEL_IN_FLIGHT], 0);
	equal(v, "requests.read, the kernel's", number(stats, "requests.read"),
	      delta(before, now, KERNEL_READ_IOS));
	/* To the kernel's counters a flush is a write of nothing. */
	equal(v, "requests.write and .flush, the kernel's",
	      number(stats, "requests.write") + number(stats, "requests.flush"),
	      delta(before, now, KERNEL_WRITE_IOS));
	equal(v, "requests.trim, the kernel's", number(stats, "requests.trim"),
	      delta(before, now, KERNEL_DISCARD_IOS));
	equal(v, "requests.read_bytes, the kernel's",
	      number(stats, "requests.read_bytes"),
	      delta(before, now, KERNEL_READ_SECTORS) * KERNEL_SECTOR_BYTES);
	equal(v, "requests.write_bytes, the kernel's",
	      number(stats, "requests.write_bytes"),
	      delta(before, now, KERNEL_WRITE_SECTORS) * KERNEL_SECTOR_BYTES);
}

static void check_no_failures(struct verdict *v, const json_t *stats,
			      uint64_t connections)
{
	static const char *const failures[] = {
		"io_stat.failed_reads",
		"io_stat.failed_writes",
		"requests.errors",
		"connections.refused",
		"connections.handshake_failures",
	};

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		equal(v, failures[i], number(stats, failures[i]), 0);
	equal(v, "connections.open, those asked for",
	      number(stats, "connections.open"), connections);
	at_most(v, "connections.open, accepted", connections,
		number(stats, "connections.accepted"));
}

static void run_rest(struct verdict *v, char **argv)
{
	json_t *stats = load_result(argv[0]);
	json_t *classes = load_result(argv[1]);
	struct kernel_stat before, now;

	load_kernel_stat(&before, argv[2]);
	load_kernel_stat(&now, argv[3]);
	check_classes(v, classes);
	check_objects(v, stats, classes);
	check_memory(v, stats, classes);
	check_quotients(v, stats);
	check_requests(v, stats, &before, &now);
	check_no_failures(v, stats, strtoull(argv[4], NULL, 10));
	json_decref(classes);
	json_decref(stats);
}

/* --- what a compaction did ----------------------------------------------- */

static void run_compact(struct verdict *v, char **argv)
{
	/* Reads may go on meanwhile: programs are paged in. */
	static const char *const untouched[] = {
		"mm_stat.orig_data_size", "mm_stat.compr_data_size",
		"mm_stat.same_pages",	  "mm_stat.huge_pages",
		"requests.write",
	};
	json_t *stats = load_result(argv[0]);
	json_t *classes = load_result(argv[1]);
	json_t *compact = load_result(argv[2]);
	json_t *stats_after = load_result(argv[3]);
	json_t *classes_after = load_result(argv[4]);
	uint64_t pages = number(compact, "pages_compacted");

	at_most(v, "one page, pages compacted", 1, pages);
	at_most(v, "pages that were freeable, pages compacted",
		number(classes, "total.freeable"), pages);
	equal(v, "pages freeable afterwards, none",
	      number(classes_after, "total.freeable"), 0);
	equal(v, "bytes_freed, 4096 * pages_compacted",
	      number(compact, "bytes_freed"), ZSD_PAGE_BYTES * pages);
	equal(v, "mem_used_total before, after and what was freed",
	      number(stats, "mm_stat.mem_used_total"),
	      number(stats_after, "mm_stat.mem_used_total") +
		      ZSD_PAGE_BYTES * pages);
	equal(v, "mm_stat.pages_compacted after, before and now",
	      number(stats_after, "mm_stat.pages_compacted"),
	      number(stats, "mm_stat.pages_compacted") + pages);
	for (size_t i = 0; i < ARRAY_SIZE(untouched); i++)
		equal(v, untouched[i], number(stats_after, untouched[i]),
		      number(stats, untouched[i]));

	json_decref(classes_after);
	json_decref(stats_after);
	json_decref(compact);
	json_decref(classes);
	json_decref(stats);
}

static void print_number(char **argv)
{
	json_t *result = load_result(argv[0]);

	printf("%" PRIu64 "\n", number(result, argv[1]));
	json_decref(result);
}

static void usage(void)
{
	fputs("usage: agree rest STATS CLASSES KERNEL-BEFORE KERNEL-NOW "
	      "CONNECTIONS\n"
	      "       agree compact STATS CLASSES COMPACT STATS-AFTER "
	      "CLASSES-AFTER\n"
	      "       agree number FILE PATH\n",
	      stderr);
}

int main(int argc, char **argv)
{
	struct verdict v = {0, 0};

	if (argc == 7 && !strcmp(argv[1], "rest")) {
		run_rest(&v, argv + 2);
	} else if (argc == 7 && !strcmp(argv[1], "compact")) {
		run_compact(&v, argv + 2);
	} else if (argc == 4 && !strcmp(argv[1], "number")) {
		print_number(argv + 2);
		return 0;
	} else {
		usage();
		return 2;
	}
	printf("%u checks: %u ok, %u not ok\n", v.nr_ok + v.nr_not_ok, v.nr_ok,
	       v.nr_not_ok);
	return v.nr_not_ok ? 1 : 0;
}
