/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "zsd/damage_log.h"
#include "io/log.h"

int damage_log_init(struct damage_log *log)
{
	memset(log, 0, sizeof(*log));
	return uv_mutex_init(&log->lock);
}

void damage_log_fini(struct damage_log *log)
{
	uv_mutex_destroy(&log->lock);
}

bool damage_log_note(struct damage_log *log, uint64_t index)
{
	struct damage_notes *notes = &log->notes;
	bool is_first;

	uv_mutex_lock(&log->lock);
	is_first = !notes->nr_pages;
	if (notes->nr_pages < DAMAGE_LOG_PAGES)
		notes->pages[notes->nr_pages++] = index;
	else
		notes->nr_more++;
	uv_mutex_unlock(&log->lock);
	return is_first;
}

/* Whether a line may be written now; if so, it is counted. */
static bool may_say(struct damage_log *log, uint64_t now_ns)
{
	if (now_ns - log->window_ns >= DAMAGE_LOG_WINDOW_NS) {
		log->window_ns = now_ns;
		log->nr_lines = 0;
	}
	return log->nr_lines++ < DAMAGE_LOG_BURST;
}

static void say(struct damage_log *log, uint64_t index)
{
	if (log->nr_unsaid)
		log_line("damaged pages were read %" PRIu64 " more times",
			 log->nr_unsaid);
	log->nr_unsaid = 0;
	log_line("page %" PRIu64 " of the disk is damaged: what is stored of "
		 "it does not decompress or has another checksum",
		 index);
}

void damage_log_flush(struct damage_log *log, uint64_t now_ns)
{
	struct damage_notes notes;

	uv_mutex_lock(&log->lock);
	notes = log->notes;
	log->notes.nr_pages = 0;
	log->notes.nr_more = 0;
	uv_mutex_unlock(&log->lock);

	for (unsigned i = 0; i < notes.nr_pages; i++) {
		if (may_say(log, now_ns))
			say(log, notes.pages[i]);
		else
			log->nr_unsaid++;
	}
	log->nr_unsaid += notes.nr_more;
}
