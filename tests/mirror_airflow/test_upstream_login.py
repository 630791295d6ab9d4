"""The login at upstream comes from Airflow's connection, unless the environment has one."""

from pathlib import Path

import pytest

from mirror_airflow.task_mirror import with_upstream_login
from pypi_mirror.settings.values import Settings

SETTINGS = Settings(directory=Path("/mirror"), master="https://index.example")


@pytest.mark.parametrize(
    ("connection", "login"),
    [
        ('{"conn_type": "http", "login": "reader", "password": "p:w@/%"}', "reader:p:w@/%"),
        ('{"conn_type": "http", "login": "reader"}', "reader:"),
        ('{"conn_type": "http", "password": "a-token"}', "a-token"),
        ('{"conn_type": "http", "host": "index.example"}', None),
        ("http://reader:secret@index.example", "reader:secret"),
    ],
)
def test_user_and_password_or_a_token(
    monkeypatch: pytest.MonkeyPatch, connection: str, login: str | None
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PYPI_MIRROR_UPSTREAM", connection)
    settings = with_upstream_login(SETTINGS)
    assert settings.login == login
    assert "secret" not in repr(settings)


def test_without_a_connection() -> None:
    assert with_upstream_login(SETTINGS) is SETTINGS
