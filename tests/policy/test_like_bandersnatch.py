"""The filters that bandersnatch has, too: set of files against set with what bandersnatch 8.2.0 itself kept.

``tests/policy/bandersnatch/record.py`` made the recording with the real program.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.settings.read import read_settings
from tests.bandersnatch import Bandersnatch, bandersnatch
from tests.policy.bandersnatch.projects import projects

__all__ = ["bandersnatch"]

RECORDED = Path(__file__).parent / "bandersnatch"
DECISIONS = json.loads((RECORDED / "decisions.json").read_text())
CONFIGURATIONS = sorted((RECORDED / "configurations").glob("*.conf"))

# By configuration, releases of which only one of the two keeps a file; docs/bandersnatch.md says why.
DIFFERENCES: dict[str, set[str]] = {
    # In bandersnatch a release that another filter leaves out takes the place of one that could be kept, and
    # while it goes through the releases, those that are left out already are missed in the count.
    "latest-of-finals": {
        *("Alpha-Tool 0.9", "Alpha-Tool 1.1.1", "big-data 1.0", "big-data 2.0", "big-data23 1.10"),
        *("big-data23 2.0", "big-data26 3.0.post1", "many31 0.1", "my_test9 1.1.1", "my_test9 2.0"),
        "zope.thing20 0.1",
    },
    "latest-of-linux": {"Old.Style 1.1", "big-data18 2.0", "only-pre21 1.1"},
    # bandersnatch compares the normalized name in the file with the name as upstream displays it.
    "prerelease-some": {"Alpha-Tool 1.1a1", "Alpha-Tool 2.0.dev3", "Alpha-Tool 2.0rc1"},
}


def page_of(metadata: dict[str, Any]) -> ProjectPage:
    """Return the simple page that upstream has for a project of this legacy JSON (PEP 691, 700)."""
    files = tuple(
        RemoteFile(
            filename=file["filename"],
            url=file["url"],
            hashes=(("sha256", file["digests"]["sha256"]),),
            size=file["size"],
            upload_time=file["upload_time_iso_8601"],
            requires_python=file["requires_python"],
            yanked=(file["yanked_reason"] or "") if file["yanked"] else None,
        )
        for release in metadata["releases"].values()
        for file in release
    )
    name = canonicalize_name(metadata["info"]["name"])
    versions = tuple(metadata["releases"])
    return ProjectPage(name=name, serial=1, etag=None, versions=versions, files=files)


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda path: path.stem)
def test_the_same_files_are_kept_but_for_the_differences_that_are_named(configuration: Path) -> None:
    policy = read_settings(configuration, {}).policy
    different = set()
    for metadata in projects():
        name = metadata["info"]["name"]
        theirs = DECISIONS[configuration.stem][name]
        version_of = {
            file["filename"]: version for version, files in metadata["releases"].items() for file in files
        }
        page = page_of(metadata)
        ours = {file.filename for file in policy.decide(page).kept}
        different |= {
            f"{name} {version_of[file.filename]}"
            for file, decision in zip(page.files, theirs, strict=True)
            if (file.filename in ours) is not (decision == "+")
        }

    assert different == DIFFERENCES.get(configuration.stem, set())


def test_each_recorded_configuration_leaves_something_and_takes_something() -> None:
    for name, decisions in DECISIONS.items():
        both = set("".join(decisions.values()))
        assert both == ({"+"} if name == "nothing" else {"+", "-"}), name


@pytest.mark.servers
@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda path: path.stem)
def test_the_recording_is_what_bandersnatch_keeps(bandersnatch: Bandersnatch, configuration: Path) -> None:
    python = bandersnatch.program.with_name("python")
    done = subprocess.run(
        [python, RECORDED / "record.py", configuration], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == DECISIONS[configuration.stem]
