# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Where zsd's processor time goes, by perf(1) where there is one; sourced by
# bench.sh. One thread on its core, the client on another, real pages, lz4.
: "${work:?}" "${results:?}" "${seconds:?}" "${disk_bytes:?}"

profile_loads=("write d32" "read d32" "read d1")

why_no_perf() {
    local log=$work/perf.log
    command -v perf >"$log" || {
        echo "perf is not on this machine (apt-get install linux-perf)"
        return
    }
    perf record -o "$work/perf.data" -e cpu-clock true >"$log" 2>&1 ||
        echo "perf record is not allowed here"
}

# Shares of time, the largest first: percent;object;symbol.
profile_rows() {
    perf report --input "$work/perf.data" --stdio --no-children \
        --fields overhead,dso,sym --field-separator ';' \
        2>"$work/perf.log" | sed -n '/^ *[0-9.]*% *;/p'
}

profile_load() { # OPERATION SHAPE
    local client
    run_nbdload 1 "$1" "$2" zsd-lz4 >"$work/profiled.json" &
    client=$!
    perf record --output "$work/perf.data" --event cpu-clock \
        --freq 4000 --pid "${pid_of[zsd-lz4]:?}" \
        -- sleep "$seconds" >"$work/perf.log" 2>&1 ||
        die "perf: $(cat "$work/perf.log")"
    wait "$client"
    profile_rows | jq -cRs --arg workload "$1-$2" \
        '{part: "profile", $workload, rows: [split("\n")[]
            | select(length > 0) | split(";") | {
                share: (.[0] | sub("^ *"; "") | sub("% *$"; "") | tonumber),
                object: (.[1] | sub(" +$"; "")),
                symbol: (.[2] | sub("^\\[.\\] "; "") | sub(" +$"; ""))
            }][:12]}' >>"$results"
}

part_profile() {
    local load
    [ -z "$(why_no_perf)" ] || {
        progress "no profile: $(why_no_perf)"
        return 0
    }
    progress "profile"
    start_server pinned zsd-lz4 "$disk_bytes"
    fill_nbdload zsd-lz4
    for load in "${profile_loads[@]}"; do
        # shellcheck disable=SC2086 # two words
        profile_load $load
    done
    stop_servers
}
