# SPDX-License-Identifier: GPL-2.0-or-later
# From the lines that bench.sh collects to one object, and from that to text.

# --- numbers -----------------------------------------------------------------

def median: sort | if length % 2 == 1 then .[(length - 1) / 2]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;

def spread: {median: median, min: min, max: max};

def figures:
    {
        server: .[0].server,
        workload: .[0].workload,
        iops: map(.iops) | spread,
        server_cpu_us: map(.server_cpu_us) | spread,
        p50_us: map(.latency.p50_us) | spread,
        p99_us: map(.latency.p99_us) | spread,
        p999_us: map(.latency["p99.9_us"]) | spread,
        server_cpu_share: map(.server_cpu_share) | spread,
        other_cpu_share: map(.other_cpu_share) | spread
    };

def ratio($figures; $workload; $a; $b; $what):
    [$a, $b] | map(. as $server | $figures[]
        | select(.server == $server and .workload == $workload)[$what]
        .median)
    | if length == 2 then .[0] / .[1] else null end;

def ratios($figures):
    ($figures | map(.workload) | unique) as $workloads
    | [["zsd-lz4", "nbdkit-zstd"], ["zsd-lz4", "nbdkit-malloc"],
       ["zsd-zstd", "nbdkit-zstd"]]
    | map(. as [$a, $b] | $workloads[] | {
        of: $a, to: $b, workload: .,
        iops: ratio($figures; .; $a; $b; "iops"),
        server_cpu_us: ratio($figures; .; $a; $b; "server_cpu_us")
    }) | map(select(.iops));

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

# Input: all measurements of nbdload.
def summary($about; $density):
    ($about.servers | split(" ")) as $order
    | (group_by([.workload, .server]) | map(figures)
        | sort_by(.server as $server | $order | index($server)))
        as $figures
    | {
        about: $about,
        figures: $figures,
        ratios: ratios($figures),
        density: $density,
        other_cpu_share: (map(.other_cpu_share) | spread)
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
    "pages: \(.pages); disk \(.disk_bytes / 1048576) MiB; "
    + "\(.rounds) rounds of \(.seconds) s: median (lowest..highest)",
    if .client_core == .server_core
    then "client and server share core \(.client_core)"
    else "client on core \(.client_core), server with one thread on core "
        + "\(.server_core)" end;

def noise_text:
    .other_cpu_share | "other processes took \(.median | fixed(2)) cores "
    + "(\(.min | fixed(2))..\(.max | fixed(2))) meanwhile";

def workload_text($name; $title):
    .figures | map(select(.workload == $name))
    | if length == 0 then empty else
        "", ($title | rpad(22)) + ("requests/s" | rpad(29))
        + ("server CPU us/request" | rpad(29)) + "p99 us",
        (.[] | "  " + (.server | rpad(16))
        + (.iops | with_spread(0)) + (.server_cpu_us | with_spread(2))
        + (.p99_us | with_spread(0)))
      end | sub(" +$"; "");

def ratios_text:
    if .ratios | length == 0 then empty else
        "", "ratios of medians"
        + " (requests/s: more is better; CPU: less is better)",
        (.ratios[] | "  " + ("\(.of) / \(.to)" | rpad(26))
        + (.workload | rpad(12))
        + "requests/s x" + (.iops | fixed(2) | rpad(8))
        + "CPU/request x" + (.server_cpu_us | fixed(2)))
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
    head_text, noise_text,
    workload_text("write-d1"; "write 4 KiB, depth 1"),
    workload_text("write-d32"; "write 4 KiB, depth 32"),
    workload_text("read-d1"; "read 4 KiB, depth 1"),
    workload_text("read-d32"; "read 4 KiB, depth 32"),
    ratios_text, density_text;
