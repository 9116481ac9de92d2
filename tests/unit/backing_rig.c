/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "backing_rig.h"
#include "quiet.h"

/* Until then everything that is waited for must have come, ns. */
#define DEADLINE_NS (60 * UINT64_C(1000000000))

char rig_path[RIG_PATH_BYTES];
char rig_line[512];

static struct residence *residence;

static struct {
	uv_mutex_t lock;
	uv_cond_t cond;
	unsigned nr;
} told;

/* --- in place of the log --------------------------------------------------- */

void __wrap_io_log(struct io_log *log, enum io_log_priority priority,
		   const char *format, ...) ZSD_PRINTF(3, 4);
void __wrap_io_log_some(struct io_log *log, struct io_log_limit *limit,
			enum io_log_priority priority, const char *format, ...)
	ZSD_PRINTF(4, 5);

void __wrap_io_log(struct io_log *log, enum io_log_priority priority,
		   const char *format, ...)
{
	va_list args;

	(void)log;
	(void)priority;
	va_start(args, format);
	(void)vsnprintf(rig_line, sizeof(rig_line), format, args);
	va_end(args);
}

void __wrap_io_log_some(struct io_log *log, struct io_log_limit *limit,
			enum io_log_priority priority, const char *format, ...)
{
	(void)log;
	(void)limit;
	(void)priority;
	(void)format;
}

/* --- fixture --------------------------------------------------------------- */

static bool make_file(const char *folder)
{
	const struct backing_params params = rig_params(true, true);
	struct backing *backing;
	int fd;

	(void)snprintf(rig_path, sizeof(rig_path), "%s/t-backing-XXXXXX",
		       folder);
	fd = mkstemp(rig_path);
	if (fd < 0)
		return false;
	if (posix_fallocate(fd, 0, (off_t)RIG_BLOCKS * BACKING_BLOCK_BYTES) ==
		    0 &&
	    backing_open(&params, &backing) == 0) {
		backing_close(backing);
		close(fd);
		return true;
	}
	close(fd);
	unlink(rig_path);
	return false;
}

void rig_setup(void)
{
	const char *folder = getenv("ZSD_TEST_DIR");

	told.nr = 0;
	ck_assert_int_eq(uv_mutex_init(&told.lock), 0);
	ck_assert_int_eq(uv_cond_init(&told.cond), 0);
	ck_assert_int_eq(residence_begin(SWAP_OFF, 16, NULL, &residence), 0);
	if (!(folder && make_file(folder)) && !make_file(".") &&
	    !make_file("/var/tmp"))
		ck_abort_msg("no folder on a disk: name one by ZSD_TEST_DIR "
			     "(%s)",
			     rig_line);
	rig_line[0] = 0;
}

void rig_teardown(void)
{
	unlink(rig_path);
	residence_end(residence);
	uv_cond_destroy(&told.cond);
	uv_mutex_destroy(&told.lock);
}

/* --- one that is open ------------------------------------------------------ */

static void fetched(void *arg)
{
	(void)arg;
	uv_mutex_lock(&told.lock);
	told.nr++;
	uv_cond_broadcast(&told.cond);
	uv_mutex_unlock(&told.lock);
}

struct backing_params rig_params(bool is_swapped_on, bool encrypt)
{
	return (struct backing_params){
		.path = rig_path,
		.is_swapped_on = is_swapped_on,
		.encrypt = encrypt,
		.residence = residence,
		.fetched = fetched,
	};
}

void rig_key(unsigned number, unsigned char key[BACKING_KEY_BYTES])
{
	for (unsigned i = 0; i < BACKING_KEY_BYTES; i++)
		key[i] = (unsigned char)(i * 7 + number);
}

struct backing *rig_start(bool encrypt, const struct backing_ops *ops)
{
	const struct backing_params params = rig_params(true, encrypt);
	unsigned char key[BACKING_KEY_BYTES];
	struct backing *backing;

	rig_key(1, key);
	ck_assert_int_eq(backing_open(&params, &backing), 0);
	if (ops)
		backing->ops = ops;
	ck_assert_int_eq(backing_claim(backing), 0);
	ck_assert_int_eq(backing_start(backing, encrypt ? key : NULL), 0);
	return backing;
}

unsigned rig_told(void)
{
	unsigned nr;

	uv_mutex_lock(&told.lock);
	nr = told.nr;
	uv_mutex_unlock(&told.lock);
	return nr;
}

void rig_wait_told(unsigned seen)
{
	const uint64_t end_ns = uv_hrtime() + DEADLINE_NS;

	uv_mutex_lock(&told.lock);
	while (told.nr == seen) {
		quiet_assert(uv_hrtime() < end_ns);
		(void)uv_cond_timedwait(&told.cond, &told.lock, DEADLINE_NS);
	}
	uv_mutex_unlock(&told.lock);
}

void rig_need(struct backing *backing, const uint32_t *blocks, unsigned nr)
{
	unsigned seen = rig_told();

	while (backing_need(backing, blocks, nr)) {
		rig_wait_told(seen);
		seen = rig_told();
	}
}

void rig_fill(uint32_t block, unsigned version,
	      unsigned char page[BACKING_BLOCK_BYTES])
{
	const uint64_t word = (uint64_t)block << 32 | version;

	for (size_t i = 0; i < BACKING_BLOCK_BYTES; i += sizeof(word))
		memcpy(page + i, &word, sizeof(word));
}

bool rig_holds(uint32_t block, unsigned version,
	       const unsigned char page[BACKING_BLOCK_BYTES])
{
	unsigned char expected[BACKING_BLOCK_BYTES];

	rig_fill(block, version, expected);
	return memcmp(page, expected, sizeof(expected)) == 0;
}

void rig_write(struct backing *backing, uint32_t block, unsigned version)
{
	unsigned char page[BACKING_BLOCK_BYTES];
	struct backing_block one = {.number = block, .bytes = page, .err = 1};

	rig_fill(block, version, page);
	backing_write(backing, &one, 1);
	ck_assert_int_eq(one.err, 0);
}
