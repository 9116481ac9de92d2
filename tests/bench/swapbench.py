#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""swapbench - swapping on zsd beside the kernel's own zram

Boots a machine of its own, in which the same program touches half again as much
memory as is free, over one kind of swap after the other, each round anew: first
it writes every page, then it touches them in order, at random, and nine of ten
times a tenth of them. With --path the kernel traces single faults instead, and
the table says where their time goes. Needs what tests/vm/guest-build has made.
Nothing is asserted.
"""
import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True

from figures import Run, Runs, parse  # noqa: E402
from servers import die  # noqa: E402
from tables import swap_table, table  # noqa: E402

TOP = os.path.abspath(__file__ + "/../../..")

ON = "zram-lz4 zsd-lz4-1 zsd-lz4-4 zram-zstd zsd-zstd:1-1 zsd-zstd:1-4"
MEMORY_MIB = 320
ROUNDS = 3

# Emulated, one phase may take minutes.
PATIENCE_S = 900


def swap_runs(guest, on=ON, rounds=ROUNDS, memory_mib=MEMORY_MIB, options=(),
              say=lambda text: None):
    """One run for each phase, as they end, with the kernel's trace of it."""
    job = "/".join(["swapbench-run/any/1", f"rounds={rounds}",
                    "on=" + "+".join(on.split()), *options])
    machine = subprocess.Popen(
        [f"{TOP}/tests/vm/guest-run", guest, job, "--memory", str(memory_mib),
         "--patience", str(PATIENCE_S)], stdout=subprocess.PIPE, text=True)
    said, traced = [], []
    for line in machine.stdout:
        if line.startswith("BENCH "):
            run = Run(part="swap", **parse(line[len("BENCH "):]))
            say(f"{run.device}, round {run.round} of {rounds}: {run.phase}, "
                f"{run.load.seconds:.1f} s")
            run.trace = traced = []
            yield run
        elif line.startswith("TRACE "):
            traced.append(line)
        elif not line.startswith("["):
            said.append(line)
    if machine.wait():
        die("the machine failed:\n" + "".join(said[-40:]))


# --- where the time of a fault goes --------------------------------------------

Event = collections.namedtuple("Event", "time_us task pid name args")


def events_of(lines):
    for line in lines:
        found = re.match(r"TRACE ([0-9.]+) (.*)-([0-9]+) (\w+): (.*)", line)
        if found:
            time_s, task, pid, name, args = found.groups()
            yield Event(float(time_s) * 1e6, task.strip(), pid, name, args)


def wakes(of):
    return lambda e, receiver: e.name == "sched_waking" and re.search(
        f"comm={of}" if of else f"pid={receiver}\\b", e.args)


def runs(of):
    return lambda e, receiver: e.name == "sched_switch" and re.search(
        f"next_comm={of}" if of else f"next_pid={receiver}\\b", e.args)


def happens(name):
    return lambda e, receiver: e.name == name


# What one can see of a page that is brought in, by and by. The kernel's receiver
# is known by what it receives.
MARKS = {
    "the request goes to the driver": happens("block_rq_issue"),
    "the kernel's sender is woken": wakes(r"kworker/\d+:\d+H"),
    "it runs": runs(r"kworker/\d+:\d+H"),
    "zsd's worker is woken": wakes("zsd"),
    "the request is sent": happens("nbd_header_sent"),
    "the worker runs": runs("zsd"),
    "the kernel's receiver is woken": wakes(None),
    "the receiver runs": runs(None),
    "it has the header": happens("nbd_header_received"),
    "the request is complete": happens("block_rq_complete"),
    "the task is woken": wakes("swapload"),
    "the task runs": runs("swapload"),
}


def faults_of(events):
    """The events of each fault, that itself first."""
    fault = []
    for event in events:
        if event.name == "page_fault_user" and event.task == "swapload":
            yield fault
            fault = []
        fault.append(event)
    yield fault


def marks_of(fault):
    """When each mark came first, us after the fault."""
    receiver = next((e.pid for e in fault
                     if e.name == "nbd_header_received"), None)
    found = {}
    for event in fault if receiver else []:
        for mark, is_it in MARKS.items():
            if mark not in found and is_it(event, receiver):
                found[mark] = event.time_us - fault[0].time_us
    return found if "the task runs" in found else {}


def path_table(trace):
    """Medians, of what most faults pass."""
    faults = [m for m in map(marks_of, faults_of(events_of(trace))) if m]
    rows, last_us = [], 0
    medians = {mark: statistics.median(f[mark] for f in faults if mark in f)
               for mark in MARKS
               if sum(mark in f for f in faults) * 2 > len(faults)}
    for mark, us in sorted(medians.items(), key=lambda item: item[1]):
        rows.append([mark, f"{us:.0f}", f"{us - last_us:.0f}"])
        last_us = us
    return table([f"{len(faults)} faults", "us after it", "step"], rows)


# --- what is to be done ----------------------------------------------------------

def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("guest", help="a folder that tests/vm/guest-build has filled")
    add("--on", default=ON, help=f"kinds of swap ({ON})")
    add("--rounds", type=int, default=ROUNDS, help=f"({ROUNDS})")
    add("--memory", type=int, default=MEMORY_MIB,
        help=f"of the machine, MiB ({MEMORY_MIB})")
    add("--path", action="store_true", help="trace single faults instead")
    add("--json", help="write the runs there, too")
    add("--set", action="append", default=[], metavar="OPTION=VALUE",
        help="an option of tests/vm/swapbench-run; repeatable")
    return parser.parse_args()


def main():
    given = arguments()
    runs = Runs()
    for run in swap_runs(given.guest, given.on, given.rounds, given.memory,
                         given.set + ["trace=yes"] * given.path,
                         lambda text: print(text, file=sys.stderr)):
        runs.append(run)
    for run in runs if given.path else []:
        if run.trace:
            print("\n".join(["", run.device, *path_table(run.trace)]))
    for run in runs:
        del run["trace"]
    if given.json:
        with open(given.json, "w") as file:
            json.dump(runs, file, separators=(",", ":"))
    print("\n".join(swap_table(runs, None)))


if __name__ == "__main__":
    main()
