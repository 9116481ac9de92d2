#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark finds bad servers, counts right, and says what it found."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from figures import Run, Runs, parse, rates, targets  # noqa: E402
from swapbench import path_table  # noqa: E402
from tables import all_tables, swap_table  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ["top_builddir"]


def says(status, words, program, *arguments):
    """A program ends so, and says these words."""
    path = program if "/" in program else f"{BUILD}/tests/bench/{program}"
    ended = subprocess.run([path, *map(str, arguments)], text=True, timeout=120,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ended.returncode == status and words in ended.stdout, \
        f"{program} {arguments}: {ended.returncode}, {ended.stdout}"
    return ended.stdout


def printed(*command):
    return parse(says(0, "{", *command))


# --- nbdload: what checks others must be seen to fail -------------------------

@contextlib.contextmanager
def nbdkit(*arguments):
    server = subprocess.Popen(["nbdkit", "-f", "-U", "nbd.sock", *arguments])
    while not os.path.exists("nbd.sock"):
        time.sleep(0.01)
    yield server
    server.kill()
    server.wait()
    os.remove("nbd.sock")


def load(status, words, options):
    return says(status, words, "nbdload", "-u./nbd.sock", *options.split())


def test_a_good_server_is_believed():
    with nbdkit("memory", "64M"):
        for options in [
                "--fresh --mix=40:40:20 --depth=32 --requests=20000",
                "--prefill --mix=50:40:10 --connections=3 --depth=16 "
                "--block-bytes=12K --requests=5000",
                "--prefill --mix=50:50:0 --sequential --block-bytes=1M "
                "--depth=7 --requests=200",
                "--prefill --trim-share=37 --mix=100:0:0 --depth=32 "
                "--requests=40000"]:
            load(0, '"enospc":0', "--verify " + options)
        said = parse(load(0, "", "--requests=3000"))
        # At depth 1 latencies fill the time.
        share = said.latency.mean_us * said.requests / 1e6 / said.seconds
        assert said.requests == 3000 and 0.5 < share <= 1, said
        for wrong in "--mix=50:40:5", "--seconds=0", "--trim-share=101", "x":
            load(2, "nbdload", wrong)


def test_a_bad_server_is_found_out():
    reads = "--verify --mix=100:0:0 --requests=2000"
    mixed = "--prefill --verify --mix=50:50:0 --requests=2000"
    bad = ["--filter=error", "memory", "64M"]
    with nbdkit("memory", "64M") as server:
        load(0, "", "--prefill --requests=0")
        load(1, "returned wrong bytes", "--fresh " + reads)
        server.send_signal(signal.SIGSTOP)
        load(1, "timed out", "--timeout=1 --requests=10")
    with nbdkit("null", "64M"):
        load(1, "returned wrong bytes", "--prefill " + reads)
    with nbdkit(*bad, "error-pwrite=ENOSPC", "error-pwrite-rate=10%"):
        load(1, "lack of space", mixed)
        load(0, '"enospc":', "--allow-enospc " + mixed)
    with nbdkit(*bad, "error-pread=EIO", "error-pread-rate=10%"):
        load(1, "first with NBD error 5", mixed)


# --- the other programs -------------------------------------------------------

def test_programs_count_right():
    """Three kinds of pages, of which sizes are known without counting."""
    for name, data in [("zeros", bytes(65536)), ("noise", os.urandom(65536)),
                       ("lines", b"a line that repeats\n" * 3277)]:
        with open(name, "wb") as file:
            file.write(data[:65536])
    says(0, "", "pagegen", "--size=8M", "made.pages")
    codec = ["codeccost", "--size=1M", "--seconds=0.01"]
    zeros, noise, lines = (printed(*codec, "--pages=" + name)
                           for name in ("zeros", "noise", "lines"))
    assert (zeros.same_filled, zeros.stored_bytes) == (256, 0), zeros
    assert (noise.raw, noise.stored_bytes) == (256, 1 << 20), noise
    assert (lines.raw, lines.same_filled) == (0, 0) and lines.ratio > 30, lines
    ratios = [printed(*codec, *more).ratio for more in (
        [], ["-azstd"], ["-azstd", "--train=made.pages"])]
    assert ratios == sorted(ratios), ratios
    methods = {m.name: m for m in printed(
        "plzcost", "--pages=made.pages", "--timed=50", "--rounds=1").methods}
    names = "lz4", "zstd:3", "plz", "plz-optimal"
    densities = [methods[name].density for name in names]
    assert densities == sorted(densities), methods
    assert all(m.store_us > 0 and 0 < m.read_us < m.slowest_read_us
               for m in methods.values()), methods
    lines, noise = (printed("compactcost", "--rounds=2", "--size=4M",
                            "--pages=" + name) for name in ("lines", "noise"))
    assert lines.objects_moved > 100 and lines.pages_freed > 0, lines
    assert noise.objects_moved == 0, noise
    # A page that replaces another takes its class's lock and the other's.
    scale = printed("storescale", "--size=4M", "--seconds=0.2", "--locks")
    taken = sum(k.taken for k in scale.locks if k.lock == "class")
    assert 1.5 < taken / scale.writes < 2.5, scale
    assert not any(k.busy for k in scale.locks), scale
    # Reads, told of in each way, take no lock of a class.
    for ahead in 0, 1, 3:
        scale = printed("storescale", "--size=4M", "--seconds=0.1", "--locks",
                        "--reads", f"--ahead={ahead}")
        assert scale.reads > 0, scale
        assert not any(k.lock == "class" for k in scale.locks), scale
    says(2, "storescale", "storescale", "--ahead=4")
    for program in "codeccost", "compactcost", "storescale", "pagegen":
        says(2, program, program, "--size=5000")


def test_pagegrab_takes_what_is_anonymous():
    child = subprocess.Popen([sys.executable, "-c", """
import mmap, time
for flags, text in (mmap.MAP_PRIVATE, b"mine"), (mmap.MAP_SHARED, b"shared"):
    memory = mmap.mmap(-1, 4096, flags=flags | mmap.MAP_ANONYMOUS)
    memory.write(text)
    globals()[text] = memory
print("ready", flush=True)
time.sleep(600)"""], stdout=subprocess.PIPE)
    child.stdout.readline()
    says(0, "anonymous pages", HERE + "/pagegrab", child.pid, "pages")
    child.kill()
    with open("pages", "rb") as file:
        pages = list(iter(lambda: file.read(4096), b""))
    whole = [text + bytes(4096 - len(text)) for text in (b"mine", b"shared")]
    assert [page in pages for page in whole] == [True, False]


# --- figures, tables, documents -----------------------------------------------

STARTS = [Run(part="startup", size="64G", ready_us=n * 1000,
              resident_bytes=2**20) for n in (1, 2, 3)]
LOADS = [Run(part="speed", client="nbdload", workload="write-d32", server=name,
             iops=iops, server_cpu_us=5, client_cpu_us=1, other_cpu_share=0.01,
             latency=Run(mean_us=9, p50_us=8, p99_us=9, p999_us=24,
                         p9999_us=25)) for name, iops in
         [("zsd-lz4", 3000), ("nbdkit-malloc", 2000), ("nbdkit-zstd", 2000)]]
ABOUT = Run(head=[], parts="", servers="zsd-lz4 nbdkit-malloc", quiet=0.1,
            client_core=0, server_core=1)


def test_figures_are_right():
    runs = Runs([Run(a=3), Run(a=1), Run(a=2)])
    assert runs.cell("a / 2", 1) == "1.0 (0.5..1.5)"
    assert runs.cell("b", 1) == "-" and Runs().median("a") is None
    # Without locks, cores add up; one core never waits for itself.
    assert rates(10, [], [1, 8]) == [0.1, 0.8] and rates(9, [1], [1]) == [0.1]
    # Two cores and one lock, by hand: the second finds the first in it with the
    # chance that one core is in it. Very many are held to what the busiest lets
    # through.
    assert abs(rates(9, [1], [2])[0] - 2 / (9 + 1 * (1 + 1 / 10))) < 1e-12
    assert abs(rates(9, [1, 0.1], [500])[0] - 1) < 1e-6
    runs = Runs(STARTS + LOADS)
    met = {what: value for _, what, _, _, _, _, value in targets(runs)}
    assert met["until ready, 64 GiB"] == 2, met
    text = "\n".join(all_tables(runs, ABOUT))
    for words in ["ready after 2.0 (1.0..3.0) ms", "x1.50", "no, by 88 %",
                  "zsd-lz4 / nbdkit-malloc"]:
        assert words in text, words + "\n" + text
    assert "== Density" not in text


def swap_run(device, phase, seconds):
    return Run(part="swap", device=device, phase=phase, round=1,
               load=Run(seconds=seconds, touches=4, faults=2, stall_us=9000,
                        fault_us=Run(p50=70, p99=300)),
               cpu_ms=100, zsd_cpu_ms=50, context_switches=10, reads=2,
               pages_in=2, writes=0, pages_out=0, available_kib=4096)


def test_targets_take_the_worst_phase_and_the_best_zsd():
    runs = Runs(swap_run(device, phase, seconds) for device, phase, seconds in [
        ("zram-lz4", "fill", 2), ("zsd-lz4-1", "fill", 3),
        ("zram-lz4", "hot", 2), ("zsd-lz4-1", "hot", 8),
        ("zsd-lz4-4", "hot", 6), ("zram-lz4", "random", 4),
        ("zsd-lz4-1", "random", 5)])
    runs += [Run(part="helping", algorithm="zstd:1", threads=threads,
                 socket=Run(iops=iops), store=Run(per_second=2 * iops * threads))
             for threads, iops in [(1, 10), (2, 17), (1, 20), (2, 30)]]
    said = {what: value for _, what, _, _, _, _, value in targets(runs)}
    assert said["lz4, filling: time over zram's"] == 1.5
    assert said["lz4, the slowest pass: time over zram's"] == 3
    assert said["lz4, the longest stall over zram's"] == 1
    assert said["zstd, the longest stall over zram's"] is None
    assert abs(said["one connection's writes, zstd:1, 2 threads over 1, client "
                    "beside"] - 1.6) < 1e-9
    assert abs(said["the same in the process, 32 at a time"] - 3.2) < 1e-9


def test_swap_is_set_beside_zram():
    lines = swap_table(Runs([swap_run("zram-lz4", "random", 2),
                             swap_run("zsd-lz4:1-4", "random", 5)]), ABOUT)
    assert lines[2].split() == (
        "random zsd-lz4:1-4 5.0 (5.0..5.0) x2.50 70 300 9 (9..9) 0.1 0.1 2.50 "
        "- 1.0 4").split(), lines


# One fault of a page that is brought in, and one of another that is not.
TRACE = """
TRACE 1.000100 bash-7 page_fault_user: address=0x1 ip=0x2 error_code=0x4
TRACE 1.000200 swapload-9 page_fault_user: address=0x1 ip=0x2 error_code=0x4
TRACE 1.000210 swapload-9 sched_waking: comm=zsd pid=11 prio=98 target_cpu=001
TRACE 1.000220 swapload-9 nbd_header_sent: nbd transport event
TRACE 1.000230 <idle>-0 sched_switch: prev_comm=swapper/1 ==> next_comm=zsd
TRACE 1.000240 zsd-11 sched_waking: comm=kworker/u5:0 pid=12 prio=100
TRACE 1.000250 <idle>-0 sched_switch: prev_pid=12 ==> next_comm=zsd next_pid=120
TRACE 1.000260 <idle>-0 sched_switch: prev_pid=0 ==> next_comm=kworker next_pid=12
TRACE 1.000270 kworker/u5:0-12 nbd_header_received: nbd transport event
TRACE 1.000290 kworker/u5:0-12 sched_waking: comm=swapload pid=9 prio=120
TRACE 1.000300 <idle>-0 sched_switch: prev_pid=0 ==> next_comm=swapload next_pid=9
TRACE 1.000400 swapload-9 page_fault_user: address=0x1 ip=0x2 error_code=0x4
TRACE 1.000450 <idle>-0 sched_switch: prev_pid=0 ==> next_comm=swapload next_pid=9
"""


def test_where_a_fault_spends_its_time_is_told():
    steps = [line.rsplit(None, 2) for line in path_table(TRACE.splitlines())]
    assert steps[0][0].split() == ["1", "faults", "us", "after"], steps
    assert [(mark.strip(), at, step) for mark, at, step in steps[1:]] == [
        ("zsd's worker is woken", "10", "10"), ("the request is sent", "20", "10"),
        ("the worker runs", "30", "10"),
        ("the kernel's receiver is woken", "40", "10"),
        ("the receiver runs", "60", "20"), ("it has the header", "70", "10"),
        ("the task is woken", "90", "20"), ("the task runs", "100", "10")], steps


def test_documents_are_filled_in():
    part = "<!-- bench: {} -->\n{}\n<!-- bench end -->\n"
    table = """```
disk of 64G: ready after 2.0 (1.0..3.0) ms, resident 1.0 (1.0..1.0) MiB; 3 starts
```"""
    with open("run.json", "w") as file:
        json.dump({"about": ABOUT, "runs": STARTS}, file)
    docs = [HERE + "/bench.py", "--docs=run.json", "--document=page.md"]
    for old, new, status in [
            (part.format("startup", "old") + part.format("cpu", "older"),
             part.format("startup", table) + part.format("cpu", "older"), 0),
            ("<!-- bench: startup -->\n", "<!-- bench: startup -->\n", 1)]:
        with open("page.md", "w") as file:
            file.write(old)
        says(status, "", *docs)
        says(status, "", *docs)
        with open("page.md") as file:
            assert file.read() == new
    assert os.listdir("page") == ["results.json"]


def test_bench_measures_what_it_is_told_to():
    says(0, "disk of 64G: ready after", HERE + "/bench.py", "--build=" + BUILD,
         "--quick", "--seconds=0.1", "--parts=startup cpu", "--rounds=1",
         "--pages=made.pages")
    says(2, "no such part", HERE + "/bench.py", "--build=x", "--parts=speeed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                print(name, flush=True)
                test()
