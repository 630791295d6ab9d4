from pathlib import Path

import pytest

from mirror_airflow.configuration import load_configuration
from mirror_airflow.dag_page import dag_page
from pypi_mirror.settings.values import Schedule


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mirror.conf"
    path.write_text(
        "[mirror]\ndirectory = data\nmaster = https://index.example\n[schedule]\ncron = 5 4 * * *\n"
    )
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(path))
    monkeypatch.delenv("PYPI_MIRROR_UNSCHEDULED", raising=False)
    return path


def test_the_dag_has_the_schedule_of_the_file(conf: Path) -> None:
    configuration = load_configuration()
    assert configuration.path == conf
    assert configuration.schedule.cron == "5 4 * * *"
    assert configuration.mistakes == ()


def test_runs_by_hand_only_where_the_environment_says_so(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPI_MIRROR_UNSCHEDULED", "1")
    configuration = load_configuration()
    assert configuration.schedule.cron is None
    assert configuration.schedule.batch_size == Schedule().batch_size


def test_a_mistake_leaves_a_dag_that_runs_and_says_what_is_wrong(conf: Path) -> None:
    conf.write_text("[mirror]\ndirectory = data\nstop-on-eror = true\n")
    configuration = load_configuration()
    assert configuration.settings is None
    # It goes on by the clock, so that somebody sees it fail.
    assert configuration.schedule == Schedule()
    page = dag_page(configuration)
    assert f"{conf}:3" in page
    assert "stop-on-error" in page


def test_a_missing_file_is_a_mistake_like_another(conf: Path) -> None:
    conf.unlink()
    assert str(conf) in dag_page(load_configuration())


@pytest.mark.parametrize(("value", "words"), [("true", "is on"), ("false", "is off")])
def test_the_page_says_what_stop_on_error_means_here(conf: Path, value: str, words: str) -> None:
    conf.write_text(f"[mirror]\ndirectory = data\nstop-on-error = {value}\n")
    assert f"`stop-on-error` {words}" in dag_page(load_configuration())
