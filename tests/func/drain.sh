#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGTERM while clients are attached: they are served until they leave, nobody
# else is; a second signal or --stop-timeout ends that.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require fio fio
require nbdinfo libnbd-bin
require qemu-io qemu-utils
require jq jq

rawclient=$top_builddir/tests/func/rawclient
mkfifo "$dir/release"

# Attach NUMBER clients that say nothing: hold NUMBER
hold() {
    rm -f "$dir/held"
    "$rawclient" "$socket" hold "$1" <"$dir/release" >"$dir/held" &
    holder=$!
    exec {release}>"$dir/release"
    eventually grep -qs held "$dir/held"
}

# Have them leave.
let_go() {
    exec {release}>&-
    wait "$holder"
}

drain_zsd() {
    kill -TERM "$zsd_pid"
    eventually is_shutting_down
}

expect_log() { # TEXT
    grep -qF -- "$1" "$log" || fail "zsd does not say '$1'"
}

is_waiting() {
    grep -q 'waiting for [0-9]* connection' "$log"
}

# zsd ends by itself, cleanly.
expect_end() {
    local status=0

    wait "$zsd_pid" || status=$?
    zsd_pid=
    expect_equal "the status of zsd" "$status" 0
}

is_later_than() { # SECONDS
    [ "$SECONDS" -gt "$1" ]
}

has_connections() { # NUMBER
    [ "$(get_stat connections.open)" -eq "$1" ]
}

has_written() { # NUMBER
    [ "$(get_stat requests.write)" -ge "$1" ]
}

echo "clients under load lose nothing"
choose_seed
start_zsd --size 64M
"$rawclient" "$socket" stripes "$seed" 4 20000 >"$dir/stripes" &
writers=$!
eventually has_written 100
written=$(get_stat requests.write)
drain_zsd
eventually is_waiting
expect_log 'waiting for 4 connections'
expect_log 'nbd-client -d'
eventually has_written $((written + 1000))
expect_status 1 nbdinfo --size "$uri"
[ ! -e "$socket" ] || fail "there still is a socket to connect to"
wait "$writers" || fail "what was written did not stay"
expect_end
[ ! -e "$control" ] || fail "there still is a control socket"

echo "one client writes, reads and compares from before to after"
start_zsd --size 64M
"$top_builddir/tests/bench/nbdload" --socket "$socket" --seed "$seed" \
    --depth 16 --mix 40:50:10 --requests 100000 --verify >"$dir/load" &
load=$!
eventually has_written 100
drain_zsd
wait "$load" || fail "$(cat "$dir/load")"
expect_end

echo "fio does not notice"
start_zsd --size 64M
fio_job --rw=randwrite --bs=4k --iodepth=16 --size=64M --verify=crc32c \
    --verify_fatal=1 &
fio=$!
eventually has_written 100
drain_zsd
wait "$fio"
expect_end

echo "a second signal that comes at once does not end it, a later one does"
start_zsd --size 16M
hold 2
drain_zsd
began=$SECONDS
eventually is_waiting
for signal in TERM INT QUIT; do
    kill -$signal "$zsd_pid"
    eventually grep -q "SIG$signal again within" "$log"
done
expect_equal connections.open "$(get_stat connections.open)" 2
eventually is_later_than $((began + 6))
end_zsd INT
expect_log 'again: closing 2 connections'
let_go

echo "with --swap none does"
start_zsd --size 16M --swap
hold 2
drain_zsd
began=$SECONDS
eventually is_later_than $((began + 6))
kill -TERM "$zsd_pid"
eventually grep -q 'again: with --swap' "$log"
expect_equal connections.open "$(get_stat connections.open)" 2
let_go
expect_end

echo "so does --stop-timeout"
start_zsd --size 16M --stop-timeout 1
hold 3
drain_zsd
expect_end
expect_log 'after 1 s 3 connections are still open'
let_go

echo "those who do not negotiate are not waited for"
start_zsd --size 16M --handshake-timeout 3600
"$rawclient" "$socket" silent 15 &
silent=$!
eventually has_connections 1
stop_zsd
wait "$silent"

if ! grep -q '^#define HAVE_SYSTEMD 1' "$top_builddir/config.h"; then
    exit 0
fi

echo "on sockets that were passed others are refused as well"
NOTIFY_SOCKET=$dir/notify
"$top_builddir/tests/func/notified" "$NOTIFY_SOCKET" >"$dir/notes" &
notified=$!
eventually grep -qs bound "$dir/notes"
: >"$log"
NOTIFY_SOCKET=$NOTIFY_SOCKET "$top_builddir/tests/func/activate" \
    "nbd=$socket" "control=$control" -- "$zsd" --size 16M 2>"$log" &
zsd_pid=$!
eventually is_ready_or_gone
hold 1
drain_zsd
"$rawclient" "$socket" silent 15
expect_status 1 nbdinfo --size "$uri"
expect_equal connections.open "$(get_stat connections.open)" 1
expect_equal connections.refused "$(get_stat connections.refused)" 2

echo "the service manager is told"
eventually grep -qx READY=1 "$dir/notes"
eventually grep -qx 'STATUS=Waiting for 1 connection.*' "$dir/notes"
eventually grep -qx 'EXTEND_TIMEOUT_USEC=[0-9]\{8,\}' "$dir/notes"
! grep -qx STOPPING=1 "$dir/notes" || fail "it serves, and says that it ends"
let_go
expect_end
eventually grep -qx STOPPING=1 "$dir/notes"
kill "$notified"
