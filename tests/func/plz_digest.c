/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz_digest - a checksum of all that lib/plz makes of some pages
 *
 * Trains a model on made-up pages, and compresses others with it, once with
 * each coder of the machine. Prints the checksum of the model and of all
 * results, which must be the same on every machine, and the names of the
 * coders. neon.sh builds this for another machine too.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "model/model.h"
#include "plz/plz_internal.h"

#define NR_SAMPLES 32u
#define NR_PAGES   96u
#define DICT_BYTES 5000u
#define SEED	   20u
#define NR_WRITTEN 24u

/* What pages take after: pieces of them and of the dictionary, and changes. */
static void fill(struct model_rng *rng, const uint8_t *dict, uint8_t *page)
{
	model_page_fill(rng, model_page_kind(rng), page);
	for (unsigned i = 0; i < 8; i++) {
		size_t bytes = 3 + model_rng_below(rng, 40);
		size_t from = model_rng_below(rng, DICT_BYTES - bytes);
		size_t to = model_rng_below(rng, ZSD_PAGE_BYTES - bytes);

		memcpy(page + to, dict + from, bytes);
	}
}

static void write_file(const char *folder, const char *name, unsigned i,
		       const void *bytes, size_t nr_bytes)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%u.%s", folder, i, name);
	file = fopen(path, "wb");
	BUG_ON(!file || fwrite(bytes, nr_bytes, 1, file) != 1 || fclose(file));
}

static void digest_model(const struct plz_model *model, XXH3_state_t *sum)
{
	size_t bytes = plz_model_bytes(model);
	uint8_t *saved = malloc(bytes);

	BUG_ON(!saved);
	plz_model_save(model, saved);
	XXH3_64bits_update(sum, saved, bytes);
	free(saved);
}

/* Return: the length of the page in @packed. */
static size_t digest_page(const struct plz_model *model,
			  struct plz_workspace *work, enum plz_effort effort,
			  const uint8_t *page, uint8_t packed[PLZ_MAX_BYTES],
			  XXH3_state_t *sum)
{
	uint8_t back[ZSD_PAGE_BYTES];
	size_t bytes = 0;

	BUG_ON(plz_compress(model, effort, work, page, packed, PLZ_MAX_BYTES,
			    &bytes));
	BUG_ON(plz_decompress(model, work, packed, bytes, back));
	BUG_ON(memcmp(back, page, sizeof(back)) != 0);
	XXH3_64bits_update(sum, packed, bytes);
	return bytes;
}

/* @folder: NULL where nothing is to be written. */
static uint64_t digest(const struct plz_coder *coder, const char *folder)
{
	static uint8_t samples[NR_SAMPLES][ZSD_PAGE_BYTES], dict[DICT_BYTES];
	uint8_t page[ZSD_PAGE_BYTES], packed[PLZ_MAX_BYTES];
	char path[4096];
	void *work = NULL;
	XXH3_state_t sum;
	struct plz_model *model;
	struct model_rng rng;

	XXH3_INITSTATE(&sum);
	XXH3_64bits_reset(&sum);
	model_rng_init(&rng, SEED);
	model_rng_fill(&rng, dict, sizeof(dict));
	for (unsigned i = 0; i < NR_SAMPLES; i++)
		fill(&rng, dict, samples[i]);
	BUG_ON(plz_train(samples, NR_SAMPLES, dict, sizeof(dict), &model));
	BUG_ON(posix_memalign(&work, PLZ_WORKSPACE_ALIGN,
			      plz_workspace_bytes(PLZ_TO_STORE)));
	model->coder = coder;
	digest_model(model, &sum);
	if (folder) {
		snprintf(path, sizeof(path), "%s/model", folder);
		BUG_ON(plz_model_write(model, path));
	}
	for (unsigned i = 0; i < NR_PAGES; i++) {
		size_t bytes;

		fill(&rng, dict, page);
		bytes = digest_page(model, work, i % 4 ? PLZ_FAST : PLZ_OPTIMAL,
				    page, packed, &sum);
		if (folder && i < NR_WRITTEN) {
			write_file(folder, "page", i, page, sizeof(page));
			write_file(folder, "plz", i, packed, bytes);
		}
	}
	free(work);
	plz_model_free(model);
	return XXH3_64bits_digest(&sum);
}

int main(int argc, char **argv)
{
	uint64_t first = digest(plz_coder_at(0), argc > 1 ? argv[1] : NULL);

	for (unsigned i = 0; plz_coder_at(i); i++) {
		const struct plz_coder *coder = plz_coder_at(i);

		if (digest(coder, NULL) != first) {
			fprintf(stderr, "%s makes something else than %s\n",
				coder->name, plz_coder_at(0)->name);
			return 1;
		}
	}
	printf("%016" PRIx64, first);
	for (unsigned i = 0; plz_coder_at(i); i++)
		printf(" %s", plz_coder_at(i)->name);
	return putchar('\n') == EOF || fflush(stdout);
}
