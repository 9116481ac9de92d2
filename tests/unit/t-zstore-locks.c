/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits for memory holds no lock: neither a mutex nor a page of the disk.
 * Others need them, and may be those that the memory is to come from. And each
 * mutex lends its holder the priority of who waits for it.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapping.h"
#include "dict_rig.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"

static struct store_rig rig;

/* Mutexes that this thread holds, and what it did so far. */
static struct {
	unsigned nr_held;
	unsigned nr_taken;
	unsigned nr_made;
	unsigned nr_without_inheritance;
	unsigned nr_commits;
	unsigned nr_starved;
} seen;

/* --- what is called instead ---------------------------------------------- */

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __real_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex,
			      const pthread_mutexattr_t *attr);
int __real_pthread_mutex_init(pthread_mutex_t *mutex,
			      const pthread_mutexattr_t *attr);
int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);
int __real_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);

static int note_taken(int err)
{
	seen.nr_held += !err;
	seen.nr_taken += !err;
	return err;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	return note_taken(__real_pthread_mutex_lock(mutex));
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	return note_taken(__real_pthread_mutex_trylock(mutex));
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	seen.nr_held--;
	return __real_pthread_mutex_unlock(mutex);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex,
			      const pthread_mutexattr_t *attr)
{
	int protocol = PTHREAD_PRIO_NONE;

	if (attr)
		quiet_assert(!pthread_mutexattr_getprotocol(attr, &protocol));
	seen.nr_made++;
	seen.nr_without_inheritance += protocol != PTHREAD_PRIO_INHERIT;
	return __real_pthread_mutex_init(mutex, attr);
}

static void assert_nothing_is_locked(void)
{
	quiet_assert(seen.nr_held == 0);
	for (uint64_t i = 0; rig.store && i < rig.nr_pages; i++) {
		if (!slot_exists(rig.store, i))
			i |= SLOTS_PER_GROUP - 1;
		else
			quiet_assert(!(rig.store->slots[i] & SLOT_LOCKED));
	}
}

int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes)
{
	seen.nr_commits++;
	assert_nothing_is_locked();
	return __real_mapping_commit(map, offset, bytes, done_bytes);
}

/* --- the store ------------------------------------------------------------ */

static int starve(void *arg)
{
	(void)arg;
	seen.nr_starved++;
	assert_nothing_is_locked();
	zstore_housekeep(rig.store, 8);
	return 0;
}

static void open_store(const char *algorithm, bool starves)
{
	struct zstore_params params = rig_params(algorithm);

	memset(&seen, 0, sizeof(seen));
	memset(&rig, 0, sizeof(rig));
	params.disk_bytes = 64 * MIB;
	params.reserve_bytes = starves ? 64 * KIB : 0;
	params.checksum = true;
	params.inherit_priority = true;
	params.starve = starves ? starve : NULL;
	rig_open(&rig, &params);
}

/* Bytes of a page, which it needs more room for than before. */
static void patch_page(uint64_t index)
{
	unsigned char noise[4000];

	model_rng_fill(&rig.rng, noise, sizeof(noise));
	rig_write(&rig, index * ZSD_PAGE_BYTES + 48, sizeof(noise), noise);
}

START_TEST(who_waits_for_the_system_holds_nothing)
{
	unsigned nr_commits;

	open_store("lz4", false);
	for (uint64_t i = 0; i < rig.nr_pages; i += 5)
		rig_write_page(&rig, i, model_page_kind(&rig.rng));
	ck_assert_uint_gt(seen.nr_taken, 1000);
	nr_commits = seen.nr_commits;
	ck_assert_uint_gt(nr_commits, 32 + 10); /* slots, and all others */
	for (uint64_t i = 0; i < rig.nr_pages; i += 5)
		patch_page(i);
	ck_assert_uint_gt(seen.nr_commits, nr_commits);
	rig_close(&rig);
}
END_TEST

START_TEST(who_starves_holds_nothing)
{
	unsigned nr_starved;

	open_store("lz4", true);
	for (uint64_t i = 0; i < 1000; i++)
		rig_write_page(&rig, i, MODEL_PAGE_SPARSE);
	nr_starved = seen.nr_starved;
	ck_assert_uint_gt(nr_starved, 0);
	for (uint64_t i = 0; i < 1000; i++)
		patch_page(i);
	ck_assert_uint_gt(seen.nr_starved, nr_starved + 100);
	rig_close(&rig);
}
END_TEST

START_TEST(a_store_is_populated_without_locks)
{
	unsigned nr_commits;

	open_store("lz4", false);
	nr_commits = seen.nr_commits;
	ck_assert_int_eq(zstore_populate(rig.store), 0);
	ck_assert_uint_gt(seen.nr_commits, nr_commits + 32);
	rig_close(&rig);
}
END_TEST

START_TEST(a_dictionary_is_added_without_locks)
{
	unsigned char dict[4 * KIB];
	unsigned number, nr_commits;
	size_t bytes;

	open_store("zstd", false);
	bytes = rig_train(&rig.params.zcomp, 1, dict, sizeof(dict));
	nr_commits = seen.nr_commits;
	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, dict, bytes,
					 &number),
			 0);
	ck_assert_uint_gt(seen.nr_commits, nr_commits);
	rig_close(&rig);
}
END_TEST

/* One for each class, and those for arena, handles, contexts, dictionaries. */
START_TEST(every_lock_inherits_priority)
{
	open_store("lz4", false);
	ck_assert_uint_ge(seen.nr_made, ZS_NR_CLASSES + 4);
	ck_assert_uint_eq(seen.nr_without_inheritance, 0);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/locks");
	TCase *tc = tcase_create("locks");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, who_waits_for_the_system_holds_nothing);
	tcase_add_test(tc, who_starves_holds_nothing);
	tcase_add_test(tc, a_store_is_populated_without_locks);
	tcase_add_test(tc, a_dictionary_is_added_without_locks);
	tcase_add_test(tc, every_lock_inherits_priority);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
