/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verifier must find whatever can be wrong. Each test damages one thing
 * of a pool that is in order, looks whether the verifier says so, repairs it,
 * and looks whether it is content again.
 *
 * To damage things one has to know where they are: hence zs_image.h.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zsmalloc/zs_zspage.h"

static struct pool_rig rig;

/* Payloads: chains of one page and of several, one that straddles, huge. */
static const size_t sizes[] = {20, 204, 1000, 1700, 3600, 4096};

#define NR_EACH 150u

static struct {
	zs_handle handle; /* none where it was freed */
	size_t bytes;
} objects[NR_EACH * ARRAY_SIZE(sizes)];

static const uint32_t nr_objects = ARRAY_SIZE(objects);

/* Zspages that are full, part-filled and growing; free and released pages. */
static void setup(void)
{
	struct zs_pool_params params = RIG_PARAMS;

	params.reserve_pages = 16;
	rig_open(&rig, &params);
	for (uint32_t i = 0; i < nr_objects; i++) {
		objects[i].bytes = sizes[i % ARRAY_SIZE(sizes)];
		objects[i].handle = rig_put(&rig, objects[i].bytes, i);
	}
	for (uint32_t i = 0; i < nr_objects; i++) {
		if (i % 7 < 3) {
			zs_free(rig.pool, objects[i].handle);
			objects[i].handle = ZS_HANDLE_NONE;
		}
	}
	zs_pool_shrink(rig.pool);
	rig_assert_sound(&rig);
	ck_assert_uint_eq(rig.pool->arena.free.nr, 16);
	ck_assert_uint_gt(rig.pool->arena.released.nr, 0);
}

static void teardown(void)
{
	rig_close(&rig);
}

static bool verifier_complains(void)
{
	char text[ZS_VERIFY_TEXT_BYTES];
	int err = zs_pool_verify(rig.pool, text);

	quiet_assert(err == 0 || err == -EUCLEAN);
	quiet_assert(memchr(text, '\0', sizeof(text)));
	quiet_assert(!err == !*text);
	return err;
}

/* Flip each bit of @mask in a 32-bit word: each must be noticed. */
static void assert_bits_matter(uint32_t *word, uint32_t mask, const char *what)
{
	const uint32_t good = *word;

	for (unsigned bit = 0; bit < 32; bit++) {
		bool noticed;

		if (!(mask >> bit & 1))
			continue;
		*word = good ^ (uint32_t)1 << bit;
		noticed = verifier_complains();
		*word = good;
		if (!noticed)
			ck_abort_msg("%s: bit %u of %08x", what, bit, good);
	}
	quiet_assert(!verifier_complains());
}

/* The same for a number anywhere: one more, one less. */
static void assert_count_matters(uint64_t *count, const char *what)
{
	const uint64_t good = *count;

	for (int i = -1; i <= 1; i += 2) {
		bool noticed;

		*count = good + (uint64_t)(int64_t)i;
		noticed = verifier_complains();
		*count = good;
		if (!noticed)
			ck_abort_msg("%s: %llu for %llu", what,
				     (unsigned long long)good +
					     (unsigned long long)i,
				     (unsigned long long)good);
	}
	quiet_assert(!verifier_complains());
}

static struct zs_class *class_for(size_t bytes)
{
	return &rig.pool->classes[zs_lookup_class_index(rig.pool, bytes)];
}

static uint64_t entry_of(zs_handle handle)
{
	return atomic_load(&rig.pool->handles.entries[handle]);
}

/* The header in front of a live object that is not huge, or NULL. */
static uint32_t *header_of(uint32_t i)
{
	const struct zs_class *class;
	struct zs_place place;
	uint64_t entry;

	if (!objects[i].handle)
		return NULL;
	entry = entry_of(objects[i].handle);
	class = &rig.pool->classes[zs_entry_class(entry)];
	if (class->is_huge)
		return NULL;
	place.page = zs_entry_page(entry);
	place.offset_bytes = zs_entry_obj(entry) * class->geometry.size_bytes %
			     ZSD_PAGE_BYTES;
	return zs_obj_header(rig.pool, place);
}

static struct zs_desc *desc_of(uint32_t i)
{
	return &rig.pool->arena
			.descs[zs_entry_page(entry_of(objects[i].handle))];
}

/* --- what stands in the mapping ------------------------------------------ */

START_TEST(every_bit_of_a_header_matters)
{
	unsigned nr = 0;

	for (uint32_t i = 0; i < nr_objects; i += 5) {
		uint32_t *header = header_of(i);

		if (!header)
			continue;
		assert_bits_matter(header, UINT32_MAX, "header");
		nr++;
	}
	ck_assert_uint_gt(nr, 50);
}
END_TEST

START_TEST(exchanged_headers_are_found)
{
	uint32_t *a = NULL, *b, header;

	for (uint32_t i = 0; i < nr_objects; i++) {
		b = header_of(i);
		if (!b)
			continue;
		if (a) {
			header = *a;
			*a = *b;
			*b = header;
			quiet_assert(verifier_complains());
			*b = *a;
			*a = header;
			quiet_assert(!verifier_complains());
		}
		a = b;
	}
	ck_assert_ptr_nonnull(a);
}
END_TEST

/* Headers of free objects: of those that we free, their zspages staying. */
START_TEST(damaged_free_lists_are_found)
{
	unsigned nr = 0;

	for (uint32_t i = 0; i < nr_objects; i += 5) {
		uint32_t *header = header_of(i), allocated, good;
		uint64_t pages;

		if (!header)
			continue;
		allocated = *header;
		pages = rig_stats(&rig).pages_used;
		zs_free(rig.pool, objects[i].handle);
		objects[i].handle = ZS_HANDLE_NONE;
		if (rig_stats(&rig).pages_used != pages)
			continue;
		good = *header;
		*header = allocated;
		quiet_assert(verifier_complains());
		*header = zs_header_free((good >> 1) ^ 1); /* another object */
		quiet_assert(verifier_complains());
		*header = zs_header_free(2000); /* no zspage has so many */
		quiet_assert(verifier_complains());
		*header = good;
		quiet_assert(!verifier_complains());
		nr++;
	}
	ck_assert_uint_gt(nr, 20);
}
END_TEST

START_TEST(every_bit_of_a_live_entry_matters)
{
	unsigned char *entries =
		rig.map.base + rig.pool->handles.entries_table.offset;
	const uint64_t not_pin = ~ZS_ENTRY_PINNED;
	uint32_t masks[2];

	memcpy(masks, &not_pin, sizeof(masks));
	for (uint32_t i = 0; i < nr_objects; i += 5) {
		uint32_t *halves;

		if (!objects[i].handle)
			continue;
		halves = (uint32_t *)(void *)(entries +
					      objects[i].handle *
						      sizeof(uint64_t));
		assert_bits_matter(&halves[0], masks[0], "entry");
		assert_bits_matter(&halves[1], masks[1], "entry");
	}
}
END_TEST

/* Every live handle leads to an object that leads back. */
START_TEST(a_live_entry_without_an_object_is_found)
{
	struct zs_handles *handles = &rig.pool->handles;
	zs_handle live = ZS_HANDLE_NONE;
	unsigned nr = 0;

	for (uint32_t i = 0; i < nr_objects && !live; i++)
		live = objects[i].handle;
	for (zs_handle h = 1; h < handles->nr_fresh; h++) {
		uint64_t good = entry_of(h);

		if (good & ZS_ENTRY_LIVE)
			continue;
		atomic_store(&handles->entries[h], entry_of(live));
		quiet_assert(verifier_complains());
		atomic_store(&handles->entries[h], good);
		nr++;
	}
	ck_assert_uint_gt(nr, 0);
	quiet_assert(!verifier_complains());
}
END_TEST

/* Descriptors of the pages that objects start in, whatever kind they are. */
START_TEST(every_bit_of_a_used_page_matters)
{
	static const char *const names[] = {"next", "prev or head",
					    "list_next or prev", "state"};
	unsigned nr[4] = {0};

	for (uint32_t i = 0; i < nr_objects; i += 5) {
		uint32_t *words;

		if (!objects[i].handle)
			continue;
		words = (uint32_t *)(void *)desc_of(i);
		for (unsigned w = 0; w < 4; w++)
			assert_bits_matter(&words[w], UINT32_MAX, names[w]);
		nr[zs_state_kind(desc_of(i)->state)]++;
	}
	ck_assert_uint_gt(nr[ZS_PAGE_HEAD], 0);
	ck_assert_uint_gt(nr[ZS_PAGE_TAIL], 0);
}
END_TEST

static void assert_free_chain_is_watched(const struct zs_page_chain *chain)
{
	struct zs_desc *descs = rig.pool->arena.descs;
	unsigned nr = 0;

	for (uint32_t page = chain->first; page != ZS_PAGE_NONE && nr < 20;
	     page = descs[page].next, nr++) {
		uint32_t *words = (uint32_t *)(void *)&descs[page];

		assert_bits_matter(&words[0], UINT32_MAX, "next of free page");
		assert_bits_matter(&words[3], UINT32_MAX, "state of free page");
	}
	ck_assert_uint_gt(nr, 0);
}

START_TEST(damaged_chains_of_free_pages_are_found)
{
	assert_free_chain_is_watched(&rig.pool->arena.free);
	assert_free_chain_is_watched(&rig.pool->arena.released);
}
END_TEST

/* A handle that is chained to itself, or past others, whatever it is sealed
 * with: the chain has not as many as it should. */
static void assert_handle_chain_is_watched(struct zs_handle_chain *chain,
					   unsigned owner)
{
	struct zs_handles *handles = &rig.pool->handles;
	zs_handle first = chain->first, next;
	uint64_t good = entry_of(first);
	const struct zs_handle_chain saved = *chain;

	next = zs_entry_next(entry_of(zs_entry_next(good)));
	atomic_store(&handles->entries[first], zs_entry_free(owner, first));
	quiet_assert(verifier_complains());
	atomic_store(&handles->entries[first], zs_entry_free(owner, next));
	quiet_assert(verifier_complains());
	atomic_store(&handles->entries[first],
		     zs_entry_free(owner, ZS_HANDLE_NONE));
	quiet_assert(verifier_complains());
	atomic_store(&handles->entries[first], good);
	chain->first = zs_entry_next(good); /* lost */
	quiet_assert(verifier_complains());
	*chain = saved;
	quiet_assert(!verifier_complains());
}

START_TEST(damaged_chains_of_free_handles_are_found)
{
	struct zs_handles *handles = &rig.pool->handles;
	unsigned nr_bits = 0;

	ck_assert_uint_gt(handles->free.nr, 2);
	assert_handle_chain_is_watched(&handles->free, ZS_OWNER_TABLE);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct zs_class *class = class_for(sizes[i]);

		ck_assert_uint_gt(class->stash.nr, 2);
		assert_handle_chain_is_watched(
			&class->stash,
			ZS_OWNER_CLASS(class->geometry.class_idx));
	}
	for (zs_handle h = 1; h < handles->nr_fresh; h += 7) {
		uint32_t *halves =
			(uint32_t *)(void *)(rig.map.base +
					     handles->entries_table.offset +
					     h * sizeof(uint64_t));

		if (!zs_entry_is_free(entry_of(h)))
			continue;
		assert_bits_matter(&halves[0], UINT32_MAX, "free entry");
		assert_bits_matter(&halves[1], UINT32_MAX, "free entry");
		nr_bits += 64;
	}
	ck_assert_uint_gt(nr_bits, 64 * 20);
}
END_TEST

/* --- what is derived ----------------------------------------------------- */

START_TEST(wrong_counts_of_a_class_are_found)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct zs_class *class = class_for(sizes[i]);

		assert_count_matters(&class->obj_used, "obj_used");
		assert_count_matters(&class->obj_allocated, "obj_allocated");
		assert_count_matters(&class->nr_pages, "nr_pages");
		for (unsigned g = 0; g < ZS_NR_GROUPS; g++)
			assert_count_matters(&class->nr_zspages[g],
					     "nr_zspages");
	}
}
END_TEST

START_TEST(wrong_list_heads_are_found)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct zs_class *class = class_for(sizes[i]);

		for (unsigned g = 0; g < ZS_NR_GROUPS; g++)
			assert_bits_matter(&class->first_zspage[g], UINT32_MAX,
					   "first_zspage");
	}
}
END_TEST

START_TEST(wrong_counts_of_the_arena_are_found)
{
	struct zs_arena *arena = &rig.pool->arena;

	assert_count_matters(&arena->nr_used, "nr_used");
	assert_count_matters(&arena->free.nr, "free.nr");
	assert_count_matters(&arena->released.nr, "released.nr");
	assert_count_matters(&arena->nr_top, "nr_top");
}
END_TEST

/* A page that the arena counts as used, but no class has. */
START_TEST(a_lost_page_is_found)
{
	struct zs_arena *arena = &rig.pool->arena;
	const struct zs_page_chain saved = arena->free;

	arena->free.first = arena->descs[saved.first].next;
	arena->free.nr--;
	arena->nr_used++;
	ck_assert(verifier_complains());
	arena->nr_used--;
	arena->free = saved;
	ck_assert(!verifier_complains());
}
END_TEST

/* Also where nothing was ever stored, and in a pool filled and emptied. */
START_TEST(an_empty_pool_is_in_order)
{
	const struct zs_pool_params params = RIG_PARAMS;
	struct pool_rig empty;

	rig_open(&empty, &params);
	rig_assert_sound(&empty);
	rig_close(&empty);
	for (uint32_t i = 0; i < nr_objects; i++) {
		if (objects[i].handle)
			zs_free(rig.pool, objects[i].handle);
	}
	rig_assert_sound(&rig);
}
END_TEST

/* --- beside running threads ---------------------------------------------- */

struct churner {
	pthread_t thread;
	uint32_t seed;
	_Atomic bool *stop;
};

/* Fill a part of the arena, at first one never touched, and empty it. */
static void *churn(void *arg)
{
	enum {
		NR = 1500
	};
	struct churner *churner = arg;
	zs_handle handles[NR];

	do {
		for (uint32_t i = 0; i < NR; i++)
			handles[i] = rig_put(&rig, i % 3 ? 4096 : 1 + i, i);
		for (uint32_t i = 0; i < NR; i++)
			zs_free(rig.pool,
				handles[(i * 7 + churner->seed) % NR]);
	} while (!atomic_load(churner->stop));
	return NULL;
}

START_TEST(threads_do_not_disturb_the_verifier)
{
	struct churner churners[4];
	_Atomic bool stop = false;

	for (uint32_t i = 0; i < ARRAY_SIZE(churners); i++) {
		churners[i].seed = i;
		churners[i].stop = &stop;
		ck_assert_int_eq(pthread_create(&churners[i].thread, NULL,
						churn, &churners[i]),
				 0);
	}
	for (int i = 0; i < 20; i++)
		quiet_assert(!verifier_complains());
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < ARRAY_SIZE(churners); i++)
		pthread_join(churners[i].thread, NULL);
	rig_assert_sound(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/verify");
	TCase *tc = tcase_create("verify");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_bit_of_a_header_matters);
	tcase_add_test(tc, exchanged_headers_are_found);
	tcase_add_test(tc, damaged_free_lists_are_found);
	tcase_add_test(tc, every_bit_of_a_live_entry_matters);
	tcase_add_test(tc, a_live_entry_without_an_object_is_found);
	tcase_add_test(tc, every_bit_of_a_used_page_matters);
	tcase_add_test(tc, damaged_chains_of_free_pages_are_found);
	tcase_add_test(tc, damaged_chains_of_free_handles_are_found);
	tcase_add_test(tc, wrong_counts_of_a_class_are_found);
	tcase_add_test(tc, wrong_list_heads_are_found);
	tcase_add_test(tc, wrong_counts_of_the_arena_are_found);
	tcase_add_test(tc, a_lost_page_is_found);
	tcase_add_test(tc, an_empty_pool_is_in_order);
	tcase_add_loop_test(tc, threads_do_not_disturb_the_verifier, 0, 5);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
