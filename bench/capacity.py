"""What a mirror of a given size takes: computed from what was measured and from assumptions, all named."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.document import table
from bench.results import Results
from bench.run_sync import Figures, Round

NEEDED = "ADEFGHIJ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A mirror: the pages of ``asked`` projects are fetched, ``projects`` of them keep files.

    ``bytes`` are those of its files, ``share`` the part of upstream's new files of a day that it takes.
    """

    name: str
    asked: int
    projects: int
    files: int
    bytes: float
    share: float
    source: str


SIZES = (
    Size(
        name="everything",
        asked=730_000,
        projects=730_000,
        files=15_000_000,
        bytes=100e12,
        share=1.0,
        source="upstream in 2026, rounded; its files at 20 a project",
    ),
    Size(
        name="all projects, wheels for Linux x86_64 and CPython 3.11 or later",
        asked=730_000,
        projects=560_000,
        files=6_000_000,
        bytes=20e12,
        share=0.4,
        source="assumed: a fifth of the bytes, as most wheels are of other platforms and older Pythons; "
        "pure wheels all stay",
    ),
    Size(
        name="the 5,000 most wanted projects, all files",
        asked=5_000,
        projects=5_000,
        files=1_250_000,
        bytes=12e12,
        share=0.12,
        source="assumed: 250 files a project, larger ones than the average's",
    ),
    Size(
        name="a lab's allow-list of 500 with what they need, Linux x86_64",
        asked=900,
        projects=900,
        files=60_000,
        bytes=0.25e12,
        share=0.005,
        source="assumed: 400 dependencies, 67 files a project after the platform filter",
    ),
)

# Of [dependencies] follow = yes: projects that [allowlist] names, and all that come with them.
CLOSURES = (
    (24, 250, "counted on upstream in 2026"),
    (200, 1_100, "assumed: on the line between the others, both axes logarithmic"),
    (5_000, 11_000, "counted on upstream in 2026: 200,000 releases"),
)

_WIRES = (("100 Mbit/s", 1e8), ("1 Gbit/s", 1e9), ("10 Gbit/s", 1e10))

_FILES_A_DAY = 10_700
_CHANGED_A_DAY = 6_000
_RUNS_A_DAY = 24
_WITH_METADATA = 0.65
_WITH_PROVENANCE = 0.05
_ROUND_TRIP = 0.05
_PROCESSES = 4
_AT_ONCE = 32
_INDEX_COMPRESSED = 15
_OPTIMISM = 0.9

_ASSUMPTIONS = (
    ("new files a day, upstream-wide", f"{_FILES_A_DAY:,}", "upstream in 2026"),
    ("projects that change a day, upstream-wide", f"{_CHANGED_A_DAY:,}", "assumed: under two files each"),
    ("runs a day", f"{_RUNS_A_DAY}", "the default of `[schedule] cron`"),
    ("files with `.metadata`", f"{_WITH_METADATA:.0%}", "assumed: upstream has it for wheels"),
    ("files with `.provenance`", f"{_WITH_PROVENANCE:.0%}", "assumed: growing"),
    (
        "round trip to upstream",
        f"{_ROUND_TRIP * 1000:.0f} ms",
        "assumed, as in case B; a near cache has less",
    ),
    ("processes (batches at once), a processor each", f"{_PROCESSES}", "assumed: a small server"),
    ("requests at once in each", f"{_AT_ONCE}", "the default of `[mirror] workers`"),
    ("of the wire that files get", f"{_OPTIMISM:.0%}", "assumed: headers, TLS, and others on the wire"),
    (
        "list of all projects, compressed, bytes a project",
        f"{_INDEX_COMPRESSED}",
        "assumed: names hardly compress",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured; seconds are of one processor unless they are named otherwise."""

    request: float  # seconds for a small file: ask, check, write, record
    byte: float  # seconds for each byte of a large one
    page: float  # seconds for a page: fetch, read, render, write
    file_row: float  # bytes of database, indexes included
    project_row: float  # the same, with its row of the plan of a first sync
    pages: float  # bytes of pages on disk for each file listed
    index: float  # bytes of the root index for each project, not compressed
    memory: float  # peak of all processes in case A
    idle_run: float  # wall seconds of a run that finds nothing new
    idle_requests: float
    plan: float  # wall seconds to plan and publish with a million projects
    plan_memory: float
    resolve_bytes: float  # what a client takes to resolve the closure of case J
    resolve_requests: float


def costs(results: Results) -> Costs:
    """The measured costs; LookupError when a case of ``NEEDED`` is not among the results."""
    first, large, pages = (_medians(results, letter) for letter in "ADE")
    idle, grown, plan, client = (_medians(results, letter) for letter in "FGHJ")
    return Costs(
        request=first["cpu"] / first["requests"],
        byte=large["cpu"] / large["downloaded"],
        page=pages["cpu"] / pages["requests"],
        file_row=_row(results, "files"),
        project_row=_row(results, "projects") + _row(results, "plan"),
        pages=first["pages"] / first["files"],
        index=grown["index"] / grown["projects"],
        memory=first["memory"],
        idle_run=idle["wall"],
        idle_requests=idle["requests"],
        plan=plan["wall"],
        plan_memory=plan["memory"],
        resolve_bytes=client["bytes"],
        resolve_requests=client["requests"],
    )


def _medians(results: Results, letter: str) -> Figures:
    rounds = _rounds(results, letter)
    return {figure: statistics.median(r["ours"][figure] for r in rounds) for figure in rounds[0]["ours"]}


def _row(results: Results, table: str) -> float:
    return statistics.median(r[f"a row of {table}"]["bytes"] for r in _rounds(results, "I"))


def _rounds(results: Results, letter: str) -> Sequence[Round]:
    rounds = next((s.rounds for s in results.cases if s.letter == letter), None)
    if rounds is None:
        raise LookupError(f"case {letter} was not run")
    return rounds


def requests(size: Size) -> float:
    """Of a first sync: the root index, a page a project, the files and what stands beside them."""
    return 1 + size.asked + size.files * (1 + _WITH_METADATA + _WITH_PROVENANCE)


def processor_seconds(size: Size, cost: Costs) -> float:
    """Of a first sync, on one processor."""
    return size.asked * cost.page + (requests(size) - size.asked) * cost.request + size.bytes * cost.byte


def bounds(size: Size, cost: Costs, bits_a_second: float) -> dict[str, float]:
    """Seconds of a first sync by what could limit it; it takes the longest of them."""
    return {
        "wire": size.bytes * 8 / (bits_a_second * _OPTIMISM),
        "round trips": requests(size) * _ROUND_TRIP / (_PROCESSES * _AT_ONCE),
        "processors": processor_seconds(size, cost) / _PROCESSES,
    }


def inodes(size: Size) -> int:
    """Files and directories: each pooled file has a directory of its own, and 65,792 stand above them all."""
    pooled = size.files * (2 + _WITH_METADATA + _WITH_PROVENANCE)
    above = 256 + min(65_536, size.files)
    return round(pooled) + above + size.projects * 5  # a directory and two pages, each with its .gz


def write_capacity(folder: Path, results: Results) -> bool:
    """``capacity.md`` in ``folder``, where the results hold all that it needs; whether they do."""
    if not set(NEEDED) <= {summary.letter for summary in results.cases}:
        return False
    (folder / "capacity.md").write_text(capacity(results))
    return True


_INTRODUCTION = """\
# What a mirror takes

Made by `make bench` from `bench/results.json`; do not edit. Computed for four sizes of mirror from
what one machine measured and from the assumptions at the end, each with its source. For a mirror of
your own, change `SIZES` in `bench/capacity.py` and run `make bench-docs`.

{machine}{scale}
"""


def capacity(results: Results) -> str:
    """The document; LookupError when a case that it needs is not among the results."""
    cost = costs(results)
    scale = "" if results.scale == 1 else f" Run at {results.scale:g} of the cases' full size."
    return "\n".join(
        (
            _INTRODUCTION.format(machine=results.machine, scale=scale),
            f"## First sync\n\n{_first_sync(cost)}",
            f"## Every day after\n\n{_every_day(cost)}",
            *([f"## Dependencies\n\n{_closures(results)}"] if _was_run(results, "M") else ()),
            f"## What it needs of the machine\n\n{_machine(cost)}",
            f"## Serving\n\n{_serving(cost)}",
            f"## Measured\n\n{_measured(cost)}",
            "## Assumed\n\n"
            + table(
                ["what", "value", "source"],
                [
                    *([f"{size.name}", _sum(size), size.source] for size in SIZES),
                    *_ASSUMPTIONS,
                ],
            ),
        )
    )


def _sum(size: Size) -> str:
    return (
        f"{size.asked:,} projects asked for, {size.projects:,} kept, {size.files:,} files, "
        f"{_bytes(size.bytes)}, {size.share:.3g} of each day's files"
    )


def _first_sync(cost: Costs) -> str:
    rows = []
    for size in SIZES:
        cells = []
        for _, speed in _WIRES:
            limits = bounds(size, cost, speed)
            limit = max(limits, key=limits.__getitem__)
            cells.append(f"{_time(limits[limit])} ({limit})")
        rows.append(
            [size.name, f"{requests(size):,.0f}", _time(processor_seconds(size, cost)), *cells],
        )
    head = ["mirror", "requests", "processor time", *(f"time at {name}" for name, _ in _WIRES)]
    return table(head, rows) + (
        "\nIn brackets is what sets the time: the wire (all bytes), round trips (all requests, so many at\n"
        "once), or processors (reading, hashing, writing). At 10 Gbit/s the disks have to write more than\n"
        "1 GB/s to keep up.\n"
    )


def _every_day(cost: Costs) -> str:
    everything = SIZES[0]
    rows = []
    for size in SIZES:
        files = _FILES_A_DAY * size.share
        changed = min(_CHANGED_A_DAY, _CHANGED_A_DAY * size.asked / everything.asked)
        asked = _RUNS_A_DAY * cost.idle_requests + changed + files * (1 + _WITH_METADATA + _WITH_PROVENANCE)
        volume = files * everything.bytes / everything.files
        rows.append(
            [
                size.name,
                f"{files:,.0f}",
                _bytes(volume),
                f"{asked:,.0f}",
                *(_time(volume * 8 / (speed * _OPTIMISM)) for _, speed in _WIRES),
            ]
        )
    return table(
        ["mirror", "new files", "bytes", "requests", *(f"transfer at {name}" for name, _ in _WIRES)], rows
    ) + (
        f"\nA run that finds nothing new takes {cost.idle_run:.1f} s and {cost.idle_requests:.0f} requests "
        "whatever the mirror's size;\n"
        f"planning and publishing with a million projects takes {cost.plan:.1f} s and "
        f"{_bytes(cost.plan_memory)}.\n"
    )


def _closures(results: Results) -> str:
    """By what case M cost for each project that was followed."""
    first = _medians(results, "M")
    rows = [
        [
            f"{roots:,}",
            f"{projects:,}",
            f"{first['requests'] / first['projects'] * projects:,.0f}",
            _time(first["cpu"] / first["projects"] * projects),
            _bytes(first["bytes"] / first["projects"] * projects),
            source,
        ]
        for roots, projects, source in CLOSURES
    ]
    return (
        "What `follow = yes` adds to a first sync, files not counted; metadata is kept for good:\n\n"
        + table(
            ["projects named", "with what they require", "requests", "processor time", "database", "source"],
            rows,
        )
    )


def _was_run(results: Results, letter: str) -> bool:
    return any(summary.letter == letter for summary in results.cases)


def _machine(cost: Costs) -> str:
    rows = [
        [
            size.name,
            _bytes(size.bytes),
            _bytes(size.files * cost.pages + size.projects * (cost.index + _INDEX_COMPRESSED) * 2),
            f"{inodes(size):,}",
            _bytes(size.files * cost.file_row + size.asked * cost.project_row),
            _bytes(max(cost.memory * _PROCESSES / 2, cost.plan_memory)),
        ]
        for size in SIZES
    ]
    return table(["mirror", "files", "pages and list of projects", "inodes", "database", "memory"], rows) + (
        "\nMemory is that of the processes of a sync: it grows with the number of batches at once, not with\n"
        "the mirror. An ext4 file system made with its defaults has an inode for each 16 KiB; the mirrors\n"
        f"above need one for each {_bytes(min(size.bytes / inodes(size) for size in SIZES))} or more.\n"
    )


def _serving(cost: Costs) -> str:
    index = SIZES[0].projects * _INDEX_COMPRESSED
    rows = []
    for name, speed in _WIRES:
        second = speed * _OPTIMISM / 8
        rows.append(
            [name, f"{second / cost.resolve_bytes:,.0f}", f"{second / index:,.1f}", _time(index / second)]
        )
    return (
        f"A client that resolves the closure of case J asks {cost.resolve_requests:,.0f} times and is sent "
        f"{_bytes(cost.resolve_bytes)},\nbefore the files that it installs. The list of all projects is "
        f"{_bytes(SIZES[0].projects * cost.index)} as JSON,\n{_bytes(index)} compressed; installers never "
        "ask for it, other mirrors and search tools do.\n\n"
        + table(["wire", "resolutions a second", "lists a second", "one list of all projects"], rows)
    )


def _measured(cost: Costs) -> str:
    rows: Sequence[Sequence[str]] = (
        ("processor time for a small file or `.metadata`, in total", _microseconds(cost.request), "A"),
        ("processor time for a page, in total", _microseconds(cost.page), "E"),
        ("processor time for a gigabyte of large files", f"{cost.byte * 1e9:.2f} s", "D"),
        ("database for a file", f"{cost.file_row:,.0f} bytes", "I"),
        ("database for a project and its place in a plan", f"{cost.project_row:,.0f} bytes", "I"),
        ("pages on disk for a file, its project's share included", f"{cost.pages:,.0f} bytes", "A"),
        ("list of all projects for each, not compressed", f"{cost.index:,.0f} bytes", "G"),
        ("peak memory of a sync in two processes", _bytes(cost.memory), "A"),
    )
    return table(["what", "value", "case"], rows)


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs"


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.3g} {unit}"
    return f"{count:.0f} bytes"


def _time(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.3g} {unit}"
    return f"{seconds:.3g} s"
