# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Requests per second, latency and processor time of each server; sourced by
# bench.sh. The clients are those of bench-clients.sh.
#
# For each client all servers run from start to end, their disks full, and are
# idle while another is measured. Every round runs every load on every server in
# turn, so that a change of the machine's mood hits all alike. Loads that no
# target is about get fewer rounds.
: "${work:?}" "${results:?}" "${rounds:?}" "${wide_rounds:?}" "${quiet:?}"
: "${tries:?}" "${repeats:?}" "${servers:?}" "${disk_bytes:?}" "${no_zram?}"
: "${fio_loads:?}"

# operation, shape: see bench-clients.sh
declare -A loads=(
    [nbdload]="write d1,write d32,read d1,read d32"
    [connections]=""
    [fio]=$fio_loads
)
declare -A wide_loads=(
    [nbdload]="write d128,read d128,write s128K,read s128K,write s1M,read s1M"
    [connections]="write c1,write c2,write c4,write c8"
    [fio]=""
)
wide_loads[connections]+=",read c1,read c2,read c4,read c8"

is_quiet() { # FILE of runs
    jq -es "min_by(.other_cpu_share).other_cpu_share < $quiet" "$1" \
        >"$work/quiet.log"
}

# Measure until others leave the machine alone, $tries times at most, or until
# the round is out of repeats; keep the quietest.
measure() { # CLIENT ROUND OPERATION SHAPE NAME
    local try runs=$work/runs.jsonl
    : >"$runs"
    for ((try = 0; try < tries; try++)); do
        "run_$1" "$2" "$3" "$4" "$5" >>"$runs"
        is_quiet "$runs" && break
        ((repeats_left-- > 0)) || break
    done
    jq -cs --arg client "$1" --argjson round "$2" --arg workload "$3-$4" \
        --arg server "$5" '{part: "speed", $client, $server, $workload, $round}
            + min_by(.other_cpu_share)' "$runs" >>"$results"
}

# Whether a server is worth measuring with a client, in a shape (or "any").
takes_part() { # CLIENT SHAPE NAME
    case $1/$2/$3 in
    nbdload/any/zsd-*-poll | nbdload/d1/zsd-*-poll) return 0 ;;
    */zsd-*-poll) return 1 ;; # one that polls saves latency, not work
    fio/*/zram) [ -z "$no_zram" ] ;;
    */zram) return 1 ;; # no NBD
    fio/*/zsd-zstd:-1 | fio/*/zsd-zstd:3 | fio/*/nbdkit-sparse) return 1 ;;
    *) return 0 ;;
    esac
}

measure_round() { # CLIENT ROUND LOADS
    local load operation shape name
    local -a list
    IFS=, read -ra list <<<"$3"
    for load in "${list[@]}"; do
        read -r operation shape <<<"$load"
        for name in $servers; do
            takes_part "$1" "$shape" "$name" || continue
            measure "$1" "$2" "$operation" "$shape" "$name"
        done
    done
}

measure_all() { # CLIENT
    local name round repeats_left most=$rounds
    [ -n "${loads[$1]}" ] || most=$wide_rounds
    ((most)) || return 0
    for name in $servers; do
        takes_part "$1" any "$name" || continue
        start_server "$("setup_$1")" "$name" "$disk_bytes"
        "fill_$1" "$name"
    done
    for ((round = 1; round <= most; round++)); do
        progress "$1, round $round of $most"
        repeats_left=$repeats
        measure_round "$1" "$round" "${loads[$1]}"
        if [ "$round" -le "$wide_rounds" ]; then
            measure_round "$1" "$round" "${wide_loads[$1]}"
        fi
    done
    stop_servers
}

part_nbdload() { measure_all nbdload; }
part_connections() { measure_all connections; }
part_fio() { measure_all fio; }
