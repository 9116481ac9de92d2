# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used by those that source it
# shellcheck disable=SC2154 # and what is used here is set by them
# shellcheck disable=SC2119,SC2120 # start_zsd may have no options
# Shared by the scripts that swap on zsd; sourced, not run. They set
#
#   $algorithm   that zsd is to use
#   $disk_mib    size of its disk
#   $device      a free nbd device
#   $what        what this run is, for messages
#   $connections from the kernel to zsd
#   $attached_by what makes them: zsctl, or nbd-client if it is not set
#   $confine     MiB that the stress program may have, 0: all
#   $touch_mib   that it touches, of pages made from $seed
#   $stress_program  another one than stress
#   $stress_pages    a file that its pages are taken from, if they are not made up
#
# and call start_zsd, attach and swap_on, start_stress and ask, and swap_off. What
# was done to the machine is undone however the script ends. A guest may mount a
# folder of its host at $share (guest-run --share). Needs root, and zsd, zsctl and
# stress in the path.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
nbd=/sys/block/${device#/dev/}
work=$(mktemp -d "${TMPDIR:-/run}/zsd-swap.XXXXXX")
share=$work/share
socket=$work/nbd.sock
cgroup=/sys/fs/cgroup/${work##*/}
program=${0##*/}
mark="zsd $program ${work##*.}"
export ZSD_CONTROL=$socket.ctl

zsd_pid=
stress_pid=
hog_pid= # of another program that must not outlive the script
checked=0
stall_us=0
attached=
swapping=
shared=

say() {
    printf '%4ds  %s\n' "$SECONDS" "$*"
}

die() {
    echo "$program: $*" >&2
    exit 1
}

# wait_for SECONDS CONDITION COMMAND...: until COMMAND succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) condition=$2
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || die "no $condition in time"
        sleep 0.1
    done
}

# --- what must be so --------------------------------------------------------------

# expect STATUS TEXT COMMAND...: what it says has TEXT in it.
expect() {
    local status=0 expected=$1 text=$2
    shift 2
    "$@" > "$work/output" 2>&1 || status=$?
    ((status == expected)) ||
        die "'$*' ends with $status, not $expected: $(cat "$work/output")"
    grep -qF -- "$text" "$work/output" ||
        die "'$*' says $(cat "$work/output"), not '$text'"
}

# expect_file FILE CONTENT
expect_file() {
    [[ $(< "$1") == "$2" ]] || die "$1 is $(cat "$1"), not $2"
}

# --- the machine put back as it was ------------------------------------------

stop_stress() {
    [[ -n $stress_pid ]] || return 0
    kill "$stress_pid" 2>> "$work/cleanup" || true
    wait "$stress_pid" || true
    stress_pid=
}

stop_hog() {
    [[ -n $hog_pid ]] || return 0
    kill -KILL "$hog_pid" 2>> "$work/cleanup" || true
    wait "$hog_pid" 2>> "$work/cleanup" || true
    hog_pid=
}

show_why() {
    echo "--- $what: it failed; zsd's messages:"
    cat "$work/zsd.log" || true
    echo "--- the kernel's:"
    kernel_messages | tail -n 40 || true
    if [[ -n $zsd_pid && -d /proc/$zsd_pid ]]; then
        echo "--- zsd's statistics:"
        timeout 10 zsctl stats || true
        grep -E '^(State|VmRSS|Threads)' "/proc/$zsd_pid/status" || true
        grep -E '^(Swap|Locked)' "/proc/$zsd_pid/smaps_rollup" || true
    fi
    echo "--- memory:"
    head -n 5 /proc/meminfo
    cat /proc/swaps
    echo "FAIL: $what"
}

leave_share() {
    [[ -z $shared ]] || umount "$share" || return
    shared=
}

clean_up() {
    local status=$?
    trap - EXIT
    set +e
    ((status == 0)) || show_why
    stop_stress
    stop_hog
    [[ -z $swapping ]] || swapoff "$device"
    [[ -z $attached ]] || nbd-client -d "$device" > "$work/cleanup" 2>&1
    if [[ -n $zsd_pid ]]; then
        kill "$zsd_pid" 2>> "$work/cleanup"
        wait "$zsd_pid"
    fi
    [[ ! -d $cgroup ]] || rmdir "$cgroup"
    [[ ! -d $cgroup-zsd ]] || rmdir "$cgroup-zsd"
    # What is in the share is the host's.
    leave_share && rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP PIPE

# mount_share [OPTIONS]
mount_share() {
    mkdir "$share"
    mount -t 9p -o "trans=virtio,version=9p2000.L${1:+,$1}" share "$share" ||
        die "there is no folder of the host: guest-run --share"
    shared=yes
}

# --- what the kernel says ------------------------------------------------------

meminfo_kib() {
    awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo
}

vmstat() {
    awk -v key="$1" '$1 == key { print $2 }' /proc/vmstat
}

swap_used_kib() {
    awk -v device="$device" '$1 == device { print $4 }' /proc/swaps
}

# The kernel's messages since this run began, or all that it still has where
# they are too many.
kernel_messages() {
    dmesg > "$work/dmesg"
    if grep -q "$mark" "$work/dmesg"; then
        sed -i "1,/$mark/d" "$work/dmesg"
    fi
    cat "$work/dmesg"
}

# What it says when something is wrong with itself or with zsd, and when there
# is no memory left and writes to swap fail.
trouble='BUG:|Call Trace|blocked for more than|stuck|segfault'
trouble+='|Unexpected reply|Double reply|Suspicious reply|allocation failure'
shortage='Out of memory|oom-kill|oom_reaper|I/O error|rror on swap'
shortage+='|returned error'

# no_kernel_trouble PATTERN: none of it since this run began.
no_kernel_trouble() {
    if kernel_messages | grep -E "$1"; then
        die "the kernel is in trouble"
    fi
}

# --- zsd and its swap ----------------------------------------------------------

has_started() {
    [[ -d /proc/$zsd_pid ]] || die "zsd ended before it was ready"
    [[ -s $work/zsd.pid ]]
}

# Nothing of what is in this group is swapped out, locked or not.
make_zsd_group() {
    mkdir -p "$cgroup-zsd"
    [[ -e $cgroup-zsd/memory.max ]] ||
        echo +memory > /sys/fs/cgroup/cgroup.subtree_control
    echo 0 > "$cgroup-zsd/memory.swap.max"
}

# Run a command in that group, if there is one, and in a session of its own: an
# interrupt from the terminal must not end it while the kernel swaps on it.
run_zsd() {
    [[ ! -d $cgroup-zsd ]] || echo "$BASHPID" > "$cgroup-zsd/cgroup.procs"
    exec setsid zsd "$@"
}

# start_zsd [OPTION...]
start_zsd() {
    run_zsd --size "$disk_mib"M --socket "$socket" --algorithm "$algorithm" \
        --swap=strict --pid-file "$work/zsd.pid" "$@" 2> "$work/zsd.log" &
    zsd_pid=$!
    wait_for 30 "start of zsd" has_started
}

has_size() {
    (($(< "$nbd/size") == disk_mib * 2048))
}

attach() {
    cat "$nbd/stat" > "$work/kernel.before"
    if [[ ${attached_by:-nbd-client} == zsctl ]]; then
        expect 0 "$device: attached" zsctl attach "$device" \
            --socket "$socket" --connections "$connections"
    else
        nbd-client -unix "$socket" "$device" -b 4096 -C "$connections" \
            > "$work/nbd-client.log" 2>&1 ||
            die "nbd-client: $(cat "$work/nbd-client.log")"
    fi
    attached=yes
    wait_for 10 "size of $device" has_size
    # Not to be throttled as if it were a disk that is slow with many writes.
    [[ ! -e $nbd/queue/wbt_lat_usec ]] || echo 0 > "$nbd/queue/wbt_lat_usec"
    echo none > "$nbd/queue/scheduler"
}

swap_on() {
    mkswap "$device" > "$work/mkswap.log" 2>&1 ||
        die "mkswap: $(cat "$work/mkswap.log")"
    swapon --discard --priority 32767 "$device"
    swapping=yes
}

end_zsd() {
    kill "$zsd_pid"
    wait "$zsd_pid" || die "zsd ended with status $?"
    zsd_pid=
}

swap_off() {
    swapoff "$device"
    swapping=
    nbd-client -d "$device" > "$work/nbd-client.log" 2>&1
    attached=
    end_zsd
}

# --- the stress program ----------------------------------------------------------

confine_stress() {
    mkdir "$cgroup"
    [[ -e $cgroup/memory.max ]] ||
        echo +memory > /sys/fs/cgroup/cgroup.subtree_control
    echo "${confine}M" > "$cgroup/memory.max"
    echo max > "$cgroup/memory.swap.max"
}

start_stress() {
    ((confine == 0)) || confine_stress
    coproc stress_pipe {
        ((confine == 0)) || echo "$BASHPID" > "$cgroup/cgroup.procs"
        exec "${stress_program:-stress}" "$touch_mib" "$seed" \
            ${stress_pages:+"$stress_pages"}
    }
    # Bash forgets these when the program ends.
    stress_pid=$!
    exec {stress_in}>&"${stress_pipe[1]}" {stress_out}<&"${stress_pipe[0]}"
}

tell() {
    echo "$*" >&"$stress_in"
}

# What the stress program found: "ok", pages checked, corrupt bytes, and the
# longest that it waited for a page, us.
hear() {
    local verdict pages wrong waited_us
    read -r -t 600 verdict pages wrong waited_us <&"$stress_out" ||
        die "the stress program died or hangs"
    checked=$((checked + pages))
    ((waited_us <= stall_us)) || stall_us=$waited_us
    [[ $verdict == ok ]] || die "$wrong corrupt bytes"
}

ask() {
    tell "$@"
    hear
}

