/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>

#include "base/compiler.h"
#include "nbd/nbdc_cases.h"
#include "nbd/reply.h"
#include "nbd/request.h"
#include "suite.h"

/* --- bytes --------------------------------------------------------------- */

START_TEST(a_request_is_decoded)
{
	static const unsigned char bytes[NBD_REQUEST_BYTES] = {
		0x25, 0x60, 0x95, 0x13, /* magic */
		0x01, 0x02, /* flags */
		0x00, 0x03, /* type */
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, /* cookie */
		0x81, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, /* offset */
		0xf1, 0x32, 0x33, 0x34, /* length */
	};
	struct nbd_request req;

	ck_assert_int_eq(nbd_request_decode(bytes, &req), 0);
	ck_assert_uint_eq(req.flags, 0x0102);
	ck_assert_uint_eq(req.type, 3);
	ck_assert_uint_eq(req.cookie, 0x1112131415161718ull);
	ck_assert_uint_eq(req.offset, 0x8122232425262728ull);
	ck_assert_uint_eq(req.length, 0xf1323334u);
	ck_assert_uint_eq(nbd_request_payload_bytes(&req), 0);
}
END_TEST

START_TEST(a_request_without_magic_is_none)
{
	const struct nbdc_request right = {.type = CMD_READ, .cookie = 7};
	unsigned char bytes[NBDC_REQUEST_BYTES];
	struct nbd_request req = {.cookie = 8};

	nbdc_encode_request(bytes, &right);
	bytes[_i / 8] ^= (unsigned char)(1 << _i % 8);
	ck_assert_int_eq(nbd_request_decode(bytes, &req), -EPROTO);
	ck_assert_uint_eq(req.cookie, 8);
}
END_TEST

/* What follows a request of this type and length, or -errno. */
static int64_t payload_bytes(uint16_t type, uint32_t length)
{
	const struct nbdc_request said = {.type = type, .length = length};
	unsigned char bytes[NBDC_REQUEST_BYTES];
	struct nbd_request req;
	int err;

	nbdc_encode_request(bytes, &said);
	err = nbd_request_decode(bytes, &req);
	return err ? err : (int64_t)nbd_request_payload_bytes(&req);
}

START_TEST(a_payload_is_followed_up_to_a_bound)
{
	const uint32_t most = 64u << 20;

	ck_assert_int_eq(payload_bytes(CMD_WRITE, most), most);
	ck_assert_int_eq(payload_bytes(CMD_WRITE, most + 1), -EMSGSIZE);
	ck_assert_int_eq(payload_bytes(CMD_TRIM, most + 1), 0);
}
END_TEST

START_TEST(a_reply_is_encoded)
{
	static const unsigned char expected[16] = {
		0x67, 0x44, 0x66, 0x98, 0,    0,    0,	  28,
		0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
	};
	unsigned char bytes[NBD_SIMPLE_REPLY_BYTES];

	nbd_reply_encode(bytes, 0x8182838485868788ull, ERR_NOSPC);
	ck_assert_mem_eq(bytes, expected, sizeof(expected));
}
END_TEST

#define COOKIE	     0x8182838485868788ull
#define OFFSET	     0x1122334455667788ull
#define COOKIE_BYTES "\x81\x82\x83\x84\x85\x86\x87\x88"
#define OFFSET_BYTES "\x11\x22\x33\x44\x55\x66\x77\x88"
#define CHUNK	     "\x66\x8e\x33\xef"

/* A chunk of data, a hole, the end, a block status of three extents, one. */
START_TEST(chunks_are_encoded)
{
	static const char expected[] = CHUNK
		"\0\0\0\1" COOKIE_BYTES "\0\0\0\xd" OFFSET_BYTES CHUNK
		"\0\1\0\2" COOKIE_BYTES "\0\0\0\xc" OFFSET_BYTES
		"\xff\xff\xf0\0" CHUNK "\0\1\0\0" COOKIE_BYTES "\0\0\0\0" CHUNK
		"\0\1\0\5" COOKIE_BYTES "\0\0\0\x1c\0\0\0\7"
		"\xff\xff\xf0\0\0\0\0\3";
	unsigned char bytes[sizeof(expected) - 1];
	struct nbdc_bytes b = {.data = bytes, .room = sizeof(bytes)};

	nbd_chunk_encode_data(nbdc_extend(&b, NBD_DATA_CHUNK_BYTES), COOKIE,
			      false, OFFSET, 5);
	nbd_chunk_encode_hole(nbdc_extend(&b, NBD_HOLE_CHUNK_BYTES), COOKIE,
			      true, OFFSET, 0xfffff000u);
	nbd_chunk_encode_none(nbdc_extend(&b, NBD_CHUNK_BYTES), COOKIE);
	nbd_chunk_encode_status(nbdc_extend(&b, NBD_STATUS_CHUNK_BYTES), COOKIE,
				7, 3);
	nbd_extent_encode(nbdc_extend(&b, NBD_EXTENT_BYTES), 0xfffff000u, 3);
	ck_assert_uint_eq(b.bytes, sizeof(bytes));
	ck_assert_mem_eq(bytes, expected, sizeof(bytes));
}
END_TEST

static const uint32_t all_errors[] = {1, 5, 12, 22, 28, 75, 95, 108, 9999};

/* With a text, for all that is an error, and none for what is not. */
START_TEST(error_chunks_are_encoded)
{
	const uint64_t offset = OFFSET;
	unsigned char bytes[NBD_REPLY_MAX_BYTES];
	struct nbdc_bytes b = {.data = bytes};
	size_t text_bytes;

	for (unsigned with_offset = 0; with_offset < 2; with_offset++) {
		b.taken = 0;
		b.bytes = nbd_chunk_encode_error(bytes, COOKIE, all_errors[_i],
						 with_offset ? &offset : NULL);
		ck_assert_uint_le(b.bytes, NBD_REPLY_MAX_BYTES);
		ck_assert_uint_eq(nbdc_take(&b, 4), NBDC_CHUNK_MAGIC);
		ck_assert_uint_eq(nbdc_take(&b, 2), CHUNK_FLAG_DONE);
		ck_assert_uint_eq(nbdc_take(&b, 2), CHUNK_ERROR + with_offset);
		ck_assert_uint_eq(nbdc_take(&b, 8), COOKIE);
		ck_assert_uint_eq(nbdc_take(&b, 4), b.bytes - 20);
		ck_assert_uint_eq(nbdc_take(&b, 4), all_errors[_i]);
		text_bytes = nbdc_take(&b, 2);
		ck_assert_int_eq(text_bytes > 0, all_errors[_i] != 9999);
		ck_assert_ptr_null(
			memchr(nbdc_take_bytes(&b, text_bytes), 0, text_bytes));
		if (with_offset)
			ck_assert_uint_eq(nbdc_take(&b, 8), OFFSET);
		ck_assert(!b.overrun && b.taken == b.bytes);
	}
}
END_TEST

/* --- what may be done ---------------------------------------------------- */

#define SIZE ((uint64_t)1 << 42)
#define MAX  (32u << 20)

#define ALL_FLAGS                                                       \
	(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | \
	 NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES |              \
	 NBD_FLAG_SEND_CACHE | NBD_FLAG_SEND_FAST_ZERO)

static uint32_t check_with(uint16_t export_flags, uint16_t type, unsigned flags,
			   uint64_t offset, uint32_t length)
{
	const struct nbd_export export = {"", "", SIZE, export_flags};
	const struct nbd_session session = {.export = &export};
	const struct nbd_request req = {
		.type = type,
		.flags = (uint16_t)flags,
		.offset = offset,
		.length = length,
	};

	return nbd_request_check(&req, &session);
}

static uint32_t check(uint16_t type, unsigned flags, uint64_t offset,
		      uint32_t length)
{
	return check_with(ALL_FLAGS, type, flags, offset, length);
}

/* What each type takes and says. */
static const struct {
	uint16_t type;
	unsigned flags; /* that it takes */
	uint32_t past_end; /* its error there */
	uint32_t read_only; /* its error on such an export */
	uint32_t longer; /* its error above 32 MiB */
	uint16_t offered_by; /* transmission flag that it needs */
} commands[] = {
	{CMD_READ, FLAG_FUA, ERR_INVAL, 0, ERR_INVAL, 0},
	{CMD_WRITE, FLAG_FUA, ERR_NOSPC, ERR_PERM, ERR_INVAL, 0},
	{CMD_TRIM, FLAG_FUA, ERR_INVAL, ERR_PERM, 0, NBD_FLAG_SEND_TRIM},
	{CMD_CACHE, FLAG_FUA, ERR_INVAL, 0, 0, NBD_FLAG_SEND_CACHE},
	{CMD_WRITE_ZEROES, FLAG_FUA | FLAG_NO_HOLE | FLAG_FAST_ZERO, ERR_NOSPC,
	 ERR_PERM, 0, NBD_FLAG_SEND_WRITE_ZEROES},
};

START_TEST(ranges_inside_the_disk_are_fine)
{
	const uint16_t type = commands[_i].type;

	ck_assert_uint_eq(check(type, 0, 0, 0), 0);
	ck_assert_uint_eq(check(type, 0, 0, 1), 0);
	ck_assert_uint_eq(check(type, 0, 513, 1023), 0);
	ck_assert_uint_eq(check(type, 0, 0, MAX), 0);
	ck_assert_uint_eq(check(type, 0, SIZE - MAX, MAX), 0);
	ck_assert_uint_eq(check(type, 0, SIZE - 1, 1), 0);
	ck_assert_uint_eq(check(type, 0, SIZE, 0), 0);
}
END_TEST

START_TEST(ranges_past_the_end_are_refused)
{
	const uint32_t error = commands[_i].past_end;
	const uint16_t type = commands[_i].type;

	ck_assert_uint_eq(check(type, 0, SIZE, 1), error);
	ck_assert_uint_eq(check(type, 0, SIZE - 1, 2), error);
	ck_assert_uint_eq(check(type, 0, SIZE + 1, 0), error);
	ck_assert_uint_eq(check(type, 0, SIZE - MAX + 1, MAX), error);
	ck_assert_uint_eq(check(type, 0, UINT64_MAX, 1), error);
	ck_assert_uint_eq(check(type, 0, UINT64_MAX - 4095, 4096), error);
	ck_assert_uint_eq(check(type, 0, UINT64_MAX, UINT32_MAX), error);
	ck_assert_uint_eq(check(type, 0, (uint64_t)1 << 63, 4096), error);
}
END_TEST

START_TEST(lengths_are_bounded_where_data_goes_with_them)
{
	const uint32_t error = commands[_i].longer;
	const uint16_t type = commands[_i].type;

	ck_assert_uint_eq(check(type, 0, 0, MAX + 1), error);
	ck_assert_uint_eq(check(type, 0, 0, UINT32_MAX), error);
}
END_TEST

START_TEST(each_flag_is_taken_or_refused)
{
	for (unsigned bit = 0; bit < 16; bit++) {
		unsigned flag = 1u << bit;

		ck_assert_uint_eq(check(commands[_i].type, flag, 0, 4096),
				  commands[_i].flags & flag ? 0 : ERR_INVAL);
	}
	ck_assert_uint_eq(check(commands[_i].type, commands[_i].flags, 0, 4096),
			  0);
}
END_TEST

START_TEST(what_was_not_offered_is_refused)
{
	const uint16_t without =
		(uint16_t)(ALL_FLAGS & ~commands[_i].offered_by);

	ck_assert_uint_eq(check_with(without, commands[_i].type, 0, 0, 4096),
			  commands[_i].offered_by ? ERR_INVAL : 0);
	ck_assert_uint_eq(check_with(ALL_FLAGS & ~NBD_FLAG_SEND_FUA,
				     commands[_i].type, FLAG_FUA, 0, 4096),
			  ERR_INVAL);
	ck_assert_uint_eq(check_with(ALL_FLAGS & ~NBD_FLAG_SEND_FAST_ZERO,
				     commands[_i].type, FLAG_FAST_ZERO, 0,
				     4096),
			  ERR_INVAL);
}
END_TEST

START_TEST(a_read_only_export_is_not_changed)
{
	ck_assert_uint_eq(check_with(ALL_FLAGS | NBD_FLAG_READ_ONLY,
				     commands[_i].type, 0, 0, 4096),
			  commands[_i].read_only);
}
END_TEST

/* As zsd has it: what changes the disk is not even offered. */
START_TEST(a_read_only_export_says_so_of_all_changes)
{
	const uint16_t flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_READ_ONLY |
			       NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_CACHE;
	const uint32_t error = commands[_i].read_only;

	ck_assert_uint_eq(
		check_with(flags, commands[_i].type, FLAG_FUA, 0, 4096), error);
	ck_assert_uint_eq(check_with(flags, commands[_i].type, 0, SIZE, 1),
			  error ? error : commands[_i].past_end);
}
END_TEST

START_TEST(a_flush_that_was_not_offered_is_refused)
{
	ck_assert_uint_eq(check(CMD_FLUSH, 0, 0, 0), 0);
	ck_assert_uint_eq(check_with(ALL_FLAGS & ~NBD_FLAG_SEND_FLUSH,
				     CMD_FLUSH, 0, 0, 0),
			  ERR_INVAL);
}
END_TEST

/* From the bytes to the error. */
static uint32_t answer(const struct nbdc_request_case *c, uint16_t export_flags)
{
	const struct nbd_export export = {"", "", NBDC_CASES_DISK_BYTES,
					  export_flags};
	const struct nbd_session session = {
		.export = &export,
		.structured_replies = c->session >= CHUNKS,
		.has_context = c->session >= CONTEXT,
	};
	const struct nbdc_request said = {c->flags, c->type, COOKIE, c->offset,
					  c->length};
	unsigned char bytes[NBDC_REQUEST_BYTES];
	struct nbd_request req;

	nbdc_encode_request(bytes, &said);
	if (nbd_request_decode(bytes, &req))
		return HANGS_UP;
	return nbd_request_check(&req, &session);
}

START_TEST(each_request_is_answered_as_it_must_be)
{
	const struct nbdc_request_case *c = &nbdc_request_cases[_i];

	ck_assert_uint_eq(answer(c, ALL_FLAGS), c->error);
}
END_TEST

START_TEST(each_is_on_a_read_only_export)
{
	const struct nbdc_request_case *c = &nbdc_read_only_cases[_i];

	ck_assert_uint_eq(answer(c, ALL_FLAGS | NBD_FLAG_READ_ONLY), c->error);
}
END_TEST

START_TEST(a_goodbye_is_never_refused)
{
	ck_assert_uint_eq(check(CMD_DISC, 0xffff, UINT64_MAX, UINT32_MAX), 0);
}
END_TEST

/* --- errors -------------------------------------------------------------- */

static const struct {
	int err;
	uint32_t error;
} errors[] = {
	{0, 0},	       {-EPERM, 1},	 {-EROFS, 1},	 {-EIO, 5},
	{-EINVAL, 22}, {-ENOSPC, 28},	 {-ENOMEM, 28},	 {-EDQUOT, 28},
	{-EFBIG, 28},  {-EOVERFLOW, 75}, {-ENOTSUP, 95}, {-ESHUTDOWN, 108},
	{-ENOENT, 22}, {-EUCLEAN, 22},	 {-1000, 22},
};

START_TEST(errors_become_those_of_the_protocol)
{
	ck_assert_uint_eq(nbd_error_from_errno(errors[_i].err),
			  errors[_i].error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbd-request");
	TCase *tc = tcase_create("request");
	const int nr = ARRAY_SIZE(commands);

	tcase_add_test(tc, a_request_is_decoded);
	tcase_add_loop_test(tc, a_request_without_magic_is_none, 0, 32);
	tcase_add_test(tc, a_payload_is_followed_up_to_a_bound);
	tcase_add_test(tc, a_reply_is_encoded);
	tcase_add_test(tc, chunks_are_encoded);
	tcase_add_loop_test(tc, error_chunks_are_encoded, 0,
			    ARRAY_SIZE(all_errors));
	tcase_add_loop_test(tc, ranges_inside_the_disk_are_fine, 0, nr);
	tcase_add_loop_test(tc, ranges_past_the_end_are_refused, 0, nr);
	tcase_add_loop_test(tc, lengths_are_bounded_where_data_goes_with_them,
			    0, nr);
	tcase_add_loop_test(tc, each_flag_is_taken_or_refused, 0, nr);
	tcase_add_loop_test(tc, what_was_not_offered_is_refused, 0, nr);
	tcase_add_loop_test(tc, a_read_only_export_is_not_changed, 0, nr);
	tcase_add_loop_test(tc, a_read_only_export_says_so_of_all_changes, 0,
			    nr);
	tcase_add_test(tc, a_flush_that_was_not_offered_is_refused);
	tcase_add_loop_test(tc, each_request_is_answered_as_it_must_be, 0,
			    (int)nbdc_nr_request_cases);
	tcase_add_loop_test(tc, each_is_on_a_read_only_export, 0,
			    (int)nbdc_nr_read_only_cases);
	tcase_add_test(tc, a_goodbye_is_never_refused);
	tcase_add_loop_test(tc, errors_become_those_of_the_protocol, 0,
			    ARRAY_SIZE(errors));
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
