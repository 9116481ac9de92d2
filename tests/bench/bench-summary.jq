# SPDX-License-Identifier: GPL-2.0-or-later
# From the lines that bench.sh collects to one object, and from that to text.

# --- numbers -----------------------------------------------------------------

def median: sort | if length % 2 == 1 then .[(length - 1) / 2]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;

def spread: {median: median, min: min, max: max};

# --- from measurements to figures --------------------------------------------

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
        latency: {p50_us: us("50.000000"), p99_us: us("99.000000"),
            "p99.9_us": us("99.900000")}
    };

def figures:
    {
        client: .[0].client,
        server: .[0].server,
        workload: .[0].workload,
        iops: map(.iops) | spread,
        server_cpu_us: map(.server_cpu_us) | spread,
        client_cpu_us: map(.client_cpu_us) | spread,
        p50_us: map(.latency.p50_us) | spread,
        p99_us: map(.latency.p99_us) | spread,
        p999_us: map(.latency["p99.9_us"]) | spread,
        server_cpu_share: map(.server_cpu_share) | spread,
        other_cpu_share: map(.other_cpu_share) | spread
    };

# Input: figures of one client and workload, by one server each.
def ratio($of; $to; $what):
    [.[] | select(.server == ($of, $to)) | {(.server): .[$what].median}] | add
    | if has($of) and has($to) then .[$of] / .[$to] else null end;

# Input: all figures.
def ratios:
    group_by([.client, .workload])
    | map((["zsd-lz4", "nbdkit-zstd"], ["zsd-lz4", "nbdkit-malloc"],
            ["zsd-zstd", "nbdkit-zstd"]) as [$of, $to]
        | {
            client: .[0].client, of: $of, to: $to, workload: .[0].workload,
            iops: ratio($of; $to; "iops"),
            server_cpu_us: ratio($of; $to; "server_cpu_us")
        } | select(.iops));

# What zsd is meant to reach, in requests per second of that server; told, not
# asserted. Input: ratios.
def targets:
    ({to: "nbdkit-zstd", at_least: 5}, {to: "nbdkit-malloc", at_least: 0.9})
        as $target
    | map(select(.of == "zsd-lz4" and .to == $target.to
        and .workload == "write-d32")
        | . + $target + {holds: (.iops >= $target.at_least)});

# What one server needs for one set of pages. sizes holds what it told after the
# fill, after overwriting and after compaction, or an empty object.
def density:
    . + {written_per_resident: (.bytes / .resident)}
    + if .sizes | length == 3 then {
        written_per_used: (.bytes / (.sizes[0] | .mem_used_total
            + .metadata_bytes)),
        filled: .sizes[0].bytes_per_compressed_byte,
        overwritten: .sizes[1].bytes_per_compressed_byte,
        compacted: .sizes[2].bytes_per_compressed_byte
    } else {} end;

# Input: what both clients measured, one object a run.
def summary($about; $density):
    ($about.servers | split(" ")) as $order
    | (group_by([.client, .workload, .server]) | map(figures)
        | sort_by(.server as $server | $order | index($server)))
        as $figures
    | ($figures | ratios) as $ratios
    | {
        about: $about,
        noise: (group_by(.client) | map({
            key: .[0].client, value: (map(.other_cpu_share) | spread)
        }) | from_entries),
        figures: $figures,
        ratios: $ratios,
        targets: [$ratios | targets[]],
        density: $density
    };

# --- text --------------------------------------------------------------------

def lpad($n): tostring | if length < $n then " " * ($n - length) + . else . end;
def rpad($n): tostring | if length < $n then . + " " * ($n - length) else . end;

# With @digits after the point, trailing zeros kept.
def fixed($digits):
    pow(10; $digits) as $unit
    | (. * $unit | round | tostring) as $all
    | if $digits == 0 then $all
      else ($all | if length <= $digits
        then "0" * ($digits + 1 - length) + . else . end)
        | .[:-$digits] + "." + .[-$digits:]
      end;

def with_spread($digits):
    (.median | fixed($digits) | lpad(8))
    + (" (\(.min | fixed($digits))..\(.max | fixed($digits)))" | rpad(20));

def optional($digits): if . then fixed($digits) else "-" end;

def head_text:
    .about | "zsd \(.commit), \(.date); \(.cpu), \(.cores) cores, "
    + "Linux \(.kernel), \(.nbdkit)",
    "disk \(.disk_bytes / 1048576) MiB; runs of \(.seconds) s, "
    + "\(.rounds) of each: median (lowest..highest)";

def client_text($client):
    .about | {
        nbdload: ("nbdload: pages of \(.pages); "
            + if .client_core == .server_core
            then "client and server share core \(.client_core)"
            else "client on core \(.client_core), server with one thread "
                + "on core \(.server_core)" end),
        fio: ("\(.fio): pages of 40 % random bytes and 60 % zeros; client "
            + "and servers on any core, servers with their default threads")
    }[$client];

def noise_text($client):
    .noise[$client]
    | "other processes took \(.median | fixed(2)) cores "
    + "(\(.min | fixed(2))..\(.max | fixed(2))) meanwhile";

def workload_text($client; $workload; $title):
    .figures | map(select(.client == $client and .workload == $workload))
    | "", ($title | rpad(22)) + ("requests/s" | rpad(29))
        + ("server CPU us/request" | rpad(27)) + ("client's" | rpad(12))
        + "p99 us",
        (.[] | "  " + (.server | rpad(16))
        + (.iops | with_spread(0)) + (.server_cpu_us | with_spread(2))
        + (.client_cpu_us.median | fixed(2) | lpad(6) + "  ")
        + (.p99_us | with_spread(0))) | sub(" +$"; "");

def ratios_text($client):
    .ratios | map(select(.client == $client))
    | if length == 0 then empty else
        "", "ratios of medians"
        + " (requests/s: more is better; CPU: less is better)",
        (sort_by([.of, .to])[] | "  " + ("\(.of) / \(.to)" | rpad(26))
        + (.workload | rpad(12))
        + "requests/s x" + (.iops | fixed(2) | rpad(8))
        + "server CPU/request x" + (.server_cpu_us | fixed(2)))
    end;

# Requests per second prove nothing where others wanted the cores as well.
def targets_text:
    .about.quiet as $quiet | .noise as $noise | .targets | if length == 0 then empty else
        "", "targets, writes at depth 32",
        (.[] | "  " + ("\(.of) / \(.to)" | rpad(26))
        + ("at least x\(.at_least)" | rpad(16)) + (.client | rpad(10))
        + "x" + (.iops | fixed(2) | rpad(8))
        + if .holds then "holds" else
            "missed by \((1 - .iops / .at_least) * 100 | fixed(0)) %" end
        + if $noise[.client].median < $quiet then "" else
            ", on a busy machine" end)
    end;

# A row of one measure of one server, over all page files.
def density_row($server; $measure; $title):
    map(select(.server == $server))
    | if any(.[]; .[$measure]) then
        "  " + (($server | rpad(16)) + $title | rpad(48))
        + (map(.[$measure] | optional(3) | lpad(10)) | add)
      else empty end;

def density_text:
    .density | (map(.pages) | reduce .[] as $p ([];
        if index($p) then . else . + [$p] end)) as $columns
    | (map(.server) | reduce .[] as $s ([];
        if index($s) then . else . + [$s] end)) as $servers
    | "", ("density" | rpad(50)) + ($columns | map(lpad(10)) | add),
      ($servers[] as $server
      | density_row($server; "written_per_used"; "written / (used + metadata)"),
        density_row($server; "filled"; "used / compressed, filled"),
        density_row($server; "overwritten"; "used / compressed, overwritten"),
        density_row($server; "compacted"; "used / compressed, compacted"),
        density_row($server; "written_per_resident"; "written / resident"));

# Input: what summary made.
def text:
    head_text,
    (("nbdload", "fio") as $client | if .noise[$client] then
        "", client_text($client), noise_text($client),
        workload_text($client; "write-d1"; "write 4 KiB, depth 1"),
        workload_text($client; "write-d32"; "write 4 KiB, depth 32"),
        workload_text($client; "read-d1"; "read 4 KiB, depth 1"),
        workload_text($client; "read-d32"; "read 4 KiB, depth 32"),
        ratios_text($client)
    else empty end),
    targets_text,
    if .density | length == 0 then empty else density_text end;
