#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cpuspent charges the server what the server spends, and nobody else's time.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

cpuspent=${top_builddir:?set by make check}/tests/bench/cpuspent
server=

stop_server() {
    [ -n "$server" ] || return 0
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}

clean_up_more() { stop_server; }

# A client: waits, busily, until a process has spent 20 ticks (0.2 s) more,
# that process being itself unless it is told another.
cat >"$dir/client" <<'END'
#!/usr/bin/env bash
set -euo pipefail
get_ticks() { # user and system: fields 14 and 15, names have no spaces here
    local -a fields
    read -r -a fields <"/proc/$1/stat"
    ticks=$((fields[13] + fields[14]))
}
get_ticks "${1:-$$}"
enough=$((ticks + 20))
while [ "$ticks" -lt "$enough" ]; do
    get_ticks "${1:-$$}"
done
echo waited
END
chmod +x "$dir/client"

# expect STATUS CPUSPENT-ARGUMENT...
expect() {
    local expected=$1 status=0
    shift
    timeout 60 "$cpuspent" "$@" >"$dir/output" 2>"$dir/errors" || status=$?
    [ "$status" -eq "$expected" ] ||
        fail "'$*' exits $status, not $expected: $(cat "$dir/errors")"
}

field() { # NAME
    local value
    value=$(sed -n "s/.*\"$1\":\([0-9]*\)[,}].*/\1/p" "$dir/output")
    [ -n "$value" ] || fail "no $1 in: $(cat "$dir/output")"
    echo "$value"
}

# between NAME LEAST MOST, in milliseconds
between() {
    local ms=$(($(field "$1") / 1000000))
    ((ms >= $2 && ms <= $3)) ||
        fail "$1: $ms ms, not $2 to $3: $(cat "$dir/output")"
}

# A server that sleeps spends nothing but its own start, whatever the client
# does. Ticks may lag by one or two.
sleep 1000 &
server=$!
expect 0 "$server" "$dir/client"
between server_ns 0 50
between client_ns 180 60000
between elapsed_ns "$(($(field client_ns) / 1000000))" 60000
grep -qx waited "$dir/errors" || fail "what the client says got lost"

# A busy one spends what was waited for, and no more than one thread can.
stop_server
bash -c 'while :; do :; done' &
server=$!
expect 0 "$server" "$dir/client" "$server"
between server_ns 180 "$(($(field elapsed_ns) / 1000000 + 10))"

# Its status is the client's, if it can look at all.
expect 7 "$server" sh -c 'exit 7'
[ ! -s "$dir/output" ] || fail "it reports on a client that failed"
expect 143 "$server" sh -c 'kill $$'
expect 127 "$server" "$dir/no-such-client"
expect 2 "$server"
expect 2 0 true
stopped=$server
stop_server
expect 1 "$stopped" true
