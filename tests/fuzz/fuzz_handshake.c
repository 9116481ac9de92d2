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
#include "nbd/nbdc_bytes.h"

/* Room for two options of the longest kind, and more of the usual ones. */
#define MAX_WIRE_BYTES (160u << 10)
#define MAX_ITEMS      80u

/* All answers: no option has more than NBD_HANDSHAKE_OUT_BYTES. */
#define MAX_OUT_BYTES ((MAX_ITEMS + 1) * (size_t)NBD_HANDSHAKE_OUT_BYTES)

static uint8_t wire_memory[MAX_WIRE_BYTES];

/* What the client says; what does not fit is left out. */
static struct nbdc_bytes wire = {wire_memory, MAX_WIRE_BYTES, 0, 0, false};

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

static void put_zeros(size_t nr)
{
	static const uint8_t zeros[NBD_HANDSHAKE_MAX_DATA_BYTES + 16];

	nbdc_put_bytes(&wire, zeros, nr);
}

static void put_taken(struct fuzz_input *in, size_t nr)
{
	const uint8_t *bytes;

	nr = fuzz_take(in, nr, &bytes);
	nbdc_put_bytes(&wire, bytes, nr);
}

/* A name that is ours, empty, or from the input. */
static void put_name(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t how = fuzz_byte(in);

	if (how < 64) {
		nbdc_put(&wire, 4, 0);
	} else if (how < 128) {
		nbdc_put(&wire, 4, strlen(export->name));
		nbdc_put_text(&wire, export->name);
	} else {
		nbdc_put(&wire, 4, how - 128u);
		put_taken(in, how - 128u);
	}
}

/* u32 length, name, u16 count, that many u16; or a count that is wrong. */
static void put_info(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t nr;

	put_name(in, export);
	nr = fuzz_byte(in);
	nbdc_put(&wire, 2, nr & 0x7f);
	if (nr & 0x80)
		return;
	for (; nr; nr--)
		nbdc_put(&wire, 2, fuzz_byte(in) % 5);
}

/* The same with queries for meta contexts. */
static void put_queries(struct fuzz_input *in, const struct nbd_export *export)
{
	static const char *const contexts[] = {"base:allocation",
					       "base:", "qemu:x", "x"};
	uint8_t nr;

	put_name(in, export);
	nr = fuzz_byte(in) % 8;
	nbdc_put(&wire, 4, nr);
	for (; nr; nr--) {
		const char *context = contexts[fuzz_byte(in) % 4];

		nbdc_put(&wire, 4, strlen(context));
		nbdc_put_text(&wire, context);
	}
}

static void put_data(struct fuzz_input *in, const struct nbd_export *export,
		     uint8_t how)
{
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
		put_zeros(NBDC_MAX_STRING_BYTES - 16 + how / 8);
		break;
	case 5:
		nbdc_put_text(&wire, export->name);
		break;
	default:
		break;
	}
}

static void put_option(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t option = fuzz_byte(in), how = fuzz_byte(in);
	size_t start, length;

	nbdc_put_option_header(
		&wire,
		option < 0xf0 ? option % 12 : (uint32_t)fuzz_number(in, 4), 0);
	if (wire.overrun)
		return;
	start = wire.bytes;
	put_data(in, export, how);
	length = wire.bytes - start;
	if (how >= 0xf8)
		length = fuzz_number(in, 4);
	else if (how >= 0xe0) /* wrong by a little */
		length += (size_t)(int8_t)fuzz_byte(in);
	store_be32(wire.data + start - 4, (uint32_t)length);
}

static void put_stream(struct fuzz_input *in, const struct nbd_export *export)
{
	uint8_t flags = fuzz_byte(in);

	wire.bytes = 0;
	wire.overrun = false;
	nbdc_put(&wire, 4, flags < 0xf0 ? flags & 3 : fuzz_number(in, 4));
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
	static const size_t edges[] = {4, NBDC_OPTION_BYTES,
				       NBDC_OPTION_BYTES - 1};
	const struct nbd_exports offered = {.all = &export, .nr = 1};
	struct nbd_out out = {.data = o->out, .room = sizeof(o->out)};
	struct nbd_handshake hs;
	size_t fed = 0, consumed;

	nbd_handshake_start(&hs, &offered, &out);
	FUZZ_CHECK(out.bytes == NBDC_GREETING_BYTES, "no greeting");
	o->consumed = 0;
	do {
		fed += in ? fuzz_piece(in, wire.bytes - fed, edges,
				       ARRAY_SIZE(edges))
			  : wire.bytes - fed;
		fuzz_forbid(wire.data + fed, wire.room - fed);
		o->result =
			nbd_handshake_feed(&hs, wire.data + o->consumed,
					   fed - o->consumed, &consumed, &out);
		fuzz_allow(wire.data, wire.room);
		FUZZ_CHECK(consumed <= fed - o->consumed,
			   "consumes more than there is");
		o->consumed += consumed;
		if (o->result != NBD_HANDSHAKE_MORE)
			break;
		FUZZ_CHECK(fed - o->consumed <= NBD_HANDSHAKE_IN_BYTES,
			   "leaves %zu bytes with its caller",
			   fed - o->consumed);
	} while (fed < wire.bytes);
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
	struct nbdc_bytes answers;
};

struct option {
	uint32_t option;
	uint32_t length;
	const uint8_t *data;
};

/* The type of the last answer to @option, past those that go before it. */
static uint32_t last_reply(struct dialogue *d, uint32_t option)
{
	size_t before = d->answers.taken;
	struct nbdc_rep rep;

	do {
		const char *wrong = nbdc_take_rep(&d->answers, option, &rep);

		FUZZ_CHECK(!wrong, "option %u: %s", option, wrong);
	} while (!nbdc_rep_is_last(rep.type));
	FUZZ_CHECK(d->answers.taken - before <= NBD_HANDSHAKE_OUT_BYTES,
		   "option %u: %zu bytes of answer", option,
		   d->answers.taken - before);
	return rep.type;
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
		return REP_ERR_INVALID;
	name_bytes = load_be32(opt->data);
	if (name_bytes + 6 > opt->length || name_bytes > NBDC_MAX_STRING_BYTES)
		return REP_ERR_INVALID;
	infos = load_be16(opt->data + 4 + name_bytes);
	if (opt->length != 6 + name_bytes + 2 * infos)
		return REP_ERR_INVALID;
	return is_ours(d, opt->data + 4, name_bytes) ? REP_ACK
						     : REP_ERR_UNKNOWN;
}

/* 0: more than one is right. */
static uint32_t right_answer(const struct dialogue *d, const struct option *opt,
			     bool is_fixed)
{
	if (opt->length > NBD_HANDSHAKE_MAX_DATA_BYTES)
		return REP_ERR_TOO_BIG;
	if (!is_fixed)
		return REP_ERR_INVALID;
	switch (opt->option) {
	case OPT_ABORT:
		return REP_ACK;
	case OPT_LIST:
		return opt->length ? REP_ERR_INVALID : REP_ACK;
	case OPT_INFO:
	case OPT_GO:
		return answer_to_info(d, opt);
	case OPT_STRUCTURED_REPLY:
	case OPT_LIST_META_CONTEXT:
	case OPT_SET_META_CONTEXT:
		return 0;
	default:
		return REP_ERR_UNSUP;
	}
}

static void check_export_name(struct dialogue *d, const struct option *opt,
			      bool no_zeroes)
{
	size_t bytes =
		NBDC_EXPORT_BYTES + (no_zeroes ? 0 : NBDC_EXPORT_PAD_BYTES);
	bool is_right = opt->length <= NBDC_MAX_STRING_BYTES &&
			is_ours(d, opt->data, opt->length);

	FUZZ_CHECK(d->o->result == (is_right ? NBD_HANDSHAKE_TRANSMISSION
					     : NBD_HANDSHAKE_CLOSE),
		   "EXPORT_NAME leads to %d", d->o->result);
	if (is_right)
		nbdc_take_bytes(&d->answers, bytes);
	d->at = d->o->consumed;
}

static bool ends_handshake(uint32_t option, uint32_t answer)
{
	return option == OPT_ABORT ? answer == REP_ACK
				   : option == OPT_GO && answer == REP_ACK;
}

/* One option that was consumed. Tells whether it was the last. */
static bool check_option(struct dialogue *d, uint32_t client_flags)
{
	bool is_fixed = client_flags & NBDC_FIXED_NEWSTYLE;
	const uint8_t *p = wire.data + d->at;
	struct option opt = {load_be32(p + 8), load_be32(p + 12),
			     p + NBDC_OPTION_BYTES};
	uint32_t answer, right;

	if (opt.option == OPT_EXPORT_NAME) {
		check_export_name(d, &opt, client_flags & NBDC_NO_ZEROES);
		return true;
	}
	if (opt.length > d->o->consumed - d->at - NBDC_OPTION_BYTES) {
		d->at = d->o->consumed; /* skipped, but not to its end */
		return true;
	}
	d->at += NBDC_OPTION_BYTES + opt.length;
	answer = last_reply(d, opt.option);
	right = right_answer(d, &opt, is_fixed);
	FUZZ_CHECK(!right || answer == right, "option %u: %#x, not %#x",
		   opt.option, answer, right);
	if (!ends_handshake(opt.option, answer))
		return false;
	FUZZ_CHECK(d->o->result == (opt.option == OPT_GO
					    ? NBD_HANDSHAKE_TRANSMISSION
					    : NBD_HANDSHAKE_CLOSE),
		   "option %u leads to %d", opt.option, d->o->result);
	return true;
}

static void check_answers(const struct nbd_export *export, struct outcome *o)
{
	struct dialogue d = {
		.export = export,
		.o = o,
		.at = 4,
		.answers = {.data = o->out,
			    .bytes = o->out_bytes,
			    .taken = NBDC_GREETING_BYTES},
	};
	unsigned nr = 0;
	bool is_last = false;

	if (o->consumed < 4)
		return;
	while (!is_last && d.at < o->consumed) {
		is_last = check_option(&d, load_be32(wire.data));
		nr++;
	}
	FUZZ_CHECK(nr <= NBD_HANDSHAKE_MAX_OPTIONS, "%u options are taken", nr);
	FUZZ_CHECK(d.at == o->consumed, "consumes more after the last option");
	FUZZ_CHECK(d.answers.taken == o->out_bytes && !d.answers.overrun,
		   "answers more than was asked");
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
