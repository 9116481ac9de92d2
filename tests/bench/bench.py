#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench - zsd next to what one would use instead, and next to its targets.

Nothing is asserted: a slow run is not an error. docs/benchmarks.md tells the
method, and shows results.
"""
import argparse
import glob
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import docs
from figures import Run, Runs, parse
from servers import Server, Zram, die, run, spent
from swapbench import swap_runs
from tables import all_tables

TOP = os.path.abspath(__file__ + "/../../..")

# What a run of everything does; and what is left of it within two minutes: what
# the targets are about, and one of each kind.
FULL = Run(
    parts="cpu profile nbdload connections fio density compaction scaling "
          "helping curve dictionary rest startup adoption swap",
    rounds=5,
    wide_rounds=2,  # of loads that no target is about
    compactions=3,  # timed
    startups=10,
    seconds=1,  # of each measurement
    tries=4,  # to find the machine quiet, each time
    repeats=6,  # of disturbed ones in a round, so that the whole has an end
    quiet=0.1,  # cores that others may take
    disk_bytes=256 << 20,
    large_bytes=256 << 20,  # of pages whose density is measured
    compaction_bytes=1 << 30,  # of a disk that is compacted for speed
    adoption_bytes=4 << 30,  # of a disk that is adopted
    weigh_each=True,  # page file, and not only all of them together
    servers="zsd-lz4 zsd-lz4-poll zsd-zstd:-1 zsd-zstd:1 zsd-zstd:3 "
            "nbdkit-malloc nbdkit-sparse nbdkit-zstd qemu-nbd zram",
    cpu_servers="zsd-lz4 zsd-zstd:1",
    helping_servers="zsd-lz4@1 zsd-lz4@2 zsd-zstd:1@1 zsd-zstd:1@2",
    curve="lz4 zstd:-7 zstd:-5 zstd:-3 zstd:-1 zstd:1 zstd:2 zstd:3 zstd:5 "
          "zstd:7 zstd:9 zstd:12 plz:1 plz:2",
    rest_mixes="clang+node+python gcc+pandas+sqlite",  # together, too
    rest_seconds=4,  # beside recompression
    swap_on="zram-lz4 zsd-lz4-1 zram-zstd zsd-zstd:1-1",
    swap_rounds=2,
    trim_servers=["zsd-lz4", "zsd-zstd:1", "zram"],
    trim_percents=[50, 75, 90],
    fio_loads="write-d1 write-d32 read-d1 read-d32")
QUICK = Run(
    FULL, parts=FULL.parts.replace("profile ", "").replace(" swap", ""),
    helping_servers="zsd-zstd:1@1 zsd-zstd:1@2",
    curve="lz4 zstd:-1 zstd:1 zstd:3 plz:1", rounds=2, wide_rounds=0,
    compactions=2, startups=5, seconds=0.5, tries=1, disk_bytes=128 << 20,
    rest_mixes="", rest_seconds=1,
    compaction_bytes=256 << 20, adoption_bytes=1 << 30, weigh_each=False, cpu_servers="zsd-lz4",
    servers="zsd-lz4 zsd-lz4-poll nbdkit-malloc nbdkit-zstd zram",
    trim_servers=["zsd-lz4", "zram"], trim_percents=[90],
    fio_loads="write-d32 read-d32")

# Shapes: dN is 4 KiB at random places, N under way; cN the same over N
# connections, 32 under way on each; sSIZE is SIZE in order, 4 under way.
NBDLOAD_LOADS = "write-d1 write-d32 read-d1 read-d32"
WIDE_LOADS = {
    "nbdload": "write-d128 read-d128 write-s128K read-s128K write-s1M read-s1M",
    "connections": "write-c1 write-c2 write-c4 write-c8 "
                   "read-c1 read-c2 read-c4 read-c8",
    "fio": ""}

# fio's own pages: 40 % random bytes, 60 % zeros.
FIO_BUFFERS = ["--buffer_compress_percentage=60", "--buffer_compress_chunk=4k",
               "--refill_buffers"]


class Bench(Run):
    """What is to be done, and what was measured so far."""

    def progress(self, what):
        elapsed_s = time.monotonic() - self.start_s
        print(f"bench: {elapsed_s:.0f} s: {what}", file=sys.stderr)

    def rounds_of(self, what, nr):
        for round_ in range(1, nr + 1):
            self.progress(f"{what}, round {round_} of {nr}")
            yield round_

    def note(self, part, **what):
        self.runs.append(Run(part=part, **what))

    def start(self, setup, names, size=None):
        for name in names.split():
            self.running.append((Zram if name == "zram" else Server)(
                self, name, setup, size or self.disk_bytes))
        return self.running

    def stop(self):
        while self.running:
            self.running.pop().stop()

    def program(self, name, *options, pinned=True):
        """What a measuring program says, run on the server's core."""
        core = ["taskset", "-c", self.server_core] * pinned
        return parse(run(*core, f"{self.build}/tests/bench/{name}", *options))


# --- clients: fill a server, put a load on it once ----------------------------

def fill_nbdload(b, server):
    """Also compares what is read with what was written, so that no figure comes
    from a server that loses data."""
    server.load(*b.pages, "--prefill", "--verify", "--block-bytes=64K",
                "--depth=8", "--mix=70:30:0", "--requests=4000")


def run_nbdload(b, server, workload, seed, pinned=True):
    operation, shape = workload.split("-")
    kind, nr = shape[0], shape[1:]
    return server.load(
        *{"d": [f"--depth={nr}"], "c": ["--depth=32", f"--connections={nr}"],
          "s": ["--sequential", "--depth=4", f"--block-bytes={nr}"]}[kind],
        "--mix=100:0:0" if operation == "read" else "--mix=0:100:0",
        *b.pages, f"--seconds={b.seconds}", f"--seed={seed}", pinned=pinned)


def run_connections(*load):
    return run_nbdload(*load, pinned=False)


def fio(server, *options):
    output, own_s, other = spent(
        server.pid, "fio", "--name=bench", *server.fio_target, *FIO_BUFFERS,
        "--output-format=json", *options)
    report = output[output.index("{"):]  # behind what its engine says
    return parse(report).jobs[0], own_s, other


def fill_fio(_, server):
    fio(server, "--rw=write", "--bs=64k", "--iodepth=4")


def run_fio(b, server, workload, seed):
    """The client's own time is what fio says, the kernel's zram's part of it."""
    operation, shape = workload.split("-")
    job, own_s, other = fio(
        server, f"--rw=rand{operation}", "--bs=4k", f"--iodepth={shape[1:]}",
        "--norandommap", f"--randseed={seed}", "--time_based",
        f"--runtime={b.seconds * 1000:.0f}ms", "--lat_percentiles=1",
        "--clat_percentiles=0", "--percentile_list=50:99:99.9:99.99")
    io = job[operation]
    ns = [io.lat_ns.mean, *(v for _, v in sorted(io.lat_ns.percentile.items()))]
    names = "mean_us", "p50_us", "p99_us", "p999_us", "p9999_us"
    return Run(
        iops=io.iops, other_cpu_share=other,
        server_cpu_us=own_s * 1e6 / io.total_ios if server.pid else None,
        client_cpu_us=(job.usr_cpu + job.sys_cpu) / 100 * io.runtime * 1000 /
        io.total_ios,
        latency=Run(zip(names, (n / 1000 for n in ns))))


CLIENTS = {
    "nbdload": ("pinned", fill_nbdload, run_nbdload),
    "connections": ("default", fill_nbdload, run_connections),
    "fio": ("default", fill_fio, run_fio),
}


# --- speed: the parts nbdload, connections, fio -------------------------------

def takes_part(client, shape, name):
    """Whether a server is worth measuring with a client, in a shape or any."""
    if "-poll" in name:  # saves latency, not work
        return client == "nbdload" and shape in ("any", "d1")
    if client != "fio":
        return name != "zram"  # no NBD
    return name not in ("zsd-zstd:-1", "zsd-zstd:3", "nbdkit-sparse")


def measure(b, client, server, workload, seed):
    """Until others leave the machine alone, b.tries times at most, or until the
    round is out of repeats; the quietest is kept."""
    tries = []
    while not tries or (tries[-1].other_cpu_share >= b.quiet and
                        len(tries) < b.tries and b.repeats_left > 0):
        b.repeats_left -= bool(tries)
        tries.append(CLIENTS[client][2](b, server, workload, seed))
    b.note("speed", client=client, server=server.name, workload=workload,
           **min(tries, key=lambda t: t.other_cpu_share))


def part_speed(b, client):
    """All servers run from start to end, their disks full, and are idle while
    another is measured. Every round runs every load on every server in turn, so
    that a change of the machine's mood hits all alike."""
    loads = {"nbdload": NBDLOAD_LOADS, "fio": b.fio_loads}.get(client, "")
    rounds = b.rounds if loads else b.wide_rounds
    setup, fill, _ = CLIENTS[client]
    names = [n for n in b.servers.split() if takes_part(client, "any", n)]
    for server in b.start(setup, " ".join(names) if rounds else ""):
        fill(b, server)
    for round_ in b.rounds_of(client, rounds):
        b.repeats_left = b.repeats
        wide = WIDE_LOADS[client] if round_ <= b.wide_rounds else ""
        for workload in f"{loads} {wide}".split():
            for server in b.running:
                if takes_part(client, workload.split("-")[1], server.name):
                    measure(b, client, server, workload, round_)


# --- the other parts ----------------------------------------------------------

def part_cpu(b):
    """The codec alone on the server's core, then requests on a full disk of the
    same pages: the difference is system calls, copies, allocator."""
    for server in b.start("pinned", b.cpu_servers):
        fill_nbdload(b, server)
    for round_ in b.rounds_of("cpu", b.rounds):
        for server in b.running:
            b.note("cpu", server=server.name, codec=b.program(
                "codeccost", *b.pages, f"--size={b.disk_bytes}",
                f"--algorithm={server.name[4:]}", f"--seed={round_}",
                f"--seconds={b.seconds}"),
                write=run_nbdload(b, server, "write-d32", round_),
                read=run_nbdload(b, server, "read-d32", round_))


def sizes_of_new(b, name):
    """What it takes with an empty disk of 1 MiB."""
    sizes = b.start("pinned", name, 1 << 20)[0].sizes()
    b.stop()
    return sizes


def weigh(b, name, label, size, pages, percent=0):
    """A new server that is filled once. Then so many pages are trimmed; or, of
    a zsd, random pages go to random places, two for each page of the disk."""
    sizes = [sizes_of_new(b, name)]
    server, = b.start("pinned", name, size)
    server.store(pages)
    sizes.append(server.sizes())
    compaction = None
    if percent:
        server.trim(percent)
    elif name.startswith("zsd"):
        server.load(*pages, "--mix=0:100:0", "--depth=32",
                    f"--requests={2 * size // 4096}")
    if percent or name.startswith("zsd"):
        sizes.append(server.sizes())
        compaction = server.compact()
        sizes.append(server.sizes())
    b.stop()
    b.note("trim" if percent else "density", server=name, pages=label,
           bytes=size, percent=percent, sizes=sizes, compaction=compaction)


def part_density(b):
    b.progress("density")
    for name in b.servers.split():
        if "-poll" in name:
            continue
        for page in b.pages * b.weigh_each:
            path = page.removeprefix("--pages=")
            weigh(b, name, os.path.basename(path).removesuffix(".pages"),
                  os.path.getsize(path), [page])
        weigh(b, name, "all", b.large_bytes, b.pages)
        for percent in b.trim_percents * (name in b.trim_servers):
            weigh(b, name, "all", b.large_bytes, b.pages, percent)


def part_compaction(b):
    """Its speed by itself, and in a server half of whose pages were trimmed;
    then what requests notice that make holes all the while."""
    server, = b.start("single", "zsd-lz4", b.compaction_bytes)
    for round_ in b.rounds_of("compaction", b.compactions):
        store = b.program("compactcost", *b.pages, f"--size={b.large_bytes}",
                          "--rounds=3", f"--seed={round_}")
        server.store(b.pages)
        server.trim(50, round_)
        b.note("compaction", store=store, **server.compact())
    b.stop()
    server, = b.start("single", "zsd-lz4", b.large_bytes)
    fill_nbdload(b, server)
    for round_ in b.rounds_of("delay by compaction", b.rounds):
        delay(b, server, "d1", round_, "--depth=1", "--mix=34:33:33")
        delay(b, server, "d32", round_, "--depth=32", "--mix=0:100:0")


def delay(b, server, shape, seed, *load):
    """A load by itself, and with `zsctl compact` over and over."""
    load = [*b.pages, *load, f"--seconds={b.seconds}", f"--seed={seed}"]
    alone, compactions = server.load(*load, pinned=False), []
    beside = subprocess.Popen(server.nbdload(*load), text=True,
                              stdout=subprocess.PIPE)
    while beside.poll() is None:
        compactions.append(server.compact())
    b.note("delay", shape=shape, alone=alone,
           beside=parse(beside.stdout.read()), compactions=len(compactions),
           objects_moved=sum(c.objects_moved for c in compactions))


def part_scaling(b):
    """Threads that write to a store and do nothing else, by elapsed time; the
    same while the locks are watched; zsd with as many threads and connections,
    by processor time, since the client needs a core."""
    for server in b.start("default", "zsd-lz4@1 zsd-lz4@2"):
        fill_nbdload(b, server)
    for round_ in b.rounds_of("scaling", b.rounds):
        for threads, server in enumerate(b.running, 1):
            store, watched = (b.program(
                "storescale", *b.pages, f"--size={b.disk_bytes}",
                f"--seconds={b.seconds}", f"--threads={threads}", *locks,
                pinned=False) for locks in ([], ["--locks"]))
            b.note("scaling", threads=threads, store=store, watched=watched,
                   socket=run_connections(b, server, f"write-c{threads}",
                                          round_))


def part_helping(b):
    """One connection, and workers that help the one which has it: writes over a
    socket, with the client on the same cores; and in the process, as many at a
    time as a client has under way."""
    for server in b.start("default", b.helping_servers):
        fill_nbdload(b, server)
    for round_ in b.rounds_of("helping", b.rounds):
        for server in b.running:
            algorithm, threads = server.name[4:].split("@")
            b.note("helping", algorithm=algorithm, threads=int(threads),
                   store=b.program(
                       "storescale", *b.pages, f"--size={b.disk_bytes}",
                       f"--seconds={b.seconds}", f"--threads={threads}",
                       f"--algorithm={algorithm}", "--crew=32", pinned=False),
                   socket=run_connections(b, server, "write-c1", round_))


def part_swap(b):
    """A kernel that swaps, in an emulated machine: swapbench.py by itself has
    more to choose from."""
    b.progress("swap")
    run(TOP + "/tests/vm/guest-build", b.build, b.work + "/guest")
    for swap_run in swap_runs(b.work + "/guest", b.swap_on, b.swap_rounds,
                              say=b.progress):
        del swap_run["trace"]
        b.runs.append(swap_run)


def part_profile(b):
    """Where zsd's time goes, by perf where there is one."""
    b.progress("no profile: " + b.no_perf if b.no_perf else "profile")
    if b.no_perf:
        return
    server, data = b.start("pinned", "zsd-lz4")[0], b.work + "/perf"
    fill_nbdload(b, server)
    for workload in "write-d32", "read-d32", "read-d1":
        perf = subprocess.Popen(
            ["perf", "record", "-q", "-o", data, "-e", "cpu-clock", "-F",
             "4000", "-p", str(server.pid), "sleep", str(b.seconds)])
        run_nbdload(b, server, workload, 1)
        perf.wait()
        report = run("perf", "report", "-q", "-i", data, "--stdio",
                     "--no-children", "-F", "overhead,dso,sym", "-t", ";",
                     stderr=subprocess.DEVNULL)
        rows = [line.split(";") for line in report.splitlines() if ";" in line]
        b.note("profile", workload=workload, rows=[
            Run(share=float(share.strip(" %")), object=object_.strip(),
                symbol=symbol.strip()[4:])
            for share, object_, symbol in rows[:12]])


def why_no_perf():
    if not shutil.which("perf"):
        return "perf is not on this machine (apt-get install linux-perf)"
    return "perf record is not allowed here" * bool(subprocess.run(
        ["perf", "record", "-q", "-o", "/dev/null", "-e", "cpu-clock", "true"],
        stderr=subprocess.DEVNULL).returncode)


def halves(b):
    """Of each page file, runs of 64 neighbouring pages go in turn to a file to
    train on and to one to measure with, which was never seen by what was
    trained. Return: both."""
    seen, unseen = b.work + "/seen", b.work + "/unseen"
    with open(seen, "wb") as train, open(unseen, "wb") as test:
        for page in b.pages:
            with open(page.removeprefix("--pages="), "rb") as file:
                while pages := file.read(64 * 4096):
                    test.write(pages)
                    train.write(file.read(64 * 4096))
    return seen, unseen


def part_curve(b):
    """What each method makes of pages, and how long it takes. plz has a model of
    other pages of the same programs, as it has after `zsctl train`."""
    seen, unseen = halves(b)
    for round_ in b.rounds_of("curve", b.rounds):
        for algorithm in b.curve.split():
            train = [f"--train={seen}"] * algorithm.startswith("plz")
            b.note("curve", method=algorithm, codec=b.program(
                "codeccost", f"--pages={unseen}", f"--size={b.disk_bytes}",
                f"--seconds={b.seconds}", f"--seed={round_}",
                f"--algorithm={algorithm}", *train))


def part_dictionary(b):
    """zstd:1 with a dictionary and without."""
    seen, unseen = halves(b)
    for round_ in b.rounds_of("dictionary", b.rounds):
        plain, trained = (b.program(
            "codeccost", f"--pages={unseen}", f"--size={b.disk_bytes}",
            f"--seconds={b.seconds}", f"--seed={round_}",
            "--algorithm=zstd:1", *train)
            for train in ([], [f"--train={seen}"]))
        b.note("dictionary", plain=plain, trained=trained)


def rest_sets(b):
    """Page files, one by one and together: a label, and options."""
    names = {os.path.basename(p).split("=")[-1].removesuffix(".pages"): p
             for p in b.pages}
    for name in names if b.weigh_each else []:
        yield name, [names[name]]
    for mix in b.rest_mixes.split():
        if set(mix.split("+")) <= set(names):
            yield mix, [names[name] for name in mix.split("+")]
    if len(names) > 1 or not b.weigh_each:
        yield "all", b.pages


def part_rest(b):
    """How dense a whole store becomes when its pages have rested, and what
    clients notice while that goes on."""
    b.progress("rest: density")
    for label, pages in rest_sets(b):
        for method, options in {
                "lz4": ["--algorithm=lz4"], "zstd:1": ["--algorithm=zstd:1"],
                "zstd:3": ["--algorithm=zstd:3"],
                "zstd:1, then plz of zsd": ["--algorithm=zstd:1",
                                            "--recompress=plz", "--factory"],
                "zstd:1, then plz of its own": ["--algorithm=zstd:1",
                                                "--recompress=plz"],
                "zstd:1, then plz:2 of its own": [
                    "--algorithm=zstd:1", "--recompress=plz:2"]}.items():
            if "plz:2" in method and "+" not in label:
                continue  # 2 ms a page
            b.note("rest", pages=label, method=method,
                   store=b.program("restcost", *pages, *options))
    b.progress("rest: times")
    b.note("rest-times", codecs=b.program("plzcost", *b.pages))
    server, = b.start("default", "zsd-zstd:1+plz", b.disk_bytes)
    for round_ in b.rounds_of("delay by recompression", b.rounds):
        for shape in "read-d1", "write-d1", "read-d32", "write-d32":
            delay_by_rest(b, server, shape, round_)


def delay_by_rest(b, server, shape, seed):
    """A load by itself, and while `zsctl recompress` goes through the disk."""
    mix = "100:0:0" if shape.startswith("read") else "0:100:0"
    load = [*b.pages, f"--mix={mix}", f"--depth={shape.split('-d')[1]}",
            f"--seconds={b.rest_seconds}", f"--seed={seed}"]
    server.store(b.pages)
    alone = server.load(*load, pinned=False)
    beside = subprocess.Popen(server.nbdload(*load), text=True,
                              stdout=subprocess.PIPE)
    by_hand = subprocess.Popen(server.zsctl_command("recompress"), text=True,
                               stdout=subprocess.PIPE)
    output = beside.communicate()[0]
    is_over = by_hand.poll() is not None
    done = parse(by_hand.communicate()[0]).result
    b.note("rest-delay", shape=shape, alone=alone, beside=parse(output),
           recompressed=done, is_over=is_over)


def part_startup(b):
    """From just before zsd is started until it says that it listens."""
    b.progress("startup")
    for size in ["64G", "1G"] * b.startups:
        start_ns = time.monotonic_ns()
        zsd = subprocess.Popen(
            [f"{b.build}/zsd", "-s", size, "-u", b.work + "/startup.sock"],
            stderr=subprocess.PIPE, text=True)
        if not any("ready" in line for line in iter(zsd.stderr.readline, "")):
            die("zsd did not get ready")
        ready_ns = time.monotonic_ns()
        with open(f"/proc/{zsd.pid}/statm") as statm:
            pages = int(statm.read().split()[1])
        zsd.terminate()
        zsd.communicate()
        b.note("startup", size=size, ready_us=(ready_ns - start_ns) / 1000,
               resident_bytes=pages * os.sysconf("SC_PAGE_SIZE"))


def part_adoption(b):
    """Going on with the image of a server that died; see docs/survival.md."""
    for _ in b.rounds_of("adoption", b.rounds):
        b.note("adoption", adopted=b.program(
            "adoptcost", *b.pages, f"--size={b.adoption_bytes}"))


PARTS = {
    "cpu": part_cpu, "profile": part_profile,
    **{client: lambda b, client=client: part_speed(b, client)
       for client in CLIENTS},
    "density": part_density, "compaction": part_compaction,
    "scaling": part_scaling, "helping": part_helping, "swap": part_swap,
    "curve": part_curve, "dictionary": part_dictionary,
    "rest": part_rest,
    "startup": part_startup, "adoption": part_adoption,
}


# --- go -----------------------------------------------------------------------

def choose_pages(build, given):
    """Those given, or recorded memory of programs where ../shared/corpus has it
    next to the source tree, or made-up pages."""
    packed = glob.glob(TOP + "/../shared/corpus/*.pages.zst") * (not given)
    for path in sorted(packed):
        given.append(f"{build}/tests/bench/{os.path.basename(path)[:-4]}")
        if not os.path.exists(given[-1]):
            run("zstd", "-qdf", path, "-o", given[-1])
    if not given:
        given.append(f"{build}/tests/bench/made-up.pages")
        run(f"{build}/tests/bench/pagegen", "--size=64M", given[-1])
    return [f"--pages={path}" for path in given]


def prepare(given):
    """Tools, servers, cores, pages."""
    for tool in "nbdkit", "qemu-nbd", "fio", "taskset", "zstd":
        if not shutil.which(tool):
            die(f"{tool} is missing; docs/benchmarks.md has its package")
    if "nbd" not in run("fio", "--enghelp").split():
        die("this fio was built without libnbd, it knows no --ioengine=nbd")
    b = Bench(QUICK if given.quick else FULL, runs=Runs(), running=[],
              start_s=time.monotonic(), build=given.build, build2=given.build2)
    b.update({k: v for k, v in vars(given).items() if v and k in FULL})
    b.wide_rounds = min(b.wide_rounds, b.rounds)
    b.no_zram = Zram.why_not() if "zram" in b.servers else ""
    twins = ["", "@base"] if b.build2 else [""]
    b.servers = " ".join(
        name + at for name in b.servers.split()
        for at in (twins if name.startswith("zsd") else [""])
        if name != "zram" or not b.no_zram)
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    b.update(client_core=cores[0], server_core=cores[min(1, len(cores) - 1)],
             pages=choose_pages(given.build, given.pages),
             no_perf=why_no_perf())
    return b


def about(b):
    """What the report begins with, and what else its tables need."""
    with open("/proc/cpuinfo") as cpuinfo:
        cpu = [line.split(":")[1].strip() for line in cpuinfo
               if line.startswith("model name")]
    git = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                         stdout=subprocess.PIPE, text=True)
    pages = " ".join(os.path.basename(page).removesuffix(".pages")
                     for page in b.pages)
    elapsed_s = time.monotonic() - b.start_s
    head = [
        f"zsd {git.stdout.strip() or 'released'}, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}",
        f"{(cpu or ['?'])[0]}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}",
        ", ".join(run(tool, "--version").splitlines()[0] for tool in
                  ("nbdkit", "qemu-nbd", "fio")),
        f"runs of {b.seconds} s; medians of {b.rounds} rounds "
        "(lowest..highest)",
        f"disk {b.disk_bytes >> 20} MiB; pages of {pages}; "
        f"{elapsed_s / 60:.1f} minutes in all",
        *[f"the kernel's zram: {b.no_zram}"] * bool(b.no_zram)]
    return Run({k: b[k] for k in ("parts", "servers", "quiet", "large_bytes",
                                  "no_perf", "client_core", "server_core")},
               head=head)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--build", help="where zsd and the measuring programs were built")
    add("--build2", help="another build of zsd, beside it as zsd-...@base")
    add("--quick", action="store_true", help="within two minutes")
    add("--rounds", type=int)
    add("--seconds", type=float, help="of each measurement")
    add("--parts", help="some of: speed (nbdload connections fio), "
        "or " + FULL.parts)
    add("--servers", help="some of: " + FULL.servers)
    add("--pages", action="append", default=[], help="a file of pages")
    add("--json", help="write the runs there, too")
    add("--docs", metavar="JSON", help="put such a file into --document")
    add("--document", default=TOP + "/docs/benchmarks.md")
    given = parser.parse_args()
    if not given.build and not given.docs:
        parser.error("--build or --docs is missing")
    if given.parts:
        given.parts = given.parts.replace("speed", " ".join(CLIENTS))
        if not PARTS.keys() >= set(given.parts.split()):
            parser.error(f"no such part: {given.parts}")
    return given


def main():
    given = arguments()
    if given.docs:
        return docs.fill_in(given.docs, given.document)
    b = prepare(given)
    with tempfile.TemporaryDirectory(prefix="bench-") as b.work:
        try:
            for part in b.parts.split():
                PARTS[part](b)
                b.stop()
        finally:
            b.stop()
    b.progress("done")
    results = Run(about=about(b), runs=b.runs)
    if given.json:
        with open(given.json, "w") as file:
            json.dump(results, file, separators=(",", ":"))
    print("\n".join(all_tables(results.runs, results.about)))


if __name__ == "__main__":
    main()
