#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disk over TCP, IPv4 and IPv6, alone and beside the Unix socket: where it
# listens, and who is let in.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require qemu-io qemu-utils
require jq jq

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

echo "a port that is taken for one family is an error that names it"
# Another server, on IPv4 alone.
start_on_free_port 0.0.0.0
expect_status 1 "$zsd" --size 1M --listen ":$port"
grep -q "Address already in use (0.0.0.0:$port)" "$dir/output" ||
    fail "it says: $(cat "$dir/output")"
stop_zsd

echo "addresses, as people write them"
for address in '' '*'; do
    start_on_free_port "$address"
    check_disk "nbd://127.0.0.1:$port"
    stop_zsd
done
start_on_free_port localhost
check_disk "nbd://localhost:$port"
stop_zsd
for _ in {1..20}; do
    port=$((20000 + RANDOM % 12000))
    ! try_zsd --size 64M --listen "$port" || break
done
check_disk "nbd://127.0.0.1:$port"
stop_zsd
for address in 0 :0 99999 :99999 65536 127.0.0.1:65536 '[::1' '[::1]x'; do
    expect_status 1 "$zsd" --size 1M --listen "$address"
    grep -q 'port from 1 to 65535' "$dir/output" ||
        fail "of '$address' it says: $(cat "$dir/output")"
done

echo "clients that only connect do not keep this machine's out"
# Takes the two descriptors of a client that says nothing: connect_idle NUMBER
connect_idle() {
    local fd

    for ((i = 0; i < $1; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        idle+=("$fd")
    done
}
idle=()
start_on_free_port 127.0.0.1 --socket "$socket" --max-connections 16 \
    --handshake-timeout 3600
connect_idle 40
is_full() { [ "$(get_stat connections.refused)" -ge 26 ]; }
eventually is_full
expect_equal connections.open "$(get_stat connections.open)" 14
expect_status 1 nbdinfo --size "nbd://127.0.0.1:$port"
expect_equal "the size" "$(nbdinfo --size "$uri")" 67108864
echo | "$top_builddir/tests/func/rawclient" "$socket" ask >"$dir/asked"
grep -qx served "$dir/asked" || fail "a client of this machine is not served"

echo "it says so, but not each time"
grep -q 'refused a connection over TCP: .*--max-connections' "$log" ||
    fail "nothing of it is in the log"
expect_at_most "the lines of refusals" "$(grep -c 'refused' "$log")" 22
# With the first one of another second.
says_how_many() {
    ! nbdinfo --size "nbd://127.0.0.1:$port" 2>/dev/null || fail "it is let in"
    grep -q 'more like this were not logged' "$log"
}
eventually says_how_many
for fd in "${idle[@]}"; do
    exec {fd}>&-
done
stop_zsd

echo "where one connection may be open, it is not said that several may"
for most in 1 2; do
    start_zsd --size 16M --max-connections "$most"
    status=0
    nbdinfo --can multi-conn "$uri" || status=$?
    expect_equal "the answer with --max-connections=$most" "$status" \
        $((most == 1 ? 2 : 0))
    stop_zsd
done
