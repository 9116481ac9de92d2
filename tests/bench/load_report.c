/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/bits.h"
#include "load_report.h"

static const char *const op_name[LOAD_NR_OPS] = {
	[LOAD_READ] = "read",
	[LOAD_WRITE] = "write",
	[LOAD_TRIM] = "trim",
};

static const struct {
	const char *name;
	double quantile;
} quantile_table[] = {
	{"p50", 0.50},	    {"p99", 0.99}, {"p99.9", 0.999},
	{"p99.99", 0.9999}, {"max", 1.0},
};

static double microseconds(uint64_t ns)
{
	return (double)ns / 1e3;
}

/* @ns spread over @nr requests; 0 for none. */
static double us_each(uint64_t ns, uint64_t nr)
{
	return nr ? microseconds(ns) / (double)nr : 0;
}

static double per_second(uint64_t nr, uint64_t elapsed_ns)
{
	return elapsed_ns ? (double)nr * 1e9 / (double)elapsed_ns : 0;
}

/* How much of one core that is. */
static double share(uint64_t cpu_ns, const struct load_result *result)
{
	return result->elapsed_ns ? (double)cpu_ns / (double)result->elapsed_ns
				  : 0;
}

/* The machine is counted in coarse ticks: never below what is known. */
static uint64_t others_ns(const struct load_result *result)
{
	uint64_t known = result->cpu.server_ns + result->cpu.client_ns;

	return max_u64(result->cpu.machine_ns, known) - known;
}

static void json_latency(const char *name, const struct histogram *histogram)
{
	printf(",\"%s\":{\"requests\":%ju,\"mean_us\":%.3f", name,
	       (uintmax_t)histogram->total,
	       us_each(histogram->sum_ns, histogram->total));
	for (size_t i = 0; i < ARRAY_SIZE(quantile_table); i++) {
		uint64_t ns = histogram_quantile(histogram,
						 quantile_table[i].quantile);

		printf(",\"%s_us\":%.3f", quantile_table[i].name,
		       microseconds(ns));
	}
	printf("}");
}

static void print_json(const struct load_result *result,
		       const struct histogram *all)
{
	const struct load_options *options = result->options;
	const struct load_tally *tally = result->tally;

	printf("{\"depth\":%u,\"connections\":%u,\"block_bytes\":%ju",
	       options->depth, options->nr_connections,
	       (uintmax_t)options->block_bytes);
	printf(",\"requests\":%ju,\"seconds\":%.6f,\"iops\":%.1f",
	       (uintmax_t)all->total, (double)result->elapsed_ns / 1e9,
	       per_second(all->total, result->elapsed_ns));
	if (options->server_pid)
		printf(",\"server_cpu_us\":%.4f,\"server_cpu_share\":%.4f"
		       ",\"other_cpu_share\":%.4f",
		       us_each(result->cpu.server_ns, all->total),
		       share(result->cpu.server_ns, result),
		       share(others_ns(result), result));
	printf(",\"client_cpu_us\":%.4f,\"client_cpu_share\":%.4f",
	       us_each(result->cpu.client_ns, all->total),
	       share(result->cpu.client_ns, result));
	printf(",\"enospc\":%ju,\"errors\":%ju,\"first_error\":%u",
	       (uintmax_t)tally->nr_enospc, (uintmax_t)tally->nr_errors,
	       tally->first_error);
	printf(",\"mismatches\":%ju", (uintmax_t)tally->nr_mismatches);
	json_latency("latency", all);
	for (int op = 0; op < LOAD_NR_OPS; op++)
		if (tally->latency[op].total)
			json_latency(op_name[op], &tally->latency[op]);
	printf("}\n");
}

static void print_latency(const char *name, const struct histogram *histogram)
{
	printf("%-6s %10ju %10.1f", name, (uintmax_t)histogram->total,
	       us_each(histogram->sum_ns, histogram->total));
	for (size_t i = 0; i < ARRAY_SIZE(quantile_table); i++) {
		uint64_t ns = histogram_quantile(histogram,
						 quantile_table[i].quantile);

		printf(" %10.1f", microseconds(ns));
	}
	printf("\n");
}

static void print_table(const struct load_result *result,
			const struct histogram *all)
{
	const struct load_options *options = result->options;
	const struct load_tally *tally = result->tally;
	double iops = per_second(all->total, result->elapsed_ns);

	printf("%.0f requests/s, %.1f MiB/s, %.3f s\n", iops,
	       iops * (double)options->block_bytes / 1048576,
	       (double)result->elapsed_ns / 1e9);
	if (options->server_pid)
		printf("server CPU %.3f us/request, %.0f %% of a core; "
		       "other processes %.0f %% of a core\n",
		       us_each(result->cpu.server_ns, all->total),
		       100 * share(result->cpu.server_ns, result),
		       100 * share(others_ns(result), result));
	printf("client CPU %.3f us/request, %.0f %% of a core\n",
	       us_each(result->cpu.client_ns, all->total),
	       100 * share(result->cpu.client_ns, result));
	printf("\n%-6s %10s %10s", "us", "requests", "mean");
	for (size_t i = 0; i < ARRAY_SIZE(quantile_table); i++)
		printf(" %10s", quantile_table[i].name);
	printf("\n");
	for (int op = 0; op < LOAD_NR_OPS; op++)
		if (tally->latency[op].total)
			print_latency(op_name[op], &tally->latency[op]);
	print_latency("all", all);
	if (options->verify)
		printf("\nreads that returned wrong bytes: %ju\n",
		       (uintmax_t)tally->nr_mismatches);
	if (tally->nr_enospc || tally->nr_errors)
		printf("\nrefused: %ju for lack of space, %ju otherwise "
		       "(first: NBD error %u)\n",
		       (uintmax_t)tally->nr_enospc, (uintmax_t)tally->nr_errors,
		       tally->first_error);
}

int load_report(const struct load_result *result)
{
	struct histogram all = {0};

	for (int op = 0; op < LOAD_NR_OPS; op++)
		histogram_merge(&all, &result->tally->latency[op]);
	if (result->options->json)
		print_json(result, &all);
	else
		print_table(result, &all);
	return fflush(stdout) ? -EIO : 0;
}
