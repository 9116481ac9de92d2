/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk whose processes are killed, one after the other, at any moment: while
 * threads write, trim, have equal pages share their objects, compact, keep
 * house, recompress, write pages out and begin epochs, and while it is being
 * adopted.
 *
 * A page's content follows from its number and its version. A journal, in
 * memory that outlives the processes, has for each page the version that was
 * written last, and the one that was being written; and the epoch in which it
 * was accessed last, or an earlier one. Each process adopts the disk, compares
 * every page with the two, before, while and after the rest is rebuilt, has it
 * verified, and goes on until it is killed. No page may be told to be older
 * than it is. The bytes of the backing outlive the processes, too: a block may
 * be torn where one died, but then it is no page's.
 *
 * One generation counts as OPS_PER_GENERATION operations of ZSD_MODEL_OPS.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "model/behind.h"
#include "model/model.h"
#include "model/own_ctx.h"
#include "model/sharing.h"
#include "model/train.h"
#include "zstore/zstore.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"

#define OPS_PER_GENERATION 1200u

#define NR_PAGES   700u
#define NR_WRITERS 2u

/* Neighbours are in several groups of slots. */
#define STRIDE 3u

#define DISK_BYTES ((uint64_t)NR_PAGES * STRIDE * ZSD_PAGE_BYTES)

#define MAX_BLOCKS NR_PAGES

/* How long a process goes on after it has begun to write, and how long one
 * lives that is killed before, at most. */
#define MAX_LIFE_US	  15000u
#define MAX_EARLY_LIFE_US 6000u

/* A process that gets no further hangs, seconds. */
#define HANG_S 60

static const struct {
	const char *algorithm;
	const char *secondary;
	bool checksum;
	uint64_t limit_bytes; /* 0: none */
	uint32_t nr_blocks; /* of the backing; 0: there is none */
} rounds[] = {
	{"lz4", "plz", false, 0, MAX_BLOCKS},
	{"zstd:1", "zstd:9", true, 0, 60},
	{"lz4", "zstd:1", true, 1200 * KIB, 0},
	{"zstd:1", "plz", true, 1200 * KIB, 200},
};

/* Contents that pages have in common; half of all are such. */
#define NR_CONTENTS 40u

#define NR_DICTS 3u

struct dicts {
	unsigned char bytes[NR_DICTS][MODEL_DICT_BYTES];
	size_t nr_bytes[NR_DICTS]; /* 0: the codec has none */
};

/* What outlives the processes, besides the image. */
struct journal {
	struct {
		_Atomic uint32_t done; /* version */
		_Atomic uint32_t doing; /* the same, but while it is written */
		_Atomic uint32_t accessed_s; /* at the earliest */
	} pages[NR_PAGES];
	_Atomic uint32_t clock_s; /* of the epoch that begins, or began last */
	_Atomic uint32_t now_s; /* of one that began: the last, or before it */
	_Atomic bool has_adopted, is_writing; /* the process at hand */
	_Atomic uint64_t nr_old, nr_new; /* of pages that were being written */
	_Atomic uint64_t nr_changes, nr_no_room, nr_compactions, nr_shared;
	_Atomic uint64_t nr_dicts[ZSTORE_CODECS], nr_recompressed,
		nr_incompressible;
	_Atomic uint64_t nr_written_out, nr_blocks, nr_full, nr_waits;
	_Atomic uint64_t nr_adopted; /* backed pages */
};

static struct model {
	struct model_run run;
	struct model_rng rng;
	struct zstore_params params;
	struct journal *journal;
	int image_fd;
	struct zstore *store; /* of the process at hand */
	struct behind behind; /* its bytes are all processes' */
	unsigned char *behind_bytes;
	struct dicts dicts[ZSTORE_CODECS];
	uint64_t nr_early, nr_rebuilding; /* deaths */
} m;

/* --- content --------------------------------------------------------------- */

enum change {
	CHANGE_WRITE,
	CHANGE_PATCH,
	CHANGE_TRIM,
};

static void seed_change(struct model_rng *rng, uint32_t index, uint32_t version)
{
	model_rng_init(rng, m.run.seed * 1000003 + index * 7919 + version);
}

/* By which a page becomes what its version says. */
static enum change change_of(struct model_rng *rng, uint32_t version)
{
	if (!version || model_rng_one_in(rng, 6))
		return CHANGE_TRIM;
	return model_rng_one_in(rng, 6) ? CHANGE_PATCH : CHANGE_WRITE;
}

static void fill_page(struct model_rng *rng, unsigned char *page)
{
	if (model_rng_one_in(rng, 2))
		model_rng_init(rng, model_rng_below(rng, NR_CONTENTS));
	model_page_fill(rng, model_page_kind(rng), page);
}

/* Where a page is patched, and with how many bytes of @page. */
static void choose_patch(struct model_rng *rng, unsigned char *page,
			 uint32_t *at, uint32_t *bytes)
{
	*at = (uint32_t)model_rng_below(rng, ZSD_PAGE_BYTES - 1);
	*bytes = 1 + (uint32_t)model_rng_below(rng, ZSD_PAGE_BYTES - 1 - *at);
	model_page_fill(rng, model_page_kind(rng), page);
}

static void make_page(uint32_t index, uint32_t version, unsigned char *page)
{
	unsigned char patch[ZSD_PAGE_BYTES];
	struct model_rng rng;
	uint32_t at, bytes;

	seed_change(&rng, index, version);
	switch (change_of(&rng, version)) {
	case CHANGE_WRITE:
		fill_page(&rng, page);
		break;
	case CHANGE_PATCH:
		choose_patch(&rng, patch, &at, &bytes);
		make_page(index, version - 1, page);
		memcpy(page + at, patch, bytes);
		break;
	case CHANGE_TRIM:
		memset(page, 0, ZSD_PAGE_BYTES);
		break;
	}
}

static uint64_t offset_of(uint32_t index)
{
	return (uint64_t)index * STRIDE * ZSD_PAGE_BYTES;
}

/* --- a process: changing --------------------------------------------------- */

/* Whether it is to be done again, when what it needs has come. */
static bool must_wait(int err)
{
	if (err != -EINPROGRESS)
		return false;
	m.journal->nr_waits++;
	if (!behind_arrive(&m.behind))
		sched_yield();
	return true;
}

static int write_range(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		       const void *src)
{
	int err;

	do {
		err = zstore_write(ctx, offset, bytes, src);
	} while (must_wait(err));
	return err;
}

static int make_change(struct zstore_ctx *ctx, uint32_t index, uint32_t version)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;
	uint32_t at, bytes;

	seed_change(&rng, index, version);
	switch (change_of(&rng, version)) {
	case CHANGE_WRITE:
		fill_page(&rng, page);
		return write_range(ctx, offset_of(index), sizeof(page), page);
	case CHANGE_PATCH:
		choose_patch(&rng, page, &at, &bytes);
		return write_range(ctx, offset_of(index) + at, bytes, page);
	case CHANGE_TRIM:
		break;
	}
	return zstore_write_zeroes(ctx, offset_of(index), ZSD_PAGE_BYTES);
}

/* That is no access: what is not there has no age. */
static bool is_trim(uint32_t index, uint32_t version)
{
	struct model_rng rng;

	seed_change(&rng, index, version);
	return change_of(&rng, version) == CHANGE_TRIM;
}

static void change_page(struct zstore_ctx *ctx, uint32_t index)
{
	uint32_t version = m.journal->pages[index].done + 1;
	uint32_t now_s = m.journal->now_s;
	int err;

	m.journal->pages[index].doing = version;
	err = make_change(ctx, index, version);
	MODEL_CHECK(&m.run,
		    !err || (err == -ENOSPC && m.params.mem_limit_bytes),
		    "page %u, version %u: %d", index, version, err);
	if (err)
		m.journal->pages[index].doing = version - 1;
	else
		m.journal->pages[index].done = version;
	if (!err && !is_trim(index, version))
		m.journal->pages[index].accessed_s = now_s;
	m.journal->nr_no_room += err != 0;
	m.journal->nr_changes++;
}

static struct model_rng own_rng(uint64_t id)
{
	struct model_rng rng;

	model_rng_init(&rng, model_rng_next(&m.rng) + id);
	return rng;
}

struct writer {
	pthread_t thread;
	unsigned id;
	struct model_rng rng;
};

static void *be_writer(void *arg)
{
	struct writer *writer = arg;
	struct zstore_ctx *ctx;

	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	if (writer->id % 2)
		zstore_ctx_never_wait(ctx);
	for (;;) {
		uint64_t of_mine = NR_PAGES / NR_WRITERS;

		change_page(ctx,
			    (uint32_t)(model_rng_below(&writer->rng, of_mine) *
				       NR_WRITERS) +
				    writer->id);
	}
	return NULL;
}

static void *be_sharer(void *arg)
{
	struct writer *sharer = arg;
	struct sharing sharing;
	struct zstore_ctx *ctx;

	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	sharing_open(&sharing, &m.run, ctx, NR_PAGES / 2);
	for (;;) {
		unsigned max_looks =
			(unsigned)model_rng_range(&sharer->rng, 1, 300);

		if (!sharing_go_on(&sharing, max_looks))
			usleep(100);
		m.journal->nr_shared += sharing_done(&sharing);
	}
	return NULL;
}

static void add_dict(enum zstore_codec codec, struct model_rng *rng)
{
	const struct dicts *dicts = &m.dicts[codec];
	uint64_t which = model_rng_below(rng, NR_DICTS);
	unsigned number;
	int err;

	if (!dicts->nr_bytes[which])
		return;
	err = zstore_dict_add(m.store, codec, dicts->bytes[which],
			      dicts->nr_bytes[which], &number);
	MODEL_CHECK(&m.run,
		    !err || err == -EBUSY ||
			    (err == -ENOSPC && m.params.mem_limit_bytes),
		    "a dictionary: %d", err);
	m.journal->nr_dicts[codec] += !err;
}

static void begin_epoch(struct model_rng *rng)
{
	uint32_t now_s =
		m.journal->clock_s + (uint32_t)model_rng_range(rng, 1, 100);

	m.journal->clock_s = now_s;
	zstore_begin_epoch(m.store, now_s);
	m.journal->now_s = now_s;
}

/* All pages that are due, but for those that find no room. */
static void recompress(struct zstore_ctx *ctx, struct model_rng *rng)
{
	const struct zstore_recompress how = {
		.is_idle = model_rng_one_in(rng, 4),
		.again = model_rng_one_in(rng, 2),
		.since_s = UINT32_MAX,
		.max_pages = model_rng_range(rng, 1, 100),
	};
	struct zstore_recompressing at = {0};
	int more;

	do {
		more = zstore_recompress(ctx, &how, &at, 10000);
	} while (more == 1);
	MODEL_CHECK(&m.run, !more || more == -ENOSPC || more == -ENOMEM,
		    "zstore_recompress: %d", more);
	m.journal->nr_recompressed += at.nr_done;
	m.journal->nr_incompressible += at.nr_tried - at.nr_done;
}

static void *be_rester(void *arg)
{
	struct writer *rester = arg;
	struct zstore_ctx *ctx;

	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	for (;;) {
		begin_epoch(&rester->rng);
		if (model_rng_one_in(&rester->rng, 5))
			(void)zstore_mark_idle(m.store, m.journal->now_s);
		if (model_rng_one_in(&rester->rng, 5))
			recompress(ctx, &rester->rng);
	}
	return NULL;
}

/* One pass, two blocks at a time. */
static void write_out(struct zstore_ctx *ctx, struct model_rng *rng)
{
	static struct zstore_block_out outs[2];
	const struct zstore_writeback how = {
		.is_idle = model_rng_one_in(rng, 4),
		.is_huge = model_rng_one_in(rng, 4),
		.singly = model_rng_one_in(rng, 3),
		.since_s = UINT32_MAX,
	};
	struct zstore_writing at = {0};
	unsigned nr = 0;
	int more;

	do {
		more = zstore_writeback_fill(ctx, &how, &at, &outs[nr], 10000);
		nr += more == 1;
		while (nr && (nr == ARRAY_SIZE(outs) || more != 1)) {
			struct zstore_block_out *out = &outs[--nr];

			zstore_writeback_end(ctx, &how, &at, out,
					     behind_write(&m.behind, out));
			m.journal->nr_blocks++;
		}
	} while (more == 1 || more == -EAGAIN);
	MODEL_CHECK(&m.run, !more || more == -ENOSPC,
		    "zstore_writeback_fill: %d", more);
	m.journal->nr_full += more == -ENOSPC;
	m.journal->nr_written_out += at.nr_done;
}

static void *be_writer_out(void *arg)
{
	struct writer *writer = arg;
	struct zstore_ctx *ctx;

	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	for (;;) {
		write_out(ctx, &writer->rng);
		usleep(100);
	}
	return NULL;
}

/* What goes on beside: by this thread until it is killed. */
static void __attribute__((noreturn)) keep_house(struct model_rng rng)
{
	struct zs_compacted done;

	for (;;) {
		switch (model_rng_below(&rng, 4)) {
		case 0:
			zstore_compact(m.store, &done);
			m.journal->nr_compactions += done.freed_pages > 0;
			break;
		case 1:
			zstore_shrink(m.store);
			break;
		case 2:
			(void)zstore_housekeep(m.store, 64);
			break;
		default:
			add_dict(model_rng_one_in(&rng, 3) ? ZSTORE_SECONDARY
							   : ZSTORE_PRIMARY,
				 &rng);
			usleep(300);
			break;
		}
	}
}

/* --- a process: adopting --------------------------------------------------- */

static void read_page(struct zstore_ctx *ctx, uint32_t index,
		      unsigned char *page)
{
	uint32_t now_s = m.journal->now_s;
	int err;

	do {
		err = zstore_read(ctx, offset_of(index), ZSD_PAGE_BYTES, page);
	} while (must_wait(err));
	MODEL_CHECK(&m.run, !err, "page %u: %d", index, err);
	m.journal->pages[index].accessed_s = now_s;
}

/* Where it is not known when a page was accessed, it is told to be young. */
static void check_age(uint32_t index)
{
	const uint32_t accessed_s = m.journal->pages[index].accessed_s;
	struct zstore_block block;

	if (zstore_block(m.store, (uint64_t)index * STRIDE, &block))
		MODEL_CHECK(&m.run,
			    !block.accessed_s || block.accessed_s >= accessed_s,
			    "page %u was accessed at %u, not %u", index,
			    accessed_s, block.accessed_s);
}

/* Whether a page is of a version. */
static bool is_version(uint32_t index, uint32_t version,
		       const unsigned char *found)
{
	unsigned char page[ZSD_PAGE_BYTES];

	make_page(index, version, page);
	return !memcmp(page, found, sizeof(page));
}

/* The page must be as it was, or as it was to be: now it is known which. */
static void settle_page(struct zstore_ctx *ctx, uint32_t index)
{
	uint32_t done = m.journal->pages[index].done;
	uint32_t doing = m.journal->pages[index].doing;
	unsigned char found[ZSD_PAGE_BYTES];

	read_page(ctx, index, found);
	if (is_version(index, done, found)) {
		m.journal->nr_old += done != doing;
		m.journal->pages[index].doing = done;
		return;
	}
	MODEL_CHECK(&m.run, done != doing && is_version(index, doing, found),
		    "page %u is neither of version %u nor of %u", index, done,
		    doing);
	m.journal->nr_new++;
	m.journal->pages[index].done = doing;
}

static void check_page(struct zstore_ctx *ctx, uint32_t index)
{
	unsigned char found[ZSD_PAGE_BYTES];

	read_page(ctx, index, found);
	MODEL_CHECK(&m.run,
		    is_version(index, m.journal->pages[index].done, found),
		    "page %u is not of version %u", index,
		    m.journal->pages[index].done);
}

/* How many pages a block has follows from the slots. */
static void check_blocks(void)
{
	static bool is_used[MAX_BLOCKS];
	struct zstore_backing_stats stats;
	uint64_t nr_pages = 0, nr_used = 0;

	for (uint64_t i = 0; i < m.store->nr_slots; i++) {
		uint64_t slot = slot_exists(m.store, i)
					? slot_load(&m.store->slots[i])
					: 0;

		if (slot_kind(slot) != SLOT_BACKED)
			continue;
		nr_pages++;
		nr_used += !is_used[slot_block(slot)];
		is_used[slot_block(slot)] = true;
	}
	zstore_backing_stats(m.store, &stats);
	MODEL_CHECK(&m.run,
		    stats.pages_backed == nr_pages &&
			    stats.blocks_used == nr_used,
		    "%" PRIu64 " pages in %" PRIu64
		    " blocks, counted are %" PRIu64 ", %" PRIu64,
		    nr_pages, nr_used, stats.pages_backed, stats.blocks_used);
	m.journal->nr_adopted += nr_pages;
}

static void check_all(struct zstore_ctx *ctx)
{
	struct zstore_verify_report report;
	int err = zstore_verify(ctx, &report);

	check_blocks();
	MODEL_CHECK(&m.run, !err, "%s", report.text);
	for (uint32_t i = 0; i < NR_PAGES; i++)
		check_page(ctx, i);
}

/* Reads, and with that pins, what is being looked at. */
static void *be_reader(void *arg)
{
	struct writer *reader = arg;
	struct zstore_ctx *ctx;

	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	zstore_ctx_never_wait(ctx);
	while (!zstore_is_settled(m.store))
		check_page(ctx,
			   (uint32_t)model_rng_below(&reader->rng, NR_PAGES));
	own_ctx_destroy(ctx);
	return NULL;
}

static void start(struct writer *thread, unsigned id, void *(*run)(void *))
{
	thread->id = id;
	thread->rng = own_rng(id);
	MODEL_CHECK(&m.run, !pthread_create(&thread->thread, NULL, run, thread),
		    "no thread");
}

static struct zstore_ctx *adopt(void)
{
	struct zstore_ctx *ctx;
	struct writer reader;
	int err = zstore_open(&m.params, m.image_fd, &m.store);

	MODEL_CHECK(&m.run, !err, "zstore_open: %d", err);
	MODEL_CHECK(&m.run, !own_ctx_create(m.store, &ctx), "no context");
	err = zstore_adopt(m.store);
	MODEL_CHECK(&m.run, !err, "zstore_adopt: %d", err);
	m.journal->has_adopted = true;
	for (uint32_t i = 0; i < NR_PAGES; i++) {
		check_age(i);
		settle_page(ctx, i);
	}
	start(&reader, NR_WRITERS + 1, be_reader);
	for (uint32_t i = 0; zstore_rebuild(m.store, 97); i++)
		check_page(ctx, i % NR_PAGES);
	pthread_join(reader.thread, NULL);
	check_all(ctx);
	return ctx;
}

static void __attribute__((noreturn)) be_process(void)
{
	static struct writer writers[NR_WRITERS], rester, sharer, writer_out;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(HANG_S);
	m.params.share = !model_rng_one_in(&m.rng, 3);
	own_ctx_destroy(adopt());
	for (unsigned id = 0; id < NR_WRITERS; id++)
		start(&writers[id], id, be_writer);
	start(&rester, NR_WRITERS + 2, be_rester);
	start(&sharer, NR_WRITERS + 3, be_sharer);
	if (m.params.backing.nr_blocks)
		start(&writer_out, NR_WRITERS + 4, be_writer_out);
	m.journal->is_writing = true;
	keep_house(own_rng(NR_WRITERS));
}

/* --- who kills them -------------------------------------------------------- */

static void sleep_us(uint64_t us)
{
	const struct timespec time = {.tv_nsec = (long)us * 1000};

	nanosleep(&time, NULL);
}

static void kill_process(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	MODEL_CHECK(&m.run, waitpid(pid, &status, 0) == pid, "waitpid");
	MODEL_CHECK(&m.run, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "generation %u ended by itself: status %#x",
		    (unsigned)m.run.op, (unsigned)status);
	m.nr_early += !m.journal->is_writing;
	m.nr_rebuilding += m.journal->has_adopted && !m.journal->is_writing;
}

static void live_one_life(void)
{
	bool is_early = model_rng_one_in(&m.rng, 4);
	pid_t pid;

	m.journal->has_adopted = false;
	m.journal->is_writing = false;
	(void)model_rng_next(&m.rng);
	pid = fork();
	MODEL_CHECK(&m.run, pid >= 0, "fork");
	if (!pid)
		be_process();
	while (!is_early && !m.journal->is_writing &&
	       !waitpid(pid, NULL, WNOHANG))
		sleep_us(100);
	sleep_us(model_rng_below(&m.rng,
				 is_early ? MAX_EARLY_LIFE_US : MAX_LIFE_US));
	kill_process(pid);
}

/* --- rounds ---------------------------------------------------------------- */

static void train_dicts(const struct zcomp_params *params, struct dicts *dicts)
{
	for (unsigned i = 0; i < NR_DICTS; i++) {
		dicts->nr_bytes[i] = 0;
		if (zcomp_has_dicts(params))
			dicts->nr_bytes[i] = model_train(&m.run, params, &m.rng,
							 dicts->bytes[i]);
	}
}

static void open_backing(uint32_t nr_blocks)
{
	if (!nr_blocks)
		return;
	behind_init_over(&m.behind, nr_blocks, m.behind_bytes);
	m.behind.write_tears = 3;
	m.params.backing = behind_backing(&m.behind);
}

static void close_disk(void)
{
	close(m.image_fd);
	if (m.params.backing.nr_blocks)
		behind_fini(&m.behind);
}

/* The first process makes it, and lets go of it. */
static void make_disk(size_t round)
{
	struct zstore *store;

	m.params = (struct zstore_params){
		.disk_bytes = DISK_BYTES,
		.mem_limit_bytes = rounds[round].limit_bytes,
		.reserve_bytes = 128 * KIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
		.checksum = rounds[round].checksum,
	};
	MODEL_CHECK(&m.run,
		    !zcomp_parse(rounds[round].algorithm, &m.params.zcomp) &&
			    !zcomp_parse(rounds[round].secondary,
					 &m.params.recomp),
		    "%s", rounds[round].algorithm);
	open_backing(rounds[round].nr_blocks);
	MODEL_CHECK(&m.run, !zstore_create(&m.params, &store), "no store");
	m.image_fd = dup(zstore_image_fd(store));
	zstore_destroy(store);
	for (uint32_t i = 0; i < NR_PAGES; i++) {
		m.journal->pages[i].done = 0;
		m.journal->pages[i].doing = 0;
		m.journal->pages[i].accessed_s = 0;
	}
	m.journal->clock_s = m.journal->now_s = 0;
	train_dicts(&m.params.zcomp, &m.dicts[ZSTORE_PRIMARY]);
	train_dicts(&m.params.recomp, &m.dicts[ZSTORE_SECONDARY]);
}

static void *map_shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MODEL_CHECK(&m.run, p != MAP_FAILED, "mmap");
	return p;
}

int main(void)
{
	uint64_t nr_generations;

	model_run_begin(&m.run, "model_adopt");
	model_rng_init(&m.rng, m.run.seed);
	m.journal = map_shared(sizeof(*m.journal));
	m.behind_bytes = map_shared(MAX_BLOCKS * ZSD_PAGE_BYTES);
	nr_generations = m.run.nr_ops / OPS_PER_GENERATION / ARRAY_SIZE(rounds);
	for (size_t round = 0; round < ARRAY_SIZE(rounds); round++) {
		make_disk(round);
		for (uint64_t i = 0; i < nr_generations; i++, m.run.op++)
			live_one_life();
		close_disk();
	}
	model_report_fact(&m.run, "generations", m.run.op);
	model_report_fact(&m.run, "deaths before it wrote", m.nr_early);
	model_report_fact(&m.run, "of them while it rebuilt", m.nr_rebuilding);
	model_report_fact(&m.run, "changes", m.journal->nr_changes);
	printf("model_adopt: %llu pages left new\n",
	       (unsigned long long)m.journal->nr_new);
	model_report_fact(&m.run, "pages that were being written",
			  m.journal->nr_old + m.journal->nr_new);
	model_report_fact(&m.run, "writes without room", m.journal->nr_no_room);
	model_report_fact(&m.run, "compactions", m.journal->nr_compactions);
	model_report_fact(&m.run, "pages given another's object",
			  m.journal->nr_shared);
	model_report_fact(&m.run, "dictionaries",
			  m.journal->nr_dicts[ZSTORE_PRIMARY]);
	model_report_fact(&m.run, "of the secondary codec",
			  m.journal->nr_dicts[ZSTORE_SECONDARY]);
	model_report_fact(&m.run, "pages recompressed",
			  m.journal->nr_recompressed);
	model_report_fact(&m.run, "incompressible pages",
			  m.journal->nr_incompressible);
	model_report_fact(&m.run, "pages written out",
			  m.journal->nr_written_out);
	model_report_fact(&m.run, "blocks", m.journal->nr_blocks);
	model_report_fact(&m.run, "times the backing was full",
			  m.journal->nr_full);
	model_report_fact(&m.run, "times blocks were not here",
			  m.journal->nr_waits);
	model_report_fact(&m.run, "backed pages adopted",
			  m.journal->nr_adopted);
	model_report_fact(&m.run, "seconds of all epochs", m.journal->clock_s);
	return 0;
}
