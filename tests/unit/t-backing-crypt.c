/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is written out is what the standard says, and so unreadable.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "backing/backing_internal.h"
#include "quiet.h"
#include "suite.h"

/*
 * IEEE Std 1619-2007, annex B, XTS-AES-256, vector 10. Its data unit has 512
 * bytes; ours begins with it, and what comes behind changes nothing of that.
 */
static const unsigned char vector_key[BACKING_KEY_BYTES] = {
	0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45, 0x23, 0x53, 0x60,
	0x28, 0x74, 0x71, 0x35, 0x26, 0x62, 0x49, 0x77, 0x57, 0x24, 0x70,
	0x93, 0x69, 0x99, 0x59, 0x57, 0x49, 0x66, 0x96, 0x76, 0x27, 0x31,
	0x41, 0x59, 0x26, 0x53, 0x58, 0x97, 0x93, 0x23, 0x84, 0x62, 0x64,
	0x33, 0x83, 0x27, 0x95, 0x02, 0x88, 0x41, 0x97, 0x16, 0x93, 0x99,
	0x37, 0x51, 0x05, 0x82, 0x09, 0x74, 0x94, 0x45, 0x92};
#define VECTOR_BLOCK 0xffu
static const unsigned char vector_first[] = {
	0x1c, 0x3b, 0x3a, 0x10, 0x2f, 0x77, 0x03, 0x86, 0xe4, 0x83, 0x6c,
	0x99, 0xe3, 0x70, 0xcf, 0x9b, 0xea, 0x00, 0x80, 0x3f, 0x5e, 0x48,
	0x23, 0x57, 0xa4, 0xae, 0x12, 0xd4, 0x14, 0xa3, 0xe6, 0x3b};
#define VECTOR_LAST_AT 496u
static const unsigned char vector_last[] = {0xc4, 0xf3, 0x6f, 0xfd, 0xa9, 0xfc,
					    0xea, 0x70, 0xb9, 0xc6, 0xe6, 0x93,
					    0xe1, 0x48, 0xc1, 0x51};

static struct crypt *crypt_at_hand;

static void setup(void)
{
	ck_assert_int_eq(crypt_create(&crypt_at_hand), 0);
	ck_assert_int_eq(crypt_set_key(crypt_at_hand, vector_key), 0);
}

static void teardown(void)
{
	crypt_destroy(crypt_at_hand);
}

START_TEST(it_is_that_of_the_standard)
{
	unsigned char plain[BACKING_BLOCK_BYTES], out[BACKING_BLOCK_BYTES];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (unsigned char)i;
	crypt_encrypt(crypt_at_hand, VECTOR_BLOCK, out, plain);
	ck_assert_mem_eq(out, vector_first, sizeof(vector_first));
	ck_assert_mem_eq(out + VECTOR_LAST_AT, vector_last,
			 sizeof(vector_last));
	crypt_decrypt(crypt_at_hand, VECTOR_BLOCK, out, out);
	ck_assert_mem_eq(out, plain, sizeof(plain));
}
END_TEST

START_TEST(equal_pages_differ)
{
	static const unsigned char zeros[BACKING_BLOCK_BYTES];
	unsigned char one[BACKING_BLOCK_BYTES], other[BACKING_BLOCK_BYTES];

	crypt_encrypt(crypt_at_hand, 0, one, zeros);
	crypt_encrypt(crypt_at_hand, BACKING_MAX_BLOCKS - 1, other, zeros);
	for (size_t at = 0; at < sizeof(one); at += 16) {
		quiet_assert(memcmp(one + at, other + at, 16) != 0);
		quiet_assert(memcmp(one + at, zeros, 16) != 0);
	}
	crypt_decrypt(crypt_at_hand, BACKING_MAX_BLOCKS - 1, other, other);
	ck_assert_mem_eq(other, zeros, sizeof(zeros));
}
END_TEST

START_TEST(a_key_of_two_equal_halves_is_refused)
{
	unsigned char key[BACKING_KEY_BYTES];

	memcpy(key, vector_key, sizeof(key));
	memcpy(key + sizeof(key) / 2, key, sizeof(key) / 2);
	ck_assert_int_eq(crypt_set_key(crypt_at_hand, key), -EINVAL);
	key[sizeof(key) - 1] ^= 1;
	ck_assert_int_eq(crypt_set_key(crypt_at_hand, key), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backing/crypt");
	TCase *tc = tcase_create("crypt");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, it_is_that_of_the_standard);
	tcase_add_test(tc, equal_pages_differ);
	tcase_add_test(tc, a_key_of_two_equal_halves_is_refused);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
