"""What is right at first and hostile later: files and projects that change between two runs."""

import hashlib
from dataclasses import dataclass

from tests.torture.hostile.honest import content, document, file
from tests.torture.hostile.server import Answer, page

_NAME = "x-1.0.tar.gz"
_PLACE = f"packages/ab/cd/{'e' * 60}/{_NAME}"
_OTHER = b"what another project put there\n" * 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """``steps`` are what upstream answers in one run after the other, beside the honest projects.

    After the last one ``refused`` is named as failed, no project where it is None, and each of ``served`` is
    served.
    """

    name: str
    listed: tuple[str, ...]
    steps: tuple[dict[str, Answer], ...]
    refused: str | None
    served: tuple[str, ...]


def _project(
    name: str, body: bytes, place: str = _PLACE, *, serial: int, said: int | None = None
) -> dict[str, Answer]:
    """A project with one file at ``place``, which holds ``body``; ``said`` is the size on the page."""
    entry = file(_NAME, body, url=f"../../{place}", **({} if said is None else {"size": said}))
    meta = {"api-version": "1.4", "_last-serial": serial}
    return {
        f"/simple/{name}/": page(document(name, entry, meta=meta)),
        f"/{place}": Answer(body=body, content_type="application/gzip"),
    }


_FIRST = content("first")

CASES: tuple[Case, ...] = (
    Case(
        name="the same file name with another digest",
        listed=("hostile",),
        steps=(_project("hostile", _FIRST, serial=9), _project("hostile", _OTHER, serial=10)),
        refused="hostile",
        served=("hostile",),
    ),
    Case(
        name="a file whose size changes on the page",
        listed=("hostile",),
        steps=(
            _project("hostile", _FIRST, serial=9),
            _project("hostile", _FIRST, serial=10, said=len(_FIRST) + 1),
        ),
        refused="hostile",
        served=("hostile",),
    ),
    Case(
        name="another project's place, later",
        listed=("first", "second"),
        steps=(
            _project("first", _FIRST, serial=9) | {"/simple/second/": page(document("second"))},
            # The place serves the other bytes now. Each has a place of its own in the pool.
            _project("first", _FIRST, serial=10) | _project("second", _OTHER, serial=10),
        ),
        refused=None,
        served=("first", "second"),
    ),
    Case(
        name="another project's place, with the other's digest of nothing",
        listed=("first", "second"),
        steps=(
            _project("first", _FIRST, serial=9) | {"/simple/second/": page(document("second"))},
            {
                **_project("first", _FIRST, serial=10),
                "/simple/second/": page(
                    document(
                        "second",
                        file(
                            _NAME,
                            _OTHER,
                            url=f"../../{_PLACE}",
                            hashes={"md5": hashlib.md5(_OTHER).hexdigest()},
                        ),
                        meta={"api-version": "1.4", "_last-serial": 10},
                    )
                ),
                f"/{_PLACE}": Answer(body=_OTHER),
            },
        ),
        refused=None,
        served=("first", "second"),
    ),
)
