#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The control socket itself: hostile and slow clients disturb nobody.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require jq jq

rawclient=$top_builddir/tests/func/rawclient

# talk LINES : what the server answers to standard input is in $dir/replies.
talk() {
    "$rawclient" "$control" cat >"$dir/replies"
}

expect_error() { # CODE TEXT-IN-MESSAGE
    expect_equal "the code" "$(jq -r .error.code "$dir/replies")" "$1"
    jq -r .error.message "$dir/replies" | grep -qF -- "$2" ||
        fail "'$2' is not in: $(cat "$dir/replies")"
}

start_zsd --size 64M

echo "unknown commands and arguments are errors that name what was wrong"
talk <<<'{"id":7,"command":"reboot"}'
expect_error EOPNOTSUPP reboot
expect_equal "the id" "$(jq .id "$dir/replies")" 7
talk <<<'{"id":8,"command":"stats","arguments":{"colour":true}}'
expect_error EINVAL colour
talk <<<'{"id":9,"command":"stats","arguments":{"classes":3}}'
expect_error EINVAL classes

echo "what is no request is answered too"
for line in '' '{' '[]' 'null' '7' '"stats"' '{"id":1}' '{"command":3}' \
    '{"id":-1,"command":"stats"}' '{"id":1,"command":"stats","arguments":[]}' \
    "$(printf '[%.0s' {1..3000})" '{"id":1,"command":"\u0000"}'; do
    talk <<<"$line"
    jq -e .error.code "$dir/replies" >/dev/null ||
        fail "'$line' is answered with: $(cat "$dir/replies")"
done

echo "several requests in one go are answered in order"
for id in 1 2 3 4 5 6 7 8; do
    echo "{\"id\":$id,\"command\":\"stats\"}"
done | talk
expect_equal "the order" "$(jq -c .id "$dir/replies" | tr '\n' ' ')" \
    '1 2 3 4 5 6 7 8 '

echo "a line without an end, and bytes that are no text"
head -c 4M /dev/zero | tr '\0' ' ' | talk
choose_seed
head -c 256K /dev/urandom | talk
expect_status 0 ctl stats

echo "a client that asks and never reads the answers"
mkfifo "$dir/never"
{
    for ((i = 0; i < 2000; i++)); do
        echo '{"id":1,"command":"stats","arguments":{"classes":true}}'
    done
    cat "$dir/never"
} | "$rawclient" "$control" cat >/dev/null &
deaf=$!
exec {never}>"$dir/never"
for _ in {1..20}; do
    expect_status 0 ctl stats
    expect_equal "the size" "$(nbdinfo --size "$uri")" $((64 << 20))
done
exec {never}>&-
wait "$deaf"

echo "more clients than there may be: the others wait or are refused, none hang"
clients=()
for _ in {1..100}; do
    ctl --json stats >/dev/null 2>&1 &
    clients+=($!)
done
served=0
for client in "${clients[@]}"; do
    status=0
    wait "$client" || status=$?
    case $status in
    0) served=$((served + 1)) ;;
    1) ;;
    *) fail "zsctl exits $status among many" ;;
    esac
done
expect_at_least "the clients served" "$served" 1
expect_status 0 ctl stats

stop_zsd
