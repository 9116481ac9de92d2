# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The servers that bench.sh measures; sourced. Uses load() of bench-clients.sh.
#
# Names: zsd-ALGORITHM[:LEVEL][-poll][@THREADS], nbdkit-ALLOCATOR, qemu-nbd (a
# file in /dev/shm), and zram (the kernel's own, bench-zram.sh), which is no
# server but stands beside them.
#
# A server runs in one of three set-ups:
#   pinned   one thread on a core of its own, the client on another
#   single   one thread, wherever the kernel puts it
#   default  as it comes: zsd with one worker a core, nbdkit with 16 threads,
#            qemu-nbd with its pool, wherever the kernel puts them
: "${build:?}" "${work:?}" "${server_core:?}" "${ram_file:?}"

declare -A pid_of=() # by name

zsd_command() { # NAME BYTES SOCKET
    local algorithm=${1#zsd-}
    local -a poll=()
    if [[ $algorithm == *@* ]]; then
        threads=(-t "${algorithm#*@}")
        algorithm=${algorithm%@*}
    fi
    if [[ $algorithm == *-poll ]]; then
        algorithm=${algorithm%-poll}
        poll=(--poll) # for as long as it does by default
    fi
    command=("$build/zsd" -s "$2" -u "$3" -a "$algorithm" "${poll[@]}")
}

server_command() { # SETUP NAME BYTES SOCKET
    local -a on_core=() threads=(-t 1)
    [ "$1" != pinned ] || on_core=(taskset -c "$server_core")
    [ "$1" != default ] || threads=()
    case $2 in
    zsd-*) zsd_command "$2" "$3" "$4" ;;
    nbdkit-*)
        command=(nbdkit -f -U "$4" memory "$3" "allocator=${2#nbdkit-}")
        ;;
    qemu-nbd)
        threads=()
        truncate -s "$3" "$ram_file"
        command=(qemu-nbd --format raw --socket "$4" --shared 16 --persistent
            --discard unmap "$ram_file")
        ;;
    *) die "no such server: $2" ;;
    esac
    command=("${on_core[@]}" "${command[@]}" "${threads[@]}")
}

start_server() { # SETUP NAME BYTES
    local socket=$work/$2.sock log=$work/$2.log tries
    local -a command
    if [ "$2" = zram ]; then
        start_zram "$3"
        return
    fi
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
    stop_zram
    rm -f "$ram_file"
}
