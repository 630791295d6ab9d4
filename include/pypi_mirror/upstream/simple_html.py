"""PEP 503 pages of indexes that speak HTML only, parsed by pypi-simple."""

import re
from collections.abc import Iterator
from typing import Final

from packaging.utils import NormalizedName
from pypi_simple import DistributionPackage, IndexPage, UnsupportedRepoVersionError
from pypi_simple import ProjectPage as HtmlPage

from pypi_mirror.errors import UpstreamMalformed
from pypi_mirror.model import IndexEntry, ProjectPage, ProjectStatus, RemoteFile
from pypi_mirror.upstream.checks import checked_address, checked_filename, checked_hashes, checked_name

_SERIAL: Final = re.compile(rb"<!--SERIAL (\d{1,18})-->\s*$")


def parse_project_page(
    body: bytes, *, url: str, project: NormalizedName, header_serial: int | None, etag: str | None
) -> ProjectPage:
    """The page of ``project`` at ``url``; raises UpstreamMalformed, or FileRefused for an unsafe file.

    HTML has no sizes, upload times or versions (PEP 700 adds them to JSON alone); they stay unknown.
    A page without any link is taken for a project without files only where it says it is such a page.
    """
    try:
        page = HtmlPage.from_html(project, body, base_url=url)
    except (UnsupportedRepoVersionError, ValueError) as error:
        raise UpstreamMalformed(f"the page is no PEP 503 document: {error}", url=url) from error
    if not page.packages and b"pypi:repository-version" not in body and b"inks for" not in body:
        raise UpstreamMalformed("this HTML has no links and is no project page", url=url)
    serial = _SERIAL.search(body)
    files = {f.filename: f for f in (_file(p, url) for p in page.packages)}
    return ProjectPage(
        name=project,
        serial=int(serial[1]) if serial else header_serial,
        etag=etag,
        status=ProjectStatus(status=str(page.status) if page.status else "active", reason=page.status_reason),
        versions=tuple(dict.fromkeys(p.version for p in page.packages if p.version)),
        files=tuple(files.values()),
    )


def parse_root_index(body: bytes, *, url: str) -> tuple[None, Iterator[IndexEntry]]:
    """The projects of an HTML root index; it carries no serials."""
    try:
        page = IndexPage.from_html(body)
    except (UnsupportedRepoVersionError, ValueError) as error:
        raise UpstreamMalformed(f"the root index is no PEP 503 document: {error}", url=url) from error
    return None, (
        IndexEntry(name=name, project=checked_name(name, url=url), serial=None) for name in page.projects
    )


def _file(package: DistributionPackage, base: str) -> RemoteFile:
    return RemoteFile(
        filename=checked_filename(package.filename, url=base),
        url=checked_address(package.url, base=base),
        hashes=checked_hashes(package.digests, url=base),
        size=package.size,
        requires_python=package.requires_python,
        yanked=(package.yanked_reason or "") if package.is_yanked else None,
        core_metadata=(
            checked_hashes(package.metadata_digests or {}, url=base) if package.has_metadata else None
        ),
        provenance=checked_address(package.provenance_url, base=base) if package.provenance_url else None,
        gpg_sig=package.has_sig,
    )
