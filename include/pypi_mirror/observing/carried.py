"""What the mirror carries: every file that a page lists, with its release's licence."""

from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.chunks import chunks
from pypi_mirror.ledger.projects import KnownFile, KnownProject, is_listed
from pypi_mirror.mirror import Mirror
from pypi_mirror.plain_text import plain
from pypi_mirror.release_files import version_in

_CHUNK: Final = 200
# The largest that is mirrored has some megabytes.
_MAX_METADATA: Final = 32 * 1024**2
# The field License can hold the whole text of a licence.
_LONGEST: Final = 100
_NONE: Final = ("", "unknown", "none")
_CLASSIFIER: Final = "License :: "


class CarriedFile(Struct, frozen=True, kw_only=True):
    """A file that a page lists. ``version`` is None where its name has none, ``licence`` where the metadata
    of its release names none or is not here. ``path`` is relative to ``web/``, ``size`` in bytes.
    """

    project: NormalizedName
    version: str | None
    filename: str
    licence: str | None
    size: int
    sha256: str
    path: str


def carried(mirror: Mirror, names: Sequence[NormalizedName] = ()) -> Iterator[CarriedFile]:
    """Yield the files of all projects, or of those with these ``names``, by project and filename."""
    for chunk in chunks(_chosen(mirror, names), _CHUNK):
        files = mirror.ledger.projects.files_of([project.id for project in chunk])
        for project in chunk:
            listed = [file for file in files[project.id].values() if file.removed_at is None]
            yield from _of_project(mirror.settings.web, project, sorted(listed, key=lambda f: f.filename))


def _chosen(mirror: Mirror, names: Sequence[NormalizedName]) -> Iterator[KnownProject]:
    found = mirror.ledger.projects.known(names).values() if names else mirror.ledger.projects.all()
    return (project for project in found if is_listed(project.status))


def _of_project(web: Path, project: KnownProject, files: Sequence[KnownFile]) -> Iterator[CarriedFile]:
    """All files of a release have the licence that its wheels state: sdists have no metadata beside them."""
    versions = [version_in(project.project, file.filename) for file in files]
    licences: dict[str | None, str] = {}
    for version, file in zip(versions, files, strict=True):
        if version not in licences and file.metadata_sha256 is not None:
            licence = _licence_beside(web / file.path)
            if licence is not None:
                licences[version] = licence
    for version, file in zip(versions, files, strict=True):
        yield CarriedFile(
            project=project.project,
            version=version,
            filename=file.filename,
            licence=licences.get(version),
            size=file.size,
            sha256=file.sha256.hex(),
            path=file.path,
        )


def _licence_beside(path: Path) -> str | None:
    try:
        with path.with_name(f"{path.name}.metadata").open("rb") as file:
            return licence_of(file.read(_MAX_METADATA))
    except FileNotFoundError:
        return None


def licence_of(metadata: bytes) -> str | None:
    """Return the licence that core metadata states, None without one.

    ``License-Expression`` (PEP 639), else ``License`` if it is a name and no text, else the classifiers.
    https://packaging.python.org/en/latest/specifications/core-metadata/
    """
    head = BytesHeaderParser().parsebytes(metadata)
    return _field(head, "License-Expression") or _field(head, "License") or _classified(head)


def _field(head: Message, name: str) -> str | None:
    value = str(head.get(name, "")).strip()
    if "\n" in value or len(value) > _LONGEST or value.lower() in _NONE:
        return None
    return plain(value)


def _classified(head: Message) -> str | None:
    named = (str(each).strip() for each in head.get_all("Classifier", []))
    found = [each.rpartition(" :: ")[2] for each in named if each.startswith(_CLASSIFIER)]
    return plain(", ".join(dict.fromkeys(found)))[:_LONGEST] or None
