"""Which directory of the pool a file lies in; ``model.path_of`` makes a path of it.

A place belongs to one project and one file. Upstream chooses addresses, and nothing keeps a page from naming
the address of another project's file. So upstream's place is taken only by the project that the file's name
begins with. Every other project gets a place made from its own name and the SHA-256 of the bytes. That needs
no look at other projects, and it is the same whoever comes first.
"""

import hashlib
import re
from functools import lru_cache
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.model import RemoteFile

# Upstream's own layout: the BLAKE2b-256 of the file in hexadecimal, cut as 2, 2 and 60.
_LAYOUT: Final = re.compile(r"/packages/([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{60})/[^/]+")
# Where the version begins in a name that is no wheel's: PEP 625 allows one dash, older names have more.
_VERSION: Final = re.compile(r"-(?=[vV]?\d)")


def owner_of(filename: str) -> NormalizedName:
    """The one project that a file of this name can belong to."""
    if filename.endswith(".whl"):
        return _normalized(filename.partition("-")[0])
    name, *version = _VERSION.split(filename, maxsplit=1)
    return _normalized(name if version else filename.rpartition("-")[0])


@lru_cache(maxsize=1024)
def _normalized(name: str) -> NormalizedName:
    return canonicalize_name(name)


def upstream_place(file: RemoteFile) -> bytes | None:
    """The 32 bytes that upstream's address names, so that a bandersnatch tree is taken over as it is."""
    if (match := _LAYOUT.search(file.url)) is None:
        return None
    return bytes.fromhex("".join(match.groups()))


def listed_place(file: RemoteFile) -> bytes:
    """The place of a file on a page of our own, whose links have the layout."""
    return upstream_place(file) or bytes.fromhex(file.sha256 or "00" * 32)


def location_of(
    project: NormalizedName, file: RemoteFile, sha256: str | None, *, taken: bytes | None = None
) -> bytes | None:
    """The 32 bytes that name the directory of ``file`` of ``project``, whose bytes have that SHA-256.

    ``taken`` is where other bytes of the same name lie. None where the place depends on the SHA-256 and
    nobody knows it yet.
    """
    is_owner = owner_of(file.filename) == project
    upstreams = upstream_place(file) if is_owner else None
    if upstreams is not None and upstreams != taken:
        return upstreams
    if sha256 is None:
        return None
    return bytes.fromhex(sha256) if is_owner else _own_place(project, sha256)


def is_own_place(project: NormalizedName, filename: str, location: bytes, sha256: bytes) -> bool:
    """Whether no other project can come to have a file at this place."""
    return owner_of(filename) == project or location == _own_place(project, sha256.hex())


def _own_place(project: NormalizedName, sha256: str) -> bytes:
    return hashlib.sha256(f"{project}\n{sha256}".encode()).digest()


def place_of_part(file: RemoteFile) -> bytes:
    """Where a file is downloaded whose place is not known before its bytes are."""
    return hashlib.sha256(file.url.encode()).digest()
