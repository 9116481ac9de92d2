#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make bench - zsd next to what one would use instead, and next to its targets
#
# usage: bench.sh --build DIR [--quick] [--rounds N] [--seconds N]
#                 [--parts "NAME..."] [--servers "NAME..."]
#                 [--pages FILE]... [--json FILE]
#
# Parts, all of them unless some are named (--quick: all but the profile); each
# is a file beside this one:
#   cpu          what a request costs beyond its codec         bench-cpu.sh
#   speed        the three next ones                           bench-speed.sh
#   nbdload      requests a second and latency, one thread a server
#   connections  the same over several connections, several threads
#   fio          the same as a user sees it, the kernel's zram beside it
#   density      memory for the same pages, before and after trims and
#                compaction                                    bench-density.sh
#   compaction   its speed, and what other requests notice     bench-compaction.sh
#   scaling      two threads next to one, and their locks      bench-scaling.sh
#   profile      where zsd's time goes, by perf                bench-profile.sh
#   dictionary   zstd with one and without                     bench-dictionary.sh
#   startup      until zsd is ready                            bench-startup.sh
# bench-servers.sh and bench-clients.sh start what is measured and what measures
# it; the .jq files make figures, targets and text of it. docs/benchmarks.md
# tells the method, and shows results.
#
# Pages     recorded memory of programs where ../shared/corpus has it next to
#           the source tree, otherwise made-up pages (pagegen).
# Figures   medians over rounds, with the lowest and the highest. A round runs
#           every load on every server in turn.
# Noise     a run during which other processes took more than a tenth of a core
#           is repeated, three times at most and six times a round, and the
#           quietest is kept (--quick: not repeated). What they took is printed:
#           where it is more, requests per second mean little, and processor
#           time per request is to be preferred.
# Processor time per request is the server's alone, user and system, all
# threads, dead ones too, to the nanosecond (load_cpu.h).
# Nothing is asserted: a slow run is not an error.
set -euo pipefail

# --- what to do --------------------------------------------------------------
known_parts="cpu profile nbdload connections fio density compaction scaling
    dictionary startup"
left_out= # of them, where none is named
parts=
rounds=5
wide_rounds=2 # of loads that no target is about
compactions=3 # timed
startups=10
seconds=1 # of each run
tries=4   # to find the machine quiet, each time
repeats=6 # of disturbed runs in a round, so that the whole has an end
quiet=0.1 # what others may take of a core
disk_bytes=$((256 << 20))
large_bytes=$((256 << 20))    # of pages whose density is measured
compaction_bytes=$((1 << 30)) # of a disk that is compacted for speed
weigh_each=yes                # page file, and not only all of them together
build=
json=
servers="zsd-lz4 zsd-lz4-poll zsd-zstd:-1 zsd-zstd:1 zsd-zstd:3
    nbdkit-malloc nbdkit-sparse nbdkit-zstd qemu-nbd zram"
cpu_servers="zsd-lz4 zsd-zstd:1"
trim_servers="zsd-lz4 zsd-zstd:1 zram"
trim_percents="50 75 90"
fio_loads="write d1,write d32,read d1,read d32" # see bench-speed.sh
pages=()

usage() {
    sed -n '/^# usage:/,/^#$/s/^# //p' "$0" >&2
    exit 2
}

# Within two minutes: what the targets are about, and one of each kind.
be_quick() {
    rounds=2 wide_rounds=0 compactions=2 startups=5 seconds=0.5 tries=1
    disk_bytes=$((128 << 20)) compaction_bytes=$((256 << 20)) weigh_each=
    servers="zsd-lz4 zsd-lz4-poll nbdkit-malloc nbdkit-zstd zram"
    cpu_servers="zsd-lz4"
    trim_servers="zsd-lz4 zram"
    trim_percents=90
    fio_loads="write d32,read d32"
    left_out=profile
}

while [ $# -gt 0 ]; do
    case $1 in
    --quick)
        be_quick
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
    --parts) parts=${2/speed/nbdload connections fio} ;;
    --servers) servers=$2 ;;
    --pages) pages+=("$2") ;;
    --json) json=$2 ;;
    esac
    shift 2
done
[ -n "$build" ] || usage
((wide_rounds <= rounds)) || wide_rounds=$rounds
parts=${parts:-${known_parts/$left_out/}}
for part in $parts; do
    [[ " ${known_parts//$'\n'/ } " == *" $part "* ]] || usage
done

die() {
    echo "bench: $*" >&2
    exit 1
}

progress() { # TEXT
    echo "bench: $SECONDS s: $*" >&2
}

require() { # TOOL PACKAGE
    command -v "$1" >/dev/null ||
        die "$1 is missing; it comes with: apt-get install $2"
}

require_tools() {
    require nbdkit nbdkit
    require qemu-nbd qemu-utils
    require fio fio
    require jq jq
    require taskset util-linux
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
        --arg qemu "$(qemu-nbd --version | head -n 1)" \
        --arg fio "$(fio --version)" \
        --arg pages "$(basename -a -s .pages "${pages[@]}" | xargs)" \
        --arg no_zram "$no_zram" --arg no_perf "$(why_no_perf)" \
        --arg servers "$servers" \
        --arg parts "$parts" \
        --argjson cores "$(nproc)" \
        --argjson client_core "$client_core" \
        --argjson server_core "$server_core" \
        --argjson rounds "$rounds" --argjson wide_rounds "$wide_rounds" \
        --argjson seconds "$seconds" --argjson quiet "$quiet" \
        --argjson disk_bytes "$disk_bytes" \
        --argjson large_bytes "$large_bytes" \
        --argjson elapsed_s "$SECONDS" \
        '$ARGS.named'
}

report() {
    jq -s --argjson about "$(about)" -L "$here" \
        'import "bench-figures" as f; f::summary($about)' \
        "$results" >"$work/summary.json"
    jq -r -L "$here" 'import "bench-text" as t; t::all' "$work/summary.json"
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
ram_file=/dev/shm/$(basename "$work").img
results=$work/results.jsonl
touch "$results"
. "$here/bench-zram.sh"
. "$here/bench-servers.sh"
. "$here/bench-clients.sh"
. "$here/bench-speed.sh"
. "$here/bench-cpu.sh"
. "$here/bench-density.sh"
. "$here/bench-compaction.sh"
. "$here/bench-scaling.sh"
. "$here/bench-profile.sh"
. "$here/bench-dictionary.sh"
. "$here/bench-startup.sh"

# The lines that the report is made of stay, for whoever wants more of them.
clean_up() {
    stop_servers
    cp "$results" "$build/tests/bench/bench-results.jsonl"
    rm -rf "$work"
}
trap clean_up EXIT

if [[ $servers == *zram* ]]; then look_for_zram; fi
for part in $parts; do
    "part_$part"
done
progress "done"
report
