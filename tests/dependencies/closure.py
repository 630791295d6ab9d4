"""Dependencies followed to their end in memory: what a mirror would keep, without network or disk."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pypi_mirror.demands.core_metadata import CoreMetadata, parse_core_metadata
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.demanded import Demanded, ReleaseDemand
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.required import Requirements, edge_demands
from tests.policies import page_of
from tests.warehouse import Event, Upload, Yank
from tests.warehouse.model import File

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINUX = "linux x86_64, CPython 3.11 to 3.12, glibc 2.28"


def following(*packages: str, environments: tuple[str, ...] = (LINUX,), **options: object) -> Policy:
    """The policy of a file that lists ``packages`` and follows what they require."""
    return Policy(
        AllowedPackages(packages=tuple(map(parse_package, packages))),
        Dependencies(follow="yes", **options),  # type: ignore[arg-type]
        ServedEnvironments(environments=tuple(map(parse_environment, environments))),
    )


class Index:
    """Upstream's pages and core metadata, as uploads and yanks left them."""

    def __init__(self, *events: Event) -> None:
        self.pages: dict[NormalizedName, ProjectPage] = {}
        self.metadata: dict[str, CoreMetadata] = {}
        files: defaultdict[NormalizedName, list[RemoteFile]] = defaultdict(list)
        yanked = {
            (canonicalize_name(each.project), each.version) for each in events if isinstance(each, Yank)
        }
        for each in events:
            if not isinstance(each, Upload):
                continue
            made = each.distribution
            name = canonicalize_name(made.name)
            document = made.core_metadata()
            self.metadata[made.file_name] = parse_core_metadata(document)
            files[name].append(
                RemoteFile(
                    filename=made.file_name,
                    url="",
                    size=File.of(made, _NOW, core_metadata=False).size,
                    requires_python=made.raw_metadata().get("requires_python"),
                    yanked="" if (name, made.version) in yanked else None,
                    core_metadata=(("sha256", hashlib.sha256(document).hexdigest()),),
                )
            )
        # In the stand-in's order.
        self.pages = {
            name: page_of(name, sorted(each, key=lambda file: file.filename)) for name, each in files.items()
        }

    def kept(self, policy: Policy) -> dict[str, list[str]]:
        """The files that stay, by project; a project of which none does is there too."""
        requirements = Requirements(policy.allowed)
        found: defaultdict[NormalizedName, dict[tuple[str, str], int]] = defaultdict(dict)
        kept: dict[NormalizedName, list[RemoteFile]] = {}
        to_follow = set(policy.allowed.projects)
        while to_follow:
            demanded = demands_of(found)
            deciding = policy.with_demands(Demanded(demanded))
            after: set[NormalizedName] = set()
            for name in sorted(to_follow & self.pages.keys()):
                page = self.pages[name]
                kept[name] = list(deciding.decide(page).kept)
                wanted = requirements.wanted(name, kept[name], demanded.get(name, ()))
                required = requirements.required(name, wanted, lambda file: self.metadata[file.filename], {})
                for target, demand in edge_demands(required.edges):
                    before = found[target].get(demand[:2], 0)
                    found[target][demand[:2]] = before | demand.machines
                    if found[target][demand[:2]] != before:
                        after.add(target)
            to_follow = after
        return {name: [file.filename for file in each] for name, each in sorted(kept.items())}

    def versions(self, policy: Policy) -> dict[str, list[str]]:
        """The versions that stay, by project."""
        return {
            name: sorted({filename.split("-")[1].removesuffix(".tar.gz") for filename in each}, key=Version)
            for name, each in self.kept(policy).items()
        }


def demands_of(
    found: Mapping[NormalizedName, Mapping[tuple[str, str], int]],
) -> dict[NormalizedName, tuple[ReleaseDemand, ...]]:
    return {
        name: tuple(ReleaseDemand(*key, machines) for key, machines in each.items())
        for name, each in found.items()
        if each
    }
