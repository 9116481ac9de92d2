#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsctl save and zsd --restore: a file system survives the end of its zsd, with
# the same codec and with another; and files that are not whole are refused.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/sbin:/usr/sbin
require nbdcopy libnbd-bin
require jq jq
require mkfs.ext4 e2fsprogs
require python3 python3
require qemu-io qemu-utils

pagegen=$top_builddir/tests/bench/pagegen
file=$dir/disk.zsd
disk=$dir/disk

expect_disk() {
    nbdcopy "$uri" - | cmp - "$disk" || fail "the disk is another one"
}

# It does not start, for the reason TEXT: expect_refused TEXT OPTION...
expect_refused() {
    local text=$1
    shift

    ! try_zsd --socket "$socket" "$@" || fail "zsd starts with $*"
    # shellcheck disable=SC2154 # try_zsd sets it
    expect_equal "the exit status" "$zsd_status" 1
    grep -qF -- "$text" "$log" || fail "'$text' is not in: $(cat "$log")"
    [ ! -e "$socket" ] || fail "$socket is left"
}

end_and_restore() { # OPTION...
    stop_zsd
    start_zsd --restore "$file" "$@"
    grep -q "restored $pages pages from $file" "$log" || fail "$(cat "$log")"
    expect_disk
    verify_store
}

echo "a file system"
mkdir "$dir/tree"
"$pagegen" --size 8M "$dir/tree/pages"
cp -r "$top_srcdir/tests/func" "$dir/tree"
truncate -s 64M "$disk"
mkfs.ext4 -q -d "$dir/tree" "$disk"
start_zsd --size 64M
nbdcopy "$disk" "$uri"
stored=$(get_stat mm_stat)
pages=$(($(jq .orig_data_size <<<"$stored") / 4096))
ctl save "$file"

echo "comes back as it is, with its size, holes and all"
end_and_restore
expect_equal "what is stored" \
    "$(get_stat 'mm_stat | del(.mem_used_max, .huge_pages_since)')" \
    "$(jq 'del(.mem_used_max, .huge_pages_since)' <<<"$stored")"
expect_equal "the size" "$(get_stat disk.size_bytes)" $((64 << 20))
nbdcopy "$uri" "$dir/copy"
e2fsck -fn "$dir/copy" >"$dir/output" 2>&1 || fail "$(cat "$dir/output")"

echo "with other options, and with another codec"
end_and_restore --size 64M --checksum --chain-size 4
end_and_restore --algorithm zstd
grep -q 'compressed anew' "$log" || fail "$(cat "$log")"
expect_shorter() { # WHAT ACTUAL THAN
    [ "$2" -lt "$3" ] || fail "$1 is $2, not below $3"
}
expect_shorter "what is stored" "$(get_stat mm_stat.compr_data_size)" \
    "$(jq .compr_data_size <<<"$stored")"

echo "what is saved of that again, with a dictionary, too"
if ctl train >"$dir/output" 2>&1; then
    nbdcopy "$disk" "$uri"
fi
current=$(get_stat dictionary.current)
ctl save "$file"
pages=$(($(get_stat mm_stat.orig_data_size) / 4096))
end_and_restore --algorithm zstd:3
expect_equal "the dictionary" "$(get_stat dictionary.current)" "$current"
ctl --json save "$dir/again" >"$dir/output"
expect_equal "pages, saved again" "$(jq .result.pages "$dir/output")" "$pages"

echo "several exports have one each"
stop_zsd
start_zsd --export "a,restore=$file" --export b,size=8M --algorithm zstd
expect_equal "the size of a" "$(get_stat disk.size_bytes)" $((64 << 20))
expect_status 1 ctl save "$dir/none"
grep -q 'must name one' "$dir/output" || fail "$(cat "$dir/output")"
ctl save --export b "$dir/small"
stop_zsd

echo "a server that takes over goes on with the disk, not with the file"
cp "$file" "$dir/moved"
start_zsd --survive --swap --restore "$dir/moved" --algorithm zstd
expect_disk
rm "$dir/moved"
cp "$dir/small" "$dir/moved" # the disk of another size
server_pid() {
    get_stat pid
}
kill_server() {
    local before after

    eventually has_standby
    before=$(server_pid)
    kill -KILL "$before"
    serves_another() {
        after=$(server_pid 2>/dev/null) && [ "$after" != "$before" ]
    }
    eventually serves_another
}
kill_server
expect_disk
qemu-io -f raw -c 'write -P 7 0 4k' "$uri" >/dev/null
kill_server
qemu-io -f raw -c 'read -P 7 0 4k' "$uri" >"$dir/output"
! grep -q 'verification failed' "$dir/output" || fail "$(cat "$dir/output")"
verify_store
stop_zsd

echo "what does not fit is refused, by name"
expect_refused "has 67108864 bytes, and --size says 33554432" \
    --size 32M --restore "$file"
expect_refused "--restore $file: --mem-limit has no room" \
    --mem-limit 2M --restore "$file"
expect_refused "--restore $dir/missing: No such file" --restore "$dir/missing"
expect_refused "--restore $dir: it is no regular file" --restore "$dir"
expect_refused "--restore $disk: that is no saved disk" --restore "$disk"
: >"$dir/empty"
expect_refused "--restore $dir/empty: it is short" --restore "$dir/empty"

echo "and so are files that are not whole"
bytes=$(stat -c %s "$file")
for cut in 10 40 1000 $((bytes / 2)) $((bytes - 1)); do
    head -c "$cut" "$file" >"$dir/short"
    expect_refused "--restore $dir/short: it is short" --restore "$dir/short"
done
{ cat "$file"; echo; } >"$dir/long"
expect_refused "something stands behind its end" --restore "$dir/long"
choose_seed
for _ in $(seq 5); do
    at=$((104 + (RANDOM << 15 | RANDOM) % (bytes - 200)))
    cp "$file" "$dir/damaged"
    python3 - "$dir/damaged" "$at" <<'END'
import sys
with open(sys.argv[1], 'r+b') as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 0x10]))
END
    expect_refused "--restore $dir/damaged: it is " --survive \
        --restore "$dir/damaged"
    expect_refused "in the block at byte" --restore "$dir/damaged"
done
