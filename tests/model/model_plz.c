/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page codec on pages that change at random, against the pages themselves.
 *
 * Some models, each of its own samples and dictionary, and some pages that are
 * made of pieces of each other, of the dictionaries and of random bytes. What
 * is stored must read as what it was, with its model, whichever coder writes
 * and reads; damaged or with another model it must not.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "model/model.h"
#include "plz/plz_internal.h"

#define NR_MODELS  4u
#define NR_PAGES   64u
#define NR_SAMPLES 8u

/* Storing and training take long: one operation in so many is done. */
#define OPS_A_TURN 20u

struct slot {
	uint8_t page[ZSD_PAGE_BYTES];
	uint8_t packed[PLZ_MAX_BYTES];
	size_t bytes; /* 0: not stored */
	unsigned model;
};

static struct model {
	struct model_run run;
	struct model_rng rng;
	struct plz_model *plz[NR_MODELS];
	uint8_t *loaded[NR_MODELS]; /* what it was loaded from, if it was */
	struct plz_workspace *work;
	struct slot slots[NR_PAGES];
	uint64_t nr_too_long, nr_damaged, nr_read;
} model;

static struct slot *any_slot(struct model *m)
{
	return &m->slots[model_rng_below(&m->rng, NR_PAGES)];
}

static const struct plz_coder *any_coder(struct model *m)
{
	unsigned nr = 0;

	while (plz_coder_at(nr))
		nr++;
	return plz_coder_at((unsigned)model_rng_below(&m->rng, nr));
}

static void train(struct model *m, unsigned i)
{
	static uint8_t samples[NR_SAMPLES][ZSD_PAGE_BYTES];
	static uint8_t dict[PLZ_DICT_MAX_BYTES];
	size_t dict_bytes = i ? model_rng_range(&m->rng, 0, sizeof(dict)) : 0;
	int err;

	for (unsigned k = 0; k < NR_SAMPLES; k++)
		model_page_fill(&m->rng, model_page_kind(&m->rng), samples[k]);
	for (size_t at = 0; at < dict_bytes; at += ZSD_PAGE_BYTES) {
		uint8_t page[ZSD_PAGE_BYTES];
		size_t left = dict_bytes - at;

		model_page_fill(&m->rng, model_page_kind(&m->rng), page);
		memcpy(dict + at, page,
		       left < sizeof(page) ? left : sizeof(page));
	}
	err = plz_train(samples, NR_SAMPLES, dict, dict_bytes, &m->plz[i]);
	MODEL_CHECK(&m->run, !err, "plz_train: %d", err);
}

/* --- operations ---------------------------------------------------------- */

/* Bytes of a page, a dictionary or none, to anywhere in a page. */
static void change(void *arg)
{
	struct model *m = arg;
	struct slot *slot = any_slot(m);
	const struct slot *other = any_slot(m);
	const struct plz_model *plz =
		m->plz[model_rng_below(&m->rng, NR_MODELS)];
	size_t bytes = model_rng_range(
		&m->rng, 1, model_rng_one_in(&m->rng, 8) ? 3000 : 40);
	size_t to = model_rng_below(&m->rng, ZSD_PAGE_BYTES - bytes + 1);
	uint64_t way = model_rng_below(&m->rng, 8);

	slot->bytes = 0;
	if (way == 0)
		model_page_fill(&m->rng, model_page_kind(&m->rng), slot->page);
	else if (way < 3)
		model_rng_fill(&m->rng, slot->page + to, bytes);
	else if (way < 5 && plz->dict_bytes >= bytes)
		memcpy(slot->page + to,
		       plz->dict + model_rng_below(&m->rng,
						   plz->dict_bytes - bytes + 1),
		       bytes);
	else
		memmove(slot->page + to,
			other->page +
				model_rng_below(&m->rng,
						ZSD_PAGE_BYTES - bytes + 1),
			bytes);
}

static void store(void *arg)
{
	struct model *m = arg;
	struct slot *slot = any_slot(m);
	size_t room = model_rng_one_in(&m->rng, 4)
			      ? model_rng_below(&m->rng, PLZ_MAX_BYTES)
			      : PLZ_MAX_BYTES;
	enum plz_effort effort =
		model_rng_one_in(&m->rng, 4) ? PLZ_OPTIMAL : PLZ_FAST;
	int err;

	slot->model = (unsigned)model_rng_below(&m->rng, NR_MODELS);
	slot->bytes = 0;
	m->plz[slot->model]->coder = any_coder(m);
	err = plz_model_ready(m->plz[slot->model]);
	MODEL_CHECK(&m->run, !err, "plz_model_ready: %d", err);
	err = plz_compress(m->plz[slot->model], effort, m->work, slot->page,
			   slot->packed, room, &slot->bytes);
	MODEL_CHECK(&m->run, !err || err == -ENOSPC, "plz_compress: %d", err);
	MODEL_CHECK(&m->run, slot->bytes <= room, "more than there is room");
	m->nr_too_long += err == -ENOSPC;
}

/* Return: 0 or -EBADMSG; what was read is in @page. */
static int read_as(struct model *m, const struct slot *slot, unsigned plz,
		   size_t bytes, uint8_t *page)
{
	uint8_t *exact = malloc(bytes + !bytes);
	int err;

	MODEL_CHECK(&m->run, exact, "no memory");
	memcpy(exact, slot->packed, bytes);
	m->plz[plz]->coder = any_coder(m);
	err = plz_decompress(m->plz[plz], m->work, exact, bytes, page);
	free(exact);
	MODEL_CHECK(&m->run, !err || err == -EBADMSG, "plz_decompress: %d",
		    err);
	return err;
}

static void read_back(void *arg)
{
	struct model *m = arg;
	struct slot *slot = any_slot(m);
	uint8_t page[ZSD_PAGE_BYTES];

	if (!slot->bytes)
		return;
	MODEL_CHECK(&m->run, !read_as(m, slot, slot->model, slot->bytes, page),
		    "a page cannot be read");
	MODEL_CHECK(&m->run, !memcmp(page, slot->page, sizeof(page)),
		    "a page reads as another");
	m->nr_read++;
}

/* Some bytes, the end, or the model. */
static void damage(void *arg)
{
	struct model *m = arg;
	struct slot *slot = any_slot(m);
	size_t bytes = slot->bytes;
	unsigned plz = slot->model;
	uint8_t page[ZSD_PAGE_BYTES];

	if (!bytes)
		return;
	slot->bytes = 0;
	switch (model_rng_below(&m->rng, 3)) {
	case 0:
		slot->packed[model_rng_below(&m->rng, bytes)] ^=
			(uint8_t)model_rng_range(&m->rng, 1, 255);
		break;
	case 1:
		bytes = model_rng_below(&m->rng, bytes);
		break;
	default:
		plz = (plz + 1) % NR_MODELS;
	}
	MODEL_CHECK(&m->run, read_as(m, slot, plz, bytes, page),
		    "damage was not found");
	m->nr_damaged++;
}

/* A model that was saved and loaded is the same one. */
static void reload(void *arg)
{
	struct model *m = arg;
	size_t i = model_rng_below(&m->rng, NR_MODELS);
	size_t bytes = plz_model_bytes(m->plz[i]);
	uint8_t *saved = malloc(bytes);
	int err;

	MODEL_CHECK(&m->run, saved, "no memory");
	plz_model_save(m->plz[i], saved);
	plz_model_free(m->plz[i]);
	free(m->loaded[i]);
	m->loaded[i] = saved;
	err = plz_model_load(saved, bytes, &m->plz[i]);
	MODEL_CHECK(&m->run, !err, "plz_model_load: %d", err);
}

/* What needs no tables reads without them. */
static void rest(void *arg)
{
	struct model *m = arg;

	plz_model_rest(m->plz[model_rng_below(&m->rng, NR_MODELS)]);
}

static const struct model_op ops[] = {
	{"change", {8, 8, 8}, change},	{"store", {6, 6, 6}, store},
	{"read", {8, 8, 8}, read_back}, {"damage", {2, 2, 2}, damage},
	{"reload", {1, 1, 1}, reload},	{"rest", {1, 1, 1}, rest},
};

int main(void)
{
	uint64_t counts[ARRAY_SIZE(ops)] = {0};
	struct model *m = &model;
	void *work = NULL;

	model_run_begin(&m->run, "model_plz");
	model_rng_init(&m->rng, m->run.seed);
	MODEL_CHECK(&m->run,
		    !posix_memalign(&work, PLZ_WORKSPACE_ALIGN,
				    plz_workspace_bytes(PLZ_TO_STORE)),
		    "no memory");
	m->work = work;
	for (unsigned i = 0; i < NR_MODELS; i++)
		train(m, i);
	for (unsigned i = 0; i < NR_PAGES; i++)
		model_page_fill(&m->rng, model_page_kind(&m->rng),
				m->slots[i].page);
	for (uint64_t i = 0; i < m->run.nr_ops / OPS_A_TURN; i++) {
		size_t op =
			model_pick(&m->rng, ops, ARRAY_SIZE(ops), MODEL_STIR);

		m->run.op = i;
		ops[op].run(m);
		counts[op]++;
	}
	model_report_ops(&m->run, ops, counts, ARRAY_SIZE(ops));
	model_report_fact(&m->run, "pages read", m->nr_read);
	model_report_fact(&m->run, "pages without room", m->nr_too_long);
	model_report_fact(&m->run, "damage found", m->nr_damaged);
	for (unsigned i = 0; i < NR_MODELS; i++) {
		plz_model_free(m->plz[i]);
		free(m->loaded[i]);
	}
	free(work);
	return 0;
}
