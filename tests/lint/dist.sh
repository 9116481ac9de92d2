#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tarball holds what git holds: dist.sh [GIT-LIST TARBALL-LIST]
#
# By default asks git and make themselves; the two lists are for proving that
# a difference is found. Skipped (77) outside a git checkout, in an unpacked
# tarball for example, where there is nothing to compare with.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

# Of use to git alone.
git_only='(^|/)\.git(ignore|attributes)$'

# What autogen.sh makes and every tarball carries.
generated='^(Makefile\.in|aclocal\.m4|config\.h\.in|configure)$|^build-aux/|^m4/(libtool|lt[^/]*)\.m4$'

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

if [ $# -eq 2 ]; then
    LC_ALL=C sort "$1" >"$temp/git"
    LC_ALL=C sort "$2" >"$temp/tarball"
else
    cd "$lint_tree"
    if [ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$PWD" ]; then
        echo "dist.sh: not a git checkout, nothing to compare with"
        exit 77
    fi
    git ls-files | LC_ALL=C sort >"$temp/git"
    # Not the running make's job slots: this is a make of its own.
    MAKEFLAGS='' make -s -C "${top_builddir:?}" distdir \
        distdir="$temp/distdir" top_distdir="$temp/distdir" >&2
    (cd "$temp/distdir" && find . -type f -printf '%P\n') |
        LC_ALL=C sort >"$temp/tarball"
    chmod -R u+w "$temp/distdir"
fi

looked_at "$(wc -l <"$temp/git")"
while read -r file; do
    complain "$file: in git but not in the tarball"
done < <(LC_ALL=C comm -23 "$temp/git" "$temp/tarball" |
    grep -vE "$git_only" || true)
while read -r file; do
    complain "$file: in the tarball but not in git"
done < <(LC_ALL=C comm -13 "$temp/git" "$temp/tarball" |
    grep -vE "$generated" || true)
finish
