#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every shell script passes shellcheck and stops at errors: shellcheck.sh [ROOT]
set -euo pipefail
. "$(dirname "$0")/lint.sh"

lint_require shellcheck shellcheck
cd "${1:-$lint_tree}"

# Scripts without a suffix are known by their first line; sourced parts have
# none but a suffix.
is_shell() {
    case $1 in *.sh) return 0 ;; esac
    [[ $(head -c 64 "$1" | head -n 1 | tr -d '\0') =~ ^#!.*[/\ ](ba)?sh ]]
}

stops_at_errors() {
    case $1 in
    tests/vm/guest-init) return 0 ;; # process 1 must not exit
    esac
    case $(head -n 1 "$1") in
    *bash*) grep -qx 'set -euo pipefail' "$1" ;;
    '#!'*) grep -qx 'set -eu' "$1" ;;
    *) ;; # sourced: the sourcing script's options hold
    esac
}

while read -r file; do
    is_shell "$file" || continue
    looked_at 1
    shellcheck --external-sources --source-path=SCRIPTDIR "$file" >&2 ||
        complain "$file: see above"
    stops_at_errors "$file" || complain "$file: goes on after errors"
done < <(lint_files .ci tests scripts systemd docs autogen.sh -- \
    ! -name '*.[ch]' ! -name '*.am' ! -name '*.md')
finish
