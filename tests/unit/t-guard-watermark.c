/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc/zoneinfo says is understood: the room above 7/8 of "min".
 */
#include "config.h"

#include <check.h>

#include "base/bits.h"
#include "guard/watermark.h"
#include "suite.h"

#define ZONE(free, min, protection)                  \
	"Node 0, zone    DMA32\n"                    \
	"  pages free     " free "\n"                \
	"        boost    0\n"                       \
	"        min      " min "\n"                 \
	"        low      999999\n"                  \
	"        high     999999\n"                  \
	"        spanned  1044480\n"                 \
	"        protection: (" protection ")\n"     \
	"      nr_free_pages 77\n"                   \
	"  pagesets\n"                               \
	"    cpu: 0\n"                               \
	"              count: 100\n"

static const struct {
	const char *text;
	uint64_t room;
} texts[] = {
	{"", 0},
	{"nonsense\n", 0},
	{ZONE("5000", "800", "0, 0, 0, 0"), 4300},
	{ZONE("5000", "800", "0, 300, 200, 300"), 4000},
	{ZONE("700", "800", "0"), 0},
	{ZONE("701", "800", "0"), 1},
	{ZONE("5000", "800", "0") ZONE("10", "800", "0"), 4300},
	{ZONE("5000", "800", "0") ZONE("1000", "8", "0, 12"), 4300 + 981},
	/* One that is cut off has none. */
	{"  pages free     5000\n        min      8\n", 0},
};

START_TEST(room_is_what_is_above)
{
	ck_assert_uint_eq(watermark_parse(texts[_i].text), texts[_i].room);
}
END_TEST

START_TEST(this_machine_has_some)
{
	struct watermark w;

	ck_assert_int_eq(watermark_open(&w), 0);
	ck_assert_uint_gt(watermark_room_pages(&w), 0);
	ck_assert_uint_gt(watermark_room_pages(&w), 0);
	watermark_close(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard/watermark");
	TCase *tc = tcase_create("watermark");

	tcase_add_loop_test(tc, room_is_what_is_above, 0,
			    (int)ARRAY_SIZE(texts));
	tcase_add_test(tc, this_machine_has_some);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
