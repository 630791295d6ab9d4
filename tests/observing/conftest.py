"""The bench of the tests of steps: a stand-in upstream and a mirror of it."""

from tests.runs.conftest import bench

__all__ = ["bench"]
