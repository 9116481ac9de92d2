#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No mutable global in the libraries: globals.sh [OBJECT-OR-ARCHIVE...]
#
# By default looks at the archives of the build tree. A symbol in .data, .bss
# or their thread-local kin is state that no caller owns; read-only tables,
# relocated ones (.data.rel.ro) too, are none.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

lint_require nm binutils

if [ $# -eq 0 ]; then
    set --
    for name in base zsmalloc plz zcomp plzfactory zstore nbdproto ctl backing; do
        set -- "$@" "${top_builddir:?}/.libs/lib$name.a"
    done
fi

# Columns of nm's sysv format: name value class type size line section.
mutable_symbols() {
    nm --format=sysv --defined-only "$1" | awk -F '|' '
        function trim(s) { gsub(/^ +| +$/, "", s); return s }
        NF == 7 {
            section = trim($7)
            if (section ~ /^\.data\.rel\.ro/)
                next
            if (section ~ /^\.t?(data|bss)/ || section ~ /COM/)
                print trim($1), "in", section
        }'
}

for objects in "$@"; do
    if [ ! -e "$objects" ]; then
        complain "$objects: not built"
        continue
    fi
    looked_at "$(nm --defined-only "$objects" | grep -c ' T ')"
    while read -r symbol; do
        complain "$objects: $symbol"
    done < <(mutable_symbols "$objects")
done
finish
