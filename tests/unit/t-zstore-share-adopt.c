/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of a process whose pages share objects, left at whatever instant.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "adopt_rig.h"
#include "base/bits.h"
#include "share_rig.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_share.h"

static struct store_rig rig, heir;
static struct zstore_sharing *sharing;

static void setup(void)
{
	share_rig_open(&rig, "lz4", true);
	ck_assert_int_eq(zstore_sharing_create(RIG_DISK_PAGES, &sharing), 0);
}

static void teardown(void)
{
	zstore_sharing_destroy(sharing);
	rig_assert_sound(&rig);
	rig_close(&rig);
}

static void put_text(uint64_t index, uint64_t seed)
{
	share_rig_put(&rig, index, seed, MODEL_PAGE_TEXT);
}

static uint64_t share(struct store_rig *r)
{
	return share_rig_pass(r, sharing);
}

static void rebuild(void)
{
	while (zstore_rebuild(heir.store, 100))
		;
}

static bool can_read(uint64_t index)
{
	unsigned char page[ZSD_PAGE_BYTES];
	int err = zstore_read(heir.ctx, index * ZSD_PAGE_BYTES, sizeof(page),
			      page);

	ck_assert(!err || err == -EIO);
	return !err;
}

/* Of a process that shares, by one that does or does not. */
START_TEST(an_heir_goes_on_with_them)
{
	struct zstore_stats before, after;

	for (uint64_t i = 0; i < 300; i++)
		share_rig_put(&rig, i * 5, i % 30, model_page_kind(&rig.rng));
	(void)share(&rig);
	before = rig_stats(&rig);
	ck_assert_uint_gt(before.pages_sharing, 0);
	rig.params.share = _i;
	rig_inherit(&rig, &heir);
	rig.params.share = true;
	for (uint64_t i = 0; i < 300; i++)
		rig_assert_range(&heir, i * 5 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert_int_eq(zstore_share(heir.ctx, sharing, 1),
			 _i ? -EINPROGRESS : -EOPNOTSUPP);
	rebuild();
	rig_assert_sound(&heir);
	after = rig_stats(&heir);
	ck_assert_uint_eq(after.pages_sharing, before.pages_sharing);
	ck_assert_uint_eq(after.compr_data_size, before.compr_data_size);
	ck_assert_uint_eq(after.huge_pages, before.huge_pages);
	ck_assert_uint_eq(after.metadata_bytes, before.metadata_bytes);
	ck_assert_uint_eq(share_rig_objects(&heir), share_rig_objects(&rig));
	if (_i)
		ck_assert_uint_eq(share(&heir), 0);
	for (uint64_t i = 0; i < 300; i += 2) {
		share_rig_put(&heir, i * 5, i, MODEL_PAGE_TEXT);
		share_rig_trim(&heir, i * 5 + 5);
	}
	rig_assert_sound(&heir);
	rig_assert_stats(&heir);
	ck_assert_uint_eq(rig_stats(&heir).pages_sharing, 0);
	rig_disinherit(&heir);
}
END_TEST

/* And by one that shares, of one that did not. */
START_TEST(an_heir_may_begin_to)
{
	struct store_rig second, third;

	rig_close(&rig);
	rig.params.share = false;
	rig_open(&rig, &rig.params);
	put_text(0, 1);
	put_text(1, 1);
	put_text(2, 2);
	rig.params.share = true;
	rig_inherit(&rig, &heir);
	rig.params.share = false;
	rebuild();
	ck_assert_uint_eq(share(&heir), 1);
	share_rig_assert(&heir, 2, 1);
	/* It may not have rebuilt anything when it ends. */
	heir.params.share = false;
	rig_inherit(&heir, &second);
	rig_inherit(&second, &third);
	share_rig_assert(&third, 2, 1);
	rig_disinherit(&third);
	rig_disinherit(&second);
	rig_disinherit(&heir);
}
END_TEST

/* The first page says that it shares its object, and is locked; nobody else
 * has it. */
START_TEST(one_that_shares_alone_is_fine)
{
	const uint64_t locks = _i ? SLOT_LOCKED : 0;
	uint64_t slot;

	put_text(0, 1);
	put_text(1, 1);
	slot = share_rig_slot(&rig, 0);
	rig.store->slots[0] =
		slot_make_shared(0, slot, share_rig_handle(&rig, 0)) | locks;
	rig.store->slots[1] |= locks;
	rig_inherit(&rig, &heir);
	rig.store->slots[0] = slot;
	rig.store->slots[1] &= ~SLOT_LOCKED;
	share_rig_assert(&heir, 2, 0);
	ck_assert_uint_eq(share(&heir), 1);
	share_rig_assert(&heir, 1, 1);
	share_rig_put(&heir, 0, 5, MODEL_PAGE_TEXT);
	share_rig_assert(&heir, 2, 0);
	share_rig_trim(&heir, 0);
	share_rig_trim(&heir, 1);
	share_rig_assert(&heir, 0, 0);
	rig_disinherit(&heir);
}
END_TEST

/* Both are published; the object that the second had is no one's any more. */
START_TEST(what_was_to_be_freed_is)
{
	uint64_t slots[2];

	put_text(0, 1);
	put_text(1, 1);
	for (unsigned i = 0; i < 2; i++)
		slots[i] = share_rig_slot(&rig, i);
	for (unsigned i = 0; i < 2; i++)
		rig.store->slots[i] =
			slot_make_shared(i, slots[i], slot_handle(slots[0]));
	rig.store->slots[0] |= SLOT_LOCKED;
	rig_inherit(&rig, &heir);
	for (unsigned i = 0; i < 2; i++)
		rig.store->slots[i] = slots[i];
	share_rig_assert(&heir, 1, 1);
	share_rig_trim(&heir, 0);
	share_rig_assert(&heir, 1, 0);
	rig_disinherit(&heir);
}
END_TEST

/* Pages 0, 1 and 2 name one object: by the bits of a loop's number, they say
 * that they share it. */
START_TEST(all_must_say_so)
{
	bool is_sound = _i == 7;
	uint64_t slots[3];

	for (unsigned i = 0; i < 3; i++) {
		put_text(i, 1);
		slots[i] = share_rig_slot(&rig, i);
	}
	put_text(3, 2);
	put_text(4, 2);
	ck_assert_uint_eq(share(&rig), 1 + 2);
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t slot = rig.store->slots[i];

		if (!(_i >> i & 1))
			rig.store->slots[i] = slot_make_object(
				i, slot_handle(slot), slot_len_bytes(slot), 0);
		slots[i] = slot;
	}
	rig_inherit(&rig, &heir);
	for (unsigned i = 0; i < 3; i++)
		rig.store->slots[i] = slots[i];
	rebuild();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(can_read(i), is_sound);
	ck_assert(can_read(3) && can_read(4));
	for (unsigned i = 0; i < 3; i++)
		share_rig_put(&heir, i, 7 + i, MODEL_PAGE_TEXT);
	for (uint64_t i = 0; i < heir.nr_pages; i++)
		rig_assert_range(&heir, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(rig_stats(&heir).pages_sharing, 1);
	share_rig_trim(&heir, 4);
	rig_assert_stats(&heir);
	rig_disinherit(&heir);
}
END_TEST

/* The header said that nobody could share, so there are no counts. */
START_TEST(without_counts_they_are_damaged)
{
	put_text(0, 1);
	put_text(1, 1);
	put_text(2, 2);
	ck_assert_uint_eq(share(&rig), 1);
	zstore_image_header(rig.store)->may_share = 0;
	rig.params.share = false;
	rig_inherit(&rig, &heir);
	zstore_image_header(rig.store)->may_share = 1;
	rebuild();
	ck_assert(!can_read(0) && !can_read(1) && can_read(2));
	share_rig_put(&heir, 0, 1, MODEL_PAGE_TEXT);
	share_rig_put(&heir, 1, 1, MODEL_PAGE_TEXT);
	for (uint64_t i = 0; i < heir.nr_pages; i++)
		rig_assert_range(&heir, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_disinherit(&heir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/share-adopt");
	TCase *tcase = tcase_create("adoption");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, an_heir_goes_on_with_them, 0, 2);
	tcase_add_test(tcase, an_heir_may_begin_to);
	tcase_add_loop_test(tcase, one_that_shares_alone_is_fine, 0, 2);
	tcase_add_test(tcase, what_was_to_be_freed_is);
	tcase_add_loop_test(tcase, all_must_say_so, 0, 8);
	tcase_add_test(tcase, without_counts_they_are_damaged);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
