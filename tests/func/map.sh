#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is data, zeros or a hole: clients are told what was written and trimmed,
# and copies from and to sparse files are sparse.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require qemu-img qemu-utils
require nbdinfo libnbd-bin
require nbdcopy libnbd-bin
require python3 python3
require jq jq

# Both clients print the map as lines of "offset length flags", 1 for a hole
# and 2 for zeros, where nothing follows its like.
map_by_nbdinfo() {
    nbdinfo --map "$uri" | awk '{ print $1, $2, $3 }'
}

map_by_qemu() {
    qemu-img map --output=json "$uri" | jq -r '.[] |
        "\(.start) \(.length) \((if .data then 0 else 1 end) +
                                (if .zero then 2 else 0 end))"'
}

expect_map() { # WHAT, the map being on standard input
    local client

    cat >"$dir/expected"
    for client in nbdinfo qemu; do
        "map_by_$client" >"$dir/map"
        diff "$dir/expected" "$dir/map" >"$dir/difference" ||
            fail "$1, as $client sees it: $(head "$dir/difference")"
    done
}

# One qemu-io for all commands given on standard input.
run() {
    qemu-io -f raw -d unmap "$uri" >"$dir/output" 2>&1 ||
        fail "$(cat "$dir/output")"
    ! grep -iE 'failed|error|invalid|not found' "$dir/output" ||
        fail "see above"
}

# File blocks that a file really has, bytes.
allocated_bytes() {
    echo $(($(stat -c '%b * %B' "$1")))
}

echo "a large empty disk is one hole, and told as one at once"
start_zsd --size 64G
expect_map "nothing" <<<'0 68719476736 3'
before=$(get_stat requests.block_status)
expect_status 0 timeout 5 nbdinfo --map "$uri"
# Answers are of up to 4 GiB, and one a client asks for in advance.
expect_at_most "requests for it" \
    $(($(get_stat requests.block_status) - before)) 20

echo "by hand"
run <<'END'
write -P 1 1M 64k
write -P 0 2M 64k
write -z 3M 64k
write -P 1 4M 64k
write -z -u 4M 8k
discard 4210688 8k
write -P 1 68719472640 4k
write -P 1 34359738367 1
END
expect_map "what was written" <<'END'
0 1048576 3
1048576 65536 0
1114112 983040 3
2097152 65536 2
2162688 983040 3
3145728 65536 2
3211264 991232 3
4202496 8192 0
4210688 8192 3
4218880 40960 0
4259840 34355474432 3
34359734272 4096 0
34359738368 34359734272 3
68719472640 4096 0
END
stop_zsd

echo "at random"
choose_seed
start_zsd --size 16M
for round in 1 2 3; do
    python3 "$(dirname "$0")/map.py" $((seed + round)) $((16 << 20)) 400 \
        "$dir/commands" "$dir/extents"
    run <"$dir/commands"
    expect_map "round $round" <"$dir/extents"
    expect_status 0 qemu-io -f raw -d unmap -c 'discard 0 16M' "$uri"
done
expect_map "nothing again" <<<'0 16777216 3'

# Data, a hole, data, and a hole at the end.
make_sparse_file() {
    rm -f "$dir/in"
    truncate -s 16M "$dir/in"
    head -c 1M /dev/zero | tr '\0' 'x' |
        dd of="$dir/in" bs=1M seek=2 conv=notrunc iflag=fullblock status=none
    head -c 3M /dev/urandom |
        dd of="$dir/in" bs=1M seek=7 conv=notrunc iflag=fullblock status=none
}

echo "from a sparse file"
make_sparse_file
nbdcopy "$dir/in" "$uri"
expect_map "a sparse copy" <<'END'
0 2097152 3
2097152 1048576 0
3145728 4194304 3
7340032 3145728 0
10485760 6291456 3
END
expect_equal orig_data_size "$(get_stat mm_stat.orig_data_size)" $((4 << 20))

echo "to a sparse file"
# Its data, and what the file system needs to tell where they are.
most=$(((4 << 20) + (64 << 10)))
nbdcopy "$uri" "$dir/out"
cmp "$dir/in" "$dir/out"
expect_at_most "what the copy takes" "$(allocated_bytes "$dir/out")" "$most"
rm "$dir/out"
qemu-img convert -f raw -O raw "$uri" "$dir/out"
cmp "$dir/in" "$dir/out"
expect_at_most "what qemu's copy takes" "$(allocated_bytes "$dir/out")" \
    "$most"
expect_status 0 qemu-img compare -f raw -F raw "$dir/in" "$uri"

echo "over what was there, and allocated"
expect_status 0 qemu-io -f raw -c 'write -P 7 0 16M' "$uri"
nbdcopy "$dir/in" "$uri"
expect_equal orig_data_size "$(get_stat mm_stat.orig_data_size)" $((4 << 20))
nbdcopy --allocated "$dir/in" "$uri"
expect_map "a copy without holes" <<'END'
0 2097152 2
2097152 1048576 0
3145728 4194304 2
7340032 3145728 0
10485760 6291456 2
END
nbdcopy "$uri" "$dir/out"
cmp "$dir/in" "$dir/out"

verify_store
stop_zsd
