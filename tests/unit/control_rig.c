/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control_rig.h"
#include "policy/policy.h"
#include "policy/recompress.h"
#include "policy/train.h"
#include "policy/writeback/writeback.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_save.h"

/* Most bytes that a reply can have, by docs/control-protocol.md. */
#define MAX_REPLY_BYTES ((size_t)1 << 20)

static struct {
	struct rig_store store;
	struct control *control;
	struct residence *residence;
	struct io_log *log;
	struct export all[2]; /* "" and "second" */
	struct export_table exports;
	struct writeback *writebacks[EXPORT_MAX];
	struct sockaddr_un address;
	char folder[64];

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool compact_held;
	bool stats_held;
	unsigned nr_begun; /* compactions */
} rig;

static void set(bool *flag, bool value)
{
	pthread_mutex_lock(&rig.lock);
	*flag = value;
	pthread_cond_broadcast(&rig.changed);
	pthread_mutex_unlock(&rig.lock);
}

static void wait_while(const bool *flag)
{
	pthread_mutex_lock(&rig.lock);
	while (*flag)
		pthread_cond_wait(&rig.changed, &rig.lock);
	pthread_mutex_unlock(&rig.lock);
}

/* --- the made-up store -------------------------------------------------- */

unsigned rig_counter(const char *name)
{
	unsigned sum = 0;

	for (const char *p = name; *p; p++)
		sum = sum * 31 % 9973 + (unsigned char)*p;
	return rig.store.empty ? 0 : sum;
}

#define FILL(name) out->name = rig_counter(#name);

void zstore_stats(struct zstore *store, struct zstore_stats *out)
{
	(void)store;
	ZSTORE_MM_STAT(FILL)
	ZSTORE_IO_STAT(FILL)
	ZSTORE_MEMORY_STAT(FILL)
	ZSTORE_SHARE_STAT(FILL)
}

#define FILL_FIGURE(name, ...) FILL(name)

/* Of a figure that is a text, or a number. */
#define FILL_TEXT(name)		     out->name = #name;
#define FILL_POLICY_TEXT(name)	     FILL_TEXT(name)
#define FILL_POLICY_COUNT(name)	     FILL(name)
#define FILL_POLICY_BYTES(name)	     FILL(name)
#define FILL_POLICY_SECONDS(name)    FILL(name)
#define FILL_POLICY_REAL(name)	     FILL(name)
#define FILL_POLICY_LIMIT(name)	     FILL(name)
#define FILL_POLICY_FLAG(name)	     out->name = true;
#define FILL_POLICY(name, unit, ...) FILL_POLICY_##unit(name)

void export_sum(struct export *export, struct ctl_requests *out)
{
	ck_assert_ptr_eq(export, &rig.all[export->index]);
	CTL_REQUESTS(FILL_FIGURE)
}

static void fill_connections(struct ctl_connections *out)
{
	CTL_CONNECTIONS(FILL_FIGURE)
}

static void fill_polling(struct ctl_polling *out)
{
	CTL_POLLING(FILL_FIGURE)
}

static void fill_survival(struct ctl_survival *out)
{
	CTL_SURVIVAL(FILL_FIGURE)
	out->standby_ready = true;
}

static void count(void *arg, struct ctl_connections *connections,
		  struct ctl_polling *polling, struct ctl_survival *survival)
{
	ck_assert_ptr_eq(arg, &rig);
	wait_while(&rig.stats_held);
	fill_connections(connections);
	fill_polling(polling);
	fill_survival(survival);
}

static int upgrade(void *arg)
{
	ck_assert_ptr_eq(arg, &rig);
	return rig.store.keeperless ? -EOPNOTSUPP : 0;
}

const struct zstore_params *zstore_params(const struct zstore *store)
{
	static const struct zcomp_ops *const some = (const void *)"a codec";
	static struct zstore_params params = {
		.disk_bytes = 3 * TIB,
		.chain_size = 8,
	};

	(void)store;
	params.zcomp.ops = some;
	params.zcomp.level = !rig.store.unlearned;
	params.recomp.ops = rig.store.second ? some : NULL;
	params.recomp.level = 1;
	return &params;
}

const uint8_t *zstore_uuid(const struct zstore *store)
{
	static const uint8_t uuid[ZSTORE_UUID_BYTES] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xff,
	};
	static const uint8_t none[ZSTORE_UUID_BYTES];

	(void)store;
	return rig.store.empty ? none : uuid;
}

uint64_t zstore_reserve_target_pages(const struct zstore *store)
{
	(void)store;
	return rig_counter("reserve_target_pages");
}

uint64_t zstore_reserve_pages(struct zstore *store)
{
	(void)store;
	return rig_counter("reserve_pages");
}

void reserve_count(struct reserve *reserve, uint64_t *starved, uint64_t *failed)
{
	(void)reserve;
	*starved = rig_counter("starved");
	*failed = rig_counter("failed");
}

char *zcomp_format(const struct zcomp_params *params,
		   char text[ZCOMP_NAME_BYTES])
{
	(void)params;
	(void)snprintf(text, ZCOMP_NAME_BYTES, "zstd:3");
	return text;
}

int zstore_scratch_create(struct zstore_scratch **out)
{
	*out = NULL;
	return 0;
}

void zstore_scratch_destroy(struct zstore_scratch *scratch)
{
	(void)scratch;
}

int zstore_ctx_create(struct zstore *store, struct zstore_scratch *scratch,
		      struct zstore_ctx **out)
{
	(void)store;
	(void)scratch;
	*out = NULL;
	return 0;
}

void zstore_ctx_destroy(struct zstore_ctx *ctx)
{
	(void)ctx;
}

int zstore_save_begin(struct zstore_save *save, struct zstore_ctx *ctx,
		      uint32_t flags, uint64_t time_s)
{
	(void)ctx;
	*save = (struct zstore_save){
		.head = {.flags = flags, .disk_bytes = MIB}};
	ck_assert_uint_gt(time_s, 1700000000);
	rig.store.save_flags = flags;
	rig.store.nr_saves++;
	return 0;
}

void zstore_save_end(struct zstore_save *save)
{
	(void)save;
	rig.store.nr_saves--;
}

/* Every other call finds nothing. */
int zstore_save_next(struct zstore_save *save, unsigned char *dst,
		     size_t *bytes)
{
	*bytes = 0;
	save->has_begun = !save->has_begun;
	if (save->has_begun)
		return 0;
	save->is_over = save->next == rig.store.nr_blocks;
	if (save->next + 1 == rig.store.damaged_block)
		return -EIO;
	*bytes = RIG_BLOCK_BYTES;
	memset(dst, save->is_over ? 0xee : (int)save->next, RIG_BLOCK_BYTES);
	save->next++;
	return 0;
}

size_t zstore_save_fail(struct zstore_save *save, const char *text,
			unsigned char *dst)
{
	save->is_over = true;
	memcpy(dst, text, strlen(text));
	return strlen(text);
}

void rig_attach(void)
{
	export_attach(&rig.all[0]);
}

void rig_detach(void)
{
	export_detach(&rig.all[0]);
}

void rig_make_read_only(void)
{
	rig.all[0].read_only = true;
}

/* Class 3 is in use, 5 is not, 254 is the last; all others are merged. */
bool zstore_class_stats(struct zstore *store, unsigned class_idx,
			struct zs_class_stats *out)
{
	(void)store;
	if (class_idx != 3 && class_idx != 5 && class_idx != 254)
		return false;
	memset(out, 0, sizeof(*out));
	out->geometry.class_idx = (uint16_t)class_idx;
	out->geometry.size_bytes = (uint16_t)(32 + 16 * class_idx);
	out->geometry.pages_per_zspage = 2;
	out->geometry.objs_per_zspage = 9;
	if (class_idx == 5)
		return true;
	out->almost_full = 1;
	out->almost_empty = 2;
	out->obj_allocated = class_idx;
	out->obj_used = 10;
	out->pages_used = 20;
	out->freeable = 30;
	return true;
}

bool zstore_compact_slice(struct zstore *store,
			  struct zs_compact_cursor *cursor,
			  unsigned max_objects, uint64_t *freed_pages)
{
	(void)store;
	(void)max_objects;
	pthread_mutex_lock(&rig.lock);
	rig.nr_begun++;
	pthread_cond_broadcast(&rig.changed);
	pthread_mutex_unlock(&rig.lock);
	wait_while(&rig.compact_held);
	rig.store.nr_compacts++;
	cursor->moved_objs = RIG_MOVED_OBJS;
	*freed_pages = RIG_FREED_PAGES;
	return false;
}

void zstore_reset_peak(struct zstore *store)
{
	(void)store;
	rig.store.nr_resets++;
}

void zstore_shrink(struct zstore *store)
{
	(void)store;
	rig.store.nr_shrinks++;
}

int zstore_verify(struct zstore_ctx *ctx, struct zstore_verify_report *report)
{
	(void)ctx;
	report->pages_checked = RIG_VERIFIED;
	report->pages_damaged = rig.store.broken;
	(void)snprintf(report->text, sizeof(report->text), "%s",
		       rig.store.broken ? RIG_PROBLEM : "");
	return rig.store.broken ? -EUCLEAN : 0;
}

bool zstore_dict_info(struct zstore *store, unsigned number,
		      struct zstore_dict_info *out)
{
	(void)store;
	if (number != RIG_DICT_NUMBER)
		return false;
	*out = (struct zstore_dict_info){
		.bytes = rig_counter("dict_bytes"),
		.memory_bytes = rig_counter("dict_memory"),
		.pages = rig_counter("dict_pages"),
		.is_current = true,
	};
	return true;
}

unsigned zstore_dict_current(const struct zstore *store,
			     enum zstore_codec codec)
{
	(void)store;
	return codec == ZSTORE_PRIMARY ? RIG_DICT_NUMBER : 0;
}

void policy_state(struct policy *policy, const struct export *export,
		  struct ctl_policy *out)
{
	ck_assert_ptr_null(policy);
	ck_assert_ptr_eq(export, &rig.all[export->index]);
	CTL_POLICY(FILL_POLICY)
}

uint64_t policy_mark_idle(struct policy *policy, const struct export *export,
			  uint32_t age_s)
{
	ck_assert_ptr_null(policy);
	ck_assert_ptr_eq(export, &rig.all[export->index]);
	rig.store.idle_age_s = age_s;
	return rig_counter("pages_idle");
}

size_t zstore_huge_class_size(const struct zstore *store)
{
	(void)store;
	return RIG_HUGE_BYTES;
}

bool zcomp_has_dicts(const struct zcomp_params *params)
{
	return params->ops && params->level;
}

int recompress_run(struct zstore_ctx *ctx, const struct export_table *exports,
		   const struct zstore_recompress *how,
		   struct zstore_recompressing *out)
{
	(void)ctx;
	ck_assert_uint_gt(exports->nr, 0);
	rig.store.recompressed = *how;
	*out = (struct zstore_recompressing){
		.nr_tried = rig_counter("pages_tried"),
		.nr_done = rig_counter("pages_recompressed"),
		.bytes_before = rig_counter("bytes_before"),
		.bytes_after = rig_counter("bytes_after"),
	};
	return rig.store.roomless ? -ENOSPC : 0;
}

/* Any that is not there: nobody looks at it. */
static struct writeback *made_up_writeback(void)
{
	return (struct writeback *)(void *)&rig.store;
}

void writeback_tell(struct writeback *writeback, struct ctl_backing *out)
{
	ck_assert_ptr_eq(writeback, made_up_writeback());
	CTL_BACKING(FILL_POLICY)
}

int writeback_all(struct writeback *writeback, struct zstore_ctx *ctx,
		  struct writeback_run *run)
{
	(void)ctx;
	ck_assert_ptr_eq(writeback, made_up_writeback());
	rig.store.written = run->how;
	run->at.nr_tried = rig_counter("pages_tried");
	run->at.nr_done = rig_counter("pages_written");
	run->at.bytes = rig_counter("bytes_written");
	run->at.nr_blocks = rig_counter("blocks");
	run->nr_failed = 0;
	return rig.store.roomless ? -ENOSPC : 0;
}

/* Each third page is there, and is all that a page can be. */
bool zstore_block(const struct zstore *store, uint64_t index,
		  struct zstore_block *out)
{
	(void)store;
	*out = (struct zstore_block){
		.accessed_s = (uint32_t)index,
		.is_same = index % 2,
		.is_backed = index % 2,
		.is_huge = index % 2,
		.is_idle = index % 2,
		.is_recompressed = index % 2,
		.is_incompressible = index % 2,
	};
	return index % 3 == 0;
}

void rig_remove_backing(void)
{
	rig.writebacks[0] = NULL;
}

int train_run(struct zstore *store, struct zstore_ctx *ctx,
	      enum zstore_codec codec, bool is_swapped, size_t dict_bytes,
	      struct train_report *out, struct ctl_error *error)
{
	(void)store;
	(void)ctx;
	ck_assert(!is_swapped);
	rig.store.trained_codec = codec;
	rig.store.trained_bytes = dict_bytes;
	if (rig.store.untrainable)
		return ctl_error_set(error, -EAGAIN, RIG_UNTRAINABLE);
	*out = (struct train_report){
		.number = rig.store.useless ? 0 : RIG_DICT_NUMBER,
		.nr_trained = 40,
		.nr_tested = 10,
		.without = {20000, 300000, 70000},
		.trained = {15000, 200000, 60000},
		.nr_bytes = strlen(RIG_DICT),
	};
	memcpy(out->bytes, RIG_DICT, out->nr_bytes);
	return 0;
}

/* --- the control thread --------------------------------------------------- */

static int listen_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)address,
			      sizeof(*address)),
			 0);
	ck_assert_int_eq(listen(fd, SOMAXCONN), 0);
	return fd;
}

static void add_exports(size_t nr)
{
	static const char *const names[] = {"", "second"};

	for (size_t i = 0; i < nr; i++) {
		rig.all[i].nbd.name = names[i];
		ck_assert_int_eq(export_table_add(&rig.exports, &rig.all[i]),
				 0);
	}
}

static void start(unsigned idle_ms, size_t nr_exports)
{
	static struct reserve *const reserves[EXPORT_MAX];
	struct control_params params = {
		.reserves = reserves,
		.nr_threads = 4,
		.idle_ms = idle_ms,
		.count = count,
		.count_arg = &rig,
		.upgrade = upgrade,
	};

	memset(&rig, 0, sizeof(rig));
	ck_assert_int_eq(residence_begin(SWAP_OFF, 2, NULL, &rig.residence), 0);
	residence_join(rig.residence, "test", RESIDENCE_ORDINARY);
	params.residence = rig.residence;
	pthread_mutex_init(&rig.lock, NULL);
	pthread_cond_init(&rig.changed, NULL);
	(void)snprintf(rig.folder, sizeof(rig.folder), "/tmp/t-control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.folder));
	rig.address.sun_family = AF_UNIX;
	(void)snprintf(rig.address.sun_path, sizeof(rig.address.sun_path),
		       "%s/control", rig.folder);
	params.listen_fds[0] = listen_at(&rig.address);
	params.nr_listen_fds = 1;
	ck_assert_int_eq(io_log_create(&rig.log), 0);
	params.log = rig.log;
	add_exports(nr_exports);
	params.exports = &rig.exports;
	for (size_t i = 0; i < nr_exports; i++)
		rig.writebacks[i] = made_up_writeback();
	params.writebacks = rig.writebacks;
	ck_assert_int_eq(control_start(&params, &rig.control), 0);
}

void rig_start(void)
{
	start(10 * RIG_PATIENCE_S * 1000, 1); /* no test waits for it */
}

void rig_start_two(void)
{
	start(10 * RIG_PATIENCE_S * 1000, 2);
}

void rig_start_impatient(void)
{
	start(RIG_IDLE_MS, 1);
}

void rig_stop(void)
{
	control_stop(rig.control);
	residence_end(rig.residence);
	io_log_close(rig.log);
	unlink(rig.address.sun_path);
	rmdir(rig.folder);
}

struct rig_store *rig_store(void)
{
	return &rig.store;
}

void rig_hold_compact(void)
{
	set(&rig.compact_held, true);
}

void rig_release_compact(void)
{
	set(&rig.compact_held, false);
}

void rig_hold_stats(void)
{
	set(&rig.stats_held, true);
}

void rig_release_stats(void)
{
	set(&rig.stats_held, false);
}

void rig_await_compact(unsigned nr_begun)
{
	struct timespec deadline;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += RIG_PATIENCE_S;
	pthread_mutex_lock(&rig.lock);
	while (rig.nr_begun < nr_begun && !err)
		err = pthread_cond_timedwait(&rig.changed, &rig.lock,
					     &deadline);
	pthread_mutex_unlock(&rig.lock);
	ck_assert_int_eq(err, 0);
}

/* --- clients ------------------------------------------------------------ */

int rig_connect(void)
{
	const struct timeval patience = {.tv_sec = RIG_PATIENCE_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&rig.address,
				 sizeof(rig.address)),
			 0);
	return fd;
}

void rig_send(int fd, const char *data, size_t bytes)
{
	ssize_t n;

	while (bytes) {
		n = send(fd, data, bytes, MSG_NOSIGNAL);
		ck_assert_msg(n > 0, "send: %s", strerror(errno));
		data += n;
		bytes -= (size_t)n;
	}
}

json_t *rig_reply(int fd)
{
	char *line = malloc(MAX_REPLY_BYTES);
	size_t bytes = 0;
	json_t *reply;
	ssize_t n;

	ck_assert_ptr_nonnull(line);
	do {
		ck_assert_uint_lt(bytes, MAX_REPLY_BYTES);
		n = recv(fd, line + bytes, 1, 0);
		ck_assert_msg(n >= 0, "recv: %s", strerror(errno));
		if (n == 0) {
			ck_assert_uint_eq(bytes, 0);
			free(line);
			return NULL;
		}
		bytes++;
	} while (line[bytes - 1] != '\n');
	reply = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(reply);
	free(line);
	return reply;
}

json_t *rig_ask(int fd, const char *line)
{
	json_t *reply;

	rig_send(fd, line, strlen(line));
	rig_send(fd, "\n", 1);
	reply = rig_reply(fd);
	ck_assert_ptr_nonnull(reply);
	return reply;
}

static void expect_id(const json_t *reply, json_int_t id)
{
	const json_t *have = json_object_get(reply, "id");

	if (id < 0)
		ck_assert(json_is_null(have));
	else
		ck_assert_int_eq(json_integer_value(have), id);
}

void rig_expect_error(json_t *reply, json_int_t id, const char *code,
		      const char *message_part)
{
	const json_t *error = json_object_get(reply, "error");
	const char *message;

	expect_id(reply, id);
	ck_assert_ptr_nonnull(error);
	ck_assert_str_eq(json_string_value(json_object_get(error, "code")),
			 code);
	message = json_string_value(json_object_get(error, "message"));
	ck_assert_msg(message && strstr(message, message_part), "it says: %s",
		      message);
	json_decref(reply);
}

json_t *rig_result(json_t *reply, json_int_t id)
{
	json_t *result = json_object_get(reply, "result");

	expect_id(reply, id);
	ck_assert_msg(json_is_object(result), "no result: %s",
		      json_string_value(json_object_get(
			      json_object_get(reply, "error"), "message")));
	return result;
}

json_t *rig_export(json_t *reply)
{
	json_t *exports = json_object_get(rig_result(reply, 1), "exports");

	ck_assert_uint_eq(json_array_size(exports), 1);
	return json_array_get(exports, 0);
}
