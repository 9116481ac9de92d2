#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pages that go to a backing: by hand as zram does it, and by themselves. What
# is stored stays what it is, beside reads and writes, through the death of a
# server and a saved disk; and nothing of it can be read in the backing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require qemu-io qemu-utils
require jq jq

pages="$dir/pages"
# Next to what is built: a temporary directory may be in memory, which is
# refused.
backing=$(mktemp "$top_builddir/backing.XXXXXXXX")
trap 'rm -f "$backing"; clean_up' EXIT
fallocate -l 32M "$backing"

"$top_builddir/tests/bench/pagegen" --size 24M "$pages"
# A part that does not compress, and words to be looked for.
head -c 2M /dev/urandom | dd of="$pages" bs=1M seek=4 conv=notrunc status=none
yes 'planted for the backing' | head -c 64K |
    dd of="$pages" bs=1M seek=8 conv=notrunc status=none

expect_disk() {
    nbdcopy "$uri" - | cmp - "$pages" || fail "the disk is not what it was"
}

of_result() { # MEMBER
    jq -e -r ".result.$1" "$dir/output"
}

ask() { # COMMAND...
    expect_status 0 ctl --json "$@"
}

has_written() { # PAGES
    [ "$(get_stat policy.pages_written_out)" -ge "$1" ]
}

is_hidden() { # WORD
    ! grep -q -a -F "$1" "$backing"
}

echo "without a backing it is refused by name"
start_zsd --size 24M
expect_status 1 ctl writeback idle
grep -q -- '--backing' "$dir/output" || fail "no hint: $(cat "$dir/output")"
expect_equal "stats of a backing" "$(get_stat backing)" null
stop_zsd

echo "what cannot be a backing"
expect_refused() { # WHAT OPTION...
    local what=$1
    shift
    ! try_zsd --socket "$socket" --size 24M "$@" || fail "it starts: $*"
    grep -q -e "$what" "$log" || fail "not told of '$what': $(cat "$log")"
}
expect_refused "/nowhere" --backing "/nowhere"
expect_refused "neither" --backing /dev/null
expect_refused "incompressible backing: give --backing" \
    --incompressible backing
mkdir "$dir/folder"
expect_refused "neither" --backing "$dir/folder"

echo "by hand, as zram has it"
start_zsd --size 24M --backing "$backing" --incompressible store --checksum \
    --survive
nbdcopy "$pages" "$uri"
used_bytes=$(($(get_stat mm_stat.mem_used_total) +
    $(get_stat memory.metadata_bytes)))
huge=$(get_stat mm_stat.huge_pages)
expect_at_least "huge pages" "$huge" 512
ask writeback idle
expect_equal "idle pages written" "$(of_result pages_written)" 0
ask writeback huge
expect_equal "huge pages written" "$(of_result pages_written)" "$huge"
expect_equal "a block each" "$(of_result blocks)" "$huge"
expect_equal "huge pages in memory" "$(get_stat mm_stat.huge_pages)" 0
expect_equal backing.pages "$(get_stat backing.pages)" "$huge"
expect_equal backing.bd_count "$(get_stat backing.bd_count)" "$huge"
ask idle all
ask writeback idle
pages_written=$(of_result pages_written)
blocks=$(of_result blocks)
expect_at_least "pages written" "$pages_written" 1000
expect_at_least "pages in ten blocks" $((10 * pages_written / blocks)) 25
expect_equal "objects in memory" "$(get_stat mm_stat.compr_data_size)" 0
ctl blocks >"$dir/output"
expect_equal "lines of blocks" "$(wc -l <"$dir/output")" \
    $(($(get_stat mm_stat.orig_data_size) / 4096))
expect_equal "pages of the backing among them" \
    "$(grep -c ' .w....$\| .wh...$' "$dir/output")" \
    "$(get_stat backing.pages)"
expect_equal "lines that are no line of block_state" \
    "$(grep -vcE '^ *[0-9]+ +[0-9]+\.[0-9]{6} [s.][w.][h.][i.][r.][n.]$' \
        "$dir/output")" 0
expect_disk
is_hidden 'planted for the backing' || fail "words can be read in the backing"
expect_status 0 ctl verify
expect_at_least backing.bd_reads "$(get_stat backing.bd_reads)" 1000
expect_status 1 ctl writeback page_indexes=0-6144
expect_status 2 ctl writeback page_index=x
expect_status 2 ctl writeback hugs
expect_status 2 ctl writeback
expect_equal "what clients were told of errors" \
    "$(get_stat requests.errors)" 0

echo "a page that is written is in memory again, and its block is free"
used=$(get_stat backing.bd_count)
dd if=/dev/urandom of="$pages" bs=4K seek=1100 count=8 conv=notrunc status=none
qemu-io -f raw -c "write -s $pages 0 24M" "$uri" >"$dir/output" 2>&1
expect_equal backing.pages "$(get_stat backing.pages)" 0
expect_equal backing.bd_count "$(get_stat backing.bd_count)" 0
expect_at_least "blocks before" "$used" 1000
expect_disk
ask writeback page_index=1100
expect_equal "one page" "$(of_result pages_written)" 1
ask writeback page_indexes=1101-1104
expect_equal "four pages" "$(of_result pages_written)" 4
# A part of a page, and zeros over others.
printf 'in the middle of a page' |
    dd of="$pages" bs=1 seek=$((1101 * 4096 + 500)) conv=notrunc status=none
dd if=/dev/zero of="$pages" bs=512 seek=$((1102 * 8 + 3)) count=12 \
    conv=notrunc status=none
dd if="$pages" of="$dir/part" bs=1 skip=$((1101 * 4096 + 500)) count=23 \
    status=none
qemu-io -f raw -c "write -s $dir/part $((1101 * 4096 + 500)) 23" \
    -c "write -z $((1102 * 4096 + 1536)) 6k" "$uri" >"$dir/output" 2>&1
expect_disk

echo "another server goes on with it"
ask idle all
ask writeback idle
eventually has_standby
pid=$(get_stat pid)
kill -KILL "$pid"
eventually serves_other_than "$pid"
expect_disk
expect_status 0 ctl verify
expect_at_least backing.pages "$(get_stat backing.pages)" 1000
echo "and where one dies while it writes out"
qemu-io -f raw -c "write -s $pages 0 24M" "$uri" >"$dir/output" 2>&1
for _ in 1 2 3; do
    eventually has_standby
    pid=$(get_stat pid)
    ctl idle all >/dev/null
    ctl writeback idle >/dev/null 2>&1 &
    kill -KILL "$pid"
    wait "$!" || true
    eventually serves_other_than "$pid"
    expect_disk
    expect_status 0 ctl verify
done
expect_status 0 ctl save "$dir/saved"
stop_zsd

echo "a saved disk has what was in the backing"
start_zsd --restore "$dir/saved"
expect_disk
stop_zsd

echo "a limit for a day, which a restart does not end"
zsd_environment=("STATE_DIRECTORY=$dir")
start_zsd --size 24M --backing "$backing" --incompressible store \
    --writeback-limit 1M
nbdcopy "$pages" "$uri"
expect_status 1 ctl --json writeback huge
expect_equal "blocks of 1 MiB" "$(of_result blocks)" 256
grep -q -- '--writeback-limit' "$dir/output" || fail "no hint of the limit"
stop_zsd
start_zsd --size 24M --backing "$backing" --incompressible store \
    --writeback-limit 1M
expect_equal "written today" "$(get_stat backing.day_written_bytes)" 1048576
nbdcopy "$pages" "$uri"
expect_status 1 ctl --json writeback huge
expect_equal "blocks beyond the limit" "$(of_result blocks)" 0
stop_zsd
zsd_environment=()

echo "by itself: what does not compress at once, the rest when memory is short"
start_zsd --size 24M --backing "$backing" --writeback-age 300 \
    --writeback-limit 0 --mem-limit $((used_bytes * 10 / 9)) --encrypt=off
nbdcopy "$pages" "$uri"
patience=60
eventually has_written 600
expect_disk
expect_status 0 ctl verify
ctl policy >"$dir/output"
grep -q 'written out' "$dir/output" ||
    fail "policy does not tell: $(cat "$dir/output")"
is_hidden 'planted for the backing' &&
    fail "the words are not there: does the test look for them as it should?"
stop_zsd
