/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing pages out, by zram's vectors and beyond: pages whose lengths are
 * given, and a backing in memory.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "model/behind.h"
#include "model/own_ctx.h"
#include "suite.h"
#include "told_rig.h"
#include "zstore/block.h"
#include "zstore/zstore_recompress.h"

#define NR_BLOCKS 1000u

static struct behind behind;
static struct zstore_writeback how;
static struct zstore_writing at;
static struct zstore_block_out out;

static void open_rig(uint32_t nr_blocks, bool checksum)
{
	struct zstore_params params = told_params();

	behind_init(&behind, nr_blocks);
	params.backing = behind_backing(&behind);
	params.checksum = checksum;
	params.share = true;
	rig_open(&rig, &params);
	how = (struct zstore_writeback){.since_s = UINT32_MAX};
	at = (struct zstore_writing){0};
	out = (struct zstore_block_out){0};
}

static void setup(void)
{
	open_rig(NR_BLOCKS, false);
}

static void teardown(void)
{
	behind_fail(&behind, 0, 0);
	rig_assert_sound(&rig);
	rig_close(&rig);
	behind_fini(&behind);
}

/* Write all that is due. Return: 0, or what it says. */
static int run(void)
{
	at = (struct zstore_writing){0};
	return behind_write_out(&behind, rig.ctx, &how, &at, 100);
}

static struct zstore_backing_stats stats_now(void)
{
	struct zstore_backing_stats stats;

	zstore_backing_stats(rig.store, &stats);
	return stats;
}

static bool is_backed(uint64_t index)
{
	return told_block(index).is_backed;
}

static uint32_t block_of(uint64_t index)
{
	return slot_block(slot_load(&rig.store->slots[index]));
}

static unsigned char *bytes_of(uint64_t index)
{
	return behind.bytes + (size_t)block_of(index) * ZSD_PAGE_BYTES;
}

/* What was read is to be read once more. */
static void forget_blocks(void)
{
	for (unsigned i = 0; i < ZSTORE_NEED_MAX; i++)
		rig.ctx->scratch->brought[i].store = NULL;
}

/* --- zram's vectors -------------------------------------------------------- */

static const uint32_t lengths[] = {4096, 100, 3000, 4096, 3010};

static void put_lengths(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		told_put(i, lengths[i], 5000);
}

/* Fill the next block. Return: the page that it begins with, or -1. */
static int next_block(unsigned *nr)
{
	int more;

	do {
		more = zstore_writeback_fill(rig.ctx, &how, &at, &out, 7);
	} while (more == -EAGAIN);
	ck_assert_int_ge(more, 0);
	if (!more)
		return -1;
	*nr = out.nr;
	more = (int)out.pages[0].index;
	zstore_writeback_end(rig.ctx, &how, &at, &out,
			     behind_write(&behind, &out));
	return more;
}

START_TEST(singly_the_order_is_zrams)
{
	static const int order[] = {3, 0, 4, 2, 1};
	unsigned nr;

	how.singly = true;
	put_lengths();
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		ck_assert_int_eq(next_block(&nr), order[i]);
		ck_assert_uint_eq(nr, 1);
		ck_assert_uint_eq(block_of((uint64_t)order[i]), i);
	}
	ck_assert_int_eq(next_block(&nr), -1);
	ck_assert_uint_eq(stats_now().blocks_used, ARRAY_SIZE(order));
}
END_TEST

/* What a page leaves of its block is for the longest that fits. */
START_TEST(blocks_are_filled_up)
{
	unsigned nr;

	put_lengths();
	ck_assert_int_eq(next_block(&nr), 3);
	ck_assert_int_eq(next_block(&nr), 0);
	ck_assert_int_eq(next_block(&nr), 4);
	ck_assert_uint_eq(nr, 2);
	ck_assert_uint_eq(block_of(4), block_of(1));
	ck_assert_int_eq(next_block(&nr), 2);
	ck_assert_uint_eq(nr, 1);
	ck_assert_int_eq(next_block(&nr), -1);
	ck_assert_uint_eq(at.nr_done, ARRAY_SIZE(lengths));
	ck_assert_uint_eq(at.nr_blocks, 4);
	ck_assert_uint_eq(at.bytes, 4096 + 100 + 3000 + 4096 + 3010);
}
END_TEST

START_TEST(a_part_of_the_disk)
{
	unsigned nr;

	how.singly = true;
	how.first = 1;
	how.end = 4;
	put_lengths();
	ck_assert_int_eq(next_block(&nr), 3);
	ck_assert_int_eq(next_block(&nr), 2);
	ck_assert_int_eq(next_block(&nr), 1);
	ck_assert_int_eq(next_block(&nr), -1);
}
END_TEST

START_TEST(types_are_told_apart)
{
	struct zstore_recompress again = {.since_s = UINT32_MAX};
	struct zstore_recompressing done = {0};

	told_put(0, 4096, 5000);
	told_put(1, 2000, 5000);
	told_put(2, 4096, 5000);
	told_put(3, 2000, 1999);
	while (zstore_recompress(rig.ctx, &again, &done, 100) == 1)
		;
	told_put(4, 4096, 5000);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 5);
	told_put(2, 4096, 5000);

	how.is_idle = how.is_huge = true;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 2);
	ck_assert(is_backed(0) && is_backed(4));
	ck_assert(!told_block(0).is_idle);
	ck_assert(told_block(0).is_huge);
	how.is_idle = false;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(is_backed(2));
	how.is_huge = false;
	how.is_incompressible = true;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 2);
	ck_assert(is_backed(1) && is_backed(3));
	ck_assert(told_block(1).is_incompressible);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 0);
}
END_TEST

START_TEST(what_has_no_object_is_passed_over)
{
	rig_write_page(&rig, 0, MODEL_PAGE_ZERO);
	rig_write_page(&rig, 1, MODEL_PAGE_SAME);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_tried, 0);
	ck_assert_uint_eq(stats_now().blocks_used, 0);
}
END_TEST

START_TEST(the_young_are_left_alone)
{
	zstore_begin_epoch(rig.store, 100);
	told_put(0, 2000, 100);
	zstore_begin_epoch(rig.store, 200);
	told_put(1, 2000, 100);
	how.since_s = 200;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(is_backed(0));
	/* It is no access. */
	ck_assert_uint_eq(told_block(0).accessed_s, 199);
}
END_TEST

/* --- figures --------------------------------------------------------------- */

START_TEST(figures_are_exact)
{
	struct zstore_stats before, after;

	put_lengths();
	before = rig_stats(&rig);
	ck_assert_int_eq(run(), 0);
	after = rig_stats(&rig);
	ck_assert_uint_eq(after.orig_data_size, before.orig_data_size);
	ck_assert_uint_eq(after.compr_data_size, 0);
	ck_assert_uint_eq(after.mem_used_total, 0);
	ck_assert_uint_eq(before.huge_pages, 2);
	ck_assert_uint_eq(after.huge_pages, 0);
	ck_assert_uint_eq(after.huge_pages_since, 2);
	ck_assert_uint_eq(stats_now().pages_backed, ARRAY_SIZE(lengths));
	ck_assert_uint_eq(stats_now().bytes_backed, before.compr_data_size);
	ck_assert_uint_eq(stats_now().blocks_used, 4);
	ck_assert_uint_eq(stats_now().blocks, NR_BLOCKS);
}
END_TEST

/* A page that is written or trimmed leaves its block at once; reading it then
 * takes no I/O. The block is free with its last page. */
START_TEST(a_block_is_free_with_its_last_page)
{
	put_lengths();
	ck_assert_int_eq(run(), 0);
	told_put(1, 90, 5000);
	ck_assert_uint_eq(stats_now().blocks_used, 4);
	ck_assert_uint_eq(stats_now().pages_backed, 4);
	rig_trim(&rig, 4 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(stats_now().blocks_used, 3);
	rig_write_zeroes(&rig, 0, (uint64_t)4 * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(stats_now().blocks_used, 0);
	ck_assert_uint_eq(stats_now().bytes_backed, 0);
	behind.nr_reads = 0;
	rig_assert_range(&rig, 0, (size_t)5 * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(behind.nr_reads, 0);
	/* The first free ones are taken again. */
	told_put(0, 4096, 5000);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(block_of(0), 0);
}
END_TEST

/* --- reading --------------------------------------------------------------- */

START_TEST(what_is_backed_reads_as_before)
{
	put_lengths();
	ck_assert_int_eq(run(), 0);
	rig_assert_range(&rig, 0, (size_t)5 * ZSD_PAGE_BYTES);
	ck_assert_uint_gt(stats_now().block_reads, 0);
	ck_assert_uint_eq(stats_now().pages_backed, 5);
	/* In parts, too; and what is patched is in memory again. */
	rig_assert_range(&rig, 4 * ZSD_PAGE_BYTES + 100, 10);
	rig_write(&rig, 2000, 10, "0123456789");
	ck_assert(!is_backed(0));
	rig_write_zeroes(&rig, 3 * ZSD_PAGE_BYTES + 17, 100);
	ck_assert(!is_backed(3));
}
END_TEST

/* A context that serves: all of what it asks for, or nothing. */
START_TEST(who_serves_never_waits)
{
	unsigned char page[4 * ZSD_PAGE_BYTES];
	struct zstore_stats stats;

	put_lengths();
	ck_assert_int_eq(run(), 0);
	zstore_ctx_never_wait(rig.ctx);
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page),
			 -EINPROGRESS);
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page),
			 -EINPROGRESS);
	ck_assert_uint_eq(behind.nr_reads, 0);
	ck_assert(behind_arrive(&behind));
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page), 0);
	ck_assert_mem_eq(page, rig.flat, sizeof(page));

	/* It still has what it read. */
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page), 0);
	forget_blocks();
	ck_assert_int_eq(zstore_write(rig.ctx, 5, 10, "0123456789"),
			 -EINPROGRESS);
	ck_assert_int_eq(zstore_write_zeroes(rig.ctx, 5, ZSD_PAGE_BYTES),
			 -EINPROGRESS);
	ck_assert_int_eq(zstore_store_zeroes(rig.ctx, 5, 7), -EINPROGRESS);
	/* As a whole it needs nothing. */
	told_put(1, 100, 5000);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.failed_writes + stats.failed_reads, 0);
	behind.arrives_at_once = true;
	behind_arrive(&behind);
	rig_write(&rig, 5, 10, "0123456789");
}
END_TEST

/* As a server does. Return: what it says in the end. */
static int read_patiently(uint64_t index, unsigned nr, void *dst)
{
	int err = -EINPROGRESS;

	for (unsigned i = 0; i < 10 && err == -EINPROGRESS; i++) {
		behind_arrive(&behind);
		err = zstore_read(rig.ctx, index * ZSD_PAGE_BYTES,
				  nr * ZSD_PAGE_BYTES, dst);
	}
	return err;
}

/* The first and the last have a block together, and others are between. */
START_TEST(neighbours_in_turn_in_two_blocks)
{
	unsigned char pages[ZSTORE_NEED_MAX * ZSD_PAGE_BYTES];

	for (unsigned i = 0; i < ZSTORE_NEED_MAX; i++)
		told_put(i, i % 2 ? 4096 : 300, 5000);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(block_of(0), block_of(ZSTORE_NEED_MAX - 1));
	zstore_ctx_never_wait(rig.ctx);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(read_patiently(0, ZSTORE_NEED_MAX, pages), 0);
		ck_assert_mem_eq(pages, rig.flat, sizeof(pages));
		told_put(40 + i, 4096, 5000);
		ck_assert_int_eq(run(), 0);
		ck_assert_int_eq(read_patiently(40 + i, 1, pages), 0);
	}
	behind.arrives_at_once = true;
	behind_arrive(&behind);
}
END_TEST

/* --- faults ---------------------------------------------------------------- */

START_TEST(a_block_that_cannot_be_read_costs_its_pages_alone)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct zstore_stats stats;

	put_lengths();
	ck_assert_int_eq(run(), 0);
	behind_fail(&behind, 1, 0);
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page), -EIO);
	ck_assert_int_eq(zstore_write(rig.ctx, 5, 10, "0123456789"), -EIO);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.failed_reads, 1);
	ck_assert_uint_eq(stats.corrupt_reads, 0); /* it is not damaged */
	told_put(1, 100, 5000);
	rig_assert_range(&rig, ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	behind_fail(&behind, 0, 0);
	rig_assert_range(&rig, 0, (size_t)5 * ZSD_PAGE_BYTES);
}
END_TEST

START_TEST(a_block_that_cannot_be_written_stays_in_memory)
{
	put_lengths();
	behind_fail(&behind, 0, 1);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 0);
	ck_assert_uint_eq(stats_now().blocks_used, 0);
	ck_assert_uint_eq(rig_stats(&rig).huge_pages, 2);
}
END_TEST

/* Any bit: an error, or the page as it was, and never anything else. */
START_TEST(a_flipped_bit_is_found_out)
{
	unsigned char page[ZSD_PAGE_BYTES];

	told_put(0, 4096, 5000);
	told_put(1, 1000, 5000);
	told_put(2, 1001, 5000);
	ck_assert_int_eq(run(), 0);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned bit = 0; bit < 8 * ZSD_PAGE_BYTES; bit += 89) {
			unsigned char *byte = bytes_of(i) + bit / 8;
			const unsigned char mask =
				(unsigned char)(1u << bit % 8);

			forget_blocks();
			*byte ^= mask;
			ck_assert_int_eq(zstore_read(rig.ctx,
						     i * ZSD_PAGE_BYTES,
						     sizeof(page), page),
					 -EIO);
			*byte ^= mask;
		}
	}
	ck_assert_uint_gt(rig_stats(&rig).corrupt_reads, 0);
}
END_TEST

/* Who never waits is told so, too, and does not ask for ever. */
START_TEST(damage_ends_the_patience)
{
	unsigned char page[ZSD_PAGE_BYTES];

	told_put(0, 1000, 5000);
	ck_assert_int_eq(run(), 0);
	*bytes_of(0) ^= 1;
	zstore_ctx_never_wait(rig.ctx);
	ck_assert_int_eq(read_patiently(0, 1, page), -EIO);
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, 1);
	*bytes_of(0) ^= 1;
	ck_assert_int_eq(read_patiently(0, 1, page), 0);
	behind.arrives_at_once = true;
	behind_arrive(&behind);
}
END_TEST

START_TEST(a_full_backing_is_said)
{
	teardown();
	open_rig(3, true);
	put_lengths();
	ck_assert_int_eq(run(), -ENOSPC);
	ck_assert_uint_eq(at.nr_done, 4); /* all but the last */
	ck_assert(!is_backed(2));
	ck_assert_uint_eq(stats_now().blocks_used, 3);
	rig_trim(&rig, 0, ZSD_PAGE_BYTES);
	ck_assert_int_eq(run(), 0);
	ck_assert(is_backed(2));
}
END_TEST

/* --- beside others --------------------------------------------------------- */

static void fill(void)
{
	int more;

	at = (struct zstore_writing){0};
	do {
		more = zstore_writeback_fill(rig.ctx, &how, &at, &out, 100);
	} while (more == -EAGAIN);
	ck_assert_int_eq(more, 1);
}

static void end(void)
{
	zstore_writeback_end(rig.ctx, &how, &at, &out,
			     behind_write(&behind, &out));
}

START_TEST(what_changes_meanwhile_stays_in_memory)
{
	told_put(0, 1000, 5000);
	told_put(1, 1001, 5000);
	told_put(2, 1002, 5000);
	fill();
	ck_assert_uint_eq(out.nr, 3);
	told_put(0, 900, 5000);
	rig_trim(&rig, ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	end();
	ck_assert_uint_eq(at.nr_tried, 3);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(!is_backed(0) && is_backed(2));
	ck_assert_uint_eq(stats_now().pages_backed, 1);
}
END_TEST

/* A page that was found, and found again where it was shorter by then. */
START_TEST(a_page_may_be_in_a_block_twice)
{
	int more;

	told_put(5, 2000, 5000);
	told_put(1, 510, 5000);
	do {
		more = zstore_writeback_fill(rig.ctx, &how, &at, &out, 1);
	} while (!out.nr);
	ck_assert_int_eq(more, -EAGAIN);
	ck_assert_uint_eq(out.pages[0].index, 5);
	told_put(5, 500, 5000);
	do {
		more = zstore_writeback_fill(rig.ctx, &how, &at, &out, 100);
	} while (more == -EAGAIN);
	ck_assert_int_eq(more, 1);
	ck_assert_uint_eq(out.nr, 2);
	ck_assert_uint_eq(out.pages[1].index, 5);
	end();
	ck_assert(is_backed(5));
	ck_assert_uint_eq(told_block(5).bytes, 500);
	ck_assert_uint_eq(stats_now().pages_backed, 1);
	rig_assert_range(&rig, 5 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
}
END_TEST

/* A page that was written twice has the handle back that it had, and the same
 * slot; but not the same content. */
START_TEST(the_same_slot_is_not_the_same_page)
{
	told_put(0, 1000, 5000);
	fill();
	told_write_twice(0, 1000, 5000);
	end();
	ck_assert(!is_backed(0));
	ck_assert_uint_eq(at.nr_done, 0);
}
END_TEST

/* Who was asked for by being idle, and is accessed, is not idle any more. */
START_TEST(what_is_accessed_meanwhile_stays_in_memory)
{
	told_put(0, 1000, 5000);
	zstore_begin_epoch(rig.store, 100);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 1);
	how.is_idle = true;
	fill();
	rig_assert_range(&rig, 0, ZSD_PAGE_BYTES);
	end();
	ck_assert(!is_backed(0));
}
END_TEST

/* An end before it was written leaves nothing. */
START_TEST(a_block_may_be_given_up)
{
	put_lengths();
	fill();
	ck_assert_uint_eq(stats_now().blocks_used, 1);
	zstore_writeback_end(rig.ctx, &how, &at, &out, -ECANCELED);
	ck_assert_uint_eq(stats_now().blocks_used, 0);
	ck_assert_uint_eq(at.nr_done, 0);
}
END_TEST

/* --- adoption -------------------------------------------------------------- */

START_TEST(another_process_goes_on_with_it)
{
	struct zstore_backing_stats before;
	int fd;

	put_lengths();
	memset(zstore_backing_area(rig.store), 0x77, ZSTORE_BACKING_AREA_BYTES);
	ck_assert_int_eq(run(), 0);
	told_put(0, 700, 5000);
	fill(); /* which is free again: nobody ends it */
	before = stats_now();
	ck_assert_uint_eq(before.blocks_used, 4);
	fd = dup(zstore_image_fd(rig.store));
	ck_assert_int_ge(fd, 0);
	own_ctx_destroy(rig.ctx);
	zstore_destroy(rig.store);

	ck_assert_int_eq(zstore_open(&rig.params, fd, &rig.store), 0);
	ck_assert_int_eq(zstore_adopt(rig.store), 0);
	ck_assert_int_eq(own_ctx_create(rig.store, &rig.ctx), 0);
	ck_assert_int_eq(close(fd), 0);
	rig_assert_range(&rig, 0, (size_t)5 * ZSD_PAGE_BYTES);
	while (zstore_rebuild(rig.store, 100))
		;
	ck_assert_uint_eq(stats_now().blocks_used, 3);
	ck_assert_uint_eq(stats_now().pages_backed, 4);
	ck_assert_uint_eq(((unsigned char *)zstore_backing_area(rig.store))[63],
			  0x77);
	ck_assert_int_eq(run(), 0);
	ck_assert(is_backed(0));
}
END_TEST

START_TEST(it_must_be_the_same_backing)
{
	struct zstore_params params = rig.params;
	struct zstore *store;

	params.backing.nr_blocks--;
	ck_assert_int_eq(zstore_open(&params, zstore_image_fd(rig.store),
				     &store),
			 -EINVAL);
	params.backing = (struct zstore_backing){0};
	ck_assert_int_eq(zstore_open(&params, zstore_image_fd(rig.store),
				     &store),
			 -EINVAL);
}
END_TEST

/* A slot whose block there is not is damaged. */
START_TEST(a_wrong_block_is_damage)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct zstore_verify_report report;
	uint64_t slot;

	told_put(0, 700, 5000);
	ck_assert_int_eq(run(), 0);
	slot = slot_load(&rig.store->slots[0]);
	atomic_store(&rig.store->slots[0],
		     slot_make_backed(0, slot, NR_BLOCKS));
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page), -EIO);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	/* One that there is, but not its own: its directory tells. */
	atomic_store(&rig.store->slots[0], slot_make_backed(1, slot, 0));
	ck_assert_int_eq(zstore_read(rig.ctx, 0, sizeof(page), page), -EIO);
	atomic_store(&rig.store->slots[0], slot);
}
END_TEST

/* Whose pages are how many, not only how many there are. */
START_TEST(a_wrong_count_of_pages_is_found)
{
	struct zstore_verify_report report;
	_Atomic uint8_t *pages = rig.store->block_pages;

	how.singly = true;
	for (unsigned i = 0; i < 3; i++)
		told_put(i, 1000, 5000);
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), 0);
	pages[0] = pages[2] = 0;
	pages[1] = 3;
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	pages[0] = pages[1] = pages[2] = 1;
}
END_TEST

/* --- blocks ---------------------------------------------------------------- */

/* Whatever is in one, what is found is inside. */
START_TEST(a_damaged_directory_leads_nowhere)
{
	static unsigned char block[ZSD_PAGE_BYTES];
	const unsigned char *found;
	unsigned nr_found = 0;

	for (unsigned i = 0; i < 20000; i++) {
		uint32_t len = (uint32_t)model_rng_range(&rig.rng, 1, 4096);

		model_rng_fill(&rig.rng, block, 512);
		block[1] = (unsigned char)(i % 3);
		for (uint32_t page = 0; page < 3; page++) {
			memcpy(block + 2 + page * 6, &page, sizeof(page));
			block[2 + page * 6 + 5] &= 0xf;
			found = block_find(block, page, len);
			if (!found)
				continue;
			nr_found++;
			ck_assert(found >= block);
			ck_assert(found + len <= block + sizeof(block));
		}
	}
	ck_assert_uint_gt(nr_found, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("zstore-writeback");
	TCase *tc = tcase_create("writeback");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, singly_the_order_is_zrams);
	tcase_add_test(tc, blocks_are_filled_up);
	tcase_add_test(tc, a_part_of_the_disk);
	tcase_add_test(tc, types_are_told_apart);
	tcase_add_test(tc, what_has_no_object_is_passed_over);
	tcase_add_test(tc, the_young_are_left_alone);
	tcase_add_test(tc, figures_are_exact);
	tcase_add_test(tc, a_block_is_free_with_its_last_page);
	tcase_add_test(tc, what_is_backed_reads_as_before);
	tcase_add_test(tc, who_serves_never_waits);
	tcase_add_test(tc, neighbours_in_turn_in_two_blocks);
	tcase_add_test(tc, a_block_that_cannot_be_read_costs_its_pages_alone);
	tcase_add_test(tc, a_block_that_cannot_be_written_stays_in_memory);
	tcase_add_test(tc, a_flipped_bit_is_found_out);
	tcase_add_test(tc, damage_ends_the_patience);
	tcase_add_test(tc, a_full_backing_is_said);
	tcase_add_test(tc, what_changes_meanwhile_stays_in_memory);
	tcase_add_test(tc, a_page_may_be_in_a_block_twice);
	tcase_add_test(tc, the_same_slot_is_not_the_same_page);
	tcase_add_test(tc, what_is_accessed_meanwhile_stays_in_memory);
	tcase_add_test(tc, a_block_may_be_given_up);
	tcase_add_test(tc, another_process_goes_on_with_it);
	tcase_add_test(tc, it_must_be_the_same_backing);
	tcase_add_test(tc, a_wrong_block_is_damage);
	tcase_add_test(tc, a_wrong_count_of_pages_is_found);
	tcase_add_test(tc, a_damaged_directory_leads_nowhere);
	return s;
}

int main(void)
{
	return suite_run(suite());
}
