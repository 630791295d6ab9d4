"""Scenarios: whole indexes as values, built into a warehouse by one call."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.warehouse.behaviour import PYPI, Behaviour
from tests.warehouse.distributions import Artifact, Sdist, Wheel
from tests.warehouse.events import (
    Archive,
    Event,
    Quarantine,
    QuarantineRelease,
    Upload,
    Yank,
)
from tests.warehouse.faults import Fault
from tests.warehouse.state import Warehouse


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What happened, what kind of index it is, and what goes wrong with it."""

    events: tuple[Event, ...] = ()
    behaviour: Behaviour = PYPI
    faults: tuple[Fault, ...] = ()

    def build(self) -> Warehouse:
        return Warehouse(*self.events)


def small() -> Scenario:
    """A handful of projects of every kind: platforms, dependencies, yanked, archived, quarantined."""
    platforms = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "win_amd64", "macosx_11_0_arm64")
    return Scenario(
        events=(
            Upload(distribution=Wheel(name="alpha", requires_dist=("Beta.Lib>=1",), summary="Needs beta")),
            Upload(distribution=Sdist(name="alpha", requires_dist=("Beta.Lib>=1",))),
            Upload(distribution=Wheel(name="Beta.Lib", version="1.0", requires_python=">=3.8")),
            Upload(distribution=Wheel(name="Beta.Lib", version="1.1", requires_python=">=3.8")),
            *(
                Upload(distribution=Wheel(name="compiled", tags=f"cp311-cp311-{platform}", size=2_000))
                for platform in platforms
            ),
            Upload(distribution=Sdist(name="compiled")),
            Upload(distribution=Wheel(name="old")),
            Upload(distribution=Wheel(name="evil")),
            Upload(distribution=Wheel(name="evil-twin", version="1.0")),
            Upload(distribution=Wheel(name="evil-twin", version="2.0")),
            Yank(project="Beta.Lib", version="1.1", reason="breaks <everything> & more"),
            Archive(project="old"),
            Quarantine(project="evil"),
            QuarantineRelease(project="evil-twin", version="2.0"),
        )
    )


def many(projects: int = 2000, wheels: int = 5, size: int = 20_000) -> Scenario:
    """``projects`` of ``wheels`` releases with one wheel of about ``size`` bytes each.

    Built in some three seconds for 10,000 wheels; their bytes are made again when they are asked for.
    """
    return Scenario(
        events=tuple(
            Upload(distribution=Wheel(name=f"project-{number:05}", version=f"{version}.0", size=size))
            for number in range(projects)
            for version in range(1, wheels + 1)
        )
    )


def from_folder(folder: Path) -> Scenario:
    """The wheels and sdists in a folder, each with its real metadata, by name, version and filename."""
    return Scenario(events=tuple(uploads_of(folder)))


def uploads_of(folder: Path) -> Iterable[Upload]:
    found = [
        Artifact.of(path.resolve())
        for path in folder.iterdir()
        if path.name.endswith((".whl", ".tar.gz", ".zip"))
    ]
    found.sort(key=lambda each: (canonicalize_name(each.name), Version(each.version), each.file_name))
    for artifact in found:
        yield Upload(distribution=artifact)


SCENARIOS: dict[str, Callable[[], Scenario]] = {"empty": Scenario, "small": small, "many": many}
"""The names ``python -m tests.warehouse --scenario`` knows."""
