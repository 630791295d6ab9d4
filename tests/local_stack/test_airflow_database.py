from pathlib import Path

import pytest

from local_stack.airflow_server import database_environment
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.options import parse_options

LAYOUT = Layout(Path("/checkout"))
CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def test_sqlite_is_patient_and_runs_few_tasks_at_once() -> None:
    env = database_environment(LAYOUT, None)
    assert env[CONNECTION] == "sqlite:////checkout/var/airflow/airflow.db?timeout=120"
    assert 4 <= int(env["AIRFLOW__CORE__PARALLELISM"]) <= 8


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_spoken_to_with_the_driver_that_is_installed(scheme: str) -> None:
    env = database_environment(LAYOUT, f"{scheme}://airflow:secret@db.example:5432/airflow?sslmode=require")
    address = "postgresql+psycopg://airflow:secret@db.example:5432/airflow?sslmode=require"
    assert env[CONNECTION] == env[f"{CONNECTION}_ASYNC"] == address
    assert env["AIRFLOW__CORE__PARALLELISM"] == "32"


@pytest.mark.parametrize(
    "url", ["mysql://airflow:secret@db.example/airflow", "postgresql://db.example", "db.example/airflow"]
)
def test_what_is_no_address_of_a_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StackError, match="AIRFLOW_DATABASE must be postgresql://") as caught:
        database_environment(LAYOUT, url)
    assert "secret" not in str(caught.value)


def test_the_database_comes_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_options(["up"]).database is None
    monkeypatch.setenv("AIRFLOW_DATABASE", "postgresql://db.example/airflow")
    assert parse_options(["up"]).database == "postgresql://db.example/airflow"
