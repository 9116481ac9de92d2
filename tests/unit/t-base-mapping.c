/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether memory is really there is asked of the kernel: mincore(2) says which
 * pages of the memfd exist, fstat(2) how much it holds, getrusage(2) whether
 * touching them faulted.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mapping.h"
#include "base/units.h"
#include "suite.h"

#define NR_PAGES  256
#define MAP_BYTES ((uint64_t)NR_PAGES * ZSD_PAGE_BYTES)

static struct mapping map;

static void setup(void)
{
	ck_assert_int_eq(mapping_create("t-base-mapping", MAP_BYTES, &map), 0);
}

static void teardown(void)
{
	mapping_destroy(&map);
}

static uint64_t page(unsigned nr)
{
	return (uint64_t)nr * ZSD_PAGE_BYTES;
}

static unsigned nr_resident(unsigned first, unsigned nr)
{
	unsigned char there[NR_PAGES];
	unsigned n = 0;

	ck_assert_int_eq(mincore(map.base + page(first), page(nr), there), 0);
	for (unsigned i = 0; i < nr; i++)
		n += there[i] & 1;
	return n;
}

static uint64_t bytes_held(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(map.fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* One assertion, for check takes its time over each. */
static bool all_bytes_are(const unsigned char *p, uint64_t bytes,
			  unsigned char value)
{
	return p[0] == value && memcmp(p, p + 1, bytes - 1) == 0;
}

static long nr_faults(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

START_TEST(a_new_mapping_costs_no_memory)
{
	ck_assert_uint_eq(map.bytes, MAP_BYTES);
	ck_assert_uint_eq((uintptr_t)map.base % ZSD_PAGE_BYTES, 0);
	ck_assert_uint_eq(nr_resident(0, NR_PAGES), 0);
	ck_assert_uint_eq(bytes_held(), 0);
}
END_TEST

START_TEST(a_new_mapping_reads_as_zeros)
{
	ck_assert(all_bytes_are(map.base, MAP_BYTES, 0));
}
END_TEST

START_TEST(the_memfd_is_not_inherited)
{
	ck_assert_int_eq(fcntl(map.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

/* What /proc/self/smaps says of the mapping, in two letters each. */
static bool has_flag(const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool is_ours = false, is_found = false;
	unsigned long from, to;
	char line[512];

	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_ours = from == (uintptr_t)map.base;
		if (is_ours && strncmp(line, "VmFlags:", 8) == 0)
			is_found = strstr(line, flag);
	}
	fclose(smaps);
	return is_found;
}

START_TEST(no_core_dump_holds_it)
{
	ck_assert(has_flag(" sh ")); /* flags are read, and are its own */
	ck_assert(has_flag(" dd "));
}
END_TEST

START_TEST(commit_brings_exactly_the_range_in)
{
	ck_assert_int_eq(mapping_commit(&map, page(16), page(32), NULL), 0);
	ck_assert_uint_eq(nr_resident(0, 16), 0);
	ck_assert_uint_eq(nr_resident(16, 32), 32);
	ck_assert_uint_eq(nr_resident(48, NR_PAGES - 48), 0);
	ck_assert_uint_eq(bytes_held(), page(32));
}
END_TEST

START_TEST(committed_pages_do_not_fault)
{
	long before;

	ck_assert_int_eq(mapping_commit(&map, 0, MAP_BYTES, NULL), 0);
	nr_faults(); /* its own first faults are not to be counted */
	before = nr_faults();
	for (unsigned i = 0; i < NR_PAGES; i++)
		*(volatile unsigned char *)(map.base + page(i)) = 1;
	/* Far below one a page; a sanitizer's shadow takes one for eight. */
	ck_assert_int_lt(nr_faults() - before, NR_PAGES / 4);
}
END_TEST

START_TEST(commit_keeps_what_is_there)
{
	memset(map.base + page(3), 0x5a, page(2));
	ck_assert_int_eq(mapping_commit(&map, 0, page(8), NULL), 0);
	ck_assert(all_bytes_are(map.base, page(3), 0));
	ck_assert(all_bytes_are(map.base + page(3), page(2), 0x5a));
	ck_assert(all_bytes_are(map.base + page(5), page(3), 0));
}
END_TEST

/* Where nothing is mapped the kernel has no memory to give either. */
static void make_hole(unsigned nr)
{
	ck_assert_int_eq(munmap(map.base + page(nr), page(1)), 0);
}

START_TEST(a_part_that_came_is_told)
{
	uint64_t done = 12345;

	make_hole(60);
	ck_assert_int_eq(mapping_commit(&map, page(8), page(64), &done),
			 -ENOMEM);
	ck_assert_uint_eq(done, page(52));
	ck_assert_uint_eq(bytes_held(), page(52));
	ck_assert_uint_eq(nr_resident(8, 52), 52);
	/* Again: it is there, and no more comes. */
	ck_assert_int_eq(mapping_commit(&map, page(8), page(64), &done),
			 -ENOMEM);
	ck_assert_uint_eq(done, page(52));
	ck_assert_uint_eq(bytes_held(), page(52));
	ck_assert_int_eq(mapping_commit(&map, page(60), page(4), &done),
			 -ENOMEM);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(mapping_commit(&map, page(61), page(4), &done), 0);
	ck_assert_uint_eq(done, page(4));
}
END_TEST

START_TEST(release_gives_exactly_the_range_back)
{
	ck_assert_int_eq(mapping_commit(&map, 0, MAP_BYTES, NULL), 0);
	memset(map.base, 0x77, MAP_BYTES);
	ck_assert_int_eq(mapping_release(&map, page(100), page(50)), 0);
	ck_assert_uint_eq(bytes_held(), MAP_BYTES - page(50));
	ck_assert_uint_eq(nr_resident(0, 100), 100);
	ck_assert_uint_eq(nr_resident(100, 50), 0);
	ck_assert_uint_eq(nr_resident(150, NR_PAGES - 150), NR_PAGES - 150);
	ck_assert(all_bytes_are(map.base, page(100), 0x77));
	ck_assert(all_bytes_are(map.base + page(100), page(50), 0));
	ck_assert(all_bytes_are(map.base + page(150), page(NR_PAGES - 150),
				0x77));
}
END_TEST

START_TEST(release_keeps_the_size)
{
	struct stat st;

	ck_assert_int_eq(mapping_release(&map, page(NR_PAGES - 1), page(1)), 0);
	ck_assert_int_eq(fstat(map.fd, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, MAP_BYTES);
}
END_TEST

START_TEST(released_pages_can_be_committed_again)
{
	ck_assert_int_eq(mapping_commit(&map, 0, page(4), NULL), 0);
	ck_assert_int_eq(mapping_release(&map, 0, page(4)), 0);
	ck_assert_int_eq(mapping_commit(&map, 0, page(4), NULL), 0);
	ck_assert_uint_eq(nr_resident(0, 4), 4);
	ck_assert_uint_eq(map.base[0], 0);
}
END_TEST

START_TEST(a_size_beyond_the_address_space_is_an_error)
{
	struct mapping other = {.bytes = 12345, .fd = -7};

	ck_assert_int_lt(mapping_create("too-large", (uint64_t)1 << 62, &other),
			 0);
	ck_assert_uint_eq(other.bytes, 12345);
	ck_assert_int_eq(other.fd, -7);
}
END_TEST

START_TEST(what_the_kernel_refuses_is_an_error)
{
	struct mapping read_only = {.bytes = map.bytes, .owner_fd = -1};
	char path[64];

	ck_assert_int_lt(snprintf(path, sizeof(path), "/proc/self/fd/%d",
				  map.fd),
			 (int)sizeof(path));
	read_only.fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(read_only.fd, 0);
	read_only.base =
		mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, read_only.fd, 0);
	ck_assert_ptr_ne(read_only.base, MAP_FAILED);
	ck_assert_int_eq(mapping_commit(&map, 0, page(4), NULL), 0);
	memset(map.base, 0x33, page(4));
	ck_assert_int_eq(mapping_commit(&read_only, page(4), page(4), NULL),
			 -EBADF);
	ck_assert_int_eq(mapping_release(&read_only, 0, page(4)), -EBADF);
	ck_assert_uint_eq(bytes_held(), page(4));
	ck_assert_uint_eq(map.base[0], 0x33);
	mapping_destroy(&read_only);
}
END_TEST

START_TEST(another_can_map_it_but_not_own_it)
{
	struct mapping other;

	map.base[0] = 0x42;
	ck_assert_int_eq(mapping_open(map.fd, &other), 0);
	ck_assert_uint_eq(other.bytes, MAP_BYTES);
	ck_assert_uint_eq(other.base[0], 0x42);
	ck_assert_int_eq(mapping_own(&map), 0); /* it is its already */
	ck_assert_int_eq(mapping_own(&other), -EBUSY);
	mapping_destroy(&map);
	ck_assert_uint_eq(other.base[0], 0x42);
	ck_assert_int_eq(mapping_own(&other), 0);
	map = other;
}
END_TEST

START_TEST(the_owner_that_is_killed_is_none)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	mapping_destroy(&map);
	ck_assert_int_eq(pipe(fds), 0);
	map.fd = memfd_create("t-base-mapping", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(map.fd, MAP_BYTES), 0);
	pid = fork();
	if (!pid) {
		struct mapping its;

		if (mapping_open(map.fd, &its) || mapping_own(&its) ||
		    write(fds[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert_int_eq(mapping_open(map.fd, &map), 0);
	ck_assert_int_eq(mapping_own(&map), -EBUSY);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(mapping_own(&map), 0);
}
END_TEST

START_TEST(memory_is_found)
{
	uint64_t from = 0, end = MAP_BYTES;

	ck_assert(!mapping_next_data(&map, &from, &end));
	ck_assert_int_eq(mapping_commit(&map, page(3), page(4), NULL), 0);
	ck_assert_int_eq(mapping_commit(&map, page(9), page(1), NULL), 0);
	ck_assert(mapping_next_data(&map, &from, &end));
	ck_assert_uint_eq(from, page(3));
	ck_assert_uint_eq(end, page(7));
	from = end;
	end = page(9); /* up to there there is none */
	ck_assert(!mapping_next_data(&map, &from, &end));
	from = page(5); /* from the middle of one to that of another */
	end = page(6);
	ck_assert(mapping_next_data(&map, &from, &end));
	ck_assert_uint_eq(from, page(5));
	ck_assert_uint_eq(end, page(6));
}
END_TEST

/* Pages of the process that have memory. */
static long resident(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	long size, pages = 0;

	ck_assert_ptr_nonnull(statm);
	ck_assert_int_eq(fscanf(statm, "%ld %ld", &size, &pages), 2);
	fclose(statm);
	return pages;
}

START_TEST(memory_for_a_while_goes_back)
{
	const size_t bytes = 8 * MIB;
	const long before = resident();
	unsigned char *memory = memory_take(bytes);

	ck_assert_ptr_nonnull(memory);
	ck_assert(!memory[0] && !memory[bytes - 1]);
	memset(memory, 1, bytes);
	ck_assert_int_ge(resident(), before + 2000);
	memory_give_back(memory, bytes);
	memory_give_back(NULL, bytes);
	ck_assert_int_lt(resident(), before + 1000);
	ck_assert_ptr_null(memory_take(SIZE_MAX / 2));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/mapping");
	TCase *tcase = tcase_create("mapping");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_new_mapping_costs_no_memory);
	tcase_add_test(tcase, a_new_mapping_reads_as_zeros);
	tcase_add_test(tcase, the_memfd_is_not_inherited);
	tcase_add_test(tcase, no_core_dump_holds_it);
	tcase_add_test(tcase, another_can_map_it_but_not_own_it);
	tcase_add_test(tcase, the_owner_that_is_killed_is_none);
	tcase_add_test(tcase, memory_is_found);
	tcase_add_test(tcase, commit_brings_exactly_the_range_in);
	tcase_add_test(tcase, committed_pages_do_not_fault);
	tcase_add_test(tcase, commit_keeps_what_is_there);
	tcase_add_test(tcase, a_part_that_came_is_told);
	tcase_add_test(tcase, release_gives_exactly_the_range_back);
	tcase_add_test(tcase, release_keeps_the_size);
	tcase_add_test(tcase, released_pages_can_be_committed_again);
	tcase_add_test(tcase, a_size_beyond_the_address_space_is_an_error);
	tcase_add_test(tcase, what_the_kernel_refuses_is_an_error);
	tcase_add_test(tcase, memory_for_a_while_goes_back);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
