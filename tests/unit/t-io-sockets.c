/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "io/tcp_socket.h"
#include "io/unix_socket.h"
#include "suite.h"

/* --- addresses ----------------------------------------------------------- */

static const struct {
	const char *text;
	const char *host;
	const char *port;
} good_addresses[] = {
	{"localhost", "localhost", "7"},
	{"localhost:1", "localhost", "1"},
	{"127.0.0.1:65535", "127.0.0.1", "65535"},
	{"127.0.0.1:0", "127.0.0.1", "0"},
	{"::1", "::1", "7"},
	{"fe80::1:2", "fe80::1:2", "7"},
	{"[::1]", "::1", "7"},
	{"[::1]:8", "::1", "8"},
	{"[host]:8", "host", "8"},
	{":8", "", "8"},
	{"*", "", "7"},
	{"*:8", "", "8"},
	{"host:nbd", "host", "nbd"},
};

START_TEST(addresses_are_read)
{
	struct tcp_address address;

	ck_assert_int_eq(
		tcp_address_parse(good_addresses[_i].text, "7", &address), 0);
	ck_assert_str_eq(address.host, good_addresses[_i].host);
	ck_assert_str_eq(address.port, good_addresses[_i].port);
}
END_TEST

static const char *const bad_addresses[] = {
	"",
	"host:",
	"[::1",
	"[::1]8",
	"[::1]:",
	"host:65536",
	"host:99999",
	"host:1x",
	"host:4294967303",
	"host:18446744073709551623",
	"host:a-port-with-a-name-that-no-service-has-got",
};

START_TEST(wrong_addresses_are_refused)
{
	struct tcp_address address;

	ck_assert_int_eq(tcp_address_parse(bad_addresses[_i], "7", &address),
			 -EINVAL);
}
END_TEST

START_TEST(long_hosts_are_refused)
{
	static char text[TCP_HOST_BYTES + 1];
	struct tcp_address address;

	memset(text, 'h', TCP_HOST_BYTES - 1);
	ck_assert_int_eq(tcp_address_parse(text, "7", &address), 0);
	ck_assert_str_eq(address.host, text);
	text[TCP_HOST_BYTES - 1] = 'h';
	ck_assert_int_eq(tcp_address_parse(text, "7", &address), -EINVAL);
}
END_TEST

/* What the next names stand for, in place of what they do; NULL: as ever. */
static struct addrinfo *stands_for;

int __real_getaddrinfo(const char *host, const char *port,
		       const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *port,
		       const struct addrinfo *hints, struct addrinfo **list);
void __real_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list);

int __wrap_getaddrinfo(const char *host, const char *port,
		       const struct addrinfo *hints, struct addrinfo **list)
{
	*list = stands_for;
	return stands_for ? 0 : __real_getaddrinfo(host, port, hints, list);
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
	if (list != stands_for)
		__real_freeaddrinfo(list);
}

static const struct tcp_address any_name = {.host = "name", .port = "1"};
static char reason[TCP_REASON_BYTES];

static struct sockaddr_in ipv4(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(address)};
}

static struct addrinfo entry(void *address, struct addrinfo *next)
{
	return (struct addrinfo){.ai_family = AF_INET,
				 .ai_socktype = SOCK_STREAM,
				 .ai_addr = address,
				 .ai_addrlen = sizeof(struct sockaddr_in),
				 .ai_next = next};
}

/* The port that a socket listens on. */
static uint16_t port_of(int fd)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	return ntohs(name.sin_port);
}

START_TEST(tcp_listens)
{
	const struct tcp_address address = {.host = "127.0.0.1", .port = "0"};
	struct sockaddr_in name;
	int fds[4], fd;
	size_t nr;

	ck_assert_int_eq(
		tcp_listen(&address, fds, ARRAY_SIZE(fds), &nr, reason), 0);
	ck_assert_uint_eq(nr, 1);
	name = ipv4(INADDR_LOOPBACK, port_of(fds[0]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&name, sizeof(name)),
			 0);
	close(fd);
	close(fds[0]);
}
END_TEST

START_TEST(tcp_says_why_it_does_not_listen)
{
	/* A documentation address, which no machine has (RFC 5737). */
	const struct tcp_address address = {.host = "192.0.2.1", .port = "77"};
	size_t nr;
	int fd;

	ck_assert_int_eq(tcp_listen(&address, &fd, 1, &nr, reason),
			 -EADDRNOTAVAIL);
	ck_assert_str_eq(reason,
			 "Cannot assign requested address (192.0.2.1:77)");
}
END_TEST

/* As /etc/hosts can make it out of "localhost". */
START_TEST(an_address_that_is_named_twice_is_one)
{
	struct sockaddr_in here = ipv4(INADDR_LOOPBACK, 0), other;
	struct addrinfo third, second, first;
	int fds[4], fd;
	size_t nr;

	/* A port that is free now, and hardly taken meanwhile. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	here = ipv4(INADDR_LOOPBACK, port_of(fd));
	other = ipv4(INADDR_LOOPBACK + 1, port_of(fd));
	close(fd);
	third = entry(&here, NULL);
	second = entry(&other, &third);
	first = entry(&here, &second);
	stands_for = &first;
	ck_assert_int_eq(
		tcp_listen(&any_name, fds, ARRAY_SIZE(fds), &nr, reason), 0);
	ck_assert_uint_eq(nr, 2);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Clients of the one that is taken would find another server. */
START_TEST(all_addresses_or_none)
{
	struct sockaddr_in taken = ipv4(INADDR_LOOPBACK, 0);
	struct sockaddr_in free = ipv4(INADDR_LOOPBACK + 1, 0);
	struct sockaddr_in absent = ipv4(0xc0000201, 0); /* 192.0.2.1 */
	struct addrinfo third, second, first;
	char expected[TCP_REASON_BYTES];
	int fds[4], fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t nr;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&taken, sizeof(taken)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	taken.sin_port = htons(port_of(fd));
	third = entry(&taken, NULL);
	second = entry(&free, &third);
	first = entry(&absent, &second);
	stands_for = &first;
	ck_assert_int_eq(tcp_listen(&any_name, fds, ARRAY_SIZE(fds), &nr,
				    reason),
			 -EADDRINUSE);
	snprintf(expected, sizeof(expected),
		 "Address already in use (127.0.0.1:%u)", port_of(fd));
	ck_assert_str_eq(reason, expected);
	close(fd);
	second.ai_next = NULL; /* without it, what is absent is no matter */
	ck_assert_int_eq(
		tcp_listen(&any_name, fds, ARRAY_SIZE(fds), &nr, reason), 0);
	ck_assert_uint_eq(nr, 1);
	close(fds[0]);
}
END_TEST

/* --- Unix sockets -------------------------------------------------------- */

#define FOLDER "/tmp/t-io-sockets-XXXXXX"

static char folder[sizeof(FOLDER)];
static char path[sizeof(folder) + 8];

static void make_folder(void)
{
	strcpy(folder, FOLDER);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_gt(snprintf(path, sizeof(path), "%s/s", folder), 0);
}

static void remove_folder(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0); /* nothing else is left there */
}

static int connect_path(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), err = 0;

	ck_assert_int_ge(fd, 0);
	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err = -errno;
	close(fd);
	return err;
}

START_TEST(a_unix_socket_is_its_owners_alone)
{
	struct unix_file file;
	struct stat st;
	mode_t old = umask(0);
	int fd;

	ck_assert_int_eq(unix_listen(path, &file, &fd), 0);
	umask(old);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(connect_path(), 0);
	unix_file_remove(&file);
	ck_assert_int_eq(stat(path, &st), -1);
	close(fd);
}
END_TEST

START_TEST(one_that_nobody_listens_on_is_replaced)
{
	struct unix_file left, file;
	int fd;

	ck_assert_int_eq(unix_listen(path, &left, &fd), 0);
	close(fd);
	ck_assert_int_eq(connect_path(), -ECONNREFUSED);
	ck_assert_int_eq(unix_listen(path, &file, &fd), 0);
	ck_assert_int_eq(connect_path(), 0);
	unix_file_remove(&file);
	close(fd);
}
END_TEST

START_TEST(one_that_somebody_listens_on_is_left_alone)
{
	struct unix_file file, other;
	int fd, other_fd;

	ck_assert_int_eq(unix_listen(path, &file, &fd), 0);
	ck_assert_int_eq(unix_listen(path, &other, &other_fd), -EADDRINUSE);
	ck_assert_int_eq(connect_path(), 0);
	unix_file_remove(&file);
	close(fd);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	struct unix_file file;
	FILE *f = fopen(path, "w");
	struct stat st;
	int fd;

	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert_int_eq(unix_listen(path, &file, &fd), -EADDRINUSE);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
}
END_TEST

START_TEST(the_file_of_another_is_not_removed)
{
	struct unix_file first, second;
	struct stat st;
	int fd, second_fd;

	ck_assert_int_eq(unix_listen(path, &first, &fd), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unix_listen(path, &second, &second_fd), 0);
	unix_file_remove(&first);
	ck_assert_int_eq(stat(path, &st), 0);
	unix_file_remove(&second);
	ck_assert_int_eq(stat(path, &st), -1);
	close(fd);
	close(second_fd);
}
END_TEST

START_TEST(a_path_must_fit_its_address)
{
	struct unix_file file;
	char text[109];
	int fd;

	memset(text, 'p', sizeof(text) - 1);
	text[108] = '\0';
	ck_assert_int_eq(unix_listen(text, &file, &fd), -ENAMETOOLONG);
}
END_TEST

#define NR_RIVALS 6
#define NR_RACES  100

/* How one of many that start at once fared. */
enum outcome {
	LISTENS = 'l',
	TURNED_AWAY = 't',
	FAILED = 'f',
};

/* Starts when @start ends, says how it fared, stays until @stop ends. */
static void run_rival(int start, int say, int stop)
{
	struct unix_file file;
	char outcome, c;
	int fd, err;

	while (read(start, &c, 1) > 0)
		;
	err = unix_listen(path, &file, &fd);
	outcome = !err ? LISTENS : err == -EADDRINUSE ? TURNED_AWAY : FAILED;
	if (write(say, &outcome, 1) != 1)
		_exit(1);
	while (read(stop, &c, 1) > 0)
		;
	_exit(0); /* a socket that is left behind, for the next race */
}

/* Returns how many of the rivals got the path. */
static unsigned race(void)
{
	int start[2], say[2], stop[2];
	unsigned nr_listening = 0;
	char outcome;

	ck_assert_int_eq(pipe(start) | pipe(say) | pipe(stop), 0);
	for (int i = 0; i < NR_RIVALS; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			close(start[1]);
			close(stop[1]);
			run_rival(start[0], say[1], stop[0]);
		}
	}
	close(start[1]);
	for (int i = 0; i < NR_RIVALS; i++) {
		ck_assert_int_eq(read(say[0], &outcome, 1), 1);
		ck_assert_int_ne(outcome, FAILED);
		nr_listening += outcome == LISTENS;
	}
	ck_assert_int_eq(connect_path(), 0);
	close(stop[1]);
	for (int i = 0; i < NR_RIVALS; i++)
		ck_assert_int_gt(wait(NULL), 0);
	close(start[0]);
	close(stop[0]);
	close(say[0]);
	close(say[1]);
	return nr_listening;
}

START_TEST(of_many_that_start_at_once_one_gets_the_path)
{
	for (int i = 0; i < NR_RACES; i++)
		ck_assert_uint_eq(race(), 1);
}
END_TEST

START_TEST(a_lock_that_was_left_behind_is_no_hindrance)
{
	char lock_path[sizeof(path) + 16];
	struct unix_file file;
	FILE *f;
	int fd;

	ck_assert_int_gt(
		snprintf(lock_path, sizeof(lock_path), "%s.zsd-lock", path), 0);
	f = fopen(lock_path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert_int_eq(unix_listen(path, &file, &fd), 0);
	ck_assert_int_eq(connect_path(), 0);
	unix_file_remove(&file);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io/sockets");
	TCase *tcp = tcase_create("tcp"), *local = tcase_create("unix");

	tcase_add_loop_test(tcp, addresses_are_read, 0,
			    ARRAY_SIZE(good_addresses));
	tcase_add_loop_test(tcp, wrong_addresses_are_refused, 0,
			    ARRAY_SIZE(bad_addresses));
	tcase_add_test(tcp, long_hosts_are_refused);
	tcase_add_test(tcp, tcp_listens);
	tcase_add_test(tcp, an_address_that_is_named_twice_is_one);
	tcase_add_test(tcp, all_addresses_or_none);
	tcase_add_test(tcp, tcp_says_why_it_does_not_listen);
	suite_add_tcase(suite, tcp);

	tcase_set_timeout(local, 60); /* many processes, on a busy machine */
	tcase_add_checked_fixture(local, make_folder, remove_folder);
	tcase_add_test(local, a_unix_socket_is_its_owners_alone);
	tcase_add_test(local, one_that_nobody_listens_on_is_replaced);
	tcase_add_test(local, one_that_somebody_listens_on_is_left_alone);
	tcase_add_test(local, what_is_no_socket_is_left_alone);
	tcase_add_test(local, the_file_of_another_is_not_removed);
	tcase_add_test(local, a_path_must_fit_its_address);
	tcase_add_test(local, of_many_that_start_at_once_one_gets_the_path);
	tcase_add_test(local, a_lock_that_was_left_behind_is_no_hindrance);
	suite_add_tcase(suite, local);
	return suite_run(suite);
}
