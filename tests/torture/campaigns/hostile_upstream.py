"""An upstream that means harm, in all that it says.

In the names, addresses, sizes, digests and texts of projects, in its index and its changelog, by pages that
never end and by files that change. All projects that lie come in one run together, with honest ones between;
so do, run by run, all that change. What is about memory, and what spoils the answer to the question what has
changed, has runs of its own over a mirror that is filled.
"""

import math
import queue
import random
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.torture.campaign import Campaign, Outcome
from tests.torture.hostile import (
    changes,
    combinations,
    honest,
    indexes,
    markup,
    mixtures,
    numbers,
    projects,
    verdicts,
)
from tests.torture.hostile.ground import Found, Ground
from tests.torture.hostile.run import DEADLINE, Runs
from tests.torture.hostile.server import Site, running

# So many runs at a time: what drips makes its own wait, and nobody else.
_AT_ONCE = 4
# Events with several things wrong; each takes a run of its own.
_DRAWN_EVENTS = 60

_Alone = projects.Case | indexes.Case


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    found = Found()
    together = [*(case for case in projects.CASES if not case.alone), *combinations.CASES]
    alone: list[_Alone] = [
        *(case for case in projects.CASES if case.alone),
        *indexes.CASES,
        *combinations.INDEXES,
        *numbers.CASES,
        *markup.CASES,
        *numbers.drawn(chance, _DRAWN_EVENTS),
    ]
    changing = list(changes.CASES)
    # Every one of them, unless this is a short version: then those are drawn that cost further runs.
    share = goal / CAMPAIGN.at_least
    if share < 1:
        alone = chance.sample(alone, max(3, math.ceil(len(alone) * share)))
        changing = chance.sample(changing, max(30, math.ceil(len(changing) * share)))
    mixed = list(mixtures.drawn(chance, max(0, goal - len(together) - len(alone) - len(changing))))
    with _grounds(directory / "together", found) as ground:
        _together(ground, together, mixed)
        _changes(ground.at("changes"), changing)
    _each_alone(directory, found, alone)
    longest = max(found.held, key=found.held.__getitem__)
    highest = sorted(found.peaks.items(), key=lambda each: -each[1])[:4]
    return Outcome(
        done=len(together) + len(mixed) + len(changing) + len(alone),
        wrong=tuple(found.wrong),
        notes=(
            f"most memory: {', '.join(f'{peak >> 20} MB ({name})' for name, peak in highest)}",
            f"longest call: {found.held[longest]:.1f} s of {DEADLINE:.0f} ({longest})",
            f"{len(together)} projects in one run, {len(mixed)} with several things wrong in the same",
            f"{len(changing)} cases of projects that change in {changes.STEPS} runs",
            f"{len(alone)} cases with runs of their own",
        ),
    )


@contextmanager
def _grounds(directory: Path, found: Found) -> Iterator[Ground]:
    """An upstream, and an empty place for the first mirror of it."""
    with running(Site()) as site, Runs() as runs:
        yield Ground(base=directory / "nowhere", site=site, runs=runs, found=found).at("first")


def _together(ground: Ground, single: list[projects.Case], mixed: list[projects.Case]) -> None:
    """Each case is a project that the mirror has had before, which shows what it costs that, and, but for
    those of several things wrong, a new one.
    """
    named = {f"new-{number:04}": case for number, case in enumerate(single)}
    known = {f"known-{number:04}": case for number, case in enumerate([*single, *mixed])}
    site = ground.site
    site.answers = honest.upstream(*known)
    site.answers["/simple/"] = honest.root([*honest.NAMES, *known], serial=6)
    for name in known:
        site.add(projects.before(name))
    if ground.sync_well("all projects before") is None:
        return
    had = ground.pages()
    named |= known
    site.answers = honest.upstream(*named)
    for name, case in named.items():
        site.add(case.answers(name, str(ground.outside)))
    came = ground.sync("all projects together")
    if came is None:
        return
    if came.error:
        ground.found.add("another project affected", f"all projects together: the run ended: {came.error}")
        return
    for name, case in named.items():
        verdicts.judge_project(ground, came, name, case, had.get(name))
    if unexpected := came.failures.keys() - named.keys():
        ground.found.add("another project affected", f"all projects together: {sorted(unexpected)} failed")


def _changes(ground: Ground, cases: Iterable[changes.Case]) -> None:
    """Each case is one or two projects; in each run all of them take a step."""
    named = {f"changed-{number:04}": case for number, case in enumerate(cases)}
    had = ground.pages()
    for step in range(changes.STEPS):
        listed: dict[str, int | None] = dict.fromkeys(honest.NAMES, 7)
        ground.site.answers = honest.upstream()
        for name, case in named.items():
            more, answers = case.step(step, name)
            listed |= more
            ground.site.add(answers)
        ground.site.answers["/simple/"] = honest.root_of(listed, serial=changes.FIRST_SERIAL + step)
        had = ground.pages()
        what = f"all that changes, step {step + 1}"
        # What the older pages are replayed against takes files off many pages, more than any guard lets go.
        came = ground.sync(what, is_guarded=False)
        if came is None or came.error:
            ground.found.add("another project affected", f"{what}: {came and came.error}")
            return
        if step == changes.STEPS - 1:
            for name, case in named.items():
                verdicts.judge_change(ground, came, name, case, had)


def _each_alone(directory: Path, found: Found, cases: Iterable[_Alone]) -> None:
    waiting: queue.SimpleQueue[tuple[int, _Alone]] = queue.SimpleQueue()
    for each in enumerate(cases):
        waiting.put(each)

    def work(worker: int) -> None:
        with _grounds(directory / f"alone-{worker}" / "x", found) as ground:
            of_json, of_html = ground.at("json"), ground.at("html")
            of_json.site.answers = honest.upstream()
            if of_json.sync_well("honest projects alone") is None:
                return
            of_html.site.answers = honest.upstream(is_html=True)
            if of_html.sync_well("honest projects alone, in HTML") is None:
                return
            while True:
                try:
                    number, case = waiting.get_nowait()
                except queue.Empty:
                    return
                is_html = isinstance(case, indexes.Case) and case.is_html
                place = (of_html if is_html else of_json).copy(f"case-{number}")
                if isinstance(case, indexes.Case):
                    _index(place, case)
                else:
                    _alone(place, case)
                shutil.rmtree(place.base)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # What one of them raises is this campaign's end.
        list(pool.map(work, range(_AT_ONCE)))


def _alone(ground: Ground, case: projects.Case) -> None:
    site = ground.site
    site.answers = honest.upstream("hostile")
    site.answers["/simple/"] = honest.root([*honest.NAMES, "hostile"], serial=9)
    site.add(case.answers("hostile", str(ground.outside)))
    came = ground.sync(case.name)
    if came is not None and came.error:
        ground.found.add("another project affected", f"{case.name}: the run ended: {came.error}")
    elif came is not None:
        verdicts.judge_project(ground, came, "hostile", case, None)


def _index(ground: Ground, case: indexes.Case) -> None:
    """The hostile answer changes nothing; the honest one afterwards is followed."""
    before = ground.pages()
    ground.site.answers = honest.upstream(is_html=case.is_html)
    ground.site.add(case.answers)
    came = ground.sync(case.name)
    if came is None:
        return
    verdicts.judge_index(ground, came, case, before)
    ground.site.answers = honest.upstream(later=True, is_html=case.is_html)
    what = f"{case.name}: what is honest afterwards"
    after = ground.sync_well(what)
    if after is not None and b"taken back" not in ground.pages("honest-a").get("honest-a", b""):
        ground.found.add("frozen", f"{what} is not followed: {after.warnings}")


CAMPAIGN = Campaign(
    name="hostile-upstream",
    what="hostile upstream cases",
    wrong="written outside the mirror, unescaped output, other projects affected, memory above 300 MB, "
    "a call beyond its deadline",
    at_least=1_600,
    unit="cases",
    run=run,
)
