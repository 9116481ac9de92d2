#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who may include what: layers.sh [ROOT [TABLE]]
#
# A module is a folder of lib/ or src/; it may include itself, the modules of
# its row, and the system headers that a row of the second table grants it. A
# row names only rows above it, so that modules form no circle; nor do headers.
# TABLE is a file to take the place of the first table.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

[ -z "${2:-}" ] || other_table=$(cat "$2")
cd "${1:-$lint_tree}"

# module        modules it may include
modules='
lib/base
lib/zsmalloc    lib/base
lib/plz         lib/base
lib/plz_factory lib/base lib/plz
lib/zcomp       lib/base lib/plz
lib/zsave       lib/base
lib/zstore      lib/base lib/zsmalloc lib/zcomp lib/zsave
src/nbd         lib/base
src/ctl         lib/base
src/io          lib/base
src/guard       lib/base lib/zstore src/io
src/backing     lib/base src/io src/guard
src/stream      lib/base src/io
src/keep        lib/base src/io
src/export      lib/base lib/zstore src/nbd src/ctl
src/serve       lib/base lib/zstore src/nbd src/ctl src/io src/guard src/stream src/export
src/policy      lib/base lib/zsmalloc lib/zstore lib/zcomp src/io src/guard src/backing src/ctl src/export
src/control     lib/base lib/zsmalloc lib/zcomp lib/zsave lib/zstore src/ctl src/io src/guard src/export src/policy
src/zsd         lib/base lib/zsmalloc lib/plz_factory lib/zcomp lib/zsave lib/zstore src/nbd src/io src/guard src/stream src/keep src/export src/serve src/policy src/control src/backing
src/zsctl       lib/base lib/zsave src/ctl src/nbd
'

# header          prefixes of the files that may include it
# Socket, clock, log and signal headers are not for lib/, nor for the protocol
# modules, which work on bytes alone. A header without a row is for nobody yet:
# whoever needs one adds it for that place.
headers='
ctype.h           lib src
endian.h          lib src
errno.h           lib src
inttypes.h        lib src
limits.h          lib src
math.h            src/ctl/document.c src/policy/decide.c src/control/stats.c
sched.h           lib src
stdarg.h          lib src
stdatomic.h       lib src
stdbool.h         lib src
stddef.h          lib src
stdint.h          lib src
stdio.h           lib src
stdlib.h          lib src
string.h          lib src
strings.h         lib src
unistd.h          lib src
pthread.h         lib/base/lock.c lib/base/lock.h lib/zsmalloc lib/zstore src/stream/area.c src/keep/link.c src/export src/serve
dirent.h          src/zsctl
fcntl.h           lib/base lib/plz/file.c src/io src/stream/area.c src/keep src/guard src/control src/zsd src/zsctl src/backing
sys/mman.h        lib/base/mapping.c src/io/ring.c src/stream/area.c src/zsd/survive/remains.c src/guard src/zsctl/device/stay.c src/backing
sys/types.h       lib src
sys/file.h        src/io/unix_socket.c src/zsd/pid_file.c
sys/epoll.h       src/io/loop.h src/zsctl/device/stay.c
sys/eventfd.h     src/io/loop.c
poll.h            lib/base/check.c src/io/log.c src/keep src/zsctl/save src/zsctl/device
sys/stat.h        src/io src/zsd src/zsctl/train.c src/zsctl/save src/zsctl/swap src/backing
sys/sysmacros.h   src/backing
sys/vfs.h         src/backing/check.c
sys/swap.h        src/zsctl/swap/area.c
sys/random.h      src/zsd/disks src/zsctl/swap/header.c
sys/resource.h    src/guard src/zsd
sys/prctl.h       src/guard src/keep/keeper.c src/zsd/survive/remains.c src/zsctl/device/stay.c
malloc.h          src/guard src/policy
sys/ioctl.h       src/serve src/backing
signal.h          src/keep src/zsd src/zsctl
sys/syscall.h     src/zsd/survive/remains.c src/zsd/stop.c
sys/time.h        src/zsctl
sys/wait.h        src/keep src/zsd/notify.c src/zsctl/system/run.c
sys/signalfd.h    src/keep/keeper.c src/zsctl/save src/zsctl/device/stay.c
time.h            src/keep/ward.c src/guard/share.c src/policy src/zsctl/device
spawn.h           src/zsctl/system/run.c
sys/uio.h         src/stream/stream.c
sys/socket.h      src/io src/stream src/keep src/serve src/control src/zsd src/zsctl
sys/un.h          src/io src/zsctl
netdb.h           src/io
netinet/in.h      src/io
netinet/tcp.h     src/io
argp.h            src/zsd src/zsctl
lz4.h             lib/zcomp/backend_lz4.c
zstd.h            lib/zcomp/backend_zstd.c lib/plz_factory/make_model.c
zstd_errors.h     lib/zcomp/backend_zstd.c
zdict.h           lib/zcomp/backend_zstd.c
xxhash.h          lib/zstore/sum.c lib/zsave/write.c lib/plz/compress.c lib/plz/model.c
immintrin.h       lib/plz/rows.h
emmintrin.h       lib/plz/rows.h
arm_neon.h        lib/plz/rows.h
nettle/memops.h   src/backing/crypt.c
nettle/xts.h      src/backing/crypt.c
jansson.h         src/ctl src/control/commands.h src/zsctl
uv.h              src/io src/keep/link.c src/guard src/serve src/policy src/control src/zsd src/backing
systemd/sd-daemon.h src/io/manager/manager.c src/zsd/notify.c src/zsctl/device/stay.c
libmnl/libmnl.h   src/zsctl/device/netlink.c
linux/fiemap.h    src/backing/extents.c
linux/fs.h        src/backing
linux/genetlink.h src/zsctl/device/netlink.c
linux/magic.h     src/backing/check.c
linux/nbd-netlink.h src/zsctl/device/netlink.c
'

declare -A may_include granted
while read -r module allowed; do
    [ -n "$module" ] || continue
    for other in $allowed; do
        [ -n "${may_include[$other]+above}" ] ||
            complain "the row of $module names $other, which is not above it"
    done
    may_include[$module]=$allowed
done <<<"${other_table:-$modules}"
while read -r header prefixes; do
    [ -z "$header" ] || granted[$header]=$prefixes
done <<<"$headers"

# The module that "name/file.h" comes from: lib/name or src/name.
module_of_include() {
    local name=${1%%/*} side

    for side in lib src; do
        if [ -n "${may_include[$side/$name]+known}" ]; then
            echo "$side/$name"
            return
        fi
    done
}

check_own_header() { # FILE MODULE HEADER
    local file=$1 module=$2 header=$3 from allowed

    if [ "$header" = config.h ]; then
        case $file in *.h) complain "$file: a header includes config.h" ;; esac
        return
    fi
    from=$(module_of_include "$header")
    if [ -z "$from" ]; then
        complain "$file: \"$header\" is not of the form \"module/file.h\""
        return
    fi
    [ "$from" != "$module" ] || return 0
    case $header in
    *_internal.h | zsmalloc/zs_*.h)
        complain "$file: \"$header\" is private to $from"
        return
        ;;
    esac
    for allowed in ${may_include[$module]}; do
        [ "$from" != "$allowed" ] || return 0
    done
    complain "$file: $module may not include $from (\"$header\")"
}

check_system_header() { # FILE HEADER
    local file=$1 header=$2 prefix

    for prefix in ${granted[$header]:-}; do
        case $file in "$prefix" | "$prefix"/*) return ;; esac
    done
    if [ -n "${granted[$header]:-}" ]; then
        complain "$file: <$header> is for ${granted[$header]} only"
    else
        complain "$file: <$header> is in no row of the table"
    fi
}

check_include() { # FILE MODULE DIRECTIVE
    local file=$1 module=$2 directive=$3

    looked_at 1
    if [[ $directive =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"(.+)\" ]]; then
        check_own_header "$file" "$module" "${BASH_REMATCH[1]}"
    elif [[ $directive =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\<(.+)\> ]]; then
        check_system_header "$file" "${BASH_REMATCH[1]}"
    else
        complain "$file: cannot tell what this includes: $directive"
    fi
}

while read -r file; do
    module=$(cut -d/ -f1,2 <<<"$file")
    if [ -z "${may_include[$module]+known}" ]; then
        complain "$file: $module has no row in the table"
        continue
    fi
    while read -r directive; do
        check_include "$file" "$module" "$directive"
    done < <(grep -E '^[[:space:]]*#[[:space:]]*include' "$file" || true)
done < <(lint_files lib src -- -name '*.[ch]')

# "name/file.h" of each header, and each that it includes; tsort(1) finds out
# whether there is an order.
header_edges() {
    local file

    while read -r file; do
        sed -n "s|^ *# *include \"\(.*\)\".*|${file#*/} \1|p" "$file"
    done < <(lint_files lib src -- -name '*.h')
}

circle=$(header_edges | tsort 2>&1 >/dev/null | sed -n 's/^tsort: //p' |
    grep -v ': input contains a loop:' | tr '\n' ' ' || true)
[ -z "$circle" ] || complain "headers include each other: $circle"
finish
