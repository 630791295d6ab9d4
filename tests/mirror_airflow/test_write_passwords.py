"""The passwords of Airflow's users come from the environment, or the API server does not start."""

import json
import stat
from pathlib import Path

import pytest

from mirror_airflow.write_passwords import main

USERS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        USERS: "admin:admin, the-viewer:viewer",
        FILE: str(tmp_path / "passwords.json"),
        "ADMIN_PASSWORD": 'a "quoted" one',
        "THE_VIEWER_PASSWORD": "long enough",
    }


def test_they_are_written_for_nobody_else(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    path.write_text("an older one, open to all")
    assert main(environ) == 0
    assert json.loads(path.read_text()) == {"admin": 'a "quoted" one', "the-viewer": "long enough"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"ADMIN_PASSWORD": ""}, "ADMIN_PASSWORD"),
        ({"THE_VIEWER_PASSWORD": "short"}, "THE_VIEWER_PASSWORD"),
        ({USERS: ""}, USERS),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    environ: dict[str, str],
    tmp_path: Path,
    change: dict[str, str],
    word: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(environ | change) == 1
    assert word in capsys.readouterr().err
    assert not (tmp_path / "passwords.json").exists()


def test_without_a_place_to_write_to(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    del environ[FILE]
    assert main(environ) == 1
    assert FILE in capsys.readouterr().err
