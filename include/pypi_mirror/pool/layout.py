"""Which directory of the pool a file lies in; ``model.path_of`` makes a path of it."""

import hashlib
import re
from typing import Final

from pypi_mirror.model import RemoteFile

# Upstream's own layout: the BLAKE2b-256 of the file in hexadecimal, cut as 2, 2 and 60.
_LAYOUT: Final = re.compile(r"/packages/([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{60})/[^/]+")


def location_of(file: RemoteFile) -> bytes:
    """The 32 bytes that name the file's directory, the same for every run.

    Upstream's own where the address has them, so that a bandersnatch tree is taken over as it is; else
    the file's SHA-256; else, where the page gives none, the SHA-256 of its address.
    """
    if (match := _LAYOUT.search(file.url)) is not None:
        return bytes.fromhex("".join(match.groups()))
    if file.sha256 is not None:
        return bytes.fromhex(file.sha256)
    return hashlib.sha256(file.url.encode()).digest()
