#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same random writes, zeroes and discards on zsd and on a plain file give
# the same content.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require qemu-img qemu-utils

disk_bytes=$((64 << 20))
nr_commands=3000

# Sets $drawn to a number below the argument; RANDOM alone has 15 bits.
draw() {
    drawn=$((((RANDOM << 30) ^ (RANDOM << 15) ^ RANDOM) % $1))
}

# Sets $offset and $length: any bytes of the disk, half of them in its first
# megabyte so that they meet; a quarter aligned to pages. Lengths of all
# magnitudes, so that less than a page, a few pages and many are all common.
random_range() {
    draw $((1 << RANDOM % 18))
    length=$((1 + drawn))
    draw $((RANDOM % 2 ? 1 << 20 : disk_bytes))
    offset=$drawn
    if [ $((RANDOM % 4)) -eq 0 ]; then
        offset=$((offset & ~4095))
        length=$(((length + 4095) & ~4095))
    fi
    if [ $((offset + length)) -gt "$disk_bytes" ]; then
        length=$((disk_bytes - offset))
    fi
}

# A discard forgets the whole pages of its range, which then read as zeros,
# and nothing else. The file is given zeros there, for what a discard does to
# a file depends on where it lies.
emit_discard() {
    local from=$(((offset + 4095) & ~4095)) to=$(((offset + length) & ~4095))

    echo "discard $offset $length" >>"$dir/for-zsd"
    if [ "$from" -lt "$to" ]; then
        echo "write -z $from $((to - from))" >>"$dir/for-file"
    fi
}

emit_command() {
    local command

    random_range
    case $((RANDOM % 10)) in
    [0-5]) command="write -P $((RANDOM % 256)) $offset $length" ;;
    6) command="write -s $dir/noise $offset $length" ;;
    7) command="write -z $offset $length" ;;
    8) command="write -z -u $offset $length" ;;
    9)
        emit_discard
        return
        ;;
    esac
    echo "$command" >>"$dir/for-zsd"
    echo "$command" >>"$dir/for-file"
}

run() { # FILE-OF-COMMANDS IMAGE
    qemu-io -f raw -d unmap "$2" <"$1" >"$dir/output" 2>&1 ||
        fail "$(grep -v '^qemu-io> wrote' "$dir/output" | head)"
    ! grep -iE 'failed|error|invalid' "$dir/output" || fail "see above"
}

choose_seed
seq 9999 | gzip --no-name >"$dir/noise" # no codec makes this smaller
truncate -s 4K "$dir/noise"
for ((i = 0; i < nr_commands; i++)); do
    emit_command
done

start_zsd --size "$disk_bytes"
truncate -s "$disk_bytes" "$dir/file"
run "$dir/for-zsd" "$uri"
run "$dir/for-file" "$dir/file"
qemu-img compare -f raw -F raw "$dir/file" "$uri"
verify_store
stop_zsd
