"""What the log of a task leads with: projects, files, bytes, and each failure with its reason."""

import logging

import pytest

from mirror_airflow.task_log import log_batch, log_pages
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import Failure, Tally
from pypi_mirror.runs.download_projects import BatchResult
from pypi_mirror.runs.read_pages import PagesRead
from tests.ledger.samples import planned

TALLY = Tally(
    projects_done=1_200, projects_failed=1, projects_removed=3, files_downloaded=9, bytes_downloaded=2_480_000
)


def test_a_batch_says_what_it_did_and_why_projects_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    failure = Failure(project="alpha", error="DigestMismatch", reason="sha256 is x")
    figures = log_batch(BatchResult(tally=TALLY, failures=(failure,), waiting=1))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        (
            "INFO",
            "1,200 projects synced, 3 removed, 1 failed; 9 files downloaded (2.48 MB)",
        ),
        ("ERROR", "alpha failed: DigestMismatch: sha256 is x"),
        ("WARNING", "1 project left to a later run"),
    ]
    assert figures == {"failed": 1, "files": 9}


def test_pages_that_cannot_be_read_are_named_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    failed = Failed(planned=planned("alpha"), error="StalePage", reason="it is old")
    assert log_pages(PagesRead(asked=1_234, failed=(failed,))) == 1_234
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "1,234 pages requested, 1 failed"),
        ("ERROR", "alpha failed: StalePage: it is old"),
    ]
