/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "worker_rig.h"

struct serve *serve;
struct export_table exports;
atomic_uint nr_left;
unsigned poll_us;
bool keeps;
struct stream_area *kept_area;
static struct residence *residence;
static struct io_log *lines;

static void count_left(void *arg)
{
	ck_assert_ptr_eq(arg, &nr_left);
	atomic_fetch_add(&nr_left, 1);
}

void start_worker(unsigned handshake_timeout_s)
{
	const struct export_params disk = {.name = "", .description = ""};
	struct serve_params params = {
		.exports = &exports,
		.nr_threads = 1,
		.max_connections = MAX_CONNECTIONS,
		.handshake_timeout_s = handshake_timeout_s,
		.poll_us = poll_us,
		.left = count_left,
		.left_arg = &nr_left,
	};
	struct export *export;

	ck_assert_int_eq(export_create(&disk, flat_store(), &export), 0);
	ck_assert_int_eq(export_table_add(&exports, export), 0);
	ck_assert_int_eq(io_log_create(&lines), 0);
	ck_assert_int_eq(residence_begin(SWAP_OFF, 1, lines, &residence), 0);
	params.residence = residence;
	params.log = lines;
	if (keeps)
		ck_assert_int_eq(serve_area_create(&params, &kept_area), 0);
	params.area = kept_area;
	ck_assert_int_eq(serve_create(&params, &serve), 0);
}

void worker_setup(void)
{
	flat_store_reset();
	atomic_store(&nr_left, 0);
	start_worker(DEADLINE_S);
}

void end_worker(void)
{
	serve_join(serve);
	serve_destroy(serve);
	export_table_fini(&exports);
	residence_end(residence);
	io_log_close(lines);
	stream_area_destroy(kept_area);
	kept_area = NULL;
	serve = NULL;
}

void stop_worker(void)
{
	serve_stop(serve);
	end_worker();
}

void worker_teardown(void)
{
	if (serve)
		stop_worker();
}

/* --- a client ------------------------------------------------------------ */

static void set_patience(int fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
				    sizeof(patience)),
			 0);
}

int connect_client(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	set_patience(fds[0]);
	ck_assert_int_eq(serve_give(serve, fds[1], 0, true), 0);
	return fds[0];
}

int connect_tcp_client(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t bytes = sizeof(addr);
	const int rcvbuf = 32 << 10;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int accepted;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, bytes), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(
		getsockname(listener, (struct sockaddr *)&addr, &bytes), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf,
				    sizeof(rcvbuf)),
			 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, bytes), 0);
	set_patience(fd);
	accepted = accept(listener, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	ck_assert_int_eq(serve_give(serve, accepted, 0, false), 0);
	close(listener);
	return fd;
}

void send_all(int fd, const void *data, size_t bytes)
{
	const char *p = data;
	ssize_t n;

	while (bytes) {
		n = send(fd, p, bytes, MSG_NOSIGNAL);
		ck_assert_int_gt(n, 0);
		p += n;
		bytes -= (size_t)n;
	}
}

void receive_all(int fd, void *data, size_t bytes)
{
	char *p = data;
	ssize_t n;

	while (bytes) {
		n = recv(fd, p, bytes, 0);
		ck_assert_int_gt(n, 0);
		p += n;
		bytes -= (size_t)n;
	}
}

void receive_end(int fd)
{
	char byte;

	ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

void put_handshake(unsigned char p[HANDSHAKE_BYTES])
{
	struct nbdc_bytes b = {.data = p, .room = HANDSHAKE_BYTES};

	nbdc_put(&b, 4, NBDC_MODERN);
	nbdc_put_info(&b, OPT_GO, "", NULL, 0);
}

void receive_welcome(int fd)
{
	unsigned char bytes[NBDC_GREETING_BYTES + GO_REPLY_BYTES];

	receive_all(fd, bytes, sizeof(bytes));
	ck_assert_uint_eq(load_be64(bytes), NBDC_INIT_MAGIC);
	ck_assert_uint_eq(load_be64(bytes + NBDC_GREETING_BYTES),
			  NBDC_REP_MAGIC);
}

void shake_hands(int fd)
{
	unsigned char handshake[HANDSHAKE_BYTES];

	put_handshake(handshake);
	send_all(fd, handshake, sizeof(handshake));
	receive_welcome(fd);
}

int connect_served(void)
{
	int fd = connect_client();

	shake_hands(fd);
	return fd;
}

void put_request(unsigned char p[NBDC_REQUEST_BYTES], uint16_t type,
		 uint64_t cookie, uint64_t offset, uint32_t length)
{
	const struct nbdc_request request = {.type = type,
					     .cookie = cookie,
					     .offset = offset,
					     .length = length};

	nbdc_encode_request(p, &request);
}

void send_request(int fd, uint16_t type, uint64_t cookie, uint64_t offset,
		  uint32_t length)
{
	unsigned char bytes[NBDC_REQUEST_BYTES];

	put_request(bytes, type, cookie, offset, length);
	send_all(fd, bytes, sizeof(bytes));
}

void receive_reply(int fd, uint64_t cookie, uint32_t error)
{
	unsigned char bytes[NBDC_SIMPLE_BYTES];

	receive_all(fd, bytes, sizeof(bytes));
	ck_assert_uint_eq(load_be32(bytes), NBDC_SIMPLE_MAGIC);
	ck_assert_uint_eq(load_be32(bytes + 4), error);
	ck_assert_uint_eq(load_be64(bytes + 8), cookie);
}

void receive_data(int fd, uint64_t offset, size_t bytes)
{
	unsigned char *data = malloc(bytes);

	ck_assert_ptr_nonnull(data);
	receive_all(fd, data, bytes);
	ck_assert(memcmp(data, flat.bytes + offset, bytes) == 0);
	free(data);
}

/* --- waiting ------------------------------------------------------------- */

void wait_a_moment(time_t end)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	ck_assert_int_lt(time(NULL), end);
	nanosleep(&moment, NULL);
}

void wait_for_no_conns(void)
{
	WAIT_UNTIL(serve_nr_conns(serve) == 0);
}
