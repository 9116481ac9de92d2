/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/units.h"
#include "serve/busy_poll.h"
#include "suite.h"
#include "zsd/options/options.h"

#define MAX_ARGS 24

/* Room for what a child prints, bytes: --help is the longest. */
#define OUTPUT_BYTES 8192

/* Parse a command line in this process, where it must be right. The words of
 * @line are separated by single spaces. */
static struct options parse(const char *line)
{
	static char words[1024]; /* the options point into it */
	char *argv[MAX_ARGS + 1] = {NULL}, *rest = words;
	struct options options;
	int argc = 0;

	ck_assert_uint_lt((size_t)snprintf(words, sizeof(words), "zsd %s",
					   line),
			  sizeof(words));
	while (rest && argc < MAX_ARGS)
		argv[argc++] = strsep(&rest, " ");
	options_parse(argc, argv, false, &options);
	return options;
}

/* Parse it in a child. Returns its exit status, or 256 if it went on; what it
 * printed is in @output. */
static int parse_in_child(const char *line, char output[OUTPUT_BYTES])
{
	size_t used = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		parse(line);
		abort();
	}
	close(ends[1]);
	while ((n = read(ends[0], output + used, OUTPUT_BYTES - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static void setup(void)
{
	unsetenv("LISTEN_FDS");
}

/* --- right ones ---------------------------------------------------------- */

START_TEST(silence_means_the_defaults)
{
	struct options options = parse("-s 64M -u /run/s");
	const struct server_params *server = &options.server;
	char name[ZCOMP_NAME_BYTES];
	cpu_set_t cores;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cores), &cores), 0);
	ck_assert_uint_eq(server->disks[0].store.disk_bytes, 64 * MIB);
	ck_assert_uint_eq(server->disks[0].store.mem_limit_bytes, 0);
	ck_assert_uint_eq(server->disks[0].store.reserve_bytes, 4 * MIB);
	ck_assert_uint_eq(server->disks[0].store.chain_size, 16);
	ck_assert_str_eq(zcomp_format(&server->disks[0].store.zcomp, name),
			 "lz4:1");
	ck_assert_str_eq(server->listen.socket_path, "/run/s");
	ck_assert_str_eq(server->listen.control_path, "/run/s.ctl");
	ck_assert_ptr_null(server->listen.listen_address);
	ck_assert_str_eq(server->disks[0].name, "");
	ck_assert_str_eq(server->disks[0].description, OPTIONS_DESCRIPTION);
	ck_assert(!server->disks[0].read_only);
	ck_assert_ptr_null(server->disks[0].dictionary);
	ck_assert_ptr_null(server->disks[0].restore);
	ck_assert_ptr_null(server->pid_file);
	ck_assert_uint_eq(server->nr_threads, (unsigned)CPU_COUNT(&cores));
	ck_assert_uint_eq(server->max_connections, 64);
	ck_assert_uint_eq(server->handshake_timeout_s, 10);
	ck_assert_uint_eq(server->stop_timeout_s, 0);
	ck_assert_uint_eq(server->poll_us, 0);
	ck_assert(!server->verbose);
	options_fini(&options);
}
END_TEST

/* Twice the same, once with letters as far as there are any. */
static const char *const full_lines[] = {
	"--size=1G --socket=/s --listen=[::1]:1 --control=/c "
	"--algorithm=zstd:-7 --mem-limit=100M --reserve=1M --threads=3 "
	"--chain-size=11 --export-name=e --description=d --read-only "
	"--max-connections=7 --handshake-timeout=2 --stop-timeout=90 "
	"--pid-file=/p --verbose --poll=70 --dictionary=/d --restore=/r",
	"-s1024M -u/s -l[::1]:1 -c/c -azstd:-7 -m102400K -r1048576 -t3 "
	"--chain-size=11 -ne --description=d --read-only --max-connections=7 "
	"--handshake-timeout=2 --stop-timeout=90 -P/p -v --poll=70 "
	"--dictionary=/d --restore /r",
};

START_TEST(each_option_has_its_effect)
{
	struct options options = parse(full_lines[_i]);
	const struct server_params *server = &options.server;
	char name[ZCOMP_NAME_BYTES];

	ck_assert_uint_eq(server->disks[0].store.disk_bytes, GIB);
	ck_assert_uint_eq(server->disks[0].store.mem_limit_bytes, 100 * MIB);
	ck_assert_uint_eq(server->disks[0].store.reserve_bytes, MIB);
	ck_assert_uint_eq(server->disks[0].store.chain_size, 11);
	ck_assert_str_eq(zcomp_format(&server->disks[0].store.zcomp, name),
			 "zstd:-7");
	ck_assert_str_eq(server->listen.socket_path, "/s");
	ck_assert_str_eq(server->listen.control_path, "/c");
	ck_assert_str_eq(server->listen.listen_address, "[::1]:1");
	ck_assert_str_eq(server->disks[0].name, "e");
	ck_assert_str_eq(server->disks[0].description, "d");
	ck_assert(server->disks[0].read_only);
	ck_assert_str_eq(server->pid_file, "/p");
	ck_assert_str_eq(server->disks[0].dictionary, "/d");
	ck_assert_str_eq(server->disks[0].restore, "/r");
	ck_assert_uint_eq(server->nr_threads, 3);
	ck_assert_uint_eq(server->max_connections, 7);
	ck_assert_uint_eq(server->handshake_timeout_s, 2);
	ck_assert_uint_eq(server->stop_timeout_s, 90);
	ck_assert_uint_eq(server->poll_us, 70);
	ck_assert(server->verbose);
	options_fini(&options);
}
END_TEST

START_TEST(polling_needs_no_number)
{
	struct options options = parse("-s 64M -u /s --poll");

	ck_assert_uint_eq(options.server.poll_us, BUSY_POLL_DEFAULT_US);
	options_fini(&options);
}
END_TEST

START_TEST(who_is_swapped_on_polls_unless_told_not_to)
{
	struct options options = parse("-s 64M -u /s --swap");
	cpu_set_t cores;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cores), &cores), 0);
	ck_assert_uint_eq(options.server.poll_us,
			  CPU_COUNT(&cores) > 1 ? BUSY_POLL_DEFAULT_US : 0);
	options_fini(&options);
	options = parse("-s 64M -u /s --swap --poll=0");
	ck_assert_uint_eq(options.server.poll_us, 0);
	options_fini(&options);
}
END_TEST

START_TEST(checksums_are_kept_where_asked_for)
{
	struct options options = parse("-s 64M -u /s");

	ck_assert(!options.server.disks[0].store.checksum);
	options_fini(&options);
	options = parse("-s 64M -u /s --checksum");
	ck_assert(options.server.disks[0].store.checksum);
	options_fini(&options);
}
END_TEST

/* Less than the least limit is refused; none at all is not. */
START_TEST(the_least_limit_is_taken)
{
	struct options options = parse("-s 64M -u /s -m 1M");

	ck_assert_uint_eq(options.server.disks[0].store.mem_limit_bytes, MIB);
	options_fini(&options);
	options = parse("-s 64M -u /s -m 0");
	ck_assert_uint_eq(options.server.disks[0].store.mem_limit_bytes, 0);
	options_fini(&options);
}
END_TEST

START_TEST(each_export_has_its_own)
{
	struct options options =
		parse("-s 1G -u /s -a zstd --checksum --export a "
		      "--export b,size=8M,algorithm=lz4,checksum=off,read-only,"
		      "mem-limit=1M,reserve=0,chain-size=4,description=x,,y=z "
		      "--export ,dictionary=/d --export \xc3\xa4,,");
	const struct disk_params *disks = options.server.disks;
	char name[ZCOMP_NAME_BYTES];

	ck_assert_uint_eq(options.server.nr_disks, 4);
	ck_assert_str_eq(disks[0].name, "a");
	ck_assert_uint_eq(disks[0].store.disk_bytes, GIB);
	ck_assert_str_eq(zcomp_format(&disks[0].store.zcomp, name), "zstd:1");
	ck_assert(disks[0].store.checksum);
	ck_assert(!disks[0].read_only);
	ck_assert_uint_eq(disks[0].store.reserve_bytes, 4 * MIB);

	ck_assert_str_eq(disks[1].name, "b");
	ck_assert_uint_eq(disks[1].store.disk_bytes, 8 * MIB);
	ck_assert_str_eq(zcomp_format(&disks[1].store.zcomp, name), "lz4:1");
	ck_assert(!disks[1].store.checksum);
	ck_assert(disks[1].read_only);
	ck_assert_uint_eq(disks[1].store.mem_limit_bytes, MIB);
	ck_assert_uint_eq(disks[1].store.reserve_bytes, 0);
	ck_assert_uint_eq(disks[1].store.chain_size, 4);
	ck_assert_str_eq(disks[1].description, "x,y=z");

	ck_assert_str_eq(disks[2].name, "");
	ck_assert_str_eq(disks[2].dictionary, "/d");
	ck_assert_str_eq(disks[3].name, "\xc3\xa4,");
	options_fini(&options);
}
END_TEST

/* Whether it says so itself, or what it begins with does. */
START_TEST(each_disk_has_a_size)
{
	struct options options =
		parse("-u /s --export a,restore=/a --export b,size=8M");
	const struct disk_params *disks = options.server.disks;

	ck_assert_str_eq(disks[0].restore, "/a");
	ck_assert_uint_eq(disks[0].store.disk_bytes, 0);
	ck_assert_ptr_null(disks[1].restore);
	ck_assert_uint_eq(disks[1].store.disk_bytes, 8 * MIB);
	options_fini(&options);
	options = parse("-u /s --restore /r");
	ck_assert_uint_eq(options.server.disks[0].store.disk_bytes, 0);
	options_fini(&options);
}
END_TEST

START_TEST(a_share_of_memory_is_a_size)
{
	const uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096;
	struct options options = parse("-s 50% -u /s -m ram/4 -r 1.5M");
	const struct zstore_params *store = &options.server.disks[0].store;

	ck_assert_uint_eq(store->disk_bytes, ram / 2 / 4096 * 4096);
	ck_assert_uint_eq(store->mem_limit_bytes, ram / 4 / 4096 * 4096);
	ck_assert_uint_eq(store->reserve_bytes, 1536 * KIB);
	options_fini(&options);
}
END_TEST

START_TEST(without_a_socket_path_there_is_no_default_control)
{
	struct options options = parse("-s 4K -l localhost");

	ck_assert_ptr_null(options.server.listen.control_path);
	options_fini(&options);
}
END_TEST

START_TEST(sockets_may_come_from_the_service_manager)
{
	struct options options;

	setenv("LISTEN_FDS", "1", 1);
	options = parse("-s 4K");
	ck_assert_ptr_null(options.server.listen.socket_path);
	options_fini(&options);
}
END_TEST

static const char *const good_bounds[] = {
	"-s 4096 -u s",
	"-s 4T -u s",
	"-s 4K -u s -t 1",
	"-s 4K -u s -t 256",
	"-s 4K -u s -m 0",
	"-s 4K -u s -r 0",
	"-s 4K -u s -n ",
	"-s 4K -u s --chain-size 4",
	"-s 4K -u s --max-connections 1 --handshake-timeout 1",
	"-s 4K -u s --max-connections 4096 --handshake-timeout 86400",
	"-s 4K -u s -a lz4:65537",
	"-s 4K -u s -a zstd:22",
};

START_TEST(the_ends_of_each_range_are_in_it)
{
	struct options options = parse(good_bounds[_i]);

	options_fini(&options);
}
END_TEST

/* --- wrong ones ---------------------------------------------------------- */

/* What is wrong, and a word that the explanation must have. */
static const struct {
	const char *line;
	const char *word;
} bad_lines[] = {
	{"-s 1M -u /s --dictionary /d", "--algorithm zstd"},
	{"-s 1M -u /s -a zstd --dictionary=", "--dictionary"},
	{"-u s", "--size"},
	{"-u s --export a,restore=/a --export b", "export 'b': --size"},
	{"-u s --restore=", "--restore"},
	{"-s 64M", "--socket"},
	{"-s 64M", "LISTEN_FDS"},
	{"-s 64M -c c", "--listen"},
	{"-s 0 -u s", "--size"},
	{"-s 4095 -u s", "--size"},
	{"-s 4097 -u s", "4096"},
	{"-s 5T -u s", "4.0 TiB"},
	{"-s -4096 -u s", "--size"},
	{"-s big -u s", "'big'"},
	{"-s 4Q -u s", "--size"},
	{"-s 99999999999999999999 -u s", "--size"},
	{"-s  -u s", "--size"},
	{"-s 4K -u ", "--socket"},
	{"-s 4K -l ", "--listen"},
	{"-s 4K -u s -c ", "--control"},
	{"-s 4K -u s -P ", "--pid-file"},
	{"-s 4K -u s -m x", "--mem-limit"},
	{"-s 4K -u s -m 4096", "--mem-limit"},
	{"-s 4K -u s -m 1048575", "1.0 MiB"},
	{"-s 4K -u s -r 1.5", "--reserve"},
	{"-s 1GB -u s", "1.5G (1 G is"},
	{"-s ram/0 -u s", "--size"},
	{"-s 5000% -u s", "--size"},
	{"-s 4K -u s -n \xff", "UTF-8"},
	{"-s 4K -u s -n \xed\xa0\x80", "UTF-8"},
	{"-s 4K -u s -n a\xc0\x80", "UTF-8"},
	{"-s 4K -u s -n \xf4\x90\x80\x80", "UTF-8"},
	{"-s 4K -u s -n \xe2\x82", "UTF-8"},
	{"-s 4K -u s --description \xff", "--description: it must be UTF-8"},
	{"-s 4K -u s --export \xff", "--export: it must be UTF-8"},
	{"-u s --export a", "export 'a': --size is required"},
	{"-s 4K -u s --export a --export a", "two have the name 'a'"},
	{"-s 4K -u s -n x --export a", "exclude"},
	{"-u s --export a,size=4095", "--export 'a': size: '4095' must"},
	{"-u s --export a,size", "--export 'a': size: it needs a value"},
	{"-u s --export a,size=", "--export 'a': size: '' must"},
	{"-s 4K -u s --export a,threads=1", "no key 'threads'"},
	{"-s 4K -u s --export a,", "no key ''"},
	{"-s 4K -u s --export a,checksum=1", "'1' must be on or off"},
	{"-s 4K -u s --export a,dictionary=/d", "export 'a': --dictionary"},
	{"-s 4K -u s -a lzo", "lz4[:1..65537]"},
	{"-s 4K -u s -a lzo", "--algorithm"},
	{"-s 4K -u s -a lz4:0", "'lz4:0'"},
	{"-s 4K -u s -a zstd:23", "zstd[:-7..22]"},
	{"-s 4K -u s -t 0", "--threads"},
	{"-s 4K -u s -t 257", "256"},
	{"-s 4K -u s -t 2x", "'2x'"},
	{"-s 4K -u s -t -1", "--threads"},
	{"-s 4K -u s -t 4294967297", "--threads"},
	{"-s 4K -u s -t 99999999999999999999", "--threads"},
	{"-s 4K -u s --chain-size 3", "--chain-size"},
	{"-s 4K -u s --chain-size 17", "from 4 to 16"},
	{"-s 4K -u s --max-connections 0", "--max-connections"},
	{"-s 4K -u s --max-connections 4097", "4096"},
	{"-s 4K -u s --handshake-timeout 0", "--handshake-timeout"},
	{"-s 4K -u s --handshake-timeout 86401", "86400"},
	{"-s 4K -u s extra", "argument"},
	{"-s 4K -u s --no-such-option", "no-such-option"},
	{"-s 4K -u s -t", "argument"},
};

START_TEST(wrong_lines_are_explained)
{
	char output[OUTPUT_BYTES];

	ck_assert_int_eq(parse_in_child(bad_lines[_i].line, output), 2);
	if (!strstr(output, bad_lines[_i].word))
		ck_abort_msg("'%s' is not in: %s", bad_lines[_i].word, output);
}
END_TEST

START_TEST(a_name_is_at_most_as_long_as_the_protocol_allows)
{
	static char name[4096 + 2];
	char *argv[] = {(char[]){"zsd"},
			(char[]){"-s4K"},
			(char[]){"-us"},
			(char[]){"-n"},
			name,
			NULL};
	struct options options;
	int status;
	pid_t pid;

	memset(name, 'n', 4096);
	options_parse(5, argv, false, &options);
	ck_assert_str_eq(options.server.disks[0].name, name);
	options_fini(&options);

	name[4096] = 'n';
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		options_parse(5, argv, false, &options);
		abort();
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}
END_TEST

/* --- those that print and end -------------------------------------------- */

static const char *const version_lines[] = {"--version", "-V",
					    "-s 4K --version"};

START_TEST(the_version_is_told)
{
	char output[OUTPUT_BYTES];

	ck_assert_int_eq(parse_in_child(version_lines[_i], output), 0);
	ck_assert_str_eq(output, "zsd " PACKAGE_VERSION "\n");
}
END_TEST

START_TEST(help_lists_the_options_in_order)
{
	static const char *const names[] = {
		"--size=",
		"--socket=",
		"--listen=",
		"--control=",
		"--algorithm=",
		"--checksum",
		"--mem-limit=",
		"--reserve=",
		"--threads=",
		"--chain-size=",
		"--export-name=",
		"--export=",
		"--description=",
		"--read-only",
		"--max-connections=",
		"--handshake-timeout=",
		"--pid-file=",
		"--daemon",
		"--verbose",
		"--version",
	};
	char output[OUTPUT_BYTES];
	const char *at = output;

	ck_assert_int_eq(parse_in_child("--help", output), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		at = strstr(at, names[i]);
		if (!at)
			ck_abort_msg("%s is missing, or too early", names[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsd-options");
	TCase *tc = tcase_create("options");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, silence_means_the_defaults);
	tcase_add_loop_test(tc, each_option_has_its_effect, 0,
			    ARRAY_SIZE(full_lines));
	tcase_add_test(tc, polling_needs_no_number);
	tcase_add_test(tc, who_is_swapped_on_polls_unless_told_not_to);
	tcase_add_test(tc, checksums_are_kept_where_asked_for);
	tcase_add_test(tc, the_least_limit_is_taken);
	tcase_add_test(tc, each_export_has_its_own);
	tcase_add_test(tc, each_disk_has_a_size);
	tcase_add_test(tc, a_share_of_memory_is_a_size);
	tcase_add_test(tc, without_a_socket_path_there_is_no_default_control);
	tcase_add_test(tc, sockets_may_come_from_the_service_manager);
	tcase_add_loop_test(tc, the_ends_of_each_range_are_in_it, 0,
			    ARRAY_SIZE(good_bounds));
	tcase_add_loop_test(tc, wrong_lines_are_explained, 0,
			    ARRAY_SIZE(bad_lines));
	tcase_add_test(tc, a_name_is_at_most_as_long_as_the_protocol_allows);
	tcase_add_loop_test(tc, the_version_is_told, 0,
			    ARRAY_SIZE(version_lines));
	tcase_add_test(tc, help_lists_the_options_in_order);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
