"""The JSON body of a request: read after the login was checked, bounded, and of one shape.

FastAPI itself would read a body before it checks who sends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import Depends, Request
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror_page.problems import Problem

MOST_BYTES: Final = 1_000_000
MOST_PROJECTS: Final = 1000
MOST_REASON: Final = 500

Names = Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_PROJECTS)]
Shape = TypeVar("Shape")


class _Projects(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    projects: Names


class _ForgetProjects(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    projects: Names
    force: bool = False


class _HeldFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    project: str
    filename: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class _Lift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: Annotated[list[_HeldFile], msgspec.Meta(min_length=1, max_length=MOST_PROJECTS)]
    reason: Annotated[str, msgspec.Meta(max_length=MOST_REASON)]


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """``force``: also those that the filters select, which stay behind upstream."""

    projects: tuple[NormalizedName, ...]
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifting:
    """Files in cooldown as (project, filename), each once, and why their cooldown is lifted."""

    files: tuple[tuple[NormalizedName, str], ...]
    reason: str


async def _named(request: Request) -> tuple[NormalizedName, ...]:
    """``{"projects": ["name", …]}``: names in any spelling, each once, in their order."""
    return _normalized((await _decoded(request, _Projects)).projects)


async def _forgetting(request: Request) -> Forgetting:
    """The same with ``"force": true`` or without."""
    body = await _decoded(request, _ForgetProjects)
    return Forgetting(projects=_normalized(body.projects), force=body.force)


async def _lifting(request: Request) -> Lifting:
    """``{"files": [{"project": "name", "filename": "name-1.0.tar.gz"}, …], "reason": "…"}``."""
    body = await _decoded(request, _Lift)
    reason = " ".join(body.reason.split())
    if not reason.isprintable() or not reason:
        raise _not_valid("the reason must be a line of text: it is kept with the files")
    files = dict.fromkeys((project_name(each.project), each.filename) for each in body.files)
    return Lifting(files=tuple(files), reason=reason)


async def _nothing(request: Request) -> None:
    """``{}``: what forms of other sites send is no JSON."""
    await _decoded(request, _Nothing)


NOTHING: Final = Depends(_nothing)
Projects = Annotated[tuple[NormalizedName, ...], Depends(_named)]
LiftFiles = Annotated[Lifting, Depends(_lifting)]
ForgetProjects = Annotated[Forgetting, Depends(_forgetting)]


def project_name(text: str) -> NormalizedName:
    """A project's name in any spelling; raises Problem for an invalid one."""
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        raise _not_valid(f"{text[:100]!r} is not a valid project name") from error


def _normalized(names: Sequence[str]) -> tuple[NormalizedName, ...]:
    return tuple(dict.fromkeys(project_name(name) for name in names))


async def _decoded(request: Request, shape: type[Shape]) -> Shape:
    """The body; raises Problem where it is too long, no JSON, or of another shape."""
    try:
        return msgspec.json.decode(await _bounded(request), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        wanted = _WANTED.get(shape, f'{{"projects": [1 to {MOST_PROJECTS} names]}}')
        raise _not_valid(f"the body must be {wanted}: {error}") from error


_WANTED: Final[dict[type, str]] = {
    _Nothing: "{}",
    _Lift: f'{{"files": [1 to {MOST_PROJECTS} of {{"project", "filename"}}], "reason": text}}',
}


async def _bounded(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A form on another site can send several types, and this one only after it has asked.
        detail = "send it as Content-Type: application/json"
        raise Problem(415, kind="not-json", title="The body must be JSON", detail=detail)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            detail = f"the body is longer than {MOST_BYTES} bytes"
            raise Problem(413, kind="too-long", title="The body is too long", detail=detail)
    return bytes(body)


def _not_valid(detail: str) -> Problem:
    return Problem(422, kind="not-valid", title="Invalid request", detail=detail)
