"""What ``status`` says of how current the mirror is."""

from datetime import UTC, datetime

import pytest

from pypi_mirror.cli.status import _lag

SILENT = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lag", "silent_since", "said"),
    [
        (None, None, "unknown"),
        (None, SILENT, "unknown"),
        (0, None, "up to date"),
        (7200, None, "2 hours behind upstream"),
        (0, SILENT, "up to date when upstream last answered"),
        (7200, SILENT, "2 hours behind upstream when upstream last answered"),
    ],
)
def test_nothing_is_current_that_upstream_did_not_confirm(
    lag: int | None, silent_since: datetime | None, said: str
) -> None:
    assert _lag(lag, silent_since) == said
