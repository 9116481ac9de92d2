/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "ctl/ctl_base64.h"
#include "suite.h"

/* Source: RFC 4648, section 10, and the digits that it lacks. */
static const struct {
	const char *bytes;
	const char *text;
} vectors[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xbf", "+/+/"},
};

START_TEST(vectors_hold)
{
	const char *bytes = vectors[_i].bytes, *text = vectors[_i].text;
	char encoded[16], decoded[16];
	size_t n = 99;

	ck_assert_uint_eq(CTL_BASE64_CHARS(strlen(bytes)), strlen(text));
	ctl_base64_encode(bytes, strlen(bytes), encoded);
	ck_assert_str_eq(encoded, text);
	ck_assert_int_eq(ctl_base64_decode(text, decoded, sizeof(decoded), &n),
			 0);
	ck_assert_uint_eq(n, strlen(bytes));
	ck_assert_mem_eq(decoded, bytes, n);
}
END_TEST

static const char *const bad[] = {
	"Z",	"Zg",	"Zg=",	 "Zg=a",     "=Zg=",	 "====",
	"Z===", "Zm9*", "Zm9v ", "Zg==Zm9v", "Zm8=Zm9v", "Zm9v\n",
};

START_TEST(other_text_is_eproto)
{
	char decoded[16];
	size_t n = 99;

	ck_assert_int_eq(ctl_base64_decode(bad[_i], decoded, sizeof(decoded),
					   &n),
			 -EPROTO);
	ck_assert_uint_eq(n, 99);
}
END_TEST

START_TEST(too_much_is_emsgsize)
{
	char decoded[4] = "abc";
	size_t n = 99;

	ck_assert_int_eq(ctl_base64_decode("Zm9v", decoded, 2, &n), -EMSGSIZE);
	ck_assert_int_eq(ctl_base64_decode("Zm9v", decoded, 3, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(decoded, "foo");
}
END_TEST

/* Each length, each byte. */
START_TEST(bytes_come_back)
{
	unsigned char bytes[260], back[260];
	char text[CTL_BASE64_CHARS(260) + 1];

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		size_t nr = 0;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)(i * 7 + n);
		ctl_base64_encode(bytes, n, text);
		ck_assert_int_eq(
			ctl_base64_decode(text, back, sizeof(back), &nr), 0);
		ck_assert_uint_eq(nr, n);
		ck_assert_mem_eq(back, bytes, n);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl-base64");
	TCase *tc = tcase_create("base64");

	tcase_add_loop_test(tc, vectors_hold, 0, (int)ARRAY_SIZE(vectors));
	tcase_add_loop_test(tc, other_text_is_eproto, 0, (int)ARRAY_SIZE(bad));
	tcase_add_test(tc, too_much_is_emsgsize);
	tcase_add_test(tc, bytes_come_back);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
