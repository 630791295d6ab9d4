"""The fenced blocks of a page of ours: what a reader would copy."""

import re
from dataclasses import dataclass
from pathlib import Path

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
            section=next((title for start, title in reversed(headings) if start < found.start()), ""),
            kind=found["kind"],
            text=found["text"],
            hook=found["hook"],
        )
        for found in _FENCE.finditer(text)
    )
