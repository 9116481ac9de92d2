/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many slots share each object.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "zstore/zstore_internal.h"

uint64_t zstore_sharers_bytes(const struct zstore *store)
{
	return align_up(zs_pool_handles_max(store->pool) *
				sizeof(*store->sharers),
			ZSD_PAGE_BYTES);
}

int zstore_sharers_init(struct zstore *store)
{
	if (store->sharers)
		return 0;
	store->sharers = calloc(zstore_sharers_bytes(store), 1);
	if (!store->sharers)
		return -ENOMEM;
	store->nr_sharers = zs_pool_handles_max(store->pool);
	return 0;
}

void zstore_sharers_fini(struct zstore *store)
{
	free(store->sharers);
	store->sharers = NULL;
}

/* NULL where the handle is none. */
static _Atomic uint16_t *count_of(const struct zstore *store, zs_handle handle)
{
	return handle < store->nr_sharers ? &store->sharers[handle] : NULL;
}

uint32_t zstore_sharers(const struct zstore *store, zs_handle handle)
{
	_Atomic uint16_t *home = count_of(store, handle);

	return home ? atomic_load_explicit(home, memory_order_relaxed) : 0;
}

bool zstore_sharers_touch(struct zstore *store, zs_handle handle)
{
	_Atomic uint16_t *home = count_of(store, handle);
	uint16_t none = 0;

	/* Unlike an addition of 0 it is a store for certain. */
	if (home)
		(void)atomic_compare_exchange_strong(home, &none, 0);
	return home;
}

bool zstore_sharers_add(struct zstore *store, zs_handle handle)
{
	_Atomic uint16_t *home = count_of(store, handle);
	uint16_t old;

	if (!home)
		return false;
	old = atomic_load_explicit(home, memory_order_relaxed);
	do {
		if (old == SHARERS_MAX)
			return false;
	} while (
		!atomic_compare_exchange_weak(home, &old, (uint16_t)(old + 1)));
	return true;
}

bool zstore_sharers_remove(struct zstore *store, zs_handle handle,
			   uint32_t *left)
{
	_Atomic uint16_t *home = count_of(store, handle);
	uint16_t old;

	if (!home)
		return false;
	old = atomic_load_explicit(home, memory_order_relaxed);
	do {
		if (!old)
			return false;
	} while (
		!atomic_compare_exchange_weak(home, &old, (uint16_t)(old - 1)));
	*left = old - 1u;
	return true;
}

/* Source: the finalizer of MurmurHash3, by Austin Appleby. */
uint64_t zstore_mark(uint32_t number)
{
	uint64_t n = number;

	n = (n ^ n >> 33) * UINT64_C(0xff51afd7ed558ccd);
	n = (n ^ n >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return n ^ n >> 33;
}

uint64_t zstore_sharers_sum(const struct zstore *store, uint64_t end)
{
	uint64_t sum = 0;

	for (uint64_t handle = 1; handle < end; handle++)
		sum += zstore_sharers(store, (zs_handle)handle) *
		       zstore_mark((uint32_t)handle);
	return sum;
}
