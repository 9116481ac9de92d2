#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing is put off: words.sh [ROOT]
#
# No file may say that something is still to be done. The words are written in
# pieces here, so that this file does not find itself.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

cd "${1:-$lint_tree}"

put_off="TO""DO|FIX""ME|not implem""ented|not yet implem""ented"

while read -r file; do
    looked_at 1
    while read -r line; do
        complain "$file:$line"
    done < <(grep -nwE "$put_off" "$file" || true)
done < <(lint_files .ci lib src tests scripts systemd docs README.md \
    Makefile.am configure.ac autogen.sh -- -name '*')
finish
