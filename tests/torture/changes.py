"""What happens at an upstream from one run to the next, by chance: uploads, removals, yanks, quarantines."""

import random
from collections.abc import Iterator

from tests.warehouse import (
    AddRole,
    BackfillProvenance,
    ClearQuarantine,
    Event,
    Gap,
    Quarantine,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Sdist,
    Unyank,
    Upload,
    Warehouse,
    Wheel,
    Yank,
)
from tests.warehouse.model import Project

# One file in so many is large enough to be continued by Range.
_LARGE_EVERY = 150
_LARGE = 1_500_000
_SMALL = 12_000


def first_uploads(projects: int, chance: random.Random) -> Iterator[Event]:
    """``projects`` of one to three files each."""
    for number in range(projects):
        name = f"Project.{number:05}" if number % 3 == 0 else f"project-{number:05}"
        for version in range(1, chance.randint(1, 3) + 1):
            yield from _upload(name, f"{version}.0", chance)


def change(warehouse: Warehouse, chance: random.Random, number: int) -> None:
    """Lets about ``number`` further events happen."""
    for _ in range(number):
        project = warehouse.projects[chance.choice(list(warehouse.projects))]
        kind = chance.choices(
            ("upload", "new", "yank", "unyank", "file", "release", "project", "quarantine", "role"),
            (40, 8, 8, 4, 8, 6, 3, 4, 6),
        )[0]
        warehouse.apply(*_events(kind, project, warehouse, chance))


def _events(kind: str, project: Project, warehouse: Warehouse, chance: random.Random) -> Iterator[Event]:
    name = project.name
    files = [file for release in project.releases for file in release.files]
    versions = [release.version for release in project.releases]
    if kind == "new":
        name = f"later-{warehouse.serial}"
        yield from _upload(name, "1.0", chance)
    elif project.quarantined:
        yield ClearQuarantine(project=name)
    elif kind == "upload":
        yield from _upload(name, f"{warehouse.serial}.0", chance)
    elif kind == "project":
        yield RemoveProject(project=name)
    elif kind == "quarantine":
        yield Quarantine(project=name)
    elif kind == "role":
        yield Gap(size=3)
        yield AddRole(project=name, user="bob")
    elif kind == "file" and files:
        yield RemoveFile(project=name, filename=chance.choice(files).filename)
    elif kind == "release" and versions:
        yield RemoveRelease(project=name, version=chance.choice(versions))
    elif kind in ("yank", "unyank") and versions:
        version = chance.choice(versions)
        yield (
            Yank(project=name, version=version, reason="<b>no</b>")
            if kind == "yank"
            else Unyank(project=name, version=version)
        )


def _upload(name: str, version: str, chance: random.Random) -> Iterator[Event]:
    size = _LARGE if chance.randrange(_LARGE_EVERY) == 0 else chance.randrange(_SMALL)
    if chance.random() < 0.2:
        yield Upload(distribution=Sdist(name=name, version=version, size=size))
        return
    wheel = Wheel(name=name, version=version, size=size)
    yield Upload(distribution=wheel)
    if chance.random() < 0.1:
        yield BackfillProvenance(project=name, filename=wheel.file_name)
