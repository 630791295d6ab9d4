"""`kill -9` at random moments while dependencies are followed, of first syncs and of later ones.

Each round follows a generated index to its end, and once more after uploads that require something else. What
was followed before a kill, page and metadata, is not asked for again; what is mirrored in the end is what a
computation in memory keeps, file by file.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text

from tests.dependencies.closure import LINUX, Index, following
from tests.dependencies.graphs import make_graph
from tests.runs.audit import audit
from tests.runs.bench import Bench
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.kills import (
    Kept,
    bench_of,
    command_line,
    crashed,
    end,
    spoken,
    strike,
    wait_for,
)
from tests.warehouse import Delay, Event, Fault, Scenario, Server, Upload, Wheel, running

_PROJECTS: Final = 40
_UPLOADS: Final = 6
# One in so many runs may come to its end.
_ENDS: Final = 8
_ENOUGH: Final = 40
# So that following takes longer than the rest of a run.
_FAULTS: Final = (
    Fault(path="/simple/*", effect=Delay(seconds=0.02), times=None),
    Fault(path="/packages/*.metadata", effect=Delay(seconds=0.02), times=None),
)
_PAGES: Final = (
    "SELECT name, serial FROM catalogue JOIN demands ON project = name WHERE made_entry = catalogue.digest"
)
_METADATA: Final = "SELECT key FROM core_metadata"


@dataclass(frozen=True, kw_only=True)
class _Followed:
    """What the ledger knows between runs: ``pages`` that upstream still has so, digests of ``metadata``."""

    pages: frozenset[str]
    metadata: frozenset[str]

    @classmethod
    def of(cls, bench: Bench) -> "_Followed":
        if not bench.settings.web.is_dir():
            return cls(pages=frozenset(), metadata=frozenset())
        with bench.open() as mirror, mirror.ledger.engine.connect() as connection:
            read = connection.execute(text(_PAGES)).all()
            metadata = connection.execute(text(_METADATA)).scalars()
            upstream = bench.server.warehouse.projects
            return cls(
                pages=frozenset(
                    name
                    for name, serial in read
                    if name not in upstream or upstream[name].page_serial == serial
                ),
                metadata=frozenset(map(bytes.hex, metadata)),
            )

    def again(self, server: Server, *, was_following: bool) -> Iterator[Wrong]:
        """What of it the run after asked for once more; once it downloads it also brings metadata, to serve
        them beside their files.
        """
        for each in server.requests.of("page"):
            if each.path.rstrip("/").rpartition("/")[2] in self.pages:
                yield Wrong(kind="followed again", detail=each.path)
        for each in server.requests.of("metadata") if was_following else ():
            file = server.warehouse.files[each.path.lstrip("/").removesuffix(".metadata")]
            if file.metadata_sha256 in self.metadata:
                yield Wrong(kind="metadata read again", detail=each.path)


class _Round:
    """One mirror and one index."""

    def __init__(self, home: Path, server: Server, roots: tuple[str, ...], chance: random.Random) -> None:
        home.mkdir()
        self._server = server
        self._roots = roots
        self._chance = chance
        sections = ("[allowlist]", "packages =", *(f"    {each}" for each in roots))
        sections += ("[dependencies]", "follow = yes", "[platform]", "environments =", f"    {LINUX}")
        self._line = command_line(home, server, *sections)
        self._bench = bench_of(self._line, server)
        self._requests = 40
        self.wrong: list[Wrong] = []
        self.killed: Counter[str] = Counter()
        self.mirrored = 0

    def sync(self, events: tuple[Event, ...], goal: int) -> None:
        """Kill syncs, and let one come to its end."""
        while self.killed.total() < goal and self._chance.randrange(_ENDS):
            if not self._killed():
                break
        else:
            self._completed()
        self._judge(events)

    def _killed(self) -> bool:
        """Whether a run that is to be killed was; else it has come to its end."""
        kept, followed = Kept.of(self._bench), _Followed.of(self._bench)
        self._server.requests.reset()
        goal = self._chance.randrange(1, self._requests)
        with self._line.start("sync", "--processes", "1") as process:
            wait_for(self._server, process, goal, self._chance.random() * 0.03)
            struck = strike(process, "main process")
            said = end(process)
        self.wrong += spoken(said)
        if said.code == 1 and "in use by" in said.err:
            self.wrong.append(Wrong(kind="lease left", detail=said.err.strip()))
        was_following = self._is_following()
        self._look(kept, followed, was_following=was_following)
        if not struck or said.code == 0:
            return False
        self.killed["following" if was_following else "something else"] += 1
        self.wrong += crashed(self._bench)
        return True

    def _completed(self) -> None:
        kept, followed = Kept.of(self._bench), _Followed.of(self._bench)
        self._server.requests.reset()
        with self._line.start("sync", "--processes", "1") as process:
            said = end(process)
        self._look(kept, followed, was_following=False)
        if said.code:
            self.wrong.append(Wrong(kind="did not complete", detail=said.err.strip()[-500:]))

    def _is_following(self) -> bool:
        """Whether the last run has left something to follow."""
        if not self._bench.settings.web.is_dir():
            return False
        with self._bench.open() as mirror:
            return bool(mirror.ledger.dependencies.to_follow())

    def _look(self, kept: Kept, followed: _Followed, *, was_following: bool) -> None:
        self.wrong += kept.wasted(self._server.requests.of("file"))
        self.wrong += followed.again(self._server, was_following=was_following)

    def _judge(self, events: tuple[Event, ...]) -> None:
        """Hold the mirror against what its roots come to."""
        pages = sorted(path.name for path in (self._bench.web / "simple").iterdir() if path.is_dir())
        found = {name: files for name in pages if (files := sorted(self._bench.listed(name)))}
        kept = Index(*events).kept(following(*self._roots))
        wanted = {name: sorted(files) for name, files in kept.items() if files}
        self.mirrored += len(found)
        for name in sorted({*found, *wanted}):
            if found.get(name) != wanted.get(name):
                detail = f"{name}: {found.get(name)} instead of {wanted.get(name)}, for {self._roots}"
                self.wrong.append(Wrong(kind="another closure", detail=detail))
        try:
            audit(self._bench)
        except (AssertionError, OSError) as error:
            self.wrong.append(Wrong(kind="wrong or missing file", detail=f"{type(error).__name__}: {error}"))


def _uploads(names: tuple[str, ...], chance: random.Random) -> Iterator[Event]:
    """Releases that are newer than all others, and require others."""
    for name in chance.sample(names, _UPLOADS):
        requires = tuple(chance.sample(names, chance.randint(1, 3)))
        yield Upload(distribution=Wheel(name=name, version="2!1.0", requires_dist=requires))


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    wrong: list[Wrong] = []
    killed: Counter[str] = Counter()
    rounds = mirrored = 0
    # What is broken through and through would go on for ever.
    while killed.total() < goal and len(wrong) < _ENOUGH:
        graph = make_graph(chance, _PROJECTS, archives=False)
        with running(Scenario(events=graph.events).build(), faults=_FAULTS) as server:
            one = _Round(directory / f"round-{rounds}", server, graph.roots, chance)
            one.sync(graph.events, goal - killed.total())
            uploads = tuple(_uploads(graph.names, chance))
            server.apply(*uploads)
            one.sync((*graph.events, *uploads), goal - killed.total())
        wrong += one.wrong
        killed += one.killed
        mirrored += one.mirrored
        rounds += 1
    return Outcome(
        done=killed.total(),
        wrong=tuple(wrong),
        notes=(
            f"killed at {', '.join(f'{phase} {number}' for phase, number in sorted(killed.items()))}",
            f"{rounds} indexes of {_PROJECTS} projects, {mirrored} mirrored in all, compared file by file",
        ),
    )


CAMPAIGN = Campaign(
    name="following-kills",
    what="random kill -9 while dependencies are followed",
    wrong="a missing or needless release, a page or metadata followed again, re-download of a complete file",
    at_least=100,
    unit="kills",
    run=run,
)
