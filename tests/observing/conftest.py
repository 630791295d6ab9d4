"""The bench of the tests of steps: a stand-in upstream and a mirror of it."""

import pytest

from pypi_mirror.observing.remembered import remembered
from tests.runs.conftest import bench

__all__ = ["bench", "nothing_is_remembered"]


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests change a mirror and look at once; on a busy machine what they saw before is remembered."""
    monkeypatch.setattr(remembered, "_clock", lambda: 0.0)
