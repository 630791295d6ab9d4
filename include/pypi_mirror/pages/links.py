"""Where the links of a project page lead: relative by default, below ``root_uri`` when there is one, to
upstream's files where the mirror keeps none.

A page is served at ``<site>/simple/<name>/`` and files at ``<site>/packages/…``, so the relative link is
``../../packages/…``, whatever the site's prefix. This holds with ``hash-index`` too: the pages lie one
directory deeper on disk, but the web server rewrites internally and the client resolves links against
the address it asked for. (Only somebody who walks the tree itself, at ``/simple/f/foo/``, is led astray;
bandersnatch writes the same links.)
"""

from typing import Protocol
from urllib.parse import quote

from pypi_mirror.model import PooledFile

# RFC 3986, what a path may hold as it is: "/", unreserved, sub-delims, ":" and "@".
_SAFE_PUNCTUATION = "/-._~!$&'()*+,;=:@"
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + _SAFE_PUNCTUATION.encode()


class Links(Protocol):
    """Addresses for a page's files, ready for JSON: percent-encoded, not yet escaped for HTML."""

    def file(self, file: PooledFile) -> str:
        """The address of the file; its metadata is at the same address plus ``.metadata`` (PEP 658)."""
        ...

    def absolute(self, file: PooledFile) -> str:
        """The whole address of the file, for documents that are read far from where they came from."""
        ...

    def provenance(self, file: PooledFile) -> str:
        """The address of the file's provenance object (PEP 740); asked for only if it has one."""
        ...


class PoolLinks:
    """Links into the mirror's own pool.

    ``public_url`` is the site's address without ``/simple/``; ``root_uri`` the address to put before
    ``/packages/`` where files are served from another site, None for relative links.
    """

    def __init__(self, *, public_url: str, root_uri: str | None = None) -> None:
        self._files = f"{root_uri.rstrip('/')}/" if root_uri else "../../"
        self._site = f"{(root_uri or public_url).rstrip('/')}/"

    def file(self, file: PooledFile) -> str:
        return self._files + quote_path(file.path)

    def absolute(self, file: PooledFile) -> str:
        return self._site + quote_path(file.path)

    def provenance(self, file: PooledFile) -> str:
        """Absolute always: PEP 740 wants a fully qualified URL, and clients refuse the page otherwise."""
        return f"{self.absolute(file)}.provenance"


class UpstreamLinks:
    """Links to where upstream's page links to, of a mirror that keeps pages alone."""

    def file(self, file: PooledFile) -> str:
        return file.remote.url

    def absolute(self, file: PooledFile) -> str:
        return file.remote.url

    def provenance(self, file: PooledFile) -> str:
        """The mirror keeps no provenance of files that it does not keep."""
        raise ValueError(f"{file.remote.filename} has no provenance here")


def quote_path(path: str) -> str:
    """Percent-encode ``path`` for a URL, slashes kept."""
    # Nearly every path needs nothing, and finding that out this way takes a tenth of quote()'s time.
    if path.encode().translate(None, _SAFE):
        return quote(path, safe=_SAFE_PUNCTUATION)
    return path
