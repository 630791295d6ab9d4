"""Links lead somewhere, and pages are as long as a reader bears."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.fenced_blocks import FROM_RESULTS, PAGES, ROOT, anchors_of

LINKING = (
    *PAGES,
    *(ROOT / "docs" / name for name in sorted(FROM_RESULTS)),
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "deploy/README.md",
)
LONGEST_PAGE = 250
# Of the page that has a line for each option: it is looked up, not read.
LONGEST_REFERENCE = 300

# What a browser is pointed at, and what is a path in the repository.
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", LINKING, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_file(), target
        assert not anchor or anchor in anchors_of(there), target


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_page_is_longer_than_a_reader_bears(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= (
        LONGEST_REFERENCE if page.name == "options.md" else LONGEST_PAGE
    )


def test_the_readme_is_a_quickstart() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


@pytest.mark.parametrize("page", LINKING, ids=_name)
def test_the_site_reads_the_page_as_the_repository_does(page: Path) -> None:
    """Python-Markdown, unlike others, takes no fence in a list and no list right below a paragraph."""
    text = page.read_text()
    assert re.findall(r"^ +```.*$", text, re.MULTILINE) == []
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^(?![-#|]|\d+\. | )[^\n]+\n(?:- |1\. )[^\n]*$", text, re.MULTILINE) == []


def test_no_two_headings_of_a_page_are_the_same() -> None:
    for page in PAGES:
        headings = re.findall(r"^##+ (.+)$", page.read_text(), re.MULTILINE)
        assert len(headings) == len(set(headings)), page


def test_the_site_has_every_page_once() -> None:
    project = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    assert sorted(_files(project["nav"])) == sorted(map(_name, LINKING))


def test_every_place_that_the_architecture_names_exists() -> None:
    roots = (ROOT, ROOT / "include/pypi_mirror", ROOT / "plugins/pypi_mirror_page")
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(named) > 30
    assert [place for place in named if not any((root / place).exists() for root in roots)] == []


def test_the_architecture_is_one_page() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 60


def _files(nav: list[dict[str, Any]]) -> Iterator[str]:
    for entry in nav:
        for there in entry.values():
            if isinstance(there, str):
                yield there
            else:
                yield from _files(there)
