"""Files in cooldown while clocks jump: the mirror's own by years, upstream's not; none is listed early.

Uploads come at chance times, some with an invented upload time; syncs and light runs alternate. A moment is
judged by the time that really passed.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pypi_mirror.options.exclude_newer import ExcludeNewer
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.cooldown_exclude_newer import Cooldown
from pypi_mirror.runs.publish_due import publish_due
from tests.runs.bench import Bench, make_bench
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.warehouse import Upload, Wheel

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_WAIT: Final = 7 * _DAY
_PROJECTS: Final = 100
_A_STEP: Final = 40
_YEAR: Final = 365 * _DAY


@dataclass
class _World:
    """``now`` is the time that really is; the mirror's clock is off by what it is off."""

    made: Bench
    chance: random.Random
    now: float
    asked: float = 0.0
    # When each file may be listed at the earliest: its upload, or the last run before it, and the wait.
    earliest: dict[str, float] = field(default_factory=dict)
    light_runs: int = 0
    wrong: list[Wrong] = field(default_factory=list)

    def upload(self, number: int) -> None:
        chance = self.chance
        wheel = Wheel(name=f"p{number % _PROJECTS:02}", version=f"1.{number}")
        invented = chance.random() < 0.2
        at = self.now - chance.uniform(0, 3 * _WAIT) if invented else self.now
        self.earliest[wheel.file_name] = max(at, self.asked) + _WAIT
        self.made.server.apply(Upload(distribution=wheel, at=datetime.fromtimestamp(at, UTC)))

    def jump(self) -> None:
        self.made.clock.now = self.now + self.chance.choice(
            (0, 0, self.chance.uniform(-_YEAR, _YEAR), self.chance.uniform(-5 * _YEAR, 5 * _YEAR))
        )

    def run(self) -> None:
        made = self.made
        made.server.follow(lambda: self.now)
        self.jump()
        if self.chance.random() < 0.4:
            made.runs += 1
            with made.open() as mirror:
                self.light_runs += publish_due(mirror, f"light {made.runs}") is not None
        else:
            made.sync(clock_step=0)
            self.asked = self.now
        self.wrong += self.early()

    def early(self) -> Iterator[Wrong]:
        for name in self.listed():
            if (due := self.earliest[name]) > self.now + 1:
                hours = (due - self.now) / _HOUR
                yield Wrong(kind="early", detail=f"{name} is listed {hours:.2f} hours before it is due")

    def listed(self) -> Iterator[str]:
        for path in (self.made.web / "simple").glob("*/index.v1_json"):
            for file in json.loads(path.read_bytes())["files"]:
                yield file["filename"]


def _run(scratch: Path, goal: int, chance: random.Random) -> Outcome:
    policy = Policy(Cooldown(exclude_newer=ExcludeNewer(seconds=_WAIT)))
    with make_bench(scratch / "mirror", policy=policy) as made:
        world = _World(made=made, chance=chance, now=made.clock.now)
        for number in range(_PROJECTS):
            world.upload(number)
        world.run()
        uploaded = _PROJECTS
        while uploaded < goal:
            for _ in range(min(_A_STEP, goal - uploaded)):
                world.now += chance.uniform(0, _DAY / _A_STEP)
                world.upload(uploaded)
                uploaded += 1
            world.now += chance.uniform(0, 3 * _DAY)
            world.run()
        world.now += 2 * _WAIT
        made.clock.now = world.now
        made.sync(clock_step=0)
        missing = world.earliest.keys() - set(world.listed())
        world.wrong += [Wrong(kind="never listed", detail=name) for name in sorted(missing)]
        return Outcome(
            done=uploaded, wrong=tuple(world.wrong), notes=(f"{world.light_runs} light runs listed files",)
        )


CAMPAIGN = Campaign(
    name="early-listing",
    what="clocks that jump by years while files wait",
    wrong="a file listed before it is due, or never",
    at_least=10_000,
    unit="files",
    run=_run,
)
