"""An upstream that is another one, goes back, or jumps ahead: what the mirror believes and what it serves."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from pypi_mirror.changes.upstream_state import ask_upstream, upstream_state
from pypi_mirror.cli import main
from pypi_mirror.errors import ApprovalRequired, MirrorError, UpstreamError
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from tests.cli.process import CommandLine
from tests.runs.audit import audit
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    SERIAL_LESS,
    STATIC,
    Behaviour,
    Fault,
    Gap,
    Instead,
    RemoveProject,
    RemoveRelease,
    Scenario,
    StalePage,
    Status,
    Upload,
    Warehouse,
    Wheel,
    running,
    small,
)

NAMES = ("alpha", "beta", "gamma")
# With other events before them, the same names have other serials and other files.
OTHER = Scenario(
    events=(
        Gap(size=5000),
        *(Upload(distribution=Wheel(name=name, version="9.0")) for name in NAMES),
        Upload(distribution=Wheel(name="theirs")),
    )
)


def uploads() -> list[Upload]:
    return [Upload(distribution=Wheel(name=name)) for name in NAMES]


@pytest.mark.parametrize("behaviour", [Behaviour(), STATIC], ids=["changelog", "root index"])
@pytest.mark.parametrize("how", ["at the same address", "by [mirror] master"])
def test_another_upstream_is_compared_with_all_that_is_here(
    bench: MakeBench, behaviour: Behaviour, how: str
) -> None:
    made = bench(*uploads())
    with running(Warehouse(*uploads()), behaviour=behaviour) as first:
        made.change(master=first.url)
        made.sync()
        port = first.port if how == "at the same address" else 0
    with running(OTHER.build(), behaviour=behaviour, port=port) as other:
        made.change(master=other.url)
        report = made.sync()
        assert report.source == "index"
        assert report.cursor == other.warehouse.serial
        assert [made.listed(name) for name in NAMES] == [[f"{n}-9.0-py3-none-any.whl"] for n in NAMES]
        assert made.listed("theirs")
        assert made.sync().planned == 0


@pytest.mark.parametrize("ways", [1, 3])
def test_one_of_which_every_project_has_changed_is_still_the_same(bench: MakeBench, ways: int) -> None:
    """The changelog told of each change; its index, which nobody read since the first sync, has them all."""
    made = bench(*uploads())
    made.sync()
    for number in range(ways):
        made.server.apply(*(Upload(distribution=Wheel(name=name, version=f"{number}.5")) for name in NAMES))
        assert made.sync().source == "changelog"
    made.server.apply(RemoveProject(project="alpha"), Upload(distribution=Wheel(name="beta", version="9.0")))
    made.server.inject(NO_CHANGELOG)
    report = made.sync()
    assert (report.state, report.source) == (RunState.SUCCESS, "index")
    assert not made.page_directory("alpha").exists()


@pytest.mark.parametrize("behaviour", [Behaviour(), STATIC, SERIAL_LESS], ids=["changelog", "index", "none"])
def test_another_master_may_have_any_serials(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(*uploads(), Gap(size=5000), Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    with running(Warehouse(*uploads()), behaviour=behaviour) as other:
        made.change(master=other.url)
        assert made.sync().state is RunState.SUCCESS
        assert made.listed("alpha") == ["alpha-1.0-py3-none-any.whl"]
        other.apply(Upload(distribution=Wheel(name="beta", version="2.0")))
        made.sync()
        assert len(made.listed("beta")) == 2


def test_what_another_upstream_lacks_needs_a_person(bench: MakeBench) -> None:
    made = bench(*(Upload(distribution=Wheel(name=f"project-{number}")) for number in range(30)))
    made.sync()
    with running(OTHER.build()) as other:
        made.change(master=other.url)
        with pytest.raises(ApprovalRequired) as held:
            made.sync()
        assert made.listed("project-1")
        made.sync(approved=held.value.plan)
        assert made.page_directory("project-1").exists() is False


@pytest.mark.parametrize("behaviour", [Behaviour(), STATIC, SERIAL_LESS], ids=["changelog", "index", "none"])
def test_a_mistyped_master_empties_no_mirror_however_small(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(*uploads())
    made.sync()
    right = made.settings.master
    with running(Warehouse(Upload(distribution=Wheel(name="other"))), behaviour=behaviour) as wrong:
        made.change(master=wrong.url)
        for _ in range(2):
            with pytest.raises(ApprovalRequired, match="another one than before"):
                made.sync()
        made.change(master=right)
        assert made.sync().tally.files_downloaded == 0
        assert [len(made.listed(name)) for name in NAMES] == [1, 1, 1]
        # From then on the limits alone count.
        made.server.apply(RemoveProject(project="alpha"))
        assert made.sync().state is RunState.SUCCESS
        made.change(master=wrong.url)
        with pytest.raises(ApprovalRequired) as held:
            made.sync()
        made.sync(approved=held.value.plan)
        assert made.listed("other")
        assert not made.page_directory("beta").exists()


@pytest.mark.parametrize("kind", ["audit", "backfill"])
def test_what_looks_at_some_projects_mixes_no_two_upstreams(bench: MakeBench, kind: str) -> None:
    made = bench(*uploads())
    made.sync()
    first = made.settings.master
    with running(OTHER.build()) as other:
        made.change(master=other.url)
        made.clock.advance(days=300)
        with pytest.raises(MirrorError, match=f"master was {first}; a sync has to compare"):
            look(made, kind)
        assert other.requests.count("page") == 0
        assert [made.listed(name) for name in NAMES] == [[f"{n}-1.0-py3-none-any.whl"] for n in NAMES]
        made.sync()
        look(made, kind)
        assert [made.listed(name) for name in NAMES] == [[f"{n}-9.0-py3-none-any.whl"] for n in NAMES]


def look(made: Bench, kind: str) -> None:
    now = int(made.clock())
    if kind == "backfill":
        made.sync(kind=RunKind.BACKFILL, interval=(now - 86_400, now))
        return
    made.runs += 1
    with made.open() as mirror:
        run_audit(mirror, AuditRequest(label=f"audit {made.runs}"))


def test_an_older_page_is_not_served_again(bench: MakeBench) -> None:
    """The changelog is gone, and an older index and page are replayed."""
    made = bench(*uploads(), Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    old_page = Fault(path="/simple/alpha/", effect=StalePage(back=1), times=None)
    made.server.apply(RemoveRelease(project="alpha", version="2.0"))
    made.sync()
    expected = made.listed("alpha")
    made.server.apply(Upload(distribution=Wheel(name="beta", version="2.0")))
    made.server.inject(Fault(path="/pypi", effect=Status(code=404), times=None), old_page)
    made.sync(recheck=True)
    assert made.listed("alpha") == expected == ["alpha-1.0-py3-none-any.whl"]
    assert "already and keeps that" in made.backlog()["alpha"]
    assert len(made.listed("beta")) == 2
    # What a person names follows upstream.
    made.selected("alpha")
    assert len(made.listed("alpha")) == 2


@pytest.mark.parametrize("serial", [2**31 - 1])
def test_an_absurd_event_is_refused_by_name_and_freezes_nothing(
    bench: MakeBench, serial: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = bench(*uploads())
    made.sync()
    before = made.cursor or 0
    made.server.apply(Gap(size=serial - before - 2), Upload(distribution=Wheel(name="alpha", version="2.0")))
    assert made.server.warehouse.serial == serial
    made.sync()
    assert made.cursor == before
    assert len(made.listed("alpha")) == 2
    assert any("alpha" in line and str(serial) in line for line in caplog.messages)
    assert made.page("alpha")["meta"].get("_last-serial", 0) <= before
    assert made.backlog() == {}
    assert made.sync().state == "success"


def index_of(made: Bench, **older: int) -> Fault:
    """Upstream's root index of now, without its changelog, but with these serials."""
    projects = {project.name: project.serial for project in made.server.warehouse.projects.values()} | older
    document = {
        "meta": {"api-version": "1.1", "_last-serial": made.server.warehouse.serial},
        "projects": [{"name": name, "_last-serial": serial} for name, serial in projects.items()],
    }
    return Fault(path="/simple/", effect=Instead(body=json.dumps(document)), times=None)


NO_CHANGELOG = Fault(path="/pypi", effect=Status(code=404), times=None)


def test_an_entry_that_goes_back_with_its_page_is_named_and_not_followed(bench: MakeBench) -> None:
    made = bench(*uploads(), Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    old = made.server.warehouse.project("alpha").serial
    made.server.apply(RemoveRelease(project="alpha", version="2.0"))
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="beta", version="2.0")))
    old_page = Fault(path="/simple/alpha/", effect=StalePage(back=1), times=None)
    made.server.inject(NO_CHANGELOG, index_of(made, alpha=old), old_page)
    report = made.sync()
    assert [failure.project for failure in report.new_failures] == ["alpha"]
    assert made.listed("alpha") == ["alpha-1.0-py3-none-any.whl"]
    assert "already and keeps that" in made.backlog()["alpha"]
    assert len(made.listed("beta")) == 2
    made.sync(clock_step=20)
    assert list(made.backlog()) == ["alpha"]
    # A person says that upstream is right, and it is not news any more.
    made.selected("alpha")
    assert len(made.listed("alpha")) == 2
    assert made.sync().planned == 0
    audit(made)


def test_an_entry_that_goes_back_without_its_page_harms_nobody(bench: MakeBench) -> None:
    made = bench(*uploads(), Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    made.server.inject(NO_CHANGELOG, index_of(made, alpha=1))
    assert made.sync().state is RunState.SUCCESS
    assert len(made.listed("alpha")) == 2
    assert made.backlog() == {}


def test_an_older_index_and_page_do_not_bring_a_removed_project_back(bench: MakeBench) -> None:
    made = bench(*uploads())
    made.sync()
    old, page = made.server.warehouse.project("alpha"), json.dumps(upstream_page(made, "alpha"))
    made.server.apply(RemoveProject(project="alpha"))
    made.sync()
    assert not made.page_directory("alpha").exists()
    made.server.apply(Upload(distribution=Wheel(name="beta", version="2.0")))
    made.server.inject(
        NO_CHANGELOG,
        index_of(made, alpha=old.serial),
        Fault(path="/simple/alpha/", effect=Instead(body=page), times=None),
    )
    made.sync()
    assert not made.page_directory("alpha").exists()
    assert list(made.backlog()) == ["alpha"]
    made.selected("alpha")
    assert made.listed("alpha")


def test_a_project_that_is_registered_again_is_there_again(bench: MakeBench) -> None:
    made = bench(*uploads(), behaviour=Behaviour())
    made.sync()
    made.server.apply(RemoveProject(project="alpha"))
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    assert made.listed("alpha") == ["alpha-2.0-py3-none-any.whl"]


def upstream_page(made: Bench, name: str) -> dict[str, Any]:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with urlopen(Request(f"{made.server.url}/simple/{name}/", headers=accept)) as answer:
        page: dict[str, Any] = json.load(answer)
    return page


def changelog_of(*rows: tuple[object, ...]) -> Fault:
    """XML-RPC as another implementation writes it: of numbers that Python's does not write, too."""
    members = "".join(
        "<value><array><data>"
        + "".join(
            "<value><nil/></value>"
            if field is None
            else f"<value><i8>{field}</i8></value>"
            if isinstance(field, int)
            else f"<value><string>{field}</string></value>"
            for field in row
        )
        + "</data></array></value>"
        for row in rows
    )
    body = (
        "<?xml version='1.0'?><methodResponse><params><param><value><array><data>"
        f"{members}</data></array></value></param></params></methodResponse>"
    )
    return Fault(path="/pypi", effect=Instead(body=body, content_type="text/xml"), times=1)


@pytest.mark.parametrize(
    ("serial", "timestamp"),
    [
        (2**31 - 1, 0),
        (2**31, -(2**63) + 1),
        (2**63 - 1, -(2**63) + 1),
        (2**63, 2**63 - 1),
        (10**30, 10**30),
        (-1, -1),
    ],
)
def test_no_number_of_an_event_freezes_anything(
    bench: MakeBench, serial: int, timestamp: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = bench(*uploads())
    made.sync()
    last = made.server.warehouse.journal[-1]
    made.server.apply(Upload(distribution=Wheel(name="beta", version="2.0")))
    made.server.inject(
        changelog_of(
            (last.name, last.version, last.timestamp, last.action, last.serial),
            ("beta", "2.0", timestamp, "new release", last.serial + 1),
            ("alpha", None, timestamp, "create", serial),
        )
    )
    made.sync()
    assert any(str(serial) in line for line in caplog.messages)
    assert made.cursor == made.server.warehouse.serial
    assert len(made.listed("beta")) == 2
    assert made.backlog() == {}
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    # The lease is free, and whoever watches hears of what the mirror has not followed yet.
    assert watch_lags(made)
    assert made.sync().state is RunState.SUCCESS
    assert len(made.listed("alpha")) == 2
    assert made.cursor == made.server.warehouse.serial
    assert not watch_lags(made)


def watch_lags(made: Bench) -> bool:
    with made.open() as mirror:
        return ask_upstream(mirror).missed_serial is not None


@pytest.mark.parametrize("serial", [2**31 - 1, 2**63 - 1])
def test_an_absurd_serial_blinds_no_watch(bench: MakeBench, serial: int) -> None:
    made = bench(*uploads())
    made.sync()
    answer = (
        "<?xml version='1.0'?><methodResponse><params><param>"
        f"<value><i8>{serial}</i8></value></param></params></methodResponse>"
    )
    made.server.inject(Fault(path="/pypi", effect=Instead(body=answer, content_type="text/xml")))
    assert not watch_lags(made)
    with made.open() as mirror:
        assert upstream_state(mirror).serial == made.cursor
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    assert watch_lags(made)


def test_the_command_line_refuses_absurd_numbers_and_leaves_the_mirror_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(small().build()) as server:
        conf = str(CommandLine.of(tmp_path, server).configuration)
        sync = ["sync", "-c", conf, "--processes", "1"]
        assert main(sync) == 0
        server.inject(changelog_of(("alpha", None, -(2**63) + 1, "create", 2**63 - 1)))
        main(sync)
        assert "OverflowError" not in "".join(capsys.readouterr())
        assert main(sync) == 0


@pytest.mark.parametrize("serial", [2**31 - 1, 2**63 - 1])
def test_an_absurd_serial_of_a_page_is_refused_by_name(
    bench: MakeBench, serial: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = bench(*uploads())
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    page = {"meta": {"api-version": "1.1", "_last-serial": serial}, "name": "alpha", "files": []}
    made.server.inject(Fault(path="/simple/alpha/", effect=Instead(body=json.dumps(page)), times=None))
    made.sync()
    made.server.faults.clear()
    assert any("alpha" in line and str(serial) in line for line in caplog.messages)
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="3.0")))
    made.sync(clock_step=60)
    assert len(made.listed("alpha")) == 3
    assert made.backlog() == {}


def test_a_page_without_its_serial_is_not_believed_and_says_so(bench: MakeBench) -> None:
    """Nobody can tell how old it is; it may be a copy from before a removal."""
    made = bench(*uploads())
    made.sync()
    page = upstream_page(made, "alpha") | {"meta": {"api-version": "1.1"}}
    made.server.apply(RemoveRelease(project="alpha", version="1.0"))
    made.server.inject(Fault(path="/simple/alpha/", effect=Instead(body=json.dumps(page)), times=None))
    made.sync()
    assert "the page states no serial, the mirror has serial" in made.backlog()["alpha"]
    made.server.faults.clear()
    made.sync(clock_step=20)
    assert made.backlog() == {}
    assert made.listed("alpha") == []


@pytest.mark.parametrize("serial", [2**31 - 1, 2**63 - 1, 2**63, 10**30, -1])
def test_an_absurd_entry_of_the_index_is_refused_by_name(
    bench: MakeBench, serial: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = bench(*uploads(), behaviour=STATIC)
    document: dict[str, Any] = {
        "meta": {"api-version": "1.1", "_last-serial": serial if serial > 0 else 3},
        "projects": [{"name": n, "_last-serial": i + 1} for i, n in enumerate(NAMES)],
    }
    document["projects"][0]["_last-serial"] = serial
    body = json.dumps(document)
    made.server.inject(
        Fault(
            path="/simple/",
            effect=Instead(body=body, content_type="application/vnd.pypi.simple.v1+json"),
            times=1,
        )
    )
    made.sync()
    assert (made.cursor or 0) < 100
    assert len(made.listed("beta")) == 1
    assert any("alpha" in line and str(serial) in line for line in caplog.messages)
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    assert len(made.listed("alpha")) == 2


def test_a_person_resets_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(small().build()) as server:
        server.apply(Gap(size=500), Upload(distribution=Wheel(name="newest")))
        conf = str(CommandLine.of(tmp_path, server).configuration)
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        port = server.port
    with running(small().build(), port=port) as server:
        assert main(["sync", "-c", conf, "--processes", "1"]) == 1
        err = capsys.readouterr().err
        assert " ledger reset-cursor -c " in err
        assert " has the next sync compare everything" in err
        assert main(["ledger", "reset-cursor", "-c", conf]) == 0
        assert "The next sync compares every project" in capsys.readouterr().out
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        assert (tmp_path / "mirror/status").read_text() == str(server.warehouse.serial)
        assert not (tmp_path / "mirror/web/simple/newest").exists()


def test_an_index_without_serials_after_one_with_them_needs_a_person(bench: MakeBench) -> None:
    made = bench(*uploads())
    made.sync()
    body = json.dumps({"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in NAMES]})
    effect = Instead(body=body, content_type="application/vnd.pypi.simple.v1+json")
    made.server.inject(
        Fault(path="/pypi", effect=Status(code=404), times=None),
        Fault(path="/simple/", effect=effect, times=None),
    )
    with pytest.raises(UpstreamError, match="reset-cursor"):
        made.sync(recheck=True)
    audit(made)


def test_a_plan_with_another_upstream_leaves_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ledger() -> list[str]:
        with closing(sqlite3.connect(tmp_path / "mirror/ledger.sqlite")) as connection:
            return list(connection.iterdump())

    with running(small().build()) as server, running(OTHER.build()) as other:
        conf = CommandLine.of(tmp_path, server).configuration
        assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
        before = ledger()
        wrong = tmp_path / "wrong.conf"
        wrong.write_text(conf.read_text().replace(server.url, other.url))
        assert main(["plan", "-c", str(wrong)]) == 0
        assert "remove alpha" not in (out := capsys.readouterr().out)
        assert "sync theirs: new" in out
        assert ledger() == before
        # One with an absurd event as well.
        last = server.warehouse.journal[-1]
        server.inject(
            changelog_of(
                (last.name, last.version, last.timestamp, last.action, last.serial),
                ("alpha", None, 0, "create", 2**63 - 1),
            )
        )
        assert main(["plan", "-c", str(conf)]) == 0
        assert "sync alpha: " in capsys.readouterr().out
        assert ledger() == before
        server.faults.clear()
        assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
