"""Resolvers over generated indexes: through a mirror that follows dependencies they find what upstream gives.

uv answers most questions; pip and Poetry, which take seconds for each, a few.
"""

import random
import shutil
from functools import partial
from pathlib import Path
from typing import Final

from tests.clients.environment import clients_python
from tests.dependencies.judges import CUTS, judge
from tests.dependencies.resolvers import MakeResolver, Pip, Poetry, Uv
from tests.torture.campaign import Campaign, Outcome, Wrong

# How many projects an index has, and how many of a hundred indexes.
_SIZES: Final = {8: 15, 18: 50, 40: 20, 100: 12, 300: 2, 500: 1}
_QUESTIONS: Final = 24


def _run(scratch: Path, goal: int, chance: random.Random) -> Outcome:
    asked = solved = explained = excused = preferred = graphs = 0
    wrong: list[Wrong] = []
    while asked < goal:
        seed = chance.randrange(1_000_000)
        projects = chance.choices(list(_SIZES), list(_SIZES.values()))[0]
        directory = scratch / str(seed)
        judged = judge(
            directory,
            seed,
            projects=projects,
            number=_QUESTIONS,
            judges=_judges(chance),
            markers=chance.choice(("environments", "any")),
            prerelease=chance.choice(("all", "all", "if-necessary")),
            cut=chance.choice(("", "", "", *CUTS)),
        )
        shutil.rmtree(directory)
        graphs += 1
        asked += judged.asked
        solved += judged.solved
        explained += judged.explained
        excused += judged.excused
        preferred += judged.preferred
        wrong += [
            Wrong(kind="another answer", detail=f"{projects} projects: {each}") for each in judged.differences
        ]
    return Outcome(
        done=asked,
        wrong=tuple(wrong),
        notes=(
            f"{graphs} indexes; {solved} had a solution",
            f"{explained} differed by what the mirror had named as cut, and upstream agreed without that",
            f"{preferred} were another solution that both have",
            f"{excused} differed by a project with a cut that no constraint can say",
        ),
    )


def _judges(chance: random.Random) -> list[MakeResolver]:
    kind = chance.random()
    if kind < 0.03:
        return [Uv, partial(Pip, python=clients_python())]
    if kind < 0.04:
        return [Uv, partial(Poetry, python=clients_python())]
    return [Uv]


CAMPAIGN = Campaign(
    name="resolvers",
    what="uv, pip and Poetry over generated dependencies",
    wrong="an answer that differs from upstream's, and no announcement of why",
    at_least=20_000,
    unit="resolutions",
    run=_run,
)
