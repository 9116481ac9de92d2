#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each option does what it says, and nonsense is refused before anything starts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require jq jq

# A usage error is status 2, and names the option.
expect_refused() { # WORD-IN-MESSAGE OPTION...
    local word=$1
    shift

    expect_status 2 "$zsd" "$@"
    grep -qF -- "$word" "$dir/output" ||
        fail "'$*': '$word' is not in: $(cat "$dir/output")"
    [ ! -e "$socket" ] || fail "'$*' left a socket behind"
}

echo "refused"
expect_refused --size --socket "$socket"
expect_refused --socket --size 1M
for size in 0 1 4095 4097 1.5 1GB ram/0 -4096 5T 16777216T 1X '' ' 1M' 0x1000; do
    expect_refused --size --size "$size" --socket "$socket"
done
expect_refused --algorithm --size 1M --socket "$socket" --algorithm lzo
expect_refused --algorithm --size 1M --socket "$socket" --algorithm lz4:0
expect_refused --algorithm --size 1M --socket "$socket" --algorithm zstd:23
expect_refused --algorithm --size 1M --socket "$socket" --algorithm zstd:
expect_refused --chain-size --size 1M --socket "$socket" --chain-size 3
expect_refused --chain-size --size 1M --socket "$socket" --chain-size 17
expect_refused --threads --size 1M --socket "$socket" --threads 0
expect_refused --max-connections --size 1M --socket "$socket" \
    --max-connections 0
expect_refused --handshake-timeout --size 1M --socket "$socket" \
    --handshake-timeout 0
expect_refused --stop-timeout --size 1M --socket "$socket" --stop-timeout -1
expect_refused --poll --size 1M --socket "$socket" --poll=1001
expect_refused --mem-limit --size 1M --socket "$socket" --mem-limit 1Z
expect_refused '1.0 MiB' --size 1M --socket "$socket" --mem-limit 4096
expect_refused --description --size 1M --socket "$socket" \
    --description "$(printf '%4097s' x)"
expect_refused --read-only --size 1M --socket "$socket" --read-only=yes
expect_refused '--algorithm zstd' --size 1M --socket "$socket" \
    --dictionary "$0"
expect_refused arguments --size 1M --socket "$socket" stray

echo "shown"
expect_status 0 "$zsd" --version
grep -q '^zsd [0-9]' "$dir/output" || fail "no version"
expect_status 0 "$zsd" --help
for option in size socket listen control algorithm checksum dictionary mem-limit reserve \
    threads chain-size export-name export description read-only \
    max-connections handshake-timeout stop-timeout pid-file daemon verbose \
    swap poll; do
    grep -q -- "--$option" "$dir/output" || fail "--help lacks --$option"
done

echo "obeyed"
start_zsd --size 3G --control "$dir/control" --algorithm zstd:3 --threads 3 \
    --chain-size 5 --export-name swap --max-connections 7 --mem-limit 64M \
    --reserve 8M --poll=200 --verbose
control=$dir/control
expect_equal disk.size_bytes "$(get_stat disk.size_bytes)" $((3 << 30))
expect_equal disk.algorithm "$(get_stat disk.algorithm)" zstd:3
expect_equal disk.chain_size "$(get_stat disk.chain_size)" 5
expect_equal threads "$(get_stat threads)" 3
expect_equal connections.max "$(get_stat connections.max)" 7
expect_equal mm_stat.mem_limit "$(get_stat mm_stat.mem_limit)" $((64 << 20))
expect_equal polling.window_us "$(get_stat polling.window_us)" 200
expect_equal memory.reserve_bytes "$(get_stat memory.reserve_bytes)" $((8 << 20))
expect_equal "the size of export swap" \
    "$(nbdinfo --size "nbd+unix:///swap?socket=$socket")" $((3 << 30))
expect_equal "the size of the default export" \
    "$(nbdinfo --size "$uri")" $((3 << 30))
expect_equal "the listed export" "$(nbdinfo --list --json "$uri" |
    jq -r '.exports[0]["export-name"]')" swap
expect_status 1 nbdinfo --size "nbd+unix:///other?socket=$socket"
grep -q 'connection 1: opened' "$log" || fail "--verbose logs no connection"
stop_zsd
