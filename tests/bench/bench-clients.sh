# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The clients that put load on the servers of bench-servers.sh; sourced.
#
# nbdload      hands over recorded pages and sends and receives requests in
#              batches: it costs little itself, so that what is seen is the
#              server. Pinned to one core, the server with one thread to another
# connections  the same program over several connections, the servers with
#              their default threads, all of them on any core
# fio          with its nbd engine: what a user sees who reaches for the usual
#              tool. Each request is a system call or two of its own, and the
#              buffers are fio's, the last 60 % of each 4 KiB zeros, the rest
#              random. With io_uring for the kernel's zram
#
# Each has these functions: setup_CLIENT says how the servers run for it,
# fill_CLIENT NAME writes all of a server's disk, and run_CLIENT ROUND OPERATION
# SHAPE NAME measures once and prints a line of JSON. Shapes:
#   dN       4 KiB at random places, N under way
#   cN       the same over N connections, 32 under way on each
#   sSIZE    SIZE in order, 4 under way
: "${build:?}" "${work:?}" "${here:?}" "${disk_bytes:?}" "${seconds:?}"
: "${client_core:?}" "${pages:?}"

# --- nbdload -----------------------------------------------------------------

setup_nbdload() { echo pinned; }

load_anywhere() { # NAME NBDLOAD-OPTION...
    local name=$1
    shift
    "$build/tests/bench/nbdload" \
        --socket "$work/$name.sock" --server-pid "${pid_of[$name]:?}" "$@"
}

load() { # NAME NBDLOAD-OPTION...
    local name=$1
    shift
    taskset -c "$client_core" "$build/tests/bench/nbdload" \
        --socket "$work/$name.sock" --server-pid "${pid_of[$name]:?}" "$@"
}

# Also compares what is read with what was written, so that no figure comes from
# a server that loses data.
fill_nbdload() {
    load "$1" "${pages[@]/#/--pages=}" --prefill --verify \
        --block-bytes 64K --depth 8 --mix 70:30:0 --requests 4000 \
        >"$work/verify.log" ||
        die "$1 does not hold what was written to it"
}

# Sets options: of nbdload, for an operation in a shape.
shape_options() { # OPERATION SHAPE
    local mix=100:0:0
    [ "$1" = read ] || mix=0:100:0
    case $2 in
    d*) options=(--depth "${2#d}") ;;
    c*) options=(--depth 32 --connections "${2#c}") ;;
    s*) options=(--sequential --depth 4 --block-bytes "${2#s}") ;;
    *) die "no such shape: $2" ;;
    esac
    options+=(--mix "$mix" "${pages[@]/#/--pages=}")
}

run_nbdload() {
    local -a options
    shape_options "$2" "$3"
    load "$4" "${options[@]}" --seconds "$seconds" --seed "$1"
}

# --- connections -------------------------------------------------------------

setup_connections() { echo default; }

fill_connections() { fill_nbdload "$1"; }

run_connections() {
    local -a options
    shape_options "$2" "$3"
    load_anywhere "$4" "${options[@]}" --seconds "$seconds" --seed "$1"
}

# --- fio ---------------------------------------------------------------------

fio_buffers=(--buffer_compress_percentage=60 --buffer_compress_chunk=4k
    --refill_buffers)

setup_fio() { echo default; }

# Prints what cpuspent says; fio's own report is in $work/fio.json. What the
# kernel's zram spends is part of what fio spends.
fio_job() { # NAME FIO-OPTION...
    local name=$1 pid
    local -a target=(--ioengine=nbd
        --uri="nbd+unix:///?socket=$work/$1.sock" --size="$disk_bytes")
    shift
    pid=${pid_of[$name]:-$$}
    if [ "$name" = zram ]; then
        target=(--ioengine=io_uring --direct=1
            --filename="/dev/zram${zram_id:?}")
    fi
    "$build/tests/bench/cpuspent" "$pid" \
        fio --name="$name" "${target[@]}" "${fio_buffers[@]}" \
        --output-format=json --output="$work/fio.json" "$@" \
        2>"$work/fio.log" || {
        cat "$work/fio.log" >&2
        die "fio failed with $name"
    }
}

fill_fio() {
    fio_job "$1" --rw=write --bs=64k --iodepth=4 >"$work/fill.json"
}

run_fio() {
    local ms
    ms=$(jq -n "$seconds * 1000 | round")
    fio_job "$4" --rw="rand$2" --bs=4k --iodepth="${3#d}" --norandommap \
        --randseed="$1" --time_based --runtime="${ms}ms" \
        --lat_percentiles=1 --clat_percentiles=0 \
        --percentile_list=50:99:99.9:99.99 >"$work/spent.json"
    jq -c --slurpfile spent "$work/spent.json" -L "$here" \
        'import "bench-figures" as f; f::fio_result($spent[0])' \
        "$work/fio.json"
}
