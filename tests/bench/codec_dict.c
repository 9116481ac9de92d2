/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "codec_dict.h"
#include "zstore/fill.h"

static int digest(const struct zcomp_params *params, struct codec_dict *dict)
{
	return zcomp_dict_create(params, ZSD_PAGE_BYTES, dict->bytes,
				 dict->nr_bytes, &dict->digested);
}

int codec_dict_load(const char *path, const struct zcomp_params *params,
		    struct codec_dict *out)
{
	FILE *file = fopen(path, "rbe");
	int err = 0;

	if (!file)
		return -errno;
	out->nr_bytes = fread(out->bytes, 1, sizeof(out->bytes), file);
	if (ferror(file))
		err = -EIO;
	else if (fgetc(file) != EOF)
		err = -EMSGSIZE;
	(void)fclose(file);
	return err ? err : digest(params, out);
}

/* From all over the pages. Return: how many there are in @sample. */
static unsigned take_sample(const struct load_pages *pages,
			    unsigned char *sample)
{
	uint64_t step = pages->nr_pages / CODEC_DICT_PAGES;
	unsigned nr = 0;
	uint64_t word;

	step += step == 0;
	for (uint64_t i = 0; i < pages->nr_pages && nr < CODEC_DICT_PAGES;
	     i += step) {
		const unsigned char *page = pages->base + i * ZSD_PAGE_BYTES;

		if (!fill_detect(page, &word))
			memcpy(sample + (size_t)nr++ * ZSD_PAGE_BYTES, page,
			       ZSD_PAGE_BYTES);
	}
	return nr;
}

int codec_dict_train(const struct load_pages *pages,
		     const struct zcomp_params *params, struct codec_dict *out)
{
	unsigned char *sample = calloc(CODEC_DICT_PAGES, ZSD_PAGE_BYTES);
	int err;

	if (!sample)
		return -ENOMEM;
	err = zcomp_train(params, sample, take_sample(pages, sample),
			  ZSD_PAGE_BYTES, out->bytes, CODEC_DICT_BYTES,
			  &out->nr_bytes);
	free(sample);
	return err ? err : digest(params, out);
}

void codec_dict_fini(struct codec_dict *dict)
{
	zcomp_dict_destroy(dict->digested);
}
