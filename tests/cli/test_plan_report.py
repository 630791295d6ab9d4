"""What a plan says that a run downloads."""

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.cli.plan_report import _downloads
from pypi_mirror.model import Action, PlannedProject


def planned(*, files: int = 0, unsized: int = 0, unread: bool = False) -> PlannedProject:
    return PlannedProject(
        project=canonicalize_name("example"),
        display_name="example",
        serial=1,
        action=Action.SYNC,
        reason="new",
        new_files=files,
        new_bytes=1_000 * (files - unsized),
        unsized_files=unsized,
        unread=unread,
    )


READS = "`pypi-mirror sync --dry-run` reads"


@pytest.mark.parametrize(
    ("projects", "said"),
    [
        ([], "nothing."),
        ([planned()], "nothing."),
        ([planned(files=1)], "1 file, 1.00 kB without metadata."),
        ([planned(files=2), planned(files=1, unsized=1)],
         "3 files (1 of unknown size), 2.00 kB without metadata."),
        ([planned(unread=True)], f"not known yet; {READS} the page of 1 project, and says it."),
        ([planned(), *[planned(unread=True)] * 5],
         f"not known yet; {READS} the pages of 5 projects, and says it."),
        ([planned(files=2), *[planned(unread=True)] * 2],
         f"at least 2 files, 2.00 kB without metadata; {READS} the pages of 2 projects, and says it."),
    ],
)  # fmt: skip
def test_what_is_downloaded_as_far_as_it_is_known(projects: list[PlannedProject], said: str) -> None:
    assert _downloads(projects, again=False) == f"To download: {said}"


def test_pages_that_were_read_and_are_read_again() -> None:
    again = "`pypi-mirror sync --recheck --dry-run` reads the page of 1 project again, and says it."
    assert _downloads([planned(unread=True)], again=True) == f"To download: not known yet; {again}"
