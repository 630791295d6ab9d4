"""The pages of this project, and their fenced blocks: what a reader would copy."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# These are made by `make bench`, docs/options.md by tests/docs/test_options_page.py.
FROM_RESULTS = frozenset({"benchmark.md", "capacity.md"})
PAGES = (
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in FROM_RESULTS),
)

_FENCE = re.compile(
    r"(?:^<!-- test: (?P<hook>[^>]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A line behind ``$``, and what it is shown to print: a line each, ``…`` for what differs."""

    line: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """``section`` is the heading of second order above it, ``hook`` what the test has to do before it."""

    page: Path
    section: str
    kind: str
    text: str
    hook: str | None

    @property
    def commands(self) -> tuple[Command, ...]:
        """Of a ``console`` block; a line ending with a backslash goes on in the next one."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line:
                found[-1][1].append(line)
        return tuple(Command(line=line, shown=tuple(shown)) for line, shown in found)


def blocks_of(page: Path) -> tuple[Block, ...]:
    """In the order of the page."""
    text = page.read_text()
    headings = [(match.start(), match[1]) for match in re.finditer(r"^## (.+)$", text, re.MULTILINE)]
    return tuple(
        Block(
            page=page,
            section=next((title for start, title in reversed(headings) if start < found.start()), ""),
            kind=found["kind"],
            text=found["text"],
            hook=found["hook"],
        )
        for found in _FENCE.finditer(text)
    )


def anchors_of(page: Path) -> frozenset[str]:
    """What a link to a heading of the page names it by, in browsers of the site and of the repository."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings)
