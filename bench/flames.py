"""Where a run's time went: from a sampler's stacks to sums by part of the engine, and to a flame graph.

A stack is a tuple of frames, the outermost first, each ``function (file)``; its weight is the number of
samples that met it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

Stack = tuple[str, ...]

_FRAME = re.compile(r"^(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")
_ENGINE = "pypi_mirror/"
_LOOP = ("asyncio/", "selectors.py")
_IMPORTING = ("<frozen importlib", "<frozen zipimport")
# The engine's folders and modules, by what they do for a project; the first that fits.
_PARTS: Mapping[str, str] = {
    "transport/": "transfers (libcurl)",
    "pool/": "files: digest and write",
    "disk/": "disk: temporary files, renames, flushes",
    "pages/": "pages: rendering and compressing",
    "upstream/": "upstream's pages: reading and checking",
    "policy/": "policy",
    "ledger/": "ledger",
    "fetching/": "projects: deciding and ordering",
    "settings/": "settings",
    "cli/": "command line and its processes",
}
STARTING = "starting: imports"
LOOP = "event loop, its waiting included"
OTHER = "everything else"
# What a process does before its first function and after its last one.
INTERPRETER = "Python itself: starting and ending"


def parse_stacks(text: str) -> dict[Stack, int]:
    """py-spy's raw format: frames with ``;`` between them, a space, the number of samples; a stack a line.

    Line numbers go, and so does what is no function: a process with its command line, which would make two
    runs of one program different.
    """
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        stack = tuple(_frame(frame) for frame in frames.split(";") if _FRAME.match(frame))
        stacks[stack or (INTERPRETER,)] += int(count)
    return dict(stacks)


def _frame(text: str) -> str:
    match = _FRAME.match(text)
    assert match is not None  # noqa: S101 - asked for by the caller
    return f"{match['function']} ({match['file']})"


def part_of(stack: Stack) -> str:
    """The part of the program that a stack's time belongs to: that of the engine's innermost function."""
    if stack == (INTERPRETER,):
        return INTERPRETER
    if any(mark in frame for frame in stack for mark in _IMPORTING):
        return STARTING
    for depth in range(len(stack) - 1, -1, -1):
        function, _, file = stack[depth].rpartition(" (")
        if _ENGINE in file:
            if function == "<module>":
                return STARTING
            below = stack[depth + 1 :]
            if any(f" ({mark}" in frame for frame in below for mark in _LOOP):
                return LOOP
            module = file.rpartition(_ENGINE)[2]
            return next((part for start, part in _PARTS.items() if module.startswith(start)), OTHER)
    return LOOP if any(f" ({mark}" in frame for frame in stack for mark in _LOOP) else OTHER


def by_part(stacks: Mapping[Stack, int]) -> dict[str, int]:
    """Samples of each part, the largest first."""
    sums: Counter[str] = Counter()
    for stack, count in stacks.items():
        sums[part_of(stack)] += count
    return dict(sums.most_common())


def by_function(stacks: Mapping[Stack, int], most: int) -> dict[str, int]:
    """Samples that the ``most`` costliest functions of the engine have to answer for themselves: their own,
    and those of what they call outside of the engine."""
    sums: Counter[str] = Counter()
    for stack in stacks:
        own = next((f for f in reversed(stack) if _ENGINE in f.rpartition(" (")[2]), None)
        if own is not None and part_of(stack) not in (STARTING, LOOP):
            sums[own] += stacks[stack]
    return dict(sums.most_common(most))


@dataclass(slots=True)
class _Node:
    weight: int = 0
    children: dict[str, "_Node"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Box:
    frame: str
    depth: int
    start: float
    weight: int


_WIDTH, _LINE, _TOP = 1200, 16, 30
# A box narrower than this many pixels is left out, with all on top of it: it could not be seen.
_NARROWEST = 3.0
_PIXELS_A_LETTER = 6.6
_COLOURS = (("pypi_mirror/", "#7fb0e0"), ("asyncio/", "#c9d8a0"), ("sqlalchemy/", "#e6c07a"))
_COLOUR = "#dcdcdc"


def flame_graph(stacks: Mapping[Stack, int], title: str) -> str:
    """The stacks as an SVG without scripts: a box a function, as wide as its share, callers below."""
    root = _Node()
    for stack, count in sorted(stacks.items()):
        node = root
        node.weight += count
        for frame in stack:
            if any(mark in frame for mark in _IMPORTING):
                continue  # five of them stand between one module and the next that it imports
            node = node.children.setdefault(frame, _Node())
            node.weight += count
    scale = _WIDTH / max(root.weight, 1)
    boxes = [box for box in _boxes(root, 0, 0.0) if box.weight * scale >= _NARROWEST]
    depth = 1 + max((box.depth for box in boxes), default=0)
    height = _TOP + depth * _LINE + 8
    shapes = "".join(_shape(box, scale, height, root.weight) for box in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="10.5" fill="#222"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="6" y="18" font-size="14">{escape(title)}</text>{shapes}</svg>\n'
    )


def _boxes(node: _Node, depth: int, start: float) -> Iterator[_Box]:
    for frame, child in sorted(node.children.items()):
        yield _Box(frame, depth, start, child.weight)
        yield from _boxes(child, depth + 1, start)
        start += child.weight


def _shape(box: _Box, scale: float, height: int, total: int) -> str:
    x, width = box.start * scale, box.weight * scale
    y = height - 8 - (box.depth + 1) * _LINE
    share = f"{100 * box.weight / total:.1f} %"
    function, _, file = box.frame.rpartition(" (")
    colour = next((c for mark, c in _COLOURS if mark in file), _COLOUR)
    letters = int((width - 4) / _PIXELS_A_LETTER)
    short = file.rstrip(")") if function == "<module>" else function
    label = box.frame if len(box.frame) <= letters else short[:letters]
    text = f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(label)}</text>' if letters >= 4 else ""
    return (
        f"<g><title>{escape(box.frame)}: {share}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width - 0.4:.1f}" height="{_LINE - 1}" fill="{colour}"/>'
        f"{text}</g>"
    )
