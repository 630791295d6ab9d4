"""Settings of the tools that run the tests, and one running Airflow a database for all of them."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.dags.real_airflow import RealAirflow
    from tests.transport.names import Leads

TESTS = Path(__file__).parent

# Who runs the tests under nohup ignores SIGHUP, and so would every program that a test stops with it.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The audit is many assertions in one place, used by several folders: rewritten, they say what differs. This
# has to come before the first of them imports it.
pytest.register_assert_rewrite("tests.runs.audit")

# By default hypothesis fails an example that takes longer than 200 ms. No test here asserts a time: on a
# busy machine that would only tell how busy it is.
settings.register_profile("no deadline", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile("no deadline")

# What ``--fast`` leaves out: folders that run whole mirrors, browsers, clients or Airflow, that measure or
# that attack, except for the files that notice most of what can break ...
SLOW_FOLDERS = frozenset(
    {"bench", "browser", "cli", "clients", "dags", "deploy", "local_stack", "runs", "torture"}
)
FAST_FILES = frozenset(
    {"cli/test_help.py", "runs/test_events.py", "runs/test_failures.py", "runs/test_removal.py"}
)
# ... and tests with one of these marks.
SLOW_MARKS = frozenset({"airflow", "servers", "slow"})


class FailuresAtOnce:
    """Shows a failure when it happens: the whole suite takes a while, and its halves run side by side."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter is not None:
            reporter.write_line(f"\nFAILED {report.nodeid}\n{report.longreprtext}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="before each commit: few whole runs, no servers, about a minute",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    place = collection_path.relative_to(TESTS).as_posix() if collection_path.is_relative_to(TESTS) else ""
    is_slow = place.partition("/")[0] in SLOW_FOLDERS and place.endswith(".py") and place not in FAST_FILES
    return True if config.getoption("fast") and is_slow else None


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("fast"):
        settings.load_profile("fast")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresAtOnce(config))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def airflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[RealAirflow]":
    """A real Airflow that is running: starting it takes longer than a run.

    Airflow's own tables and the ledgers of the mirrors that ``configure`` makes are on the parameter's
    database; a test that says ``@pytest.mark.database("sqlite")`` runs on that one alone. Both are for what
    depends on Airflow's tables: a run from end to end, and one whose task is killed.
    """
    # It brings half of the project along, which a test of one module need not load.
    from tests.dags.real_airflow import prepared, start_for_tests

    with prepared(tmp_path_factory.mktemp("airflow"), request.param) as real_airflow:
        start_for_tests(real_airflow, tmp_path_factory.mktemp("first"))
        yield real_airflow


@pytest.fixture(autouse=True)
def no_run_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that failed half-way leaves nothing under way for the next one to wait for."""
    airflow = request.getfixturevalue("airflow") if "airflow" in request.fixturenames else None
    yield
    if airflow is not None:
        airflow.end_runs()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a ``database`` mark rules out, and with ``--fast`` what has a slow mark."""
    unwanted = [item for item in items if not _wanted(item, fast=config.getoption("fast"))]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in set(unwanted)]


def _wanted(item: pytest.Item, *, fast: bool) -> bool:
    if fast and any(mark.name in SLOW_MARKS for mark in item.iter_markers()):
        return False
    mark = item.get_closest_marker("database")
    parameters = getattr(item, "callspec", None)
    return mark is None or parameters is None or parameters.params.get("airflow") in mark.args


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> "Leads":
    """Names lead where the test says, and no proxy is set."""
    from tests.transport.names import leading

    return leading(monkeypatch)
