"""`kill -9` at random moments: first syncs and later ones, one process of them or all.

Each round fills a new mirror and keeps it up to date. Of the runs of a round some are killed, one after the
other, until one may come to its end. Without a power cut every write that happened stays, so not a single
file that was whole may be asked for again, and what is left of a large one is continued.
"""

import random
from collections import Counter
from pathlib import Path

from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.changes import change, first_uploads
from tests.torture.kills import (
    Kept,
    bench_of,
    command_line,
    completed,
    crashed,
    end,
    pick_whom,
    spoken,
    strike,
    wait_for,
)
from tests.warehouse import Delay, Drip, Fault, Scenario, Server, Upload, Wheel, running

_PROJECTS = 50
_LARGE_PROJECTS = 4
_LARGE = 2_400_000
_CHANGES = 20
_SYNCS_A_ROUND = 4
# One in so many runs may come to its end.
_ENDS = 6
_ENOUGH = 40
# So that a run has a middle: small files take a moment, large ones arrive in pieces.
_FAULTS = (
    Fault(path="/packages/*", effect=Delay(seconds=0.01), times=None),
    Fault(path="/packages/*/large_*.whl", effect=Drip(chunk=200_000, seconds=0.03), times=None),
)


class _Round:
    """One mirror from its first run to its last."""

    def __init__(self, home: Path, server: Server, chance: random.Random, goal: int) -> None:
        home.mkdir()
        self._server = server
        self._chance = chance
        self._goal = goal
        self._line = command_line(home, server)
        self._bench = bench_of(self._line, server)
        self.wrong: list[Wrong] = []
        self.killed: Counter[str] = Counter()
        self.completed = 0
        self.continued = 0
        self._requests = 150
        self._seconds = 1.5

    def run(self) -> None:
        for number in range(_SYNCS_A_ROUND):
            if number:
                change(self._server.warehouse, self._chance, _CHANGES)
                self._large(number)
                self._requests, self._seconds = 40, 0.6
            while self.killed.total() < self._goal and self._chance.randrange(_ENDS):
                if not self._killed():
                    break
            else:
                self._complete()
            if self.killed.total() >= self._goal:
                return

    def _large(self, number: int) -> None:
        name = f"large-{self._chance.randrange(_LARGE_PROJECTS)}"
        if name in self._server.warehouse.projects:
            wheel = Wheel(name=name, version=f"{number}.5", size=_LARGE)
            if wheel.file_name not in self._server.warehouse.filenames:
                self._server.apply(Upload(distribution=wheel))

    def _killed(self) -> bool:
        """One run that is to be killed; whether it was, for it may have been faster."""
        kept = Kept.of(self._bench)
        self._server.requests.reset()
        whom = pick_whom(self._chance)
        # Half of the moments by progress, half by time: not all that a run does shows upstream.
        by_progress = self._chance.random() < 0.5
        goal = self._chance.randrange(1, self._requests) if by_progress else 1
        pause = self._chance.random() * (0.02 if by_progress else self._seconds)
        with self._line.start("sync", "--processes", "2") as process:
            wait_for(self._server, process, goal, pause)
            struck = strike(process, whom)
            said = end(process)
        self.wrong += spoken(said)
        if said.code == 1 and "in use by" in said.err:
            self.wrong.append(Wrong(kind="lease left", detail=said.err.strip()))
        self._look(kept)
        if not struck or said.code == 0:
            self.wrong += completed(self._bench, said)
            self.completed += 1
            return False
        self.killed[struck] += 1
        self.wrong += crashed(self._bench)
        return True

    def _complete(self) -> None:
        kept = Kept.of(self._bench)
        self._server.requests.reset()
        with self._line.start("sync", "--processes", "2") as process:
            said = end(process)
        self._look(kept)
        self.wrong += completed(self._bench, said)
        self.completed += 1

    def _look(self, kept: Kept) -> None:
        requests = self._server.requests.of("file")
        self.wrong += kept.wasted(requests)
        self.continued += sum(each.status == 206 for each in requests)


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    wrong: list[Wrong] = []
    killed: Counter[str] = Counter()
    rounds = ended = continued = 0
    # What is broken through and through would go on for ever.
    while killed.total() < goal and len(wrong) < _ENOUGH:
        large = (
            Upload(distribution=Wheel(name=f"large-{number}", size=_LARGE))
            for number in range(_LARGE_PROJECTS)
        )
        scenario = Scenario(events=(*first_uploads(_PROJECTS, chance), *large))
        with running(scenario.build(), faults=_FAULTS) as server:
            one = _Round(directory / f"round-{rounds}", server, chance, goal - killed.total())
            one.run()
        wrong += one.wrong
        killed += one.killed
        ended += one.completed
        continued += one.continued
        rounds += 1
    return Outcome(
        done=killed.total(),
        wrong=tuple(wrong),
        notes=(
            f"killed: {', '.join(f'{whom} {number}' for whom, number in sorted(killed.items()))}",
            f"{rounds} mirrors, {ended} runs that came to their end and were audited",
            f"{continued} downloads of large files were continued by Range",
        ),
    )


CAMPAIGN = Campaign(
    name="random-kills",
    what="random kill -9 during first sync and during incremental syncs",
    wrong="wrong or missing file, stale temp file, cursor ahead of truth, re-download of a complete file",
    at_least=100,
    unit="kills",
    run=run,
)
