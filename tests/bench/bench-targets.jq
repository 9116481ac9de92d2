# SPDX-License-Identifier: GPL-2.0-or-later
# What zsd is meant to reach, and what a run says of it: told, not asserted.
# What a run did not measure has no row.

# Input: anything. $measured: a spread, a number or null.
def target($topic; $what; $sense; $asked; $unit; $digits; $measured):
    ($measured | if type == "object" then .median else . end) as $value
    | if $value == null then empty else {
        $topic, $what, $sense, $asked, $unit, $digits,
        measured: $value,
        spread: ($measured | if type == "object" then . else null end),
        met: (if $sense == "at most" then $value <= $asked
            else $value >= $asked end)
      } end;

def at_most($topic; $what; $asked; $unit; $digits; $measured):
    target($topic; $what; "at most"; $asked; $unit; $digits; $measured);
def at_least($topic; $what; $asked; $unit; $digits; $measured):
    target($topic; $what; "at least"; $asked; $unit; $digits; $measured);

def scaled($factor): if . == null then null else map_values(. * $factor) end;

def cpu:
    (.cpu[] | select(.server == "zsd-lz4")) as $cpu
    | at_most("cpu"; "4 KiB write, lz4, depth 32: CPU beyond the codec's";
        2.0; "us"; 2; $cpu.write_beyond_us),
      at_most("cpu"; "4 KiB read, lz4, depth 32: CPU beyond the codec's";
        1.5; "us"; 2; $cpu.read_beyond_us);

def ratio($of; $to; $client; $workload; $figure):
    [.ratios[] | select(.of == $of and .to == $to and .client == $client
        and .workload == $workload) | .[$figure]][0];

def speed:
    . as $all
    | (({client: "fio", pages: "fio, its pages"},
        {client: "nbdload", pages: "nbdload, real pages"}) as $c
      | at_least("speed"; "writes a second, depth 32, over nbdkit malloc's ("
            + $c.pages + ")"; 1.3; "x"; 2;
            ratio("zsd-lz4"; "nbdkit-malloc"; $c.client; "write-d32"; "iops")),
        at_least("speed"; "writes a second, depth 32, over nbdkit zstd's ("
            + $c.pages + ")"; 12; "x"; 1;
            ratio("zsd-lz4"; "nbdkit-zstd"; $c.client; "write-d32"; "iops")),
        at_least("speed"; "reads a second, depth 32, over nbdkit malloc's ("
            + $c.pages + ")"; 1.6; "x"; 2;
            ratio("zsd-lz4"; "nbdkit-malloc"; $c.client; "read-d32"; "iops"))),
      at_most("latency"; "read at depth 1: mean over nbdkit malloc's";
        1; "x"; 2; ratio("zsd-lz4"; "nbdkit-malloc"; "nbdload"; "read-d1";
            "mean_us")),
      at_least("latency"; "read at depth 1, --poll: nbdkit malloc's mean over it";
        1.5; "x"; 2; (ratio("zsd-lz4-poll"; "nbdkit-malloc"; "nbdload";
            "read-d1"; "mean_us") | if . then 1 / . else null end)),
      at_most("latency"; "writes at depth 32: p99.9 over the median"; 4; "x"; 2;
        ([.speed[] | select(.client == "nbdload" and .server == "zsd-lz4"
            and .workload == "write-d32") | .tail][0])),
      at_most("latency"; "the same with compaction running"; 4; "x"; 2;
        ([.delays[] | select(.shape == "d32") | .beside_tail][0]));

def density:
    ([.density[] | select(.server == "zsd-lz4" and .pages == "all")][0])
        as $full
    | ([.trims[] | select(.server == "zsd-lz4" and .percent == 90)][0])
        as $trim
    | at_most("density"; "pool and metadata over compressed bytes";
        1.03; ""; 3; $full.filled),
      at_most("density"; "the same by growth of the process, reserve aside";
        1.03; ""; 3; $full.filled_grown),
      at_most("density"; "the same, 90 % trimmed, compacted, with metadata";
        1.08; ""; 3; $trim.compacted),
      at_most("density"; "the pool alone, 90 % trimmed, compacted";
        1.08; ""; 3; $trim.compacted_pool);

def compaction:
    at_least("compaction"; "objects moved a second, one thread";
        1e6; ""; 0; .compaction.objects_per_second),
    at_most("compaction"; "p99.9 of requests beside it, later by";
        1; "ms"; 3; ([.delays[] | select(.shape == "d1") | .later_us][0]
            | scaled(0.001)));

def scaling:
    at_least("scaling"; "writes, 2 threads over 1, in the process";
        1.6; "x"; 2; .scaling.store_gain),
    at_least("scaling"; "the same over sockets, by CPU time";
        1.6; "x"; 2; .scaling.socket_gain);

def dictionary:
    at_most("dictionary"; "zstd:1, time to compress with one over without";
        0.75; "x"; 2; .dictionary.share),
    at_least("dictionary"; "its ratio over that without"; 1; "x"; 3;
        (if .dictionary
         then .dictionary | .with_ratio / .without_ratio else null end));

def startup:
    (.startup[] | select(.size == "64G")) as $start
    | at_most("start-up"; "until ready, 64 GiB"; 50; "ms"; 1;
        ($start.ready_us | scaled(0.001))),
      at_most("start-up"; "resident before the first write, 64 GiB";
        200; "MiB"; 1; ($start.resident_bytes | scaled(1 / 1048576)));

# Input: figures.
def all:
    [cpu, speed, density, compaction, scaling, dictionary, startup];
