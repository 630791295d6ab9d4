"""PEP 503 pages of indexes that speak HTML only.

PEP 503 lets a page hold any other HTML besides its anchors, so a link counts only if it can be one of the
anchors the PEP asks for: of a file, or of a project below the index. That also tells a page from somebody's
error page that came with status 200.

A page is read as a stream of tags: a tree of it would take two kilobytes of memory a tag.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

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
from pypi_mirror.upstream.file_entry import cut_text, read_file, unique_files
from pypi_mirror.upstream.simple_json import index_entries

# An anchor has three "<" with the <br> behind it, and two in a root index; upstream's lists 730,000 projects.
_MAX_TAGS: Final = 4 * MAX_FILES
_MAX_INDEX_TAGS: Final = 4_000_000
# Of one tag or comment, in characters: a yank reason of the longest, each of its characters written as &#NN;.
_MAX_TAG: Final = 384 * 1024
_BLOCK: Final = 64 * 1024
_SERIAL: Final = re.compile(rb"<!--SERIAL (\d{1,19})-->\s*$", re.ASCII)
# How lists of a directory show that a name was too long for their column: Apache and nginx with "..>".
_CUT: Final = re.compile(r"\.{2,3}>?|…")
_METADATA_DIGEST: Final = re.compile(r"(\w{1,32})=(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A link: its address, made absolute, its text, and its ``data-`` attributes (None where one is bare)."""

    url: str
    text: str
    attributes: dict[str, str | None]


class _Anchors(HTMLParser):
    """Collects the anchors of a document, and what PEP 629 and 792 say in its head."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[_Anchor] = []
        self.meta: dict[str, str] = {}
        self._base = url
        self._based = False
        self._href: str | None = None
        self._attributes: dict[str, str | None] = {}
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._end_anchor()
            attributes = dict(attrs)
            self._href = attributes.get("href")
            self._attributes = {key: value for key, value in attrs if key.startswith("data-")}
        elif tag == "base" and not self._based:
            # Of several, the first counts (HTML, section 4.2.3).
            if (href := dict(attrs).get("href")) is not None:
                self._base, self._based = urljoin(self._base, href.strip()), True
        elif tag == "meta":
            attributes = dict(attrs)
            name, content = attributes.get("name"), attributes.get("content")
            if name is not None and content is not None and name.startswith("pypi:"):
                self.meta.setdefault(name, content)

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end_anchor()

    def close(self) -> None:
        super().close()
        self._end_anchor()

    def _end_anchor(self) -> None:
        if self._href is not None:
            self.found(self._href.strip(), "".join(self._text).strip(), self._attributes)
        self._href, self._text = None, []

    def found(self, href: str, text: str, attributes: dict[str, str | None]) -> None:
        """An anchor is complete."""
        self.anchors.append(_Anchor(self.absolute(href), text, attributes))

    def absolute(self, href: str) -> str:
        try:
            return urljoin(self._base, href)
        except ValueError:
            return href  # refused by name, as an address that is none


class _Names(_Anchors):
    """Collects the texts of those anchors that lead below ``url``: a root index has too many for more."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.names: list[str] = []
        # Only the path counts: behind a proxy the anchors may name another scheme or host than we asked.
        self._root = urlsplit(urljoin(url, ".")).path
        self.elsewhere: str | None = None  # the first link that no list of projects has

    def found(self, href: str, text: str, attributes: dict[str, str | None]) -> None:
        address = self.absolute(href)
        try:
            path = urlsplit(address).path
        except ValueError:
            return
        below = path.removeprefix(self._root) if path.startswith(self._root) else None
        if below and not is_release_file(path):
            self.names.append(_project_name(text, path))
        is_above = self._root.startswith(f"{path.rstrip('/')}/")
        if self.elsewhere is None and not is_above and (below is None or "/" in below.rstrip("/")):
            self.elsewhere = address


def parse_project_page(
    body: bytes, *, url: str, project: NormalizedName, header_serial: int | None, etag: str | None
) -> ProjectPage:
    """The page of ``project`` at ``url``; a file that is unsafe or nonsense is in ``refused``.

    HTML has no sizes, upload times or versions (PEP 700 adds them to JSON alone); they stay unknown.
    A page without any link is taken for a project without files only where it says it is such a page.
    Raises UpstreamMalformed, or CutOff.
    """
    page = _Anchors(url)
    _parse(body, page, url, most_tags=_MAX_TAGS)
    links = [(name, anchor) for anchor in page.anchors if (name := _filename(anchor)) is not None]
    checked_count(len(links), "files", url=url)
    if not links and _VERSION not in page.meta and b"inks for" not in body:
        raise CutOff("this HTML has no links to files and is no project page", url=url)
    refused: list[Refused] = []
    read = (_file(name, anchor, refused, url) for name, anchor in links)
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
    index = _Names(url)
    _parse(body, index, url, most_tags=_MAX_INDEX_TAGS)
    return None, index_entries(((name, None) for name in index.names), url=url)


def require_index(body: bytes, *, url: str) -> None:
    """Raises UpstreamMalformed for HTML at an address that was only guessed, unless all of it is an index.

    A web site's front page links its sections just as an index links its projects, but other things, too.
    """
    index = _Names(url)
    _parse(body, index, url, most_tags=_MAX_INDEX_TAGS)
    if index.elsewhere is not None:
        message = f"this is no list of projects: it links to {index.elsewhere[:200]}"
        raise UpstreamMalformed(message, url=url)


def _project_name(text: str, path: str) -> str:
    """The text, without what a web server's own listing makes of it: a slash at the end, or a cut."""
    last = unquote(path.rstrip("/").rpartition("/")[2])
    text = text.removesuffix("/")
    return last if _CUT.search(text) and _is_cut_from(text, last) else text


_VERSION: Final = "pypi:repository-version"


def _parse(body: bytes, document: _Anchors, url: str, *, most_tags: int) -> None:
    """Feed ``body`` to ``document``; raises UpstreamMalformed and CutOff."""
    if b"<" not in body:
        raise CutOff("this is no HTML and no project page", url=url)
    if body.count(b"<") > most_tags:
        raise UpstreamMalformed(
            f"this HTML has more tags than any index, {most_tags:,} are the most", url=url
        )
    lowered = body.lower()
    if b"<html" in lowered and b"</html" not in lowered:
        # Without a length, nothing else shows that the connection was lost and files are missing.
        raise CutOff("this HTML is cut off", url=url)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    try:
        for start in range(0, len(body), _BLOCK):
            document.feed(decoder.decode(body[start : start + _BLOCK]))
            if len(document.rawdata) > _MAX_TAG:
                raise UpstreamMalformed("this HTML has a tag that is longer than any text in it", url=url)
        document.close()
    # The parser of the standard library asserts what it does not understand.
    except (AssertionError, ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"this is no PEP 503 document: {error}", url=url) from error
    if (version := document.meta.get(_VERSION)) is not None:
        check_version(version, url=url)


def _filename(anchor: _Anchor) -> str | None:
    """The name of the file that the anchor leads to, None where it leads to something else.

    PEP 503: the text is the name, and the last part of the address is the same. Lists of a directory cut the
    text, and icons have none; then the address has the name.
    """
    if is_release_file(anchor.text) and not _CUT.search(anchor.text):
        return anchor.text
    try:
        last = unquote(urlsplit(anchor.url).path.rpartition("/")[2])
    except ValueError:
        last = ""
    if is_release_file(last) and _is_cut_from(anchor.text, last):
        return last
    return anchor.text if is_release_file(anchor.text) else None


def _is_cut_from(text: str, name: str) -> bool:
    if not text:
        return True
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
        status=status, reason=None if reason is None else cut_text("project-status-reason", reason, drop)
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
        "yanked": data["data-yanked"] or "" if "data-yanked" in data else None,
        "provenance": data.get("data-provenance"),
        "gpg-sig": _flag(data["data-gpg-sig"]) if "data-gpg-sig" in data else None,
    }
    for key in ("core-metadata", "dist-info-metadata"):
        if (attribute := f"data-{key}") in data:
            said["core-metadata"] = _metadata(data[attribute] or "")
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


def _flag(value: str | None) -> bool:
    return (value or "").lower() == "true"
