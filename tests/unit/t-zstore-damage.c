/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damage of one bit, wherever it may be in what a store believes: each must be
 * found by the verifier, and contained. Contained means that whatever is read,
 * written, trimmed and compacted afterwards, no page reads as what it is not:
 * it reads as it should, or is an error. Nothing crashes, and nothing hangs.
 *
 * Each case has a process and an image of its own, so that it may go wrong.
 *
 *   ZSD_DAMAGE_WORDS=N  words of each kind (default 1)
 *   ZSD_DAMAGE_SHOW=1   say which cases were not found or not contained
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adopt_rig.h"
#include "dict_rig.h"
#include "model/own_ctx.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"
#include "zsmalloc/zs_zspage.h"
#include "zstore/zstore_internal.h"

#define DISK_PAGES 300u

/* Words of each kind that are damaged, in all their bits. */
#define DEFAULT_WORDS 1u
#define MAX_WORDS     1000u

/* A case that takes longer hangs, seconds. */
#define HANG_S 60

/* What a case has shown. */
#define CASE_FOUND     (1 << 0)
#define CASE_CONTAINED (1 << 1)

static struct store_rig rig;

/* Pages of all kinds, made once: each case stores hundreds. */
static unsigned char stock[64][ZSD_PAGE_BYTES];

/* Who waits for what damage has locked gives up after so many rounds, whether
 * it sleeps in between or not. */
int __wrap_usleep(useconds_t us);

int __wrap_usleep(useconds_t us)
{
	(void)us;
	return 0;
}

/* --- one case ------------------------------------------------------------- */

/* Of the case at hand, in memory that its process shares. */
static int *outcome;

/* Have the image for ourselves: a copy of it at the same address. */
static void own_image(void)
{
	struct mapping *map = &rig.store->image;
	int fd = rig_copy_image(map);

	if (fd < 0 ||
	    mmap(map->base, map->bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    dup2(fd, map->fd) < 0)
		_exit(1);
}

/* Go on with it as if its process had ended. Return: false where it was
 * refused. */
static bool become_heir(void)
{
	struct zstore *store;

	if (zstore_open(&rig.params, rig.store->image.fd, &store))
		return false;
	rig.store = store;
	if (own_ctx_create(store, &rig.ctx) || zstore_adopt(store))
		_exit(1);
	return true;
}

static bool reads_right(uint64_t index)
{
	const uint64_t at = index * ZSD_PAGE_BYTES;
	const unsigned char *home = rig.flat + at;
	unsigned char found[ZSD_PAGE_BYTES];
	int err;

	zstore_prefetch(rig.ctx, at, ZSTORE_NEAR_SLOT);
	zstore_prefetch(rig.ctx, at, ZSTORE_NEAR_ENTRY);
	zstore_prefetch(rig.ctx, at, ZSTORE_NEAR_OBJECT);
	err = zstore_read(rig.ctx, at, sizeof(found), found);
	return err ? err == -EIO : memcmp(found, home, sizeof(found)) == 0;
}

static bool all_read_right(void)
{
	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		if (!reads_right(i))
			return false;
	}
	return true;
}

static void forget(uint64_t index)
{
	const uint64_t at = index * ZSD_PAGE_BYTES;

	if (zstore_write_zeroes(rig.ctx, at, ZSD_PAGE_BYTES) == 0)
		memset(rig.flat + at, 0, ZSD_PAGE_BYTES);
}

/* Something is done to a page; where that fails it is as it was. */
static void change(uint64_t index, unsigned how)
{
	const uint64_t at = index * ZSD_PAGE_BYTES;
	const unsigned char *bytes =
		stock[model_rng_below(&rig.rng, ARRAY_SIZE(stock))];

	if (how % 8 == 0)
		forget(index);
	else if (how % 8 == 1 && zstore_write(rig.ctx, at + 9, 50, bytes) == 0)
		memcpy(rig.flat + at + 9, bytes, 50);
	else if (how % 8 > 1 &&
		 zstore_write(rig.ctx, at, ZSD_PAGE_BYTES, bytes) == 0)
		memcpy(rig.flat + at, bytes, ZSD_PAGE_BYTES);
}

/* All pages change, while the pool is compacted piece by piece. */
static void change_all(void)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed;

	for (unsigned i = 0; i < 2 * DISK_PAGES; i++) {
		change(i * 7 % DISK_PAGES, i);
		if (i % 16 == 0 &&
		    !zs_compact_slice(rig.store->pool, &cursor, 16, &freed))
			cursor = (struct zs_compact_cursor){0};
		if (i % 50 == 0)
			zstore_housekeep(rig.store, UINT64_MAX);
	}
}

/* Most are trimmed, what is left is compacted, and the disk is filled again. */
static void empty_and_fill(void)
{
	struct zs_compacted done;

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		if (i % 5)
			change(i, 0);
	}
	zstore_compact(rig.store, &done);
	zstore_shrink(rig.store);
	for (uint64_t i = 0; i < DISK_PAGES; i++)
		change(i, 2);
}

/* Whether all is contained, whatever happens. */
static bool is_contained(void)
{
	if (!all_read_right())
		return false;
	change_all();
	if (!all_read_right())
		return false;
	empty_and_fill();
	return all_read_right();
}

static void run_case(unsigned char *byte, unsigned char mask, bool has_heir)
{
	struct zstore_verify_report report;

	signal(SIGALRM, SIG_DFL); /* not what check makes of it */
	alarm(HANG_S);
	own_image();
	*byte ^= mask;
	if (has_heir && !become_heir()) {
		*outcome = CASE_CONTAINED;
		return;
	}
	if (has_heir && !all_read_right())
		return;
	if (zstore_verify(rig.ctx, &report) == -EUCLEAN)
		*outcome |= CASE_FOUND;
	if (!is_contained())
		return;
	(void)!zstore_verify(rig.ctx, &report);
	*outcome |= CASE_CONTAINED;
}

/* Return: what it has shown, and the signal that ended it in higher bits. */
static int fork_case(unsigned char *byte, unsigned char mask, bool has_heir)
{
	pid_t child;
	int status;

	*outcome = 0;
	fflush(stdout);
	child = fork();
	if (!child) {
		run_case(byte, mask, has_heir);
		_exit(0);
	}
	quiet_assert(child > 0 && waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status))
		*outcome = (*outcome & CASE_FOUND) | WTERMSIG(status) << 8;
	return *outcome;
}

/* --- words ---------------------------------------------------------------- */

/* Words of one kind. */
static struct {
	const char *kind;
	unsigned nr_bits; /* of each */
	unsigned nr_words;
	unsigned max_words;
	bool may_spread; /* it is found, but not at once */
	unsigned char *words[MAX_WORDS];
} target;

static void target_open(const char *kind, unsigned nr_bits)
{
	const char *max = getenv("ZSD_DAMAGE_WORDS");

	target.kind = kind;
	target.nr_bits = nr_bits;
	target.nr_words = 0;
	target.may_spread = false;
	target.max_words =
		max ? (unsigned)strtoul(max, NULL, 10) : DEFAULT_WORDS;
	if (target.max_words > MAX_WORDS)
		target.max_words = MAX_WORDS;
}

static void target_add(void *word)
{
	if (target.nr_words < target.max_words)
		target.words[target.nr_words++] = word;
}

static void show(unsigned word, unsigned bit, bool has_heir, int shown)
{
	int wanted = has_heir ? CASE_CONTAINED : CASE_FOUND | CASE_CONTAINED;

	if (getenv("ZSD_DAMAGE_SHOW") && (shown & wanted) != wanted)
		printf("  %s %u, bit %u:%s%s%s, signal %d\n", target.kind, word,
		       bit, has_heir ? " adopted" : "",
		       shown & CASE_FOUND ? "" : " not found",
		       shown & CASE_CONTAINED ? "" : " not contained",
		       shown >> 8);
}

/* What the damages of a target have shown. */
struct tally {
	unsigned nr_tried, nr_found, nr_contained;
};

/* Each bit of some words of the target. */
static struct tally damage_words(unsigned nr_words, bool has_heir)
{
	struct tally tally = {0};

	for (unsigned i = 0; i < nr_words; i++) {
		for (unsigned bit = 0; bit < target.nr_bits; bit++) {
			int shown = fork_case(target.words[i] + bit / 8,
					      (unsigned char)(1u << bit % 8),
					      has_heir);

			tally.nr_tried++;
			tally.nr_found += !!(shown & CASE_FOUND);
			tally.nr_contained += !!(shown & CASE_CONTAINED);
			show(i, bit, has_heir, shown);
		}
	}
	return tally;
}

/*
 * Each bit of each word of the target; and then of half of them, where the
 * process ends before it can notice. Its heir puts right, or drops, what it
 * finds, so that it need not say so.
 */
static void damage_all(void)
{
	struct tally used, adopted;

	ck_assert_msg(target.nr_words, "there is no %s", target.kind);
	used = damage_words(target.nr_words, false);
	adopted = damage_words((target.nr_words + 1) / 2, true);
	printf("%s: %u damages tried, %u found, %u contained; %u adopted, %u"
	       " contained\n",
	       target.kind, used.nr_tried, used.nr_found, used.nr_contained,
	       adopted.nr_tried, adopted.nr_contained);
	ck_assert_uint_eq(used.nr_found, used.nr_tried);
	ck_assert(target.may_spread || used.nr_contained == used.nr_tried);
	ck_assert(target.may_spread ||
		  adopted.nr_contained == adopted.nr_tried);
}

/* --- the store ------------------------------------------------------------ */

static void open_store(const char *algorithm, bool checksum)
{
	struct zstore_params params = rig_params(algorithm);

	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(outcome, MAP_FAILED);
	params.disk_bytes = DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES;
	params.reserve_bytes = 64 * KIB;
	params.checksum = checksum;
	rig_open(&rig, &params);
}

/* Pages of all kinds, holes between them, and more free handles than a class
 * keeps for itself. */
static void fill_store(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stock); i++)
		model_page_fill(&rig.rng, model_page_kind(&rig.rng), stock[i]);
	for (uint64_t i = 0; i < DISK_PAGES; i++)
		rig_write_page(&rig, i, model_page_kind(&rig.rng));
	for (uint64_t i = 1; i < DISK_PAGES; i += 3)
		rig_trim(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	zstore_shrink(rig.store);
	for (uint64_t i = 0; i < 20; i++)
		rig_write_page(&rig, i, MODEL_PAGE_ZERO);
	for (uint64_t i = 20; i < 40; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
	for (uint64_t i = 100; i < 200; i++)
		rig_write_page(&rig, i, MODEL_PAGE_RANDOM);
	rig_trim(&rig, 110 * ZSD_PAGE_BYTES, 80 * ZSD_PAGE_BYTES);
	rig_assert_sound(&rig);
}

static void setup(void)
{
	open_store("lz4", false);
	fill_store();
}

static void setup_checksums(void)
{
	open_store("lz4", true);
	fill_store();
}

/* Every page written with a dictionary, for which the codec must have them. */
static void setup_dict(void)
{
	unsigned char dict[4 * KIB];
	unsigned number;
	size_t bytes;

	open_store("zstd", true);
	bytes = rig_train(&rig.params.zcomp, 1, dict, sizeof(dict));
	ck_assert_int_eq(zstore_dict_add(rig.store, ZSTORE_PRIMARY, dict, bytes,
					 &number),
			 0);
	fill_store();
}

static void teardown(void)
{
	rig_close(&rig);
	munmap(outcome, sizeof(*outcome));
}

/* --- slots ---------------------------------------------------------------- */

static uint64_t slot_of(uint64_t index)
{
	return slot_load(&rig.store->slots[index]);
}

static bool is_object(uint64_t slot, bool is_word, bool is_huge)
{
	return slot_kind(slot) == SLOT_OBJECT &&
	       slot_is_word(slot) == is_word && slot_is_huge(slot) == is_huge;
}

static bool is_empty(uint64_t slot)
{
	return slot == 0;
}

static bool is_filled(uint64_t slot)
{
	return slot_kind(slot) == SLOT_FILLED;
}

static bool is_compressed(uint64_t slot)
{
	return is_object(slot, false, false);
}

static bool is_word(uint64_t slot)
{
	return is_object(slot, true, false);
}

static bool is_huge(uint64_t slot)
{
	return is_object(slot, false, true);
}

static const struct {
	const char *kind;
	bool (*is_it)(uint64_t slot);
} slot_kinds[] = {
	{"slot, empty", is_empty},
	{"slot, same-filled", is_filled},
	{"slot, compressed", is_compressed},
	{"slot, word", is_word},
	{"slot, huge", is_huge},
};

START_TEST(slots)
{
	target_open(slot_kinds[_i].kind, 64);
	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		if (slot_kinds[_i].is_it(slot_of(i)))
			target_add(rig.store->image.base +
				   rig.store->slots_offset + i * 8);
	}
	damage_all();
}
END_TEST

/* --- handles -------------------------------------------------------------- */

static void *entry_at(zs_handle handle)
{
	return rig.store->image.base +
	       rig.store->pool->handles.entries_table.offset + 8 * handle;
}

static void add_chain(const struct zs_handle_chain *chain)
{
	const struct zs_handles *handles = &rig.store->pool->handles;

	for (zs_handle handle = chain->first; handle;
	     handle = zs_entry_next(handles->entries[handle]))
		target_add(entry_at(handle));
}

START_TEST(live_entries)
{
	const struct zs_handles *handles = &rig.store->pool->handles;

	target_open("handle entry, live", 64);
	for (zs_handle handle = 1; handle < handles->nr_fresh; handle += 37) {
		if (handles->entries[handle] & ZS_ENTRY_LIVE)
			target_add(entry_at(handle));
	}
	damage_all();
}
END_TEST

START_TEST(free_entries)
{
	target_open("handle entry, free", 64);
	add_chain(&rig.store->pool->handles.free);
	damage_all();
}
END_TEST

START_TEST(stashed_entries)
{
	target_open("handle entry, stashed", 64);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i += 9)
		add_chain(&rig.store->pool->classes[i].stash);
	damage_all();
}
END_TEST

START_TEST(tags)
{
	target_open("tag", 32);
	for (uint64_t i = 0; i < DISK_PAGES; i += 17) {
		if (slot_kind(slot_of(i)) == SLOT_OBJECT)
			target_add(rig.store->image.base +
				   rig.store->pool->handles.tags_table.offset +
				   4 * slot_handle(slot_of(i)));
	}
	damage_all();
}
END_TEST

/* --- descriptors ---------------------------------------------------------- */

static struct zs_desc *desc_at(uint32_t page)
{
	return &rig.store->pool->arena.descs[page];
}

static bool is_kind(uint32_t page, enum zs_page_kind kind)
{
	return zs_state_kind(desc_at(page)->state) == kind;
}

/* Of a page that is in a zspage. */
static struct zs_class *class_at(uint32_t page)
{
	return &rig.store->pool->classes[zs_state_class(desc_at(page)->state)];
}

static bool is_head_page(uint32_t page)
{
	return is_kind(page, ZS_PAGE_HEAD) && class_at(page)->growing != page &&
	       class_at(page)->geometry.pages_per_zspage > 1;
}

static bool is_tail_page(uint32_t page)
{
	return is_kind(page, ZS_PAGE_TAIL) &&
	       class_at(page)->growing != desc_at(page)->head;
}

static bool is_growing_head(uint32_t page)
{
	return is_kind(page, ZS_PAGE_HEAD) && class_at(page)->growing == page;
}

static bool is_growing_tail(uint32_t page)
{
	return is_kind(page, ZS_PAGE_TAIL) &&
	       class_at(page)->growing == desc_at(page)->head;
}

static bool is_huge_page(uint32_t page)
{
	return is_kind(page, ZS_PAGE_HEAD) && class_at(page)->is_huge;
}

static bool is_free_page(uint32_t page)
{
	return is_kind(page, ZS_PAGE_FREE);
}

static bool is_released_page(uint32_t page)
{
	return is_kind(page, ZS_PAGE_RELEASED);
}

static const struct {
	const char *kind;
	bool (*is_it)(uint32_t page);
	unsigned words; /* a bit for each of the four that means something */
} desc_kinds[] = {
	{"descriptor, head", is_head_page, 15},
	{"descriptor, tail", is_tail_page, 15},
	{"descriptor, growing head", is_growing_head, 15},
	{"descriptor, growing tail", is_growing_tail, 15},
	{"descriptor, huge", is_huge_page, 15},
	{"descriptor, free", is_free_page, 9},
	{"descriptor, released", is_released_page, 9},
};

START_TEST(descriptors)
{
	const uint32_t nr_pages = (uint32_t)rig.store->pool->arena.nr_top;

	/* From all over the arena. */
	target_open(desc_kinds[_i].kind, 32);
	target.max_words *= 4;
	for (uint32_t first = 0; first < 61; first++) {
		for (uint32_t page = first; page < nr_pages; page += 61) {
			if (!desc_kinds[_i].is_it(page))
				continue;
			for (unsigned w = 0; w < 4; w++) {
				if (desc_kinds[_i].words >> w & 1)
					target_add((uint32_t *)(void *)desc_at(
							   page) +
						   w);
			}
		}
	}
	damage_all();
}
END_TEST

/* --- headers -------------------------------------------------------------- */

/* One of a zspage's objects that is in use, or that is not. */
static void add_header(uint32_t head, uint32_t is_allocated)
{
	const struct zs_class *class = class_at(head);
	struct zs_chain chain;

	quiet_assert(zs_chain_open(rig.store->pool, class, head, &chain));
	for (unsigned obj = head % 5; obj < chain.nr_objs; obj++) {
		uint32_t *header = zs_obj_header(
			rig.store->pool, zs_chain_place(class, &chain, obj));

		if ((*header & ZS_HEADER_ALLOCATED) == is_allocated) {
			target_add(header);
			return;
		}
	}
}

START_TEST(object_headers)
{
	target_open(_i ? "object header, in use" : "object header, free", 32);
	for (uint32_t page = 0; page < rig.store->pool->arena.nr_top; page++) {
		if (is_kind(page, ZS_PAGE_HEAD) && !class_at(page)->is_huge)
			add_header(page, (uint32_t)_i);
	}
	damage_all();
}
END_TEST

START_TEST(image_header)
{
	target_open("image header", 32);
	target.max_words *= 10;
	for (size_t first = 0; first < 20; first += 4) {
		for (size_t at = first; at < sizeof(struct zstore_header);
		     at += 20)
			target_add(rig.store->image.base + at);
	}
	damage_all();
}
END_TEST

/* What a page becomes with another dictionary only the verifier can tell. */
START_TEST(dictionary)
{
	target_open("dictionary", 32);
	target.may_spread = true;
	for (unsigned i = 0; i < 20; i++)
		target_add(rig.store->image.base +
			   rig.store->header.dicts_offset + i * 200);
	damage_all();
}
END_TEST

/* A page whose slot is locked for good is all that a range of zeros leaves. */
START_TEST(zeros_leave_only_what_is_locked)
{
	const uint64_t at = 101 * (uint64_t)ZSD_PAGE_BYTES;
	const uint32_t bytes = 8 * ZSD_PAGE_BYTES + 100;
	const uint64_t stuck = 3 * ZSD_PAGE_BYTES;
	const struct zstore_stats before = rig_stats(&rig);
	unsigned char found[9 * ZSD_PAGE_BYTES];

	atomic_fetch_or(&rig.store->slots[104], SLOT_LOCKED);
	ck_assert_int_eq(zstore_write_zeroes(rig.ctx, at, bytes), -EIO);
	ck_assert_uint_eq(rig_stats(&rig).failed_writes - before.failed_writes,
			  1);
	memset(rig.flat + at, 0, stuck);
	memset(rig.flat + at + stuck + ZSD_PAGE_BYTES, 0,
	       bytes - stuck - ZSD_PAGE_BYTES);
	ck_assert_int_eq(zstore_read(rig.ctx, at, sizeof(found), found), 0);
	ck_assert_mem_eq(found, rig.flat + at, sizeof(found));
}
END_TEST

static TCase *make_case(const char *name, void (*open)(void))
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 36000);
	tcase_add_checked_fixture(tc, open, teardown);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("zstore/damage");
	TCase *plain = make_case("plain", setup);
	TCase *checksums = make_case("checksums", setup_checksums);
	TCase *dict = make_case("dict", setup_dict);

	tcase_add_loop_test(plain, slots, 0, (int)ARRAY_SIZE(slot_kinds));
	tcase_add_test(plain, live_entries);
	tcase_add_test(plain, free_entries);
	tcase_add_test(plain, stashed_entries);
	tcase_add_loop_test(plain, descriptors, 0, (int)ARRAY_SIZE(desc_kinds));
	tcase_add_loop_test(plain, object_headers, 0, 2);
	tcase_add_test(plain, zeros_leave_only_what_is_locked);
	suite_add_tcase(suite, plain);
	tcase_add_test(checksums, tags);
	suite_add_tcase(suite, checksums);
	tcase_add_test(dict, image_header);
	tcase_add_test(dict, dictionary);
	suite_add_tcase(suite, dict);
	return suite_run(suite);
}
