# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How soon zsd is ready, and what it needs before anything is stored; sourced by
# bench.sh. From just before it is started until it says that it listens.
: "${build:?}" "${work:?}" "${results:?}" "${startups:?}"

us_now() {
    echo "${EPOCHREALTIME/[.,]/}"
}

measure_startup() { # ROUND SIZE
    local socket=$work/startup.sock start_us end_us line fd pid resident
    start_us=$(us_now)
    exec {fd}< <(exec "$build/zsd" -s "$2" -u "$socket" 2>&1)
    pid=$!
    while read -r -t 10 line <&"$fd"; do
        [[ $line != *ready* ]] || break
    done
    end_us=$(us_now)
    [[ $line == *ready* ]] || die "zsd did not get ready: $line"
    resident=$(resident_bytes "$pid")
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    exec {fd}<&-
    jq -nc --argjson round "$1" --arg size "$2" \
        --argjson ready_us "$((end_us - start_us))" \
        --argjson resident_bytes "$resident" \
        '{part: "startup", $round, $size, $ready_us, $resident_bytes}' \
        >>"$results"
}

part_startup() {
    local round
    progress "startup"
    for ((round = 1; round <= startups; round++)); do
        measure_startup "$round" 64G
        measure_startup "$round" 1G
    done
}
