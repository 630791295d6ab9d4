"""An upstream that means harm, in all that it says.

In the names, addresses, sizes, digests and texts of projects, in its index and its changelog, by pages that
never end and by files that change. All projects that lie come in one run together, with honest ones between;
what is about memory, and what spoils the answer to the question what has changed, has runs of its own over a
mirror that is filled.
"""

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pypi_mirror.settings.values import Site as NginxSite
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.hostile import changes, combinations, honest, indexes, projects
from tests.torture.hostile.judge import judge_tree, surroundings
from tests.torture.hostile.projects import Cost
from tests.torture.hostile.run import DEADLINE, Came, settings_for, sync_apart
from tests.torture.hostile.server import Site, running

_MOST_MEMORY = 300 * 1024 * 1024
# Until the end of a call is seen here, on a machine that is busy with other things, too.
_GRACE = 12.0
_ALLOWED: Mapping[Cost, frozenset[Cost]] = {
    Cost.PAGE: frozenset({Cost.PAGE}),
    Cost.FILE: frozenset({Cost.FILE}),
    Cost.VALUE: frozenset({Cost.VALUE}),
    Cost.NOTHING: frozenset({Cost.NOTHING}),
    Cost.AT_MOST_VALUE: frozenset({Cost.VALUE, Cost.NOTHING}),
    Cost.AT_MOST_FILE: frozenset({Cost.FILE, Cost.VALUE, Cost.NOTHING}),
    Cost.ANYTHING: frozenset({Cost.PAGE, Cost.FILE, Cost.VALUE, Cost.NOTHING, Cost.ANYTHING}),
}


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """Where a campaign happens: ``base`` holds the mirror and, beside it, what must stay as it is."""

    base: Path
    wrong: list[Wrong]
    peaks: dict[str, int]
    held: dict[str, float]

    @property
    def mirror(self) -> Path:
        return self.base / "mirror"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    def prepare(self) -> None:
        self.outside.mkdir(parents=True)
        (self.outside / "kept.txt").write_text("as it was")
        (self.base / "etc").mkdir()

    def copy(self, name: str) -> "_Ground":
        """The same in another place, for one case."""
        base = self.base.parent / name
        shutil.copytree(self.base, base, symlinks=True)
        return replace(self, base=base)

    def sync(self, site: Site, case: str) -> Came | None:
        """A run; what is wrong whatever the case is, is noted."""
        before = surroundings(self.base, self.mirror)
        site.held.clear()
        try:
            came = sync_apart(self.mirror, site.url)
        except RuntimeError as error:
            self.wrong.append(Wrong(kind="run died", detail=f"{case}: {error}"))
            return None
        self.peaks[case] = came.peak
        if came.peak > _MOST_MEMORY:
            self.wrong.append(Wrong(kind="memory", detail=f"{case}: {came.peak >> 20} MB"))
        for path, seconds in site.held.items():
            self.held[case] = max(self.held.get(case, 0.0), seconds)
            if seconds > DEADLINE + _GRACE:
                detail = f"{case}: {path} was listened to for {seconds:.0f} s"
                self.wrong.append(Wrong(kind="deadline", detail=detail))
        if surroundings(self.base, self.mirror) != before:
            self.wrong.append(Wrong(kind="written elsewhere", detail=f"{case}: beside the mirror"))
        settings = replace(settings_for(self.mirror, site.url), site=NginxSite())
        self.wrong.extend(replace(each, detail=f"{case}: {each.detail}") for each in judge_tree(settings))
        return came


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    ground = _Ground(base=directory / "together", wrong=[], peaks={}, held={})
    ground.prepare()
    together = [*(case for case in projects.CASES if not case.alone), *combinations.CASES]
    alone: list[projects.Case | indexes.Case | changes.Case] = [
        *(case for case in projects.CASES if case.alone),
        *indexes.CASES,
        *changes.CASES,
    ]
    # All of them, unless this is the short version: then those that cost a run of their own are drawn.
    if goal < CAMPAIGN.at_least:
        alone = chance.sample(alone, min(len(alone), max(3, goal)))
    with running(Site()) as site:
        _together(ground, site, together)
        done = len(together)
        filled = _filled(directory, ground)
        with_mirror = _sync_honest(filled, site)
        for number, case in enumerate(alone if with_mirror else ()):
            place = filled.copy(f"case-{number}")
            site.answers = honest.upstream()
            match case:
                case projects.Case():
                    _alone(place, site, case)
                case indexes.Case():
                    _index(place, site, case)
                case changes.Case():
                    _changes(place, site, case)
            shutil.rmtree(place.base)
            done += 1
    longest = max(ground.held, key=ground.held.__getitem__)
    highest = sorted(ground.peaks.items(), key=lambda each: -each[1])[:4]
    return Outcome(
        done=done,
        wrong=tuple(ground.wrong),
        notes=(
            f"most memory: {', '.join(f'{peak >> 20} MB ({name})' for name, peak in highest)}",
            f"longest call: {ground.held[longest]:.1f} s of {DEADLINE:.0f} ({longest})",
            f"{len(together)} projects in one run, {len(alone)} cases with runs of their own",
        ),
    )


def _filled(directory: Path, ground: _Ground) -> _Ground:
    filled = replace(ground, base=directory / "filled")
    filled.prepare()
    return filled


def _sync_honest(ground: _Ground, site: Site) -> bool:
    site.answers = honest.upstream()
    came = ground.sync(site, "honest projects alone")
    if came is None or came.state != "success":
        ground.wrong.append(Wrong(kind="another project affected", detail=f"honest projects alone: {came}"))
        return False
    return True


def _together(ground: _Ground, site: Site, cases: list[projects.Case]) -> None:
    """Each case is a new project, and one that the mirror has had before, which shows what it costs that."""
    new = {f"new-{number:03}": case for number, case in enumerate(cases)}
    known = {f"known-{number:03}": case for number, case in enumerate(cases)}
    site.answers = honest.upstream(*known)
    site.answers["/simple/"] = honest.root([*honest.NAMES, *known], serial=6)
    for name in known:
        site.add(projects.before(name))
    came = ground.sync(site, "all projects before")
    if came is None or came.state != "success":
        detail = f"all projects before: {came and (came.state, came.error, len(came.failures))}"
        ground.wrong.append(Wrong(kind="another project affected", detail=detail))
        return
    had = _pages(ground.mirror)
    named = new | known
    site.answers = honest.upstream(*named)
    for name, case in named.items():
        site.add(case.answers(name, str(ground.outside)))
    came = ground.sync(site, "all projects together")
    if came is None:
        return
    if came.error:
        detail = f"all projects together: the run ended: {came.error}"
        ground.wrong.append(Wrong(kind="another project affected", detail=detail))
        return
    for name, case in named.items():
        ground.wrong.extend(_judge_case(ground, came, name, case, had.get(f"{name}/index.v1_json")))
    if unexpected := came.failures.keys() - named.keys():
        detail = f"all projects together: {sorted(unexpected)} failed"
        ground.wrong.append(Wrong(kind="another project affected", detail=detail))


def _alone(ground: _Ground, site: Site, case: projects.Case) -> None:
    site.answers = honest.upstream("hostile")
    site.answers["/simple/"] = honest.root([*honest.NAMES, "hostile"], serial=9)
    site.add(case.answers("hostile", str(ground.outside)))
    came = ground.sync(site, case.name)
    if came is not None and came.error:
        detail = f"{case.name}: the run ended: {came.error}"
        ground.wrong.append(Wrong(kind="another project affected", detail=detail))
    elif came is not None:
        ground.wrong.extend(_judge_case(ground, came, "hostile", case, None))


def _judge_case(
    ground: _Ground, came: Came, name: str, case: projects.Case, had: bytes | None
) -> Iterator[Wrong]:
    """It costs what it may, the good file is yanked unless the page cannot be read, and what is missing is
    named. ``had`` is the page of the run before.
    """
    left_out = came.left_out.get(name, [])
    said = [*filter(None, [came.failures.get(name)]), *(reason for *_, reason in left_out)]
    page = _pages(ground.mirror, name).get(f"{name}/index.v1_json")
    what = f"{case.name} ({name})"
    costs, follows = _cost(page, had, name, said, left_out)
    if costs not in _ALLOWED[case.costs]:
        detail = f"{what}: costs {costs.value}, not {case.costs.value}: {said}"
        yield Wrong(kind="costs too much or too little", detail=detail)
    elif not follows and not case.alone:
        yield Wrong(kind="not followed", detail=f"{what}: the good file is not as upstream says: {said}")
    elif case.reason not in " ".join(said):
        yield Wrong(kind="not named", detail=f"{what}: not for being what it is: {said}")
    if costs is Cost.PAGE and name not in came.failures:
        yield Wrong(kind="not named", detail=f"{what}: no failure: {said}")


def _cost(
    page: bytes | None,
    had: bytes | None,
    name: str,
    said: list[str],
    left_out: list[tuple[str | None, str | None, str]],
) -> tuple[Cost, bool]:
    """What the case has cost, and whether the page follows upstream in all else."""
    if page is None or page == had:
        return Cost.PAGE, page == had
    files = {file["filename"]: file for file in json.loads(page)["files"]}
    good = files.pop(projects.good_file(name), {})
    follows = good.get("yanked") == projects.YANKED
    if not files:
        # What is missing and not named is no cost that any case may have.
        return (Cost.FILE if said else Cost.ANYTHING), follows
    return (Cost.VALUE if left_out else Cost.NOTHING), follows


def _index(ground: _Ground, site: Site, case: indexes.Case) -> None:
    before = _pages(ground.mirror)
    site.add(case.answers)
    came = ground.sync(site, case.name)
    if came is None:
        return
    if case.believed is not None and (came.state == "success") != case.believed:
        ground.wrong.append(
            Wrong(kind="refused" if case.believed else "not refused", detail=f"{case.name}: {came}")
        )
    if came.state != "success" and not came.error and not came.failures:
        ground.wrong.append(Wrong(kind="not named", detail=f"{case.name}: {came}"))
    if _pages(ground.mirror) != before:
        ground.wrong.append(Wrong(kind="another project affected", detail=f"{case.name}: pages changed"))


def _changes(ground: _Ground, site: Site, case: changes.Case) -> None:
    """Two or more runs; the last one has to refuse ``case.refused``, and what it had is served as before."""
    came = None
    for step, answers in enumerate(case.steps):
        site.answers = honest.upstream()
        site.add(answers)
        site.answers["/simple/"] = honest.root([*honest.NAMES, *case.listed], serial=9 + step)
        came = ground.sync(site, f"{case.name}, step {step + 1}")
        if came is None:
            return
    refused = {case.refused} - {None}
    if came is not None and came.failures.keys() != refused:
        ground.wrong.append(Wrong(kind="not refused", detail=f"{case.name}: {came}"))
    served = _pages(ground.mirror)
    for name in case.served:
        if f"{name}/index.v1_json" not in served:
            ground.wrong.append(Wrong(kind="another project affected", detail=f"{case.name}: {name} is gone"))


def _pages(mirror: Path, name: str = "*") -> Mapping[str, bytes]:
    simple = mirror / "web/simple"
    return {
        path.relative_to(simple).as_posix(): path.read_bytes()
        for path in simple.glob(f"{name}/index.v1_json")
        if path.is_file()
    }


CAMPAIGN = Campaign(
    name="hostile-upstream",
    what="hostile upstream cases",
    wrong="written outside the mirror, unescaped output, other projects affected, memory above 300 MB, "
    "a call beyond its deadline",
    at_least=200,
    unit="cases",
    run=run,
)
