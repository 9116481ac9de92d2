#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The system is short of everything, by turns and all at once, while clients are
# attached, come and go: each call that zsd makes once it is ready fails, in
# bursts, and nothing ends, hangs, or is lost. A write may be refused where the
# store gets no memory, and a connection before it is served; zsctl may get an
# error for an answer.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

rawclient=$top_builddir/tests/func/rawclient

# In the order of shortage.c. With --swap zsd looks at the kernel's watermarks,
# without it gives memory back by fallocate(2).
names=(accept4 calloc close epoll_ctl epoll_wait fallocate ftruncate getsockopt
    madvise malloc memfd_create mmap munmap poll pread read recv recvmmsg recvmsg
    send sendmmsg sendmsg setsockopt write)
any=255

# How often each call fails at least, before it is the next one's turn; more by
# hand, with ZSD_SHORTAGE_FAILURES.
failures=${ZSD_SHORTAGE_FAILURES:-20}

# --- what fails ---------------------------------------------------------------

put_byte() { # OFFSET VALUE
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %02x "$2")" |
        dd of="$dir/shortage" bs=1 seek="$1" conv=notrunc status=none
}

fail_from_now_on() { # NUMBER, counted from 1; 0: none
    put_byte 0 "$1"
}

# Sets $calls and $failed, in the order of $names.
read_counts() {
    local numbers i

    read -ra numbers <<<"$(od -An -v -t u8 -j 64 -N $((${#names[@]} * 16)) \
        "$dir/shortage" | tr '\n' ' ')"
    for i in "${!names[@]}"; do
        calls[i]=${numbers[2 * i]}
        failed[i]=${numbers[2 * i + 1]}
    done
}

has_failed() { # INDEX TIMES
    kill -0 "$zsd_pid" || fail "zsd is gone when ${names[$1]} fails"
    # To be told something is a call as well, and so is to be asked.
    [ "$swap" = --survive ] || kill -HUP "$zsd_pid"
    read_counts
    [ "${failed[$1]}" -ge "$2" ]
}

have_failed() { # TIMES, all together since this was asked first
    local sum=0 times

    kill -0 "$zsd_pid" || fail "zsd is gone when all calls fail"
    [ "$swap" = --survive ] || kill -HUP "$zsd_pid"
    read_counts
    for times in "${failed[@]}"; do
        sum=$((sum + times))
    done
    : "${failed_before:=$sum}"
    [ $((sum - failed_before)) -ge "$1" ]
}

# --- who is there -------------------------------------------------------------

clients=()

start_client() { # MODE [ARGUMENT...]
    "$rawclient" "${address:-$socket}" "$@" <"$dir/end" \
        >"$dir/client${#clients[@]}" 2>&1 {end}>&- &
    clients+=($!)
}

# It may be hung up on, or get an error, but must not be left to wait.
ask_again_and_again() {
    local i commands=(stats compact stats verify)

    for ((i = 0; ; i++)); do
        # The folder goes away with the test.
        if [ -e "$dir/enough" ] || [ ! -d "$dir" ]; then
            break
        fi
        "$zsctl" --control "$control" "${commands[i % 4]}" >"$dir/stats" \
            2>&1 || true
        ! grep -q 'zsd does not answer' "$dir/stats" || return 1
    done
}

# Sets $port; see tcp.sh.
start_short_zsd() { # OPTION...
    for _ in {1..20}; do
        port=$((20000 + RANDOM % 12000))
        if try_zsd --size 64M --threads 2 --reserve 256K --verbose \
            --socket "$socket" --listen "127.0.0.1:$port" "$@"; then
            return
        fi
        grep -q 'Address already in use' "$log" || break
    done
    fail "zsd does not start, exit status $zsd_status"
}

start_clients() { # order|patient
    rm -f "$dir/end" "$dir/enough"
    mkfifo "$dir/end"
    exec {end}<>"$dir/end"
    clients=()
    case $1 in
    order) start_client order "$seed" 3 0 ;;
    patient) start_client patient "$seed" 3 ;;
    esac
    eventually has_clients 3
    start_client knock
    start_client knock
    address=127.0.0.1:$port start_client knock
    address=127.0.0.1:$port start_client knock
    ask_again_and_again {end}>&- &
    asking=$!
}

has_clients() { # NUMBER
    [ "$(get_stat connections.open)" -ge "$1" ]
}

end_clients() {
    local i

    touch "$dir/enough"
    echo >&"$end"
    for i in "${!clients[@]}"; do
        wait "${clients[i]}" || fail "client $i: $(cat "$dir/client$i")"
        cat "$dir/client$i"
    done
    wait "$asking" || fail "zsctl is not answered: $(cat "$dir/stats")"
    exec {end}>&-
}

# --- the shortage -------------------------------------------------------------

# Whether it changes what the store can hold, so that writes may be refused.
is_of_the_store() { # NAME
    case $1 in
    fallocate | madvise | mmap | munmap) ;;
    *) return 1 ;;
    esac
}

# run_short CLIENTS NAME...: each fails, then any of them.
run_short() {
    local who=$1 i name
    shift

    start_clients "$who"
    for name; do
        for i in "${!names[@]}"; do
            [ "${names[i]}" = "$name" ] || continue
            fail_from_now_on $((i + 1))
            eventually has_failed "$i" $((failed[i] + failures))
        done
    done
    if [ "$who" = patient ]; then
        failed_before=
        fail_from_now_on "$any"
        eventually have_failed $((20 * failures * ${#names[@]}))
    fi
    fail_from_now_on 0
    end_clients
}

choose_seed
for swap in '' '--swap --survive=off' --survive; do
    truncate -s 0 "$dir/shortage"
    truncate -s 4096 "$dir/shortage"
    put_byte 1 8
    put_byte 2 24
    zsd_environment=(
        "LD_PRELOAD=$top_builddir/tests/func/shortage.so"
        "SHORTAGE_FILE=$dir/shortage"
    )
    # shellcheck disable=SC2086 # options are words
    start_short_zsd $swap
    calls=() failed=()
    read_counts
    safe=() store=()
    for i in "${!names[@]}"; do
        case ${names[i]}$swap in
        pread* | fallocate--swap*) continue ;;
        ftruncate--survive | memfd_create--survive) continue ;;
        poll--survive | recvm*--survive | sendm*--survive) ;;
        poll* | recvm* | sendm*) continue ;;
        malloc* | calloc*) ((calls[i])) || continue ;; # a sanitizer's own
        esac
        if is_of_the_store "${names[i]}"; then
            store+=("${names[i]}")
        else
            safe+=("${names[i]}")
        fi
    done
    echo "${swap:-without --swap}: no request fails: ${safe[*]}"
    run_short order "${safe[@]}"
    echo "writes may: ${store[*]}, and all together"
    run_short patient "${store[@]}"
    verify_store
    read_counts
    for i in "${!names[@]}"; do
        [[ " ${store[*]} ${safe[*]} " != *" ${names[i]} "* ]] ||
            expect_at_least "the failures of ${names[i]}" "${failed[i]}" 1
        printf '%12s failed %d times out of %d\n' "${names[i]}" \
            "${failed[i]}" "${calls[i]}"
    done
    stop_zsd
done
