/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz_factory - the model of lib/plz that comes with zsd
 *
 * A new store has no pages to train a model on. This one is trained, while zsd
 * is built, on recorded memory of other programs (data/README.md): it knows how
 * often which symbol comes, and has no dictionary. Pages become a tenth longer
 * with it than with a model of the store's own, and a quarter shorter than with
 * zstd:1 (docs/plz.md has figures).
 *
 * What was compressed with it needs the same bytes to be read, and another
 * version of zsd may have others: who keeps pages keeps the model with them.
 *
 * Threads: any. Built by lib/plz_factory/make_model.c.
 */
#ifndef ZSD_PLZ_FACTORY_PLZ_FACTORY_H
#define ZSD_PLZ_FACTORY_PLZ_FACTORY_H

#include <stddef.h>

/**
 * plz_factory_model() - the model's bytes
 * @bytes: receives how many: some 80 KB, not more than a dictionary may have
 *
 * They are what plz_model_load() takes, and so does a store for plz.
 * Return: them. They live as long as the program, and never change.
 */
const void *plz_factory_model(size_t *bytes);

#endif
