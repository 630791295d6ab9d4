"""Which failed tasks the message about a run names beside its failed projects."""

from mirror_airflow.message import FailedTask
from mirror_airflow.run_failed import causes
from pypi_mirror.errors import RunStopped
from pypi_mirror.ledger.results import Failed
from pypi_mirror.sync.failure_limit import FailureLimit
from tests.ledger.samples import planned


def stopped(most: int, option: str, *, by: str) -> FailedTask:
    """A batch that stopped after one failure more than ``most``; what its task leaves in XCom."""
    limit = FailureLimit(most, lambda: 0, option=option)
    for _ in range(most + 1):
        limit.failed(Failed(planned=planned("alpha"), error="StalePage", reason="it is old"))
    return FailedTask(task=by, reason=f"{RunStopped.__name__}: {limit()}")


OTHER = FailedTask(task="reload_nginx", reason="WebServerError: nginx does not run")


def test_what_stop_on_error_stopped_adds_nothing_to_the_project() -> None:
    batch = stopped(0, "stop-on-error", by="download_projects [1]")
    sibling = FailedTask(task="download_projects [2]", reason="RunStopped: another batch failed")
    end = FailedTask(task="report", reason="RunFailed: 1 project failed")
    assert causes((batch, OTHER, sibling, end)) == (OTHER,)


def test_that_failures_were_too_many_is_said_once() -> None:
    first, second = (stopped(2, "max-failures = 2", by=f"download_projects [{n}]") for n in (1, 2))
    sibling = FailedTask(task="download_projects [0]", reason="RunStopped: another batch failed")
    assert causes((sibling, first, OTHER, second)) == (first, OTHER)
    assert "3 projects of this run have failed, 2 are tolerated; nothing is published" in first.reason
