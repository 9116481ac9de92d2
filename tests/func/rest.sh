#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pages that rest: marked idle and recompressed by hand as zram does it, and by
# the policy by itself where --mem-limit is nearly reached. What is stored stays
# what it is, through a restart of the server and a saved disk, too.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require jq jq

pages="$dir/pages"
"$top_builddir/tests/bench/pagegen" --size 24M "$pages"
# Some of it twice, early: a round may begin before the rest is written. Little of
# it, so that sharing alone does not make room enough.
dd if="$pages" of="$pages" bs=256K count=1 seek=1 conv=notrunc status=none

expect_disk() {
    nbdcopy "$uri" - | cmp - "$pages" || fail "the disk is not what it was"
}

expect_more() { # WHAT ACTUAL THAN
    awk "BEGIN { exit !($2 > $3) }" || fail "$1 is $2, not above $3"
}

of_result() { # MEMBER
    jq -e -r ".result.$1" "$dir/output"
}

has_recompressed() { # PAGES
    [ "$(get_stat policy.pages_recompressed)" -gt "$1" ]
}

has_shared() { # PAGES
    [ "$(get_stat policy.pages_sharing)" -gt "$1" ]
}

# Its tables are there only while pages are recompressed.
has_model_alone() {
    [ "$(get_stat dictionary.memory_bytes)" -lt 100000 ]
}

ask() { # COMMAND...
    expect_status 0 ctl --json "$@"
}

echo "without a codec for it, it is refused by name"
start_zsd --size 24M --algorithm lz4
expect_status 1 ctl recompress
grep -q -- '--recompress' "$dir/output" || fail "no hint: $(cat "$dir/output")"
expect_equal policy.state "$(get_stat policy.state)" off
stop_zsd

echo "by hand, as zram's vectors have it"
start_zsd --size 24M --algorithm lz4 --recompress zstd:3 --checksum --survive
nbdcopy "$pages" "$uri"
expect_equal disk.recomp_algorithm "$(get_stat disk.recomp_algorithm)" zstd:3
before=$(get_stat mm_stat.compr_data_size)
used=$(($(get_stat mm_stat.mem_used_total) + $(get_stat memory.metadata_bytes)))
ask recompress type=idle
expect_equal "idle pages tried" "$(of_result pages_tried)" 0
ask idle 600
expect_equal "pages that rest for ten minutes" "$(of_result pages_idle)" 0
ask idle all
expect_more "pages that are idle" "$(of_result pages_idle)" 1000
ask recompress type=idle max_pages=100 threshold=1024
expect_equal "pages tried" "$(of_result pages_tried)" 100
ask recompress type=idle
expect_more "pages that became shorter" "$(of_result pages_recompressed)" 1000
expect_more "bytes before" "$before" "$(get_stat mm_stat.compr_data_size)"
ask recompress
expect_equal "once is enough" "$(of_result pages_recompressed)" 0
expect_status 1 ctl recompress type=all
expect_status 2 ctl recompress threshold=2K
expect_status 1 ctl recompress type=incompressible
expect_status 2 ctl idle never
expect_status 2 ctl idle
expect_disk
verify_store

echo "another server goes on with it"
eventually has_standby
pid=$(get_stat pid)
kill -KILL "$pid"
eventually serves_other_than "$pid"
expect_disk
verify_store
ask recompress
expect_equal "what became shorter is so still" \
    "$(of_result pages_recompressed)" 0
expect_status 0 ctl save "$dir/saved"
stop_zsd

echo "and so does one that a saved disk is restored by"
start_zsd --restore "$dir/saved" --algorithm lz4 --recompress zstd
expect_disk
ask recompress
expect_equal "what became shorter is so still" \
    "$(of_result pages_recompressed)" 0
stop_zsd
start_zsd --restore "$dir/saved" --algorithm zstd
expect_disk
stop_zsd

echo "by itself, where the limit is near"
start_zsd --size 24M --algorithm lz4 --recompress plz,age=120 \
    --mem-limit $((used * 10 / 9))
nbdcopy "$pages" "$uri"
# The thread is the last of all, on a machine that may have more to do.
patience=120
eventually has_recompressed 100
expect_disk
verify_store
eventually has_shared 10
eventually has_model_alone
ask recompress
eventually has_model_alone
expect_disk
verify_store
ctl policy >"$dir/output"
grep -q 'become plz:1' "$dir/output" ||
    fail "policy does not tell: $(cat "$dir/output")"
stop_zsd
