/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets room in the table of fetched blocks, and when: with a clock of the
 * test's, and one thread that does what many would.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "backing/table.h"
#include "quiet.h"
#include "suite.h"

#define NS_PER_MS UINT64_C(1000000)

static struct table table;
static unsigned char pages[TABLE_PLACES * BACKING_BLOCK_BYTES];
static uint64_t now_ns;
static unsigned nr_asked; /* by the last need() */

static void setup(void)
{
	table_init(&table, pages);
	now_ns = 1000 * NS_PER_MS;
}

/* @nr blocks from @first on. */
static int need(uint32_t first, unsigned nr)
{
	uint32_t blocks[BACKING_NEED_MAX];

	for (unsigned i = 0; i < nr; i++)
		blocks[i] = first + i;
	return table_need(&table, blocks, nr, now_ns, &nr_asked);
}

static bool read_next(void)
{
	struct place *place = table_begin(&table);

	if (!place)
		return false;
	memset(place->page, (int)(place->block & 0xff), BACKING_BLOCK_BYTES);
	return table_end(&table, place, 0, now_ns);
}

static void read_all(void)
{
	while (!list_is_empty(&table.asked))
		(void)read_next();
}

static int get(uint32_t block)
{
	static unsigned char page[BACKING_BLOCK_BYTES];
	int err = table_get(&table, block, page);

	if (!err)
		quiet_assert(page[17] == (block & 0xff));
	return err;
}

static void take(uint32_t first, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		ck_assert_int_eq(get(first + i), 0);
}

/* Fill all places but some with what is here and wanted. */
static void fill_but(unsigned nr_left)
{
	for (uint32_t i = 0; i < TABLE_PLACES - nr_left; i++)
		ck_assert_int_eq(need(10000 + i, 1), -EINPROGRESS);
	read_all();
	ck_assert_uint_eq(table.nr_room, nr_left);
}

static void expect_refused(uint32_t first, unsigned nr)
{
	const uint64_t before = table.nr_refused;

	ck_assert_int_eq(need(first, nr), -EINPROGRESS);
	ck_assert_uint_eq(nr_asked, 0);
	ck_assert_uint_eq(table.nr_refused, before + 1);
}

static void expect_asked(uint32_t first, unsigned nr, unsigned asked)
{
	const uint64_t before = table.nr_refused;

	ck_assert_int_eq(need(first, nr), -EINPROGRESS);
	ck_assert_uint_eq(nr_asked, asked);
	ck_assert_uint_eq(table.nr_refused, before);
}

START_TEST(blocks_are_asked_for_once)
{
	expect_asked(5, 3, 3);
	expect_asked(5, 3, 0);
	expect_asked(4, 3, 1);
	ck_assert_int_eq(get(5), -ENOENT);
	ck_assert(read_next());
	ck_assert_int_eq(get(5), 0);
	read_all();
	ck_assert_int_eq(need(4, 4), 0);
	ck_assert_uint_eq(table.nr_waiting, 0);
	/* What was taken stays while there is room. */
	take(4, 4);
	ck_assert_int_eq(need(4, 4), 0);
}
END_TEST

START_TEST(one_may_be_named_twice)
{
	const uint32_t twice[] = {3, 3, 3};

	ck_assert_int_eq(table_need(&table, twice, 3, now_ns, &nr_asked),
			 -EINPROGRESS);
	ck_assert_uint_eq(nr_asked, 1);
	read_all();
	ck_assert_int_eq(table_need(&table, twice, 3, now_ns, &nr_asked), 0);
	ck_assert_int_eq(get(3), 0);
	ck_assert_int_eq(table_need(&table, twice, 3, now_ns, &nr_asked), 0);
}
END_TEST

START_TEST(it_is_all_or_none)
{
	fill_but(4);
	expect_refused(0, 5);
	ck_assert_uint_eq(table.nr_waiting, 0);
	ck_assert_uint_eq(table.nr_room, 4);
	/* Those that are here take no room again. */
	ck_assert_int_eq(get(10000), 0);
	expect_asked(0, 5, 5);
	ck_assert_uint_eq(table.nr_room, 0);
}
END_TEST

START_TEST(the_oldest_makes_room)
{
	fill_but(0);
	take(10000, 3);
	take(10001, 1); /* once more */
	expect_asked(1, 1, 1);
	ck_assert_int_eq(get(10000), -ENOENT);
	expect_asked(2, 1, 1);
	ck_assert_int_eq(get(10002), -ENOENT);
	ck_assert_int_eq(get(10001), 0);
}
END_TEST

START_TEST(what_is_here_makes_no_room_for_its_like)
{
	fill_but(0);
	take(10000, 2);
	/* One is here; the other may go. */
	expect_asked(9999, 2, 1);
	ck_assert_int_eq(get(10000), 0);
	ck_assert_int_eq(get(10001), -ENOENT);
}
END_TEST

START_TEST(it_is_wanted_for_a_while)
{
	fill_but(0);
	now_ns += TABLE_WANTED_MS * NS_PER_MS / 2;
	ck_assert_int_eq(need(10000, 1), 0); /* again */
	now_ns += TABLE_WANTED_MS * NS_PER_MS / 2 - 1;
	expect_refused(1, 1);
	now_ns += 1;
	expect_asked(1, 1, 1);
	ck_assert_int_eq(get(10000), 0);
	ck_assert_int_eq(get(10001), -ENOENT);
}
END_TEST

START_TEST(who_asks_for_much_has_a_turn)
{
	fill_but(4);
	expect_refused(0, 10);
	/* There would be room for this one. */
	expect_refused(100, 1);
	ck_assert(!table_has_news(&table));
	take(10000, 6);
	ck_assert(table_has_news(&table));
	/* Who is not first need not hear of it again and again. */
	table_told(&table);
	expect_refused(100, 1);
	ck_assert(!table_has_news(&table));
	expect_asked(0, 10, 10);
	ck_assert(table_has_news(&table));
	take(10100, 1);
	expect_asked(100, 1, 1);
	table_told(&table);
	ck_assert(!table_has_news(&table));
}
END_TEST

START_TEST(nobody_waits_for_who_has_gone)
{
	fill_but(4);
	expect_refused(0, 10);
	now_ns += TABLE_LINE_MS * NS_PER_MS - 1;
	expect_refused(100, 1);
	now_ns += 1;
	expect_asked(100, 1, 1);
}
END_TEST

/* What others took, and lost, one waits for; it gives up the rest. */
START_TEST(who_is_refused_gives_up_what_it_has)
{
	expect_asked(0, 32, 32);
	for (uint32_t i = 32; i < TABLE_PLACES; i++)
		expect_asked(i, 1, 1);
	read_all();
	take(0, 10);
	expect_asked(1000, 10, 10);
	read_all();
	expect_refused(0, 32);
	expect_refused(2000, 20); /* the other is first */
	ck_assert_uint_eq(table.nr_room, 0);
	now_ns += TABLE_GRACE_MS * NS_PER_MS;
	expect_refused(0, 32);
	ck_assert_uint_eq(table.nr_room, 22);
	/* They make room for others, not for itself. */
	expect_refused(0, 32);
	now_ns += TABLE_LINE_MS * NS_PER_MS;
	expect_asked(2000, 20, 20);
}
END_TEST

START_TEST(a_failure_is_told_once)
{
	struct place *place;

	expect_asked(1, 2, 2);
	place = table_begin(&table);
	ck_assert(table_end(&table, place, -EREMOTEIO, now_ns));
	read_all();
	ck_assert_int_eq(need(1, 2), 0);
	ck_assert_int_eq(get(1), -EREMOTEIO);
	ck_assert_int_eq(get(1), -ENOENT);
	expect_asked(1, 2, 1);
	ck_assert_uint_eq(table.nr_room, TABLE_PLACES - 2);
}
END_TEST

/* Of one that is old nobody is told: it is tried again. */
START_TEST(a_failure_is_not_kept)
{
	expect_asked(1, 1, 1);
	ck_assert(table_end(&table, table_begin(&table), -EREMOTEIO, now_ns));
	now_ns += TABLE_WANTED_MS * NS_PER_MS;
	expect_asked(1, 1, 1);
}
END_TEST

START_TEST(what_is_written_is_forgotten)
{
	const struct backing_block blocks[] = {
		{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
	struct place *place;

	expect_asked(1, 1, 1);
	read_all();
	expect_asked(2, 2, 2);
	place = table_begin(&table);
	/* 1 is here, 2 is read, 3 is asked for, 4 is none of that. */
	table_begin_write(&table, blocks, 4);
	ck_assert_int_eq(get(1), -ENOENT);
	ck_assert_int_eq(need(4, 1), -EINPROGRESS);
	ck_assert(!table_end(&table, place, 0, now_ns));
	ck_assert_ptr_null(table_begin(&table));
	ck_assert_uint_eq(table.nr_waiting, 3);
	ck_assert_uint_eq(table_end_write(&table), 3);
	read_all();
	take(2, 3);
	ck_assert_uint_eq(table.nr_waiting, 0);
}
END_TEST

/* --- at random ------------------------------------------------------------- */

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 11) % n);
}

static unsigned length_of(const struct list_node *head)
{
	unsigned nr = 0;

	for (const struct list_node *at = head->next; at != head; at = at->next)
		nr++;
	return nr;
}

static unsigned nr_hashed(void)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < TABLE_PLACES; i++)
		for (const struct place *place = table.hashed[i]; place;
		     place = place->next)
			nr += place->block % TABLE_PLACES == i;
	return nr;
}

/* That the places are where their states say, and counted. */
static void verify(void)
{
	unsigned nr[PLACE_FAILED + 1] = {0}, nr_kept = 0, nr_wrong = 0;

	for (unsigned i = 0; i < TABLE_PLACES; i++) {
		const struct place *place = &table.places[i];

		nr[place->state]++;
		nr_kept += place->is_kept;
		nr_wrong += place->is_stale && place->state != PLACE_READING;
	}
	nr_wrong += length_of(&table.free) != nr[PLACE_FREE];
	nr_wrong += length_of(&table.asked) != nr[PLACE_ASKED];
	nr_wrong += length_of(&table.kept) != nr_kept;
	nr_wrong += length_of(&table.wanted) + nr_kept !=
		    nr[PLACE_HERE] + nr[PLACE_FAILED];
	nr_wrong += nr_hashed() != TABLE_PLACES - nr[PLACE_FREE];
	nr_wrong += table.nr_room != nr[PLACE_FREE] + nr_kept;
	nr_wrong += table.nr_waiting !=
		    nr[PLACE_ASKED] + nr[PLACE_HELD] + nr[PLACE_READING];
	nr_wrong += !table.nr_writing && nr[PLACE_HELD];
	quiet_assert(!nr_wrong);
}

static void step_read(struct place **reading, unsigned *nr_reading)
{
	unsigned i;

	if (*nr_reading < 4 && below(2)) {
		reading[*nr_reading] = table_begin(&table);
		*nr_reading += reading[*nr_reading] != NULL;
	} else if (*nr_reading) {
		i = below(*nr_reading);
		memset(reading[i]->page, (int)(reading[i]->block & 0xff),
		       BACKING_BLOCK_BYTES);
		(void)table_end(&table, reading[i], below(20) ? 0 : -EREMOTEIO,
				now_ns);
		reading[i] = reading[--*nr_reading];
	}
}

static void step_write(struct backing_block *blocks)
{
	if (table.nr_writing) {
		(void)table_end_write(&table);
		return;
	}
	for (unsigned i = 0; i < BACKING_WRITE_MAX; i++)
		blocks[i].number = below(30) * 32 + i;
	table_begin_write(&table, blocks, 1 + below(BACKING_WRITE_MAX));
}

START_TEST(it_stays_in_order)
{
	struct backing_block blocks[BACKING_WRITE_MAX] = {{0}};
	struct place *reading[4];
	unsigned nr_reading = 0;

	ck_assert_int_eq(getrandom(&state, sizeof(state), 0),
			 (ssize_t)sizeof(state));
	state |= 1;
	printf("seed %" PRIu64 "\n", state);
	(void)fflush(stdout);
	for (unsigned i = 0; i < 50000; i++) {
		now_ns += below(4) ? 0 : below(20) * NS_PER_MS;
		switch (below(8)) {
		case 0:
			(void)need(below(1000), 1 + below(BACKING_NEED_MAX));
			break;
		case 1:
			step_write(blocks);
			break;
		case 2:
		case 3:
			(void)get(below(1032));
			break;
		default:
			step_read(reading, &nr_reading);
		}
		if (i % 16 == 0)
			verify();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backing/table");
	TCase *tc = tcase_create("table");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, blocks_are_asked_for_once);
	tcase_add_test(tc, one_may_be_named_twice);
	tcase_add_test(tc, it_is_all_or_none);
	tcase_add_test(tc, the_oldest_makes_room);
	tcase_add_test(tc, what_is_here_makes_no_room_for_its_like);
	tcase_add_test(tc, it_is_wanted_for_a_while);
	tcase_add_test(tc, who_asks_for_much_has_a_turn);
	tcase_add_test(tc, nobody_waits_for_who_has_gone);
	tcase_add_test(tc, who_is_refused_gives_up_what_it_has);
	tcase_add_test(tc, a_failure_is_told_once);
	tcase_add_test(tc, a_failure_is_not_kept);
	tcase_add_test(tc, what_is_written_is_forgotten);
	tcase_add_test(tc, it_stays_in_order);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
