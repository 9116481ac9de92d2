/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schema - every figure that zsd tells of itself, each of them once
 *
 * A group of figures is a list of X(name, unit, kind, help). From it come a
 * struct that is filled in by whoever counts, the JSON of the control protocol,
 * the tables of zsctl and those of docs/control-protocol.md. A figure that is
 * added here shows up in all of them.
 *
 *   unit   COUNT, BYTES, LIMIT (bytes, 0 is none), SECONDS, MICROSECONDS:
 *          integers that are not negative, or null where CTL_UNKNOWN.
 *          SIGNED: an integer. REAL: a number, or null where it is not a
 *          number. FLAG: true or false. TEXT: a string, or null.
 *   kind   GAUGE: what it is now, which goes up and down. COUNTER: how much
 *          there was since the start, which only goes up.
 *   help   half a sentence for a table, without a full stop.
 *
 * Names of zram's and zsmalloc's figures are theirs. ctl/document.h makes JSON
 * of the structs.
 *
 * Threads: constant data, and pure functions of their arguments.
 */
#ifndef ZSD_CTL_SCHEMA_H
#define ZSD_CTL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- stats: the server ---------------------------------------------------- */

#define CTL_SERVER(X)                                                \
	X(version, TEXT, GAUGE, "version of zsd, for people")        \
	X(protocol, COUNT, GAUGE, "version of the control protocol") \
	X(pid, COUNT, GAUGE, "process id of zsd")                    \
	X(uptime_seconds, SECONDS, GAUGE, "time since zsd started")  \
	X(threads, COUNT, GAUGE, "worker threads")                   \
	X(resident_bytes, BYTES, GAUGE, "memory of the whole process")

#define CTL_CONNECTIONS(X)                                                 \
	X(open, COUNT, GAUGE, "connections now")                           \
	X(max, COUNT, GAUGE, "most connections there may be")              \
	X(accepted, COUNT, COUNTER, "connections accepted")                \
	X(refused, COUNT, COUNTER, "connections refused, beyond the most") \
	X(handshake_failures, COUNT, COUNTER,                              \
	  "connections that ended before their first request")

#define CTL_POLLING(X)                                                \
	X(window_us, MICROSECONDS, GAUGE,                             \
	  "how long a worker polls before it sleeps; 0: it does not") \
	X(hits, COUNT, COUNTER, "times that polling found a request") \
	X(misses, COUNT, COUNTER, "times that polling found none")    \
	X(spun_us, MICROSECONDS, COUNTER, "time that workers spent polling")

#define CTL_SURVIVAL(X)                                                      \
	X(keeper_pid, COUNT, GAUGE,                                          \
	  "process id of the keeper; 0: zsd runs without --survive")         \
	X(generation, COUNT, COUNTER, "servers before this one")             \
	X(deaths, COUNT, COUNTER, "servers that died while they served")     \
	X(last_pause_us, MICROSECONDS, GAUGE,                                \
	  "time from the last death until a client was answered")            \
	X(standby_ready, FLAG, GAUGE, "whether another server waits, ready") \
	X(refused_upgrades, COUNT, COUNTER,                                  \
	  "upgrades that the program installed could not make")

#define CTL_SAFETY(X)                                                       \
	X(mode, TEXT, GAUGE, "zsd --swap: off, swap or strict")             \
	X(vm_lck_bytes, BYTES, GAUGE, "address space that is locked")       \
	X(vm_swap_bytes, BYTES, GAUGE, "memory of zsd that is swapped out") \
	X(oom_score_adj, SIGNED, GAUGE,                                     \
	  "-1000: the kernel never kills zsd to get memory")                \
	X(heap_growth_bytes, BYTES, GAUGE, "allocated since zsd was ready")

#define CTL_THREAD(X)                                                         \
	X(name, TEXT, GAUGE, "name of the thread")                            \
	X(tid, COUNT, GAUGE, "thread id")                                     \
	X(io_flusher, FLAG, GAUGE, "whether its allocations wait for no I/O") \
	X(realtime, FLAG, GAUGE, "whether it runs before others")             \
	X(minor_faults, COUNT, COUNTER, "page faults since zsd was ready")    \
	X(major_faults, COUNT, COUNTER, "those of them that read from a disk")

/* --- stats: of each export ------------------------------------------------ */

#define CTL_EXPORT(X)                                     \
	X(name, TEXT, GAUGE, "name that clients ask for") \
	X(uuid, TEXT, GAUGE, "of the disk: another one is another disk")

#define CTL_DISK(X)                                                    \
	X(size_bytes, BYTES, GAUGE, "size that clients see")           \
	X(algorithm, TEXT, GAUGE, "codec and level")                   \
	X(recomp_algorithm, TEXT, GAUGE,                               \
	  "those for pages that rest; none: they are left alone")      \
	X(checksum, FLAG, GAUGE, "whether each object has a checksum") \
	X(read_only, FLAG, GAUGE, "whether clients may not change it") \
	X(chain_size, COUNT, GAUGE, "most pages in a zspage")          \
	X(clients, COUNT, GAUGE, "connections that use it now")

#define CTL_MM_STAT(X)                                                    \
	X(orig_data_size, BYTES, GAUGE, "stored, uncompressed")           \
	X(compr_data_size, BYTES, GAUGE, "the same, compressed")          \
	X(mem_used_total, BYTES, GAUGE,                                   \
	  "the same, with what is lost around it")                        \
	X(mem_limit, LIMIT, GAUGE, "most memory that may be used")        \
	X(mem_used_max, BYTES, GAUGE, "the most that mem_used_total was") \
	X(same_pages, COUNT, GAUGE, "pages that repeat one word")         \
	X(pages_compacted, COUNT, COUNTER, "pages freed by compaction")   \
	X(huge_pages, COUNT, GAUGE, "pages that do not compress")         \
	X(huge_pages_since, COUNT, COUNTER, "pages that did not compress")

#define CTL_IO_STAT(X)                                                         \
	X(failed_reads, COUNT, COUNTER, "pages that could not be read")        \
	X(corrupt_reads, COUNT, COUNTER,                                       \
	  "times that a page was found damaged")                               \
	X(failed_writes, COUNT, COUNTER, "pages that a failed write left old") \
	X(notify_free, COUNT, COUNTER, "pages freed by trims")

#define CTL_MEMORY(X)                                                      \
	X(metadata_bytes, BYTES, GAUGE,                                    \
	  "memory of slots, handles, descriptors")                         \
	X(reserve_bytes, BYTES, GAUGE, "free pages that are ready")        \
	X(reserve_target_bytes, BYTES, GAUGE, "how many there should be")  \
	X(direct_grows, COUNT, COUNTER, "writes that found no page ready") \
	X(starved_requests, COUNT, COUNTER,                                \
	  "times that a write waited for a page")                          \
	X(failed_requests, COUNT, COUNTER, "times that it waited in vain") \
	X(ratio, REAL, GAUGE, "bytes stored for a byte of memory")         \
	X(bytes_per_compressed_byte, REAL, GAUGE,                          \
	  "bytes of memory for a compressed byte")

#define CTL_DICTIONARY(X)                                                    \
	X(current, COUNT, GAUGE, "number of the one for new pages; 0: none") \
	X(memory_bytes, BYTES, GAUGE, "memory of all dictionaries")

#define CTL_DICTIONARY_ROW(X)                                          \
	X(number, COUNT, GAUGE, "1 to 15, used again when it is free") \
	X(secondary, FLAG, GAUGE, "whether it is recomp_algorithm's")  \
	X(bytes, BYTES, GAUGE, "size of the dictionary")               \
	X(memory_bytes, BYTES, GAUGE, "memory that it takes in all")   \
	X(pages, COUNT, GAUGE, "pages that are stored with it")        \
	X(current, FLAG, GAUGE, "whether its codec compresses with it")

#define CTL_POLICY(X)                                                         \
	X(state, TEXT, GAUGE,                                                 \
	  "off, waits, trains, recompresses, shares, compacts, writes out")   \
	X(reason, TEXT, GAUGE, "why it does so")                              \
	X(age_seconds, SECONDS, GAUGE,                                        \
	  "pages that were not accessed for so long are recompressed")        \
	X(memory_used, REAL, GAUGE, "part of the machine's memory in use")    \
	X(memory_stall, REAL, GAUGE,                                          \
	  "percent of the time in which tasks waited for memory")             \
	X(cpu_stall, REAL, GAUGE,                                             \
	  "percent of the time in which tasks waited for a processor")        \
	X(rounds, COUNT, COUNTER, "times that it recompressed")               \
	X(trainings, COUNT, COUNTER, "models and dictionaries that it made")  \
	X(pages_tried, COUNT, COUNTER, "pages that it tried to recompress")   \
	X(pages_recompressed, COUNT, COUNTER, "those that became shorter")    \
	X(bytes_before, BYTES, COUNTER, "their objects before")               \
	X(bytes_after, BYTES, COUNTER, "their objects after")                 \
	X(pages_compacted, COUNT, COUNTER, "pages that it freed behind that") \
	X(pages_sharing, COUNT, GAUGE,                                        \
	  "pages that have the object of another")                            \
	X(bytes_shared, BYTES, COUNTER, "objects that were freed for that")   \
	X(writeback_reason, TEXT, GAUGE,                                      \
	  "why pages are written out, or not; null: there is no backing")     \
	X(writeback_age_seconds, SECONDS, GAUGE,                              \
	  "pages that were not accessed for so long are written out")         \
	X(writeback_rounds, COUNT, COUNTER, "times that it wrote out")        \
	X(pages_written_out, COUNT, COUNTER, "pages that it wrote out")       \
	X(bytes_written_out, BYTES, COUNTER, "their objects")

#define CTL_BACKING(X)                                                         \
	X(kind, TEXT, GAUGE, "file or block device; null: there is none")      \
	X(size_bytes, BYTES, GAUGE, "size of the backing")                     \
	X(bd_count, COUNT, GAUGE, "blocks of 4 KiB that have pages")           \
	X(bd_reads, COUNT, COUNTER, "times that a page was read from one")     \
	X(bd_writes, COUNT, COUNTER, "blocks written")                         \
	X(pages, COUNT, GAUGE, "pages that are there")                         \
	X(bytes, BYTES, GAUGE, "their objects")                                \
	X(failed_reads, COUNT, COUNTER, "blocks that could not be read")       \
	X(failed_writes, COUNT, COUNTER, "blocks that could not be written")   \
	X(reads_waiting, COUNT, GAUGE, "blocks that are being read")           \
	X(encrypted, FLAG, GAUGE, "whether what is written is encrypted")      \
	X(rotational, FLAG, GAUGE, "whether it is on a disk that turns")       \
	X(day_written_bytes, BYTES, GAUGE, "written in the last 24 hours")     \
	X(day_limit_bytes, LIMIT, GAUGE, "most that may be written in them")

#define CTL_REQUESTS(X)                                                      \
	X(read, COUNT, COUNTER, "reads answered")                            \
	X(write, COUNT, COUNTER, "writes answered")                          \
	X(flush, COUNT, COUNTER, "flushes answered")                         \
	X(trim, COUNT, COUNTER, "trims answered")                            \
	X(write_zeroes, COUNT, COUNTER, "write-zeroes answered")             \
	X(cache, COUNT, COUNTER, "cache requests answered")                  \
	X(block_status, COUNT, COUNTER, "block status requests answered")    \
	X(errors, COUNT, COUNTER, "requests answered with an error")         \
	X(read_bytes, BYTES, COUNTER, "returned by reads, zeros included")   \
	X(write_bytes, BYTES, COUNTER, "received with writes")               \
	X(overtakes, COUNT, COUNTER, "reads answered before earlier writes") \
	X(helped_pages, COUNT, COUNTER,                                      \
	  "pages of writes packed by workers that had nothing else to do")

/* --- stats of size classes ------------------------------------------------ */

#define CTL_CLASS(X)                                                          \
	X(class, COUNT, GAUGE, "index, 0 to 254")                             \
	X(size, BYTES, GAUGE, "size of an object, its header included")       \
	X(almost_full, COUNT, GAUGE, "zspages with more than a quarter used") \
	X(almost_empty, COUNT, GAUGE, "zspages with a quarter used or less")  \
	X(obj_allocated, COUNT, GAUGE,                                        \
	  "objects that its zspages have room for")                           \
	X(obj_used, COUNT, GAUGE, "objects that are used")                    \
	X(pages_used, COUNT, GAUGE, "pages in its zspages")                   \
	X(pages_per_zspage, COUNT, GAUGE, "pages in a whole zspage")          \
	X(objs_per_zspage, COUNT, GAUGE, "objects in a whole zspage")         \
	X(freeable, COUNT, GAUGE, "pages that compaction would free at least")

#define CTL_CLASS_TOTAL(X)                                     \
	X(almost_full, COUNT, GAUGE, "sum over all classes")   \
	X(almost_empty, COUNT, GAUGE, "sum over all classes")  \
	X(obj_allocated, COUNT, GAUGE, "sum over all classes") \
	X(obj_used, COUNT, GAUGE, "sum over all classes")      \
	X(pages_used, COUNT, GAUGE, "sum over all classes")    \
	X(freeable, COUNT, GAUGE, "sum over all classes")

/* --- outcomes ------------------------------------------------------------- */

#define CTL_COMPACT(X)                                                       \
	X(pages_compacted, COUNT, GAUGE, "pages freed")                      \
	X(bytes_freed, BYTES, GAUGE, "the same in bytes")                    \
	X(objects_moved, COUNT, GAUGE, "objects that went to another place") \
	X(duration_us, MICROSECONDS, GAUGE, "time that it took")             \
	X(release_us, MICROSECONDS, GAUGE, "time to give free pages back")

#define CTL_VERIFY(X)                                                     \
	X(ok, FLAG, GAUGE, "whether everything is as it should be")       \
	X(pages_checked, COUNT, GAUGE,                                    \
	  "stored pages that read as they should")                        \
	X(pages_damaged, COUNT, GAUGE, "stored pages that do not")        \
	X(problem, TEXT, GAUGE, "the first thing that is wrong, or \"\"") \
	X(duration_us, MICROSECONDS, GAUGE, "time that it took")

#define CTL_TRAIN(X)                                                         \
	X(used, FLAG, GAUGE, "whether new pages are compressed with it")     \
	X(number, COUNT, GAUGE, "its number in stats; 0: it is not used")    \
	X(bytes, BYTES, GAUGE, "size of the dictionary")                     \
	X(pages_trained, COUNT, GAUGE, "pages that it was made of")          \
	X(pages_tested, COUNT, GAUGE, "other pages that it was tested with") \
	X(before_number, COUNT, GAUGE, "the one used until then; 0: none")   \
	X(secondary, FLAG, GAUGE, "whether it is for pages that rest")       \
	X(more, FLAG, GAUGE, "whether the secondary codec has one, too")     \
	X(duration_us, MICROSECONDS, GAUGE, "time that it took in all")

#define CTL_TRAIN_COST(X)                                                \
	X(bytes_per_page, REAL, GAUGE, "bytes of a compressed page")     \
	X(compress_us, REAL, GAUGE, "processor time to compress it, us") \
	X(decompress_us, REAL, GAUGE, "processor time to decompress it, us")

#define CTL_RESET_PEAK(X) \
	X(mem_used_max, BYTES, GAUGE, "what it is now: mem_used_total")

#define CTL_IDLE(X) X(pages_idle, COUNT, GAUGE, "pages that are marked now")

#define CTL_RECOMPRESS(X)                                                \
	X(pages_tried, COUNT, GAUGE, "pages that were tried")            \
	X(pages_recompressed, COUNT, GAUGE, "those that became shorter") \
	X(bytes_before, BYTES, GAUGE, "their objects before")            \
	X(bytes_after, BYTES, GAUGE, "their objects after")              \
	X(duration_us, MICROSECONDS, GAUGE, "time that it took")

#define CTL_WRITEBACK(X)                                               \
	X(pages_tried, COUNT, GAUGE, "pages in blocks that were written") \
	X(pages_written, COUNT, GAUGE, "those that are there now")       \
	X(bytes_written, BYTES, GAUGE, "their objects")                  \
	X(blocks, COUNT, GAUGE, "blocks of 4 KiB that were written")     \
	X(blocks_failed, COUNT, GAUGE, "blocks that could not be")       \
	X(problem, TEXT, GAUGE, "why it ended early, or \"\"")           \
	X(duration_us, MICROSECONDS, GAUGE, "time that it took")

#define CTL_UPGRADE(X)                                                 \
	X(generation, COUNT, GAUGE, "what survival.generation is now") \
	X(refused_upgrades, COUNT, GAUGE,                              \
	  "what survival.refused_upgrades is now")

#define CTL_SAVE(X)                                                      \
	X(format, COUNT, GAUGE, "version of the format of what follows") \
	X(size_bytes, BYTES, GAUGE, "size of the disk")                  \
	X(pages, COUNT, GAUGE, "stored pages now: as many will come")    \
	X(live, FLAG, GAUGE, "whether it may change while it is saved")

/* --- all groups ----------------------------------------------------------- */

/*
 * X(struct and table, list, place): where in a result a group is. "stats" is
 * the result of `stats`, and so on; "[]" is each element of an array.
 */
#define CTL_GROUPS(X)                                               \
	X(server, CTL_SERVER, "stats")                              \
	X(export, CTL_EXPORT, "stats.exports[]")                    \
	X(disk, CTL_DISK, "stats.exports[].disk")                   \
	X(mm_stat, CTL_MM_STAT, "stats.exports[].mm_stat")          \
	X(io_stat, CTL_IO_STAT, "stats.exports[].io_stat")          \
	X(memory, CTL_MEMORY, "stats.exports[].memory")             \
	X(dictionary, CTL_DICTIONARY, "stats.exports[].dictionary") \
	X(dictionary_row, CTL_DICTIONARY_ROW,                       \
	  "stats.exports[].dictionary.dictionaries[]")              \
	X(policy, CTL_POLICY, "stats.exports[].policy")             \
	X(backing, CTL_BACKING, "stats.exports[].backing")          \
	X(requests, CTL_REQUESTS, "stats.exports[].requests")       \
	X(connections, CTL_CONNECTIONS, "stats.connections")        \
	X(polling, CTL_POLLING, "stats.polling")                    \
	X(survival, CTL_SURVIVAL, "stats.survival")                 \
	X(safety, CTL_SAFETY, "stats.safety")                       \
	X(thread, CTL_THREAD, "stats.safety.threads[]")             \
	X(class, CTL_CLASS, "stats.classes[]")                      \
	X(class_total, CTL_CLASS_TOTAL, "stats.total")              \
	X(compact, CTL_COMPACT, "compact")                          \
	X(verify, CTL_VERIFY, "verify")                             \
	X(train, CTL_TRAIN, "train")                                \
	X(train_cost, CTL_TRAIN_COST, "train.trained")              \
	X(reset_peak, CTL_RESET_PEAK, "reset_peak")                 \
	X(idle, CTL_IDLE, "idle")                                   \
	X(recompress, CTL_RECOMPRESS, "recompress")                 \
	X(writeback, CTL_WRITEBACK, "writeback")                    \
	X(upgrade, CTL_UPGRADE, "upgrade")                          \
	X(save, CTL_SAVE, "save")

/* The C type of a figure, by its unit. */
#define CTL_TYPE_COUNT	      uint64_t
#define CTL_TYPE_BYTES	      uint64_t
#define CTL_TYPE_LIMIT	      uint64_t
#define CTL_TYPE_SECONDS      uint64_t
#define CTL_TYPE_MICROSECONDS uint64_t
#define CTL_TYPE_SIGNED	      int64_t
#define CTL_TYPE_REAL	      double
#define CTL_TYPE_FLAG	      bool
#define CTL_TYPE_TEXT	      const char *

enum ctl_unit {
	CTL_UNIT_COUNT,
	CTL_UNIT_BYTES,
	CTL_UNIT_LIMIT,
	CTL_UNIT_SECONDS,
	CTL_UNIT_MICROSECONDS,
	CTL_UNIT_SIGNED,
	CTL_UNIT_REAL,
	CTL_UNIT_FLAG,
	CTL_UNIT_TEXT,
};

enum ctl_kind {
	CTL_KIND_GAUGE,
	CTL_KIND_COUNTER
};

/* What a figure is that nobody can tell: null. */
#define CTL_UNKNOWN UINT64_MAX

/* struct ctl_server, struct ctl_export, … with a field for each figure. */
#define CTL_FIELD(name, unit, kind, help) CTL_TYPE_##unit name;
#define CTL_STRUCT(name, FIGURES, place) \
	struct ctl_##name {              \
		FIGURES(CTL_FIELD)       \
	};
CTL_GROUPS(CTL_STRUCT)
#undef CTL_STRUCT

struct ctl_figure {
	const char *name;
	enum ctl_unit unit;
	enum ctl_kind kind;
	const char *help;
};

struct ctl_group {
	const char *place;
	const struct ctl_figure *figures;
	size_t nr_figures;
};

extern const struct ctl_group ctl_groups[];
extern const size_t ctl_nr_groups;

/**
 * ctl_figure_find() - what is known of a member of a result
 * @place: of its group
 *
 * Return: the figure, or NULL where it is not one of ours.
 */
const struct ctl_figure *ctl_figure_find(const char *place, const char *name);

#endif
