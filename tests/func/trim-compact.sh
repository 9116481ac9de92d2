#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# After nine in ten of all pages are trimmed at random, compaction leaves no
# class with a page more than its objects need, and the memory goes back to the
# system.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require qemu-io qemu-utils
require jq jq

disk_mib=64
reserve=$((4 << 20))

# Trims each page with a probability of 90 %, and does the same to the file.
trim_at_random() {
    awk -v seed="$seed" -v pages=$((disk_mib * 256)) '
        BEGIN {
            srand(seed)
            for (i = 0; i < pages; i++)
                if (rand() < 0.9)
                    print "discard " i * 4096 " 4096"
        }' >"$dir/for-zsd"
    # A file takes neighbouring pages in one go.
    awk '
        NR == 1 { start = $2 }
        NR > 1 && $2 != end {
            print "write -z " start " " end - start
            start = $2
        }
        { end = $2 + $3 }
        END { print "write -z " start " " end - start }' \
        "$dir/for-zsd" >"$dir/for-file"
    qemu-io -f raw -d unmap "$uri" <"$dir/for-zsd" >"$dir/output" 2>&1 ||
        fail "trimming: $(tail "$dir/output")"
    qemu-io -f raw "$dir/pages" <"$dir/for-file" >"$dir/output" 2>&1 ||
        fail "zeroing: $(tail "$dir/output")"
}

# Rows of classes that have more pages than full zspages, and for the objects
# left over the first pages of one more, would be.
classes_too_empty() {
    jq -c '.result.classes[] |
        (.obj_used / .objs_per_zspage | floor) as $full |
        (.obj_used - $full * .objs_per_zspage) as $rest |
        ($full * .pages_per_zspage + ($rest * .size / 4096 | ceil)) as $need |
        select(.pages_used > $need or .freeable != 0)' "$1"
}

choose_seed
"$top_builddir/tests/bench/pagegen" --size "${disk_mib}M" --seed "$seed" \
    "$dir/pages"
start_zsd --size "${disk_mib}M" --reserve "$reserve"
nbdcopy --connections=4 "$dir/pages" "$uri"
resident_before=$(store_resident_bytes)
used_before=$(get_stat mm_stat.mem_used_total)

trim_at_random
used_between=$(get_stat mm_stat.mem_used_total)
ctl --json stats --classes >"$dir/before"
[ -n "$(classes_too_empty "$dir/before")" ] ||
    fail "the trims left nothing to compact: this tests nothing"

ctl --json compact >"$dir/compacted"
ctl --json stats --classes >"$dir/after"
left=$(classes_too_empty "$dir/after")
[ -z "$left" ] || fail "classes with a page to give back: $left"
expect_equal "freeable pages" "$(jq .result.total.freeable "$dir/after")" 0

used_after=$(get_stat mm_stat.mem_used_total)
freed=$(jq .result.bytes_freed "$dir/compacted")
expect_equal "what compaction says it freed" "$freed" \
    $((used_between - used_after))
expect_at_least "what compaction freed" "$freed" 1

# Headers, rounding and the ends of zspages are a fortieth, as when the pages
# were written (see density.sh); and a page that is not full in each class.
stored=$(get_stat mm_stat.compr_data_size)
classes=$(jq '.result.classes | length' "$dir/after")
echo "compressed: $stored, classes: $classes"
expect_at_most "memory in use after compaction" "$used_after" \
    $((stored + stored / 40 + classes * 4096))

# The system has it all back, but for the reserve, which may not have been
# touched before.
resident_after=$(store_resident_bytes)
echo "used: $used_before, trimmed: $used_between, compacted: $used_after"
echo "resident: $resident_before before, $resident_after after"
expect_at_most "resident memory" "$resident_after" \
    $((resident_before - (used_before - used_after) + reserve))
expect_at_most "resident memory" "$resident_after" \
    $((used_after + reserve + $(get_stat memory.metadata_bytes)))

nbdcopy "$uri" "$dir/out"
cmp "$dir/pages" "$dir/out"
verify_store
stop_zsd
