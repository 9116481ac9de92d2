#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make bench-docs JSON=FILE - put what bench.sh measured into the documentation
#
# usage: bench-docs.sh FILE [DOCUMENT]
#
# FILE is what `bench.sh --json` wrote. In DOCUMENT (docs/benchmarks.md) every
# part between a line "<!-- bench: NAME -->" and the line "<!-- bench end -->"
# becomes the table NAME of bench-text.jq. Beside it, in a folder of its name,
# results.json becomes FILE, and the charts are drawn again. A part that FILE
# does not have keeps its old text, and its old chart. Charts need gnuplot.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

die() {
    echo "bench-docs: $*" >&2
    exit 1
}

[ $# -eq 1 ] || [ $# -eq 2 ] || {
    sed -n '/^# usage:/,/^#$/s/^# //p' "$0" >&2
    exit 2
}
json=$1
document=${2:-$here/../../docs/benchmarks.md}
folder=${document%.md}
require() { # TOOL PACKAGE
    command -v "$1" >/dev/null ||
        die "$1 is missing; it comes with: apt-get install $2"
}

require jq jq
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- tables ------------------------------------------------------------------

section() { # NAME
    jq -r -L "$here" --arg name "$1" \
        'import "bench-text" as t; t::section($name)[]' "$json"
}

fill_in() {
    local line name='' new=''
    while IFS= read -r line; do
        if [[ $line =~ ^'<!-- bench: '([a-z]+)' -->'$ ]]; then
            name=${BASH_REMATCH[1]}
            new=$(section "$name")
            echo "$line"
            # Backquotes are what the document has around tables.
            # shellcheck disable=SC2016
            [ -z "$new" ] || printf '```\n%s\n```\n' "$new"
        elif [ "$line" = '<!-- bench end -->' ]; then
            name=
            echo "$line"
        elif [ -z "$name" ] || [ -z "$new" ]; then
            echo "$line"
        fi
    done <"$document"
    [ -z "$name" ] || die "$document: no end of '$name'"
}

# --- charts ------------------------------------------------------------------

draw() { # CHART KIND HEADING LABEL [ACROSS [SCALE]]
    local data=$work/$1.tsv
    jq -e -L "$here" --arg chart "$1" \
        'import "bench-charts" as c; c::has_data($chart)' "$json" \
        >"$work/answer" || return 0
    require gnuplot gnuplot-nox
    jq -r -L "$here" --arg chart "$1" \
        'import "bench-charts" as c; c::table($chart)' "$json" >"$data"
    gnuplot -e "kind='$2'; heading='$3'; label='$4'; across='${5:-}';
        scale='${6:-}'; data='$data'; out='$folder/$1.svg';
        columns=$(head -n 1 "$data" | tr '\t' '\n' | wc -l)" \
        "$here/bench-charts.gp"
}

draw_all() {
    draw cpu stacked "Processor time of a 4 KiB request, depth 32" us
    draw speed bars "Real pages, one thread each, depth 32" \
        "thousand requests/s"
    draw depth lines "Reads of real pages, one thread each" \
        "thousand requests/s" "requests under way"
    draw latency lines "Reads at depth 1: latency" us percentile y
    draw connections lines "Writes of real pages, default threads" \
        "thousand requests/s" "connections, depth 32 on each"
    draw fio bars "fio, its own pages, depth 32" "thousand requests/s"
    draw density bars "Density: pages of programs" \
        "bytes written over bytes of memory"
    draw trims lines "Bytes used for each compressed byte, compacted" "" \
        "% of all pages trimmed at random" free
    draw cores lines "Model: speed-up with cores that lock" \
        "times one core" cores y
}

mkdir -p "$folder"
fill_in >"$work/document"
draw_all
cp "$work/document" "$document"
jq -c . "$json" >"$work/results.json"
cp "$work/results.json" "$folder/results.json"
