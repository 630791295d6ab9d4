import stat
import sys
from pathlib import Path

import pytest

from local_stack import airflow_server
from local_stack.airflow_server import environment, migrate, read_or_make_keys, service
from local_stack.layout import Layout

LAYOUT = Layout(Path("/checkout"))


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    keys = read_or_make_keys(tmp_path / "home")
    assert read_or_make_keys(tmp_path / "home") == keys
    for path in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.password in (tmp_path / "home/passwords.json").read_text()
    assert read_or_make_keys(tmp_path / "other") != keys


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path, mode: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    for name in ("airflow.db", "airflow.db-wal", "airflow.cfg"):
        (home / name).touch()
        (home / name).chmod(0o666)
    read_or_make_keys(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}


def test_airflows_database_and_its_logs_are_their_owners_alone_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    env = environment(
        layout, keys=read_or_make_keys(layout.airflow_home), port=9001, mirror_conf=Path("/m.conf")
    )
    # As Airflow opens it, without the minute that its migrations take.
    program = "import os, sqlite3; sqlite3.connect(os.environ['DB']).executescript('CREATE TABLE x (y)')"
    monkeypatch.setattr(airflow_server, "_airflow", lambda: (sys.executable, "-c", program))
    database = layout.airflow_home / "airflow.db"
    migrate(layout, env | {"DB": str(database)})
    assert database.stat().st_size > 0
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.logs.stat().st_mode) == 0o700


def test_another_airflow_of_the_user_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__CORE__REMOTE_TASK_LOG", "x")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://mail.example")
    env = environment(LAYOUT, keys=read_or_make_keys(tmp_path), port=9001, mirror_conf=Path("/m.conf"))
    assert env["AIRFLOW_HOME"] == "/checkout/var/airflow"
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW__CORE__REMOTE_TASK_LOG" not in env
    assert env["AIRFLOW_CONN_SMTP_DEFAULT"] == "smtp://mail.example"


def test_what_sqlite_and_the_chosen_port_need(tmp_path: Path) -> None:
    env = environment(LAYOUT, keys=read_or_make_keys(tmp_path), port=9001, mirror_conf=Path("/m.conf"))
    assert 4 <= int(env["AIRFLOW__CORE__PARALLELISM"]) <= 8
    assert "timeout=" in env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9001/execution/"
    assert env["PYPI_MIRROR_CONF"] == "/m.conf"


def test_no_service_opens_a_port_of_its_own() -> None:
    assert "--skip-serve-logs" in service("scheduler", LAYOUT, {}).argv
    assert "--skip-serve-logs" in service("triggerer", LAYOUT, {}).argv
