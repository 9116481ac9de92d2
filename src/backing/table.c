/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "backing/table.h"
#include "base/check.h"

#define NS_PER_MS 1000000ull

/* --- places ---------------------------------------------------------------- */

/* Blocks that are asked for together mostly follow each other. */
static struct place **hashed(struct table *table, uint32_t block)
{
	return &table->hashed[block % TABLE_PLACES];
}

static struct place *find(struct table *table, uint32_t block)
{
	struct place *place = *hashed(table, block);

	while (place && place->block != block)
		place = place->next;
	return place;
}

static bool is_here(const struct place *place)
{
	return place->state == PLACE_HERE || place->state == PLACE_FAILED;
}

static void add_room(struct table *table)
{
	table->nr_room++;
	table->has_changed = true;
}

/* Onto no list. */
static void unlist(struct table *table, struct place *place)
{
	list_del(&place->node);
	if (place->state == PLACE_FREE || place->is_kept)
		table->nr_room--;
	place->is_kept = false;
}

static void set_free(struct table *table, struct place *place)
{
	struct place **at = hashed(table, place->block);

	unlist(table, place);
	while (*at != place)
		at = &(*at)->next;
	*at = place->next;
	place->state = PLACE_FREE;
	list_add_tail(&table->free, &place->node);
	add_room(table);
}

/* Here, and nobody's. Of a failure that nobody came for nobody is told. */
static void set_kept(struct table *table, struct place *place)
{
	if (place->state == PLACE_FAILED) {
		set_free(table, place);
		return;
	}
	unlist(table, place);
	place->is_kept = true;
	list_add_tail(&table->kept, &place->node);
	add_room(table);
}

static void set_wanted(struct table *table, struct place *place,
		       uint64_t now_ns)
{
	unlist(table, place);
	place->wanted_ns = now_ns;
	list_add_tail(&table->wanted, &place->node);
}

static bool is_written(const struct table *table, uint32_t block)
{
	for (unsigned i = 0; i < table->nr_writing; i++)
		if (table->writing[i].number == block)
			return true;
	return false;
}

/* Return: whether it is to be read now. */
static bool set_asked(struct table *table, struct place *place)
{
	if (is_written(table, place->block)) {
		place->state = PLACE_HELD;
		return false;
	}
	place->state = PLACE_ASKED;
	list_add_tail(&table->asked, &place->node);
	return true;
}

/* One that makes room. */
static struct place *take_room(struct table *table)
{
	struct place *place;

	if (list_is_empty(&table->free))
		set_free(table, list_first(&table->kept, struct place, node));
	place = list_first(&table->free, struct place, node);
	unlist(table, place);
	return place;
}

static bool ask(struct table *table, uint32_t block)
{
	struct place *place = take_room(table);
	struct place **head = hashed(table, block);

	place->block = block;
	place->is_stale = false;
	place->next = *head;
	*head = place;
	table->nr_waiting++;
	return set_asked(table, place);
}

void table_init(struct table *table, unsigned char *pages)
{
	memset(table, 0, sizeof(*table));
	list_init(&table->free);
	list_init(&table->asked);
	list_init(&table->wanted);
	list_init(&table->kept);
	for (unsigned i = 0; i < TABLE_PLACES; i++) {
		table->places[i].page = pages + (size_t)i * BACKING_BLOCK_BYTES;
		list_add_tail(&table->free, &table->places[i].node);
	}
	table->nr_room = TABLE_PLACES;
}

/* --- asking ---------------------------------------------------------------- */

/* Whom nobody has come for will not be come for. */
static void give_up_old(struct table *table, uint64_t now_ns)
{
	struct place *place, *tmp;

	list_for_each_safe (place, tmp, &table->wanted, struct place, node) {
		if (now_ns - place->wanted_ns < TABLE_WANTED_MS * NS_PER_MS)
			return;
		set_kept(table, place);
	}
}

/* FNV-1a, by whole numbers. Source: Fowler, Noll, Vo. Never 0. */
static uint64_t key_of(const uint32_t *blocks, unsigned nr)
{
	uint64_t key = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < nr; i++)
		key = (key ^ blocks[i]) * UINT64_C(0x100000001b3);
	return key ? key : 1;
}

/* Whether it may have room before others. */
static bool is_first(struct table *table, uint64_t key, uint64_t now_ns)
{
	if (table->line_key &&
	    now_ns - table->line_ns >= TABLE_LINE_MS * NS_PER_MS)
		table->line_key = 0;
	return !table->line_key || table->line_key == key;
}

static int refuse(struct table *table, const uint32_t *blocks, unsigned nr,
		  uint64_t now_ns)
{
	struct place *place;

	for (unsigned i = 0; i < nr; i++) {
		place = find(table, blocks[i]);
		if (place && is_here(place) && !place->is_kept &&
		    now_ns - place->wanted_ns >= TABLE_GRACE_MS * NS_PER_MS)
			set_kept(table, place);
	}
	table->is_refused = true;
	table->nr_refused++;
	return -EINPROGRESS;
}

/* Of blocks that are asked for. */
struct survey {
	unsigned nr_missing; /* not in the table */
	unsigned nr_coming; /* asked for already */
	unsigned nr_kept; /* here, and would make room for the missing */
};

static void look(struct table *table, const uint32_t *blocks, unsigned nr,
		 struct survey *out)
{
	const struct place *place;

	*out = (struct survey){0};
	for (unsigned i = 0; i < nr; i++) {
		place = find(table, blocks[i]);
		if (!place)
			out->nr_missing++;
		else if (!is_here(place))
			out->nr_coming++;
		else if (place->is_kept)
			out->nr_kept++;
	}
}

static void stand_in_line(struct table *table, uint64_t key,
			  const struct survey *found, uint64_t now_ns)
{
	table->line_key = key;
	table->line_ns = now_ns;
	table->line_nr = found->nr_missing + found->nr_kept;
}

static void leave_line(struct table *table, uint64_t key)
{
	if (table->line_key != key)
		return;
	table->line_key = 0;
	table->has_changed = true;
}

/* Return: for how many reads there are more to do. */
static unsigned want_all(struct table *table, const uint32_t *blocks,
			 unsigned nr, uint64_t now_ns)
{
	struct place *place;
	unsigned nr_asked = 0;

	/* First what is here: it must not make room for the others. */
	for (unsigned i = 0; i < nr; i++) {
		place = find(table, blocks[i]);
		if (place && is_here(place))
			set_wanted(table, place, now_ns);
	}
	for (unsigned i = 0; i < nr; i++)
		if (!find(table, blocks[i]))
			nr_asked += ask(table, blocks[i]);
	return nr_asked;
}

int table_need(struct table *table, const uint32_t *blocks, unsigned nr,
	       uint64_t now_ns, unsigned *nr_asked)
{
	const uint64_t key = key_of(blocks, nr);
	struct survey found;

	*nr_asked = 0;
	give_up_old(table, now_ns);
	look(table, blocks, nr, &found);
	if (found.nr_missing) {
		if (!is_first(table, key, now_ns))
			return refuse(table, blocks, nr, now_ns);
		if (table->nr_room < found.nr_missing + found.nr_kept) {
			stand_in_line(table, key, &found, now_ns);
			return refuse(table, blocks, nr, now_ns);
		}
	}
	leave_line(table, key);
	*nr_asked = want_all(table, blocks, nr, now_ns);
	return found.nr_missing + found.nr_coming ? -EINPROGRESS : 0;
}

int table_get(struct table *table, uint32_t block, void *dst)
{
	struct place *place = find(table, block);

	if (!place || !is_here(place))
		return -ENOENT;
	if (place->state == PLACE_FAILED) {
		set_free(table, place);
		return -EREMOTEIO;
	}
	memcpy(dst, place->page, BACKING_BLOCK_BYTES);
	set_kept(table, place);
	return 0;
}

bool table_has_news(const struct table *table)
{
	return table->is_refused && table->has_changed &&
	       (!table->line_key || table->nr_room >= table->line_nr);
}

void table_told(struct table *table)
{
	table->is_refused = false;
	table->has_changed = false;
}

/* --- reading --------------------------------------------------------------- */

struct place *table_begin(struct table *table)
{
	struct place *place;

	if (list_is_empty(&table->asked))
		return NULL;
	place = list_first(&table->asked, struct place, node);
	unlist(table, place);
	place->state = PLACE_READING;
	return place;
}

bool table_end(struct table *table, struct place *place, int err,
	       uint64_t now_ns)
{
	CHECK(place->state == PLACE_READING);
	if (place->is_stale) {
		place->is_stale = false;
		(void)set_asked(table, place);
		return false;
	}
	table->nr_waiting--;
	place->state = err ? PLACE_FAILED : PLACE_HERE;
	set_wanted(table, place, now_ns);
	return true;
}

/* --- writing --------------------------------------------------------------- */

void table_begin_write(struct table *table, const struct backing_block *blocks,
		       unsigned nr)
{
	struct place *place;

	table->writing = blocks;
	table->nr_writing = nr;
	for (unsigned i = 0; i < nr; i++) {
		place = find(table, blocks[i].number);
		if (!place)
			continue;
		if (is_here(place)) {
			set_free(table, place);
		} else if (place->state == PLACE_ASKED) {
			unlist(table, place);
			place->state = PLACE_HELD;
		} else if (place->state == PLACE_READING) {
			place->is_stale = true;
		}
	}
}

unsigned table_end_write(struct table *table)
{
	const struct backing_block *blocks = table->writing;
	const unsigned nr = table->nr_writing;
	struct place *place;
	unsigned nr_asked = 0;

	table->nr_writing = 0;
	table->writing = NULL;
	for (unsigned i = 0; i < nr; i++) {
		place = find(table, blocks[i].number);
		if (place && place->state == PLACE_HELD)
			nr_asked += set_asked(table, place);
	}
	return nr_asked;
}
