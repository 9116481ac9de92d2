#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every call that may fail while zsd starts is made to fail, one in each run:
# memory, descriptors, threads, files. zsd says what is wrong and ends with
# status 1, or does without; it never crashes, leaks, or leaves a file behind.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require prlimit util-linux

fault=$top_builddir/tests/func/fault.so

# What a sanitizer finds must not look like an ordinary failure.
export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99
export TSAN_OPTIONS=exitcode=99 LSAN_OPTIONS=exitcode=99

options=(--size 16M --threads 2 --reserve 256K --socket "$socket"
    --pid-file "$dir/pid" --checksum)

# Run a zsd that writes to $dir/said as far as it gets, and end it if it gets
# ready. Sets $ready, $status and $log.
watch() { # PID
    local lines line

    ready=no
    status=0
    : >"$log"
    exec {lines}<"$dir/said"
    while read -r -u "$lines" line; do
        echo "$line" >>"$log"
        if [[ $line == 'zsd: ready'* ]]; then
            ready=yes
            kill -TERM "$1"
        fi
    done
    exec {lines}<&-
    wait "$1" || status=$?
}

# Start zsd with its Nth call of a function failing. Sets $failed, too: the
# call, or nothing if there were fewer.
run_with_fault() { # CALL N
    rm -f "$dir/failed"
    (
        export LD_PRELOAD=$fault FAULT_CALL=$1 FAULT_AT=$2
        export FAULT_LOG=$dir/failed
        exec "$zsd" "${options[@]}"
    ) >"$dir/said" 2>&1 &
    watch $!
    failed=$(cat "$dir/failed" 2>/dev/null || true)
}

expect_no_files() {
    local file

    for file in "$socket" "$control" "$dir/pid" "$dir/pid.new"; do
        [ ! -e "$file" ] || fail "$1: $file is left"
    done
}

# What zsd and its libraries call while they start, in tests/func/fault.c. Not
# realloc: libuv answers its failure with abort(3).
calls=(aligned_alloc bind calloc epoll_create1 eventfd fallocate fchmod fcntl
    ftruncate getrlimit listen malloc memfd_create mmap open pipe2
    pthread_create rename sem_init setrlimit socket write)

mkfifo "$dir/said"
nr_ended=0
nr_did_without=0

# It has ended as it should, or served: check_end WHAT
check_end() {
    expect_no_files "$1"
    if [ "$ready" = yes ]; then
        [ "$status" -eq 0 ] || fail "$1: ready, but ends with $status"
        nr_did_without=$((nr_did_without + 1))
        return
    fi
    [ "$status" -eq 1 ] || fail "$1: status $status"
    grep -q '^zsd: ' "$log" || fail "$1: it does not say why it ends"
    nr_ended=$((nr_ended + 1))
}

for call in "${calls[@]}"; do
    for ((n = 1; ; n++)); do
        # The same goes for the pipe that libuv makes for signals; zsd makes
        # one before, so that a lack of descriptors is told all the same.
        [ "$call $n" != 'pipe2 2' ] || continue
        run_with_fault "$call" "$n"
        [ -n "$failed" ] || break
        check_end "call $n of $call"
    done
    [ "$ready" = yes ] || fail "it does not start though nothing fails"
    echo "$call: $((n - 1))"
done
echo "$nr_ended failures ended it, it did without $nr_did_without"
expect_at_least "the ends" "$nr_ended" 30

echo "any number of descriptors, from what it takes to load the program on"
# The leak checker needs some itself; the failures above were its to check.
export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
# Who may raise the limit does.
for n in {4..63} 4096; do
    setpriv --bounding-set=-sys_resource prlimit --nofile="$n" \
        "$zsd" "${options[@]}" >"$dir/said" 2>&1 &
    watch $!
    check_end "$n descriptors"
done
[ "$ready" = yes ] || fail "4096 descriptors are too few"
