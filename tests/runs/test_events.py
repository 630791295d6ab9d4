"""Acceptance 4: after each thing that can happen upstream, one sync makes our pages equal to upstream's."""

from collections.abc import Sequence

import pytest

from pypi_mirror.model import RunState
from tests.runs.audit import audit, compare, compare_page
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    AddRole,
    Archive,
    BackfillMetadata,
    BackfillProvenance,
    ClearQuarantine,
    ClearReleaseQuarantine,
    Create,
    Event,
    Gap,
    Invite,
    Other,
    Quarantine,
    QuarantineRelease,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Rename,
    Sdist,
    Unarchive,
    Unyank,
    Upload,
    Wheel,
    Yank,
)

ALPHA_WHEEL = Wheel(name="alpha", version="1.0", requires_python=">=3.8", requires_dist=("Beta.Lib>=1",))
ALPHA_SDIST = Sdist(name="alpha", version="1.0", requires_python=">=3.8")
ALPHA_TWO = Wheel(name="alpha", version="2.0")
START: tuple[Event, ...] = (
    Upload(distribution=ALPHA_WHEEL),
    Upload(distribution=ALPHA_SDIST),
    Upload(distribution=ALPHA_TWO),
    Upload(distribution=Wheel(name="Beta.Lib")),
    Upload(distribution=Wheel(name="bystander")),
    Upload(distribution=Wheel(name="bare"), core_metadata=False),
)

# (what had happened before the first sync, what happens then)
WITH_SERIAL: dict[str, tuple[Sequence[Event], Sequence[Event]]] = {
    "upload of a release": ((), [Upload(distribution=Wheel(name="alpha", version="3.0"))]),
    "upload to a release": ((), [Upload(distribution=Sdist(name="alpha", version="2.0"))]),
    "new project": ((), [Upload(distribution=Wheel(name="gamma"))]),
    "new project without files": ((), [Create(project="gamma")]),
    "yank": ((), [Yank(project="alpha", version="1.0")]),
    "yank with a reason": ((), [Yank(project="alpha", version="1.0", reason='eats <b>"disks"</b> & more')]),
    "unyank": ([Yank(project="alpha", version="1.0", reason="no")], [Unyank(project="alpha", version="1.0")]),
    "removed file": ((), [RemoveFile(project="alpha", filename=ALPHA_SDIST.file_name)]),
    "removed last file": ((), [RemoveFile(project="bystander", filename="bystander-1.0-py3-none-any.whl")]),
    "removed release": ((), [RemoveRelease(project="alpha", version="1.0")]),
    "removed project": ((), [RemoveProject(project="alpha")]),
    "quarantine": ((), [Quarantine(project="alpha")]),
    "cleared quarantine": ([Quarantine(project="alpha")], [ClearQuarantine(project="alpha")]),
    "quarantined release": ((), [QuarantineRelease(project="alpha", version="2.0")]),
    "cleared release": (
        [QuarantineRelease(project="alpha", version="2.0")],
        [ClearReleaseQuarantine(project="alpha", version="2.0")],
    ),
    "upload with another spelling": ((), [Upload(distribution=Wheel(name="Alpha", version="3.0"))]),
    "role": ((), [AddRole(project="alpha", user="mallory", purge=True)]),
    "removed and created again": (
        (),
        [RemoveProject(project="alpha"), Upload(distribution=Wheel(name="alpha", version="9.0"))],
    ),
    "created and removed": ((), [Upload(distribution=Wheel(name="brief")), RemoveProject(project="brief")]),
    "unknown action": ((), [Other(project="alpha", action="gave it a hug")]),
    "unknown action, unknown project": ((), [Other(project="No.Such", action="gave it a hug")]),
    "gap in the serials": ((), [Gap(size=1000), Upload(distribution=Wheel(name="alpha", version="3.0"))]),
}

WITHOUT_SERIAL: dict[str, tuple[Sequence[Event], Sequence[Event]]] = {
    "archive": ((), [Archive(project="alpha")]),
    "unarchive": ([Archive(project="alpha")], [Unarchive(project="alpha")]),
    "provenance": (
        (),
        [BackfillProvenance(project="alpha", filename=ALPHA_TWO.file_name, bundles='[{"a":1}]')],
    ),
    "spelling": ((), [Rename(project="alpha", name="Alpha")]),
}


def synced(bench: MakeBench, before: Sequence[Event]) -> Bench:
    made = bench(*START, *before)
    assert made.sync().state is RunState.SUCCESS
    audit(made)
    compare(made)
    made.server.requests.reset()
    return made


@pytest.mark.parametrize(("before", "events"), WITH_SERIAL.values(), ids=WITH_SERIAL)
def test_one_sync_follows_upstream(
    bench: MakeBench, before: Sequence[Event], events: Sequence[Event]
) -> None:
    made = synced(bench, before)
    made.server.apply(*events)
    result = made.sync()
    requests = made.server.requests.counts
    assert result.state is RunState.SUCCESS
    assert result.source == "changelog"
    assert result.cursor == made.server.warehouse.serial
    assert requests.get("index", 0) == 0
    assert made.server.requests.unexpected == ()
    audit(made)
    compare(made)


@pytest.mark.parametrize(("before", "events"), WITHOUT_SERIAL.values(), ids=WITHOUT_SERIAL)
def test_only_a_recheck_finds_what_has_no_serial(
    bench: MakeBench, before: Sequence[Event], events: Sequence[Event]
) -> None:
    made = synced(bench, before)
    made.server.apply(*events)
    plain = made.sync()
    assert (plain.state, plain.planned, plain.cursor) == (RunState.SUCCESS, 0, made.server.warehouse.serial)
    assert set(made.server.requests.counts) == {"xmlrpc"}
    assert made.server.requests.count() <= 3
    with pytest.raises(AssertionError):
        compare(made)
    recheck = made.sync(recheck=True)
    assert recheck.state is RunState.SUCCESS
    assert made.downloads() == []
    audit(made)
    compare(made)
    # Nor does the next re-check find the same again.
    made.server.requests.reset()
    before_again = {path: path.stat().st_ino for path in (made.web / "simple").rglob("index.*")}
    made.sync(recheck=True)
    assert all(each.status == 304 for each in made.server.requests.of("page"))
    assert {path: path.stat().st_ino for path in (made.web / "simple").rglob("index.*")} == before_again


def test_metadata_that_upstream_makes_later_is_what_we_made_before(bench: MakeBench) -> None:
    made = synced(bench, ())
    before = made.page("bare")
    assert before["files"][0]["core-metadata"]
    made.server.apply(BackfillMetadata(project="bare", filename="bare-1.0-py3-none-any.whl"))
    made.sync(recheck=True)
    assert made.page("bare") == before
    assert made.downloads() == []
    audit(made)
    compare(made)


def test_a_role_event_that_left_the_page_in_the_caches_asks_for_nothing(bench: MakeBench) -> None:
    made = synced(bench, ())
    made.server.apply(AddRole(project="alpha", user="mallory"), Invite(project="alpha", user="eve"))
    result = made.sync()
    assert (result.state, result.planned) == (RunState.SUCCESS, 0)
    assert result.cursor == made.server.warehouse.serial
    assert set(made.server.requests.counts) == {"xmlrpc"}
    assert made.server.requests.count() <= 3
    audit(made)


def test_a_quarantined_project_is_empty_at_once_and_comes_back_without_a_download(bench: MakeBench) -> None:
    made = synced(bench, ())
    made.server.apply(Quarantine(project="alpha"))
    made.sync()
    assert made.listed("alpha") == []
    assert made.page("alpha")["project-status"]["status"] == "quarantined"
    assert "/alpha/" not in (made.web / "simple/index.html").read_text()
    compare_page(made, "alpha")
    made.server.apply(ClearQuarantine(project="alpha"))
    made.server.requests.reset()
    made.sync()
    assert len(made.listed("alpha")) == 3
    assert made.downloads() == []
    audit(made)
    compare(made)


def test_a_quarantine_is_found_by_comparing_indexes_too(bench: MakeBench) -> None:
    made = synced(bench, ())
    made.server.apply(Quarantine(project="alpha"))
    made.sync(recheck=True)
    assert made.listed("alpha") == []
    audit(made)
    made.server.apply(ClearQuarantine(project="alpha"))
    made.sync(recheck=True)
    assert len(made.listed("alpha")) == 3
    audit(made)
    compare(made)


def test_a_re_created_project_is_listed_without_its_former_files(bench: MakeBench) -> None:
    made = synced(bench, ())
    made.server.apply(RemoveProject(project="alpha"))
    made.sync()
    assert not made.page_directory("alpha").exists()
    made.server.apply(Upload(distribution=Wheel(name="Alpha", version="9.0")))
    made.sync()
    assert made.listed("alpha") == ["alpha-9.0-py3-none-any.whl"]
    audit(made)
    compare(made)
