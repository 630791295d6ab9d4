"""Errors as JSON: which status, which type, and a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from pypi_mirror.clock import SystemClock
from pypi_mirror.errors import (
    ConfigurationError,
    DiskFull,
    LedgerDamaged,
    LedgerError,
    LedgerUnavailable,
    MirrorBusy,
    MirrorError,
    Mistake,
    OldLedger,
    UpstreamDown,
    UpstreamRefused,
    UpstreamUnavailable,
)
from pypi_mirror.ledger.store import Ledger
from pypi_mirror_page.mirror_source import NoMirrorYet
from pypi_mirror_page.problems import Problem, add_problem_handlers
from tests.plugins.conftest import asking, problem

URL = "https://index.example/simple/"


def ask(error: Exception) -> Any:
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise error

    return asking(app, raises=False).get("/")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (LedgerError("of schema 9"), 503, "ledger-error"),
        (LedgerDamaged("broken"), 503, "ledger-damaged"),
        (LedgerUnavailable("gone away"), 503, "ledger-unavailable"),
        (OldLedger(found="0001", known="0005", address="sqlite:///x"), 503, "old-ledger"),
        (NoMirrorYet("/srv/ledger.sqlite"), 503, "no-mirror-yet"),
        (DiskFull("no room", path="/srv"), 503, "disk-full"),
        (UpstreamUnavailable("no answer", url=URL), 502, "upstream-unavailable"),
        (UpstreamRefused("401", url=URL), 502, "upstream-refused"),
        (UpstreamDown("no answer"), 502, "upstream-down"),
        (MirrorBusy(owner="a run", since="now", expires="soon"), 409, "mirror-busy"),
        (MirrorError("x: not on the backlog"), 409, "mirror-error"),
        (Problem(418, kind="teapot", title="Short", detail="and stout"), 418, "teapot"),
    ],
)
def test_errors_of_the_engine(
    error: Exception, status: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYPI_MIRROR_CONF", raising=False)
    assert problem(ask(error), status, kind) == str(error)


def test_a_ledger_out_of_reach_is_named_without_its_secrets() -> None:
    url = "postgresql+psycopg://me:hidden-1@127.0.0.1:1/pypi?password=hidden-2&sslpassword=hidden-3"
    with pytest.raises(LedgerUnavailable) as caught, Ledger.open(url, SystemClock()):
        pass
    answer = ask(caught.value)
    assert "127.0.0.1:1/pypi" in problem(answer, 503, "ledger-unavailable")
    assert "hidden" not in answer.text


def test_commands_that_it_proposes_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPI_MIRROR_CONF", "/srv/mirror.conf")
    said = problem(ask(NoMirrorYet("/srv/ledger.sqlite")), 503, "no-mirror-yet")
    assert "`pypi-mirror ledger rebuild -c /srv/mirror.conf`" in said


def test_a_broken_configuration_names_every_mistake() -> None:
    mistakes = [
        Mistake(line=3, key="[mirror] workers", message="too many"),
        Mistake(line=None, message="unreadable"),
    ]
    answer = ask(ConfigurationError(Path("/etc/mirror.conf"), mistakes))
    assert "/etc/mirror.conf:3: [mirror] workers: too many" in problem(answer, 503, "configuration-error")
    assert answer.json()["mistakes"] == [
        {"line": 3, "key": "[mirror] workers", "message": "too many"},
        {"line": None, "key": None, "message": "unreadable"},
    ]


def test_what_passes_by_itself_says_when_to_try_again() -> None:
    assert ask(LedgerUnavailable("busy")).headers["retry-after"] == "5"
    assert "retry-after" not in ask(LedgerDamaged("broken")).headers


def test_an_error_of_the_program_gives_nothing_away() -> None:
    answer = ask(ValueError("a secret"))
    assert "API server" in problem(answer, 500, "error")
    assert "secret" not in answer.text


def test_a_parameter_that_is_not_valid_is_named() -> None:
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/")
    def take(limit: int) -> None: ...

    answer = asking(app).get("/?limit=many")
    assert problem(answer, 422, "not-valid").startswith("query.limit: ")
    assert json.loads(answer.content)["title"]
