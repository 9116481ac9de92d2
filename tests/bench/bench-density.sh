# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What memory each server needs for the same pages; sourced by bench.sh.
#
# A new server for each set of pages, its disk as large as they are, filled once,
# in order. Sets: each page file, and all of them together, as often as they fit
# into $large_bytes. (Pages that come up four times are stored four times: an
# allocator sees as many objects of as many sizes as of four times the files.)
# Two measures:
#   resident  how much larger the process is (VmRSS) than the same server with
#             an empty disk of 1 MiB, which can be asked of any. With qemu-nbd,
#             whose data is not its own memory, the file in /dev/shm counts
#   own       what zsctl tells, or mm_stat for the kernel's zram, metadata
#             included
# And of zsd and the kernel's zram, for all pages together: after 4 KiB writes of
# random pages to random places, two for each page of the disk (not zram);
# after trims of 50, 75 and 90 % of a full disk at random; after compaction.
: "${build:?}" "${work:?}" "${results:?}" "${servers:?}" "${pages:?}"
: "${large_bytes:?}" "${weigh_each?}" "${ram_file:?}" "${trim_servers:?}"
: "${trim_percents:?}" "${no_zram?}"

resident_bytes() { # PID
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}

file_bytes() { # FILE...
    cat "$@" | wc -c
}

# What a server's memory comes to now: resident, and what it tells of itself.
sizes() { # NAME
    local own='{}' resident=0 file=0
    case $1 in
    zsd-*)
        own=$("$build/zsctl" --control "$work/$1.sock.ctl" --json stats |
            jq -c '.result.exports[0] | .mm_stat + .memory')
        ;;
    zram) own=$(zram_sizes) ;;
    qemu-nbd) file=$(($(stat -c '%b * %B' "$ram_file"))) ;;
    esac
    [ "$1" = zram ] || resident=$(resident_bytes "${pid_of[$1]:?}")
    jq -nc --argjson resident "$((resident + file))" --argjson own "$own" \
        '{$resident} + $own'
}

# Writes the pages over all of the disk, in order.
store_pages() { # NAME BYTES FILE...
    local name=$1 bytes=$2 at
    local -a repeated=()
    shift 2
    if [ "$name" = zram ]; then
        for ((at = 0; at < bytes; at += $(file_bytes "$@"))); do
            repeated+=("$@")
        done
        zram_fill "${repeated[@]}"
    else
        load "$name" "${@/#/--pages=}" --prefill --requests 0 \
            --block-bytes 64K --depth 4
    fi
}

# Sizes of a server that holds nothing.
sizes_of_new() { # NAME
    start_server pinned "$1" "$((1 << 20))"
    sizes "$1"
    stop_servers
}

# Sizes when it is full, and, of a zsd, after overwriting and compaction.
weigh_in_use() { # NAME BYTES FILE...
    local name=$1 bytes=$2
    store_pages "$@"
    sizes "$name"
    shift 2
    [[ $name == zsd-* ]] || return 0
    load "$name" "${@/#/--pages=}" --mix 0:100:0 --depth 32 \
        --requests "$((2 * bytes / 4096))" >"$work/overwrite.log"
    sizes "$name"
    compact "$name" >"$work/compact.json"
    sizes "$name"
}

weigh() { # NAME LABEL BYTES FILE...
    local name=$1 label=$2 bytes=$3 new
    shift 3
    new=$(sizes_of_new "$name")
    start_server pinned "$name" "$bytes"
    weigh_in_use "$name" "$bytes" "$@" |
        jq -cs --arg server "$name" --arg pages "$label" \
            --argjson bytes "$bytes" --argjson new "$new" \
            '{part: "density", $server, $pages, $bytes, sizes: [$new, .[]]}' \
            >>"$results"
    stop_servers
}

# What compaction says of itself; the kernel's says nothing, and is timed, which
# includes handing the memory back.
compact() { # NAME
    local start_us
    if [ "$1" = zram ]; then
        start_us=$(us_now)
        zram_compact
        echo "{\"duration_us\":$(($(us_now) - start_us))}"
    else
        "$build/zsctl" --control "$work/$1.sock.ctl" --json compact |
            jq -c .result
    fi
}

trim_share() { # NAME PERCENT BYTES
    if [ "$1" = zram ]; then
        zram_trim "$(($3 * $2 / 100 / 4096))"
    else
        load "$1" --trim-share "$2" --requests 0
    fi
}

weigh_trimmed() { # NAME PERCENT
    local new full trimmed compacted compaction
    new=$(sizes_of_new "$1")
    start_server pinned "$1" "$large_bytes"
    store_pages "$1" "$large_bytes" "${pages[@]}"
    full=$(sizes "$1")
    trim_share "$1" "$2" "$large_bytes"
    trimmed=$(sizes "$1")
    compaction=$(compact "$1")
    compacted=$(sizes "$1")
    stop_servers
    jq -nc --arg server "$1" --argjson percent "$2" --argjson new "$new" \
        --argjson full "$full" --argjson trimmed "$trimmed" \
        --argjson compacted "$compacted" --argjson compaction "$compaction" \
        '{part: "trim"} + $ARGS.named' >>"$results"
}

part_density() {
    local name file percent
    progress "density"
    for name in $servers; do
        [[ $name != *-poll ]] || continue
        [ "$name" != zram ] || [ -z "$no_zram" ] || continue
        if [ -n "$weigh_each" ]; then
            for file in "${pages[@]}"; do
                weigh "$name" "$(basename "$file" .pages)" \
                    "$(file_bytes "$file")" "$file"
            done
        fi
        weigh "$name" "all" "$large_bytes" "${pages[@]}"
        [[ " $trim_servers " == *" $name "* ]] || continue
        for percent in $trim_percents; do
            weigh_trimmed "$name" "$percent"
        done
    done
}
