"""The few figures of the README and of docs/sizing.md, between two marks each, made from the results."""

from pathlib import Path

from bench.results import Results
from bench.summary import Ratio, Summary

_BEGIN = "<!-- figures: made by `make bench`, do not edit -->\n"
_END = "<!-- end of figures -->\n"
NO_RUN = "No run is recorded yet: `make bench` makes one.\n"
_OTHER = "bandersnatch"
# The cases in which both of them mirror something.
_SYNCS = "ABCDEFG"


def figures(results: Results) -> str:
    """How long ours takes where bandersnatch takes a minute; a line a case, at the median of the rounds."""
    compared = [s for s in results.cases if s.letter in _SYNCS and _ratios(s)]
    lines = [
        f"Where bandersnatch 8.2.0 takes a minute, ours takes, on {results.machine.removesuffix('.')}:\n",
        *(f"- {_share(summary)} for {summary.letter}, {summary.title}" for summary in compared),
        "\n[benchmark.md](benchmark.md) has every figure, how it was measured and where time goes;",
        "[capacity.md](capacity.md) computes from it what mirrors of four sizes take.\n",
    ]
    return "\n".join(lines)


def headline(results: Results) -> str:
    """The README's one line: the first sync, case A."""
    first = next((s for s in results.cases if s.letter == _SYNCS[0] and _ratios(s)), None)
    if first is None:
        return NO_RUN
    return (
        f"A first sync of many small wheels takes {_share(first)} where bandersnatch 8.2.0 takes\n"
        "a minute; [Size and speed](docs/sizing.md#how-fast) has the other cases.\n"
    )


def _share(summary: Summary) -> str:
    return f"{60 * _ratios(summary)[0].median:.1f} s"


def _ratios(summary: Summary) -> list[Ratio]:
    return [ratio for ratio in summary.ratios if (ratio.to, ratio.figure) == (_OTHER, "wall")]


def block_in(page: str) -> str:
    """What stands between the marks; SystemExit when they are gone."""
    _, begin, rest = page.partition(_BEGIN)
    inside, end, _ = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"bench: a page has no place for figures, from {_BEGIN.strip()} to {_END.strip()}")
    return inside


def write_block(page: Path, block: str) -> None:
    """Replace what stands between the marks of ``page``."""
    text = page.read_text()
    page.write_text(text.replace(_BEGIN + block_in(text) + _END, _BEGIN + block + _END))
