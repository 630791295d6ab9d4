"""What can happen to an index, as frozen values; each writes upstream's own journal texts.

Names may be given in any spelling. ``at`` is when it happened; without it, a second after the event before.
As JSON an event is an object whose ``event`` names it: ``{"event": "yank", "project": "alpha", ...}``.
"""

from dataclasses import replace
from datetime import datetime

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.warehouse.distributions import AnyDistribution
from tests.warehouse.model import File, Project, Release
from tests.warehouse.state import Warehouse

OWNER = "tester"


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="event",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Base of all; ``happen`` checks first and changes afterwards, so a refused event leaves no trace."""

    at: datetime | None = None

    def happen(self, warehouse: Warehouse) -> None:
        """Raises LookupError for what does not exist and ValueError for what upstream refuses."""
        raise NotImplementedError


class Create(Event, frozen=True, kw_only=True, tag="create"):
    """A project without releases."""

    project: str

    def happen(self, warehouse: Warehouse) -> None:
        if canonicalize_name(self.project) in warehouse.projects:
            raise ValueError(f"{self.project} exists")
        warehouse.put(_created(warehouse, self.project))


class Upload(Event, frozen=True, kw_only=True, tag="upload"):
    """A new file. Creates the project (after a removal: again) and the release where needed, and takes over
    the spelling of the name. ``core_metadata`` False leaves the wheel's metadata to ``BackfillMetadata``.
    """

    distribution: AnyDistribution
    core_metadata: bool = True

    def happen(self, warehouse: Warehouse) -> None:
        distribution = self.distribution
        filename = distribution.file_name
        if filename in warehouse.filenames:
            raise ValueError(f"upstream never takes a filename twice, not even of a removed file: {filename}")
        required = distribution.raw_metadata().get("requires_python")
        file = File.of(distribution, warehouse.now, core_metadata=self.core_metadata)
        project = warehouse.projects.get(canonicalize_name(distribution.name))
        if project is None:
            project = _created(warehouse, distribution.name)
        project = replace(project, name=distribution.name)
        version = _canonical(distribution.version)
        try:
            release = project.release(version)
        except LookupError:
            release = Release(version=version, described_by=distribution, requires_python=required)
            project = warehouse.record(project, "new release", version)
        release = replace(release, files=(*release.files, file))
        action = f"add {distribution.python_version} file {filename}"
        project = warehouse.record(project.with_release(release), action, release.version)
        warehouse.files[file.path] = file
        warehouse.filenames.add(filename)
        warehouse.put(project)


class Redeploy(Event, frozen=True, kw_only=True, tag="redeploy"):
    """Other bytes under the name of a file that is listed. PyPI never does this; some private indexes let it
    happen.
    """

    distribution: AnyDistribution

    def happen(self, warehouse: Warehouse) -> None:
        distribution = self.distribution
        project = warehouse.project(distribution.name)
        release, before = project.release_with(distribution.file_name)
        file = File.of(distribution, warehouse.now, core_metadata=before.metadata_sha256 is not None)
        files = tuple(file if each is before else each for each in release.files)
        action = f"add {distribution.python_version} file {file.filename}"
        required = distribution.raw_metadata().get("requires_python")
        project = project.with_release(replace(release, files=files, requires_python=required))
        project = warehouse.record(project, action, release.version)
        warehouse.files[file.path] = file
        warehouse.put(project)


class Yank(Event, frozen=True, kw_only=True, tag="yank"):
    """PEP 592, for a whole release, as upstream has it."""

    project: str
    version: str
    reason: str = ""

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        release = replace(project.release(self.version), yanked=True, yanked_reason=self.reason)
        warehouse.put(warehouse.record(project.with_release(release), "yank release", release.version))


class Unyank(Event, frozen=True, kw_only=True, tag="unyank"):
    project: str
    version: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        release = replace(project.release(self.version), yanked=False, yanked_reason="")
        warehouse.put(warehouse.record(project.with_release(release), "unyank release", release.version))


class RemoveFile(Event, frozen=True, kw_only=True, tag="remove-file"):
    """The release stays, maybe without files; the file's address keeps working."""

    project: str
    filename: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        release, gone = project.release_with(self.filename)
        kept = replace(release, files=tuple(file for file in release.files if file is not gone))
        action = f"remove file {gone.filename}"
        warehouse.put(warehouse.record(project.with_release(kept), action, release.version))


class RemoveRelease(Event, frozen=True, kw_only=True, tag="remove-release"):
    project: str
    version: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        gone = project.release(self.version)
        releases = tuple(release for release in project.releases if release is not gone)
        warehouse.put(warehouse.record(replace(project, releases=releases), "remove release", gone.version))


class RemoveProject(Event, frozen=True, kw_only=True, tag="remove-project"):
    project: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        warehouse.record(project, "remove project")
        warehouse.drop(project)


class Quarantine(Event, frozen=True, kw_only=True, tag="quarantine"):
    project: str

    def happen(self, warehouse: Warehouse) -> None:
        project = replace(warehouse.project(self.project), quarantined=True)
        warehouse.put(warehouse.record(project, "project quarantined"))


class ClearQuarantine(Event, frozen=True, kw_only=True, tag="clear-quarantine"):
    project: str

    def happen(self, warehouse: Warehouse) -> None:
        project = replace(warehouse.project(self.project), quarantined=False)
        warehouse.put(warehouse.record(project, "project quarantine cleared"))


class QuarantineRelease(Event, frozen=True, kw_only=True, tag="quarantine-release"):
    project: str
    version: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        release = replace(project.release(self.version), quarantined=True)
        warehouse.put(warehouse.record(project.with_release(release), "release quarantined", release.version))


class ClearReleaseQuarantine(Event, frozen=True, kw_only=True, tag="clear-release-quarantine"):
    project: str
    version: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        release = replace(project.release(self.version), quarantined=False)
        action = "release quarantine cleared"
        warehouse.put(warehouse.record(project.with_release(release), action, release.version))


class Archive(Event, frozen=True, kw_only=True, tag="archive"):
    """Changes the page without a serial."""

    project: str

    def happen(self, warehouse: Warehouse) -> None:
        warehouse.put(replace(warehouse.project(self.project), archived=True))


class Unarchive(Event, frozen=True, kw_only=True, tag="unarchive"):
    """Changes the page without a serial."""

    project: str

    def happen(self, warehouse: Warehouse) -> None:
        warehouse.put(replace(warehouse.project(self.project), archived=False))


class Rename(Event, frozen=True, kw_only=True, tag="rename"):
    """Another spelling of the display name, without a serial.

    Upstream does it in the course of an upload whose metadata spells the name in another way; an ``Upload``
    does so too, with its serials.
    """

    project: str
    name: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        if canonicalize_name(self.name) != project.normalized:
            raise ValueError(f"{self.name} is another project than {project.name}")
        warehouse.put(replace(project, name=self.name))


class AddRole(Event, frozen=True, kw_only=True, tag="add-role"):
    """Bumps the serial; caches keep the page with the old one unless ``purge``."""

    project: str
    user: str
    role: str = "Maintainer"
    purge: bool = False

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        project = replace(project, roles=(*project.roles, (self.role, self.user)))
        warehouse.put(warehouse.record(project, f"add {self.role} {self.user}"), purge=self.purge)


class Invite(Event, frozen=True, kw_only=True, tag="invite"):
    """Bumps the serial; caches keep the page with the old one unless ``purge``."""

    project: str
    user: str
    role: str = "Maintainer"
    purge: bool = False

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.record(warehouse.project(self.project), f"invite {self.role} {self.user}")
        warehouse.put(project, purge=self.purge)


class Other(Event, frozen=True, kw_only=True, tag="other"):
    """A journal row with any text, of a project that need not exist: unknown actions and names."""

    project: str
    action: str
    version: str | None = None

    def happen(self, warehouse: Warehouse) -> None:
        known = warehouse.projects.get(canonicalize_name(self.project))
        named = warehouse.record(Project(name=self.project), self.action, self.version)
        if known is not None:
            warehouse.put(replace(known, serial=named.serial))


class Gap(Event, frozen=True, kw_only=True, tag="gap"):
    """So many serials that no event has, before the next one; upstream's database leaves such gaps."""

    size: int

    def happen(self, warehouse: Warehouse) -> None:
        warehouse.skipped += self.size


class BackfillProvenance(Event, frozen=True, kw_only=True, tag="backfill-provenance"):
    """PEP 740, after the upload; changes the page without a serial. ``bundles`` is a JSON array."""

    project: str
    filename: str
    bundles: str = "[]"

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        _, file = project.release_with(self.filename)
        file = replace(file, provenance=f'{{"attestation_bundles":{self.bundles},"version":1}}')
        warehouse.files[file.path] = file
        warehouse.put(project.with_file(file))


class BackfillMetadata(Event, frozen=True, kw_only=True, tag="backfill-metadata"):
    """The ``.metadata`` of a wheel that was uploaded without; changes the page without a serial."""

    project: str
    filename: str

    def happen(self, warehouse: Warehouse) -> None:
        project = warehouse.project(self.project)
        _, file = project.release_with(self.filename)
        whole = File.of(file.distribution, file.upload_time, core_metadata=True)
        file = replace(file, metadata_sha256=whole.metadata_sha256)
        warehouse.files[file.path] = file
        warehouse.put(project.with_file(file))


AnyEvent = (
    Create
    | Upload
    | Yank
    | Unyank
    | RemoveFile
    | RemoveRelease
    | RemoveProject
    | Quarantine
    | ClearQuarantine
    | QuarantineRelease
    | ClearReleaseQuarantine
    | Archive
    | Unarchive
    | Rename
    | AddRole
    | Invite
    | Other
    | Gap
    | BackfillProvenance
    | BackfillMetadata
    | Redeploy
)


def _created(warehouse: Warehouse, name: str) -> Project:
    project = warehouse.record(Project(name=name, roles=(("Owner", OWNER),)), "create")
    return warehouse.record(project, f"add Owner {OWNER}")


def _canonical(version: str) -> str:
    """As upstream stores it: PEP 440's normal form, or the text itself where it has none."""
    try:
        return str(Version(version))
    except InvalidVersion:
        return version
