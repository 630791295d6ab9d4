"""The one rule about what may be missing where."""

import pytest

from tests.requirements_present import require


def test_what_is_there_lets_the_test_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_REQUIRE_ALL", "1")
    require("/usr/bin/initdb", "PostgreSQL")


def test_at_home_a_missing_program_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="PostgreSQL is missing"):
        require(None, "PostgreSQL")


def test_in_ci_a_missing_program_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="PostgreSQL is missing, and CI_REQUIRE_ALL=1"):
        require(None, "PostgreSQL")
