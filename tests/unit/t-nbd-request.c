/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>

#include "base/compiler.h"
#include "nbd/reply.h"
#include "nbd/request.h"
#include "suite.h"
#include "wire.h"

/* --- bytes --------------------------------------------------------------- */

static void put_request(struct wire *wire, const struct nbd_request *req)
{
	put_u32(wire, 0x25609513);
	put_u16(wire, req->flags);
	put_u16(wire, req->type);
	put_u64(wire, req->cookie);
	put_u64(wire, req->offset);
	put_u32(wire, req->length);
}

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
	static struct wire wire;
	struct nbd_request req = {.type = NBD_CMD_READ, .cookie = 7};

	wire.bytes = 0;
	put_request(&wire, &req);
	wire.data[_i / 8] ^= (unsigned char)(1 << _i % 8);
	req.cookie = 8;
	ck_assert_int_eq(nbd_request_decode(wire.data, &req), -EPROTO);
	ck_assert_uint_eq(req.cookie, 8);
}
END_TEST

START_TEST(a_payload_is_followed_up_to_a_bound)
{
	static struct wire wire;
	struct nbd_request req = {.type = NBD_CMD_WRITE, .length = 64u << 20};

	put_request(&wire, &req);
	ck_assert_int_eq(nbd_request_decode(wire.data, &req), 0);
	ck_assert_uint_eq(nbd_request_payload_bytes(&req), 64u << 20);
	store_be32(wire.data + 24, (64u << 20) + 1);
	ck_assert_int_eq(nbd_request_decode(wire.data, &req), -EMSGSIZE);
	store_be16(wire.data + 6, NBD_CMD_TRIM); /* nothing follows this one */
	ck_assert_int_eq(nbd_request_decode(wire.data, &req), 0);
	ck_assert_uint_eq(nbd_request_payload_bytes(&req), 0);
}
END_TEST

START_TEST(a_reply_is_encoded)
{
	static const unsigned char expected[16] = {
		0x67, 0x44, 0x66, 0x98, 0,    0,    0,	  28,
		0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
	};
	unsigned char bytes[NBD_SIMPLE_REPLY_BYTES];

	nbd_reply_encode(bytes, 0x8182838485868788ull, NBD_ENOSPC);
	ck_assert_mem_eq(bytes, expected, sizeof(expected));
}
END_TEST

static const unsigned char cookie_bytes[8] = {0x81, 0x82, 0x83, 0x84,
					      0x85, 0x86, 0x87, 0x88};
#define COOKIE 0x8182838485868788ull

/* The 20 bytes that each chunk begins with. */
static void take_chunk(struct wire *wire, unsigned flags, unsigned type,
		       uint32_t length)
{
	ck_assert_uint_eq(take_u32(wire), 0x668e33ef);
	ck_assert_uint_eq(take_u16(wire), flags);
	ck_assert_uint_eq(take_u16(wire), type);
	ck_assert_mem_eq(take_bytes(wire, 8), cookie_bytes, 8);
	ck_assert_uint_eq(take_u32(wire), length);
}

START_TEST(chunks_are_encoded)
{
	static struct wire wire;

	nbd_chunk_encode_data(wire_extend(&wire, NBD_DATA_CHUNK_BYTES), COOKIE,
			      false, 0x1122334455667788ull, 5);
	nbd_chunk_encode_hole(wire_extend(&wire, NBD_HOLE_CHUNK_BYTES), COOKIE,
			      true, 0x1122334455667788ull, 0xfffff000u);
	nbd_chunk_encode_none(wire_extend(&wire, NBD_CHUNK_BYTES), COOKIE);
	nbd_chunk_encode_status(wire_extend(&wire, NBD_STATUS_CHUNK_BYTES),
				COOKIE, 7, 3);
	nbd_extent_encode(wire_extend(&wire, NBD_EXTENT_BYTES), 0xfffff000u, 3);
	take_chunk(&wire, 0, 1, 8 + 5);
	ck_assert_uint_eq(take_u64(&wire), 0x1122334455667788ull);
	take_chunk(&wire, 1, 2, 12);
	ck_assert_uint_eq(take_u64(&wire), 0x1122334455667788ull);
	ck_assert_uint_eq(take_u32(&wire), 0xfffff000u);
	take_chunk(&wire, 1, 0, 0);
	take_chunk(&wire, 1, 5, 4 + 3 * 8);
	ck_assert_uint_eq(take_u32(&wire), 7);
	ck_assert_uint_eq(take_u32(&wire), 0xfffff000u);
	ck_assert_uint_eq(take_u32(&wire), 3);
	take_end(&wire);
}
END_TEST

static const uint32_t all_errors[] = {1, 5, 12, 22, 28, 75, 95, 108, 9999};

/* With a text, for all that is an error, and none for what is not. */
START_TEST(error_chunks_are_encoded)
{
	const uint64_t offset = 0x1122334455667788ull;
	const uint32_t error = all_errors[_i];
	static struct wire wire;
	uint32_t bytes, text_bytes;

	for (unsigned with_offset = 0; with_offset < 2; with_offset++) {
		wire.bytes = wire.taken = 0;
		bytes = nbd_chunk_encode_error(
			wire_extend(&wire, NBD_REPLY_MAX_BYTES), COOKIE, error,
			with_offset ? &offset : NULL);
		ck_assert_uint_le(bytes, NBD_REPLY_MAX_BYTES);
		wire.bytes = bytes;
		take_chunk(&wire, 1, 0x8001 + with_offset, bytes - 20);
		ck_assert_uint_eq(take_u32(&wire), error);
		text_bytes = take_u16(&wire);
		ck_assert_int_eq(text_bytes > 0, error != 9999);
		ck_assert_ptr_null(
			memchr(take_bytes(&wire, text_bytes), 0, text_bytes));
		if (with_offset)
			ck_assert_uint_eq(take_u64(&wire), offset);
		take_end(&wire);
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

/* Of command flags; those without a name are unknown to the protocol. */
#define FUA	  (1u << 0)
#define NO_HOLE	  (1u << 1)
#define DF	  (1u << 2)
#define REQ_ONE	  (1u << 3)
#define FAST_ZERO (1u << 4)

/* What a session has besides the flags of its export. */
enum agreed {
	NOTHING,
	STRUCTURED,
	CONTEXT, /* and structured replies */
};

static uint32_t check_in(enum agreed agreed, uint16_t export_flags,
			 uint16_t type, unsigned flags, uint64_t offset,
			 uint32_t length)
{
	const struct nbd_export export = {
		.name = "",
		.description = "",
		.size_bytes = SIZE,
		.flags = export_flags,
	};
	const struct nbd_session session = {
		.export = &export,
		.structured_replies = agreed >= STRUCTURED,
		.has_context = agreed >= CONTEXT,
	};
	const struct nbd_request req = {
		.type = type,
		.flags = (uint16_t)flags,
		.offset = offset,
		.length = length,
	};

	return nbd_request_check(&req, &session);
}

static uint32_t check_with(uint16_t export_flags, uint16_t type, unsigned flags,
			   uint64_t offset, uint32_t length)
{
	return check_in(NOTHING, export_flags, type, flags, offset, length);
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
	{NBD_CMD_READ, FUA, NBD_EINVAL, 0, NBD_EINVAL, 0},
	{NBD_CMD_WRITE, FUA, NBD_ENOSPC, NBD_EPERM, NBD_EINVAL, 0},
	{NBD_CMD_TRIM, FUA, NBD_EINVAL, NBD_EPERM, 0, NBD_FLAG_SEND_TRIM},
	{NBD_CMD_CACHE, FUA, NBD_EINVAL, 0, 0, NBD_FLAG_SEND_CACHE},
	{NBD_CMD_WRITE_ZEROES, FUA | NO_HOLE | FAST_ZERO, NBD_ENOSPC, NBD_EPERM,
	 0, NBD_FLAG_SEND_WRITE_ZEROES},
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
				  commands[_i].flags & flag ? 0 : NBD_EINVAL);
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
			  commands[_i].offered_by ? NBD_EINVAL : 0);
	ck_assert_uint_eq(check_with(ALL_FLAGS & ~NBD_FLAG_SEND_FUA,
				     commands[_i].type, FUA, 0, 4096),
			  NBD_EINVAL);
	ck_assert_uint_eq(check_with(ALL_FLAGS & ~NBD_FLAG_SEND_FAST_ZERO,
				     commands[_i].type, FAST_ZERO, 0, 4096),
			  NBD_EINVAL);
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

	ck_assert_uint_eq(check_with(flags, commands[_i].type, FUA, 0, 4096),
			  error);
	ck_assert_uint_eq(check_with(flags, commands[_i].type, 0, SIZE, 1),
			  error ? error : commands[_i].past_end);
}
END_TEST

/* --- structured replies -------------------------------------------------- */

START_TEST(a_read_may_ask_not_to_be_fragmented)
{
	ck_assert_uint_eq(check_in(NOTHING, ALL_FLAGS, NBD_CMD_READ, DF, 0, 1),
			  NBD_EINVAL);
	ck_assert_uint_eq(
		check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_READ, DF, 0, MAX), 0);
	ck_assert_uint_eq(check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_READ,
				   DF | FUA, SIZE - 1, 1),
			  0);
	ck_assert_uint_eq(check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_READ, DF, 0,
				   MAX + 1),
			  NBD_EOVERFLOW);
	ck_assert_uint_eq(check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_READ, DF,
				   SIZE, 1),
			  NBD_EINVAL);
	ck_assert_uint_eq(check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_WRITE, DF, 0,
				   1),
			  NBD_EINVAL);
}
END_TEST

START_TEST(a_read_in_chunks_has_any_length)
{
	ck_assert_uint_eq(check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_READ, 0, 0,
				   UINT32_MAX),
			  0);
	ck_assert_uint_eq(check_in(STRUCTURED, ALL_FLAGS, NBD_CMD_WRITE, 0, 0,
				   MAX + 1),
			  NBD_EINVAL);
}
END_TEST

static uint32_t check_status(enum agreed agreed, unsigned flags,
			     uint64_t offset, uint32_t length)
{
	return check_in(agreed, ALL_FLAGS, NBD_CMD_BLOCK_STATUS, flags, offset,
			length);
}

START_TEST(block_status_needs_a_context)
{
	ck_assert_uint_eq(check_status(NOTHING, 0, 0, 1), NBD_EINVAL);
	ck_assert_uint_eq(check_status(STRUCTURED, 0, 0, 1), NBD_EINVAL);
	ck_assert_uint_eq(check_status(CONTEXT, 0, 0, 1), 0);
	ck_assert_uint_eq(check_status(CONTEXT, 0, 0, UINT32_MAX), 0);
	ck_assert_uint_eq(check_status(CONTEXT, 0, SIZE - 1, 1), 0);
	ck_assert_uint_eq(check_status(CONTEXT, 0, 0, 0), NBD_EINVAL);
	ck_assert_uint_eq(check_status(CONTEXT, 0, SIZE, 1), NBD_EINVAL);
	ck_assert_uint_eq(check_status(CONTEXT, 0, SIZE - 1, 2), NBD_EINVAL);
	ck_assert_uint_eq(check_status(CONTEXT, 0, UINT64_MAX, 2), NBD_EINVAL);
	for (unsigned bit = 0; bit < 16; bit++) {
		unsigned flag = 1u << bit;

		ck_assert_uint_eq(check_status(CONTEXT, flag, 0, 4096),
				  flag & (FUA | REQ_ONE) ? 0 : NBD_EINVAL);
	}
}
END_TEST

START_TEST(flush_has_no_range)
{
	ck_assert_uint_eq(check(NBD_CMD_FLUSH, 0, 0, 0), 0);
	ck_assert_uint_eq(check(NBD_CMD_FLUSH, FUA, 0, 0), 0);
	ck_assert_uint_eq(check(NBD_CMD_FLUSH, DF, 0, 0), NBD_EINVAL);
	ck_assert_uint_eq(check(NBD_CMD_FLUSH, 0, 1, 0), NBD_EINVAL);
	ck_assert_uint_eq(check(NBD_CMD_FLUSH, 0, 0, 1), NBD_EINVAL);
	ck_assert_uint_eq(check_with(ALL_FLAGS & ~NBD_FLAG_SEND_FLUSH,
				     NBD_CMD_FLUSH, 0, 0, 0),
			  NBD_EINVAL);
}
END_TEST

START_TEST(a_goodbye_is_never_refused)
{
	ck_assert_uint_eq(check(NBD_CMD_DISC, 0xffff, UINT64_MAX, UINT32_MAX),
			  0);
}
END_TEST

static const uint16_t unknown_types[] = {8, 255, 0xffff};

START_TEST(unknown_types_are_refused)
{
	ck_assert_uint_eq(check(unknown_types[_i], 0, 0, 4096), NBD_EINVAL);
	ck_assert_uint_eq(check(unknown_types[_i], REQ_ONE, 0, 0), NBD_EINVAL);
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
	tcase_add_test(tc, a_read_may_ask_not_to_be_fragmented);
	tcase_add_test(tc, a_read_in_chunks_has_any_length);
	tcase_add_test(tc, block_status_needs_a_context);
	tcase_add_test(tc, flush_has_no_range);
	tcase_add_test(tc, a_goodbye_is_never_refused);
	tcase_add_loop_test(tc, unknown_types_are_refused, 0,
			    ARRAY_SIZE(unknown_types));
	tcase_add_loop_test(tc, errors_become_those_of_the_protocol, 0,
			    ARRAY_SIZE(errors));
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
