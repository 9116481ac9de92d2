# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The kernel's zram, as the mark to close in on; sourced by bench.sh.
#
# A device of our own, added for the purpose and removed afterwards; the others
# are left alone. Needs root and a kernel with zram that knows LZ4; what of that
# is missing stands in no_zram.
: "${work:?}"

zram_control=/sys/class/zram-control
zram_id= # of our device, while there is one

no_zram= # why there is none

# shellcheck disable=SC2034 # no_zram is used by the parts
look_for_zram() {
    if [ ! -e "$zram_control/hot_add" ]; then
        no_zram="not on this machine"
    elif [ "$(id -u)" -ne 0 ]; then
        no_zram="only root may have it"
    elif ! zram_id=$(cat "$zram_control/hot_add"); then
        zram_id=
        no_zram="no device to be had"
    else
        grep -qw lz4 "/sys/block/zram$zram_id/comp_algorithm" ||
            no_zram="not with lz4 on this machine"
        stop_zram
    fi
}

start_zram() { # BYTES
    local dir
    zram_id=$(cat "$zram_control/hot_add")
    dir=/sys/block/zram$zram_id
    echo lz4 >"$dir/comp_algorithm"
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
