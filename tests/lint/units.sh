#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# systemd understands the units, and finds the service well confined:
# units.sh [FOLDER]
#
# By default looks at the units of the build tree.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

# Administrators' programs are in no ordinary user's path.
PATH=$PATH:/usr/sbin:/sbin
lint_require systemd-analyze systemd
lint_require nbd-client nbd-client

# What `systemd-analyze security` may find at most, in tenths: 0 is best, 100
# worst.
most_exposure=15

folder=${1:-${top_builddir:?}/systemd}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# The program need not be installed; what is checked is that it is named right.
program=$(command -v true)
for unit in "$folder"/*.{service,socket,swap}; do
    [ -e "$unit" ] || continue
    looked_at 1
    sed "s|^ExecStart=/[^ ]*/zsd |ExecStart=$program |" "$unit" \
        >"$temp/${unit##*/}"
done

if [ -e "$temp/zsd.service" ]; then
    exposure=$(systemd-analyze security --offline=true --no-pager \
        "$temp/zsd.service" |
        sed -n 's/.*Overall exposure level for .*: \([0-9]*\)\.\([0-9]\) .*/\1\2/p')
    echo "zsd.service: exposure of ${exposure:-?} tenths"
    [ "${exposure:-100}" -le "$most_exposure" ] ||
        complain "zsd.service: exposure ${exposure:-unknown}," \
            "more than $most_exposure tenths"
    while read -r line; do
        complain "${line#"$temp/"}"
    done < <(systemd-analyze verify --man=no "$temp"/* 2>&1 || true)
fi
finish
