"""How evenly batches keep their workers busy, in simulated runs over sizes like those of a whole index.

A few projects have most of the bytes, and what a run brings of a project has little to do with what it had.
Four workers take batches in their order, each as fast as it can whatever the others do; the ideal is a
fourth of all work, or the largest project, which no cut can divide. Time is simulated.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

import pytest

from pypi_mirror.planning import BATCHES_EACH, cut

WORKERS = 4
SEEDS = range(30)
# What a project costs whatever it brings, in bytes.
FIXED = 2_000_000

# A project: the bytes known of it, and those that the run brings.
Projects = list[tuple[float, float]]


def sizes(random_: random.Random, number: int, *, active: bool = False) -> list[float]:
    """137 MB on average and 0.4 MB in the middle; one in 3,000 has 0.2 to 1.6 TB.

    Of projects with much behind them more is heard: ``active`` ones are larger.
    """
    middle = math.log(4e5) + (2.1 if active else 0)
    return [
        10 ** random_.uniform(11.3, 12.2)
        if random_.random() < 1 / 3000
        else random_.lognormvariate(middle, 2.9)
        for _ in range(number)
    ]


def first_sync(random_: random.Random, number: int) -> Projects:
    return [(0, size) for size in sizes(random_, number)]


def incremental(random_: random.Random, number: int) -> Projects:
    """Each project brings a release; large ones have many, so that theirs are not as much larger."""
    projects = []
    for known in sizes(random_, number, active=True):
        releases = max(1, random_.lognormvariate(math.log(12), 1.2) * (1 + (known / 1e9) ** 0.5))
        projects.append((known, min(known, known / releases * random_.lognormvariate(0, 1))))
    return projects


def verification(random_: random.Random, number: int) -> Projects:
    """All files are read again."""
    return [(size, size) for size in sizes(random_, number)]


def slowest(projects: Projects, numbers: Sequence[int]) -> float:
    """When the last worker is done, as a multiple of the ideal."""
    costs = [FIXED + brings for _, brings in projects]
    batches: dict[int, float] = {}
    for number, cost in zip(numbers, costs, strict=True):
        batches[number] = batches.get(number, 0.0) + cost
    free_at = [0.0] * WORKERS
    for number in sorted(batches):
        heapq.heapreplace(free_at, free_at[0] + batches[number])
    return max(free_at) / max(sum(costs) / WORKERS, *costs)


def batches_of(projects: Projects, *, at_least: int) -> list[int]:
    known = [int(bytes_known) for bytes_known, _ in projects]
    return list(cut(known, sizes=Counter(known).items(), batch_size=500, at_least=at_least))


@pytest.mark.parametrize(
    ("run", "number", "usual", "worst"),
    [
        (first_sync, 500, 1.3, 1.65),
        (first_sync, 2_000, 1.1, 1.65),
        (incremental, 300, 1.25, 1.65),
        (incremental, 2_000, 1.2, 1.65),
        (verification, 2_000, 1.1, 1.65),
    ],
)
def test_the_slowest_worker_is_near_the_ideal(
    run: Callable[[random.Random, int], Projects], number: int, usual: float, worst: float
) -> None:
    ratios = []
    for seed in SEEDS:
        projects = run(random.Random(seed), number)
        ratios.append(slowest(projects, batches_of(projects, at_least=BATCHES_EACH * WORKERS)))
    assert median(ratios) <= usual
    assert max(ratios) <= worst
