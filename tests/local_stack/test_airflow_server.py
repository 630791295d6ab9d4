import stat
from pathlib import Path

import pytest

from local_stack.airflow_server import environment, read_or_make_keys, service
from local_stack.layout import Layout

LAYOUT = Layout.of(Path("/checkout"))


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    keys = read_or_make_keys(tmp_path / "home")
    assert read_or_make_keys(tmp_path / "home") == keys
    for path in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.password in (tmp_path / "home/passwords.json").read_text()
    assert read_or_make_keys(tmp_path / "other") != keys


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
