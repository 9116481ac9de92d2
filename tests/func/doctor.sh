#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsctl doctor, on made-up machines: one where all is well, and that one with a
# single thing changed, which must be found, and nothing else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

root=$dir/root
process=$root/proc/4711
unit=$root/sys/fs/cgroup/system.slice/zsd.service
disk=$root/sys/block/nbd3

# put FILE TEXT...: a file of the machine, a line for each TEXT.
put() {
    mkdir -p "${1%/*}"
    printf '%s\n' "${@:2}" >"$1"
}

tcp_line() { # LOCAL REMOTE STATE INODE
    echo "   0: $1 $2 $3 00000000:00000000 00:00000000 00000000     0        0" \
        "$4 1 0000000000000000 20 4 30 10 -1"
}

make_process() {
    put "$process/status" 'Name:	zsd' 'VmLck:	  524288 kB' 'VmSwap:	       0 kB'
    put "$process/oom_score_adj" -1000
    put "$process/cgroup" 0::/system.slice/zsd.service
    mkdir -p "$process/fd"
    ln -s 'socket:[8001]' "$process/fd/3"
    ln -s 'socket:[8002]' "$process/fd/12"
    # Connections of others, one of another machine, one that only listens.
    put "$process/net/tcp" '  sl  local_address rem_address   st' \
        "$(tcp_line 0100007F:2A39 0100007F:D431 01 7000)" \
        "$(tcp_line 0A00000A:2A39 0B00000A:D431 01 8001)" \
        "$(tcp_line 00000000:2A39 00000000:0000 0A 8002)"
    put "$unit/memory.swap.max" 0
    put "$unit/memory.high" max
    put "$unit/memory.max" max
    put "$process/mountinfo" '22 1 0:21 / /proc rw - proc proc rw' \
        '23 1 0:22 / /run rw - tmpfs tmpfs rw,size=1024k'
    put "$root/sys/fs/cgroup/system.slice/memory.swap.max" max
    put "$root/sys/fs/cgroup/system.slice/memory.high" max
    put "$root/sys/fs/cgroup/init.scope/memory.swap.max" 0
    put "$root/proc/1/status" 'Name:	systemd' 'VmSwap:	       0 kB'
}

# Of the three devices one is attached and of the right size.
make_devices() {
    put "$root/sys/block/nbd0/size" 0
    put "$root/sys/block/nbd1/size" 131072
    put "$root/sys/block/nbd2/size" 4096
    put "$root/sys/block/nbd2/pid" 99
    put "$disk/size" 131072
    put "$disk/pid" 4800
    put "$disk/queue/logical_block_size" 4096
    put "$disk/queue/rotational" 0
    put "$disk/queue/scheduler" "[none] mq-deadline"
    put "$disk/queue/discard_max_bytes" 2199023255040
    mkdir -p "$root/proc/4800"
    printf 'nbd-client\0-unix\0/s\0/dev/nbd3\0-dead-timeout\00030\0' \
        >"$root/proc/4800/cmdline"
    put "$root/sys/kernel/debug/nbd/nbd3/timeout" 0
    put "$root/proc/swaps" 'Filename Type Size Used Priority' \
        '/dev/sda2 partition 999 0 -2' '/dev/nbd3 partition 65532 0 100'
}

adding_swap() { # NUMBER DEVICE FLAGS
    echo "6,$1,9,-;Adding 65532k swap on $2.  Priority:100 extents:1" \
        "across:65532k $3"
}

make_machine() {
    rm -rf "$root"
    make_process
    make_devices
    put "$root/proc/sys/vm/page-cluster" 3
    put "$root/proc/meminfo" 'MemTotal:        2097152 kB' 'MemFree:    4 kB'
    put "$root/proc/sys/vm/min_free_kbytes" 41943
    put "$root/proc/sys/kernel/sched_rt_runtime_us" 950000
    put "$root/sys/module/zswap/parameters/enabled" N
    put "$root/dev/kmsg" "$(adding_swap 1 /dev/nbd3 SSFS)" \
        "$(adding_swap 2 /dev/nbd3 SSDscFS)" \
        "$(adding_swap 3 /dev/nbd30 SSFS)" '6,4,9,-;the last words'
    # shellcheck disable=SC2016 # jq's own
    jq -nc '
        def thread($name; $rt): {name: $name, tid: 1, io_flusher: true,
            realtime: $rt};
        {id: 1, result: {pid: 4711, exports: [{name: "",
            disk: {size_bytes: 67108864}, mm_stat: {mem_limit: 0},
            memory: {starved_requests: 0, failed_requests: 0}}],
            survival: {keeper_pid: 4710, deaths: 0, standby_ready: true},
            safety: {mode: "swap", threads: [thread("main"; false), thread("control"; false),
                    thread("worker"; true), thread("housekeeper"; true),
                    thread("policy"; false)]}}}' \
        >"$dir/reply"
}

# ask_doctor STATUS OPTION...
ask_doctor() {
    expect_of_answer "$1" doctor --root="$root" "${@:2}" <"$dir/reply"
}

# The names of those checks that do not pass.
findings() { # STATUS
    jq -r --arg status "$1" '[.checks[] | select(.status == $status) | .name] |
        join(",")' "$dir/output"
}

# diagnose STATUS NAME[,NAME...] : of the machine as it is now.
diagnose() {
    local exit_status=0

    [ "$1" != fail ] || exit_status=1
    ask_doctor "$exit_status" --json
    expect_equal "what is found to $1" "$(findings "$1")" "$2"
    [ "$1" = fail ] || expect_equal "what fails" "$(findings fail)" ''
    expect_equal "findings without a way out" "$(jq '[.checks[] |
        select((.status == "pass") != (.mend == ""))] | length' \
        "$dir/output")" 0
    ask_doctor "$exit_status"
    expect_equal "lines that tell the way out" "$(grep -c '^ *> ' "$dir/output")" \
        "$(tr ',' '\n' <<<"$2" | grep -c .)"
    make_machine
}

# change_reply FILTER
change_reply() {
    jq -c "$1" "$dir/reply" >"$dir/changed"
    mv "$dir/changed" "$dir/reply"
}

echo "all is well"
make_machine
ask_doctor 0 --json
expect_equal "what fails" "$(findings fail)" ''
expect_equal "what is warned of" "$(findings warn)" ''
expect_at_least "checks" "$(jq '.checks | length' "$dir/output")" 15
expect_equal ok "$(jq .ok "$dir/output")" true
ask_doctor 0
grep -q ' 0 warnings, 0 failed$' "$dir/output" || fail "$(cat "$dir/output")"

echo "zsd as it runs"
change_reply 'del(.result.safety)'
diagnose fail 'swap mode'
change_reply '.result.safety.mode = "off"'
diagnose fail 'swap mode'
change_reply '.result.safety.threads[0].io_flusher = false'
diagnose fail 'I/O flusher'
change_reply '.result.safety.threads[2].realtime = false'
diagnose fail 'real time'
put "$root/sys/fs/cgroup/init.scope/memory.swap.max" max
diagnose warn init.scope
put "$root/proc/1/status" 'Name:	systemd' 'VmSwap:	     512 kB'
diagnose warn 'process 1'
change_reply '.result.survival.standby_ready = false'
diagnose warn survival
change_reply '.result.survival.deaths = 2'
diagnose warn survival
change_reply '.result.survival = {keeper_pid: 0, deaths: 0, standby_ready: false}'
diagnose warn survival
make_machine
change_reply '.result.exports[0].memory.starved_requests = 3'
diagnose warn reserve
change_reply '.result.exports[0].memory.failed_requests = 1'
diagnose fail reserve
change_reply '.result.exports[0].mm_stat.mem_limit = 16777216'
diagnose warn ''
change_reply '.result.exports[0].mm_stat.mem_limit = 8388608'
diagnose warn mem-limit
backing='{kind: "file", size_bytes: 1048576000, bd_count: 1000,
    failed_reads: 0, failed_writes: 0, rotational: false,
    day_written_bytes: 4096, day_limit_bytes: 1073741824}'
change_reply ".result.exports[0].backing = $backing"
diagnose warn ''
for change in bd_count=250000 rotational=true day_written_bytes=1073741824 \
    failed_writes=1; do
    change_reply ".result.exports[0].backing = $backing |
        .result.exports[0].backing.$change"
    diagnose warn backing
done
change_reply ".result.exports[0].backing = $backing |
    .result.exports[0].backing.failed_reads = 1"
diagnose fail backing
put "$process/status" 'VmLck:	0 kB' 'VmSwap:	0 kB'
diagnose fail 'locked memory'
put "$process/status" 'VmLck:	8 kB' 'VmSwap:	4 kB'
diagnose fail 'swapped out'
put "$process/oom_score_adj" -999
diagnose fail 'OOM killer'
put "$unit/memory.swap.max" max
diagnose fail MemorySwapMax
put "$unit/memory.swap.max" 4096
diagnose fail MemorySwapMax
rm "$unit/memory.swap.max"
diagnose fail MemorySwapMax
put "$process/cgroup" 0::/
diagnose fail MemorySwapMax
put "$unit/memory.high" 1048576
diagnose fail MemoryHigh
put "$root/sys/fs/cgroup/system.slice/memory.high" 1048576
diagnose fail MemoryHigh
put "$unit/memory.max" 67108863
diagnose fail MemoryMax
put "$root/sys/fs/cgroup/system.slice/memory.max" 67108863
diagnose fail MemoryMax
put "$unit/memory.max" 67108864
diagnose warn ''
put "$root/proc/meminfo" 'MemTotal:          65536 kB'
diagnose warn memory
put "$process/mountinfo" '22 1 0:21 / /proc rw - proc proc rw,subset=pid'
diagnose fail /proc

echo "a limit around it holds for it, too"
rm "$unit/memory.swap.max"
put "$root/sys/fs/cgroup/system.slice/memory.swap.max" 0
ask_doctor 0 --json
expect_equal "what fails" "$(findings fail)" ''
make_machine

echo "control groups of version 1"
put "$process/cgroup" 11:pids:/x 4:memory:/system.slice/zsd.service 0::/init
ask_doctor 0 --json
expect_equal "what fails" "$(findings fail)" ''
put "$root/sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes" 67108863
diagnose fail MemoryMax

echo "each export is looked at"
# shellcheck disable=SC2016 # jq's own
change_reply '.result.exports |= [., .] | .result.exports |= flatten |
    .result.exports[0].name = "one" | .result.exports[1].name = "two" |
    .result.exports[1].memory.starved_requests = 3'
diagnose warn reserve

echo "TCP"
put "$process/net/tcp" "$(tcp_line 0100007F:2A39 0100007F:D431 01 8001)"
diagnose fail transport
put "$process/net/tcp6" "$(tcp_line \
    00000000000000000000000001000000:2A39 \
    00000000000000000000000001000000:D431 01 8002)"
diagnose fail transport
put "$process/net/tcp" "$(tcp_line 0100007F:2A39 0100007F:D431 06 8001)"
ask_doctor 0
rm -rf "$process/fd"
diagnose warn transport

echo "the machine"
put "$root/proc/sys/vm/page-cluster" 0
diagnose fail vm.page-cluster
put "$root/proc/sys/vm/min_free_kbytes" 41942
diagnose fail vm.min_free_kbytes
put "$root/proc/meminfo" 'MemTotal:         131072 kB'
put "$root/proc/sys/vm/min_free_kbytes" 8192
diagnose warn ''
put "$root/proc/meminfo" 'MemTotal:       99999999 kB'
put "$root/proc/sys/vm/min_free_kbytes" 65536
diagnose warn ''
put "$root/proc/sys/kernel/sched_rt_runtime_us" -1
diagnose fail 'RT throttling'
put "$root/sys/module/zswap/parameters/enabled" Y
diagnose warn zswap

echo "the device"
put "$disk/queue/logical_block_size" 512
diagnose fail 'block size'
put "$disk/queue/scheduler" "none [mq-deadline]"
diagnose warn scheduler
put "$disk/queue/scheduler" none
diagnose warn ''
put "$disk/queue/rotational" 1
diagnose fail rotational
put "$disk/queue/discard_max_bytes" 0
diagnose fail discard
put "$root/sys/kernel/debug/nbd/nbd3/timeout" 7500
diagnose fail 'request timeout'
rm "$root/proc/4800/cmdline"
diagnose warn 'dead connection'
# Attached by zsctl, which has ended: the kernel tells the disk's UUID.
change_reply '.result.exports[0].uuid = "01234567-89ab-4def-8011-2233445566ff"'
put "$disk/backend" 01234567-89ab-4def-8011-2233445566ff
put "$disk/size" 8
rm "$root/proc/4800/cmdline"
diagnose warn ''
change_reply '.result.exports[0].uuid = "01234567-89ab-4def-8011-2233445566ff"'
put "$disk/backend" 11234567-89ab-4def-8011-2233445566ff
rm "$root/proc/4800/cmdline"
diagnose warn 'dead connection'
rm "$disk/pid"
diagnose warn attached

echo "swap"
put "$root/proc/swaps" '/dev/nbd30 partition 65532 0 100'
diagnose warn swap
put "$root/dev/kmsg" "$(adding_swap 1 /dev/nbd3 SSDscFS)" \
    "$(adding_swap 2 /dev/nbd3 SSDsFS)"
diagnose fail discard=pages
put "$root/dev/kmsg" "$(adding_swap 1 /dev/nbd3 SSFS)"
diagnose fail discard=pages
put "$root/dev/kmsg" '6,9,9,-;nothing of the kind'
diagnose warn discard=pages

echo "what is not there cannot be seen"
rm -rf "$root"
diagnose warn memory,transport,vm.min_free_kbytes,attached

echo "hostile"
change_reply '.result.pid = "4711"'
ask_doctor 3
make_machine
printf '0::/%0600d\n' 0 >"$process/cgroup"
ask_doctor 1
make_machine
printf '0::/\033[31m\n' >"$process/cgroup"
ask_doctor 1
! grep -q $'\033' "$dir/output" || fail "control characters are shown"
expect_status 2 ctl stats --root=/x

echo "a real one"
start_zsd --size 64M
status=0
ctl doctor --json >"$dir/output" || status=$?
expect_at_most "its status" "$status" 1
expect_equal "what is told of the OOM killer" \
    "$(jq -r '.checks[] | select(.name == "OOM killer") | .status' \
        "$dir/output")" \
    "$([ "$(cat "/proc/$zsd_pid/oom_score_adj")" -eq -1000 ] &&
        echo pass || echo fail)"
stop_zsd
