"""How evenly batches keep their workers busy, in simulated runs over sizes like those of a whole index.

A few projects have most of the bytes. A plan knows what each brings as far as upstream states sizes, and a
batch is a stretch of the alphabet, so that only its ends can be chosen. Workers take batches in their order,
each as fast as it can whatever the others do; the ideal is that all are done at once, or the largest project,
which no cut can divide. Time is simulated.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

import pytest

from pypi_mirror.planning.plan import BATCHES_EACH, cut

SEEDS = range(30)
# What a project costs whatever it brings, in bytes.
FIXED = 2_000_000

# Four workers, and four of which one gets half of what the others get of upstream.
EQUAL = (1.0, 1.0, 1.0, 1.0)
UNEQUAL = (1.0, 0.5, 1.0, 1.0)

# A project: the bytes that the plan knows it brings, and those that it brings.
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
    return [(size, size) for size in sizes(random_, number)]


def incremental(random_: random.Random, number: int) -> Projects:
    """Each project brings a release; large ones have many, so that theirs are not as much larger."""
    projects = []
    for held in sizes(random_, number, active=True):
        releases = max(1, random_.lognormvariate(math.log(12), 1.2) * (1 + (held / 1e9) ** 0.5))
        brings = min(held, held / releases * random_.lognormvariate(0, 1))
        projects.append((brings, brings))
    return projects


def verification(random_: random.Random, number: int) -> Projects:
    """No file is new, and all that are here are read again."""
    return [(0, size) for size in sizes(random_, number)]


def slowest(projects: Projects, numbers: Sequence[int], speeds: Sequence[float] = EQUAL) -> float:
    """When the last worker is done, as a multiple of the ideal."""
    costs = [FIXED + brings for _, brings in projects]
    batches: dict[int, float] = {}
    for number, cost in zip(numbers, costs, strict=True):
        batches[number] = batches.get(number, 0.0) + cost
    free = [(0.0, worker) for worker in range(len(speeds))]
    for number in sorted(batches):
        at, worker = free[0]
        heapq.heapreplace(free, (at + batches[number] / speeds[worker], worker))
    return max(at for at, _ in free) / max(sum(costs) / sum(speeds), max(costs) / max(speeds))


def batches_of(projects: Projects, *, each: int) -> list[int]:
    """A cut into ``each`` batches a worker, or more."""
    known = [int(bytes_known) for bytes_known, _ in projects]
    return list(cut(known, sizes=Counter(known).items(), batch_size=500, at_least=each * len(EQUAL)))


Kind = Callable[[random.Random, int], Projects]


def ratios(
    kind: Kind, number: int, *, each: int = BATCHES_EACH, speeds: Sequence[float] = EQUAL
) -> list[float]:
    runs = [kind(random.Random(seed), number) for seed in SEEDS]
    return [slowest(projects, batches_of(projects, each=each), speeds) for projects in runs]


@pytest.mark.parametrize(
    ("kind", "number", "usual", "worst"),
    [
        (first_sync, 500, 1.15, 1.65),
        (first_sync, 2_000, 1.05, 1.65),
        (incremental, 300, 1.2, 1.65),
        (incremental, 2_000, 1.15, 1.65),
        (verification, 500, 1.3, 1.65),
        (verification, 2_000, 1.1, 1.65),
    ],
)
def test_the_slowest_worker_is_near_the_ideal(kind: Kind, number: int, usual: float, worst: float) -> None:
    found = ratios(kind, number)
    assert median(found) <= usual
    assert max(found) <= worst


@pytest.mark.parametrize("number", [300, 500, 2_000])
@pytest.mark.parametrize("kind", [first_sync, incremental])
def test_a_slow_worker_holds_up_fewer_where_others_find_more_batches(kind: Kind, number: int) -> None:
    one, several = (median(ratios(kind, number, each=each, speeds=UNEQUAL)) for each in (1, BATCHES_EACH))
    assert several - 1 <= 0.6 * (one - 1)


@pytest.mark.parametrize("number", [300, 500, 2_000])
def test_what_a_plan_does_not_know_is_made_up_for_by_more_batches(number: int) -> None:
    one, several = (ratios(verification, number, each=each) for each in (1, BATCHES_EACH))
    assert median(several) - 1 <= 0.7 * (median(one) - 1)
    assert max(several) < max(one)
