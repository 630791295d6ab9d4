"""Every event: what upstream's journal says about it, and what the project's page shows afterwards."""

from datetime import UTC, datetime

import pytest

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
    Warehouse,
    Wheel,
    Yank,
)

WHEEL = "foo_bar-1.0-py3-none-any.whl"


def foo_bar() -> Warehouse:
    return Warehouse(
        Upload(distribution=Wheel(name="Foo.Bar", requires_python=">=3.8")),
        Upload(distribution=Sdist(name="Foo.Bar")),
    )


def journal(warehouse: Warehouse) -> list[tuple[int, str, str | None, str]]:
    return [(row.serial, row.name, row.version, row.action) for row in warehouse.journal]


def test_a_first_upload_creates_the_project_and_the_release() -> None:
    assert journal(foo_bar()) == [
        (1, "Foo.Bar", None, "create"),
        (2, "Foo.Bar", None, "add Owner tester"),
        (3, "Foo.Bar", "1.0", "new release"),
        (4, "Foo.Bar", "1.0", f"add py3 file {WHEEL}"),
        (5, "Foo.Bar", "1.0", "add source file foo_bar-1.0.tar.gz"),
    ]


@pytest.mark.parametrize(
    ("before", "event", "version", "action"),
    [
        ((), Yank(project="foo_bar", version="1.0", reason="bad"), "1.0", "yank release"),
        (
            (Yank(project="foo-bar", version="1"),),
            Unyank(project="foo-bar", version="1"),
            "1.0",
            "unyank release",
        ),
        ((), RemoveFile(project="foo-bar", filename=WHEEL), "1.0", f"remove file {WHEEL}"),
        ((), RemoveRelease(project="foo-bar", version="1.0"), "1.0", "remove release"),
        ((), RemoveProject(project="foo-bar"), None, "remove project"),
        ((), Quarantine(project="foo-bar"), None, "project quarantined"),
        ((), ClearQuarantine(project="foo-bar"), None, "project quarantine cleared"),
        ((), QuarantineRelease(project="foo-bar", version="1.0"), "1.0", "release quarantined"),
        ((), ClearReleaseQuarantine(project="foo-bar", version="1.0"), "1.0", "release quarantine cleared"),
        ((), AddRole(project="foo-bar", user="bob"), None, "add Maintainer bob"),
        ((), Invite(project="foo-bar", user="bob", role="Owner"), None, "invite Owner bob"),
        ((), Other(project="Foo.Bar", version="9", action="something new"), "9", "something new"),
    ],
)
def test_writes_upstreams_journal_text(
    before: tuple[Event, ...], event: Event, version: str | None, action: str
) -> None:
    warehouse = foo_bar()
    warehouse.apply(*before)
    serial = warehouse.serial
    assert warehouse.apply(event) == serial + 1
    assert journal(warehouse)[-1] == (serial + 1, "Foo.Bar", version, action)


@pytest.mark.parametrize(
    "event",
    [
        Archive(project="foo-bar"),
        Unarchive(project="foo-bar"),
        Rename(project="foo-bar", name="foo.BAR"),
        BackfillProvenance(project="foo-bar", filename=WHEEL),
        BackfillMetadata(project="foo-bar", filename=WHEEL),
    ],
)
def test_changes_without_a_serial(event: Event) -> None:
    warehouse = foo_bar()
    revision = warehouse.revision
    assert warehouse.apply(event) == 5
    assert warehouse.revision == revision + 1


@pytest.mark.parametrize("event_type", [AddRole, Invite])
@pytest.mark.parametrize(("purge", "shown"), [(False, 5), (True, 6)])
def test_role_events_leave_the_cached_page_behind(
    event_type: type[AddRole] | type[Invite], purge: bool, shown: int
) -> None:
    warehouse = foo_bar()
    warehouse.apply(event_type(project="foo-bar", user="bob", purge=purge))
    assert warehouse.project("foo-bar").serial == 6
    assert warehouse.project("foo-bar").page_serial == shown


def test_the_next_content_event_brings_the_page_up_to_date() -> None:
    warehouse = foo_bar()
    warehouse.apply(Invite(project="foo-bar", user="bob"), Yank(project="foo-bar", version="1.0"))
    assert warehouse.project("foo-bar").page_serial == 7


def test_a_release_outlives_its_last_file() -> None:
    warehouse = Warehouse(Upload(distribution=Wheel(name="alpha")))
    warehouse.apply(RemoveFile(project="alpha", filename="alpha-1.0-py3-none-any.whl"))
    assert warehouse.project("alpha").release("1.0").files == ()


def test_a_removed_files_address_keeps_working() -> None:
    warehouse = foo_bar()
    path = warehouse.file(WHEEL).path
    warehouse.apply(RemoveProject(project="foo-bar"))
    assert warehouse.files[path].filename == WHEEL
    with pytest.raises(LookupError, match="no project foo-bar"):
        warehouse.project("foo-bar")


def test_a_removed_project_can_be_created_again_but_not_with_the_same_file() -> None:
    warehouse = foo_bar()
    warehouse.apply(RemoveProject(project="foo-bar"))
    with pytest.raises(ValueError, match=WHEEL):
        warehouse.apply(Upload(distribution=Wheel(name="foo-bar")))
    assert warehouse.serial == 6
    warehouse.apply(Upload(distribution=Wheel(name="foo-bar", version="2.0")))
    assert [row[3] for row in journal(warehouse)[6:8]] == ["create", "add Owner tester"]
    assert [release.version for release in warehouse.project("foo-bar").releases] == ["2.0"]


def test_an_upload_takes_over_the_spelling_of_the_name() -> None:
    warehouse = foo_bar()
    warehouse.apply(Upload(distribution=Wheel(name="FOO-BAR", version="2.0")))
    assert warehouse.project("foo.bar").name == "FOO-BAR"
    assert journal(warehouse)[-1][1] == "FOO-BAR"


def test_a_rename_to_another_project_is_refused() -> None:
    with pytest.raises(ValueError, match="another project"):
        foo_bar().apply(Rename(project="foo-bar", name="foo-baz"))


def test_versions_are_kept_in_normal_form_and_found_in_any() -> None:
    warehouse = Warehouse(Upload(distribution=Sdist(name="alpha", version="1.0.0-RC1")))
    assert warehouse.project("alpha").releases[0].version == "1.0.0rc1"
    assert warehouse.project("alpha").release("1.0rc1").version == "1.0.0rc1"


def test_a_refused_event_changes_nothing_and_those_before_it_stay() -> None:
    warehouse = foo_bar()
    now = warehouse.now
    with pytest.raises(LookupError, match="no release 7"):
        warehouse.apply(Create(project="new"), Yank(project="foo-bar", version="7"))
    assert warehouse.serial == 7
    assert (warehouse.now - now).total_seconds() == 1


def test_serials_may_have_gaps() -> None:
    warehouse = foo_bar()
    warehouse.apply(Gap(size=1_000_000), Yank(project="foo-bar", version="1.0"))
    assert warehouse.serial == 1_000_006


def test_a_row_of_an_unknown_project_creates_none() -> None:
    warehouse = foo_bar()
    warehouse.apply(Other(project="Ghost", action="docupdate"))
    assert set(warehouse.projects) == {"foo-bar"}
    assert journal(warehouse)[-1] == (6, "Ghost", None, "docupdate")


def test_times_are_those_given_and_else_follow_each_other() -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, 500_000, tzinfo=UTC)
    warehouse = Warehouse(
        Upload(distribution=Wheel(name="alpha"), at=at), Upload(distribution=Sdist(name="alpha"))
    )
    assert warehouse.file("alpha-1.0-py3-none-any.whl").upload_time == at
    assert warehouse.journal[-1].timestamp == int(at.timestamp()) + 1


def test_older_copies_of_a_page_are_kept_even_of_a_removed_project() -> None:
    warehouse = foo_bar()
    warehouse.apply(Yank(project="foo-bar", version="1.0"), RemoveProject(project="foo-bar"))
    older = warehouse.older(warehouse_name := next(iter(warehouse._older)))
    assert warehouse_name == "foo-bar"
    assert [copy.page_serial for copy in older] == [4, 5, 6]
    assert [copy.releases[0].yanked for copy in older] == [False, False, True]
