"""uv, pip and Poetry find through a mirror that follows dependencies what they find upstream.

``tests/torture/campaigns/resolvers.py`` asks more.
"""

from functools import partial
from pathlib import Path

import pytest

from tests.clients.environment import clients_python
from tests.dependencies.judges import Judged, Pip, Poetry, judge

pytestmark = pytest.mark.servers


def agree(*judged: Judged) -> None:
    found = [str(difference) for each in judged for difference in each.differences]
    assert not found, "\n\n".join(found)
    asked, solved = (sum(getattr(each, name) for each in judged) for name in ("asked", "solved"))
    assert solved - sum(each.explained for each in judged) > asked / 3, "too few answers were compared"


@pytest.mark.parametrize(("markers", "first"), [("environments", 0), ("any", 12)])
def test_uv_finds_the_same(markers: str, first: int, tmp_path: Path) -> None:
    agree(
        *(
            judge(tmp_path / str(seed), seed, projects=18, number=12, markers=markers)
            for seed in range(first, first + 4)
        )
    )


@pytest.mark.parametrize("prerelease", ["all", "if-necessary"])
def test_uv_finds_the_same_in_many_projects(prerelease: str, tmp_path: Path) -> None:
    agree(judge(tmp_path, 1001, projects=200, number=12, prerelease=prerelease))


def test_pip_finds_the_same(tmp_path: Path) -> None:
    agree(judge(tmp_path, 7, projects=18, number=20, judges=[partial(Pip, python=clients_python())]))


def test_poetry_finds_the_same(tmp_path: Path) -> None:
    agree(judge(tmp_path, 19, projects=18, number=24, judges=[partial(Poetry, python=clients_python())]))
