# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The servers that bench.sh measures; sourced. Uses load() of bench-clients.sh.
#
# A server runs in one of two set-ups:
#   pinned   one thread on a core of its own, the client on another
#   default  as it comes: zsd with one worker a core, nbdkit with 16 threads,
#            wherever the kernel puts them
: "${build:?}" "${work:?}" "${server_core:?}"

declare -A pid_of=() # by name

server_command() { # SETUP NAME BYTES SOCKET
    local -a on_core=() threads=()
    if [ "$1" = pinned ]; then
        on_core=(taskset -c "$server_core")
        threads=(-t 1)
    fi
    case $2 in
    zsd-lz4) command=("$build/zsd" -s "$3" -u "$4" -a lz4) ;;
    zsd-zstd) command=("$build/zsd" -s "$3" -u "$4" -a zstd:1) ;;
    nbdkit-*)
        command=(nbdkit -f -U "$4" memory "$3" "allocator=${2#nbdkit-}")
        ;;
    *) die "no such server: $2" ;;
    esac
    command=("${on_core[@]}" "${command[@]}" "${threads[@]}")
}

start_server() { # SETUP NAME BYTES
    local socket=$work/$2.sock log=$work/$2.log tries
    local -a command
    server_command "$1" "$2" "$3" "$socket"
    rm -f "$socket"
    "${command[@]}" 2>"$log" &
    pid_of[$2]=$!
    # It is ready when it shakes hands; ten seconds are plenty.
    for ((tries = 0; tries < 100; tries++)); do
        if [ -S "$socket" ] && load "$2" --requests 0 2>/dev/null; then
            return
        fi
        kill -0 "${pid_of[$2]}" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    die "$2 did not start: ${command[*]}"
}

stop_servers() {
    local name
    for name in "${!pid_of[@]}"; do
        kill "${pid_of[$name]}" 2>/dev/null || true
        wait "${pid_of[$name]}" 2>/dev/null || true
        unset "pid_of[$name]"
    done
}
