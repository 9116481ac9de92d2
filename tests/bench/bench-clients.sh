# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The two clients that put load on the servers of bench-servers.sh; sourced.
#
# nbdload  hands over recorded pages and sends and receives requests in batches:
#          it costs little itself, so that what is seen is the server
# fio      with its nbd engine: what a user sees who reaches for the usual tool.
#          Each request is a system call or two of its own, and the buffers are
#          fio's, the last 60 % of each 4 KiB zeros, the rest random
#
# Each has three functions: setup_CLIENT says how the servers run for it,
# fill_CLIENT NAME writes all of a server's disk, and run_CLIENT ROUND OPERATION
# DEPTH NAME measures once and prints a line of JSON.
: "${build:?}" "${work:?}" "${here:?}" "${disk_bytes:?}" "${seconds:?}"
: "${client_core:?}" "${pages:?}"

# --- nbdload -----------------------------------------------------------------

setup_nbdload() { echo pinned; }

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

run_nbdload() {
    local mix=100:0:0
    [ "$2" = read ] || mix=0:100:0
    load "$4" "${pages[@]/#/--pages=}" --mix "$mix" --depth "$3" \
        --seconds "$seconds" --seed "$1" --json
}

# --- fio ---------------------------------------------------------------------

fio_buffers=(--buffer_compress_percentage=60 --buffer_compress_chunk=4k
    --refill_buffers)

setup_fio() { echo default; }

# Prints what cpuspent says; fio's own report is in $work/fio.json.
fio_job() { # NAME FIO-OPTION...
    local name=$1
    shift
    "$build/tests/bench/cpuspent" "${pid_of[$name]:?}" \
        fio --name="$name" --ioengine=nbd \
        --uri="nbd+unix:///?socket=$work/$name.sock" --size="$disk_bytes" \
        "${fio_buffers[@]}" --output-format=json --output="$work/fio.json" \
        "$@" 2>"$work/fio.log" || {
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
    fio_job "$4" --rw="rand$2" --bs=4k --iodepth="$3" --norandommap \
        --randseed="$1" --time_based --runtime="${ms}ms" \
        --lat_percentiles=1 --clat_percentiles=0 >"$work/spent.json"
    jq -c --slurpfile spent "$work/spent.json" -L "$here" \
        'import "bench-summary" as s; s::fio_result($spent[0])' \
        "$work/fio.json"
}
