/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client may say before the first request.
 *
 * An input makes a stream of options, right and wrong. It is fed twice, in one
 * go and in pieces, which must lead to the same; and each option must have
 * been answered as the specification says.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "fuzz.h"
#include "nbd/handshake.h"

/* Room for two options of the longest kind, and more of the usual ones. */
#define MAX_WIRE_BYTES (160u << 10)
#define MAX_ITEMS      80u

/* All answers: no option has more than NBD_HANDSHAKE_OUT_BYTES. */
#define MAX_OUT_BYTES ((MAX_ITEMS + 1) * (size_t)NBD_HANDSHAKE_OUT_BYTES)

static uint8_t wire[MAX_WIRE_BYTES];
static size_t wire_bytes;

/* How a handshake ended. */
struct outcome {
	enum nbd_handshake_result result;
	int close_reason;
	size_t consumed;
	size_t out_bytes;
	uint8_t out[MAX_OUT_BYTES];
};

static const struct nbd_export exports[] = {
	{"", "", 1 << 20, NBD_FLAG_HAS_FLAGS},
	{"disk", "a disk of ours", UINT64_C(1) << 42, 0xffff},
};

/* --- the stream ---------------------------------------------------------- */

static void put(const void *bytes, size_t nr)
{
	nr = min_u64(nr, sizeof(wire) - wire_bytes);
	memcpy(wire + wire_bytes, bytes, nr);
	wire_bytes += nr;
}

static void put_number(uint64_t number, unsigned bytes)
{
	uint8_t p[8];

	store_be64(p, number);
	put(p + 8 - bytes, bytes);
}

static void put_zeros(size_t nr)
{
	static const uint8_t zeros[4096];

	for (; nr > sizeof(zeros); nr -= sizeof(zeros))
		put(zeros, sizeof(zeros));
	put(zeros, nr);
}

static void put_taken(struct fuzz_input *in, size_t nr)
{
	const uint8_t *bytes;

	nr = fuzz_take(in, nr, &bytes);
	put(bytes, nr);
}

/* A name that is ours, empty, or from the input. */
static void put_name(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t how = fuzz_byte(in);

	if (how < 64) {
		put_number(0, 4);
	} else if (how < 128) {
		put_number(strlen(export->name), 4);
		put(export->name, strlen(export->name));
	} else {
		put_number(how - 128u, 4);
		put_taken(in, how - 128u);
	}
}

/* u32 length, name, u16 count, that many u16; or a count that is wrong. */
static void put_info(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t nr;

	put_name(in, export);
	nr = fuzz_byte(in);
	put_number(nr & 0x7f, 2);
	if (nr & 0x80)
		return;
	for (; nr; nr--)
		put_number(fuzz_byte(in) % 5, 2);
}

/* The same with queries for meta contexts. */
static void put_queries(struct fuzz_input *in, const struct nbd_export *export)
{
	static const char *const contexts[] = {"base:allocation",
					       "base:", "qemu:x", "x"};
	uint8_t nr;

	put_name(in, export);
	nr = fuzz_byte(in) % 8;
	put_number(nr, 4);
	for (; nr; nr--) {
		const char *context = contexts[fuzz_byte(in) % 4];

		put_number(strlen(context), 4);
		put(context, strlen(context));
	}
}

static void put_option(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t option = fuzz_byte(in), how = fuzz_byte(in);
	size_t length_at, length;

	put_number(NBD_IHAVEOPT, 8);
	put_number(option < 0xf0 ? option % 12 : fuzz_number(in, 4), 4);
	length_at = wire_bytes;
	put_number(0, 4);
	switch (how % 8) {
	case 0:
		put_info(in, export);
		break;
	case 1:
		put_queries(in, export);
		break;
	case 2:
		put_taken(in, how / 8u);
		break;
	case 3: /* around the longest that is looked at */
		put_zeros(NBD_HANDSHAKE_MAX_DATA_BYTES - 16 + how / 8);
		break;
	case 4: /* around the longest name */
		put_zeros(NBD_MAX_STRING_BYTES - 16 + how / 8);
		break;
	case 5:
		put(export->name, strlen(export->name));
		break;
	default:
		break;
	}
	if (wire_bytes < length_at + 4)
		return;
	length = wire_bytes - length_at - 4;
	if (how >= 0xf8)
		length = fuzz_number(in, 4);
	else if (how >= 0xe0) /* wrong by a little */
		length += (size_t)(int8_t)fuzz_byte(in);
	store_be32(wire + length_at, (uint32_t)length);
}

static void put_stream(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t flags = fuzz_byte(in);

	wire_bytes = 0;
	put_number(flags < 0xf0 ? flags & 3 : fuzz_number(in, 4), 4);
	for (unsigned i = 0; i < MAX_ITEMS && !fuzz_input_is_over(in); i++) {
		if (fuzz_byte(in) < 0xf8)
			put_option(in, export);
		else
			put_taken(in, fuzz_byte(in));
	}
}

/* --- feeding ------------------------------------------------------------- */

/* What is taken from @in decides on the pieces; without it there is one. */
static void feed(const struct nbd_export *export, struct fuzz_input *in,
		 struct outcome *o)
{
	static const size_t edges[] = {NBD_CLIENT_FLAGS_BYTES,
				       NBD_OPTION_HEADER_BYTES,
				       NBD_OPTION_HEADER_BYTES - 1};
	const struct nbd_exports offered = {.all = &export, .nr = 1};
	struct nbd_out out = {.data = o->out, .room = sizeof(o->out)};
	struct nbd_handshake hs;
	size_t fed = 0, consumed;

	nbd_handshake_start(&hs, &offered, &out);
	FUZZ_CHECK(out.bytes == NBD_GREETING_BYTES, "no greeting");
	o->consumed = 0;
	do {
		fed += in ? fuzz_piece(in, wire_bytes - fed, edges,
				       ARRAY_SIZE(edges))
			  : wire_bytes - fed;
		fuzz_forbid(wire + fed, sizeof(wire) - fed);
		o->result =
			nbd_handshake_feed(&hs, wire + o->consumed,
					   fed - o->consumed, &consumed, &out);
		fuzz_allow(wire, sizeof(wire));
		FUZZ_CHECK(consumed <= fed - o->consumed,
			   "consumes more than there is");
		o->consumed += consumed;
		if (o->result != NBD_HANDSHAKE_MORE)
			break;
		FUZZ_CHECK(fed - o->consumed <= NBD_HANDSHAKE_IN_BYTES,
			   "leaves %zu bytes with its caller",
			   fed - o->consumed);
	} while (fed < wire_bytes);
	o->out_bytes = out.bytes;
	o->close_reason = hs.close_reason;
}

static void compare(const struct outcome *a, const struct outcome *b)
{
	FUZZ_CHECK(a->result == b->result, "result %d in one go, %d in pieces",
		   a->result, b->result);
	FUZZ_CHECK(a->result != NBD_HANDSHAKE_CLOSE ||
			   a->close_reason == b->close_reason,
		   "closes for %d in one go, for %d in pieces", a->close_reason,
		   b->close_reason);
	FUZZ_CHECK(a->consumed == b->consumed,
		   "%zu bytes consumed in one go, %zu in pieces", a->consumed,
		   b->consumed);
	FUZZ_CHECK(a->out_bytes == b->out_bytes &&
			   memcmp(a->out, b->out, a->out_bytes) == 0,
		   "other answers in pieces than in one go");
}

/* --- what the answers must be -------------------------------------------- */

/* What the client sent and what came back, each up to where it was read. */
struct dialogue {
	const struct nbd_export *export;
	const struct outcome *o;
	size_t at;
	size_t answer_at;
};

struct option {
	uint32_t option;
	uint32_t length;
	const uint8_t *data;
};

/* A reply to @option; returns its type. */
static uint32_t next_reply(struct dialogue *d, uint32_t option)
{
	const uint8_t *p = d->o->out + d->answer_at;
	size_t left = d->o->out_bytes - d->answer_at;

	FUZZ_CHECK(left >= NBD_REP_HEADER_BYTES, "option %u: no answer",
		   option);
	FUZZ_CHECK(load_be64(p) == NBD_REP_MAGIC, "an answer without magic");
	FUZZ_CHECK(load_be32(p + 8) == option, "option %u: answer to %u",
		   option, load_be32(p + 8));
	FUZZ_CHECK(load_be32(p + 16) <= left - NBD_REP_HEADER_BYTES,
		   "option %u: half an answer", option);
	d->answer_at += NBD_REP_HEADER_BYTES + load_be32(p + 16);
	return load_be32(p + 12);
}

/* The type of the last reply to @option, past those that go before it. */
static uint32_t last_reply(struct dialogue *d, uint32_t option)
{
	size_t before = d->answer_at;
	uint32_t type;

	do {
		type = next_reply(d, option);
		FUZZ_CHECK(type == NBD_REP_ACK || type >= NBD_REP_ERR(1) ||
				   (type >= NBD_REP_SERVER &&
				    type <= NBD_REP_META_CONTEXT),
			   "option %u: an answer of type %u", option, type);
	} while (type != NBD_REP_ACK && type < NBD_REP_ERR(1));
	FUZZ_CHECK(d->answer_at - before <= NBD_HANDSHAKE_OUT_BYTES,
		   "option %u: %zu bytes of answer", option,
		   d->answer_at - before);
	return type;
}

static bool is_ours(const struct dialogue *d, const uint8_t *name, size_t bytes)
{
	return !bytes || (bytes == strlen(d->export->name) &&
			  memcmp(name, d->export->name, bytes) == 0);
}

static uint32_t answer_to_info(const struct dialogue *d,
			       const struct option *opt)
{
	uint64_t name_bytes, infos;

	if (opt->length < 6)
		return NBD_REP_ERR_INVALID;
	name_bytes = load_be32(opt->data);
	if (name_bytes + 6 > opt->length || name_bytes > NBD_MAX_STRING_BYTES)
		return NBD_REP_ERR_INVALID;
	infos = load_be16(opt->data + 4 + name_bytes);
	if (opt->length != 6 + name_bytes + 2 * infos)
		return NBD_REP_ERR_INVALID;
	return is_ours(d, opt->data + 4, name_bytes) ? NBD_REP_ACK
						     : NBD_REP_ERR_UNKNOWN;
}

/* 0: more than one is right. */
static uint32_t right_answer(const struct dialogue *d, const struct option *opt,
			     bool is_fixed)
{
	if (opt->length > NBD_HANDSHAKE_MAX_DATA_BYTES)
		return NBD_REP_ERR_TOO_BIG;
	if (!is_fixed)
		return NBD_REP_ERR_INVALID;
	switch (opt->option) {
	case NBD_OPT_ABORT:
		return NBD_REP_ACK;
	case NBD_OPT_LIST:
		return opt->length ? NBD_REP_ERR_INVALID : NBD_REP_ACK;
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		return answer_to_info(d, opt);
	case NBD_OPT_STRUCTURED_REPLY:
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		return 0;
	default:
		return NBD_REP_ERR_UNSUP;
	}
}

static void check_export_name(struct dialogue *d, const struct option *opt,
			      bool no_zeroes)
{
	size_t bytes = NBD_EXPORT_NAME_BYTES +
		       (no_zeroes ? 0 : NBD_EXPORT_NAME_ZEROES);
	bool is_right = opt->length <= NBD_MAX_STRING_BYTES &&
			is_ours(d, opt->data, opt->length);

	FUZZ_CHECK(d->o->result == (is_right ? NBD_HANDSHAKE_TRANSMISSION
					     : NBD_HANDSHAKE_CLOSE),
		   "EXPORT_NAME leads to %d", d->o->result);
	d->answer_at += is_right ? bytes : 0;
	d->at = d->o->consumed;
}

static bool ends_handshake(uint32_t option, uint32_t answer)
{
	return option == NBD_OPT_ABORT
		       ? answer == NBD_REP_ACK
		       : option == NBD_OPT_GO && answer == NBD_REP_ACK;
}

/* One option that was consumed. Tells whether it was the last. */
static bool check_option(struct dialogue *d, uint32_t client_flags)
{
	bool is_fixed = client_flags & NBD_FLAG_C_FIXED_NEWSTYLE;
	const uint8_t *p = wire + d->at;
	struct option opt = {load_be32(p + 8), load_be32(p + 12),
			     p + NBD_OPTION_HEADER_BYTES};
	uint32_t answer, right;

	if (opt.option == NBD_OPT_EXPORT_NAME) {
		check_export_name(d, &opt, client_flags & NBD_FLAG_C_NO_ZEROES);
		return true;
	}
	if (opt.length > d->o->consumed - d->at - NBD_OPTION_HEADER_BYTES) {
		d->at = d->o->consumed; /* skipped, but not to its end */
		return true;
	}
	d->at += NBD_OPTION_HEADER_BYTES + opt.length;
	answer = last_reply(d, opt.option);
	right = right_answer(d, &opt, is_fixed);
	FUZZ_CHECK(!right || answer == right, "option %u: %#x, not %#x",
		   opt.option, answer, right);
	if (!ends_handshake(opt.option, answer))
		return false;
	FUZZ_CHECK(d->o->result == (opt.option == NBD_OPT_GO
					    ? NBD_HANDSHAKE_TRANSMISSION
					    : NBD_HANDSHAKE_CLOSE),
		   "option %u leads to %d", opt.option, d->o->result);
	return true;
}

static void check_answers(const struct nbd_export *export,
			  const struct outcome *o)
{
	struct dialogue d = {.export = export,
			     .o = o,
			     .at = NBD_CLIENT_FLAGS_BYTES,
			     .answer_at = NBD_GREETING_BYTES};
	unsigned nr = 0;
	bool is_last = false;

	if (o->consumed < NBD_CLIENT_FLAGS_BYTES)
		return;
	while (!is_last && d.at < o->consumed) {
		is_last = check_option(&d, load_be32(wire));
		nr++;
	}
	FUZZ_CHECK(nr <= NBD_HANDSHAKE_MAX_OPTIONS, "%u options are taken", nr);
	FUZZ_CHECK(d.at == o->consumed, "consumes more after the last option");
	FUZZ_CHECK(d.answer_at == o->out_bytes, "answers more than was asked");
	FUZZ_CHECK(o->result != NBD_HANDSHAKE_TRANSMISSION || is_last,
		   "requests are let in by no option");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome in_one_go, in_pieces;
	const struct nbd_export *export;
	struct fuzz_input in;

	fuzz_input_init(&in, data, size);
	export = &exports[fuzz_byte(&in) % ARRAY_SIZE(exports)];
	put_stream(&in, export);
	feed(export, NULL, &in_one_go);
	fuzz_input_init(&in, data, size);
	feed(export, &in, &in_pieces);
	compare(&in_one_go, &in_pieces);
	check_answers(export, &in_one_go);
	return 0;
}
