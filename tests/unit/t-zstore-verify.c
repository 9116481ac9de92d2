/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damage: what was stored is changed behind the store's back, in the file of
 * its image, and must be noticed by whoever reads it and by the verifier.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "image_rig.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/slot.h"

#define NR_STORED 200u

static const char *const algorithms[] = {"lz4", "zstd"};

static struct store_rig rig;

static void open_filled(const char *algorithm)
{
	struct zstore_params params = rig_params(algorithm);

	rig_open(&rig, &params);
	for (uint64_t i = 0; i < NR_STORED; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
	rig_assert_sound(&rig);
}

static void assert_verifier_complains(void)
{
	struct zstore_verify_report report;

	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	ck_assert_ptr_nonnull(memchr(report.text, '\0', sizeof(report.text)));
	ck_assert_str_ne(report.text, "");
}

START_TEST(a_damaged_object_is_eio)
{
	unsigned char found[3 * ZSD_PAGE_BYTES];
	struct rig_object object;
	uint64_t index, at;

	open_filled(algorithms[_i]);
	rig_any_object(&rig, NR_STORED, &object);
	index = object.index;
	at = index * ZSD_PAGE_BYTES;
	rig_damage(&object);
	ck_assert_int_eq(zstore_read(rig.ctx, at, ZSD_PAGE_BYTES, found), -EIO);
	ck_assert_uint_eq(rig_stats(&rig).failed_reads, 1);
	ck_assert_int_eq(zstore_read(rig.ctx, at + 5, 1, found), -EIO);
	ck_assert_uint_eq(rig_stats(&rig).failed_reads, 2);
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, 2);
	/* It is that page alone. */
	for (uint64_t i = 0; i < NR_STORED; i++) {
		if (i != index)
			rig_assert_range(&rig, i * ZSD_PAGE_BYTES,
					 ZSD_PAGE_BYTES);
	}
	rig_repair(&object);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(the_verifier_finds_a_damaged_object)
{
	struct rig_object object;

	open_filled(algorithms[_i]);
	rig_any_object(&rig, NR_STORED, &object);
	rig_damage(&object);
	assert_verifier_complains();
	rig_repair(&object);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(a_damaged_page_cannot_be_patched_but_replaced)
{
	struct rig_object object;
	uint64_t index, at;

	open_filled(algorithms[_i]);
	rig_any_object(&rig, NR_STORED, &object);
	index = object.index;
	at = index * ZSD_PAGE_BYTES;
	rig_damage(&object);
	ck_assert_int_eq(zstore_write(rig.ctx, at + 100, 10, "0123456789"),
			 -EIO);
	ck_assert_uint_eq(rig_stats(&rig).failed_writes, 1);
	ck_assert_int_eq(zstore_write_zeroes(rig.ctx, at + 100, 10), -EIO);
	ck_assert_uint_eq(rig_stats(&rig).failed_writes, 2);
	rig_write_page(&rig, index, MODEL_PAGE_MIXED);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(a_damaged_page_can_be_trimmed)
{
	struct rig_object object;
	uint64_t index;

	open_filled(algorithms[_i]);
	rig_any_object(&rig, NR_STORED, &object);
	index = object.index;
	rig_damage(&object);
	rig_trim(&rig, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	rig_close(&rig);
}
END_TEST

/* The 4 bytes in front of the object: whose it is. */
START_TEST(the_verifier_finds_a_damaged_header)
{
	unsigned char good[ZS_HEADER_BYTES], bad[ZS_HEADER_BYTES];
	struct rig_object object;

	open_filled(algorithms[_i]);
	rig_any_object(&rig, NR_STORED, &object);
	object.at -= ZS_HEADER_BYTES;
	rig_get_from_image(object.at, good, sizeof(good));
	for (unsigned bit = 0; bit < 8 * sizeof(good); bit++) {
		memcpy(bad, good, sizeof(bad));
		bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
		rig_put_in_image(object.at, bad, sizeof(bad));
		assert_verifier_complains();
	}
	rig_put_in_image(object.at, good, sizeof(good));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/*
 * A slot that forgot its page: the object has nobody any more. The slots are
 * what follows the header's page.
 */
START_TEST(the_verifier_finds_a_lost_slot)
{
	const uint64_t empty = 0;
	uint64_t slot;
	off_t at;

	open_filled("lz4");
	for (uint64_t i = 0; i < NR_STORED; i += 20) {
		at = (off_t)(ZSD_PAGE_BYTES + i * sizeof(slot));
		rig_get_from_image(at, &slot, sizeof(slot));
		ck_assert_uint_ne(slot, 0);
		rig_put_in_image(at, &empty, sizeof(empty));
		assert_verifier_complains();
		rig_put_in_image(at, &slot, sizeof(slot));
	}
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

static off_t slot_at(uint64_t index)
{
	return (off_t)(ZSD_PAGE_BYTES + index * sizeof(uint64_t));
}

static int read_page(uint64_t index)
{
	unsigned char page[ZSD_PAGE_BYTES];

	return zstore_read(rig.ctx, index * ZSD_PAGE_BYTES, sizeof(page), page);
}

/* Each is sound, but not where it stands. */
START_TEST(exchanged_slots_are_damaged)
{
	uint64_t a, b;

	open_filled("lz4");
	rig_get_from_image(slot_at(7), &a, sizeof(a));
	rig_get_from_image(slot_at(100), &b, sizeof(b));
	rig_put_in_image(slot_at(7), &b, sizeof(b));
	rig_put_in_image(slot_at(100), &a, sizeof(a));
	assert_verifier_complains();
	ck_assert_int_eq(read_page(7), -EIO);
	ck_assert_int_eq(read_page(100), -EIO);
	rig_put_in_image(slot_at(7), &a, sizeof(a));
	rig_put_in_image(slot_at(100), &b, sizeof(b));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* Kind 3, which there is not, and the bits that mean nothing. */
static const uint64_t meaningless[] = {
	(uint64_t)3 << SLOT_KIND_SHIFT,
	(uint64_t)1 << 21,
	(uint64_t)1 << 22,
	(uint64_t)1 << 23,
	(uint64_t)0xff << 24,
};

START_TEST(a_slot_without_a_meaning_is_damaged)
{
	uint64_t good, bad, nr_objects;

	open_filled("lz4");
	nr_objects = rig_stats(&rig).orig_data_size / ZSD_PAGE_BYTES;
	rig_get_from_image(slot_at(7), &good, sizeof(good));
	bad = good | meaningless[_i];
	ck_assert_uint_ne(good, bad);
	rig_put_in_image(slot_at(7), &bad, sizeof(bad));
	assert_verifier_complains();
	ck_assert_int_eq(read_page(7), -EIO);
	ck_assert_int_eq(
		zstore_write(rig.ctx, 7 * ZSD_PAGE_BYTES + 5, 3, "abc"), -EIO);
	/* Written anew it is sound; what it was is not guessed at. */
	rig_write_page(&rig, 7, MODEL_PAGE_TEXT);
	for (uint64_t i = 0; i < NR_STORED; i++)
		rig_assert_range(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert_uint_eq(rig_stats(&rig).orig_data_size / ZSD_PAGE_BYTES,
			  nr_objects + 1);
	assert_verifier_complains(); /* an object is lost */
	rig_close(&rig);
}
END_TEST

/* Sealed as if they were right: two pages that name one object. */
START_TEST(the_verifier_finds_a_shared_object)
{
	uint64_t a, b, bad;

	open_filled("lz4");
	rig_get_from_image(slot_at(7), &a, sizeof(a));
	rig_get_from_image(slot_at(100), &b, sizeof(b));
	bad = slot_make_object(100, slot_handle(a), slot_len_bytes(a), 0);
	rig_put_in_image(slot_at(100), &bad, sizeof(bad));
	assert_verifier_complains();
	rig_put_in_image(slot_at(100), &b, sizeof(b));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/verify");
	TCase *tc = tcase_create("damage");
	const int nr = (int)ARRAY_SIZE(algorithms);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_damaged_object_is_eio, 0, nr);
	tcase_add_loop_test(tc, the_verifier_finds_a_damaged_object, 0, nr);
	tcase_add_loop_test(tc, a_damaged_page_cannot_be_patched_but_replaced,
			    0, nr);
	tcase_add_loop_test(tc, a_damaged_page_can_be_trimmed, 0, nr);
	tcase_add_loop_test(tc, the_verifier_finds_a_damaged_header, 0, nr);
	tcase_add_test(tc, the_verifier_finds_a_lost_slot);
	tcase_add_test(tc, exchanged_slots_are_damaged);
	tcase_add_loop_test(tc, a_slot_without_a_meaning_is_damaged, 0,
			    (int)ARRAY_SIZE(meaningless));
	tcase_add_test(tc, the_verifier_finds_a_shared_object);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
