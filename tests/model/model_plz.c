/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page codec on pages that change at random, against the pages themselves.
 *
 * Some models, each of its own samples and dictionary, and some pages that are
 * made up, or recorded of programs, and then of pieces of each other, of the
 * dictionaries and of random bytes. Every coder of the machine must write the
 * same and read what was written; damaged or with another model, none may.
 *
 * The last line is a checksum of all that was written, which the same seed
 * makes the same on every machine.
 *
 *   ZSD_MODEL_PAGES=FILE  recorded pages, packed with zstd; if unset, those of
 *                         which the factory model is made
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

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
	uint8_t (*recorded)[ZSD_PAGE_BYTES];
	size_t nr_recorded;
	uint64_t nr_stored, nr_too_long, nr_damaged, nr_read, nr_taken;
	uint64_t sum; /* of all that was written */
} model;

static struct slot *any_slot(struct model *m)
{
	return &m->slots[model_rng_below(&m->rng, NR_PAGES)];
}

/* --- pages ---------------------------------------------------------------- */

static void load_recorded(struct model *m)
{
	const char *path = getenv("ZSD_MODEL_PAGES");
	char command[4096];
	size_t room = 0;
	FILE *file;

	snprintf(command, sizeof(command), "zstd -qdc '%s'",
		 path ? path : FACTORY_PAGES);
	file = popen(command, "r");
	MODEL_CHECK(&m->run, file, "no recorded pages");
	do {
		if (m->nr_recorded == room) {
			room = 2 * room + 1024;
			m->recorded =
				realloc(m->recorded, room * ZSD_PAGE_BYTES);
			MODEL_CHECK(&m->run, m->recorded, "no memory");
		}
	} while (fread(m->recorded[m->nr_recorded], ZSD_PAGE_BYTES, 1, file) &&
		 ++m->nr_recorded);
	MODEL_CHECK(&m->run, !pclose(file) && m->nr_recorded,
		    "no recorded pages in %s", path ? path : FACTORY_PAGES);
}

static void fill(struct model *m, uint8_t *page)
{
	if (model_rng_one_in(&m->rng, 2)) {
		model_page_fill(&m->rng, model_page_kind(&m->rng), page);
		return;
	}
	memcpy(page, m->recorded[model_rng_below(&m->rng, m->nr_recorded)],
	       ZSD_PAGE_BYTES);
	m->nr_taken++;
}

static void train(struct model *m, unsigned i)
{
	static uint8_t samples[NR_SAMPLES][ZSD_PAGE_BYTES];
	static uint8_t dict[PLZ_DICT_MAX_BYTES];
	size_t dict_bytes = i ? model_rng_range(&m->rng, 0, sizeof(dict)) : 0;
	int err;

	for (unsigned k = 0; k < NR_SAMPLES; k++)
		fill(m, samples[k]);
	for (size_t at = 0; at < dict_bytes; at += ZSD_PAGE_BYTES) {
		uint8_t page[ZSD_PAGE_BYTES];
		size_t left = dict_bytes - at;

		fill(m, page);
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
	if (way < 2)
		fill(m, slot->page);
	else if (way < 4)
		model_rng_fill(&m->rng, slot->page + to, bytes);
	else if (way < 6 && plz->dict_bytes >= bytes)
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

/* Return: 0 or -EBADMSG, which all coders must agree on; what was read is in
 * @page. */
static int read_as(struct model *m, const struct slot *slot, unsigned plz,
		   size_t bytes, uint8_t *page)
{
	uint8_t *exact = malloc(bytes + !bytes), other[ZSD_PAGE_BYTES];
	int first_err = 0;

	MODEL_CHECK(&m->run, exact, "no memory");
	memcpy(exact, slot->packed, bytes);
	for (unsigned i = 0; plz_coder_at(i); i++) {
		int err;

		m->plz[plz]->coder = plz_coder_at(i);
		err = plz_decompress(m->plz[plz], m->work, exact, bytes,
				     i ? other : page);
		MODEL_CHECK(&m->run, !err || err == -EBADMSG,
			    "plz_decompress: %d", err);
		first_err = i ? first_err : err;
		MODEL_CHECK(&m->run,
			    err == first_err &&
				    (err || !i ||
				     !memcmp(other, page, sizeof(other))),
			    "%s reads something else", plz_coder_at(i)->name);
	}
	free(exact);
	return first_err;
}

static void check_reads(struct model *m, const struct slot *slot)
{
	uint8_t page[ZSD_PAGE_BYTES];

	MODEL_CHECK(&m->run, !read_as(m, slot, slot->model, slot->bytes, page),
		    "a page cannot be read");
	MODEL_CHECK(&m->run, !memcmp(page, slot->page, sizeof(page)),
		    "a page reads as another");
	m->nr_read++;
}

/* Return: 0 where there is no room. */
static size_t compress(struct model *m, const struct plz_coder *coder,
		       const struct slot *slot, enum plz_effort effort,
		       size_t room, uint8_t packed[PLZ_MAX_BYTES])
{
	size_t bytes = 0;
	int err;

	m->plz[slot->model]->coder = coder;
	err = plz_model_ready(m->plz[slot->model]);
	MODEL_CHECK(&m->run, !err, "plz_model_ready: %d", err);
	err = plz_compress(m->plz[slot->model], effort, m->work, slot->page,
			   packed, room, &bytes);
	MODEL_CHECK(&m->run, !err || err == -ENOSPC, "plz_compress: %d", err);
	MODEL_CHECK(&m->run, bytes <= room, "more than there is room");
	return err ? 0 : bytes;
}

/* By every coder, and back. */
static void store(void *arg)
{
	struct model *m = arg;
	struct slot *slot = any_slot(m);
	size_t room = model_rng_one_in(&m->rng, 4)
			      ? model_rng_below(&m->rng, PLZ_MAX_BYTES)
			      : PLZ_MAX_BYTES;
	enum plz_effort effort =
		model_rng_one_in(&m->rng, 16) ? PLZ_OPTIMAL : PLZ_FAST;

	slot->model = (unsigned)model_rng_below(&m->rng, NR_MODELS);
	slot->bytes =
		compress(m, plz_coder_at(0), slot, effort, room, slot->packed);
	for (unsigned i = 1; plz_coder_at(i); i++) {
		uint8_t other[PLZ_MAX_BYTES];
		size_t bytes =
			compress(m, plz_coder_at(i), slot, effort, room, other);

		MODEL_CHECK(&m->run,
			    bytes == slot->bytes &&
				    !memcmp(other, slot->packed, bytes),
			    "%s writes something else", plz_coder_at(i)->name);
	}
	if (!slot->bytes) {
		m->nr_too_long++;
		return;
	}
	m->sum = XXH3_64bits_withSeed(slot->packed, slot->bytes, m->sum);
	m->nr_stored++;
	check_reads(m, slot);
}

static void read_back(void *arg)
{
	struct model *m = arg;
	struct slot *slot = any_slot(m);

	if (slot->bytes)
		check_reads(m, slot);
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
	{"change", {8, 8, 8}, change},	{"store", {8, 8, 8}, store},
	{"read", {3, 3, 3}, read_back}, {"damage", {2, 2, 2}, damage},
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
	load_recorded(m);
	for (unsigned i = 0; i < NR_MODELS; i++)
		train(m, i);
	for (unsigned i = 0; i < NR_PAGES; i++)
		fill(m, m->slots[i].page);
	for (uint64_t i = 0; i < m->run.nr_ops / OPS_A_TURN; i++) {
		size_t op =
			model_pick(&m->rng, ops, ARRAY_SIZE(ops), MODEL_STIR);

		m->run.op = i;
		ops[op].run(m);
		counts[op]++;
	}
	model_report_ops(&m->run, ops, counts, ARRAY_SIZE(ops));
	model_report_fact(&m->run, "recorded pages taken", m->nr_taken);
	model_report_fact(&m->run, "pages stored and read", m->nr_stored);
	model_report_fact(&m->run, "pages read", m->nr_read);
	model_report_fact(&m->run, "pages without room", m->nr_too_long);
	model_report_fact(&m->run, "damage found", m->nr_damaged);
	for (unsigned i = 0; i < NR_MODELS; i++) {
		plz_model_free(m->plz[i]);
		free(m->loaded[i]);
	}
	free(m->recorded);
	free(work);
	for (unsigned i = 0; plz_coder_at(i); i++)
		printf("%s%s", i ? ", " : "model_plz: ", plz_coder_at(i)->name);
	printf(": %016" PRIx64 "\n", m->sum);
	return 0;
}
