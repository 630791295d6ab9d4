"""Resolvers that judge: through the mirror they find what they find upstream."""

import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from packaging.version import Version

from pypi_mirror.model import RunState
from pypi_mirror.observing.dependencies import Dependencies as DependenciesFound
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_sdists import SourceArchives
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from pypi_mirror.settings.values import Site
from tests.dependencies.graphs import Graph, make_graph
from tests.dependencies.resolvers import EVERYWHERE, USUAL, Answer, MakeResolver, Question, Resolver, Uv
from tests.nginx_process import NginxProcess
from tests.runs.bench import Bench, make_bench
from tests.webserver.sites import free_port

# What can be left out of what is required, by the option that does.
CUTS: Final = ("keep-latest", "stop-at", "blocklist", "constraints", "sdists")
_CEILINGS: Final = ("<2", ">=2", "<=1.1", "!=2.0")
# What of the unmet is so because of the mirror: by a filter, or since nothing is built here.
_OURS: Final = re.compile(r"\[[a-z]+\] |nobody can tell")
# Of that, whole projects.
_REFUSED: Final = re.compile(r"\[dependencies\] stop-at|\[blocklist\] packages lists [^<>=]*\Z")
# What is served, and the machines of it, as uv names them.
_SERVED: Final[tuple[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ...]] = (
    (
        ("linux x86_64, CPython 3.11 to 3.12, glibc 2.28",),
        (("3.11", "x86_64-manylinux_2_28"), ("3.12", "x86_64-manylinux_2_28")),
    ),
    (
        ("linux x86_64, CPython 3.12, musl 1.2", "windows amd64, CPython 3.11"),
        (("3.12", "x86_64-unknown-linux-musl"), ("3.11", "x86_64-pc-windows-msvc")),
    ),
    (("macos arm64, CPython 3.11, macOS 14.0",), (("3.11", "aarch64-apple-darwin"),)),
    (
        (),
        (
            ("3.11", "x86_64-manylinux_2_28"),
            ("3.12", "x86_64-pc-windows-msvc"),
            ("3.9", "aarch64-apple-darwin"),
            ("3.11", EVERYWHERE),
            ("3.12", EVERYWHERE),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A question with two answers, which nothing explains."""

    seed: int
    question: Question
    upstream: Answer
    mirror: Answer
    unmet: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.question}\nupstream: {self.upstream.found or self.upstream.said}\n"
            f"mirror: {self.mirror.found or self.mirror.said}\nunmet: {'; '.join(self.unmet)}"
        )


@dataclass(slots=True, kw_only=True)
class Judged:
    """How many questions were asked, how many had a solution, how many answers differed as the mirror had
    announced, and which otherwise.

    ``explained``: upstream answers the same without what is cut. ``preferred``: two solutions that both have,
    of which uv, for a reason that nobody found, takes another one here. ``excused``: a project is concerned
    of which no constraint says what is cut.
    """

    asked: int = 0
    solved: int = 0
    explained: int = 0
    excused: int = 0
    preferred: int = 0
    differences: list[Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A graph, what of it is mirrored, and the machines that are served."""

    seed: int
    graph: Graph
    policy: Policy
    machines: tuple[tuple[str, str], ...]
    constraints: tuple[str, ...] = ()

    @property
    def has_prereleases(self) -> bool:
        """Whether who asks for pre-releases finds them."""
        return self.policy.of(Dependencies).prerelease == "all"


def make_case(
    seed: int, projects: int, *, markers: str = "environments", prerelease: str = "all", cut: str = ""
) -> Case:
    """A case by ``seed``; with the ``markers`` any, others lock for all platforms; ``cut`` is of ``CUTS``."""
    chance = random.Random(seed)
    graph = make_graph(chance, projects)
    environments, machines = chance.choice(_SERVED)
    if markers == "any":
        machines += tuple((python, EVERYWHERE) for python in sorted({python for python, _ in machines}))
    names = sorted(set(graph.names) - {parse_package(each).project for each in graph.roots})
    some = chance.sample(names, max(1, len(names) // 10))
    constraints = tuple(f"{name}{chance.choice(_CEILINGS)}" for name in some) if cut == "constraints" else ()
    policy = Policy(
        AllowedPackages(packages=tuple(map(parse_package, graph.roots))),
        Dependencies(
            follow="yes",
            markers=markers,
            prerelease=prerelease,
            stop_at=tuple(map(parse_package, some)) if cut == "stop-at" else (),
        ),
        ServedEnvironments(environments=tuple(map(parse_environment, environments))),
        NewestReleases(keep_latest=chance.choice((1, 2)) if cut == "keep-latest" else None),
        BlockedPackages(
            packages=tuple(
                parse_package(f"{name}{chance.choice(('', '<2', '>=2'))}")
                for name in some
                if cut == "blocklist"
            )
        ),
        SourceArchives(sdists=chance.choice(("none", "needed")) if cut == "sdists" else "all"),
    )
    return Case(seed=seed, graph=graph, policy=policy, machines=machines, constraints=constraints)


def questions(case: Case, number: int) -> Iterator[Question]:
    """Questions about roots that the mirror has to answer."""
    chance = random.Random(case.seed + 1)
    roots = case.graph.roots
    for _ in range(number):
        python, platform = chance.choice(case.machines)
        constraints = tuple(
            f"{name}{chance.choice('<>')}{chance.choice(('=', ''))}{chance.choice(('1', '2', '1.1'))}"
            for name in chance.sample(case.graph.names, min(2, len(case.graph.names)))
        )
        yield Question(
            requirements=tuple(chance.sample(roots, chance.randint(1, len(roots)))),
            constraints=(*case.constraints, *(constraints if chance.random() < 0.3 else ())),
            resolution=chance.choice(("highest", "highest", "lowest", "lowest-direct")),
            prerelease=chance.choice((USUAL, USUAL, "allow")) if case.has_prereleases else USUAL,
            python=python,
            platform=platform,
        )


@contextmanager
def mirrored(directory: Path, case: Case) -> Iterator[Bench]:
    """The case's index, mirrored and served."""
    port = free_port()
    site = Site(port=port, prefix="", public_url=f"http://127.0.0.1:{port}")
    policy = case.policy
    if case.constraints:
        directory.mkdir(parents=True, exist_ok=True)
        (limits := directory / "constraints.txt").write_text("\n".join(case.constraints))
        followed = replace(policy.of(Dependencies), constraints=(str(limits),))
        policy = Policy(*(each for each in policy.filters if not isinstance(each, Dependencies)), followed)
    with make_bench(directory, *case.graph.events, policy=policy, site=site) as made:
        assert made.sync().state is RunState.SUCCESS
        with NginxProcess(made.settings):
            yield made


def judge(
    directory: Path,
    seed: int,
    *,
    projects: int,
    number: int,
    judges: Sequence[MakeResolver] | None = None,
    **options: str,
) -> Judged:
    """Ask ``number`` questions about a graph of ``projects``, upstream and the mirror, which ``options`` of
    ``make_case`` make; each of ``judges``, by default uv, is asked those that it can answer.
    """
    case = make_case(seed, projects, **options)
    judged = Judged(differences=[])
    with mirrored(directory / "mirror", case) as made, ThreadPoolExecutor(2) as both:
        with made.open() as mirror:
            found = dependencies(mirror)
        assert found is not None
        unmet = tuple(map(str, found.unmet))
        announced = Announced(found, made)
        indexes = f"{made.server.url}/simple/", f"{made.settings.site.public_url}/simple/"
        for make in judges or (Uv,):
            pair = [make(index=index, home=directory / f"home-{n}") for n, index in enumerate(indexes)]
            for question in filter(pair[0].answers, questions(case, number)):
                upstream, here = both.map(lambda one, question=question: one(question), pair)
                judged.asked += 1
                judged.solved += upstream.found is not None
                if upstream.found == here.found:
                    continue
                told = pair[0](announced.without(question))
                if told.found == here.found:
                    judged.explained += 1
                elif _both_have_both(question, *pair, upstream, here):
                    judged.preferred += 1
                elif announced.excuses(upstream, here, told):
                    judged.excused += 1
                else:
                    judged.differences.append(
                        Difference(seed=seed, question=question, upstream=upstream, mirror=here, unmet=unmet)
                    )
    return judged


class Announced:
    """What a mirror names that it leaves out: it may differ by that, and by nothing else."""

    def __init__(self, found: DependenciesFound, made: Bench) -> None:
        self._excluded: list[str] = []
        # For uv, a constraint that names a pre-release admits others.
        self._prereleases: list[str] = []
        # Of which no constraint says the same; what is cut for some machines is there for others.
        self._projects: set[str] = set()
        for cut in found.cut:
            listed = made.page(cut.project)["versions"]
            for version in cut.what.removeprefix(f"{cut.project} ").split(", "):
                is_prerelease = Version(version).is_prerelease
                if is_prerelease or version in listed:
                    self._projects.add(cut.project)
                if version not in listed:
                    excluded = self._prereleases if is_prerelease else self._excluded
                    excluded.append(f"{cut.project}!={version}")
        for unmet in found.unmet:
            if _REFUSED.match(unmet.reason):
                self._excluded.append(f"{unmet.project}<0.dev0")
            if _OURS.match(unmet.reason):
                self._projects.add(unmet.project)

    def without(self, question: Question) -> Question:
        """The question to upstream that is told to leave out the same."""
        more = self._prereleases if question.prerelease != USUAL else []
        return _without(question, [*self._excluded, *more])

    def excuses(self, *answers: Answer) -> bool:
        return any(self._projects & answer.concerns for answer in answers)


def _without(question: Question, excluded: Sequence[str]) -> Question:
    return replace(question, constraints=(*question.constraints, *excluded))


def _both_have_both(
    question: Question, upstream: Resolver, mirror: Resolver, there: Answer, here: Answer
) -> bool:
    """Whether each index has the solution of the other, and the mirror's has no other pre-releases."""
    if there.found is None or here.found is None:
        return False
    others = {each for each in here.pins - there.pins if Version(each.partition("==")[2]).is_prerelease}
    return (
        (question.prerelease != USUAL or not others)
        and mirror(_without(question, there.lines)).found == there.found
        and upstream(_without(question, here.lines)).found == here.found
    )
