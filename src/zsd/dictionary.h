/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dictionary - the one that a file holds, for a store to begin with
 */
#ifndef ZSD_ZSD_DICTIONARY_H
#define ZSD_ZSD_DICTIONARY_H

#include "base/compiler.h"
#include "zstore/zstore_dict.h"

/**
 * dictionary_load() - read a file, and compress pages with it from now on
 *
 * Explains an error on standard error, and what would do instead.
 * Return: 0, or the -errno of reading it or of zstore_dict_add().
 */
int dictionary_load(struct zstore *store, const char *path) ZSD_MUST_CHECK;

#endif
