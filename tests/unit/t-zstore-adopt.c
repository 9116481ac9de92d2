/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going on with the image of another process. That process is this one: its
 * store is left as it is, and what goes on has a copy of its image.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adopt_rig.h"
#include "dict_rig.h"
#include "image_rig.h"
#include "model/own_ctx.h"
#include "suite.h"
#include "zsmalloc/zs_internal.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_recompress.h"

static struct store_rig rig, heir;

static const struct {
	const char *algorithm;
	bool checksum;
} kinds[] = {{"lz4", false}, {"lz4", true}, {"zstd:1", true}};

static void fill(struct store_rig *r)
{
	for (uint64_t i = 0; i < r->nr_pages; i++)
		rig_write_page(r, i, model_page_kind(&r->rng));
	for (uint64_t i = 5; i < r->nr_pages; i += 3)
		rig_trim(r, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
}

static void fill_some(struct store_rig *r)
{
	for (uint64_t i = 2; i < r->nr_pages; i += 11)
		rig_write_page(r, i, model_page_kind(&r->rng));
}

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	for (unsigned i = 0; i < sizeof(params.uuid); i++)
		params.uuid[i] = (uint8_t)(i + 1);
	rig_open(&rig, &params);
}

static void teardown(void)
{
	rig_close(&rig);
}

static int open_again(const struct zstore_params *params)
{
	struct zstore *store;
	int err = zstore_open(params, zstore_image_fd(rig.store), &store);

	if (!err)
		zstore_destroy(store);
	return err;
}

/* --- What is there --------------------------------------------------------- */

START_TEST(everything_is_there)
{
	struct zstore_params params = rig_params(kinds[_i].algorithm);
	struct zstore_stats before, after;

	rig_close(&rig);
	params.checksum = kinds[_i].checksum;
	rig_open(&rig, &params);
	fill(&rig);
	before = rig_stats(&rig);
	rig_inherit(&rig, &heir);
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	after = rig_stats(&heir);
	ck_assert_uint_eq(after.mem_used_total, before.mem_used_total);
	ck_assert_uint_eq(after.metadata_bytes, before.metadata_bytes);
	ck_assert_uint_eq(after.reserve_bytes, before.reserve_bytes);
	/* And the life goes on. */
	fill(&heir);
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(an_empty_disk_is_one)
{
	rig_inherit(&rig, &heir);
	rig_assert_sound(&heir);
	fill(&heir);
	rig_assert_sound(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(it_can_be_read_at_once)
{
	fill(&rig);
	rig_inherit(&rig, &heir);
	for (uint64_t i = 0; i < heir.nr_pages; i++)
		rig_assert_range(&heir, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert(!zstore_is_settled(heir.store));
	rig_disinherit(&heir);
}
END_TEST

START_TEST(it_can_be_read_between_all_pieces)
{
	uint64_t page = 0;

	fill(&rig);
	rig_inherit(&rig, &heir);
	while (zstore_rebuild(heir.store, 1)) {
		rig_assert_range(&heir, page * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
		page = (page + 7) % heir.nr_pages;
	}
	ck_assert(zstore_is_settled(heir.store));
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	rig_disinherit(&heir);
}
END_TEST

static void write_one(void)
{
	rig_write_page(&heir, 3, MODEL_PAGE_TEXT);
}

static void patch_one(void)
{
	rig_write(&heir, 3 * ZSD_PAGE_BYTES + 100, 5, "12345");
}

static void trim_some(void)
{
	rig_trim(&heir, 0, 16 * ZSD_PAGE_BYTES);
}

static void compact(void)
{
	struct zs_compacted done;

	zstore_compact(heir.store, &done);
}

static void housekeep(void)
{
	while (zstore_housekeep(heir.store, UINT64_MAX))
		;
}

static void shrink(void)
{
	zstore_shrink(heir.store);
}

static void populate(void)
{
	ck_assert_int_eq(zstore_populate(heir.store), 0);
}

static void verify(void)
{
	struct zstore_verify_report report;

	ck_assert_int_eq(zstore_verify(heir.ctx, &report), 0);
}

static void (*const deeds[])(void) = {
	write_one, patch_one, trim_some, compact,
	housekeep, shrink,    populate,	 verify,
};

START_TEST(whatever_needs_it_rebuilt_does_so_first)
{
	fill(&rig);
	rig_inherit(&rig, &heir);
	ck_assert(!zstore_is_settled(heir.store));
	deeds[_i]();
	ck_assert(zstore_is_settled(heir.store));
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	rig_disinherit(&heir);
}
END_TEST

static void count_calls(void *arg)
{
	++*(unsigned *)arg;
}

START_TEST(who_is_told_when_it_is_rebuilt_need_not_do_it)
{
	unsigned char page[ZSD_PAGE_BYTES] = {1};
	unsigned nr_told = 0;
	uint64_t failed;

	fill(&rig);
	rig.params.settled = count_calls;
	rig.params.settled_arg = &nr_told;
	rig_inherit(&rig, &heir);
	failed = rig_stats(&heir).failed_writes;
	do {
		ck_assert_uint_eq(nr_told, 0);
		ck_assert_int_eq(zstore_write(heir.ctx, 0, sizeof(page), page),
				 -EINPROGRESS);
		ck_assert_int_eq(zstore_write(heir.ctx, 5, 1, page),
				 -EINPROGRESS);
		ck_assert_int_eq(zstore_trim(heir.ctx, 0, sizeof(page)),
				 -EINPROGRESS);
		ck_assert_int_eq(zstore_write_zeroes(heir.ctx, 0, 5),
				 -EINPROGRESS);
		ck_assert_int_eq(zstore_store_zeroes(heir.ctx, 0, 5),
				 -EINPROGRESS);
		rig_assert_range(&heir, 0, ZSD_PAGE_BYTES);
	} while (zstore_rebuild(heir.store, 1000));
	ck_assert_uint_eq(nr_told, 1);
	ck_assert(!zstore_rebuild(heir.store, 1000));
	ck_assert_uint_eq(nr_told, 1);
	ck_assert_uint_eq(rig_stats(&heir).failed_writes, failed);
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	write_one();
	rig_disinherit(&heir);
}
END_TEST

START_TEST(an_heir_has_heirs)
{
	struct store_rig second;

	fill(&rig);
	rig_inherit(&rig, &heir);
	for (unsigned i = 0; i < 3000; i++) /* its end comes early */
		(void)zstore_rebuild(heir.store, 1);
	ck_assert(!zstore_is_settled(heir.store));
	rig_inherit(&heir, &second);
	ck_assert_uint_eq(zstore_generation(rig.store), 0);
	ck_assert_uint_eq(zstore_generation(heir.store), 1);
	ck_assert_uint_eq(zstore_generation(second.store), 2);
	rig_assert_sound(&second);
	rig_assert_stats(&second);
	rig_disinherit(&second);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(the_limit_is_the_heirs)
{
	struct zstore_stats stats;

	fill(&rig);
	ck_assert_uint_gt(rig_stats(&rig).mem_used_total, MIB);
	rig.params.mem_limit_bytes = MIB;
	rig_inherit(&rig, &heir);
	stats = rig_stats(&heir);
	ck_assert_uint_eq(stats.mem_limit, MIB);
	ck_assert_int_eq(rig_try_write_page(&heir, 5, MODEL_PAGE_RANDOM),
			 -ENOSPC);
	rig_assert_sound(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(the_uuid_is_the_images)
{
	uint8_t uuid[ZSTORE_UUID_BYTES];

	memcpy(uuid, rig.params.uuid, sizeof(uuid));
	memset(rig.params.uuid, 0, sizeof(rig.params.uuid));
	rig_inherit(&rig, &heir);
	ck_assert_mem_eq(zstore_uuid(heir.store), uuid, sizeof(uuid));
	rig_disinherit(&heir);
}
END_TEST

/* --- Dictionaries ----------------------------------------------------------- */

static void add_dict(struct store_rig *r, enum zstore_codec codec,
		     uint64_t seed)
{
	static unsigned char dict[ZCOMP_DICT_MAX_BYTES];
	const struct zcomp_params *params = zstore_codec(r->store, codec);
	size_t room = zcomp_dict_bytes_besides(params) + 4 * KIB;
	size_t bytes = rig_train(params, seed, dict, room);
	unsigned number;

	ck_assert_int_eq(zstore_dict_add(r->store, codec, dict, bytes, &number),
			 0);
}

/* Pages that dictionaries are good for. */
static void write_text(struct store_rig *r, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		rig_write_page(r, first, MODEL_PAGE_TEXT);
}

static void open_with_dicts(void)
{
	struct zstore_params params = rig_params("zstd:1");

	rig_close(&rig);
	rig_open(&rig, &params);
	add_dict(&rig, ZSTORE_PRIMARY, 1);
	write_text(&rig, 0, 100);
	add_dict(&rig, ZSTORE_PRIMARY, 2);
	write_text(&rig, 100, 300);
}

START_TEST(dictionaries_are_there)
{
	struct zstore_dict_info before, after;

	open_with_dicts();
	rig_inherit(&rig, &heir);
	rig_assert_sound(&heir);
	ck_assert_uint_eq(zstore_dict_current(heir.store, ZSTORE_PRIMARY), 2);
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		ck_assert(zstore_dict_info(rig.store, i, &before) ==
			  zstore_dict_info(heir.store, i, &after));
		if (i > 2)
			continue;
		ck_assert_uint_eq(after.bytes, before.bytes);
		ck_assert_uint_eq(after.memory_bytes, before.memory_bytes);
		ck_assert_uint_eq(after.pages, before.pages);
		ck_assert_int_eq(after.is_current, before.is_current);
	}
	/* The first is let go of when no page needs it any more. */
	write_text(&heir, 0, 100);
	add_dict(&heir, ZSTORE_PRIMARY, 3);
	ck_assert_uint_eq(zstore_dict_current(heir.store, ZSTORE_PRIMARY), 1);
	rig_assert_sound(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(what_came_after_it_was_opened_is_there)
{
	struct zstore *standby;
	struct zstore_ctx *ctx;
	int fd;

	open_with_dicts();
	ck_assert_int_eq(zstore_open(&rig.params, zstore_image_fd(rig.store),
				     &standby),
			 0);
	ck_assert_int_eq(own_ctx_create(standby, &ctx), 0);
	ck_assert_int_eq(zstore_adopt(standby), -EBUSY);
	write_text(&rig, 0, 100);
	add_dict(&rig, ZSTORE_PRIMARY, 7); /* as number 1 */
	write_text(&rig, 50, 150);
	/* The owner goes, and takes nothing along. */
	fd = dup(zstore_image_fd(rig.store));
	own_ctx_destroy(rig.ctx);
	zstore_destroy(rig.store);
	close(fd);
	rig.store = standby;
	rig.ctx = ctx;
	ck_assert_int_eq(zstore_adopt(standby), 0);
	ck_assert(zstore_was_clean(standby));
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(a_damaged_dictionary_is_not_used)
{
	struct zstore_verify_report report;
	struct zstore_header *header;
	unsigned char *bytes, page[ZSD_PAGE_BYTES];

	open_with_dicts();
	header = zstore_image_header(rig.store);
	bytes = rig.store->image.base + header->dicts_offset;
	bytes[200] ^= 1;
	rig_inherit(&rig, &heir);
	bytes[200] ^= 1;
	ck_assert_int_eq(zstore_read(heir.ctx, 0, sizeof(page), page), -EIO);
	rig_assert_range(&heir, 100 * ZSD_PAGE_BYTES, 200 * ZSD_PAGE_BYTES);
	ck_assert_int_eq(zstore_verify(heir.ctx, &report), -EUCLEAN);
	/* Its number is not given to another while pages name it. */
	add_dict(&heir, ZSTORE_PRIMARY, 3);
	ck_assert_uint_eq(zstore_dict_current(heir.store, ZSTORE_PRIMARY), 3);
	rig_disinherit(&heir);
}
END_TEST

/* --- Two codecs --------------------------------------------------------------
 */

/* Have the secondary codec try all pages. */
static void recompress(struct store_rig *r)
{
	const struct zstore_recompress how = {.again = true,
					      .since_s = UINT32_MAX};
	struct zstore_recompressing at = {0};
	int more;

	do {
		more = zstore_recompress(r->ctx, &how, &at, 1000);
	} while (more == 1);
	zstore_recompress_end(r->ctx);
	ck_assert_int_eq(more, 0);
	ck_assert_uint_gt(at.nr_done, 0);
}

/* Pages of each: written, recompressed with a dictionary, and without. */
static void open_with_two_codecs(const char *secondary)
{
	struct zstore_params params = rig_params("lz4");

	rig_close(&rig);
	ck_assert_int_eq(zcomp_parse(secondary, &params.recomp), 0);
	params.checksum = true;
	rig_open(&rig, &params);
	fill(&rig);
	zstore_begin_epoch(rig.store, 100);
	recompress(&rig);
	add_dict(&rig, ZSTORE_SECONDARY, 1);
	write_text(&rig, 100, 200);
	recompress(&rig);
	fill_some(&rig);
	zstore_begin_epoch(rig.store, 200);
	ck_assert_uint_gt(zstore_mark_idle(rig.store, 200), 0);
}

static const char *const secondaries[] = {"zstd:3", "plz"};

START_TEST(what_two_codecs_made_is_there)
{
	struct zstore_block before, after;
	struct zstore_stats mine, others;
	unsigned nr_recompressed = 0;

	open_with_two_codecs(secondaries[_i]);
	rig_inherit(&rig, &heir);
	for (uint64_t i = 0; i < rig.nr_pages; i++) {
		before = after = (struct zstore_block){0};
		ck_assert(zstore_block(rig.store, i, &before) ==
			  zstore_block(heir.store, i, &after));
		ck_assert_mem_eq(&before, &after, sizeof(before));
		nr_recompressed += after.is_recompressed;
	}
	ck_assert_uint_gt(nr_recompressed, 100);
	rig_assert_sound(&heir);
	mine = rig_stats(&rig);
	others = rig_stats(&heir);
	ck_assert_uint_eq(others.compr_data_size, mine.compr_data_size);
	ck_assert_uint_eq(others.metadata_bytes, mine.metadata_bytes);
	ck_assert_uint_eq(zstore_dict_current(heir.store, ZSTORE_SECONDARY), 1);
	ck_assert_uint_eq(zstore_dict_current(heir.store, ZSTORE_PRIMARY), 0);
	/* And the life goes on. */
	fill(&heir);
	recompress(&heir);
	rig_assert_sound(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(another_secondary_codec_is_refused)
{
	struct zstore_params params;

	open_with_two_codecs("zstd:3");
	params = rig.params;
	ck_assert_int_eq(open_again(&params), 0);
	ck_assert_int_eq(zcomp_parse("zstd:4", &params.recomp), 0);
	ck_assert_int_eq(open_again(&params), -EINVAL);
	ck_assert_int_eq(zcomp_parse("plz", &params.recomp), 0);
	ck_assert_int_eq(open_again(&params), -EINVAL);
	params.recomp.ops = NULL;
	ck_assert_int_eq(open_again(&params), -EINVAL);
	params.recomp = rig.params.zcomp;
	params.zcomp = rig.params.recomp;
	ck_assert_int_eq(open_again(&params), -EINVAL);
}
END_TEST

/* --- What a death leaves --------------------------------------------------- */

static _Atomic uint64_t *slot_of(uint64_t index)
{
	return &rig.store->slots[index];
}

static _Atomic uint64_t *entry_of(uint64_t index)
{
	return &rig.store->pool->handles.entries[slot_handle(*slot_of(index))];
}

START_TEST(locks_and_pins_of_the_dead_are_gone)
{
	fill(&rig);
	rig_write_page(&rig, 9, MODEL_PAGE_TEXT);
	rig_write_page(&rig, 12, MODEL_PAGE_TEXT);
	*slot_of(9) |= SLOT_LOCKED;
	*slot_of(10) |= SLOT_LOCKED;
	*entry_of(12) |= ZS_ENTRY_PINNED;
	rig_inherit(&rig, &heir);
	*slot_of(9) &= ~SLOT_LOCKED;
	*slot_of(10) &= ~SLOT_LOCKED;
	*entry_of(12) &= ~ZS_ENTRY_PINNED;
	rig_assert_range(&heir, 12 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_write_page(&heir, 9, MODEL_PAGE_SPARSE);
	rig_write_page(&heir, 10, MODEL_PAGE_SPARSE);
	rig_write_page(&heir, 12, MODEL_PAGE_SPARSE);
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(what_no_slot_names_is_freed)
{
	unsigned char bytes[900] = {1};
	uint64_t used;
	zs_handle handle;

	fill(&rig);
	used = rig_stats(&rig).mem_used_total;
	/* It was about to be published. */
	for (unsigned i = 0; i < 500; i++) {
		while (zs_store(rig.store->pool, bytes, sizeof(bytes), 0,
				ZS_NORMAL, &handle))
			ck_assert_int_eq(
				zs_make_ready(rig.store->pool, ZS_NORMAL), 0);
	}
	ck_assert_uint_gt(rig_stats(&rig).mem_used_total, used);
	rig_inherit(&rig, &heir);
	rig_assert_sound(&heir);
	ck_assert_uint_le(rig_stats(&heir).mem_used_total, used);
	rig_disinherit(&heir);
}
END_TEST

/* It has a link before it has a state. */
START_TEST(a_page_that_was_to_be_taken_is_no_damage)
{
	struct zs_arena *arena = &rig.store->pool->arena;
	uint64_t top;

	fill(&rig);
	top = arena->nr_top;
	ck_assert_uint_lt(top, zs_nr_described(arena));
	arena->descs[top].next = 3;
	rig_inherit(&rig, &heir);
	arena->descs[top].next = 0;
	rig_assert_sound(&heir);
	rig_disinherit(&heir);
}
END_TEST

START_TEST(two_slots_of_one_object_are_damaged)
{
	unsigned char page[ZSD_PAGE_BYTES];
	uint64_t slot, other;

	fill(&rig);
	rig_write_page(&rig, 9, MODEL_PAGE_TEXT);
	rig_write_page(&rig, 700, MODEL_PAGE_TEXT);
	slot = *slot_of(9);
	other = *slot_of(700);
	*slot_of(700) = slot_make_object(700, slot_handle(slot),
					 slot_len_bytes(slot), 0);
	rig_inherit(&rig, &heir);
	*slot_of(700) = other;
	while (zstore_rebuild(heir.store, 100))
		;
	ck_assert_int_eq(zstore_read(heir.ctx, 9 * ZSD_PAGE_BYTES, sizeof(page),
				     page),
			 -EIO);
	ck_assert_int_eq(zstore_read(heir.ctx, 700 * ZSD_PAGE_BYTES,
				     sizeof(page), page),
			 -EIO);
	rig_write_page(&heir, 9, MODEL_PAGE_TEXT);
	rig_write_page(&heir, 700, MODEL_PAGE_TEXT);
	for (uint64_t i = 0; i < heir.nr_pages; i++)
		rig_assert_range(&heir, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_assert_stats(&heir);
	rig_disinherit(&heir);
}
END_TEST

/* --- What is refused ------------------------------------------------------- */

START_TEST(a_second_owner_is_refused)
{
	struct zstore *store;
	int status;

	ck_assert_int_eq(zstore_open(&rig.params, zstore_image_fd(rig.store),
				     &store),
			 0);
	ck_assert_int_eq(zstore_adopt(store), -EBUSY);
	if (!fork()) /* another process, with the same descriptor */
		_exit(zstore_adopt(store) == -EBUSY ? 0 : 1);
	wait(&status);
	ck_assert_int_eq(status, 0);
	zstore_destroy(store);
	fill(&rig);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(another_disk_is_refused)
{
	struct zstore_params params = rig.params;

	ck_assert_int_eq(open_again(&params), 0);
	params.disk_bytes += ZSD_PAGE_BYTES;
	ck_assert_int_eq(open_again(&params), -EINVAL);
	params = rig.params;
	params.checksum = true;
	ck_assert_int_eq(open_again(&params), -EINVAL);
	params = rig.params;
	ck_assert_int_eq(zcomp_parse("zstd", &params.zcomp), 0);
	ck_assert_int_eq(open_again(&params), -EINVAL);
	params = rig.params;
	params.chain_size = ZS_CHAIN_SIZE_MIN;
	ck_assert_int_eq(open_again(&params), -EINVAL);
	params.chain_size = 0;
	ck_assert_int_eq(open_again(&params), -EINVAL);
}
END_TEST

START_TEST(another_version_is_refused)
{
	zstore_image_header(rig.store)->version++;
	ck_assert_int_eq(open_again(&rig.params), -EPROTONOSUPPORT);
	zstore_image_header(rig.store)->version--;
	zstore_image_header(rig.store)->magic = 0; /* never completed */
	ck_assert_int_eq(open_again(&rig.params), -EBADMSG);
	zstore_image_header(rig.store)->magic = ZSTORE_MAGIC;
	ck_assert_int_eq(open_again(&rig.params), 0);
}
END_TEST

START_TEST(an_image_says_how_large_its_disk_is)
{
	const int fd = zstore_image_fd(rig.store);
	uint64_t bytes = 0;

	ck_assert_int_eq(zstore_image_disk_bytes(fd, &bytes), 0);
	ck_assert_uint_eq(bytes, rig.params.disk_bytes);
	bytes = 5;
	zstore_image_header(rig.store)->version++;
	ck_assert_int_eq(zstore_image_disk_bytes(fd, &bytes), -EPROTONOSUPPORT);
	zstore_image_header(rig.store)->version--;
	zstore_image_header(rig.store)->magic++;
	ck_assert_int_eq(zstore_image_disk_bytes(fd, &bytes), -EBADMSG);
	zstore_image_header(rig.store)->magic--;
	ck_assert_int_eq(zstore_image_disk_bytes(-1, &bytes), -EBADF);
	ck_assert_uint_eq(bytes, 5);
}
END_TEST

START_TEST(no_image_is_refused)
{
	struct zstore *store;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(zstore_open(&rig.params, fds[0], &store), -EINVAL);
	ck_assert_int_eq(zstore_open(&rig.params, -1, &store), -EBADF);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/adopt");
	TCase *tc = tcase_create("adopt");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, everything_is_there, 0, (int)ARRAY_SIZE(kinds));
	tcase_add_test(tc, an_empty_disk_is_one);
	tcase_add_test(tc, it_can_be_read_at_once);
	tcase_add_test(tc, it_can_be_read_between_all_pieces);
	tcase_add_test(tc, who_is_told_when_it_is_rebuilt_need_not_do_it);
	tcase_add_loop_test(tc, whatever_needs_it_rebuilt_does_so_first, 0,
			    (int)ARRAY_SIZE(deeds));
	tcase_add_test(tc, an_heir_has_heirs);
	tcase_add_test(tc, the_limit_is_the_heirs);
	tcase_add_test(tc, the_uuid_is_the_images);
	tcase_add_test(tc, dictionaries_are_there);
	tcase_add_test(tc, what_came_after_it_was_opened_is_there);
	tcase_add_test(tc, a_damaged_dictionary_is_not_used);
	tcase_add_loop_test(tc, what_two_codecs_made_is_there, 0,
			    (int)ARRAY_SIZE(secondaries));
	tcase_add_test(tc, another_secondary_codec_is_refused);
	tcase_add_test(tc, locks_and_pins_of_the_dead_are_gone);
	tcase_add_test(tc, what_no_slot_names_is_freed);
	tcase_add_test(tc, a_page_that_was_to_be_taken_is_no_damage);
	tcase_add_test(tc, two_slots_of_one_object_are_damaged);
	tcase_add_test(tc, a_second_owner_is_refused);
	tcase_add_test(tc, another_disk_is_refused);
	tcase_add_test(tc, another_version_is_refused);
	tcase_add_test(tc, an_image_says_how_large_its_disk_is);
	tcase_add_test(tc, no_image_is_refused);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
