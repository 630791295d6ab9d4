"""Where upstream's simple pages begin.

PEP 503 allows any address: devpi's ``…/root/dev/+simple/``, a folder of wheels at ``…/whl/cu1/``. An index is
named without ``/simple/`` as often as with it, so both places are asked, and the caller remembers which one
answered.
"""

from collections.abc import Sequence
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.errors import UpstreamError, UpstreamRefused
from pypi_mirror.transport.login import LOGIN_ADVICE
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.project_pages import ACCEPT, MAX_PAGE

# Of a list of names, so many are tried before upstream counts as having none of them.
_TRIED: Final = 20


def standard_root(master: str) -> str:
    """Where an index has its pages beside XML-RPC and legacy JSON, which are at ``<master>/pypi``."""
    return f"{master}/simple/"


def roots_to_try(master: str, first: str | None = None) -> tuple[str, ...]:
    """Where the pages can be, addresses that end with a slash; ``first`` is where they were last."""
    return tuple(dict.fromkeys(filter(None, (first, standard_root(master), f"{master}/"))))


def find_root_by_pages(roots: Sequence[str], control: Control, names: Sequence[NormalizedName]) -> str | None:
    """The one of ``roots`` that has the page of one of ``names``; None where none of those tried is there.

    Raises UpstreamRefused where upstream shows none of them and wants, or may want, a login.
    """
    refused: UpstreamError | None = None
    for root in roots:
        for name in names[:_TRIED]:
            answer = control.call("GET", f"{root}{name}/", headers={"Accept": ACCEPT}, max_bytes=MAX_PAGE)
            if answer.status == 200:
                return root
            # Some servers say 403 of what they do not have, so it counts only if nothing else is said.
            if answer.status in (401, 403) and refused is None:
                refused = UpstreamRefused(f"answered {answer.status}. {LOGIN_ADVICE}", url=answer.url)
    if refused is not None:
        raise refused
    return None
