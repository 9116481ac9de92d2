/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keep/held.h"

static int *make_table(unsigned nr)
{
	int *fds = malloc(nr * sizeof(*fds));

	for (unsigned i = 0; fds && i < nr; i++)
		fds[i] = -1;
	return fds;
}

int held_init(struct held *h, unsigned nr_images, unsigned max_conns)
{
	*h = (struct held){
		.area = -1, .nr_images = nr_images, .max_conns = max_conns};
	h->images = make_table(nr_images);
	h->conns = make_table(max_conns);
	if (h->images && h->conns)
		return 0;
	held_fini(h);
	return -ENOMEM;
}

/* --- places ----------------------------------------------------------------- */

/* What is held, by the first part of its name: one place, or one for each
 * number. */
struct kind {
	const char *name;
	bool is_numbered;
};

static const struct kind image = {"image-", true};
static const struct kind conn = {"conn-", true};
static const struct kind area = {"area", false};

static char *name_place(const struct kind *kind, unsigned number,
			char name[HELD_NAME_BYTES])
{
	(void)snprintf(name, HELD_NAME_BYTES, kind->is_numbered ? "%s%u" : "%s",
		       kind->name, number);
	return name;
}

static void set(int *home, int fd)
{
	if (*home >= 0)
		close(*home);
	*home = fd;
}

static void put(struct held *h, const struct kind *kind, unsigned number,
		int *home, int fd)
{
	char name[HELD_NAME_BYTES];

	set(home, fd);
	if (h->shelf)
		h->shelf->put(h->shelf->arg, name_place(kind, number, name),
			      fd);
}

static void drop(struct held *h, const struct kind *kind, unsigned number,
		 int *home)
{
	char name[HELD_NAME_BYTES];

	if (*home < 0)
		return;
	set(home, -1);
	if (h->shelf)
		h->shelf->remove(h->shelf->arg, name_place(kind, number, name));
}

/* --- life ------------------------------------------------------------------- */

void held_fini(struct held *h)
{
	for (unsigned i = 0; h->images && i < h->nr_images; i++)
		set(&h->images[i], -1);
	for (unsigned i = 0; h->conns && i < h->max_conns; i++)
		set(&h->conns[i], -1);
	set(&h->area, -1);
	free(h->images);
	free(h->conns);
	*h = (struct held){.area = -1};
}

void held_use_shelf(struct held *h, const struct held_shelf *shelf)
{
	h->shelf = shelf;
}

void held_clear(struct held *h)
{
	for (unsigned i = 0; i < h->nr_images; i++)
		drop(h, &image, i, &h->images[i]);
	for (unsigned i = 0; i < h->max_conns; i++)
		held_drop_conn(h, i);
	drop(h, &area, 0, &h->area);
}

/* --- coming and going ------------------------------------------------------- */

/* Whether a name is that of one of the first @nr places of a kind. */
static bool is_named(const char *name, const struct kind *kind, unsigned nr,
		     unsigned *number)
{
	char known[HELD_NAME_BYTES];
	size_t prefix = strlen(kind->name);
	unsigned long n;

	if (strncmp(name, kind->name, prefix) != 0)
		return false;
	n = strtoul(name + prefix, NULL, 10);
	if (n >= nr)
		return false;
	*number = (unsigned)n;
	/* A number can be written in many ways; a name cannot. */
	return strcmp(name, name_place(kind, *number, known)) == 0;
}

/* The place of a name, or NULL. */
static int *find_place(struct held *h, const char *name)
{
	unsigned number;

	if (is_named(name, &image, h->nr_images, &number))
		return &h->images[number];
	if (is_named(name, &conn, h->max_conns, &number))
		return &h->conns[number];
	return strcmp(name, area.name) == 0 ? &h->area : NULL;
}

bool held_take_back(struct held *h, const char *name, int fd)
{
	int *home = find_place(h, name);

	if (!home || *home >= 0)
		return false;
	*home = fd;
	if (home >= h->conns && home < h->conns + h->max_conns)
		h->nr_conns++;
	return true;
}

bool held_add_conn(struct held *h, int fd, uint32_t *number)
{
	for (unsigned i = 0; i < h->max_conns; i++) {
		if (h->conns[i] >= 0)
			continue;
		put(h, &conn, i, &h->conns[i], fd);
		h->nr_conns++;
		*number = i;
		return true;
	}
	return false;
}

void held_drop_conn(struct held *h, uint32_t number)
{
	if (number >= h->max_conns || h->conns[number] < 0)
		return;
	drop(h, &conn, number, &h->conns[number]);
	h->nr_conns--;
}

void held_put_image(struct held *h, uint32_t number, int fd)
{
	if (number < h->nr_images)
		put(h, &image, number, &h->images[number], fd);
	else
		close(fd);
}

void held_put_area(struct held *h, int fd)
{
	put(h, &area, 0, &h->area, fd);
}

bool held_is_whole(const struct held *h)
{
	for (unsigned i = 0; i < h->nr_images; i++) {
		if (h->images[i] < 0)
			return false;
	}
	return h->area >= 0;
}
