"""Which dependencies cost most: what only one project brings."""

from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.observing.branches import dominators

NODES = range(8)
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), unique=True))


def reached(roots: list[int], targets: dict[int, list[int]], without: int | None = None) -> set[int]:
    found: set[int] = set()
    open_ = [root for root in roots if root != without]
    while open_:
        node = open_.pop()
        if node not in found:
            found.add(node)
            open_ += [each for each in targets.get(node, ()) if each != without]
    return found


@given(st.lists(st.sampled_from(NODES), unique=True), GRAPHS)
def test_what_a_project_brings_is_what_is_gone_without_it(
    roots: list[int], targets: dict[int, list[int]]
) -> None:
    order, nearest = dominators(roots, targets)
    whole = reached(roots, targets)
    assert sorted(order) == sorted(whole)
    brought = {node: {node} for node in order}
    for node in reversed(order):
        if (above := nearest[node]) is not None:
            brought[above] |= brought[node]
    assert brought == {node: whole - reached(roots, targets, without=node) for node in order}
