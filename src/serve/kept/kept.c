/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "serve/kept/kept.h"

/* Of a transmission. The copies of requests come last: mostly there are none,
 * and the rest is next to the positions of the rings. */
struct saved {
	uint64_t parsed;
	uint64_t nr_answered;
	uint64_t begun; /* the number and 1 of that request, or 0 */
	int32_t reason;
	bool is_over;
	struct reqs_saved reqs;
};

_Static_assert(sizeof(struct saved) <= STREAM_STATE_BYTES,
	       "a transmission fits a commit");
_Static_assert(EXPORT_MAX_NAME_BYTES <= STREAM_NAME_BYTES,
	       "each name of an export fits a stream");

/* --- the server ----------------------------------------------------------- */

static void put_session(const struct nbd_session *session, uint32_t number,
			struct stream_session *to)
{
	memset(to, 0, sizeof(*to));
	to->disk_bytes = session->export->size_bytes;
	to->number = number;
	to->structured_replies = session->structured_replies;
	to->has_context = session->has_context;
	memcpy(to->export_name, session->export->name,
	       strlen(session->export->name));
}

void kept_begin(struct conn *c)
{
	if (!c->stream)
		return;
	stream_begin(c->stream, &c->rx, &c->tx);
	put_session(&c->handshake.session, c->number, &c->stream->session);
	c->transmission.mark = &c->stream->mark;
	kept_save(c);
	stream_keep(c->stream);
	c->is_kept = true;
}

void kept_save(struct conn *c)
{
	struct transmission *t = &c->transmission;
	struct saved *saved = stream_next(c->stream);

	saved->parsed = t->parsed;
	saved->nr_answered = t->nr_answered;
	saved->begun = t->begun ? t->begun->number + 1 : 0;
	saved->reason = t->reason;
	saved->is_over = t->is_over;
	reqs_save(&t->reqs, &saved->reqs);
	t->told_pos = t->tx->tail;
	stream_commit(c->stream, t->rx, t->tx);
}

void kept_end(struct conn *c)
{
	if (c->is_kept)
		stream_drop(c->stream);
	c->is_kept = false;
}

/* --- the next one --------------------------------------------------------- */

static int get_session(const struct stream_session *from,
		       const struct export_table *exports,
		       struct nbd_session *session)
{
	struct export *export;

	if (!memchr(from->export_name, 0, sizeof(from->export_name)))
		return -EUCLEAN;
	export = export_table_find(exports, from->export_name);
	if (!export || export->nbd.size_bytes != from->disk_bytes)
		return -ENXIO;
	*session = (struct nbd_session){
		.export = &export->nbd,
		.structured_replies = from->structured_replies,
		.has_context = from->has_context,
	};
	return 0;
}

/* What is left of a write's payload is in the receive ring, or still to come. */
static bool has_payload(const struct transmission *t, const struct req *req,
			uint64_t parsed)
{
	return req->nbd.type != NBD_CMD_WRITE ||
	       (req->payload_pos >= t->rx->head && req->payload_pos <= parsed &&
		parsed - req->payload_pos >= req->left_bytes);
}

static bool can_be(const struct transmission *t, const struct req *req,
		   const struct saved *saved)
{
	const struct nbd_request *nbd = &req->nbd;

	return (req->error || !nbd_request_check(nbd, t->session)) &&
	       req->number < saved->reqs.nr_taken &&
	       req->left_bytes <= nbd->length &&
	       req->offset == nbd->offset + (nbd->length - req->left_bytes) &&
	       has_payload(t, req, saved->parsed);
}

static bool are_sound(const struct transmission *t, const struct saved *saved)
{
	const struct reqs_saved *reqs = &saved->reqs;

	if (reqs->nr > REQS_MAX || saved->parsed < t->rx->head)
		return false;
	for (uint32_t i = 0; i < reqs->nr; i++) {
		if (!can_be(t, &reqs->all[i], saved))
			return false;
	}
	return true;
}

/* A request that may have killed its servers gets no further. */
static void refuse(struct transmission *t, uint64_t refused)
{
	struct req *req = refused ? reqs_find(&t->reqs, refused - 1) : NULL;

	t->refused = refused;
	if (!req || req->error)
		return;
	req->error = NBD_EIO;
	req->error_offset = req->offset;
}

static int load(struct transmission *t, const struct saved *saved)
{
	if (!are_sound(t, saved))
		return -EUCLEAN;
	reqs_load(&t->reqs, &saved->reqs);
	t->alone_until = saved->reqs.nr_taken;
	t->parsed = saved->parsed;
	t->seen_tail = t->rx->tail;
	t->begun = saved->begun ? reqs_find(&t->reqs, saved->begun - 1) : NULL;
	t->nr_answered = saved->nr_answered;
	t->reason = saved->reason;
	t->is_over = saved->is_over;
	t->looks_pos = t->sends_pos = t->told_pos = t->tx->tail;
	return 0;
}

static void blame(struct conn *c, const struct serve_params *params,
		  bool was_killed)
{
	uint64_t refused = stream_blame(c->stream, was_killed);

	refuse(&c->transmission, refused);
	if (refused)
		io_log(params->log, IO_LOG_ERROR,
		       "connection %" PRIu64 ": request %" PRIu64
		       " is answered with an error: %u times the server "
		       "died of it",
		       c->id, refused - 1, c->stream->nr_deaths);
}

int kept_resume(struct conn *c, const struct serve_params *params,
		bool was_killed)
{
	struct nbd_session *session = &c->handshake.session;
	int err = stream_resume(c->stream, &c->rx, &c->tx);

	if (!err)
		err = get_session(&c->stream->session, params->exports,
				  session);
	if (err)
		return err;
	transmission_init(&c->transmission, session, &c->rx, &c->tx);
	err = load(&c->transmission, stream_committed(c->stream));
	if (err)
		return err;
	blame(c, params, was_killed);
	c->transmission.mark = &c->stream->mark;
	c->number = c->stream->session.number;
	c->is_kept = true;
	return 0;
}
