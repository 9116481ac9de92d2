/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going through pages in the order of zstore_order.h. */
#ifndef ZSD_ZSTORE_ORDER_H
#define ZSD_ZSTORE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "zstore/zstore_internal.h"
#include "zstore/zstore_order.h"

/* What is looked for. */
struct order_search {
	const struct zstore *store;
	/* Whether page @index, whose slot says @slot and is an object's with
	 * content, is one. */
	bool (*is_due)(const void *arg, uint64_t index, uint64_t slot);
	const void *arg;
};

/**
 * order_next() - find the next page
 * @order:     what is known so far
 * @max_bytes: of its object
 * @looks:     at slots, that it may take; what it took is taken off
 * @index, @slot: receive the page
 *
 * It comes again until it is taken. Return: 1; 0 where there is none any more;
 * -EAGAIN where there were no more looks.
 */
int order_next(struct zstore_order *order, const struct order_search *search,
	       uint32_t max_bytes, unsigned *looks, uint64_t *index,
	       uint64_t *slot);

/* order_take() - page @index, which was found with @slot, is done with */
void order_take(struct zstore_order *order, uint64_t index, uint64_t slot);

#endif
