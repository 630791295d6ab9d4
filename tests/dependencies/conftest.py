"""A bench for every test, as in ``tests/runs``."""

from tests.runs.conftest import bench

__all__ = ["bench"]
