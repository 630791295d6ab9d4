"""Which dependencies cost most: what the mirror would be spared without a project."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror

_N = TypeVar("_N", bound=Hashable)
# As many as anybody reads.
_MOST: Final = 50


class Branch(Struct, frozen=True, kw_only=True):
    """A project with all that only it brings: ``projects`` in number and ``bytes`` of files on our pages,
    its ``own_bytes`` among them. ``named``: [allowlist] names it.
    """

    project: NormalizedName
    named: bool
    projects: int
    bytes: int
    own_bytes: int


def largest_branches(mirror: Mirror) -> tuple[Branch, ...]:
    """The projects without which the mirror would be smaller by the most bytes, those first.

    What is also required by something else, without any way over the project, would stay and is not counted.
    """
    followed = mirror.ledger.dependency_graph.projects()
    targets: defaultdict[NormalizedName, list[NormalizedName]] = defaultdict(list)
    for source, target in mirror.ledger.dependency_graph.pairs():
        targets[source].append(target)
    named = [each.project for each in followed if each.named]
    order, parents = dominators(named, targets)
    bytes_ = {each.project: each.bytes for each in followed}
    number = dict.fromkeys(order, 1)
    whole = {project: bytes_.get(project, 0) for project in order}
    # Each comes after the one that alone brings it.
    for project in reversed(order):
        parent = parents[project]
        if parent is not None:
            whole[parent] += whole[project]
            number[parent] += number[project]
    names = frozenset(named)
    found = sorted(order, key=lambda project: (-whole[project], project))
    return tuple(
        Branch(
            project=project,
            named=project in names,
            projects=number[project],
            bytes=whole[project],
            own_bytes=bytes_.get(project, 0),
        )
        for project in found[:_MOST]
        if whole[project]
    )


def dominators(
    roots: Iterable[_N], targets: Mapping[_N, Sequence[_N]]
) -> tuple[list[_N], dict[_N, _N | None]]:
    """Return what is reached from ``roots``, and of each the nearest other one that every way to it passes;
    None where there is none. Each comes after its own.

    Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".
    """
    order = _reverse_postorder(roots, targets)
    number = {node: index for index, node in enumerate(order, 1)}
    sources: list[list[int]] = [[] for _ in range(len(order) + 1)]
    # 0 stands before all roots.
    for root in roots:
        sources[number[root]].append(0)
    for node, index in number.items():
        for target in targets.get(node, ()):
            sources[number[target]].append(index)
    nearest: list[int | None] = [0, *([None] * len(order))]
    is_changing = True
    while is_changing:
        is_changing = False
        for index in range(1, len(nearest)):
            found: int | None = None
            for source in sources[index]:
                if nearest[source] is not None:
                    found = source if found is None else _meet(nearest, found, source)
            if found != nearest[index]:
                nearest[index] = found
                is_changing = True
    return order, {
        node: order[above - 1] if (above := nearest[index]) else None for node, index in number.items()
    }


def _meet(nearest: Sequence[int | None], a: int, b: int) -> int:
    while a != b:
        while a > b:
            a = nearest[a] or 0
        while b > a:
            b = nearest[b] or 0
    return a


def _reverse_postorder(roots: Iterable[_N], targets: Mapping[_N, Sequence[_N]]) -> list[_N]:
    """What is reached, each before all that is first found by it."""
    seen: set[_N] = set()
    done: list[_N] = []
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        open_ = [(root, iter(targets.get(root, ())))]
        while open_:
            node, others = open_[-1]
            following = next((each for each in others if each not in seen), None)
            if following is None:
                done.append(node)
                open_.pop()
            else:
                seen.add(following)
                open_.append((following, iter(targets.get(following, ()))))
    done.reverse()
    return done
