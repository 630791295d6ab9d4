"""uv, pip and Poetry find through a mirror that follows dependencies what they find upstream.

``tests/torture/campaigns/resolvers.py`` asks more.
"""

from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.clients.environment import clients_python
from tests.dependencies.judges import CUTS, Judged, judge
from tests.dependencies.resolvers import Pip, Poetry

pytestmark = pytest.mark.servers


def agree(*judged: Judged) -> None:
    found = [str(difference) for each in judged for difference in each.differences]
    assert not found, "\n\n".join(found)
    asked, solved = (sum(getattr(each, name) for each in judged) for name in ("asked", "solved"))
    unlike = sum(each.excused + each.preferred for each in judged)
    assert solved - unlike > asked / 3, "too few answers were compared"


# Each mirror by its options, and the seeds of its indexes.
MIRRORS: Final = {
    "for its machines": ({}, (0, 1, 2)),
    "for all machines": ({"markers": "any"}, (12, 13, 14)),
    "with what pre-releases are necessary": ({"prerelease": "if-necessary"}, (30,)),
    **{f"cut by {cut}": ({"cut": cut}, (seed,)) for seed, cut in enumerate(CUTS, 40)},
}


@pytest.mark.parametrize(("options", "seeds"), MIRRORS.values(), ids=MIRRORS)
def test_uv_finds_the_same(options: dict[str, str], seeds: tuple[int, ...], tmp_path: Path) -> None:
    agree(*(judge(tmp_path / str(seed), seed, projects=18, number=10, **options) for seed in seeds))


def test_uv_finds_the_same_in_many_projects(tmp_path: Path) -> None:
    agree(judge(tmp_path, 1001, projects=200, number=12))


def test_pip_finds_the_same(tmp_path: Path) -> None:
    agree(judge(tmp_path, 7, projects=18, number=20, judges=[partial(Pip, python=clients_python())]))


def test_poetry_finds_the_same(tmp_path: Path) -> None:
    agree(judge(tmp_path, 19, projects=18, number=24, judges=[partial(Poetry, python=clients_python())]))
