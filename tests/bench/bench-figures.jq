# SPDX-License-Identifier: GPL-2.0-or-later
# From the lines that bench.sh collects to figures: one object for all of a run.
import "bench-model" as model;
import "bench-targets" as targets;

# --- numbers -----------------------------------------------------------------

def median: sort | if length % 2 == 1 then .[(length - 1) / 2]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# Input: numbers. null where one of them could not be measured.
def spread: if length == 0 or any(. == null) then null
    else {median: median, min: min, max: max} end;

# Input: objects; the spread of one expression over them.
def spread_of(f): map(f) | spread;

# --- speed -------------------------------------------------------------------

# Input: what fio reports; $spent: what cpuspent reports of the same run, start
# and end of fio included. Output: as nbdload has it.
def fio_result($spent):
    .jobs[0]
    | (if .write.total_ios > 0 then .write else .read end) as $io
    | def us($percentile): $io.lat_ns.percentile[$percentile] / 1000;
    ($io.runtime * 1000) as $elapsed_us
    | {
        requests: $io.total_ios,
        iops: $io.iops,
        server_cpu_us: ($spent.server_ns / 1000 / $io.total_ios),
        server_cpu_share: ($spent.server_ns / 1000 / $elapsed_us),
        client_cpu_us:
            ((.usr_cpu + .sys_cpu) / 100 * $elapsed_us / $io.total_ios),
        other_cpu_share: ($spent.other_ns / $spent.elapsed_ns),
        latency: {mean_us: ($io.lat_ns.mean / 1000),
            p50_us: us("50.000000"), p99_us: us("99.000000"),
            "p99.9_us": us("99.900000"), "p99.99_us": us("99.990000")}
    };

# Input: all runs of one load on one server. The kernel's zram has no process
# whose time could be told from its client's.
def speed_figures:
    {
        client: .[0].client,
        server: .[0].server,
        workload: .[0].workload,
        block_bytes: (.[0].block_bytes // 4096),
        runs: length,
        iops: spread_of(.iops),
        server_cpu_us:
            spread_of(if .server == "zram" then null else .server_cpu_us end),
        client_cpu_us: spread_of(.client_cpu_us),
        mean_us: spread_of(.latency.mean_us),
        p50_us: spread_of(.latency.p50_us),
        p99_us: spread_of(.latency.p99_us),
        p999_us: spread_of(.latency["p99.9_us"]),
        p9999_us: spread_of(.latency["p99.99_us"]),
        tail: spread_of(.latency["p99.9_us"] / .latency.p50_us),
        other_cpu_share: spread_of(.other_cpu_share)
    };

# In the order that the servers were named in.
def speed($about):
    ($about.servers | [splits("\\s+")]) as $order
    | group_by([.client, .workload, .server]) | map(speed_figures)
    | sort_by(.server as $server | $order | index($server));

# Input: figures of one client and workload, by one server each.
def ratio($of; $to; $what):
    [.[] | select(.server == ($of, $to)) | {(.server): .[$what].median}] | add
    | if has($of) and has($to) and .[$of] and .[$to]
      then .[$of] / .[$to] else null end;

# Input: all speed figures.
def ratios:
    group_by([.client, .workload])
    | map((["zsd-lz4", "nbdkit-zstd"], ["zsd-lz4", "nbdkit-malloc"],
            ["zsd-lz4", "zram"], ["zsd-lz4-poll", "nbdkit-malloc"],
            ["zsd-zstd:1", "nbdkit-zstd"]) as [$of, $to]
        | {
            client: .[0].client, of: $of, to: $to, workload: .[0].workload,
            iops: ratio($of; $to; "iops"),
            mean_us: ratio($of; $to; "mean_us"),
            server_cpu_us: ratio($of; $to; "server_cpu_us")
        } | select(.iops));

# --- processor time beyond the codec -----------------------------------------

def cpu:
    group_by(.server) | map({
        server: .[0].server,
        codec_write_us: spread_of(.codec.compress_us),
        codec_read_us: spread_of(.codec.decompress_us),
        write_us: spread_of(.write.server_cpu_us),
        read_us: spread_of(.read.server_cpu_us),
        write_beyond_us: spread_of(.write.server_cpu_us - .codec.compress_us),
        read_beyond_us: spread_of(.read.server_cpu_us - .codec.decompress_us),
        ratio: .[0].codec.ratio
    });

# --- memory ------------------------------------------------------------------

# What a server says that it uses, and that over its compressed bytes.
def used: .mem_used_total + .metadata_bytes;
def per_byte: if .compr_data_size then used / .compr_data_size else null end;
def pool_per_byte:
    if .compr_data_size then .mem_used_total / .compr_data_size else null end;

# The same by how much larger the process is than $new, the reserve that it
# keeps ready aside.
def grown_per_byte($new):
    if .compr_data_size and .resident > 0
    then (.resident - $new.resident - (.reserve_bytes - $new.reserve_bytes))
        / .compr_data_size
    else null end;

# Input: what one server needs for one set of pages. sizes: new, full, and for
# zsd overwritten and compacted.
def density:
    .sizes as [$new, $full, $overwritten, $compacted]
    | {
        server, pages, bytes,
        written_per_resident: (if $full.resident > 0
            then .bytes / ($full.resident - $new.resident) else null end),
        written_per_used: (if $full.compr_data_size
            then .bytes / ($full | used) else null end),
        filled: ($full | per_byte),
        filled_grown: ($full | grown_per_byte($new)),
        overwritten: ($overwritten // {} | per_byte),
        compacted: ($compacted // {} | per_byte),
        compressed_bytes: $full.compr_data_size,
        reserve_bytes: $full.reserve_bytes,
        metadata_bytes: $full.metadata_bytes
    };

# Input: a full disk, a share of it trimmed, compacted.
def trim:
    . as {$new}
    | {
        server, percent,
        full: (.full | per_byte),
        trimmed: (.trimmed | per_byte),
        compacted: (.compacted | per_byte),
        compacted_pool: (.compacted | pool_per_byte),
        compacted_grown: (.compacted | grown_per_byte($new)),
        compressed_bytes: .compacted.compr_data_size,
        metadata_bytes: .compacted.metadata_bytes,
        compaction_us: .compaction.duration_us,
        objects_moved: .compaction.objects_moved
    };

# --- compaction ---------------------------------------------------------------

def compaction:
    if length == 0 then null else {
        objects_moved: spread_of(.objects_moved),
        duration_us: spread_of(.duration_us),
        release_us: spread_of(.release_us),
        server_per_second: spread_of(.objects_moved * 1e6 / .duration_us),
        objects_per_second: spread_of(.store.objects_per_second)
    } end;

def delay:
    group_by(.shape) | map({
        shape: .[0].shape,
        alone_p50_us: spread_of(.alone.latency.p50_us),
        alone_p999_us: spread_of(.alone.latency["p99.9_us"]),
        beside_p50_us: spread_of(.beside.latency.p50_us),
        beside_p999_us: spread_of(.beside.latency["p99.9_us"]),
        later_us: spread_of(.beside.latency["p99.9_us"]
            - .alone.latency["p99.9_us"]),
        alone_tail:
            spread_of(.alone.latency["p99.9_us"] / .alone.latency.p50_us),
        beside_tail:
            spread_of(.beside.latency["p99.9_us"] / .beside.latency.p50_us),
        beside_iops: spread_of(.beside.iops),
        alone_iops: spread_of(.alone.iops),
        compactions: spread_of(.compactions),
        objects_moved: spread_of(.objects_moved)
    });

# --- scaling -----------------------------------------------------------------

# Locks of one kind, over all watched runs: per write, and each time.
def lock_figures($writes):
    group_by(.lock) | map({
        lock: .[0].lock,
        taken_per_write: ((map(.taken) | add) / $writes),
        busy_share: ((map(.busy) | add) / (map(.taken) | add)),
        wait_ns_per_write: ((map(.wait_ns) | add) / $writes),
        hold_ns: ((map(.hold_ns) | add) / (map(.taken) | add))
    });

def scaling_of($threads):
    map(select(.threads == $threads)) | {
        threads: $threads,
        per_second: spread_of(.store.per_second),
        cpu_us: spread_of(.store.cpu_us),
        socket_cpu_us: spread_of(.socket.server_cpu_us),
        socket_iops: spread_of(.socket.iops),
        switches_per_1000: spread_of(.store.voluntary_switches * 1000
            / .store.writes),
        locks: ((map(.watched.writes) | add) as $writes
            | map(.watched.locks[]) | lock_figures($writes))
    };

# Input: runs with one thread; of them the one whose locks were held the least,
# since whatever preempts a thread makes that longer, never shorter.
def model_inputs:
    spread_of(.store.cpu_us).median as $alone_us
    | map(.watched) | min_by([.locks[].hold_ns] | add)
    | model::from_locks($alone_us);

def scaling:
    if length == 0 then null else
        . as $runs
        | (map(select(.threads == 1)) | model_inputs) as $model
        | {
            one: scaling_of(1), two: scaling_of(2),
            store_gain: (group_by(.round)
                | map((map({"\(.threads)": .store.per_second}) | add) as $rate
                    | $rate["2"] / $rate["1"]) | spread),
            socket_gain: (group_by(.round)
                | map((map({"\(.threads)": .socket.server_cpu_us}) | add)
                    as $cpu | 2 * $cpu["1"] / $cpu["2"]) | spread),
            model: {
                alone_us: $model.alone_us,
                bottleneck: ($model | model::bottleneck),
                arena: ([$model.stations[] | select(.name == "arena")][0]),
                handles: ([$model.stations[] | select(.name == "handles")][0]),
                locks_us: ($model.stations | map(.us) | add),
                cores: [$model | model::rates([1, 2, 4, 8, 16, 32, 64])[]
                    | {cores, per_second: (.rate * 1e6)}]
            }
        } end;

# --- the rest ----------------------------------------------------------------

def dictionary:
    if length == 0 then null else {
        algorithm: .[0].without.algorithm,
        without_us: spread_of(.without.compress_us),
        with_us: spread_of(.with.compress_us),
        without_read_us: spread_of(.without.decompress_us),
        with_read_us: spread_of(.with.decompress_us),
        share: spread_of(.with.compress_us / .without.compress_us),
        read_share: spread_of(.with.decompress_us / .without.decompress_us),
        without_ratio: .[0].without.ratio,
        with_ratio: .[0].with.ratio
    } end;

def startup:
    group_by(.size) | map({
        size: .[0].size,
        runs: length,
        ready_us: spread_of(.ready_us),
        resident_bytes: spread_of(.resident_bytes)
    });

# Input: all that was measured, an object a line.
def summary($about):
    def part($name): map(select(.part == $name));
    {
        about: $about,
        noise: (part("speed") | group_by(.client) | map({
            key: .[0].client, value: spread_of(.other_cpu_share)
        }) | from_entries),
        cpu: (part("cpu") | cpu),
        speed: (part("speed") | speed($about)),
        density: (part("density") | map(density)),
        trims: (part("trim") | map(trim)),
        compaction: (part("compaction") | compaction),
        delays: (part("delay") | delay),
        scaling: (part("scaling") | scaling),
        profile: (part("profile") | map({workload, rows})),
        dictionary: (part("dictionary") | dictionary),
        startup: (part("startup") | startup)
    }
    | .ratios = (.speed | ratios)
    | .targets = targets::all;
