"""What a test needs of the machine: its absence skips the test at home and fails it where nothing may be."""

import os

import pytest


def require(condition: object, what: str) -> None:
    """Skip the calling test unless ``condition``; ``what`` names what is missing.

    With CI_REQUIRE_ALL=1 in the environment it fails instead: a test that is skipped there tests nothing.
    """
    if condition:
        return
    if os.environ.get("CI_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is missing, and CI_REQUIRE_ALL=1 lets no test be skipped", pytrace=False)
    pytest.skip(f"{what} is missing")


def skip_without(condition: object, what: str) -> pytest.MarkDecorator:
    """``require`` as a mark, for one of several parameters of a test; where nothing may be skipped it marks
    nothing, and the test fails by itself."""
    required = os.environ.get("CI_REQUIRE_ALL") == "1"
    return pytest.mark.skipif(not condition and not required, reason=f"{what} is missing")
