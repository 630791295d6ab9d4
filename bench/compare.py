"""What got worse since other results by more than the noise: ratios alone, which machines have in common."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.results import Results
from bench.summary import Ratio, Summary


def worse(now: Results, before: Results) -> Iterator[str]:
    """A line for each ratio that is greater in every round than in any round of ``before``.

    Cases are matched by their letter and their place among those of that letter, since titles name sizes.
    """
    if now.scale != before.scale:
        yield (
            f"compared with results at {before.scale:g} of full size, these are at {now.scale:g}: starting "
            "and ending weigh more in smaller cases"
        )
    known = dict(_numbered(before.cases))
    for place, summary in _numbered(now.cases):
        if place not in known:
            yield f"{summary.letter}. {summary.title}: not in those results"
            continue
        earlier = {(ratio.figure, ratio.to): ratio for ratio in known[place].ratios}
        for ratio in summary.ratios:
            then = earlier.get((ratio.figure, ratio.to))
            if then is not None and ratio.least > then.greatest:
                yield _said(summary, ratio, then)


def _numbered(cases: Sequence[Summary]) -> Iterator[tuple[tuple[str, int], Summary]]:
    seen: Counter[str] = Counter()
    for summary in cases:
        seen[summary.letter] += 1
        yield (summary.letter, seen[summary.letter]), summary


def _said(summary: Summary, ratio: Ratio, then: Ratio) -> str:
    return (
        f"{summary.letter}. {summary.title}: {ratio.figure} over {ratio.to} was {then.median:.3g} (at most "
        f"{then.greatest:.3g}), is {ratio.median:.3g} (at least {ratio.least:.3g})"
    )
