#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What zsctl shows, and what it exits with: 0 ok, 1 refused by the server,
# 2 usage, 3 cannot reach the server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require jq jq

expect_said() { # TEXT
    grep -qF -- "$1" "$dir/output" || fail "'$1' is not in: $(cat "$dir/output")"
}

# The names an object must have, no matter what else it has.
expect_names() { # FILTER NAME...
    local filter=$1 name
    shift

    for name in "$@"; do
        jq -e "$filter | has(\"$name\")" "$dir/output" >/dev/null ||
            fail "$filter lacks $name"
    done
}

start_zsd --size 64M
# 8 pages of text, 8 same-filled ones, 8 that cannot be compressed.
seq -f "line %.0f of a text" 2000 >"$dir/text"
truncate -s 32K "$dir/text"
head -c 32K /dev/urandom >"$dir/noise"
expect_status 0 qemu-io -f raw -c "write -s $dir/text 0 32k" \
    -c 'write -P 7 32k 32k' -c "write -s $dir/noise 64k 32k" \
    -c 'read 0 96k' -c flush "$uri"

echo "stats for programs"
expect_status 0 ctl --json stats
expect_names .result version pid uptime_seconds threads resident_bytes \
    exports connections polling safety
expect_names '.result.exports[0]' name uuid disk mm_stat io_stat memory dictionary \
    requests
expect_equal pid "$(get_stat pid)" "$zsd_pid"
expect_equal orig_data_size "$(get_stat mm_stat.orig_data_size)" $((24 * 4096))
expect_equal same_pages "$(get_stat mm_stat.same_pages)" 8
expect_equal huge_pages "$(get_stat mm_stat.huge_pages)" 8
expect_at_least compr_data_size "$(get_stat mm_stat.compr_data_size)" \
    $((8 * 4096 + 8))
expect_at_most compr_data_size "$(get_stat mm_stat.compr_data_size)" \
    $((15 * 4096))
expect_equal write_bytes "$(get_stat requests.write_bytes)" $((24 * 4096))
expect_equal read_bytes "$(get_stat requests.read_bytes)" $((24 * 4096))

echo "each disk has a UUID of its own"
uuid=$(get_stat uuid)
[[ $uuid =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]] ||
    fail "the UUID is '$uuid'"

echo "stats for people"
expect_status 0 ctl stats
expect_said 64.0
expect_said lz4
expect_status 0 env ZSD_CONTROL="$control" "$zsctl" stats
expect_said lz4

echo "the classes, both ways"
expect_status 0 ctl stats --classes
expect_said obj_allocated
expect_status 0 ctl --json stats --classes
expect_names '.result.classes[0]' class size obj_used freeable
expect_equal "objects, all classes" \
    "$(jq '[.result.classes[].obj_used] | add' "$dir/output")" 16
expect_equal "objects, in the total" \
    "$(jq .result.total.obj_used "$dir/output")" 16

echo "compact and verify"
expect_status 0 ctl compact
expect_status 0 ctl --json compact
expect_names .result pages_compacted bytes_freed objects_moved duration_us release_us
expect_status 0 ctl verify
expect_said ok
expect_status 0 ctl --json verify
expect_equal ok "$(jq .result.ok "$dir/output")" true
expect_at_least pages_checked "$(jq .result.pages_checked "$dir/output")" 16

echo "the peak can be had anew"
expect_equal mem_used_max "$(get_stat mm_stat.mem_used_max)" \
    "$(get_stat mm_stat.mem_used_total)"
expect_status 0 qemu-io -f raw -c 'discard 0 96k' "$uri"
expect_status 0 ctl compact
expect_at_least mem_used_max "$(get_stat mm_stat.mem_used_max)" \
    $(($(get_stat mm_stat.mem_used_total) + 1))
expect_status 0 ctl reset-peak
expect_equal mem_used_max "$(get_stat mm_stat.mem_used_max)" \
    "$(get_stat mm_stat.mem_used_total)"

echo "one export by its name"
expect_status 0 ctl stats --export ''
expect_status 1 ctl stats --export other
expect_said "there is no export 'other'"
for command in compact verify train; do
    expect_status 1 ctl "$command" --export other
    expect_said "there is no export 'other'"
done

echo "2: usage"
expect_status 2 "$zsctl"
expect_status 2 ctl
expect_status 2 ctl no-such-command
expect_said no-such-command
expect_status 2 ctl stats stray
expect_status 2 ctl compact --classes
expect_status 2 ctl --no-such-option stats
expect_status 0 "$zsctl" --help
expect_said compact
expect_status 0 "$zsctl" --version

echo "3: nobody there, or nobody that speaks the protocol"
expect_status 3 "$zsctl" --control "$dir/nowhere" stats
expect_said "$dir/nowhere"
expect_status 3 "$zsctl" --control "$dir" stats
expect_status 3 "$zsctl" --control "$socket" stats
expect_of_answer 3 stats <<<'no JSON'
expect_of_answer 3 stats <<<'{"id":1}'
expect_of_answer 3 stats </dev/null
printf '{"id":1,' | expect_of_answer 3 stats
head -c 8M /dev/zero | tr '\0' 'x' >"$dir/endless"
expect_of_answer 3 stats <"$dir/endless"
stop_zsd
expect_status 3 ctl stats

echo "3: it is stopped, and nobody waits for ever"
start_zsd --size 64M
kill -STOP "$zsd_pid"
for command in stats compact verify; do
    expect_status 3 ctl --timeout 1 "$command" --export ''
    expect_said 'zsd does not answer'
done
kill -CONT "$zsd_pid"
expect_status 0 ctl --timeout 0 stats
expect_status 2 ctl --timeout -1 stats
expect_status 2 ctl --timeout soon stats
stop_zsd

echo "1: the server says no"
expect_of_answer 1 compact --export '' \
    <<<'{"id":1,"error":{"code":"EBUSY","message":"too many clients"}}'
expect_said 'too many clients'
problem='"problem":"page 7 does not decompress"'
expect_of_answer 1 verify --export '' \
    <<<'{"id":1,"result":{"ok":false,"pages_checked":3,'"$problem"'}}'
expect_said 'page 7 does not decompress'
