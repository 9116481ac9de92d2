#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Numbers that agree are accepted, and each one that does not is found.
set -euo pipefail

agree=${top_builddir:?}/tests/vm/agree
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# Two of seven same-filled pages have an object for their word; 15 objects are
# in a zspage and two pages of one that grows; five pages are stored raw.
cat > "$temp/classes" <<'END'
{"id": 1, "result": {"classes": [
  {"class": 0, "size": 32, "almost_full": 0, "almost_empty": 1,
   "obj_allocated": 128, "obj_used": 2, "pages_used": 1,
   "pages_per_zspage": 1, "objs_per_zspage": 128, "freeable": 0},
  {"class": 111, "size": 1808, "almost_full": 1, "almost_empty": 1,
   "obj_allocated": 22, "obj_used": 15, "pages_used": 10,
   "pages_per_zspage": 4, "objs_per_zspage": 9, "freeable": 2},
  {"class": 254, "size": 4096, "almost_full": 0, "almost_empty": 0,
   "obj_allocated": 5, "obj_used": 5, "pages_used": 5,
   "pages_per_zspage": 1, "objs_per_zspage": 1, "freeable": 0}],
 "total":
  {"almost_full": 1, "almost_empty": 2, "obj_allocated": 155, "obj_used": 22,
   "pages_used": 16, "freeable": 2}}}
END
cat > "$temp/stats" <<'END'
{"id": 1, "result": {
 "resident_bytes": 65536,
 "connections": {"open": 2, "accepted": 2, "refused": 0,
  "handshake_failures": 0},
 "exports": [{
 "disk": {"size_bytes": 110592},
 "mm_stat": {"orig_data_size": 110592, "compr_data_size": 47664,
  "mem_used_total": 65536, "mem_used_max": 65536, "same_pages": 7,
  "pages_compacted": 3, "huge_pages": 5, "huge_pages_since": 5},
 "io_stat": {"failed_reads": 0, "failed_writes": 0},
 "memory": {"ratio": 1.5, "metadata_bytes": 8192,
  "bytes_per_compressed_byte": 1.54683},
 "requests": {"read": 10, "write": 27, "flush": 3, "trim": 4, "errors": 0,
  "read_bytes": 81920, "write_bytes": 122880}}]}}
END
echo "100 0 800 1 200 0 1600 1 0 1 1 300 0 9000 1 0 0" > "$temp/kernel-before"
echo "110 0 960 1 230 0 1840 1 0 1 1 304 0 9999 1 0 0" > "$temp/kernel-now"

# The same after a compaction that emptied the growing zspage.
cat > "$temp/compact" <<'END'
{"id": 1, "result": {"pages_compacted": 2, "bytes_freed": 8192}}
END
sed -e 's/22, "obj_used": 15, "pages_used": 10/18, "obj_used": 15, "pages_used": 8/' \
    -e 's/"obj_allocated": 155/"obj_allocated": 151/; s/"pages_used": 16/"pages_used": 14/' \
    -e 's/"freeable": 2/"freeable": 0/' "$temp/classes" > "$temp/classes-after"
sed 's/65536/57344/; s/"pages_compacted": 3/"pages_compacted": 5/' \
    "$temp/stats" > "$temp/stats-after"

judge() {
    case $1 in
    rest)
        "$agree" rest "$temp"/{stats,classes,kernel-before,kernel-now} 2
        ;;
    compact)
        "$agree" compact "$temp"/{stats,classes,compact} \
            "$temp"/{stats-after,classes-after}
        ;;
    esac
}

# refuse HOW FILE EDIT: a number edited must be found. (Where a sum is checked,
# only the sum may be edited: sed's first match on each line.)
refuse() {
    local how=$1 file=$temp/$2 edit=$3 status=0
    cp "$file" "$temp/kept"
    sed -i "$edit" "$file"
    if cmp -s "$file" "$temp/kept"; then
        echo "$edit: does not change $2"
        exit 1
    fi
    judge "$how" > "$temp/output" || status=$?
    if ((status != 1)) || ! grep -q '^not ok' "$temp/output"; then
        echo "$edit in $2 is not found (status $status)"
        exit 1
    fi
    cp "$temp/kept" "$file"
}

judge rest
judge compact

for key in orig_data_size same_pages huge_pages failed_reads failed_writes \
    ratio metadata_bytes bytes_per_compressed_byte open refused \
    handshake_failures read write flush trim errors read_bytes write_bytes; do
    refuse rest stats "s/\"$key\": 0*/\"$key\": 1/"
done
refuse rest stats 's/"orig_data_size": 110592/"orig_data_size": 102400/'
refuse rest stats 's/"orig_data_size": 110592/"orig_data_size": 122880/'
refuse rest stats 's/"size_bytes": 110592/"size_bytes": 106496/'
refuse rest stats 's/"mem_used_max": 65536/"mem_used_max": 61440/'
refuse rest stats 's/"resident_bytes": 65536/"resident_bytes": 61440/'
refuse rest stats 's/"compr_data_size": 47664/"compr_data_size": 47665/'
for key in almost_full almost_empty obj_allocated obj_used pages_used freeable
do
    refuse rest classes "/\"total\"/,\$ s/\"$key\": 0*/\"$key\": 1/"
    refuse rest classes "/\"class\": 0/,/freeable/ s/\"$key\": 0*/\"$key\": 1/"
done
refuse rest classes 's/"pages_per_zspage": 4/"pages_per_zspage": 3/'
refuse rest classes 's/"objs_per_zspage": 9/"objs_per_zspage": 10/'
refuse rest kernel-now 's/ 0 1 1 / 1 1 1 /'

refuse compact compact 's/"pages_compacted": 2/"pages_compacted": 0/'
refuse compact compact 's/8192/8193/'
refuse compact classes 's/"freeable": 2}}}/"freeable": 3}}}/'
refuse compact stats 's/"pages_compacted": 3/"pages_compacted": 4/'
refuse compact stats-after 's/57344/61440/'
refuse compact stats-after 's/"pages_compacted": 5/"pages_compacted": 4/'
refuse compact stats-after 's/"compr_data_size": 4/"compr_data_size": 5/'
refuse compact classes-after 's/"freeable": 0}}}/"freeable": 4}}}/'
