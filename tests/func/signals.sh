#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No signal but SIGKILL ends a zsd that has clients, whoever sends it and to
# whichever thread: it serves on. TERM, INT and QUIT begin the end, which comes
# when its clients have left. What zsd itself does wrong still ends it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq
require script bsdutils

fault=$top_builddir/tests/func/fault.so
signaller=$top_builddir/tests/func/signaller

# A sanitizer's handlers take what would be ours to take.
for name in ASAN TSAN; do
    declare -x "${name}_OPTIONS=handle_segv=0:handle_abort=0:handle_sigbus=0:\
handle_sigill=0:handle_sigfpe=0:handle_sigtrap=0"
done
ulimit -c 0

# A client that is attached from here on, and asked whether it is served.
attach() {
    coproc client { exec "$top_builddir/tests/func/rawclient" "$socket" ask; }
    # shellcheck disable=SC2154 # coproc sets it, and unsets it at the end
    client_pid=$client_PID
    answers=${client[0]}
    questions=${client[1]}
    expect_word attached
}

expect_word() { # WORD
    local word=

    read -r -t "$patience" -u "$answers" word ||
        fail "the client is not served"
    expect_equal "what the client says" "$word" "$1"
}

expect_served() {
    echo >&"$questions"
    expect_word served
}

detach() {
    exec {questions}>&-
    wait "$client_pid" || fail "the client fails"
}

# zsd ends by itself: expect_end STATUS
expect_end() {
    local status=0

    wait "$zsd_pid" 2>/dev/null || status=$?
    zsd_pid=
    expect_equal "the status of zsd" "$status" "$1"
}

is_gone() { # PID
    ! kill -0 "$1" 2>/dev/null
}

was_received() { # NAME
    grep -q "received SIG$1" "$log"
}

# Those that the kernel does not let anybody handle, and those that begin the
# end: 2 is INT, 3 is QUIT, 9 is KILL, 15 is TERM, 19 is STOP.
others=()
for number in {1..64}; do
    case $number in
    2 | 3 | 9 | 15 | 19) ;;
    *) others+=("$number") ;;
    esac
done

for swap in '' '--swap --survive=off' --swap; do
    echo "all ${#others[@]} others: it serves on ${swap:+with $swap}"
    # shellcheck disable=SC2086 # options are words
    start_zsd --size 16M --threads 2 $swap
    attach
    for number in "${others[@]}"; do
        "$signaller" "$zsd_pid" "$number"
        expect_served
        "$signaller" "$zsd_pid" "$number" threads
        expect_served
    done
    eventually was_received HUP
    ! is_shutting_down || fail "one of them begins the end"
    detach
    stop_zsd

    for signal in TERM INT QUIT; do
        echo "SIG$signal, and at once again: its client is served ${swap:+too}"
        # shellcheck disable=SC2086
        start_zsd --size 16M $swap
        attach
        kill "-$signal" "$zsd_pid"
        eventually was_received "$signal"
        eventually is_shutting_down
        for again in TERM INT QUIT HUP; do
            kill "-$again" "$zsd_pid"
            eventually was_received "$again"
            expect_served
        done
        detach
        expect_end 0
    done
done

echo "signals that are blocked when it starts are heard all the same"
env --block-signal true 2>/dev/null || fail "env knows no --block-signal"
: >"$log" # of the last one: "ready" stands in it
env --block-signal --ignore-signal=INT "$zsd" --size 16M --socket "$socket" \
    2>"$log" &
zsd_pid=$!
eventually is_ready_or_gone
end_zsd INT

echo "the terminal that it was started from is closed"
: >"$log"
script -qefc "exec $zsd --size 16M --socket $socket --pid-file $dir/pid" \
    /dev/null >"$log" 2>&1 </dev/null &
script_pid=$!
eventually test -s "$dir/pid"
pid=$(cat "$dir/pid")
attach
kill -KILL "$script_pid"
wait "$script_pid" 2>/dev/null || true
expect_served
kill -TERM "$pid"
expect_served
detach
eventually is_gone "$pid"

# Where the fault is zsd's, by what a preloaded library does in its name.
for case in null:139 trap:132 abort:134; do
    echo "a fault of its own ends it: ${case%:*}"
    rm -f "$dir/crash"
    zsd_environment=("LD_PRELOAD=$fault" "FAULT_CRASH=$dir/crash")
    start_zsd --size 16M
    attach
    expect_served
    for number in 4 6 11; do # from others: ILL, ABRT, SEGV
        "$signaller" "$zsd_pid" "$number"
        expect_served
    done
    echo "${case%:*}" >"$dir/crash.new"
    mv "$dir/crash.new" "$dir/crash"
    echo >&"$questions"
    expect_end "${case#*:}"
    exec {questions}>&-
    ! wait "$client_pid" 2>"$dir/output" || fail "the client does not notice"
done
