#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two disks in one process, with algorithms and limits of their own: clients
# find both, each holds what was written to it, is counted for itself, and is
# full for itself.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require nbdcopy libnbd-bin
require qemu-io qemu-utils
require jq jq

# The URI of an export.
uri_of() { # NAME
    echo "nbd+unix:///$1?socket=$socket"
}

# A figure of one export: figure_of NAME FIGURE
figure_of() {
    ctl --json stats --export "$1" | jq -e -r ".result.exports[0].$2"
}

of_list() { # NAME MEMBER
    jq -r --arg name "$1" ".exports[] | select(.\"export-name\" == \$name) |
        .\"$2\"" "$dir/list"
}

start_zsd --size 64M --algorithm lz4 --checksum \
    --export fast,mem-limit=2M,description='quick,, and small' \
    --export 'dense ä,size=1G,algorithm=zstd:3,checksum=off' \
    --export frozen,read-only

echo "clients find all of them"
nbdinfo --list --json "$uri" >"$dir/list"
expect_equal "the names" \
    "$(jq -r '[.exports[]."export-name"] | join("|")' "$dir/list")" \
    'fast|dense ä|frozen'
expect_equal "a size" "$(of_list fast export-size)" $((64 << 20))
expect_equal "a size" "$(of_list 'dense ä' export-size)" $((1 << 30))
expect_equal "a description" "$(of_list fast description)" 'quick, and small'
expect_equal "read-only" "$(of_list frozen is_read_only)" true
expect_equal "read-only" "$(of_list fast is_read_only)" false
expect_equal "the default" "$(nbdinfo --size "$uri")" $((64 << 20))
expect_status 1 nbdinfo "$(uri_of other)"

echo "each holds its own"
seq -f 'fast %.0f' 100000 >"$dir/fast"
seq -f 'dense %.0f' 5000000 >"$dir/dense"
truncate -s 1M "$dir/fast"
truncate -s 64M "$dir/dense"
nbdcopy "$dir/fast" "$(uri_of fast)" &
nbdcopy "$dir/dense" "$(uri_of 'dense%20%C3%A4')"
wait $!
for name in fast dense; do
    export_name=$name
    [ "$name" != dense ] || export_name='dense%20%C3%A4'
    nbdcopy "$(uri_of "$export_name")" "$dir/copy"
    cmp -n "$(stat -c %s "$dir/$name")" "$dir/copy" "$dir/$name" ||
        fail "$name holds something else"
done
expect_status 1 qemu-io -f raw -c 'write -P 7 0 4k' "$(uri_of frozen)"

echo "and is counted for itself"
expect_equal algorithm "$(figure_of fast disk.algorithm)" lz4:1
expect_equal algorithm "$(figure_of 'dense ä' disk.algorithm)" zstd:3
expect_equal checksum "$(figure_of fast 'disk.checksum | tostring')" true
expect_equal checksum "$(figure_of 'dense ä' 'disk.checksum | tostring')" false
expect_equal "stored" "$(figure_of fast mm_stat.orig_data_size)" $((1 << 20))
expect_equal "stored" "$(figure_of 'dense ä' mm_stat.orig_data_size)" \
    $((64 << 20))
expect_equal "stored" "$(figure_of frozen mm_stat.orig_data_size)" 0
expect_equal "written" "$(figure_of fast requests.write_bytes)" $((1 << 20))
expect_equal "written" "$(figure_of 'dense ä' requests.write_bytes)" \
    $((64 << 20))
expect_equal "exports" "$(ctl --json stats | jq '.result.exports | length')" 3

echo "and full for itself"
expect_equal "the limit" "$(figure_of fast mm_stat.mem_limit)" $((2 << 20))
expect_status 1 qemu-io -f raw -c 'write -s /dev/urandom 0 16m' "$(uri_of fast)"
expect_at_least "failed writes" "$(figure_of fast io_stat.failed_writes)" 1
expect_equal "failed writes" "$(figure_of 'dense ä' io_stat.failed_writes)" 0
expect_status 0 qemu-io -f raw -c 'write -s /dev/urandom 256m 16m' \
    "$(uri_of 'dense%20%C3%A4')"

echo "what is asked of zsd is about one of them, or all"
expect_status 0 ctl verify
expect_equal "verified" "$(grep -c ': ok: ' "$dir/output")" 3
grep -q "^'fast': ok" "$dir/output" || fail "$(cat "$dir/output")"
expect_status 0 ctl compact --export 'dense ä'
expect_equal "compacted" "$(grep -c freed "$dir/output")" 1
expect_status 0 ctl --json compact
expect_equal "compacted" "$(jq -s 'length' "$dir/output")" 3
expect_status 0 ctl stats --classes --export fast
expect_status 1 ctl train --export fast
expect_status 0 ctl stats
expect_equal "told of" "$(grep -c "^export '" "$dir/output")" 3
stop_zsd

echo "each has memory ready where the machine swaps on it"
start_zsd --swap --size 64M --export first --export second
for name in second first; do
    nbdcopy "$dir/dense" "$(uri_of $name)"
    expect_equal "failed" "$(figure_of $name memory.failed_requests)" 0
    expect_at_least "memory ready" "$(figure_of $name memory.reserve_bytes)" 1
done
stop_zsd
