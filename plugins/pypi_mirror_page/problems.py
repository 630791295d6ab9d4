"""Errors as JSON (RFC 9457): a sentence for people and a ``type`` for programs.

The type is ``urn:pypi-mirror:`` and the error's name (``urn:pypi-mirror:ledger-damaged``).
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pypi_mirror.errors import (
    ConfigurationError,
    DiskFault,
    LedgerDamaged,
    LedgerError,
    LedgerUnavailable,
    MirrorBusy,
    MirrorError,
    OldLedger,
    UpstreamDown,
    UpstreamError,
)
from pypi_mirror.observing.paging import BadKey
from pypi_mirror.settings.locate import name_used_file
from pypi_mirror_page.json_answer import Json

log = logging.getLogger(__name__)

PREFIX: Final = "urn:pypi-mirror:"
# The first that fits. What is left is about what was asked for.
_STATUS: Final[tuple[tuple[type[MirrorError], int, str], ...]] = (
    (ConfigurationError, 503, "The configuration cannot be used"),
    (LedgerUnavailable, 503, "The ledger is unreachable"),
    (LedgerDamaged, 503, "The ledger is damaged"),
    (OldLedger, 503, "The ledger needs an upgrade"),
    (LedgerError, 503, "The ledger cannot be used"),
    (DiskFault, 503, "The disk has a fault"),
    (UpstreamError, 502, "Upstream is unreachable"),
    (UpstreamDown, 502, "Upstream is unreachable"),
    (MirrorBusy, 409, "The mirror is busy"),
    (BadKey, 422, "Invalid request"),
    (MirrorError, 409, "Not possible"),
)
_RETRY_AFTER: Final = "5"
_NO_LOGIN: Final = "Invalid JWT token"


class Problem(Exception):
    """Ends a request with a problem. ``kind`` becomes its type, ``more`` further members."""

    def __init__(
        self, status: int, *, kind: str, title: str, detail: str, more: Mapping[str, Any] | None = None
    ) -> None:
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.more = dict(more or {})
        super().__init__(detail)


class ProblemJson(Json):
    media_type = "application/problem+json"


def add_problem_handlers(app: FastAPI) -> None:
    """Have ``app`` answer every error as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(MirrorError, _mirror_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def kind_of(error: MirrorError) -> str:
    """``LedgerDamaged`` → ``ledger-damaged``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> ProblemJson:
    body = {
        "type": f"{PREFIX}{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
    }
    return ProblemJson(body, status_code=problem.status, headers=dict(headers or {}))


# Starlette types every handler as one of any exception.
def _problem(_request: Request, error: Exception) -> ProblemJson:
    assert isinstance(error, Problem)  # noqa: S101
    return _answer(error)


def _mirror_error(_request: Request, error: Exception) -> ProblemJson:
    assert isinstance(error, MirrorError)  # noqa: S101
    status, title = next((status, title) for kind, status, title in _STATUS if isinstance(error, kind))
    more = {"mistakes": msgspec.to_builtins(error.mistakes)} if isinstance(error, ConfigurationError) else {}
    headers = {"Retry-After": _RETRY_AFTER} if isinstance(error, LedgerUnavailable) else {}
    detail = name_used_file(str(error))
    return _answer(Problem(status, kind=kind_of(error), title=title, detail=detail, more=more), headers)


def _http_error(_request: Request, error: Exception) -> ProblemJson:
    assert isinstance(error, HTTPException)  # noqa: S101
    # For an invalid login, or one signed with another secret, Airflow answers 403: logging in again helps.
    status = HTTPStatus.UNAUTHORIZED if error.detail == _NO_LOGIN else HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", "Bearer")
    kind = status.phrase.lower().replace(" ", "-")
    return _answer(Problem(status, kind=kind, title=status.phrase, detail=str(error.detail)), headers)


def _invalid(_request: Request, error: Exception) -> ProblemJson:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return _answer(Problem(422, kind="not-valid", title="Invalid request", detail=faults))


def _unexpected(request: Request, _error: Exception) -> ProblemJson:
    # Starlette raises it again behind us, so the server's log has it whole.
    log.error("PyPI mirror page: %s failed", request.url.path)
    detail = "unexpected error; the log of Airflow's API server has the details"
    return _answer(Problem(500, kind="error", title="Unexpected error", detail=detail))
