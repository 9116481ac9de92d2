#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make bench - zsd next to nbdkit's memory disks: speed, processor time, density
#
# usage: bench.sh --build DIR [--quick] [--rounds N] [--seconds N]
#                 [--servers "NAME..."] [--pages FILE]... [--json FILE]
#
# Method
#   Servers   zsd with lz4 and with zstd:1, nbdkit's memory plugin with the
#             allocators malloc (no compression: what the protocol costs) and
#             zstd (its compression). All of them run from start to end, one
#             thread each, and are idle while another one is measured.
#   Pages     recorded memory of programs where ../shared/corpus has it next to
#             the source tree, otherwise made-up pages (pagegen). The disk is
#             256 MiB, filled with them before, and a mixed run that checks
#             every byte read goes ahead of all figures.
#   Load      4 KiB requests at random places over one Unix socket connection,
#             1 and 32 of them under way (nbdload).
#   Cores     client on one core, server on another, by taskset. One server
#             thread, because two on one core would only cost switches.
#   Rounds    every round runs every load on every server in turn, so that a
#             change of the machine's mood hits all alike. Figures are medians
#             over the rounds, with the lowest and the highest.
#   Noise     a run during which other processes took more than a tenth of a
#             core is repeated, three times at most, and the quietest is kept
#             (--quick: not repeated). What they took is printed too: where it
#             is more, requests per second mean little, and processor time per
#             request is to be preferred.
#   Processor time per request is the server's alone, user and system, all
#             threads, to the nanosecond (load_cpu.h).
#   Density   a new server for each page file, its disk as large as the file,
#             filled once, in order. "written / resident": bytes written over
#             how much larger the process's VmRSS is than that of the same
#             server with an empty disk of 1 MiB, which can be asked of any
#             server. For zsd, from what zsctl tells: bytes written over
#             mem_used_total + metadata_bytes, and that sum over the compressed
#             bytes, also after 4 KiB writes of random pages to random places,
#             two for each page of the disk, and after compaction.
# Nothing is asserted: a slow run is not an error.
set -euo pipefail

# --- what to do --------------------------------------------------------------
rounds=5
seconds=1
tries=4   # to find the machine quiet, each time
quiet=0.1 # what others may take of a core, for that
disk_bytes=$((256 << 20))
build=
json=
servers="zsd-lz4 zsd-zstd nbdkit-malloc nbdkit-zstd"
pages=()

# name, percentages read:write:trim, depth
workloads=(
    "write-d1 0:100:0 1"
    "write-d32 0:100:0 32"
    "read-d1 100:0:0 1"
    "read-d32 100:0:0 32"
)

usage() {
    sed -n '/^# usage:/,/^#$/s/^# //p' "$0" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --quick) rounds=2 tries=1; shift; continue ;;
    --build | --rounds | --seconds | --servers | --pages | --json)
        [ $# -ge 2 ] || usage
        ;;
    *) usage ;;
    esac
    case $1 in
    --build) build=$2 ;;
    --rounds) rounds=$2 ;;
    --seconds) seconds=$2 ;;
    --servers) servers=$2 ;;
    --pages) pages+=("$2") ;;
    --json) json=$2 ;;
    esac
    shift 2
done
[ -n "$build" ] || usage

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
nbdload=$build/tests/bench/nbdload
work=$(mktemp -d)
results=$work/results.jsonl
density=$work/density.jsonl
declare -A pid_of=()

die() {
    echo "bench: $*" >&2
    exit 1
}

require() { # TOOL PACKAGE
    command -v "$1" >/dev/null ||
        die "$1 is missing; it comes with: apt-get install $2"
}

stop_servers() {
    local name
    for name in "${!pid_of[@]}"; do
        kill "${pid_of[$name]}" 2>/dev/null || true
        wait "${pid_of[$name]}" 2>/dev/null || true
        unset "pid_of[$name]"
    done
}

clean_up() {
    stop_servers
    rm -rf "$work"
}

# --- cores and pages ---------------------------------------------------------

# The processors this process may use, one a line.
allowed_cores() {
    local range first last
    local -a ranges
    IFS=, read -ra ranges < <(sed -n 's/^Cpus_allowed_list:\t//p' \
        /proc/self/status)
    for range in "${ranges[@]}"; do
        first=${range%-*} last=${range#*-}
        seq "$first" "$last"
    done
}

choose_cores() {
    local -a cores
    mapfile -t cores < <(allowed_cores)
    client_core=${cores[0]}
    server_core=${cores[1]:-${cores[0]}}
}

choose_pages() {
    local packed file
    [ ${#pages[@]} -eq 0 ] || return 0
    for packed in "$top"/../shared/corpus/*.pages.zst; do
        [ -e "$packed" ] || continue
        require zstd zstd
        file=$build/tests/bench/$(basename "$packed" .zst)
        [ -e "$file" ] || zstd -qdf "$packed" -o "$file"
        pages+=("$file")
    done
    [ ${#pages[@]} -eq 0 ] || return 0
    file=$build/tests/bench/made-up.pages
    "$build/tests/bench/pagegen" --size 64M "$file"
    pages=("$file")
}

# --- servers -----------------------------------------------------------------

server_command() { # NAME BYTES SOCKET
    case $1 in
    zsd-lz4) command=("$build/zsd" -t 1 -s "$2" -u "$3" -a lz4) ;;
    zsd-zstd) command=("$build/zsd" -t 1 -s "$2" -u "$3" -a zstd:1) ;;
    nbdkit-*)
        command=(nbdkit -f -t 1 -U "$3" memory "$2"
            "allocator=${1#nbdkit-}")
        ;;
    *) die "no such server: $1" ;;
    esac
}

start_server() { # NAME BYTES
    local socket=$work/$1.sock log=$work/$1.log tries
    local -a command
    server_command "$1" "$2" "$socket"
    rm -f "$socket"
    taskset -c "$server_core" "${command[@]}" 2>"$log" &
    pid_of[$1]=$!
    # It is ready when it shakes hands; ten seconds are plenty.
    for ((tries = 0; tries < 100; tries++)); do
        if [ -S "$socket" ] && load "$1" --requests 0 2>/dev/null; then
            return
        fi
        kill -0 "${pid_of[$1]}" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    die "$1 did not start: ${command[*]}"
}

load() { # NAME NBDLOAD-OPTION...
    local name=$1
    shift
    taskset -c "$client_core" "$nbdload" --socket "$work/$name.sock" \
        --server-pid "${pid_of[$name]}" "${page_options[@]}" "$@"
}

# --- speed -------------------------------------------------------------------

prepare() { # NAME
    start_server "$1" "$disk_bytes"
    load "$1" --prefill --verify --block-bytes 64K --depth 8 \
        --mix 70:30:0 --requests 4000 >"$work/verify.log" ||
        die "$1 does not hold what was written to it"
}

# Measure until others leave the machine alone, or $tries times; keep the
# quietest: measure ROUND WORKLOAD MIX DEPTH NAME
measure() {
    local try runs=$work/runs.jsonl
    : >"$runs"
    for ((try = 0; try < tries; try++)); do
        load "$5" --mix "$3" --depth "$4" --seconds "$seconds" \
            --seed "$1" --json >>"$runs"
        jq -es "min_by(.other_cpu_share).other_cpu_share < $quiet" \
            "$runs" >"$work/quiet.log" && break
    done
    jq -cs --arg server "$5" --arg workload "$2" --argjson round "$1" \
        '{$server, $workload, $round} + min_by(.other_cpu_share)' \
        "$runs" >>"$results"
}

measure_all() {
    local name round workload
    for name in $servers; do
        prepare "$name"
    done
    for ((round = 1; round <= rounds; round++)); do
        echo "bench: round $round of $rounds" >&2
        for workload in "${workloads[@]}"; do
            for name in $servers; do
                # shellcheck disable=SC2086 # three words
                measure "$round" $workload "$name"
            done
        done
    done
    stop_servers
}

# --- density -----------------------------------------------------------------

resident_bytes() { # PID
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}

# The sizes that a server tells of itself; {} where it tells none.
own_sizes() { # NAME
    case $1 in
    zsd-*)
        "$build/zsctl" --control "$work/$1.sock.ctl" --json stats |
            jq -c '.result | .mm_stat + .memory'
        ;;
    *) echo '{}' ;;
    esac
}

# Sizes after the fill, after every page was replaced about twice, and after
# compaction, for those servers that tell: one array.
weigh_in_use() { # NAME NR_PAGES
    own_sizes "$1"
    case $1 in
    zsd-*)
        load "$1" --mix 0:100:0 --depth 32 --requests "$((2 * $2))" \
            >"$work/overwrite.log"
        own_sizes "$1"
        "$build/zsctl" --control "$work/$1.sock.ctl" compact \
            >"$work/compact.log"
        own_sizes "$1"
        ;;
    esac
}

weigh() { # NAME LABEL FILE...
    local name=$1 label=$2 bytes before after
    local -a page_options=()
    shift 2
    bytes=$(cat "$@" | wc -c)
    page_options=("${@/#/--pages=}")
    start_server "$name" "$((1 << 20))"
    before=$(resident_bytes "${pid_of[$name]}")
    stop_servers
    start_server "$name" "$bytes"
    load "$name" --prefill --requests 0 --block-bytes 64K --depth 4
    after=$(resident_bytes "${pid_of[$name]}")
    weigh_in_use "$name" "$((bytes / 4096))" |
        jq -cs -L "$here" --arg server "$name" --arg pages "$label" \
            --argjson bytes "$bytes" --argjson resident "$((after - before))" \
            'import "bench-summary" as s;
             {$server, $pages, $bytes, $resident, sizes: .} | s::density' \
            >>"$density"
    stop_servers
}

weigh_all() {
    local name file
    echo "bench: density" >&2
    for name in $servers; do
        for file in "${pages[@]}"; do
            weigh "$name" "$(basename "$file" .pages)" "$file"
        done
        [ ${#pages[@]} -eq 1 ] || weigh "$name" all "${pages[@]}"
    done
}

# --- report ------------------------------------------------------------------

about() {
    jq -n \
        --arg date "$(date -u +%Y-%m-%d)" \
        --arg commit "$(git -C "$top" describe --always --dirty \
            2>/dev/null || echo released)" \
        --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo |
            head -n 1)" \
        --arg kernel "$(uname -r)" \
        --arg nbdkit "$(nbdkit --version)" \
        --arg pages "$(basename -a -s .pages "${pages[@]}" | xargs)" \
        --argjson cores "$(nproc)" \
        --argjson client_core "$client_core" \
        --argjson server_core "$server_core" \
        --arg servers "$servers" \
        --argjson rounds "$rounds" --argjson seconds "$seconds" \
        --argjson disk_bytes "$disk_bytes" \
        '$ARGS.named'
}

report() {
    jq -s --argjson about "$(about)" --slurpfile density "$density" \
        -L "$here" 'import "bench-summary" as s; s::summary($about; $density)' \
        "$results" >"$work/summary.json"
    jq -r -L "$here" 'import "bench-summary" as s; s::text' \
        "$work/summary.json"
    if [ -n "$json" ]; then
        cp "$work/summary.json" "$json"
    fi
}

require nbdkit nbdkit
require jq jq
require taskset util-linux
trap clean_up EXIT
choose_cores
choose_pages
page_options=("${pages[@]/#/--pages=}")
measure_all
weigh_all
report
