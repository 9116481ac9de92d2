# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What memory each server needs for the same pages; sourced by bench.sh.
#
# A new server for each page file, its disk as large as the file, filled once,
# in order, by nbdload. Two measures:
#   written / resident   bytes written over how much larger the process's VmRSS
#                        is than that of the same server with an empty disk of
#                        1 MiB, which can be asked of any server
#   zsd's own            what zsctl tells, also after 4 KiB writes of random
#                        pages to random places, two for each page of the disk,
#                        and after compaction
: "${build:?}" "${work:?}" "${here:?}" "${density:?}"
: "${servers:?}" "${pages:?}"

resident_bytes() { # PID
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}

# The sizes that a server tells of itself; {} where it tells none.
own_sizes() { # NAME
    case $1 in
    zsd-*)
        "$build/zsctl" --control "$work/$1.sock.ctl" --json stats |
            jq -c '.result | .mm_stat + .memory'
        ;;
    *) echo '{}' ;;
    esac
}

# Sizes after the fill, after every page was replaced about twice, and after
# compaction, for those servers that tell: one array.
weigh_in_use() { # NAME NR_PAGES NBDLOAD-OPTION...
    local name=$1 nr_pages=$2
    shift 2
    own_sizes "$name"
    case $name in
    zsd-*)
        load "$name" "$@" --mix 0:100:0 --depth 32 \
            --requests "$((2 * nr_pages))" >"$work/overwrite.log"
        own_sizes "$name"
        "$build/zsctl" --control "$work/$name.sock.ctl" compact \
            >"$work/compact.log"
        own_sizes "$name"
        ;;
    esac
}

weigh() { # NAME LABEL FILE...
    local name=$1 label=$2 bytes before after
    shift 2
    bytes=$(cat "$@" | wc -c)
    start_server pinned "$name" "$((1 << 20))"
    before=$(resident_bytes "${pid_of[$name]:?}")
    stop_servers
    start_server pinned "$name" "$bytes"
    load "$name" "${@/#/--pages=}" --prefill --requests 0 \
        --block-bytes 64K --depth 4
    after=$(resident_bytes "${pid_of[$name]:?}")
    weigh_in_use "$name" "$((bytes / 4096))" "${@/#/--pages=}" |
        jq -cs -L "$here" --arg server "$name" --arg pages "$label" \
            --argjson bytes "$bytes" --argjson resident "$((after - before))" \
            'import "bench-summary" as s;
             {$server, $pages, $bytes, $resident, sizes: .} | s::density' \
            >>"$density"
    stop_servers
}

weigh_all() {
    local name file together=all
    echo "bench: density" >&2
    if [ ${#pages[@]} -eq 1 ]; then
        together=$(basename "${pages[0]}" .pages)
        weigh_each=
    fi
    for name in $servers; do
        if [ -n "${weigh_each?}" ]; then
            for file in "${pages[@]}"; do
                weigh "$name" "$(basename "$file" .pages)" "$file"
            done
        fi
        weigh "$name" "$together" "${pages[@]}"
    done
}
