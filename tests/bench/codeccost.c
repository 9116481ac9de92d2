/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codeccost - what a codec takes for a page: the bare loop, no server around it
 *
 * What a server's processor time for a request is compared with. Its caller
 * chooses the core (taskset). See codec_work.h for how pages are treated.
 */
#include "config.h"

#include <argp.h>
#include <error.h>
#include <stdio.h>

#include "base/bits.h"
#include "base/units.h"
#include "bench_args.h"
#include "codec_dict.h"
#include "codec_work.h"

const char *argp_program_version = "codeccost (" PACKAGE_STRING ")";

enum long_option {
	OPT_PAGES = 256,
	OPT_DICTIONARY,
	OPT_TRAIN,
	OPT_SECONDS,
	OPT_SEED,
	OPT_JSON,
};

struct cost_options {
	struct bench_page_files page_files;
	const char *dictionary; /* or NULL */
	const char *train; /* or NULL */
	struct zcomp_params zcomp;
	uint64_t disk_bytes;
	uint64_t run_ns; /* of the codec, each direction */
	uint64_t seed;
	bool json;
};

/* What one direction came to. */
struct cost {
	uint64_t nr_pages;
	uint64_t ns;
};

static const struct argp_option option_table[] = {
	{"pages", OPT_PAGES, "FILE", 0,
	 "pages of this file; repeatable (default: 16 MiB made up)", 0},
	{"algorithm", 'a', "ALG[:LEVEL]", 0, "codec (default lz4)", 0},
	{"dictionary", OPT_DICTIONARY, "FILE", 0, "use this one", 0},
	{"train", OPT_TRAIN, "FILE", 0,
	 "use a dictionary that is trained on pages of this file", 0},
	{"size", 's', "SIZE", 0,
	 "pages to choose from: those of the files, repeated (default 256M)",
	 0},
	{"seconds", OPT_SECONDS, "N", 0,
	 "processor time for each of both directions (default 0.5)", 0},
	{"seed", OPT_SEED, "N", 0, "of the order of pages (default 1)", 0},
	{"json", OPT_JSON, 0, 0, "one line of JSON", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct cost_options *options = state->input;

	switch (key) {
	case OPT_PAGES:
		bench_arg_page_file(arg, &options->page_files, state);
		break;
	case OPT_DICTIONARY:
		options->dictionary = arg;
		break;
	case OPT_TRAIN:
		options->train = arg;
		break;
	case 'a':
		if (zcomp_parse(arg, &options->zcomp))
			argp_error(state, "'%s' is no algorithm", arg);
		break;
	case 's':
		options->disk_bytes = bench_arg_disk_size(arg, state);
		break;
	case OPT_SECONDS:
		options->run_ns = bench_arg_ns(arg, state);
		break;
	case OPT_SEED:
		options->seed = bench_arg_number(arg, 0, UINT64_MAX, state);
		break;
	case OPT_JSON:
		options->json = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'?", arg);
		break;
	case ARGP_KEY_END:
		if (options->dictionary && options->train)
			argp_error(state, "--dictionary or --train, not both");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void parse_options(int argc, char **argv, struct cost_options *out)
{
	static const struct argp argp = {
		option_table,
		parse_option,
		NULL,
		"Measure what a codec takes for a page of memory.",
		NULL,
		NULL,
		NULL,
	};

	*out = (struct cost_options){
		.disk_bytes = 256 * MIB,
		.run_ns = 500000000,
		.seed = 1,
	};
	if (zcomp_parse("lz4", &out->zcomp))
		error(1, 0, "there is no lz4");
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, out);
}

/* The dictionary that was asked for, in @dict; NULL if none was. */
static const struct zcomp_dict *open_dict(const struct cost_options *options,
					  struct codec_dict *dict)
{
	struct load_pages pages;
	const char *path = options->train;
	int err;

	dict->digested = NULL;
	if (options->dictionary) {
		path = options->dictionary;
		err = codec_dict_load(path, &options->zcomp, dict);
	} else if (options->train) {
		err = load_pages_init_files(&options->train, 1, &pages, &path);
		if (!err) {
			err = codec_dict_train(&pages, &options->zcomp, dict);
			load_pages_fini(&pages);
		}
	} else {
		return NULL;
	}
	if (err)
		error(1, -err, "a dictionary of %s", path);
	return dict->digested;
}

/* The first batch, which finds cold caches, is not counted. */
static struct cost measure(struct codec_work *work,
			   uint64_t (*batch)(struct codec_work *),
			   uint64_t run_ns)
{
	struct cost cost = {0};

	(void)batch(work);
	while (cost.ns < run_ns) {
		cost.ns += batch(work);
		cost.nr_pages += CODEC_BATCH_PAGES;
	}
	return cost;
}

static double us_each(const struct cost *cost)
{
	return (double)cost->ns / 1e3 / (double)cost->nr_pages;
}

static void report(const struct cost_options *options,
		   const struct codec_sizes *sizes, const struct cost *compress,
		   const struct cost *decompress)
{
	uint64_t bytes =
		(sizes->nr_pages - sizes->nr_same_filled) * ZSD_PAGE_BYTES;
	double ratio = (double)bytes / (double)max_u64(sizes->stored_bytes, 1);
	char name[ZCOMP_NAME_BYTES];

	zcomp_format(&options->zcomp, name);
	if (options->json) {
		printf("{\"algorithm\":\"%s\",\"compress_us\":%.4f"
		       ",\"decompress_us\":%.4f,\"ratio\":%.4f"
		       ",\"pages\":%ju,\"same_filled\":%ju,\"raw\":%ju"
		       ",\"stored_bytes\":%ju}\n",
		       name, us_each(compress), us_each(decompress), ratio,
		       (uintmax_t)sizes->nr_pages,
		       (uintmax_t)sizes->nr_same_filled,
		       (uintmax_t)sizes->nr_raw,
		       (uintmax_t)sizes->stored_bytes);
		return;
	}
	printf("%s: compress %.3f us/page, decompress %.3f us/page, "
	       "ratio %.3f\n",
	       name, us_each(compress), us_each(decompress), ratio);
	printf("%ju pages: %ju same-filled (no codec, not in the ratio), "
	       "%ju stored raw\n",
	       (uintmax_t)sizes->nr_pages, (uintmax_t)sizes->nr_same_filled,
	       (uintmax_t)sizes->nr_raw);
}

int main(int argc, char **argv)
{
	static struct codec_dict dict; /* too large for the stack */
	struct cost_options options;
	struct load_pages pages;
	struct codec_work work;
	struct codec_sizes sizes;
	struct cost compress, decompress;
	int err;

	parse_options(argc, argv, &options);
	bench_open_pages(&options.page_files, options.seed, &pages);
	err = codec_work_init(&work, &pages, &options.zcomp,
			      open_dict(&options, &dict), options.disk_bytes,
			      options.seed);
	if (err)
		error(1, -err, "the pages");
	codec_work_sizes(&work, &sizes);
	compress = measure(&work, codec_work_compress, options.run_ns);
	decompress = measure(&work, codec_work_decompress, options.run_ns);
	report(&options, &sizes, &compress, &decompress);
	codec_work_fini(&work);
	codec_dict_fini(&dict);
	load_pages_fini(&pages);
	return fflush(stdout) ? 1 : 0;
}
