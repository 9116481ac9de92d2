#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGHUP to zsd --survive: the program that is installed by then takes over, under
# clients who do not notice; one that cannot is refused.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

# What is installed can be replaced.
cp "$zsd" "$dir/zsd"
real=$zsd
zsd=$dir/zsd

install_program() { # FILE
    cp "$1" "$dir/new"
    mv "$dir/new" "$dir/zsd"
}

inode_of_server() {
    stat -L -c %i "/proc/$(get_stat pid)/exe"
}

runs_what_is_installed() {
    [ "$(inode_of_server 2>"$dir/stat")" = "$(stat -c %i "$dir/zsd")" ]
}

standby_runs_what_is_installed() {
    local pid

    for pid in $(pgrep -x zsd -P "$zsd_pid"); do
        [ "$(stat -L -c %i "/proc/$pid/exe")" = "$(stat -c %i "$dir/zsd")" ] ||
            return 1
    done
}

says_refused() { # TIMES
    [ "$(grep -c 'cannot take over (' "$log")" -eq "$1" ]
}

start_zsd --size 64M --survive --checksum
have_clients "$socket"

echo "ten upgrades"
for _ in {1..10}; do
    eventually has_standby
    install_program "$real"
    kill -HUP "$zsd_pid"
    eventually runs_what_is_installed
done
expect_equal "the generation" "$(get_stat survival.generation)" 10
expect_equal "the deaths" "$(get_stat survival.deaths)" 0
eventually has_standby
eventually standby_runs_what_is_installed

echo "and one that is asked for"
before=$(get_stat pid)
install_program "$real"
expect_status 0 ctl upgrade
grep -q 'the zsd that is installed now serves' "$dir/output" ||
    fail "$(cat "$dir/output")"
[ "$(get_stat pid)" != "$before" ] || fail "the same server serves"
eventually has_standby

echo "a program that cannot take over is refused"
server=$(get_stat pid)
install_program "$(type -P false)"
kill -HUP "$zsd_pid"
eventually says_refused 1
expect_equal "the server" "$(get_stat pid)" "$server"
expect_status 1 ctl upgrade
grep -q 'cannot take over' "$dir/output" || fail "$(cat "$dir/output")"
expect_equal "upgrades refused" "$(get_stat survival.refused_upgrades)" 2
eventually has_standby # of the program that is there no more

echo "and one that is not there"
rm "$dir/zsd"
kill -HUP "$zsd_pid"
eventually grep -q 'cannot hand over to another program' "$log"
expect_equal "the server" "$(get_stat pid)" "$server"

echo "which does not keep the next server from being started"
eventually has_standby
kill -KILL "$server"
serves_another() {
    local pid

    pid=$(get_stat pid 2>"$dir/stat") && [ "$pid" != "$server" ]
}
eventually serves_another

let_clients_go
stop_zsd
