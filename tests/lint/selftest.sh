#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every lint can fail: each is run on what it must find, under bad/, and must
# say exactly that.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bad=$here/bad
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    failures=$((failures + 1))
}

# expect LINT [ARGUMENT...] : each line of standard input is a complaint that
# the lint must make, and it must make no others.
expect() {
    local lint=$1 status=0 complaint nr=0
    shift

    "$here/$lint.sh" "$@" >"$temp/output" 2>&1 || status=$?
    [ "$status" -eq 1 ] || fail "$lint: exit status $status, not 1"
    while read -r complaint; do
        nr=$((nr + 1))
        grep -qF -- "$complaint" "$temp/output" ||
            fail "$lint does not say: $complaint"
    done
    grep -q " looked at, $nr complaints\$" "$temp/output" ||
        fail "$lint: not exactly $nr complaints: $(cat "$temp/output")"
}

expect layers "$bad/layers" <<'END'
reaches_out.c: <lz4.h> is for lib/zcomp/backend_lz4.c only
reaches_out.c: <made_up.h> is in no row of the table
reaches_out.c: <sys/socket.h> is for
reaches_out.c: <time.h> is for src/keep/ward.c src/guard/share.c src/policy src/zsctl/device only
reaches_out.c: <uv.h> is for src/io src/keep/link.c src/guard src/serve src/policy src/control src/zsd src/backing only
reaches_out.c: "bare.h" is not of the form
reaches_out.c: lib/zstore may not include src/io
reaches_out.c: "zsmalloc/zs_internal.h" is private to lib/zsmalloc
has_config.h: a header includes config.h
no_row.c: lib/unknown has no row in the table
not_pure.c: <sys/socket.h> is for
not_pure.c: cannot tell what this includes
not_pure.c: src/nbd may not include lib/zstore
headers include each other: base/circle_a.h base/circle_b.h
END

mkdir -p "$temp/circle/lib/base"
printf '#include "base/other.h"\n' >"$temp/circle/lib/base/file.h"
expect layers "$temp/circle" "$bad/layers/table" <<'END'
the row of lib/zsmalloc names lib/zstore, which is not above it
END

# A file that is too long needs no fixture of 620 lines, nor a folder that is
# too full one of 15 files.
mkdir -p "$temp/sources"
cp -r "$bad/sources/." "$temp/sources"
{
    printf '/* SPDX-License-Identifier: GPL-2.0-or-later */\n'
    printf '#include "config.h"\n'
    seq -f '/* %.0f */' 619
} >"$temp/sources/lib/base/long.c"
mkdir -p "$temp/sources/src/full"
for i in {1..15}; do
    cp "$temp/sources/lib/base/long.c" "$temp/sources/src/full/$i.c"
    sed -i 3,300d "$temp/sources/src/full/$i.c"
done
expect sources "$temp/sources" <<'END'
lib/base/no_licence.h: the first line is not the licence
lib/base/no_licence.h: no include guard ZSD_BASE_NO_LICENCE_H
lib/base/config_late.c: the first include is not config.h
lib/base/long.c: 621 lines
src/full: 15 files
scripts/no_licence: no licence in the first two lines
END

# Written in pieces, for the lint looks at this file too.
mkdir -p "$temp/words/lib" "$temp/words/docs"
printf '/* TO%s: the rest */\n' DO >"$temp/words/lib/later.c"
printf 'This is FIX%s, and not imple%s.\n' ME mented >"$temp/words/docs/a.md"
printf 'METHODOLOGY\n' >"$temp/words/docs/harmless.md"
expect words "$temp/words" <<'END'
lib/later.c:1:
docs/a.md:1:
END

expect names "$bad/names" <<'END'
lib/base/stale.c:3: there is no gone()
lib/base/stale.c:4: there is no left()
lib/base/stale.c:10: there is no there_either()
docs/stale.md:1: there is no missing()
END

expect shellcheck "$bad/shellcheck" <<'END'
scripts/unquoted: see above
tests/goes_on.sh: goes on after errors
END

expect headers "$bad/headers" <<'END'
lib/base/needs_another.h: does not compile by itself
lib/base/no_guard.h: does not compile by itself
END

"${CC:-cc}" -c -o "$temp/mutable.o" -I"${top_builddir:-.}" \
    "$bad/globals/mutable.c"
expect globals "$temp/mutable.o" <<'END'
mutable.o: initialised in .data
mutable.o: zeroed in .bss
mutable.o: per_thread in .tbss
mutable.o: hidden_in_function
END
expect globals "$temp/absent.a" <<'END'
absent.a: not built
globals.sh: nothing to look at
END

expect figures "$bad/figures/tables" "$bad/figures/page.md" <<'END'
page.md: must have one line <!-- figures one -->
page.md: must have one line <!-- figures two -->
page.md: its tables are not those of
END

expect dist "$bad/dist/git" "$bad/dist/tarball" <<'END'
forgotten_in_makefile.c: in git but not in the tarball
forgotten_in_git.c: in the tarball but not in git
END

expect man "$bad/man/program" "$bad/man/page.1" <<'END'
page.1: OPTIONS lacks -a,--alpha=N there
page.1: OPTIONS has -a,--alpha=M there, --help has not
page.1: OPTIONS lacks --beta=PATH there
page.1: OPTIONS has --beta=PATH there, --help has not
page.1: OPTIONS lacks --epsilon there
page.1: COMMANDS lacks second there
page.1: COMMANDS has third there, --help has not
macro 'NOSUCHMACRO' not defined
END
expect man "$temp/absent" "$bad/man/page.1" <<'END'
absent: not built
man.sh: nothing to look at
END

expect units "$bad/units" <<'END'
zsd.service: exposure 9
zsd.service:7: Unknown key
END

# A lint that finds no files at all has looked in the wrong place.
mkdir "$temp/empty"
for lint in layers sources words names shellcheck headers units; do
    expect "$lint" "$temp/empty" <<<"$lint.sh: nothing to look at"
done

[ "$failures" -eq 0 ]
echo "every lint can fail"
