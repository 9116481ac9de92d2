#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One client cannot keep the server's memory to itself: all of them are on one
# thread here, which makes it hardest. Nor its time: see delay.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

rawclient=$top_builddir/tests/func/rawclient

private_resident_bytes() {
    awk '$1 == "RssAnon:" { print $2 * 1024 }' "/proc/$zsd_pid/status"
}

start_zsd --size 64M --threads 1
before=$(private_resident_bytes)
coproc deaf { "$rawclient" "$socket" deaf; }
# shellcheck disable=SC2154 # coproc sets it, and unsets it at the end
deaf_pid=$deaf_PID
read -r -u "${deaf[0]}" word
expect_equal "what the deaf client says" "$word" deaf
echo "others are served while a client takes none of its answers"
"$top_builddir/tests/bench/nbdload" --socket "$socket" --connections 2 \
    --mix 50:50:0 --requests 2000 --verify >/dev/null
# The buffers of three connections; below it is seen that the answers, of
# 1 MiB each, would not have fitted.
expect_at_most "the memory of three connections" \
    "$(($(private_resident_bytes) - before))" $((16 << 20))
echo "and it gets them all when it listens again"
echo >&"${deaf[1]}"
read -r -u "${deaf[0]}" answers _
expect_at_least "the answers" "$answers" 32
wait "$deaf_pid"
stop_zsd
