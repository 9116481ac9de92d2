/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool goes on where its image was damaged: what does not fit together is
 * left alone and counted, and everything else keeps its bytes.
 *
 * To damage things one has to know where they are: hence zs_zspage.h.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zsmalloc/zs_zspage.h"

/* Objects of one class, in chains of several pages, some of which straddle. */
#define OBJ_BYTES  1500u
#define NR_OBJECTS 400u

static struct pool_rig rig;
static zs_handle handles[NR_OBJECTS]; /* none where it was freed */

static void setup(void)
{
	const struct zs_pool_params params = RIG_PARAMS;

	rig_open(&rig, &params);
	for (uint32_t i = 0; i < NR_OBJECTS; i++)
		handles[i] = rig_put(&rig, OBJ_BYTES, i);
}

static void teardown(void)
{
	rig_close(&rig);
}

static struct zs_class *the_class(void)
{
	return &rig.pool->classes[zs_lookup_class_index(rig.pool, OBJ_BYTES)];
}

static void free_object(uint32_t i)
{
	zs_free(rig.pool, handles[i]);
	handles[i] = ZS_HANDLE_NONE;
}

static _Atomic uint64_t *entry_of(uint32_t i)
{
	return &rig.pool->handles.entries[handles[i]];
}

static uint32_t *header_of(uint32_t i)
{
	return zs_obj_header(rig.pool,
			     zs_entry_place(the_class(), *entry_of(i)));
}

static uint32_t head_of(uint32_t i)
{
	const struct zs_desc *desc =
		&rig.pool->arena.descs[zs_entry_page(*entry_of(i))];

	return zs_state_kind(desc->state) == ZS_PAGE_TAIL
		       ? desc->head
		       : zs_entry_page(*entry_of(i));
}

static int try_read(uint32_t i)
{
	unsigned char local[OBJ_BYTES];
	const void *found;
	int err = zs_obj_read_begin(rig.pool, handles[i], OBJ_BYTES, local,
				    &found);

	if (!err)
		zs_obj_read_end(rig.pool, handles[i]);
	return err;
}

/* All but object @damaged hold what they should. */
static void assert_others_hold(uint32_t damaged)
{
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		if (handles[i] && i != damaged)
			rig_assert_holds(&rig, handles[i], OBJ_BYTES, i);
	}
}

/* What is stored now gets no place that is another's. */
static void store_more(uint32_t damaged)
{
	static zs_handle more[NR_OBJECTS];

	for (uint32_t i = 0; i < NR_OBJECTS; i++)
		more[i] = rig_put(&rig, OBJ_BYTES, 10000 + i);
	assert_others_hold(damaged);
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		rig_assert_holds(&rig, more[i], OBJ_BYTES, 10000 + i);
		zs_free(rig.pool, more[i]);
	}
}

static void compact(void)
{
	struct zs_compacted done;

	zs_compact(rig.pool, &done);
}

static void assert_verifier_complains(void)
{
	char text[ZS_VERIFY_TEXT_BYTES];

	ck_assert_int_eq(zs_pool_verify(rig.pool, text), -EUCLEAN);
}

/* --- headers ------------------------------------------------------------- */

/* Handles that a damaged header may name: another's, none, one that there is
 * not, its own with the sign that it is in use gone. */
static uint32_t bad_header(uint32_t i, int which)
{
	const uint32_t bad[] = {
		zs_header_allocated(handles[i + 1]),
		zs_header_allocated(ZS_HANDLE_NONE),
		zs_header_allocated(UINT32_MAX / 2),
		*header_of(i) ^ ZS_HEADER_ALLOCATED,
		zs_header_free(0),
		0,
	};

	return bad[which];
}

#define NR_BAD_HEADERS 6

/* What compaction would move by it is another object. */
START_TEST(compaction_does_not_believe_a_header)
{
	const uint32_t damaged = 200;

	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		if (i % 3 != 2 && i != damaged + 1)
			free_object(i);
	}
	ck_assert(handles[damaged] && handles[damaged + 1]);
	*header_of(damaged) = bad_header(damaged, _i);
	compact();
	assert_others_hold(
		UINT32_MAX); /* and so does it: its handle is right */
	store_more(UINT32_MAX);
	compact();
	assert_others_hold(UINT32_MAX);
	assert_verifier_complains();
}
END_TEST

START_TEST(freeing_does_not_believe_a_header)
{
	const uint32_t damaged = 200;

	*header_of(damaged) = bad_header(damaged, _i);
	free_object(damaged);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	ck_assert_uint_gt(rig_stats(&rig).pages_retired, 0);
	assert_others_hold(damaged);
	store_more(damaged);
	compact();
	assert_others_hold(damaged);
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		if (handles[i])
			free_object(i);
	}
	/* Nothing but what is out of use is left. */
	ck_assert_uint_eq(rig_stats(&rig).pages_used,
			  rig_stats(&rig).pages_retired);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	assert_verifier_complains();
}
END_TEST

/* Of any object of the zspage, where there are checks enough; else it is not
 * looked at. */
START_TEST(level_two_looks_at_the_whole_zspage)
{
	const uint64_t nr_met = ZSD_CHECKS >= 2;

	ck_assert_uint_eq(head_of(200), head_of(201));
	*header_of(200) ^= 8;
	free_object(201);
	ck_assert_uint_eq(rig_stats(&rig).damages, nr_met);
	rig_put(&rig, OBJ_BYTES, 1);
	ck_assert_uint_eq(rig_stats(&rig).damages, nr_met);
	assert_others_hold(UINT32_MAX);
	assert_verifier_complains();
}
END_TEST

/* --- free lists ---------------------------------------------------------- */

/* A link that leads to an object in use, to itself, or nowhere. */
static void damage_link(uint32_t *header, uint32_t in_use, int which)
{
	const uint32_t bad[] = {
		zs_header_free(zs_entry_obj(*entry_of(in_use))),
		zs_header_allocated(handles[in_use]),
		zs_header_free(200),
		zs_header_free(ZS_OBJ_NONE - 2),
		UINT32_MAX,
	};

	*header = bad[which];
}

#define NR_BAD_LINKS 5

START_TEST(no_place_in_use_is_given_out)
{
	const uint32_t freed = 200, in_use = 199;
	uint32_t *header = header_of(freed);

	ck_assert_uint_eq(head_of(freed), head_of(in_use));
	ck_assert_uint_eq(head_of(freed), head_of(freed + 1));
	free_object(freed + 1);
	free_object(freed);
	damage_link(header, in_use, _i);
	store_more(UINT32_MAX);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	compact();
	assert_others_hold(UINT32_MAX);
	assert_verifier_complains();
}
END_TEST

/* --- descriptors ---------------------------------------------------------- */

/* Each bit of the descriptor of a zspage's first page, and of another one. */
START_TEST(a_damaged_descriptor_harms_nobody)
{
	const uint32_t first = head_of(200);
	const uint32_t page =
		_i < 128 ? first : rig.pool->arena.descs[first].next;
	uint32_t *words = (uint32_t *)(void *)&rig.pool->arena.descs[page];
	uint32_t nr_unreadable = 0;

	words[_i % 128 / 32] ^= (uint32_t)1 << _i % 32;
	assert_verifier_complains();
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		int err = try_read(i);

		ck_assert(err == 0 || err == -EIO);
		nr_unreadable += !!err;
		if (!err)
			rig_assert_holds(&rig, handles[i], OBJ_BYTES, i);
	}
	ck_assert_uint_le(nr_unreadable, 1); /* that which straddles there */
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		if (i % 4 && try_read(i) == 0)
			free_object(i);
	}
	for (uint32_t i = 0; i < NR_OBJECTS; i++)
		rig_put(&rig, OBJ_BYTES, 20000 + i);
	compact();
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		if (handles[i] && try_read(i) == 0)
			rig_assert_holds(&rig, handles[i], OBJ_BYTES, i);
	}
	assert_verifier_complains();
}
END_TEST

/* What lists and accounts say follows from the descriptors: nothing is lost. */
START_TEST(a_torn_list_is_made_anew)
{
	struct zs_class_stats before = rig_class_stats(&rig, OBJ_BYTES), after;
	struct zs_desc *desc = &rig.pool->arena.descs[head_of(200)];

	if (_i == 0)
		desc->list_next ^= 4;
	else
		desc->list_prev = head_of(5);
	free_object(200);
	after = rig_class_stats(&rig, OBJ_BYTES);
	ck_assert_uint_eq(after.pages_used, before.pages_used);
	ck_assert_uint_eq(after.obj_allocated, before.obj_allocated);
	ck_assert_uint_eq(after.obj_used, before.obj_used - 1);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	ck_assert_uint_eq(rig_stats(&rig).pages_retired, 0);
	store_more(UINT32_MAX);
	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		if (handles[i])
			free_object(i);
	}
	ck_assert_uint_eq(rig_stats(&rig).pages_used, 0);
}
END_TEST

/* --- chains --------------------------------------------------------------- */

/* Also where the damaged link leads to a page or a handle in use. */
START_TEST(a_torn_chain_of_pages_loses_nothing_but_that_page)
{
	struct zs_arena *arena = &rig.pool->arena;
	uint64_t nr_free;
	uint32_t second;

	for (uint32_t i = 0; i < NR_OBJECTS && arena->free.nr < 20; i++)
		free_object(i);
	nr_free = arena->free.nr;
	second = arena->descs[arena->free.first].next;
	if (_i == 0)
		arena->descs[arena->free.first].next = head_of(200);
	else if (_i == 1)
		arena->descs[arena->free.first].next ^= 1u << 20;
	else
		arena->descs[second].state ^= 1u << 3;
	for (uint32_t i = 0; i < nr_free; i++)
		rig_put(&rig, ZS_MAX_OBJ_BYTES, i);
	assert_others_hold(UINT32_MAX);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	assert_verifier_complains();
}
END_TEST

START_TEST(a_torn_chain_of_handles_loses_nothing_but_that_handle)
{
	struct zs_handles *table = &rig.pool->handles;
	struct zs_handle_chain *chain = &the_class()->stash;
	uint64_t nr_free;

	for (uint32_t i = 0; i < 150; i++)
		free_object(i);
	if (_i % 2)
		chain = &table->free;
	ck_assert_uint_gt(chain->nr, 2);
	nr_free = table->free.nr + the_class()->stash.nr;
	if (_i < 2)
		table->entries[chain->first] ^= (uint64_t)1 << 30;
	else
		table->entries[chain->first] = *entry_of(200);
	store_more(UINT32_MAX);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	ck_assert_uint_ge(table->free.nr + the_class()->stash.nr + 1, nr_free);
	assert_verifier_complains();
}
END_TEST

/* --- handles -------------------------------------------------------------- */

START_TEST(every_bit_of_an_entry_counts)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t good = *entry_of(200);

		if (good ^ (good | ZS_ENTRY_PINNED) ^ ((uint64_t)1 << bit)) {
			*entry_of(200) ^= (uint64_t)1 << bit;
			ck_assert_int_eq(try_read(200), -EIO);
			*entry_of(200) = good;
		}
	}
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(a_damaged_entry_is_not_freed)
{
	*entry_of(200) ^= (uint64_t)1 << _i;
	free_object(200);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	store_more(UINT32_MAX);
	compact();
	assert_others_hold(UINT32_MAX);
	assert_verifier_complains();
}
END_TEST

/* One that was never given out. */
START_TEST(an_entry_of_zeros_is_damaged)
{
	*entry_of(200) = 0;
	ck_assert_int_eq(try_read(200), -EIO);
	free_object(200);
	ck_assert_uint_eq(rig_stats(&rig).damages, 1);
	store_more(UINT32_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/damage");
	TCase *tc = tcase_create("damage");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, compaction_does_not_believe_a_header, 0,
			    NR_BAD_HEADERS);
	tcase_add_loop_test(tc, freeing_does_not_believe_a_header, 0,
			    NR_BAD_HEADERS);
	tcase_add_test(tc, level_two_looks_at_the_whole_zspage);
	tcase_add_loop_test(tc, no_place_in_use_is_given_out, 0, NR_BAD_LINKS);
	tcase_add_loop_test(tc, a_damaged_descriptor_harms_nobody, 0, 256);
	tcase_add_loop_test(tc, a_torn_list_is_made_anew, 0, 2);
	tcase_add_loop_test(
		tc, a_torn_chain_of_pages_loses_nothing_but_that_page, 0, 3);
	tcase_add_loop_test(
		tc, a_torn_chain_of_handles_loses_nothing_but_that_handle, 0,
		4);
	tcase_add_test(tc, every_bit_of_an_entry_counts);
	tcase_add_loop_test(tc, a_damaged_entry_is_not_freed, 2, 64);
	tcase_add_test(tc, an_entry_of_zeros_is_damaged);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
