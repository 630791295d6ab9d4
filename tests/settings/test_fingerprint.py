"""The fingerprint changes with what is selected, and with nothing else."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

import pypi_mirror
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.packages import ReleaseRule, parse_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.settings.fingerprint import page_fingerprint, rendering_fingerprint, selection_fingerprint
from pypi_mirror.settings.values import Settings, Site
from tests.policies import policy

A, B = canonicalize_name("a"), canonicalize_name("b")
LINUX = parse_environment("linux x86_64, CPython 3.12, glibc 2.28")
WINDOWS = parse_environment("windows amd64, CPython 3.12")
SETTINGS = Settings(directory=Path("/srv/pypi"), master="https://index.example")


LOOKS: list[dict[str, Any]] = [
    {"hash_index": True},
    {"simple_format": "JSON"},
    {"json": True},
    {"release_files": False},
    {"core_metadata": False},
    {"root_uri": "https://files.example"},
    {"site": Site(public_url="https://mirror.example")},
]
PROJECTS: list[dict[str, Any]] = [
    {"policy": policy(allowed_projects=frozenset({A}))},
    {"policy": policy(blocked_projects=frozenset({A}))},
    {"policy": Policy(AllowedPackages(packages=(parse_package("a-*"),)))},
    {"policy": Policy(BlockedPackages(packages=(parse_package("a-*"),)))},
]
FILES: list[dict[str, Any]] = [
    {"policy": policy(allowed_releases=(ReleaseRule(project=A, specifier="<2"),))},
    {"policy": policy(blocked_releases=(ReleaseRule(project=A, specifier="<2"),))},
    {"policy": Policy(AllowedPackages(packages=(parse_package("a-*>=2"),)))},
    {"policy": Policy(BlockedPackages(packages=(parse_package("a-*>=2"),)))},
    {"policy": policy(blocked_platforms=("windows",))},
    {"policy": policy(environments=(LINUX,))},
    {"policy": policy(exclude_filename="win32")},
]


@pytest.mark.parametrize("change", [*LOOKS, *PROJECTS, *FILES], ids=repr)
def test_what_decides_changes_it(change: dict[str, Any]) -> None:
    """And it changes no more than has to be decided, or made, again."""
    changed = replace(SETTINGS, **change)
    assert selection_fingerprint(changed) != selection_fingerprint(SETTINGS)
    is_of_pages = change not in PROJECTS
    assert (page_fingerprint(changed) != page_fingerprint(SETTINGS)) is is_of_pages
    assert (rendering_fingerprint(changed) != rendering_fingerprint(SETTINGS)) is (change in LOOKS)


@pytest.mark.parametrize(
    "change",
    [
        {"path": Path("/etc/m.conf")},
        {"directory": Path("/mnt")},
        {"workers": 1},
        {"timeout": 1.0},
        {"grace_days": 1.0},
    ],
    ids=repr,
)
def test_what_does_not_decide_leaves_it(change: dict[str, Any]) -> None:
    for fingerprint in (selection_fingerprint, page_fingerprint, rendering_fingerprint):
        assert fingerprint(replace(SETTINGS, **change)) == fingerprint(SETTINGS)


def test_the_order_of_lists_leaves_it() -> None:
    one = policy(
        allowed_projects=frozenset([A, B]),
        blocked_platforms=("linux", "py2.7"),
        environments=(LINUX, WINDOWS),
    )
    other = policy(
        allowed_projects=frozenset([B, A]),
        blocked_platforms=("py2.7", "linux"),
        environments=(WINDOWS, LINUX),
    )

    assert selection_fingerprint(replace(SETTINGS, policy=one)) == selection_fingerprint(
        replace(SETTINGS, policy=other)
    )


def test_it_is_the_same_in_every_process() -> None:
    """Neither Python's seeded hashes nor the order of a set gets into it."""
    program = (
        "from pathlib import Path; from pypi_mirror.settings.fingerprint import selection_fingerprint; "
        "from pypi_mirror.settings.values import Settings; from tests.policies import policy; "
        "chosen = policy(allowed_projects=frozenset('abcdefgh')); "
        "print(selection_fingerprint(Settings(directory=Path('/a'), master='m', policy=chosen)))"
    )
    include = Path(pypi_mirror.__file__).resolve().parents[1]

    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=include,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(include.parent)},
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1
