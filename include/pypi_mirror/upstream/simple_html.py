"""PEP 503 pages of indexes that speak HTML only.

PEP 503 lets a page hold any other HTML besides its anchors, so a link counts only if it can be one of the
anchors the PEP asks for: of a file, or of a project below the index. That also tells a page from somebody's
error page that came with status 200.

A page is read as a stream of links, whose cost is counted: :mod:`pypi_mirror.upstream.html_tags`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.digests import LENGTHS
from pypi_mirror.errors import CutOff, UpstreamMalformed
from pypi_mirror.model import IndexEntry, ProjectPage, ProjectStatus, Refused, RemoteFile
from pypi_mirror.release_files import is_release_file, version_in
from pypi_mirror.upstream.checks import (
    MAX_FILES,
    check_version,
    checked_count,
    checked_serial,
    checked_status,
)
from pypi_mirror.upstream.file_entry import clean_text, read_file, unique_files
from pypi_mirror.upstream.html_tags import Element, HtmlElements, Names, TooMuchMarkup
from pypi_mirror.upstream.simple_json import index_entries

# Steps of reading HTML, each about a microsecond: a few seconds at worst. A file has some twenty as upstream
# lists it, a project four; upstream's index lists 730,000 projects.
_MAX_STEPS: Final = 25 * MAX_FILES
_MAX_INDEX_STEPS: Final = 6_000_000
# To take an address apart that is none of the usual.
_ADDRESS_STEPS: Final = 10
# Characters of an address that others are joined to: each of them gets as long.
_MAX_BASE: Final = 2_000
# Characters of a link's text that can be a file's name, or a cut one.
_MAX_LINK_TEXT: Final = 1_000
_SERIAL: Final = re.compile(rb"<!--SERIAL (\d{1,19})-->\s*$", re.ASCII)
# How lists of a directory show that a name was too long for their column: Apache and nginx with "..>".
_CUT: Final = re.compile(r"\.{2,3}>?|…")
_METADATA_DIGEST: Final = re.compile(r"(\w{1,32})=(.*)", re.ASCII)


_FILE: Final = Names(
    "href",
    "data-requires-python",
    "data-yanked",
    "data-core-metadata",
    "data-dist-info-metadata",
    "data-provenance",
    "data-gpg-sig",
)
_HREF: Final = Names("href")
_META: Final = Names("name", "content")
# An address that means what it says: with a host or without, and a path of which no part begins with a dot.
_PLAIN_ADDRESS: Final = re.compile(
    r"(?:https?://[A-Za-z0-9.:-]+(?=/))?(/?)((?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*+(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)?+)"
)


class _Anchor(Struct, frozen=True):
    """A link to a file: its address, made absolute, and its ``data-`` attributes, empty where bare."""

    url: str
    attributes: dict[str, str]


class _Document(ABC):
    """Reads the anchors of a document, and what PEP 629 and 792 say in its head."""

    most_steps: int

    def __init__(self, body: bytes, url: str) -> None:
        self.meta: dict[str, str] = {}
        self.base = url
        self.elements = HtmlElements(body, most_steps=self.most_steps)
        self._url = url
        self._based = False

    def read(self) -> None:
        """Raises UpstreamMalformed."""
        for element in self.elements:
            if element.name == b"a":
                self.anchor(element)
            elif element.name == b"base":
                self._rebase(self.elements.attributes(element, _HREF).get("href"))
            else:
                said = self.elements.attributes(element, _META)
                if said.get("name", "").startswith("pypi:") and "content" in said:
                    self.meta.setdefault(said["name"], said["content"])

    def _rebase(self, href: str | None) -> None:
        # Of several, the first counts (HTML, section 4.2.3).
        if href is None or self._based:
            return
        if len(href) > _MAX_BASE:
            raise UpstreamMalformed(f"this HTML has a base of {len(href):,} characters", url=self._url)
        self.base, self._based = urljoin(self.base, href.strip()), True

    @abstractmethod
    def anchor(self, element: Element) -> None:
        """An anchor is complete."""

    def absolute(self, href: str) -> str:
        self.elements.spend(_ADDRESS_STEPS)
        try:
            return urljoin(self.base, href)
        except ValueError:
            return href  # refused by name, as an address that is none


class _Files(_Document):
    """Collects the anchors that lead to files."""

    most_steps = _MAX_STEPS

    def __init__(self, body: bytes, url: str) -> None:
        super().__init__(body, url)
        self.links: list[tuple[str, _Anchor]] = []

    def anchor(self, element: Element) -> None:
        attributes = self.elements.attributes(element, _FILE)
        if (href := attributes.pop("href", None)) is None:
            return
        href, text = href.strip(), self.elements.text(element).strip()
        if (name := _filename(href, text)) is not None:
            self.links.append((name, _Anchor(self.absolute(href), attributes)))


class _Projects(_Document):
    """Collects the texts of those anchors that lead below ``url``: a root index has too many for more."""

    most_steps = _MAX_INDEX_STEPS

    def __init__(self, body: bytes, url: str) -> None:
        super().__init__(body, url)
        self.names: list[str] = []
        # Only the path counts: behind a proxy the anchors may name another scheme or host than we asked.
        self._root = urlsplit(urljoin(url, ".")).path
        self._directory_of: str | None = None
        self._directory_path = ""
        self.elsewhere: str | None = None  # the first link that no list of projects has

    def anchor(self, element: Element) -> None:
        href = self.elements.attributes(element, _HREF).get("href")
        if href is None:
            return
        href = href.strip()
        try:
            path = self._path(href)
        except ValueError:
            return
        below = path.removeprefix(self._root) if path.startswith(self._root) else None
        if below and not is_release_file(path):
            self.names.append(_project_name(self.elements.text(element).strip(), path))
        is_above = self._root.startswith(f"{path.rstrip('/')}/")
        if self.elsewhere is None and not is_above and (below is None or "/" in below.rstrip("/")):
            self.elsewhere = self.absolute(href)

    def _path(self, href: str) -> str:
        """The path of the address that ``href`` means."""
        # To see that there is nothing to take apart costs a tenth of taking it apart.
        plain = _PLAIN_ADDRESS.fullmatch(href)
        if plain is None or not href:
            return urlsplit(self.absolute(href)).path
        slash, rest = plain.groups()
        return f"/{rest}" if slash else f"{self._directory()}{rest}"

    def _directory(self) -> str:
        if self._directory_of != self.base:
            self._directory_of = self.base
            self._directory_path = urlsplit(urljoin(self.base, ".")).path
        return self._directory_path


def parse_project_page(
    body: bytes, *, url: str, project: NormalizedName, header_serial: int | None, etag: str | None
) -> ProjectPage:
    """The page of ``project`` at ``url``; a file that is invalid or unsafe is in ``refused``.

    HTML has no sizes, upload times or versions (PEP 700 adds them to JSON alone); they stay unknown.
    A page without any link is taken for a project without files only where it says it is such a page.
    Raises UpstreamMalformed, or CutOff.
    """
    page = _Files(body, url)
    _parse(body, page, url)
    checked_count(len(page.links), "files", url=url)
    if not page.links and _VERSION not in page.meta and b"inks for" not in body:
        raise CutOff("this HTML has no links to files and is not a project page", url=url)
    refused: list[Refused] = []
    read = (_file(name, anchor, refused, url) for name, anchor in page.links)
    files = unique_files((file for file in read if file is not None), refused)
    return ProjectPage(
        name=project,
        serial=_serial(body, header_serial),
        etag=etag,
        status=_status(page.meta, refused, url),
        versions=tuple(dict.fromkeys(v for file in files if (v := version_in(project, file.filename)))),
        files=files,
        refused=tuple(refused),
    )


def parse_root_index(body: bytes, *, url: str) -> tuple[None, Iterator[IndexEntry]]:
    """The projects of an HTML root index; it carries no serials.

    An anchor's text is the project's name and its address that of the project, below the index.
    """
    index = _Projects(body, url)
    _parse(body, index, url)
    return None, index_entries(((name, None) for name in index.names), url=url)


def require_index(body: bytes, *, url: str) -> None:
    """Raises UpstreamMalformed for HTML at an address that was only guessed, unless all of it is an index.

    A web site's front page links its sections just as an index links its projects, but other things, too.
    """
    index = _Projects(body, url)
    _parse(body, index, url)
    if index.elsewhere is not None:
        message = f"this is not a list of projects: it links to {index.elsewhere[:200]}"
        raise UpstreamMalformed(message, url=url)


def _project_name(text: str, path: str) -> str:
    """The text, without what a web server's own listing makes of it: a slash at the end, or a cut."""
    last = unquote(path.rstrip("/").rpartition("/")[2])
    text = text.removesuffix("/")
    return last if _CUT.search(text) and _is_cut_from(text, last) else text


_VERSION: Final = "pypi:repository-version"


def _parse(body: bytes, document: _Document, url: str) -> None:
    """Has ``document`` read ``body``; raises UpstreamMalformed and CutOff."""
    if b"<" not in body:
        raise CutOff("this is not HTML, and so not a project page", url=url)
    lowered = body.lower()
    if b"<html" in lowered and b"</html" not in lowered:
        # Without a length, nothing else shows that the connection was lost and files are missing.
        raise CutOff("this HTML is cut off", url=url)
    try:
        document.read()
    except TooMuchMarkup as error:
        raise UpstreamMalformed(f"this HTML has {error}", url=url) from error
    except ValueError as error:
        raise UpstreamMalformed(f"this is no PEP 503 document: {error}", url=url) from error
    if (version := document.meta.get(_VERSION)) is not None:
        check_version(version, url=url)


def _filename(href: str, text: str) -> str | None:
    """The name of the file that an anchor leads to, None where it leads to something else.

    PEP 503: the text is the name, and the last part of the address is the same. Lists of a directory cut the
    text, and icons have none; then the address has the name.
    """
    if is_release_file(text) and not _CUT.search(text):
        return text
    last = unquote(href.partition("#")[0].partition("?")[0].rpartition("/")[2])
    if is_release_file(last) and _is_cut_from(text, last):
        return last
    return text if is_release_file(text) else None


def _is_cut_from(text: str, name: str) -> bool:
    if not text:
        return True
    if len(text) > _MAX_LINK_TEXT:
        return False
    marks = list(_CUT.finditer(text))
    return any(name.startswith(text[: mark.start()]) and name.endswith(text[mark.end() :]) for mark in marks)


def _serial(body: bytes, header_serial: int | None) -> int | None:
    # As in JSON, the body's own serial goes before the header's.
    found = _SERIAL.search(body[-200:])
    serial = checked_serial(found[1].decode()) if found else None
    return header_serial if serial is None else serial


def _status(meta: dict[str, str], refused: list[Refused], url: str) -> ProjectStatus:
    def drop(field: str, reason: str) -> None:
        refused.append(Refused(filename=None, field=field, reason=reason))

    if (said := meta.get("pypi:project-status")) is None:
        return ProjectStatus()
    try:
        status = checked_status(said, url=url)
    except UpstreamMalformed as error:
        drop("project-status", error.message)
        return ProjectStatus()
    reason = meta.get("pypi:project-status-reason")
    return ProjectStatus(
        status=status, reason=None if reason is None else clean_text("project-status-reason", reason, drop)
    )


def _file(name: str, anchor: _Anchor, refused: list[Refused], base: str) -> RemoteFile | None:
    """What the attributes say, by the keys of PEP 691."""
    data = anchor.attributes
    address, _, fragment = anchor.url.partition("#")
    said: dict[str, Any] = {
        "filename": name,
        "url": address,
        "hashes": _digests(fragment),
        "requires-python": data.get("data-requires-python"),
        # PEP 592: the attribute's presence yanks, whatever its value.
        "yanked": data.get("data-yanked"),
        "provenance": data.get("data-provenance"),
        "gpg-sig": _flag(data["data-gpg-sig"]) if "data-gpg-sig" in data else None,
    }
    for key in ("core-metadata", "dist-info-metadata"):
        if (attribute := f"data-{key}") in data:
            said["core-metadata"] = _metadata(data[attribute])
            break
    return read_file(said, (), refused, base=base)


def _digests(fragment: str) -> dict[str, str]:
    """What a fragment says of digests. It can say other things, "egg" for one."""
    parts = (part.partition("=") for part in re.split("[&;]", fragment))
    return {name: digest for name, _, digest in parts if name.lower() in LENGTHS}


def _metadata(value: str) -> bool | dict[str, str]:
    # PEP 714 has "true" or a digest; anything else says that there is none.
    if (match := _METADATA_DIGEST.fullmatch(value)) is not None:
        return {match[1]: match[2]}
    return value.lower() == "true"


def _flag(value: str) -> bool:
    return value.lower() == "true"
