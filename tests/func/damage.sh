#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One bit of what is stored changes behind the server's back: with --checksum
# that page is an error, counted and named in the log, and all others are
# served; without, only what does not decompress is.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require nbdcopy libnbd-bin
require python3 python3
require jq jq

# Pages of the disk: one that compresses, one that does not. Each has a mark
# that is stored as it is.
text_page=3
noise_page=7

make_disk() {
    seq -f 'line %.0f of a text' 20000 >"$dir/disk"
    truncate -s 256K "$dir/disk"
    printf 'Mark-of-the-text' |
        dd of="$dir/disk" bs=1 seek=$((text_page * 4096)) conv=notrunc \
            status=none
    {
        printf 'Mark-of-the-noise'
        head -c 4079 /dev/urandom
    } | dd of="$dir/disk" bs=4096 seek=$noise_page conv=notrunc status=none
}

start_filled() { # OPTION...
    start_zsd --size 256K "$@"
    make_disk
    nbdcopy --connections=1 "$dir/disk" "$uri"
}

damage() { # TEXT
    python3 "$top_srcdir/tests/func/damage.py" "$zsd_pid" "$1"
}

read_page() { # PAGE
    qemu-io -r -f raw -c "read $(($1 * 4096)) 4096" "$uri" >"$dir/output" 2>&1
}

expect_io_error() { # PAGE
    ! read_page "$1" || fail "page $1 is read, though damaged"
    grep -q 'Input/output error' "$dir/output" ||
        fail "no EIO: $(cat "$dir/output")"
}

is_logged() { # PAGE
    grep -q "page $1 is damaged" "$log"
}

start_filled --checksum
expect_equal disk.checksum "$(get_stat 'disk.checksum|tostring')" true
for page in $text_page $noise_page; do
    read_page "$page" || fail "page $page: $(cat "$dir/output")"
done
damage Mark-of-the-text
damage Mark-of-the-noise

echo "both pages are errors, counted and named"
expect_io_error $text_page
eventually is_logged $text_page
expect_io_error $noise_page
eventually is_logged $noise_page
expect_at_least corrupt_reads "$(get_stat io_stat.corrupt_reads)" 2
expect_at_least failed_reads "$(get_stat io_stat.failed_reads)" 2

echo "all others are served, on the same connection too"
commands=()
for ((page = 0; page < 64; page++)); do
    commands+=(-c "read $((page * 4096)) 4096")
done
nr_served=$(qemu-io -r -f raw "${commands[@]}" "$uri" 2>&1 |
    grep -c '^read 4096/4096' || true)
expect_equal "the pages served" "$nr_served" 62

echo "zsctl verify finds them"
expect_status 1 ctl verify
expect_status 1 ctl --json verify
expect_equal pages_damaged "$(jq .result.pages_damaged "$dir/output")" 2
expect_equal pages_checked "$(jq .result.pages_checked "$dir/output")" 62

echo "a client that reads them all the time does not fill the log"
for ((i = 0; i < 50; i++)); do
    commands+=(-c "read $((text_page * 4096)) 4096")
done
qemu-io -r -f raw "${commands[@]}" "$uri" >/dev/null 2>&1 || true
qemu-io -r -f raw "${commands[@]}" "$uri" >/dev/null 2>&1 || true
expect_at_least corrupt_reads "$(get_stat io_stat.corrupt_reads)" 100
# Ten lines in five seconds: who took a minute for all of this is too slow.
expect_at_most "the lines of the log" "$(grep -c damaged "$log")" 60

echo "written anew or trimmed, they are well again"
dd if="$dir/disk" of="$dir/page" bs=4096 skip=$text_page count=1 status=none
qemu-io -f raw -d unmap -c "write -s $dir/page $((text_page * 4096)) 4096" \
    -c "discard $((noise_page * 4096)) 4096" "$uri" >/dev/null
read_page $text_page || fail "page $text_page: $(cat "$dir/output")"
read_page $noise_page || fail "page $noise_page: $(cat "$dir/output")"
verify_store
stop_zsd

echo "without checksums such damage is not seen"
start_filled
expect_equal disk.checksum "$(get_stat 'disk.checksum|tostring')" false
damage Mark-of-the-noise
read_page $noise_page || fail "page $noise_page: $(cat "$dir/output")"
expect_equal corrupt_reads "$(get_stat io_stat.corrupt_reads)" 0
stop_zsd
