"""PEP 503 pages of indexes that speak HTML only, parsed by pypi-simple.

PEP 503 lets a page hold any other HTML besides its anchors, so a link counts only if it can be one of the
anchors the PEP asks for: of a file, or of a project below the index. That also tells a page from somebody's
error page that came with status 200.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin, urlsplit

from bs4.exceptions import ParserRejectedMarkup
from packaging.utils import NormalizedName
from pypi_simple import DistributionPackage, Link, RepositoryPage, UnsupportedRepoVersionError

from pypi_mirror.errors import CutOff, UpstreamMalformed
from pypi_mirror.model import IndexEntry, ProjectPage, ProjectStatus, RemoteFile
from pypi_mirror.release_files import is_release_file, version_in
from pypi_mirror.upstream.checks import (
    DIGEST_LENGTHS,
    checked_address,
    checked_filename,
    checked_hashes,
    checked_serial,
    checked_status,
    checked_text,
)
from pypi_mirror.upstream.simple_json import index_entries

# Of one project's page: its tree takes some two kilobytes a tag in memory. A link has three, with its <br>.
_MAX_TAGS: Final = 60_000
_MAX_PAGE: Final = 16 * 1024 * 1024
_SERIAL: Final = re.compile(rb"<!--SERIAL (\d{1,19})-->\s*$", re.ASCII)


def parse_project_page(
    body: bytes, *, url: str, project: NormalizedName, header_serial: int | None, etag: str | None
) -> ProjectPage:
    """The page of ``project`` at ``url``; raises UpstreamMalformed, or FileRefused for an unsafe file.

    HTML has no sizes, upload times or versions (PEP 700 adds them to JSON alone); they stay unknown.
    A page without any link is taken for a project without files only where it says it is such a page.
    """
    if len(body) > _MAX_PAGE or body.count(b"<") > _MAX_TAGS or body.count(b"=") > 4 * _MAX_TAGS:
        raise UpstreamMalformed("this HTML is longer than any project's page", url=url)
    page = _parse(body, url)
    links = [link for link in page.links if is_release_file(link.text)]
    if not links and page.repository_version is None and b"inks for" not in body:
        raise CutOff("this HTML has no links to files and is no project page", url=url)
    packages = [DistributionPackage.from_link(_with_metadata(link), project) for link in links]
    return ProjectPage(
        name=project,
        serial=_serial(body, header_serial),
        etag=etag,
        status=_status(page, url),
        versions=tuple(dict.fromkeys(v for p in packages if (v := version_in(project, p.filename)))),
        files=_unique((_file(p, url) for p in packages), url),
    )


def parse_root_index(body: bytes, *, url: str) -> tuple[None, Iterator[IndexEntry]]:
    """The projects of an HTML root index; it carries no serials.

    An anchor's text is the project's name and its address that of the project, below the index.
    """
    # Only the path counts: behind a proxy the anchors may name another scheme or host than we asked.
    root = urlsplit(urljoin(url, ".")).path
    links = _parse(body, url).links
    names = ((link.text, None) for link in links if _is_below(link.url, root))
    return None, index_entries(names, url=url)


def _is_below(address: str, root: str) -> bool:
    path = urlsplit(address).path
    return path.startswith(root) and path != root


def _parse(body: bytes, url: str) -> RepositoryPage:
    if b"<" not in body:
        raise CutOff("this is no HTML and no project page", url=url)
    lowered = body.lower()
    if b"<html" in lowered and b"</html" not in lowered:
        # Without a length, nothing else shows that the connection was lost and files are missing.
        raise CutOff("this HTML is cut off", url=url)
    try:
        return RepositoryPage.from_html(body, url, from_encoding="utf-8")
    except (UnsupportedRepoVersionError, ParserRejectedMarkup, ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"this is no PEP 503 document: {error}", url=url) from error


def _serial(body: bytes, header_serial: int | None) -> int | None:
    # As in JSON, the body's own serial goes before the header's.
    found = _SERIAL.search(body[-200:])
    serial = checked_serial(found[1].decode()) if found else None
    return header_serial if serial is None else serial


def _status(page: RepositoryPage, url: str) -> ProjectStatus:
    said = page.pypi_meta.get("project-status")
    if not said:
        return ProjectStatus()
    return ProjectStatus(
        status=checked_status(said[0], url=url),
        reason=checked_text(page.status_reason, "a status reason", url=url),
    )


def _with_metadata(link: Link) -> Link:
    # PEP 714: `data-core-metadata` decides where it is present, the misnamed older key where it is not.
    if "data-core-metadata" not in link.attrs and "data-dist-info-metadata" in link.attrs:
        link.attrs["data-core-metadata"] = link.attrs["data-dist-info-metadata"]
    return link


def _file(package: DistributionPackage, base: str) -> RemoteFile:
    # A fragment can say other things than a digest, "egg" for one.
    digests = {name: digest for name, digest in package.digests.items() if name in DIGEST_LENGTHS}
    return RemoteFile(
        filename=checked_filename(package.filename, url=base),
        url=checked_address(package.url, base=base),
        hashes=checked_hashes(digests, url=base),
        size=package.size,
        requires_python=checked_text(package.requires_python, "requires-python", url=base),
        yanked=checked_text(package.yanked_reason or "", "a yank reason", url=base)
        if package.is_yanked
        else None,
        core_metadata=(
            checked_hashes(package.metadata_digests or {}, url=base) if package.has_metadata else None
        ),
        provenance=checked_address(package.provenance_url, base=base) if package.provenance_url else None,
        gpg_sig=package.has_sig,
    )


def _unique(files: Iterator[RemoteFile], url: str) -> tuple[RemoteFile, ...]:
    """The files; an anchor may come twice, as pages made by hand have it, but not say two things."""
    seen: dict[str, RemoteFile] = {}
    for file in files:
        if seen.setdefault(file.filename, file) != file:
            raise UpstreamMalformed(f"the page lists {file.filename!r} twice, in two ways", url=url)
    return tuple(seen.values())
