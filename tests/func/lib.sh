# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the functional tests; sourced, not run.
#
# Each test runs the uninstalled ./zsd and ./zsctl in a temporary directory,
# $dir, that goes away with the test, and so does every zsd that it started. A
# tool that is missing is a failure that names the package to install. By hand:
#
#   top_srcdir=. top_builddir=build tests/func/info.sh

: "${top_srcdir:?set by make check}" "${top_builddir:?set by make check}"
top_srcdir=$(cd "$top_srcdir" && pwd)
top_builddir=$(cd "$top_builddir" && pwd)

zsd=$top_builddir/zsd
zsctl=$top_builddir/zsctl
# shellcheck disable=SC2034 # used by those who source this
corpus=$top_srcdir/../shared/corpus

# No test may hang: the whole of it is bounded, seconds. Sanitizers are slow.
if [ -z "${zsd_test_is_bounded:-}" ]; then
    export zsd_test_is_bounded=yes
    exec timeout --kill-after=10 "${ZSD_TEST_TIMEOUT:-300}" "$0" "$@"
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/zsd-test-XXXXXXXX")
socket=$dir/nbd.sock
control=$socket.ctl
# shellcheck disable=SC2034 # used by those who source this
uri="nbd+unix:///?socket=$socket"
log=$dir/zsd.log
zsd_environment=()
zsd_pid=

# How long a condition may take to come true before that is a failure, seconds.
patience=${ZSD_TEST_PATIENCE:-20}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

clean_up() {
    local status=$?

    trap - EXIT
    if [ -n "$zsd_pid" ]; then
        kill -KILL "$zsd_pid" 2>/dev/null || true
        wait "$zsd_pid" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ] && [ -s "$log" ]; then
        echo "--- what zsd said:" >&2
        tail -n 50 "$log" >&2
    fi
    rm -rf "$dir"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# require TOOL PACKAGE
require() {
    command -v "$1" >/dev/null || fail "needs $1: apt-get install $2"
}

# Run a command until it succeeds: eventually COMMAND...
eventually() {
    local deadline=$((SECONDS + patience))

    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "not after $patience s: $*"
        sleep 0.02
    done
}

expect_equal() { # WHAT ACTUAL EXPECTED
    [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

# expect_status STATUS COMMAND... : what it prints goes to $dir/output.
expect_status() {
    local expected=$1 status=0
    shift

    "$@" >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq "$expected" ] ||
        fail "'$*' exits $status, not $expected: $(cat "$dir/output")"
}

expect_at_most() { # WHAT ACTUAL MOST
    [ "$2" -le "$3" ] || fail "$1 is $2, more than $3"
}

expect_at_least() { # WHAT ACTUAL LEAST
    [ "$2" -ge "$3" ] || fail "$1 is $2, less than $3"
}

# A number to seed a test with, printed so that a failure can be had again:
# ZSD_TEST_SEED=n repeats it.
choose_seed() {
    seed=${ZSD_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
    echo "seed: ZSD_TEST_SEED=$seed"
    # Bash's own sequence is 15 bits wide.
    RANDOM=$((seed % 32768))
}

is_ready_or_gone() {
    grep -q '^zsd: ready' "$log" || ! kill -0 "$zsd_pid" 2>/dev/null
}

# Start zsd with the options given alone, and with the environment of
# zsd_environment=(NAME=VALUE...). Where it does not start, $zsd_status is what
# it ended with: try_zsd OPTION...
try_zsd() {
    [ -z "$zsd_pid" ] || fail "zsd runs already"
    : >"$log"
    env ${zsd_environment[@]+"${zsd_environment[@]}"} "$zsd" "$@" 2>>"$log" &
    zsd_pid=$!
    eventually is_ready_or_gone
    if ! grep -q '^zsd: ready' "$log"; then
        zsd_status=0
        wait "$zsd_pid" || zsd_status=$?
        zsd_pid=
        return 1
    fi
}

# start_zsd OPTION... : on $socket, with its control socket at $control.
start_zsd() {
    try_zsd --socket "$socket" "$@" ||
        fail "zsd does not start, exit status $zsd_status"
}

# End zsd with SIGNAL, which must be a clean end: end_zsd SIGNAL
end_zsd() {
    local pid=$zsd_pid status=0

    kill -"$1" "$pid"
    wait "$pid" || status=$?
    zsd_pid=
    [ "$status" -eq 0 ] || fail "zsd ends with status $status"
}

stop_zsd() {
    end_zsd TERM
}

is_shutting_down() {
    grep -q 'shutting down$' "$log"
}

# End a zsd that clients are attached to, whom it waits for: it must have been
# started with --stop-timeout.
stop_attached_zsd() {
    local status=0

    kill -TERM "$zsd_pid"
    wait "$zsd_pid" || status=$?
    zsd_pid=
    [ "$status" -eq 0 ] || fail "zsd ends with status $status"
}

ctl() {
    "$zsctl" --control "$control" "$@"
}

# zsctl COMMAND... of a server that answers with what is on standard input:
# expect_of_answer STATUS COMMAND...
expect_of_answer() {
    local status=$1 server
    shift

    rm -f "$dir/answer.sock" "$dir/answer"
    "$top_builddir/tests/func/answer" "$dir/answer.sock" \
        <&0 >"$dir/answer" &
    server=$!
    eventually grep -qs ready "$dir/answer"
    expect_status "$status" "$zsctl" --control "$dir/answer.sock" "$@"
    wait "$server"
}

# One number or text of the server's or its first export's:
# get_stat mm_stat.same_pages
get_stat() {
    ctl --json stats |
        jq -e -r ".result | .exports[0] * del(.exports) | .$1"
}

# Whether another server would go on with the disks.
has_standby() {
    [ "$(get_stat survival.standby_ready 2>"$dir/stat")" = true ]
}

# Whether one does.
serves_other_than() { # PROCESS
    local pid

    pid=$(get_stat pid 2>/dev/null) && [ "$pid" != "$1" ]
}

# What the stores' memfds have in memory, bytes.
store_resident_bytes() {
    awk '/^[0-9a-f]+-/ { is_store = /memfd:zsd \(deleted\)/ }
        is_store && $1 == "Rss:" { sum += $2 * 1024 }
        END { print sum + 0 }' "/proc/$zsd_pid/smaps"
}

verify_store() {
    local ok

    ok=$(ctl --json verify | jq -r .result.ok)
    expect_equal "what zsctl verify says" "$ok" true
}

# Four clients that check each byte, each answer and the order, from here on to
# let_clients_go: have_clients ADDRESS
have_clients() {
    choose_seed
    [ -p "$dir/end" ] || mkfifo "$dir/end"
    "$top_builddir/tests/func/rawclient" "$1" order "$seed" 4 0 <"$dir/end" \
        >"$dir/clients" 2>&1 &
    clients=$!
    exec {end}>"$dir/end"
    # A connection that is still in negotiation does not outlive its server.
    eventually are_connected
}

are_connected() {
    [ "$(grep -cx connected "$dir/clients")" -eq 4 ]
}

let_clients_go() {
    local status=0

    exec {end}>&-
    wait "$clients" || status=$?
    cat "$dir/clients"
    expect_equal "the status of the clients" "$status" 0
}

# One fio job on $uri: fio_job OPTION... ; fails where fio does, which for a
# job with --verify means where what is read is not what was written.
fio_job() {
    (cd "$dir" && fio --name=job --ioengine=nbd --uri="$uri" \
        --randseed="${seed:-1}" --verify_state_save=0 "$@") \
        >"$dir/fio" 2>&1 || fail "fio $*: $(tail -n 30 "$dir/fio")"
    ! grep -E 'bad magic|verify:|error=' "$dir/fio" || fail "fio $*"
}

# qemu_io STATUS COMMAND... : qemu-io's commands on the disk at $uri.
qemu_io() {
    local status=$1 command commands=()
    shift

    for command in "$@"; do
        commands+=(-c "$command")
    done
    expect_status "$status" qemu-io -f raw -d unmap "${commands[@]}" "$uri"
}
