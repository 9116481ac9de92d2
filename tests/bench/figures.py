# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of many runs.

A run is what was measured once: an object of JSON, whose "part" says what of.
A figure is an expression over runs, "write.server_cpu_us / 2": its median over
all rounds, the lowest and the highest.
"""
import json
import statistics


class Run(dict):
    """Its keys are attributes; what is not there is None."""
    __getattr__ = dict.get
    __setattr__ = dict.__setitem__


def number(value, digits, factor=1):
    return "-" if value is None else f"{value * factor:.{digits}f}"


class Runs(list):
    def where(self, **wanted):
        return Runs(r for r in self
                    if all(r.get(k) == v for k, v in wanted.items()))

    def by(self, key):
        """Pairs of a value and its runs, as they come."""
        return [(value, self.where(**{key: value}))
                for value in dict.fromkeys(r[key] for r in self)]

    def values(self, what):
        """None at all where one of them could not be measured."""
        try:
            values = [eval(what, {}, run) for run in self]
        except (AttributeError, NameError, TypeError, ZeroDivisionError):
            return []
        return [] if None in values else values

    def median(self, what):
        values = self.values(what)
        return statistics.median(values) if values else None

    def cell(self, what, digits, factor=1):
        values = self.values(what)
        return "-" if not values else "{} ({}..{})".format(*(
            number(f(values), digits, factor)
            for f in (statistics.median, min, max)))

    def number(self, what, digits):
        """A median that varies little, or that nobody asks more of."""
        return number(self.median(what), digits)

    def load(self, client, workload, server):
        return self.where(part="speed", client=client, workload=workload,
                          server=server)

    def ratio(self, of, to, client, workload, what="iops"):
        """Of medians; None where one of them is not there."""
        a = self.load(client, workload, of).median(what)
        b = self.load(client, workload, to).median(what)
        return a and b and a / b


def parse(text):
    return json.loads(text, object_hook=Run)


# --- memory -------------------------------------------------------------------

def per_byte(sizes, metadata=True):
    """What is used for each compressed byte."""
    return sizes.compr_data_size and (
        sizes.mem_used_total + metadata * sizes.metadata_bytes
    ) / sizes.compr_data_size


def grown_per_byte(sizes, new):
    """The same by growth of the process; what is kept ready aside."""
    return sizes.compr_data_size and sizes.resident and (
        sizes.resident - new.resident - sizes.reserve_bytes + new.reserve_bytes
    ) / sizes.compr_data_size or None


# --- many cores ---------------------------------------------------------------

def rates(alone_us, stations, wanted):
    """Writes a microsecond, by cores: a model on paper.

    Each core writes one page after another. A write is time on its own (codec,
    copies), and visits to locks, stations that serve one core at a time: exact
    mean value analysis of a closed network of queues (Reiser and Lavenberg,
    1980), one customer a core. @stations: microseconds of each lock, per write.
    Not in it: cache lines that travel between cores, memory bandwidth.
    """
    queues, found = [0.0] * len(stations), {}
    for cores in range(1, max(wanted) + 1):
        stays = [us * (1 + queue) for us, queue in zip(stations, queues)]
        found[cores] = cores / (alone_us + sum(stays))
        queues = [stay * found[cores] for stay in stays]
    return [found[cores] for cores in wanted]


def stations(runs):
    """Microseconds of a write on its own, and in each lock, by its name.

    From runs with one thread; of them the one whose locks were held the least,
    since whatever preempts a thread makes that longer, never shorter.
    """
    watched = min((r.watched for r in runs),
                  key=lambda w: sum(k.hold_ns for k in w.locks))
    locks = {k.lock + f" {k['class']}" * (k.lock == "class"):
             k.hold_ns / 1000 / watched.writes for k in watched.locks}
    return max(0, runs.median("store.cpu_us") - sum(locks.values())), locks


def thread_pairs(runs):
    """Of one thread and two, round by round."""
    return Runs(Run(one=a, two=b) for a, b in zip(
        runs.where(threads=1), runs.where(threads=2)))


# --- swapping -----------------------------------------------------------------

def beside(swaps, algorithm, what, is_fill):
    """A figure of zsd over zram's, of the phase where that is largest: of the
    first one, or of the others, or, for None, of all."""
    ratios = []
    for phase, of in swaps.by("phase"):
        zram = of.where(device=f"zram-{algorithm}").median(what)
        zsd = [of.where(device=device).median(what) for device, _ in
               of.by("device") if device.startswith(f"zsd-{algorithm}")]
        if zram and zsd and is_fill in (None, phase == "fill"):
            ratios.append(min(zsd) / zram)
    return max(ratios, default=None)


# --- targets ------------------------------------------------------------------

def targets(runs):
    """What zsd is meant to reach, and what runs say of it: told, not asserted.

    Rows of topic, what, sense, asked, unit, digits, measured.
    """
    own = runs.where(server="zsd-lz4")
    cpu, scaling = own.where(part="cpu"), runs.where(part="scaling")
    full = own.where(part="density", pages="all")
    trimmed = own.where(part="trim", percent=90)
    words, start = runs.where(part="dictionary"), runs.where(size="64G")
    two = thread_pairs(scaling)
    helped = thread_pairs(runs.where(part="helping", algorithm="zstd:1"))
    yield ("cpu", "4 KiB write, lz4, depth 32: CPU beyond the codec's",
           "at most", 1.5, "us", 2,
           cpu.median("write.server_cpu_us - codec.compress_us"))
    yield ("cpu", "4 KiB read, lz4, depth 32: CPU beyond the codec's",
           "at most", 0.7, "us", 2,
           cpu.median("read.server_cpu_us - codec.decompress_us"))
    for client, pages in [("fio", "fio, its pages"),
                          ("nbdload", "nbdload, real pages")]:
        for what, to, asked, digits in [("write", "malloc", 1.3, 2),
                                        ("write", "zstd", 12, 1),
                                        ("read", "malloc", 1.6, 2)]:
            yield ("speed", f"{what}s a second, depth 32, over nbdkit {to}'s "
                   f"({pages})", "at least", asked, "x", digits,
                   runs.ratio("zsd-lz4", f"nbdkit-{to}", client,
                              f"{what}-d32"))
    for topic, what, asked, of in [
            ("speed", "one connection's writes, zstd:1, 2 threads over 1, client "
             "beside", 1.6, "socket.iops"),
            ("scaling", "the same in the process, 32 at a time", 1.9,
             "store.per_second")]:
        yield (topic, what, "at least", asked, "x", 2,
               helped.median(f"two.{of} / one.{of}"))
    yield ("latency", "read at depth 1: mean over nbdkit malloc's", "at most",
           1.25, "x", 2, runs.ratio("zsd-lz4", "nbdkit-malloc", "nbdload",
                                 "read-d1", "latency.mean_us"))
    yield ("latency", "read at depth 1, --poll: nbdkit malloc's mean over it",
           "at least", 1, "x", 2,
           runs.ratio("nbdkit-malloc", "zsd-lz4-poll", "nbdload", "read-d1",
                      "latency.mean_us"))
    tail = "latency.p999_us / latency.p50_us"
    yield ("latency", "writes at depth 32: p99.9 over the median", "at most",
           4, "x", 2, runs.load("nbdload", "write-d32", "zsd-lz4").median(tail))
    yield ("latency", "the same with compaction running", "at most", 4, "x", 2,
           runs.where(part="delay", shape="d32").median(
               "beside.latency.p999_us / beside.latency.p50_us"))
    for algorithm in "lz4", "zstd":
        for what, asked, figure, is_fill in [
                ("filling: time over zram's", 1, "load.seconds", True),
                ("the slowest pass: time over zram's", 2.5, "load.seconds",
                 False),
                ("the longest stall over zram's", 3, "load.stall_us", None)]:
            yield ("swap", f"{algorithm}, {what}", "at most", asked, "x", 2,
                   beside(runs.where(part="swap"), algorithm, figure, is_fill))
    for topic, what, asked, measured in [
            ("density", "pool and metadata over compressed bytes", 1.03,
             [per_byte(r.sizes[1]) for r in full]),
            ("density", "the same by growth of the process, reserve aside",
             1.03, [grown_per_byte(r.sizes[1], r.sizes[0]) for r in full]),
            ("density", "the same, 90 % trimmed, compacted, with metadata",
             1.08, [per_byte(r.sizes[3]) for r in trimmed]),
            ("density", "the pool alone, 90 % trimmed, compacted", 1.08,
             [per_byte(r.sizes[3], metadata=False) for r in trimmed])]:
        yield topic, what, "at most", asked, "", 3, (measured or [None])[0]
    yield ("compaction", "objects moved a second, one thread", "at least",
           1000000, "", 0, runs.where(part="compaction").median(
               "store.objects_per_second"))
    yield ("compaction", "p99.9 of requests beside it, later by", "at most",
           1, "ms", 3, runs.where(part="delay", shape="d1").median(
               "(beside.latency.p999_us - alone.latency.p999_us) / 1000"))
    yield ("scaling", "writes, 2 threads over 1, in the process", "at least",
           1.6, "x", 2, two.median(
               "two.store.per_second / one.store.per_second"))
    yield ("scaling", "the same over sockets, by CPU time", "at least", 1.6,
           "x", 2, two.median(
               "2 * one.socket.server_cpu_us / two.socket.server_cpu_us"))
    yield ("dictionary", "zstd:1, time to compress with one over without",
           "at most", 0.75, "x", 2, words.median(
               "trained.compress_us / plain.compress_us"))
    yield ("dictionary", "its ratio over that without", "at least", 1, "x", 3,
           words.median("trained.ratio / plain.ratio"))
    yield ("start-up", "until ready, 64 GiB", "at most", 50, "ms", 1,
           start.median("ready_us / 1000"))
    yield ("start-up", "resident before the first write, 64 GiB", "at most",
           200, "MiB", 1, start.median("resident_bytes / 2**20"))
