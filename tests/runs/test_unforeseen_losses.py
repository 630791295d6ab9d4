"""Losses that no plan foresaw and that show when pages are fetched: which go through, and which do not.

What readers see is ``tree``: every page, byte by byte.
"""

import json
import logging
from pathlib import Path

import pytest

from pypi_mirror.errors import ApprovalRequired, RunStopped
from pypi_mirror.model import RunState
from pypi_mirror.runs.report import Report
from pypi_mirror.settings.values import RemovalGuard
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    SERIAL_LESS,
    Fault,
    Instead,
    Quarantine,
    QuarantineRelease,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Upload,
    Wheel,
    Yank,
)
from tests.warehouse.faults import Missing

NAMES = [f"p{number:02}" for number in range(30)]
VERSIONS = ("1.0", "2.0", "3.0", "4.0")
FILES = [f"-{version}-py3-none-any.whl" for version in VERSIONS]


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(
        *(Upload(distribution=Wheel(name=name, version=version)) for name in NAMES for version in VERSIONS)
    )
    assert made.sync().state is RunState.SUCCESS
    return made


def gone(name: str) -> Fault:
    return Fault(path=f"/simple/{name}/", effect=Missing(), times=None)


def page_of(made: Bench, name: str, versions: tuple[str, ...], *, serial: int = 10**6) -> Fault:
    """Upstream's page of ``name`` lists the files of ``versions`` alone, whatever happened."""
    url = f"{made.server.url}/simple/{name}/"
    files = [
        {
            "filename": file.filename,
            "url": f"{made.server.url}/{path}",
            "hashes": {"sha256": file.sha256},
            "size": file.size,
        }
        for path, file in made.server.warehouse.files.items()
        if file.distribution.name == name and file.distribution.version in versions
    ]
    assert len(files) == len(versions), url
    page = {"meta": {"api-version": "1.1", "_last-serial": serial}, "name": name, "files": files}
    return Fault(path=f"/simple/{name}/", effect=Instead(body=json.dumps(page)), times=None)


def tree(made: Bench) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (made.web / "simple").rglob("*") if path.is_file()}


def pages(made: Bench) -> dict[Path, bytes]:
    """Without the root index, which names serials."""
    return {path: content for path, content in tree(made).items() if path.parent.name != "simple"}


def is_held(made: Bench, outcome: Report, *names: str) -> None:
    assert outcome.state is RunState.FAILED
    assert {failure.project for failure in outcome.new_failures} == set(names)
    assert {failure.error for failure in outcome.new_failures} == {"LossHeld"}
    assert outcome.tally.projects_removed == 0
    assert set(made.backlog()) == set(names)


def test_an_upstream_without_any_page_leaves_all_pages(synced: Bench) -> None:
    before = tree(synced)
    synced.server.inject(gone("*"))
    outcome = synced.sync(recheck=True, batch_size=10)
    is_held(synced, outcome, *NAMES)
    assert tree(synced) == before
    reason = synced.backlog()["p07"]
    assert reason.startswith("upstream's page is gone; the mirror's lists 4 files (")
    assert "no event or index announced it" in reason
    assert "% of the run's projects, [removal] max-percent is 1" in reason
    assert "`pypi-mirror sync p07` follows it" in reason
    audit(synced)
    # Upstream is mended: all of it heals by itself.
    synced.server.faults.clear()
    synced.clock.advance(days=1)
    assert synced.sync().state is RunState.SUCCESS
    assert synced.backlog() == {}
    compare(synced)


def test_an_upstream_whose_pages_are_empty_leaves_all_pages(synced: Bench) -> None:
    before = tree(synced)
    synced.server.inject(*(page_of(synced, name, ()) for name in NAMES))
    is_held(synced, synced.sync(recheck=True), *NAMES)
    assert tree(synced) == before
    assert "upstream's page is empty; the mirror's lists 4 files" in synced.backlog()["p00"]
    audit(synced)


def test_an_upstream_whose_pages_lost_half_of_their_files_leaves_all_pages(synced: Bench) -> None:
    before = tree(synced)
    synced.server.inject(*(page_of(synced, name, ("1.0", "4.0")) for name in NAMES))
    is_held(synced, synced.sync(recheck=True), *NAMES)
    assert tree(synced) == before
    reason = synced.backlog()["p00"]
    assert "upstream's page lost 2 files" in reason
    assert "30 projects are affected, more than [removal] allows (50% of the run's files" in reason
    assert "of the run's projects" not in reason
    audit(synced)


def test_a_part_of_a_large_mirror_is_weighed_by_what_was_asked_for(synced: Bench) -> None:
    """An hourly run asks for few projects; they are all that an upstream can lose in it."""
    synced.change(guard=RemovalGuard(max_percent=25))
    before = pages(synced)
    for name in NAMES[:6]:
        synced.server.apply(Upload(distribution=Wheel(name=name, version="5.0")))
    synced.server.inject(gone("*"))
    is_held(synced, synced.sync(), *NAMES[:6])
    assert pages(synced) == before


def test_others_are_published_meanwhile(synced: Bench) -> None:
    synced.server.apply(
        *(Upload(distribution=Wheel(name=name, version="5.0")) for name in (*NAMES[:6], NAMES[9], "newcomer"))
    )
    synced.server.inject(*(gone(name) for name in NAMES[:6]))
    before = pages(synced)
    outcome = synced.sync()
    is_held(synced, outcome, *NAMES[:6])
    assert outcome.cursor == synced.server.warehouse.serial
    assert len(synced.listed(NAMES[9])) == 5
    assert len(synced.listed("newcomer")) == 1
    now = pages(synced)
    assert all(now[path] == before[path] for path in before if path.parent.name != NAMES[9])


@pytest.mark.parametrize("number", [1, 5])
def test_a_few_go_through_with_a_warning(
    synced: Bench, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    synced.server.inject(*(gone(name) for name in NAMES[:number]))
    with caplog.at_level(logging.WARNING):
        outcome = synced.sync(recheck=True)
    assert (outcome.state, outcome.tally.projects_removed) == (RunState.SUCCESS, number)
    assert not synced.page_directory("p00").exists()
    assert "p00: upstream's page is gone; the mirror's lists 4 files" in caplog.text
    assert caplog.text.count("its page follows upstream") == number


def test_one_more_than_always_allowed_is_too_much_for_a_small_mirror(synced: Bench) -> None:
    synced.server.inject(*(gone(name) for name in NAMES[:6]))
    before = tree(synced)
    is_held(synced, synced.sync(recheck=True), *NAMES[:6])
    assert tree(synced) == before


def test_limits_are_the_administrators(synced: Bench) -> None:
    synced.server.inject(*(gone(name) for name in NAMES[:6]))
    synced.change(guard=RemovalGuard(max_percent=20))
    assert synced.sync(recheck=True).tally.projects_removed == 6


def test_what_was_held_back_goes_on_counting_while_it_waits(synced: Bench) -> None:
    """Else a broken upstream would lose as much as is allowed in every run."""
    synced.server.inject(*(gone(name) for name in NAMES[:10]))
    synced.sync(recheck=True)
    with synced.open() as mirror:
        mirror.ledger.backlog.retry([entry.project for entry in mirror.ledger.backlog.failed()][:3])
    outcome = synced.sync()
    assert {failure.project for failure in outcome.known_failures} == set(NAMES[:3])
    assert (
        "10 projects are affected, more than [removal] allows (100% of the run's projects"
        in synced.backlog()["p00"]
    )


@pytest.mark.parametrize("stop_on_error", [False, True])
def test_stop_on_error_both_ways(synced: Bench, stop_on_error: bool) -> None:
    synced.change(stop_on_error=stop_on_error)
    synced.server.apply(Upload(distribution=Wheel(name="newcomer")))
    synced.server.inject(*(gone(name) for name in NAMES))
    before, cursor = tree(synced), synced.cursor
    if stop_on_error:
        with pytest.raises(RunStopped, match=r"stop-on-error: p\d\d failed: upstream's page is gone"):
            synced.sync(recheck=True)
        assert synced.cursor == cursor
        assert {path: content for path, content in tree(synced).items() if path in before} == before
    else:
        is_held(synced, synced.sync(recheck=True), *NAMES)
        assert synced.listed("newcomer")


def test_quarantine_passes_at_once(synced: Bench) -> None:
    """The changelog names them, so that no plan counts them as removed: their pages say what they are."""
    synced.server.apply(*(Quarantine(project=name) for name in NAMES[:10]))
    assert synced.sync().state is RunState.SUCCESS
    assert all(synced.listed(name) == [] for name in NAMES[:10])
    audit(synced)
    compare(synced)


def test_what_events_announce_passes_at_once(synced: Bench) -> None:
    """The plan sees the last event only, and knows no files."""
    synced.server.apply(
        *(RemoveRelease(project=name, version="1.0") for name in NAMES[:4]),
        *(RemoveFile(project=name, filename=f"{name}{FILES[1]}") for name in NAMES[4:8]),
        *(QuarantineRelease(project=name, version="3.0") for name in NAMES[8:12]),
        *(RemoveProject(project=name) for name in NAMES[12:16]),
        *(Upload(distribution=Wheel(name=name, version="9.0")) for name in NAMES[:16]),
        *(Yank(project=name, version="4.0", reason="broken") for name in NAMES[16:]),
    )
    assert synced.sync().state is RunState.SUCCESS
    assert synced.listed("p00") == [f"p00{end}" for end in (*FILES[1:], "-9.0-py3-none-any.whl")]
    assert synced.listed("p12") == ["p12-9.0-py3-none-any.whl"]
    audit(synced)
    compare(synced)


def test_an_event_of_a_file_does_not_explain_that_a_page_is_gone(synced: Bench) -> None:
    synced.server.apply(*(RemoveRelease(project=name, version="1.0") for name in NAMES[:6]))
    synced.server.inject(gone("*"))
    before = pages(synced)
    is_held(synced, synced.sync(), *NAMES[:6])
    assert pages(synced) == before


def test_what_filters_leave_out_is_the_plans_business(synced: Bench) -> None:
    """Approved there, it is not weighed again; nor is a file that upstream lost as well."""
    synced.select(exclude_filename="-[12].0-py3")
    synced.server.inject(*(page_of(synced, name, ("3.0", "4.0")) for name in NAMES))
    with pytest.raises(ApprovalRequired) as held:
        synced.sync()
    assert synced.sync(approved=held.value.plan).state is RunState.SUCCESS
    assert synced.listed("p00") == [f"p00{end}" for end in FILES[2:]]
    audit(synced)


def test_without_a_changelog_the_root_index_says_what_is_removed(bench: MakeBench) -> None:
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES), behaviour=SERIAL_LESS)
    made.sync()
    made.change(guard=RemovalGuard(max_percent=20))
    made.server.apply(*(RemoveProject(project=name) for name in NAMES[:6]))
    assert made.sync().tally.projects_removed == 6
    made.server.inject(gone("*"))
    before = tree(made)
    is_held(made, made.sync(), *NAMES[6:])
    assert tree(made) == before


def test_asked_for_by_name_a_project_follows_upstream(synced: Bench) -> None:
    synced.server.inject(*(gone(name) for name in NAMES[:5]))
    synced.server.inject(*(page_of(synced, name, ("1.0",)) for name in NAMES[5:10]))
    is_held(synced, synced.sync(recheck=True), *NAMES[:10])
    outcome = synced.selected(*NAMES[:9])
    assert (outcome.state, outcome.tally.projects_removed) == (RunState.SUCCESS, 5)
    assert synced.listed("p08") == ["p08-1.0-py3-none-any.whl"]
    assert set(synced.backlog()) == {"p09"}
    # What is left is within the limits, and goes by itself.
    synced.clock.advance(days=1)
    assert synced.sync().state is RunState.SUCCESS
    assert synced.backlog() == {}
    assert synced.listed("p09") == ["p09-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("again", ["the same run", "the next one"])
def test_pages_that_were_withheld_are_read_again_at_each_try(synced: Bench, again: str) -> None:
    """Under stop-on-error the cursor stays before their events, and the catalogue is as new as those."""
    synced.change(stop_on_error=True)
    synced.server.apply(*(Yank(project=name, version="1.0") for name in NAMES))
    first = synced.server.warehouse.serial - len(NAMES) + 1
    synced.server.inject(
        *(page_of(synced, name, ("4.0",), serial=serial) for serial, name in enumerate(NAMES, start=first))
    )
    request = synced.request()
    with pytest.raises(RunStopped):
        synced.sync(request)
    synced.server.faults.clear()
    result = synced.sync(request if again == "the same run" else None)
    assert (result.state, result.silent_losses) == (RunState.SUCCESS, ())
    audit(synced)
    compare(synced)
