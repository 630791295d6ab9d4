"""The state's values: projects, releases and files as upstream's database has them, all frozen.

An event replaces a project by a changed copy, so an older copy (a stale page) costs nothing to keep.
Digests are lower-case hexadecimal, sizes bytes, times UTC.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.warehouse.distributions import Declared, Distribution


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalRow:
    """A row of the changelog; ``name`` is the display name at that time, ``timestamp`` in seconds."""

    serial: int
    name: str
    version: str | None
    timestamp: int
    action: str


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of a release.

    ``metadata_sha256`` is None while upstream does not advertise the wheel's metadata (PEP 658);
    ``provenance`` is the JSON text of PEP 740, None while there is none.
    """

    distribution: Distribution
    filename: str
    size: int
    md5: str
    sha256: str
    blake2b: str
    upload_time: datetime
    metadata_sha256: str | None = None
    provenance: str | None = None

    @classmethod
    def of(cls, distribution: Distribution, upload_time: datetime, *, core_metadata: bool) -> "File":
        """Reads the distribution once and keeps its digests; ``core_metadata`` only counts for wheels."""
        size, md5, sha256, blake2b = _digests(distribution)
        metadata_sha256 = None
        if core_metadata and distribution.is_wheel:
            metadata_sha256 = hashlib.sha256(distribution.core_metadata()).hexdigest()
        if isinstance(distribution, Declared):
            size = size if distribution.size is None else distribution.size
            md5 = distribution.md5 or md5
            sha256 = distribution.sha256 or sha256
            blake2b = distribution.blake2b or blake2b
            metadata_sha256 = distribution.metadata_sha256 or metadata_sha256
        return cls(
            distribution=distribution,
            filename=distribution.file_name,
            size=size,
            md5=md5,
            sha256=sha256,
            blake2b=blake2b,
            upload_time=upload_time,
            metadata_sha256=metadata_sha256,
        )

    @property
    def path(self) -> str:
        """Where the file host has it, for ever: ``packages/aa/bb/<60 hex>/<filename>``."""
        return f"packages/{self.blake2b[:2]}/{self.blake2b[2:4]}/{self.blake2b[4:]}/{self.filename}"

    @property
    def packagetype(self) -> str:
        return "bdist_wheel" if self.distribution.is_wheel else "sdist"


def _digests(distribution: Distribution) -> tuple[int, str, str, str]:
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    blake2b = hashlib.blake2b(digest_size=32)
    size = 0
    for chunk in _chunks(distribution.content()):
        size += len(chunk)
        md5.update(chunk)
        sha256.update(chunk)
        blake2b.update(chunk)
    return size, md5.hexdigest(), sha256.hexdigest(), blake2b.hexdigest()


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """``described_by`` is the first upload: its metadata is the release's, even after the file is gone."""

    version: str
    described_by: Distribution
    requires_python: str | None = None
    files: tuple[File, ...] = ()
    yanked: bool = False
    yanked_reason: str = ""
    quarantined: bool = False

    @property
    def order(self) -> tuple[bool, Version | str]:
        """Sorts as upstream does: versions that break PEP 440 come before all others."""
        return version_order(self.version)


def version_order(version: str) -> tuple[bool, Version | str]:
    try:
        return True, Version(version)
    except InvalidVersion:
        return False, version


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """``serial`` counts all events of the project, ``page_serial`` those its cached page shows."""

    name: str
    serial: int = 0
    page_serial: int = 0
    releases: tuple[Release, ...] = ()
    archived: bool = False
    quarantined: bool = False
    roles: tuple[tuple[str, str], ...] = field(default=())

    @property
    def normalized(self) -> NormalizedName:
        return canonicalize_name(self.name)

    @property
    def status(self) -> str:
        """PEP 792."""
        if self.quarantined:
            return "quarantined"
        return "archived" if self.archived else "active"

    @property
    def visible_releases(self) -> tuple[Release, ...]:
        """What pages may show, oldest version first."""
        if self.quarantined:
            return ()
        return tuple(release for release in self.releases if not release.quarantined)

    def release(self, version: str) -> Release:
        """The release of that version in any spelling; raises LookupError."""
        wanted = version_order(version)
        for release in self.releases:
            if release.order == wanted:
                return release
        raise LookupError(f"{self.name} has no release {version}")

    def release_with(self, filename: str) -> tuple[Release, File]:
        """The file of that name and its release; raises LookupError."""
        for release in self.releases:
            for file in release.files:
                if file.filename == filename:
                    return release, file
        raise LookupError(f"{self.name} has no file {filename}")

    def with_release(self, release: Release) -> "Project":
        """A copy in which ``release`` replaces the one of its version, or is new."""
        others = [other for other in self.releases if other.order != release.order]
        return replace(self, releases=tuple(sorted([*others, release], key=lambda each: each.order)))

    def with_file(self, file: File) -> "Project":
        """A copy in which ``file`` replaces the one of its name."""
        release, _ = self.release_with(file.filename)
        files = tuple(file if other.filename == file.filename else other for other in release.files)
        return self.with_release(replace(release, files=files))
