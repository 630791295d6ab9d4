"""The README's few figures, between two marks: made from the results, so that nobody has to remember them."""

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
        "\n[docs/benchmark.md](docs/benchmark.md) has every figure, how it was measured and where time goes;",
        "[docs/capacity.md](docs/capacity.md) computes from it what mirrors of four sizes take.\n",
    ]
    return "\n".join(lines)


def _share(summary: Summary) -> str:
    return f"{60 * _ratios(summary)[0].median:.1f} s"


def _ratios(summary: Summary) -> list[Ratio]:
    return [ratio for ratio in summary.ratios if (ratio.to, ratio.figure) == (_OTHER, "wall")]


def figures_in(readme: str) -> str:
    """What stands between the marks; SystemExit when they are gone."""
    _, begin, rest = readme.partition(_BEGIN)
    inside, end, _ = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(
            f"bench: README.md has no place for figures, from {_BEGIN.strip()} to {_END.strip()}"
        )
    return inside


def write_figures(readme: Path, results: Results) -> None:
    """Replace what stands between the marks of ``readme``."""
    text = readme.read_text()
    old = figures_in(text)
    readme.write_text(text.replace(_BEGIN + old + _END, _BEGIN + figures(results) + _END))
