# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs as tables for people. A table of what was not run is empty."""
from figures import Runs, grown_per_byte, number, per_byte, rates, stations, \
    targets, thread_pairs

SHAPES = {"d1": "4 KiB, depth 1", "d32": "4 KiB, depth 32",
          "d128": "4 KiB, depth 128", "s128K": "128 KiB in order",
          "s1M": "1 MiB in order"}


def table(head, rows, left=1):
    """Lines, the first @left columns to the left, the others to the right."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) if i < left else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))
                      ).rstrip() for row in rows] if rows[1:] else []


def title_of(workload):
    operation, shape = workload.split("-")
    return f"{operation} {SHAPES[shape]}"


# --- processor time, speed ----------------------------------------------------

def cpu_table(runs, about):
    return table(
        ["us of processor time", "", "codec alone", "server's request",
         "beyond the codec"],
        [[server, op, *(g.cell(what, 2) for what in (
            f"codec.{codec}", f"{op}.server_cpu_us",
            f"{op}.server_cpu_us - codec.{codec}"))]
         for server, g in runs.where(part="cpu").by("server")
         for op, codec in [("write", "compress_us"),
                           ("read", "decompress_us")]], left=2)


def profile_table(runs, about):
    lines = []
    for run in runs.where(part="profile"):
        lines += ["", title_of(run.workload), *(
            f"{r.share:7.2f}  {r.symbol:42}  {r.object}" for r in run.rows)]
    if lines:
        lines[:0] = ["% of zsd's processor time, lz4, real pages, one thread"]
    return lines or [about.no_perf] * ("profile" in about.parts)


def load_rows(runs):
    """Of a workload, a server each: microseconds have tenths below 1000."""
    for server, g in runs.by("server"):
        latencies = [g.median(f"latency.{name}_us") for name in
                     ("mean", "p50", "p99", "p999", "p9999")]
        yield [server, g.cell("iops", 0), g.cell("server_cpu_us", 2),
               g.number("client_cpu_us", 2),
               *(number(us, int(us < 1000)) for us in latencies)]


def ratio_rows(runs, client, servers):
    pairs = [("zsd-lz4", "nbdkit-malloc"), ("zsd-lz4", "nbdkit-zstd"),
             ("zsd-lz4", "zram"), ("zsd-lz4-poll", "nbdkit-malloc"),
             ("zsd-zstd:1", "nbdkit-zstd")]
    pairs += [(name.removesuffix("@base"), name) for name in servers
              if name.endswith("@base")]
    for of, to in pairs:
        for workload in "read-d1", "read-d32", "write-d1", "write-d32":
            ratios = [runs.ratio(of, to, client, workload, what) for what in
                      ("iops", "latency.mean_us", "server_cpu_us")]
            if ratios[0]:
                yield [f"{of} / {to}", workload,
                       *("x" * bool(r) + number(r, 2) for r in ratios)]


def sequential_table(runs):
    loads = ["write-s128K", "read-s128K", "write-s1M", "read-s1M"]
    return table(
        ["MiB/s, 4 under way", *map(title_of, loads)],
        [[server, *(g.where(workload=load).cell("iops * block_bytes / 2**20", 0)
                    for load in loads)]
         for server, g in runs.by("server") if g.where(workload=loads[0])])


def speed_table(client, title):
    def lines(runs, about):
        mine = runs.where(part="speed", client=client)
        head = ["requests/s", "server CPU us/request", "client's", "mean us",
                "p50", "p99", "p99.9", "p99.99"]
        parts = [table([title_of(load), *head],
                       load_rows(mine.where(workload=load)))
                 for load in (f"{op}-{shape}" for op in ("write", "read")
                              for shape in ("d1", "d32", "d128"))]
        ratios = table(["", "", "requests/s", "mean latency", "server CPU"],
                       ratio_rows(runs, client, about.servers.split()), left=2)
        parts += [sequential_table(mine), ratios and [
            "ratios of medians (requests/s: more is better; others: less is)",
            *ratios]]
        return mine and [
            title.format(**about),
            f"other processes took {mine.cell('other_cpu_share', 2)} cores "
            "meanwhile", *(line for part in parts if part
                           for line in ["", *part])]
    return lines


def connections_table(runs, about):
    mine = runs.where(part="speed", client="connections")
    text = ["nbdload: servers with their default threads, all on any core; "
            "depth 32 on each connection"] if mine else []
    for op in "write", "read":
        text += mine and ["", *table(
            [f"{op}s/s, connections", 1, 2, 4, 8],
            [[server, *(g.where(workload=f"{op}-c{n}").cell("iops", 0)
                        for n in (1, 2, 4, 8))]
             for server, g in mine.by("server")])]
    return text


# --- memory -------------------------------------------------------------------

# Of a run, and the sizes of a server that is new, full, overwritten, compacted.
DENSITIES = [
    ("written / (pool + metadata)", lambda r, new, full, *_:
     r.bytes / (per_byte(full) * full.compr_data_size)),
    ("(pool + metadata) / compressed", lambda r, new, full, *_:
     per_byte(full)),
    ("process's growth / compressed", lambda r, new, full, *_:
     grown_per_byte(full, new)),
    ("used / compressed, overwritten", lambda r, *sizes: per_byte(sizes[2])),
    ("used / compressed, compacted", lambda r, *sizes: per_byte(sizes[3])),
    ("written / process's growth", lambda r, new, full, *_:
     full.resident and r.bytes / (full.resident - new.resident)),
]


def density_table(runs, about):
    mine = runs.where(part="density")
    rows = []
    for server, g in mine.by("server"):
        for title, measure in DENSITIES:
            try:
                rows.append([server, title, *(
                    f"{measure(r, *r.sizes):.3f}" for r in g)])
            except (IndexError, TypeError):
                pass  # not told by this server
    text = table(["pages", "", *(
        f"{about.large_bytes >> 20} MiB" if name == "all" else name
        for name, _ in mine.by("pages"))], rows, left=2)
    for run in mine.where(server="zsd-lz4", pages="all"):
        reserve, metadata = (run.sizes[1][k] / 2**20 for k in
                             ("reserve_bytes", "metadata_bytes"))
        text.append(f"zsd-lz4's reserve, not counted in its growth: "
                    f"{reserve:.1f} MiB; metadata, counted: {metadata:.1f} MiB")
    return text


def trims_table(runs, about):
    rows = []
    for r in runs.where(part="trim"):
        new, full, trimmed, compacted = r.sizes
        rows.append([r.server, f"{r.percent} %", *(number(n, 3) for n in (
            per_byte(full), per_byte(trimmed), per_byte(compacted),
            per_byte(compacted, metadata=False),
            grown_per_byte(compacted, new))),
            number(r.compaction.duration_us, 1, 1e-3),
            number(r.compaction.objects_moved, 0)])
    return rows and [
        "bytes used for each compressed byte, metadata included; "
        f"{about.large_bytes >> 20} MiB of pages, a share of them trimmed at "
        "random", *table(["", "trimmed", "full", "trimmed", "compacted",
                          "pool alone", "process's growth", "compaction ms",
                          "objects moved"], rows)]


# --- compaction, scaling ------------------------------------------------------

def compaction_table(runs, about):
    moved, delays = runs.where(part="compaction"), runs.where(part="delay")
    text = moved and [
        f"moving alone: {moved.cell('store.objects_per_second', 0)} objects a "
        "second",
        "zsctl compact: " + moved.cell('objects_moved * 1e6 / duration_us', 0) +
        f" objects a second; {moved.cell('objects_moved', 0)} in "
        f"{moved.cell('duration_us', 1, 1e-3)} ms, and "
        f"{moved.cell('release_us', 1, 1e-3)} ms to hand memory back"]
    names = {"d1": "read, write, trim, depth 1", "d32": "write, depth 32"}
    text = text + delays and [*text, "", *table(
        ["us", "p50", "p99.9", "p50 beside", "p99.9 beside"],
        [[names[shape], *(g.cell(f"{side}.latency.{name}_us", 1)
                          for side in ("alone", "beside")
                          for name in ("p50", "p999"))]
         for shape, g in delays.by("shape")])]
    for shape, g in delays.by("shape"):
        alone, beside = (g.cell(f"{s}.latency.p999_us / {s}.latency.p50_us", 2)
                         for s in ("alone", "beside"))
        later = g.cell("beside.latency.p999_us - alone.latency.p999_us", 0)
        text.append(f"depth {shape[1:]}: p99.9 later by {later} us; p99.9 over "
                    f"the median: {alone} alone, {beside} beside "
                    f"{g.number('compactions', 0)} compactions of "
                    f"{g.number('objects_moved', 0)} objects in all")
    return text


def lock_rows(runs):
    """Of a kind, over all runs: per write, and each time it is taken."""
    writes = sum(r.watched.writes for r in runs)
    locks = Runs(k for r in runs for k in r.watched.locks)
    for name, g in sorted(locks.by("lock")):
        taken, busy, wait, hold = (sum(k[what] for k in g) for what in
                                   ("taken", "busy", "wait_ns", "hold_ns"))
        yield [name, f"{taken / writes:.4f}", f"{busy / taken * 100:.3f} %",
               f"{wait / writes:.1f}", f"{hold / taken:.0f}"]


def scaling_table(runs, about):
    mine = runs.where(part="scaling")
    one, two = mine.where(threads=1), mine.where(threads=2)
    pairs = thread_pairs(mine)
    rows = [[title, one.cell(what, digits), two.cell(what, digits),
             gain and "x" + pairs.cell(gain, 2)]
            for title, what, digits, gain in [
        ("in the process, writes/s", "store.per_second", 0,
         "two.store.per_second / one.store.per_second"),
        ("  CPU us/write", "store.cpu_us", 2, ""),
        ("  waits (switches)/1000",
         "store.voluntary_switches * 1000 / store.writes", 2, ""),
        ("over sockets, CPU us/write", "socket.server_cpu_us", 2,
         "2 * one.socket.server_cpu_us / two.socket.server_cpu_us")]]
    return mine and [
        *table(["writes, lz4", "1 thread", "2 threads", "gain"], rows), "",
        *table(["locks, 2 threads", "taken a write", "found busy",
                "waited ns a write", "held ns each time"], lock_rows(two))]


def helping_table(runs, about):
    rows = []
    for algorithm, of in runs.where(part="helping").by("algorithm"):
        pairs = thread_pairs(of)
        rows += [[f"{algorithm}, {title}", *(
            pairs.cell(f"{threads}.{what}", 0) for threads in ("one", "two")),
            "x" + pairs.cell(f"two.{what} / one.{what}", 2)]
            for title, what in [("over a socket", "socket.iops"),
                                ("in the process", "store.per_second")]]
    return table(["writes/s of one connection", "1 thread", "2 threads",
                  "gain"], rows)


def model_rows(runs):
    """Cores, writes a second, and that next to one core."""
    cores, one = [1, 2, 4, 8, 16, 32, 64], runs.where(part="scaling", threads=1)
    alone_us, locks = stations(one) if one else (1, {})
    found = rates(alone_us, locks.values(), cores)
    return [(n, rate * 1e6, rate / found[0])
            for n, rate in zip(cores, found)] if one else []


def model_table(runs, about):
    rows = [[n, f"{rate:.0f}", f"{times:.1f}", f"{times / n * 100:.0f} %"]
            for n, rate, times in model_rows(runs)]
    if not rows:
        return []
    alone_us, locks = stations(runs.where(part="scaling", threads=1))
    busiest = max(locks, key=locks.get)
    arena, handles = (locks.get(k, 0) * 1000 for k in ("arena", "handles"))
    return [f"per write: {alone_us:.3f} us on its own, "
            f"{sum(locks.values()):.3f} us in locks; the busiest is {busiest} "
            f"with {locks[busiest] * 1000:.0f} ns, arena {arena:.1f} ns, "
            f"handles {handles:.1f} ns",
            *table(["cores", "writes/s", "x one core", "of ideal"], rows, 0)]


# --- the rest -----------------------------------------------------------------

# What zsd takes where it is told nothing, or only which codec.
DEFAULTS = {"lz4": "default", "zstd:1": "default of zstd",
            "plz:1": "default of plz"}


def curve_table(runs, about):
    """Each method that another one beats in all three is told so."""
    methods = runs.where(part="curve").by("method")
    cost = {m: [-of.median("codec.ratio"), of.median("codec.compress_us"),
                of.median("codec.decompress_us")] for m, of in methods}
    rows = [[m, of.number("codec.ratio", 2), of.cell("codec.compress_us", 1),
             of.cell("codec.decompress_us", 1), DEFAULTS.get(m) or ", ".join(
                 f"worse than {other}" for other in cost if other != m and all(
                     a < b for a, b in zip(cost[other], cost[m])))]
            for m, of in methods]
    return table(["method", "ratio", "us to store a page", "to read it", ""],
                 rows)


def dictionary_table(runs, about):
    mine = runs.where(part="dictionary")
    return mine and table(
        [mine[0].plain.algorithm + ", us/page", "without", "with",
         "with / without"],
        [[what, mine.cell(f"plain.{of}", 2), mine.cell(f"trained.{of}", 2),
          mine.cell(f"trained.{of} / plain.{of}", 2)]
         for what, of in [("compress", "compress_us"),
                          ("decompress", "decompress_us")]] +
        [["ratio", *(mine.number(what, 3) for what in (
            "plain.ratio", "trained.ratio", "trained.ratio / plain.ratio"))]])


def rest_table(runs, about):
    stores, delays = runs.where(part="rest"), runs.where(part="rest-delay")
    sets = [label for label, _ in stores.by("pages")]
    last = "(store.compacted or store.filled).density"
    text = stores and [
        "bytes of pages for a byte held; slots, ages, handles, descriptors, "
        "models and their tables included", *table(
            ["method", *sets], [[method, *(g.where(pages=label).number(last, 2)
                                           for label in sets)]
                                for method, g in stores.by("method")])]
    for times in runs.where(part="rest-times"):
        text = [*text, "", *table(
            ["codec", "store us a page", "read us a page"],
            [[m.name, f"{m.store_us:.1f}", f"{m.read_us:.1f}"]
             for m in times.codecs.methods])]
    text = text + delays and [*text, "", *table(
        ["us", "p50", "p99.9", "p50 beside", "p99.9 beside", "of alone",
         "pages meanwhile"],
        [[shape, *(g.cell(f"{side}.latency.{name}_us", 1)
                   for side in ("alone", "beside")
                   for name in ("p50", "p999")),
          g.cell("beside.latency.p999_us / alone.latency.p999_us", 2),
          g.number("recompressed.pages_tried", 0)]
         for shape, g in delays.by("shape")])]
    return text


def startup_table(runs, about):
    return [f"disk of {size}: ready after {g.cell('ready_us', 1, 1e-3)} ms, "
            f"resident {g.cell('resident_bytes', 1, 2**-20)} MiB; {len(g)} "
            "starts" for size, g in sorted(
                runs.where(part="startup").by("size"))]


def adoption_table(runs, about):
    mine = runs.where(part="adoption")
    return mine and [
        f"disk of {mine[0].adopted.disk_bytes >> 30} GiB, full: read after "
        f"{mine.cell('adopted.read_ms', 1)} ms, rebuilt after "
        f"{mine.cell('adopted.rebuilt_ms', 0)} ms; {len(mine)} adoptions"]


def zram_of(device):
    """The kernel's own with the same codec."""
    return "zram-" + device.split("-")[1].split(":")[0]


def swap_table(runs, about):
    rows = []
    for phase, of_phase in runs.where(part="swap").by("phase"):
        for device, g in of_phase.by("device"):
            zram = of_phase.where(device=zram_of(device))
            mine, its = (r.median("load.seconds") for r in (g, zram))
            rows.append([
                phase, device, g.cell("load.seconds", 1),
                f"x{mine / its:.2f}" if its and device[:3] == "zsd" else "",
                *(g.number(what, digits) for what, digits in [
                    ("load.fault_us.p50", 0), ("load.fault_us.p99", 0)]),
                g.cell("load.stall_us / 1000", 0),
                *(g.number(what, digits) for what, digits in [
                    ("cpu_ms / 1000", 1), ("zsd_cpu_ms / 1000", 1),
                    ("context_switches / load.touches", 2),
                    ("pages_out / writes", 1), ("pages_in / reads", 1),
                    ("available_kib / 1024", 0)])])
    return table(["phase", "swap on", "s", "of zram's", "fault us", "p99",
                  "longest ms", "CPU s", "of zsd", "switches a touch",
                  "pages a write", "a read", "MiB left"], rows, left=2)


def targets_table(runs, about):
    """Requests per second prove nothing where others wanted the cores too."""
    rows = []
    for topic, what, sense, asked, unit, digits, value in targets(runs):
        if value is not None:
            met = value <= asked if sense == "at most" else value >= asked
            rows.append([
                f"{topic}: {what}", f"{sense} {asked} {unit}".strip(),
                f"{value:.{digits}f} {unit}".strip(), "yes" if met else
                f"no, by {abs(value / asked - 1) * 100:.0f} %"])
    text = table(["target", "asked", "measured", "met?"], rows)
    noise = max([g.median("other_cpu_share") for _, g in
                 runs.where(part="speed").by("client")], default=0)
    return text + [f"other processes took {noise:.2f} cores meanwhile: figures "
                   "of speed say little"] * bool(text and noise >= about.quiet)


TABLES = {
    "head": ("", lambda runs, about: about.head),
    "cpu": ("Processor time beyond the codec", cpu_table),
    "profile": ("Where the time goes", profile_table),
    "nbdload": ("Speed, one thread each", speed_table(
        "nbdload", "nbdload: client on core {client_core}, server with one "
        "thread on core {server_core}")),
    "connections": ("Speed, several connections", connections_table),
    "fio": ("Speed, as fio sees it", speed_table(
        "fio", "fio: its own pages, 40 % random bytes and 60 % zeros; client "
        "and servers on any core, servers with their default threads")),
    "density": ("Density", density_table),
    "trims": ("Density after trims", trims_table),
    "compaction": ("Compaction", compaction_table),
    "scaling": ("Two threads", scaling_table),
    "helping": ("Two threads, one connection", helping_table),
    "model": ("Many cores, on paper", model_table),
    "curve": ("Methods", curve_table),
    "dictionary": ("Dictionary", dictionary_table),
    "rest": ("Pages that rest", rest_table),
    "startup": ("Start-up", startup_table),
    "adoption": ("Adoption", adoption_table),
    "swap": ("Swapping", swap_table),
    "targets": ("Targets", targets_table),
}


def all_tables(runs, about):
    for title, make in TABLES.values():
        lines = make(runs, about)
        if lines and title:
            yield from ["", f"== {title}"]
        yield from lines
