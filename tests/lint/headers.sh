#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each header compiles alone, and twice: headers.sh [ROOT]
#
# CC and LINT_CPPFLAGS (include paths of the libraries in use) come from make.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

cd "${1:-$lint_tree}"

read -ra cc <<<"${CC:-cc}"
read -ra libraries <<<"${LINT_CPPFLAGS:-}"
flags=(-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only
    -I"${top_builddir:-.}" -Ilib -Isrc -Itests)

while read -r header; do
    looked_at 1
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        "${cc[@]}" "${flags[@]}" -I. -I"$(dirname "$header")" \
            "${libraries[@]}" -x c - ||
        complain "$header: does not compile by itself"
done < <(lint_files lib src tests -- -name '*.h')
finish
