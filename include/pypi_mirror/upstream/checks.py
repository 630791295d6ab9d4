"""What upstream says is checked here before it becomes a path, a request or a link.

Upstream is not trusted (DESIGN invariant 6): a bad name or address is refused for its project alone.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin, urlsplit

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror.digests import LENGTHS
from pypi_mirror.errors import FileRefused, UpstreamMalformed
from pypi_mirror.transport.zones import leads_inside

# Bytes in UTF-8. PyPI takes as many; with ".metadata" behind it, it fills the 255 that file systems have.
MAX_FILENAME: Final = 246
# A project's name begins the names of its files, and is a directory's name itself.
MAX_NAME: Final = 220
# Serials are kept as 64-bit numbers.
MAX_SERIAL: Final = 2**63 - 1
# No file has more bytes; sums over a mirror's files then fit into 64 bits, too.
MAX_SIZE: Final = 2**40
# Characters of one text on a page: a reason (a longer one is cut), a version, the Pythons that a file is for.
# Most of upstream's are below 1 kB.
MAX_TEXT: Final = 64 * 1024
# Stands in a text for half a surrogate pair, which JSON can write and which is no character; nor is this.
ILLEGIBLE: Final = "\uffff"
# Of one page. Upstream's largest have some 30,000 files.
MAX_FILES: Final = 100_000
# What the pool itself puts beside a file.
_OURS: Final = (".metadata", ".provenance")
# What no file name may hold beside what is not printable: the separators and wildcards of any system. Nor may
# it look like an option, a hidden file or a name that a person takes for another one, nor end in what shares
# of Windows and readers of HTML leave out.
_NOT_IN_FILENAMES: Final = re.compile(r"""[/\\:*?"<>|]|\A[ .-]|[ .]\Z""")
# RFC 3986 has no backslash; parsers disagree about what it means, so that one would check another host
# than the other asks.
_ADDRESS: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]+", re.ASCII)
# RFC 3339, and so PEP 700; uv takes no page with another one on it.
_UPLOAD_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
# A path that means what it says, as nearly all do: none of its parts is empty or begins with a dot.
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_%+~!@=,-][A-Za-z0-9._%+~!@=,-]*)+", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,500}"', re.ASCII)
_STATUS: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{1,1024}", re.ASCII)
_ALGORITHM: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}", re.ASCII)


def checked_name(name: str, *, url: str) -> NormalizedName:
    """The normalized form (PEP 503) of a project's name; UpstreamMalformed when it is none (PEP 508)."""
    try:
        if len(name) > MAX_NAME:
            raise UpstreamMalformed(f"{name[:100]!r}... is too long for a project name", url=url)
        return canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise UpstreamMalformed(f"{name[:100]!r} is not a valid project name", url=url) from error


def checked_filename(filename: str, *, url: str) -> str:
    """``filename`` when it is a plain file name, safe on any disk; FileRefused otherwise."""
    if not filename or not filename.isprintable() or _NOT_IN_FILENAMES.search(filename):
        raise FileRefused(f"{shown(filename)} is not a safe file name", url=url)
    if (size := len(filename.encode())) > MAX_FILENAME:
        raise FileRefused(f"a file name of {size} bytes is too long, {MAX_FILENAME} are the most", url=url)
    if filename.endswith(_OURS):
        raise FileRefused(
            f"{shown(filename)} is the name of a document beside a file, not of a file", url=url
        )
    return filename


def shown(text: str, most: int = 100) -> str:
    """``text`` from upstream for a message: quoted, escaped, and cut after ``most`` characters."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."


def checked_address(address: str, *, base: str) -> str:
    """The absolute http(s) address that ``address`` means on the page at ``base``."""
    # To see that there is nothing to take apart costs a tenth of taking it apart.
    path = address.find("/", len("https://")) if address.startswith("http") else 0
    if path >= 0 and _PLAIN_PATH.fullmatch(address, path):
        own = base[: base.index("/", len("https://"))]
        return (own if path == 0 else _checked_origin(address[:path], own)) + address[path:]
    return _resolved(address, base)


@lru_cache(maxsize=64)
def _checked_origin(origin: str, base: str) -> str:
    """Scheme, host and port of an address, checked as the whole address would be; files share very few."""
    return _resolved(f"{origin}/", f"{base}/").removesuffix("/")


def _resolved(address: str, base: str) -> str:
    try:
        absolute = urljoin(base, address)
        parts = urlsplit(absolute)
        _ = parts.port
    except ValueError as error:
        raise FileRefused(f"{address[:300]!r} is not a valid address", url=base) from error
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or not _ADDRESS.fullmatch(absolute)
    ):
        raise FileRefused(f"{address[:300]!r} has an unsupported scheme, host, port or character", url=base)
    if parts.scheme == "http" and base.startswith("https:"):
        raise FileRefused(f"{address[:300]!r} is an http address on an https page (refused)", url=base)
    if leads_inside(parts.hostname, base=urlsplit(base).hostname or ""):
        raise FileRefused(f"{address[:300]!r} is an internal address (refused)", url=base)
    return absolute


def checked_hashes(hashes: Mapping[str, str], *, url: str) -> tuple[tuple[str, str], ...]:
    """The digests as (algorithm, hexadecimal) pairs; FileRefused for one that is not well formed."""
    checked = []
    for algorithm, digest in hashes.items():
        lowered = digest.lower()
        wanted = LENGTHS.get(algorithm)
        if (
            not _HEX.fullmatch(lowered)
            or len(lowered) != (wanted or len(lowered))
            or (wanted is None and not _ALGORITHM.fullmatch(algorithm))
        ):
            raise FileRefused(f"{shown(digest)} is not a valid {shown(algorithm, 20)} digest", url=url)
        checked.append((algorithm, lowered))
    return tuple(checked)


def checked_text(text: str | None, what: str, *, url: str) -> str | None:
    """``text`` when it is legible and no longer than anybody needs.

    UpstreamMalformed with ``what`` it is otherwise.
    """
    if text is not None and len(text) > MAX_TEXT:
        raise UpstreamMalformed(f"{what} of {len(text)} characters, {text[:60]!r}..., is too long", url=url)
    if text is not None and ILLEGIBLE in text:
        raise UpstreamMalformed(f"{what}, {text[:60]!r}, has half a surrogate pair", url=url)
    return text


def checked_upload_time(text: str | None, *, url: str) -> str | None:
    """``text`` when it is a time as PEP 700 has it, None for none; UpstreamMalformed otherwise."""
    if not text:
        return None
    try:
        if _UPLOAD_TIME.fullmatch(text):
            datetime.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise UpstreamMalformed(f"{text[:100]!r} is not a valid upload time (RFC 3339)", url=url)


def checked_count(number: int, what: str, *, url: str) -> None:
    """UpstreamMalformed when a page has more of ``what`` than any project has."""
    if number > MAX_FILES:
        raise UpstreamMalformed(f"the page has {number} {what}; {MAX_FILES} are the most", url=url)


def checked_etag(etag: str | None) -> str | None:
    """``etag`` when it is one that can be sent back (RFC 9110, section 8.8.3), None otherwise."""
    return etag if etag is not None and _ETAG.fullmatch(etag) else None


def checked_serial(text: str) -> int | None:
    """The serial in a header or comment, None where there is none."""
    if not 0 < len(text) <= 19 or not (text.isascii() and text.isdigit()):
        return None
    return serial if (serial := int(text)) <= MAX_SERIAL else None


def checked_status(status: str, *, url: str) -> str:
    """PEP 792's status marker. One that the PEP does not have yet is carried on, as long as it is a word."""
    if not _STATUS.fullmatch(status):
        raise UpstreamMalformed(f"{status[:100]!r} is not a valid project status", url=url)
    return status


def check_version(version: str, *, url: str) -> None:
    """UpstreamMalformed for a version of the simple API that this program does not know."""
    # PEP 629: a client must refuse a major version that it does not know.
    if version.partition(".")[0] != "1":
        raise UpstreamMalformed(f"speaks version {version!r} of the simple API; 1.x is known", url=url)
