"""The engine's errors as values: what they say survives the way from one process to another."""

import pickle
from pathlib import Path

import pytest

from pypi_mirror.errors import (
    ConfigurationError,
    DigestMismatch,
    FileBusy,
    LeaseLost,
    LedgerUnavailable,
    MirrorBusy,
    MirrorError,
    Mistake,
    RunStopped,
    SizeMismatch,
    StalePage,
    UpstreamUnavailable,
)

URL = "https://index.example/simple/a/"


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError(Path("/etc/mirror.conf"), [Mistake(line=3, key="[mirror] timeout", message="no")]),
        UpstreamUnavailable("answered 503", url=URL, retry_after=3.0),
        StalePage(url=URL, serial=3, wanted=4),
        DigestMismatch(url=URL, algorithm="sha256", expected="aa", actual="bb"),
        SizeMismatch(url=URL, expected=3, actual=4),
        FileBusy(path="/srv/pypi/web/packages/a.whl"),
        MirrorBusy(owner="first", since="noon", expires="midnight"),
        LeaseLost(owner="first", holder="second", since="noon"),
        LedgerUnavailable("the ledger is away"),
        RunStopped("stop-on-error: a failed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_whole(error: MirrorError) -> None:
    came = pickle.loads(pickle.dumps(error))
    assert type(came) is type(error)
    assert str(came) == str(error)
    assert vars(came) == vars(error)
    assert came.retryable == error.retryable
