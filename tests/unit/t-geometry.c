/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The class tables must equal the kernel's: every figure about density rests
 * on them, and an image written under one table cannot be read under another.
 */
#include "config.h"

#include <check.h>

#include "quiet.h"
#include "suite.h"
#include "zsmalloc/zsmalloc.h"

/*
 * Distinct classes: index, bytes, pages per zspage, objects per zspage.
 * Source: computed by the formulas of Linux mm/zsmalloc.c, for chains of 4 by
 * get_pages_per_zspage() of 6.1, for longer ones by
 * calculate_zspage_chain_size() of 6.12.
 */
static const struct zs_geometry classes_of_chain_4[] = {
	{0, 32, 1, 128},   {1, 48, 3, 256},   {2, 64, 1, 64},
	{3, 80, 1, 51},	   {4, 96, 3, 128},   {5, 112, 2, 73},
	{6, 128, 1, 32},   {7, 144, 3, 85},   {8, 160, 2, 51},
	{9, 176, 4, 93},   {10, 192, 3, 64},  {11, 208, 2, 39},
	{12, 224, 4, 73},  {13, 240, 1, 17},  {14, 256, 1, 16},
	{15, 272, 1, 15},  {16, 288, 1, 14},  {17, 304, 3, 40},
	{18, 320, 4, 51},  {19, 336, 1, 12},  {20, 352, 2, 23},
	{21, 368, 1, 11},  {22, 384, 3, 32},  {23, 400, 1, 10},
	{24, 416, 4, 39},  {25, 432, 3, 28},  {26, 448, 1, 9},
	{27, 464, 4, 35},  {28, 480, 2, 17},  {29, 496, 4, 33},
	{30, 512, 1, 8},   {31, 528, 4, 31},  {32, 544, 2, 15},
	{33, 560, 4, 29},  {34, 576, 1, 7},   {35, 592, 4, 27},
	{36, 608, 3, 20},  {37, 624, 2, 13},  {38, 640, 3, 19},
	{40, 672, 1, 6},   {42, 704, 4, 23},  {43, 720, 3, 17},
	{44, 736, 2, 11},  {46, 768, 3, 16},  {49, 816, 1, 5},
	{51, 848, 4, 19},  {52, 864, 3, 14},  {54, 896, 2, 9},
	{57, 944, 3, 13},  {58, 960, 4, 17},  {62, 1024, 1, 4},
	{66, 1088, 4, 15}, {67, 1104, 3, 11}, {71, 1168, 2, 7},
	{74, 1216, 3, 10}, {76, 1248, 4, 13}, {83, 1360, 1, 3},
	{91, 1488, 4, 11}, {94, 1536, 3, 8},  {100, 1632, 2, 5},
	{107, 1744, 3, 7}, {111, 1808, 4, 9}, {126, 2048, 1, 2},
	{144, 2336, 4, 7}, {151, 2448, 3, 5}, {168, 2720, 2, 3},
	{190, 3072, 3, 4}, {202, 3264, 4, 5}, {254, 4096, 1, 1},
};

static const struct zs_geometry classes_of_chain_8[] = {
	{0, 32, 1, 128},    {1, 48, 3, 256},	{2, 64, 1, 64},
	{3, 80, 5, 256},    {4, 96, 3, 128},	{5, 112, 7, 256},
	{6, 128, 1, 32},    {7, 144, 7, 199},	{8, 160, 5, 128},
	{9, 176, 4, 93},    {10, 192, 3, 64},	{11, 208, 3, 59},
	{12, 224, 7, 128},  {13, 240, 1, 17},	{14, 256, 1, 16},
	{15, 272, 1, 15},   {16, 288, 5, 71},	{17, 304, 7, 94},
	{18, 320, 5, 64},   {19, 336, 6, 73},	{20, 352, 8, 93},
	{21, 368, 8, 89},   {22, 384, 3, 32},	{23, 400, 5, 51},
	{24, 416, 6, 59},   {25, 432, 7, 66},	{26, 448, 7, 64},
	{27, 464, 5, 44},   {28, 480, 2, 17},	{29, 496, 4, 33},
	{30, 512, 1, 8},    {31, 528, 4, 31},	{32, 544, 2, 15},
	{33, 560, 7, 51},   {34, 576, 1, 7},	{35, 592, 8, 55},
	{36, 608, 7, 47},   {37, 624, 2, 13},	{38, 640, 5, 32},
	{39, 656, 5, 31},   {40, 672, 1, 6},	{41, 688, 8, 47},
	{42, 704, 5, 29},   {43, 720, 3, 17},	{44, 736, 2, 11},
	{45, 752, 7, 38},   {46, 768, 3, 16},	{47, 784, 5, 26},
	{49, 816, 1, 5},    {50, 832, 8, 39},	{51, 848, 5, 24},
	{52, 864, 7, 33},   {53, 880, 8, 37},	{54, 896, 7, 32},
	{55, 912, 7, 31},   {56, 928, 5, 22},	{57, 944, 3, 13},
	{58, 960, 4, 17},   {59, 976, 6, 25},	{60, 992, 8, 33},
	{62, 1024, 1, 4},   {64, 1056, 8, 31},	{65, 1072, 5, 19},
	{66, 1088, 4, 15},  {67, 1104, 3, 11},	{68, 1120, 8, 29},
	{69, 1136, 5, 18},  {71, 1168, 2, 7},	{72, 1184, 7, 24},
	{73, 1200, 5, 17},  {74, 1216, 3, 10},	{75, 1232, 7, 23},
	{76, 1248, 4, 13},  {78, 1280, 5, 16},	{79, 1296, 7, 22},
	{83, 1360, 1, 3},   {87, 1424, 8, 23},	{88, 1440, 6, 17},
	{89, 1456, 5, 14},  {91, 1488, 4, 11},	{92, 1504, 7, 19},
	{94, 1536, 3, 8},   {95, 1552, 8, 21},	{96, 1568, 5, 13},
	{97, 1584, 7, 18},  {100, 1632, 2, 5},	{103, 1680, 7, 17},
	{104, 1696, 5, 12}, {105, 1712, 8, 19}, {107, 1744, 3, 7},
	{110, 1792, 7, 16}, {111, 1808, 4, 9},	{114, 1856, 5, 11},
	{116, 1888, 6, 13}, {117, 1904, 7, 15}, {118, 1920, 8, 17},
	{126, 2048, 1, 2},  {134, 2176, 8, 15}, {135, 2192, 7, 13},
	{137, 2224, 6, 11}, {140, 2272, 5, 9},	{144, 2336, 4, 7},
	{147, 2384, 7, 12}, {151, 2448, 3, 5},	{155, 2512, 8, 13},
	{158, 2560, 5, 8},  {160, 2592, 7, 11}, {168, 2720, 2, 3},
	{177, 2864, 7, 10}, {180, 2912, 5, 7},	{184, 2976, 8, 11},
	{190, 3072, 3, 4},  {197, 3184, 7, 9},	{202, 3264, 4, 5},
	{211, 3408, 5, 6},  {217, 3504, 6, 7},	{222, 3584, 7, 8},
	{225, 3632, 8, 9},  {254, 4096, 1, 1},
};

/* What each chain size comes to. */
static const struct {
	unsigned chain_size;
	unsigned nr_distinct;
	unsigned largest_not_huge; /* bytes of an object */
} chains[] = {
	{4, 69, 3264},	{5, 86, 3408},	{6, 94, 3504},
	{7, 110, 3584}, {8, 119, 3632}, {16, 192, 3840},
};

static void assert_geometry_eq(const struct zs_geometry *got,
			       const struct zs_geometry *want)
{
	ck_assert_uint_eq(got->class_idx, want->class_idx);
	ck_assert_uint_eq(got->size_bytes, want->size_bytes);
	ck_assert_uint_eq(got->pages_per_zspage, want->pages_per_zspage);
	ck_assert_uint_eq(got->objs_per_zspage, want->objs_per_zspage);
}

/* Entry i must describe the first class of @want that is not below i. */
static void assert_table_eq(unsigned chain_size, const struct zs_geometry *want,
			    size_t nr_want)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	size_t next = 0;

	zs_geometry_table(chain_size, table);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (i > want[next].class_idx)
			next++;
		ck_assert_uint_lt(next, nr_want);
		assert_geometry_eq(&table[i], &want[next]);
	}
	ck_assert_uint_eq(next, nr_want - 1);
}

START_TEST(chain_4_is_the_kernels)
{
	assert_table_eq(4, classes_of_chain_4, ARRAY_SIZE(classes_of_chain_4));
}
END_TEST

START_TEST(chain_8_is_the_kernels)
{
	assert_table_eq(8, classes_of_chain_8, ARRAY_SIZE(classes_of_chain_8));
}
END_TEST

static unsigned count_distinct(const struct zs_geometry *table)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++)
		nr += table[i].class_idx == i;
	return nr;
}

START_TEST(every_chain_has_the_kernels_number_of_classes)
{
	struct zs_geometry table[ZS_NR_CLASSES];

	zs_geometry_table(chains[_i].chain_size, table);
	ck_assert_uint_eq(count_distinct(table), chains[_i].nr_distinct);
}
END_TEST

START_TEST(every_chain_has_the_kernels_watermark)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	unsigned largest = 0;

	zs_geometry_table(chains[_i].chain_size, table);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (table[i].pages_per_zspage > 1 ||
		    table[i].objs_per_zspage > 1)
			largest = table[i].size_bytes;
	}
	ck_assert_uint_eq(largest, chains[_i].largest_not_huge);
}
END_TEST

static void assert_is_sound(const struct zs_geometry *g, unsigned chain_size)
{
	const unsigned bytes = g->pages_per_zspage * ZSD_PAGE_BYTES;

	quiet_assert(g->class_idx < ZS_NR_CLASSES);
	quiet_assert(g->size_bytes == 32u + 16u * g->class_idx);
	quiet_assert(g->pages_per_zspage >= 1);
	quiet_assert(g->pages_per_zspage <= chain_size);
	quiet_assert(g->objs_per_zspage == bytes / g->size_bytes);
}

/* What must hold for any table, whichever formula made it. */
START_TEST(entries_agree_with_each_other)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	const unsigned chain_size = (unsigned)_i;

	zs_geometry_table(chain_size, table);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		quiet_assert(table[i].class_idx >= i);
		assert_is_sound(&table[i], chain_size);
		assert_geometry_eq(&table[table[i].class_idx], &table[i]);
	}
}
END_TEST

/* The one class that the old formula and the new one give different chains. */
START_TEST(class_208_follows_its_kernels_formula)
{
	struct zs_geometry table[ZS_NR_CLASSES];

	zs_geometry_table(4, table);
	ck_assert_uint_eq(table[11].pages_per_zspage, 2);
	zs_geometry_table(5, table);
	ck_assert_uint_eq(table[11].pages_per_zspage, 3);
}
END_TEST

static Suite *geometry_suite(void)
{
	Suite *s = suite_create("geometry");
	TCase *tc = tcase_create("table");
	const int nr_chains = (int)ARRAY_SIZE(chains);

	tcase_add_test(tc, chain_4_is_the_kernels);
	tcase_add_test(tc, chain_8_is_the_kernels);
	tcase_add_loop_test(tc, every_chain_has_the_kernels_number_of_classes,
			    0, nr_chains);
	tcase_add_loop_test(tc, every_chain_has_the_kernels_watermark, 0,
			    nr_chains);
	tcase_add_loop_test(tc, entries_agree_with_each_other,
			    ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX + 1);
	tcase_add_test(tc, class_208_follows_its_kernels_formula);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return suite_run(geometry_suite());
}
