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

from pypi_mirror.errors import FileRefused, UpstreamMalformed
from pypi_mirror.zones import leads_inside

# The longest name that still leaves room for ".provenance" and a temporary name in 255 bytes.
MAX_FILENAME: Final = 220
# A project's name begins the names of its files, and is a directory's name itself.
MAX_NAME: Final = MAX_FILENAME
# Serials are kept as 64-bit numbers.
MAX_SERIAL: Final = 2**63 - 1
# No file has more bytes; sums over a mirror's files then fit into 64 bits, too.
MAX_SIZE: Final = 2**40
# Of one text on a page: a reason, a version, the Pythons that a file is for. Upstream's are below 1 kB.
MAX_TEXT: Final = 64 * 1024
# Of one page. Upstream's largest have some 30,000 files.
MAX_FILES: Final = 100_000
# What the pool itself puts beside a file.
_OURS: Final = (".metadata", ".provenance")
# What a file name may hold: printable ASCII without the separators of any system. Upstream's own rule
# (PEP 427 and PEP 625 names, and the legacy ones) is narrower.
_FILENAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 !#$%&'()+,.=@\[\]^_`{}~;-]*", re.ASCII)
# RFC 3986 has no backslash; parsers disagree about what it means, so that one would check another host
# than the other asks.
_ADDRESS: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]+", re.ASCII)
# RFC 3339, and so PEP 700; uv takes no page with another one on it.
_UPLOAD_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
# A path that means what it says, as nearly all do: none of its parts is empty or begins with a dot.
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_%+~!@=,-][A-Za-z0-9._%+~!@=,-]*)+", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,500}"', re.ASCII)
_STATUS: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]+", re.ASCII)
# The algorithms whose digests are checked, with the digest's length. Of hashlib's others, some have no
# fixed length.
DIGEST_LENGTHS: Final = {
    "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "blake2b": 128,
}  # fmt: skip


def checked_name(name: str, *, url: str) -> NormalizedName:
    """The normalized form (PEP 503) of a project's name; UpstreamMalformed when it is none (PEP 508)."""
    try:
        if len(name) > MAX_NAME:
            raise UpstreamMalformed(f"{name[:100]!r}... is too long for a project name", url=url)
        return canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise UpstreamMalformed(f"{name[:100]!r} is no project name", url=url) from error


def checked_filename(filename: str, *, url: str) -> str:
    """``filename`` when it is a plain file name, safe on any disk; FileRefused otherwise."""
    if len(filename) > MAX_FILENAME or not _FILENAME.fullmatch(filename) or filename.endswith(_OURS):
        raise FileRefused(f"{filename[:300]!r} is not a file name a mirror can take", url=url)
    return filename


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
        raise FileRefused(f"{address[:300]!r} is no address", url=base) from error
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or not _ADDRESS.fullmatch(absolute)
    ):
        raise FileRefused(f"{address[:300]!r} is not an address a mirror follows", url=base)
    if parts.scheme == "http" and base.startswith("https:"):
        raise FileRefused(f"{address[:300]!r} leaves https", url=base)
    if leads_inside(parts.hostname, base=urlsplit(base).hostname or ""):
        raise FileRefused(f"{address[:300]!r} is an internal address (refused)", url=base)
    return absolute


def checked_hashes(hashes: Mapping[str, str], *, url: str) -> tuple[tuple[str, str], ...]:
    """The digests as (algorithm, hexadecimal) pairs; FileRefused for one that is not well formed."""
    checked = []
    for algorithm, digest in hashes.items():
        lowered = digest.lower()
        wanted = DIGEST_LENGTHS.get(algorithm, len(lowered))
        if not _HEX.fullmatch(lowered) or len(lowered) != wanted or not algorithm.isascii():
            raise FileRefused(f"{digest[:200]!r} is no {algorithm[:20]} digest", url=url)
        checked.append((algorithm, lowered))
    return tuple(checked)


def checked_text(text: str | None, what: str, *, url: str) -> str | None:
    """``text`` when it is no longer than anybody needs, UpstreamMalformed with ``what`` it is otherwise."""
    if text is not None and len(text) > MAX_TEXT:
        raise UpstreamMalformed(f"{what} of {len(text)} characters, {text[:60]!r}..., is too long", url=url)
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
    raise UpstreamMalformed(f"{text[:100]!r} is no upload time (RFC 3339)", url=url)


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
        raise UpstreamMalformed(f"{status[:100]!r} is no project status", url=url)
    return status
