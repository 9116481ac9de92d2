# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The kernel's zram, as the mark to close in on; sourced by bench.sh.
#
# A device of our own, added for the purpose and removed afterwards; the others
# are left alone. Needs root and a kernel with zram and LZ4 in it; where that is
# missing, why_no_zram says what.
: "${work:?}"

zram_control=/sys/class/zram-control
zram_id= # of our device, while there is one

why_no_zram() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "needs root"
    elif [ ! -w "$zram_control/hot_remove" ] ||
        [ ! -r "$zram_control/hot_add" ]; then
        echo "not on this machine"
    fi
}

start_zram() { # BYTES
    local dir
    zram_id=$(cat "$zram_control/hot_add")
    dir=/sys/block/zram$zram_id
    echo lz4 >"$dir/comp_algorithm" || die "the kernel's zram has no lz4"
    echo "$1" >"$dir/disksize"
}

stop_zram() {
    [ -n "$zram_id" ] || return 0
    echo 1 >"/sys/block/zram$zram_id/reset"
    echo "$zram_id" >"$zram_control/hot_remove"
    zram_id=
}

# Original bytes, compressed bytes, bytes used; what mm_stat leaves out is 16 B
# for each slot of the disk and 8 B for each object, same-filled pages having
# none.
zram_sizes() {
    local dir=/sys/block/zram$zram_id
    awk -v disk_bytes="$(cat "$dir/disksize")" '{
        objects = $1 / 4096 - $6
        printf "{\"orig_data_size\":%d,\"compr_data_size\":%d," \
            "\"mem_used_total\":%d,\"metadata_bytes\":%d}\n", $1, $2, $3,
            disk_bytes / 4096 * 16 + objects * 8
    }' "$dir/mm_stat"
}

zram_fill() { # FILE...
    cat "$@" | dd of="/dev/zram$zram_id" bs=1M iflag=fullblock oflag=direct \
        status=none
}

# Exactly so many pages, each once, at random.
zram_trim() { # NR_PAGES
    fio --name=trim --filename="/dev/zram$zram_id" --ioengine=sync --direct=1 \
        --rw=randtrim --bs=4k --number_ios="$1" --output-format=json \
        --output="$work/zram-trim.json"
}

zram_compact() {
    echo 1 >"/sys/block/zram$zram_id/compact"
}
