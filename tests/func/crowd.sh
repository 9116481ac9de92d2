#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two hundred clients that each misbehave in one way, beside one that writes,
# reads back and compares: it must get at least half of what it gets alone, and
# the memory must stay within what zsd(8) says.
#
# The two rates are taken in turns, for the machine may be busy with something
# else now and then, and their median quotient counts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require fio fio
require jq jq

rawclient=$top_builddir/tests/func/rawclient

members=200
max_connections=256
# Of memory for each connection, says zsd(8).
connection_kib=640
# What an allocator keeps for itself, and pages of code that were written to.
slack_kib=4096
# So short that those who do not negotiate come more than once.
handshake_timeout=2

private_resident_kib() {
    awk '$1 == "RssAnon:" { print $2 }' "/proc/$zsd_pid/status"
}

# Write, read back and compare; sets $rate, KiB a second.
measure_good_client() {
    rm -f "$dir/rate"
    fio_job --rw=randwrite --bs=4k --iodepth=16 --size=64M \
        --buffer_compress_percentage=60 --refill_buffers \
        --verify=crc32c --verify_fatal=1 \
        --output-format=json --output="$dir/rate"
    rate=$(jq '.jobs[0] | (.write.io_kbytes + .read.io_kbytes) * 1000 /
        (.write.runtime + .read.runtime) | floor' "$dir/rate")
}

start_crowd() {
    rm -f "$dir/crowd" # the one before said so, too
    "$rawclient" "$socket" crowd "$members" <"$dir/leave" >"$dir/crowd" &
    crowd=$!
    exec {leave}>"$dir/leave"
    eventually grep -qs crowd "$dir/crowd"
}

no_connection() { [ "$(get_stat connections.open)" -eq 0 ]; }

end_crowd() {
    kill -0 "$crowd" || fail "the crowd is gone: $(cat "$dir/crowd")"
    exec {leave}>&-
    wait "$crowd" || fail "the crowd: exit status $?"
    eventually no_connection
}

# Sets $quotient, per cent.
measure_pair() {
    local alone kib

    measure_good_client
    alone=$rate
    start_crowd
    # Those who are dropped for what they do are away for a moment.
    expect_at_least "the crowd" "$(get_stat connections.open)" \
        $((members * 3 / 4))
    measure_good_client
    kib=$(private_resident_kib)
    end_crowd
    quotient=$((rate * 100 / alone))
    printf '%d KiB/s alone, %d KiB/s in the crowd: %d %%; %d KiB of memory\n' \
        "$alone" "$rate" "$quotient" "$kib"
    expect_at_most "the memory in the crowd, KiB" $((kib - before_kib)) \
        $((max_connections * connection_kib))
}

median() {
    printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

mkfifo "$dir/leave"
choose_seed
start_zsd --size 128M --max-connections "$max_connections" \
    --handshake-timeout "$handshake_timeout"
measure_good_client # nobody's rate: the store is empty
before_kib=$(private_resident_kib)

quotients=()
for pairs in 3 5 9; do
    while ((${#quotients[@]} < pairs)); do
        measure_pair
        quotients+=("$quotient")
    done
    median=$(median "${quotients[@]}")
    ((median < 50)) || break
done
echo "in the crowd the good client has $median % of its rate alone"
expect_at_least "the good client's part of its rate, per cent" "$median" 50

# What the crowd did at last: nobody was idle but those who ought to be.
cat "$dir/crowd"
! grep -q '^0 ' "$dir/crowd" || fail "a part of the crowd did nothing"

eventually no_connection
expect_at_most "the memory that is left of the crowd, KiB" \
    $(($(private_resident_kib) - before_kib)) "$slack_kib"
expect_at_least connections.handshake_failures \
    "$(get_stat connections.handshake_failures)" $((members / 10))
expect_equal io_stat.failed_reads "$(get_stat io_stat.failed_reads)" 0
verify_store
stop_zsd
