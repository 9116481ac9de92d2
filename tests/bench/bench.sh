#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make bench - zsd next to nbdkit's memory disks: speed, processor time, density
#
# usage: bench.sh --build DIR [--quick] [--rounds N] [--seconds N]
#                 [--parts "nbdload fio density"] [--servers "NAME..."]
#                 [--pages FILE]... [--json FILE]
#
# docs/benchmarks.md tells what is measured and why; here is how:
#   Servers   zsd with lz4 and with zstd:1, nbdkit's memory plugin with the
#             allocators malloc (no compression: what the protocol costs) and
#             zstd. bench-servers.sh
#   Clients   4 KiB requests at random places over one Unix socket connection,
#             1 and 32 of them under way, by nbdload and by fio.
#             bench-clients.sh
#   Pages     recorded memory of programs where ../shared/corpus has it next to
#             the source tree, otherwise made-up pages (pagegen). nbdload
#             writes them, and density is measured with them.
#   Rounds    for each client all servers run from start to end, their disks
#             full, and are idle while another is measured. Every round runs
#             every load on every server in turn, so that a change of the
#             machine's mood hits all alike. Figures are medians over the
#             rounds, with the lowest and the highest.
#   Noise     a run during which other processes took more than a tenth of a
#             core is repeated, three times at most and six times a round, and
#             the quietest is kept (--quick: not repeated). What they took is
#             printed too: where it is more, requests per second mean little,
#             and processor time per request is to be preferred.
#   Processor time per request is the server's alone, user and system, all
#             threads, dead ones too, to the nanosecond (load_cpu.h).
#   Density   bench-density.sh
# Nothing is asserted: a slow run is not an error.
set -euo pipefail

# --- what to do --------------------------------------------------------------
rounds=5
seconds=1  # of each run
tries=4    # to find the machine quiet, each time
repeats=6  # of disturbed runs in a round, so that the whole has an end
quiet=0.1  # what others may take of a core
disk_bytes=$((256 << 20))
weigh_each=yes # page file, and not only all of them together
build=
json=
parts="nbdload fio density"
servers="zsd-lz4 zsd-zstd nbdkit-malloc nbdkit-zstd"
pages=()

# operation, depth
workloads=("write 1" "write 32" "read 1" "read 32")

usage() {
    sed -n '/^# usage:/,/^#$/s/^# //p' "$0" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --quick)
        rounds=2 seconds=0.5 tries=1 disk_bytes=$((128 << 20)) weigh_each=
        shift
        continue
        ;;
    --build | --rounds | --seconds | --parts | --servers | --pages | --json)
        [ $# -ge 2 ] || usage
        ;;
    *) usage ;;
    esac
    case $1 in
    --build) build=$2 ;;
    --rounds) rounds=$2 ;;
    --seconds) seconds=$2 ;;
    --parts) parts=$2 ;;
    --servers) servers=$2 ;;
    --pages) pages+=("$2") ;;
    --json) json=$2 ;;
    esac
    shift 2
done
[ -n "$build" ] || usage

die() {
    echo "bench: $*" >&2
    exit 1
}

require() { # TOOL PACKAGE
    command -v "$1" >/dev/null ||
        die "$1 is missing; it comes with: apt-get install $2"
}

has_part() { # PART
    [[ " $parts " == *" $1 "* ]]
}

require_tools() {
    local part
    for part in $parts; do
        case $part in
        nbdload | fio | density) ;;
        *) usage ;;
        esac
    done
    require nbdkit nbdkit
    require jq jq
    require taskset util-linux
    has_part fio || return 0
    require fio fio
    [[ $(fio --enghelp) == *nbd* ]] ||
        die "this fio was built without libnbd, it knows no --ioengine=nbd"
}

# --- pages and cores ---------------------------------------------------------

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

# --- speed -------------------------------------------------------------------

is_quiet() { # FILE of runs
    jq -es "min_by(.other_cpu_share).other_cpu_share < $quiet" "$1" \
        >"$work/quiet.log"
}

# Measure until others leave the machine alone, $tries times at most, or until
# the round is out of repeats; keep the quietest.
measure() { # CLIENT ROUND OPERATION DEPTH NAME
    local try runs=$work/runs.jsonl
    : >"$runs"
    for ((try = 0; try < tries; try++)); do
        "run_$1" "$2" "$3" "$4" "$5" >>"$runs"
        is_quiet "$runs" && break
        ((repeats_left-- > 0)) || break
    done
    jq -cs --arg client "$1" --argjson round "$2" --arg workload "$3-d$4" \
        --arg server "$5" '{$client, $server, $workload, $round}
            + min_by(.other_cpu_share)' "$runs" >>"$results"
}

measure_all() { # CLIENT
    local name round workload repeats_left
    for name in $servers; do
        start_server "$("setup_$1")" "$name" "$disk_bytes"
        "fill_$1" "$name"
    done
    for ((round = 1; round <= rounds; round++)); do
        echo "bench: $1, round $round of $rounds" >&2
        repeats_left=$repeats
        for workload in "${workloads[@]}"; do
            for name in $servers; do
                # shellcheck disable=SC2086 # two words
                measure "$1" "$round" $workload "$name"
            done
        done
    done
    stop_servers
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
        --arg fio "$(! has_part fio || fio --version)" \
        --arg pages "$(basename -a -s .pages "${pages[@]}" | xargs)" \
        --argjson cores "$(nproc)" \
        --argjson client_core "$client_core" \
        --argjson server_core "$server_core" \
        --arg servers "$servers" \
        --argjson rounds "$rounds" --argjson seconds "$seconds" \
        --argjson disk_bytes "$disk_bytes" --argjson quiet "$quiet" \
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

# --- go ----------------------------------------------------------------------

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
require_tools
choose_pages
choose_cores

work=$(mktemp -d)
results=$work/results.jsonl
density=$work/density.jsonl
touch "$results" "$density"
. "$here/bench-servers.sh"
. "$here/bench-clients.sh"
. "$here/bench-density.sh"

clean_up() {
    stop_servers
    rm -rf "$work"
}
trap clean_up EXIT

for client in nbdload fio; do
    if has_part "$client"; then measure_all "$client"; fi
done
if has_part density; then weigh_all; fi
report
