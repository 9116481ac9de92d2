#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disk over TCP, IPv4 and IPv6, alone and beside the Unix socket.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require qemu-io qemu-utils

# Sets $port. Whether a port is free is only known by taking it, so ports are
# tried until zsd starts: start_on_free_port ADDRESS OPTION...
start_on_free_port() {
    local address=$1 _
    shift

    for _ in {1..20}; do
        port=$((20000 + RANDOM % 12000))
        if try_zsd --size 64M --listen "$address:$port" "$@"; then
            return
        fi
        grep -q 'Address already in use' "$log" || break
    done
    fail "zsd does not start on $address, exit status $zsd_status"
}

check_disk() { # URI
    expect_equal "the size over $1" "$(nbdinfo --size "$1")" 67108864
    expect_status 0 qemu-io -f raw -c 'write -P 0x21 5000 3M' \
        -c 'read -P 0x21 5000 3M' "$1"
}

echo "IPv4, beside a Unix socket: the same disk"
start_on_free_port 127.0.0.1 --socket "$socket"
check_disk "nbd://127.0.0.1:$port"
expect_status 0 qemu-io -f raw -c 'read -P 0x21 5000 3M' "$uri"

echo "a port that is taken is an error"
expect_status 1 "$zsd" --size 1M --listen "127.0.0.1:$port"
grep -q "127.0.0.1:$port" "$dir/output" || fail "it does not name the port"
stop_zsd

echo "TCP alone: no Unix socket, no control socket"
start_on_free_port 127.0.0.1
check_disk "nbd://127.0.0.1:$port"
[ ! -e "$socket" ] || fail "there is a Unix socket"
[ ! -e "$control" ] || fail "there is a control socket"
stop_zsd

if [ -s /proc/net/if_inet6 ]; then
    echo "IPv6"
    start_on_free_port '[::1]'
    check_disk "nbd://[::1]:$port"
    stop_zsd
fi
