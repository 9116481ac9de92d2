/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
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

static void put(int *home, int fd)
{
	if (*home >= 0)
		close(*home);
	*home = fd;
}

void held_fini(struct held *h)
{
	for (unsigned i = 0; h->images && i < h->nr_images; i++)
		put(&h->images[i], -1);
	for (unsigned i = 0; h->conns && i < h->max_conns; i++)
		put(&h->conns[i], -1);
	put(&h->area, -1);
	free(h->images);
	free(h->conns);
	*h = (struct held){.area = -1};
}

bool held_add_conn(struct held *h, int fd, uint32_t *number)
{
	for (unsigned i = 0; i < h->max_conns; i++) {
		if (h->conns[i] >= 0)
			continue;
		h->conns[i] = fd;
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
	put(&h->conns[number], -1);
	h->nr_conns--;
}

void held_put_image(struct held *h, uint32_t number, int fd)
{
	if (number < h->nr_images)
		put(&h->images[number], fd);
	else
		close(fd);
}

void held_put_area(struct held *h, int fd)
{
	put(&h->area, fd);
}

bool held_is_whole(const struct held *h)
{
	for (unsigned i = 0; i < h->nr_images; i++) {
		if (h->images[i] < 0)
			return false;
	}
	return h->area >= 0;
}
