#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All processes of zsd die at once, and the service manager starts it again with
# what it was given to keep: no client notices, and nothing is lost. One that
# ends as it was told to leaves nothing there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq
require nbdcopy libnbd-bin
require python3 python3

if ! grep -q '^#define HAVE_SYSTEMD 1' "$top_builddir/config.h"; then
    echo "built without libsystemd: nothing is kept"
    exit 0
fi

# start_managed OPTION... : which later starts read anew from $dir/options.
start_managed() {
    printf '%s\n' "$@" >"$dir/options"
    : >"$log"
    rm -f "$socket" "$control" "$dir/notify" "$dir/kept"
    python3 "$top_srcdir/tests/func/manager.py" "$dir" "nbd=$socket" \
        "control=$control" -- bash -c "exec $zsd \$(cat $dir/options)" \
        2>>"$log" &
    manager=$!
    eventually grep -q '^zsd: ready' "$log"
    zsd_pid=$(cat "$dir/main")
}

# The keeper and its servers are one session.
kill_all() {
    kill -KILL -- "-$zsd_pid"
    eventually is_other_than "$zsd_pid"
    zsd_pid=$(cat "$dir/main")
}

is_other_than() {
    [ "$(cat "$dir/main")" != "$1" ]
}

kept() {
    paste -sd ' ' "$dir/kept"
}

is_kept() {
    [ "$(kept)" = "$1" ]
}

stop_managed() {
    local status=0

    kill -TERM "$zsd_pid"
    wait "$manager" || status=$?
    zsd_pid=
    expect_equal "the status of zsd" "$status" 0
    expect_equal "what is kept after its end" "$(kept)" ""
}

echo "all of it dies, again and again, under clients"
start_managed --size 64M --survive --checksum
have_clients "$socket"
eventually is_kept "kept-area $(printf 'kept-conn-%d ' 0 1 2 3)kept-image-0"
for _ in {1..8}; do
    kill_all
    eventually ctl --json stats >"$dir/stats" 2>&1
    expect_at_least "deaths" "$(get_stat survival.deaths)" 1
done
let_clients_go
verify_store
eventually is_kept "kept-area kept-image-0"
stop_managed

echo "with options that do not fit what is kept, it is kept until they do"
start_managed --size 16M --survive
"$top_builddir/tests/bench/pagegen" --size 16M "$dir/pages"
nbdcopy "$dir/pages" "$uri"
eventually is_kept "kept-area kept-image-0"
echo "--size 32M --survive" >"$dir/options"
kill_all
eventually grep -q 'cannot go on with the disk .* another --size or' "$log"
expect_equal "what is kept" "$(kept)" "kept-area kept-image-0"
echo "--size 16M --survive" >"$dir/options"
kill_all
nbdcopy "$uri" "$dir/copy"
cmp "$dir/pages" "$dir/copy"
verify_store

echo "without a keeper it is let go of"
echo "--size 16M --survive=off" >"$dir/options"
: >"$log"
kill_all
eventually grep -q 'what was kept .* is let go of' "$log"
eventually is_kept ""
# Before it is ready, a signal may end it as it ends any program.
eventually grep -q '^zsd: ready' "$log"
stop_managed
