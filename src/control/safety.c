/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/units.h"
#include "control/safety.h"

static const char *const mode_names[] = {
	[SWAP_OFF] = "off",
	[SWAP_ON] = "swap",
	[SWAP_STRICT] = "strict",
};

static json_t *thread_document(const struct residence_thread *thread)
{
	return json_pack("{ss si sb sb sI sI}", "name", thread->name, "tid",
			 (int)thread->tid, "io_flusher", thread->is_io_flusher,
			 "realtime", thread->is_real_time, "minor_faults",
			 (json_int_t)thread->minor_faults, "major_faults",
			 (json_int_t)thread->major_faults);
}

static json_t *threads_document(struct residence *residence)
{
	struct residence_thread thread;
	json_t *threads = json_array();
	int failed = 0;

	for (unsigned i = 0; residence_thread(residence, i, &thread); i++)
		failed |= json_array_append_new(threads,
						thread_document(&thread));
	if (!failed)
		return threads;
	json_decref(threads);
	return NULL;
}

json_t *safety_document(struct residence *residence, struct housekeeper *keeper,
			struct zstore *store)
{
	struct residence_state state;
	uint64_t starved, failed;

	residence_state(residence, &state);
	housekeeper_count(keeper, &starved, &failed);
	return json_pack(
		"{ss sI sI si sI sI sI sI sI so}", "mode",
		mode_names[residence_mode(residence)], "vm_lck_bytes",
		(json_int_t)state.vm_lck_bytes, "vm_swap_bytes",
		(json_int_t)state.vm_swap_bytes, "oom_score_adj",
		state.oom_score_adj, "reserve_bytes",
		(json_int_t)(zstore_reserve_pages(store) * ZSD_PAGE_BYTES),
		"reserve_target_bytes",
		(json_int_t)(zstore_reserve_target_pages(store) *
			     ZSD_PAGE_BYTES),
		"starved_requests", (json_int_t)starved, "failed_requests",
		(json_int_t)failed, "heap_growth_bytes",
		(json_int_t)state.heap_growth_bytes, "threads",
		threads_document(residence));
}
