#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Limits of the process (getrlimit(2)) that would fail or end a zsd that serves:
# it raises them before it is ready, or names the one that it may not raise.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require prlimit util-linux
require setpriv util-linux

rawclient=$top_builddir/tests/func/rawclient

# start_under LIMIT ZSD-OPTION... : what may be raised is: as root all is.
start_under() {
    local limit=$1
    shift

    prlimit "$limit" "$zsd" --size 16M --socket "$socket" "$@" 2>"$log" &
    zsd_pid=$!
    eventually is_ready_or_gone
    grep -q '^zsd: ready' "$log" || fail "it does not start under $limit"
}

# The soft limit of the zsd that runs: soft_limit NAME
soft_limit() {
    prlimit --pid "$zsd_pid" --noheadings --raw --output SOFT "--$1"
}

# refuse_under LIMIT NAME SETTING ZSD-OPTION... : where it cannot be raised.
refuse_under() {
    local limit=$1 name=$2 setting=$3
    shift 3

    expect_status 1 timeout "$patience" \
        setpriv --bounding-set=-sys_resource prlimit "$limit" \
        "$zsd" --size 16M --socket "$socket" "$@"
    grep -q "$name is .* must be .*$setting=.*prlimit $limit_option" \
        "$dir/output" || fail "$limit is not named: $(cat "$dir/output")"
    ! grep -q ready "$dir/output" || fail "it is ready under $limit"
}

# Limit, its name, its setting in a unit, zsd's options.
while read -r limit name setting options; do
    limit_option=${limit%%=*}=
    echo "$name, hard: refused by name"
    # shellcheck disable=SC2086 # options are words
    refuse_under "$limit" "$name" "$setting" $options
    echo "$name, soft: raised"
    # shellcheck disable=SC2086
    start_under "$limit:" $options
    expect_at_least "$name" "$(soft_limit "${limit_option//[-=]/}" |
        sed 's/unlimited/9223372036854775807/')" $((${limit#*=} + 1))
    echo | timeout "$patience" "$rawclient" "$socket" ask | grep -q served ||
        fail "no client is served"
    stop_zsd
done <<'END'
--fsize=1048576 RLIMIT_FSIZE LimitFSIZE
--cpu=3600 RLIMIT_CPU LimitCPU
--rttime=100000 RLIMIT_RTTIME LimitRTTIME --swap
--nofile=40 RLIMIT_NOFILE LimitNOFILE
END

# Tables of 128 GiB; a reserve of 10 TiB.
for options in "--size 4T $(printf -- '--export e%d ' {1..8})" \
    "--size 16M --reserve 10T"; do
    echo "a disk that does not fit this machine is refused: $options"
    # shellcheck disable=SC2086 # options are words
    expect_status 1 timeout "$patience" "$zsd" --swap $options --socket "$socket"
    grep -q -- '--swap: the tables of --size need .* has .*: give a smaller' \
        "$dir/output" || fail "$(cat "$dir/output")"
done

echo "and so is one where that cannot be seen"
expect_status 1 unshare --mount --pid --fork sh -c "
    mount -t proc -o subset=pid proc /proc &&
    timeout $patience $zsd --swap --size 16M --socket $socket"
grep -q ProcSubset=all "$dir/output" || fail "$(cat "$dir/output")"

# One that has no other process than this zsd.
echo "threads that may not be made: the limit is named"
chmod 755 "$dir"
expect_status 1 setpriv --reuid=54321 --clear-groups prlimit --nproc=2 \
    timeout "$patience" "$zsd" --size 16M --threads 4 --listen 127.0.0.1:0
grep -q 'LimitNPROC=' "$dir/output" || fail "$(cat "$dir/output")"
