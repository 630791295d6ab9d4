"""Several workers are measured where the machine has what they need."""

from pathlib import Path

import pytest

from bench.machines import missing_programs


def test_programs_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redis-server" in missing_programs()
    (tmp_path / "redis-server").touch(0o755)
    assert "redis-server" not in missing_programs()
