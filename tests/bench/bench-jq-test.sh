#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What bench's .jq files compute is right: medians, ratios, the model, targets.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

bench=${top_srcdir:?set by make check}/tests/bench

require jq

# expect JQ-CONDITION, with the modules as f (figures), m, g (targets), t (text)
expect() {
    [ "$(jq -n -L "$bench" 'import "bench-figures" as f;
        import "bench-model" as m; import "bench-targets" as g;
        import "bench-text" as t; '"$1")" = true ] || fail "not so: $1"
}

# --- numbers ---
expect '[3, 1, 2] | f::spread == {median: 2, min: 1, max: 3}'
expect '[4, 1, 2, 3] | f::median == 2.5'
expect '[] | f::spread == null'
expect '[1, null] | f::spread == null'

# --- text ---
expect '[0, 0.05, 12.349, -0.26 | t::fixed(2)]
    == ["0.00", "0.05", "12.35", "-0.26"]'
expect '1234.5 | t::fixed(0) == "1235"'
expect '[{a: 1}, {a: 2}] | f::spread_of(.a) | t::with_spread(1)
    == "1.5 (1.0..2.0)"'

# --- the model ---
# Without locks, cores add up; one core never waits for itself.
expect '{alone_us: 10, stations: []} | [m::rates([1, 8])[].rate] == [0.1, 0.8]'
expect '{alone_us: 9, stations: [{name: "a", us: 1}]}
    | m::rates([1])[0].rate == 0.1'
# Two cores and one lock, by hand: the second finds the first in it with the
# chance that one core is in it, D / (Z + D).
expect '{alone_us: 9, stations: [{name: "a", us: 1}]}
    | m::rates([2])[0].rate - 2 / (9 + 1 * (1 + 1 / 10)) | fabs < 1e-12'
# Very many are held to what the busiest lock lets through.
expect '{alone_us: 9, stations: [{name: "a", us: 1}, {name: "b", us: 0.1}]}
    | (m::rates([500])[0].rate - 1 | fabs < 1e-6)
        and m::bottleneck.name == "a"'
# Hold times are spread over the writes, and taken off a write alone.
expect '{writes: 10, locks: [{lock: "class", class: 7, hold_ns: 20000},
        {lock: "arena", class: 255, hold_ns: 5000}]}
    | m::from_locks(10) | .alone_us == 7.5
        and .stations == [{name: "class 7", us: 2}, {name: "arena", us: 0.5}]'

# --- targets ---
expect '[g::at_most("t"; "w"; 2; "us"; 1; {median: 2, min: 1, max: 3})]
    | .[0].met and .[0].measured == 2'
expect '[g::at_most("t"; "w"; 2; "us"; 1; 2.01)][0].met == false'
expect '[g::at_least("t"; "w"; 2; "us"; 1; 1.99)][0].met == false'
expect '[g::at_least("t"; "w"; 2; "us"; 1; null)] == []'

# --- a run, from lines to text ---
# Two rounds of two servers, and one of the codec: enough for ratios and rows.
lines() {
    local server iops round
    for round in 1 2; do
        for server in "zsd-lz4 3000" "nbdkit-malloc 2000" "nbdkit-zstd 100"; do
            iops=${server#* }
            jq -nc --argjson round "$round" --arg server "${server% *}" \
                --argjson iops "$iops" '{part: "speed", client: "nbdload",
                $server, $round, workload: "write-d32", $iops,
                server_cpu_us: 5, client_cpu_us: 1, other_cpu_share: 0.01,
                latency: {mean_us: 10, p50_us: 10, p99_us: 20, "p99.9_us": 30,
                    "p99.99_us": 40}}'
        done
        jq -nc --argjson round "$round" '{part: "cpu", server: "zsd-lz4",
            $round, codec: {compress_us: (8 + $round), decompress_us: 2},
            write: {server_cpu_us: (10.5 + $round)},
            read: {server_cpu_us: 4}}'
    done
}

about='{servers: "zsd-lz4\n  nbdkit-malloc nbdkit-zstd", commit: "c",
    date: "d", cpu: "cpu", cores: 2, kernel: "k", nbdkit: "n", qemu: "q",
    fio: "f", seconds: 1, rounds: 2, disk_bytes: 1048576, pages: "p",
    large_bytes: 1048576, elapsed_s: 60, no_zram: "needs root", no_perf: "", quiet: 0.1,
    client_core: 0, server_core: 1}'
summary=$(lines | jq -s -L "$bench" \
    'import "bench-figures" as f; f::summary('"$about"')')

holds() { # JQ-CONDITION
    jq -e "$1" <<<"$summary" >/dev/null || fail "not so: $1: $summary"
}

holds '[.speed[].server] == ["zsd-lz4", "nbdkit-malloc", "nbdkit-zstd"]'
holds '.cpu[0].write_beyond_us == {median: 2.5, min: 2.5, max: 2.5}'
holds '.targets | map({key: .what, value: .met}) | from_entries
    == {"4 KiB write, lz4, depth 32: CPU beyond the codec'"'"'s": false,
        "4 KiB read, lz4, depth 32: CPU beyond the codec'"'"'s": false,
        "writes a second, depth 32, over nbdkit malloc'"'"'s (nbdload, real pages)": true,
        "writes a second, depth 32, over nbdkit zstd'"'"'s (nbdload, real pages)": true,
        "writes at depth 32: p99.9 over the median": true}'
text=$(jq -r -L "$bench" 'import "bench-text" as t; t::all' <<<"$summary")
for words in "== Targets" "== Processor time" "zsd-lz4 / nbdkit-malloc" \
    "no, by 25 %" "needs root" "x1.50"; do
    grep -qF -- "$words" <<<"$text" || fail "no '$words' in: $text"
done
chart() { # NAME
    jq -r -L "$bench" --arg name "$1" \
        'import "bench-charts" as c; if c::has_data($name)
            then c::table($name) else "nothing" end' <<<"$summary"
}
[ "$(chart speed)" = $'server\twrite-d32\tread-d32
zsd-lz4\t3\t-\nnbdkit-malloc\t2\t-\nnbdkit-zstd\t0.1\t-' ] ||
    fail "the chart of speed: $(chart speed)"
[ "$(chart density)" = nothing ] || fail "a chart of nothing"
[ "$(chart connections)" = nothing ] || fail "a chart of nothing"

! grep -qF "== Density" <<<"$text" || fail "density out of nothing: $text"
