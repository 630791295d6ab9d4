"""Answers that contradict what upstream said last: an old copy of a page, a page that is not there, an index
that does not list a project.

What the mirror believes in the end is upstream's last word, and until it is, the project is on the backlog.
"""

import pytest

from pypi_mirror.audit.findings import Kind
from pypi_mirror.model import RunState
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    STATIC,
    AddRole,
    ClearQuarantine,
    Corrupt,
    Fault,
    HtmlError,
    Missing,
    Quarantine,
    RemoveProject,
    StalePage,
    Status,
    Upload,
    Wheel,
    Yank,
)

OTHER = Upload(distribution=Wheel(name="other"))
NO_CHANGELOG = Fault(path="/pypi", effect=HtmlError(), times=None)
STALE = Fault(path="/simple/alpha/", effect=StalePage(), times=None)
MISSING = Fault(path="/simple/alpha/", effect=Missing(), times=None)
BROKEN = Fault(path="/simple/alpha/", effect=Status(code=503), times=None)


def upload(version: str) -> Upload:
    return Upload(distribution=Wheel(name="alpha", version=version))


def waiting(made: Bench) -> set[str]:
    with made.open() as mirror:
        return {entry.project for entry in mirror.ledger.backlog.all()}


def is_served(made: Bench) -> bool:
    return made.page_directory("alpha").exists()


def heal(made: Bench) -> None:
    """Upstream is well again, and the run after the next look finds it so."""
    made.server.faults.clear()
    made.clock.advance(days=1)
    assert made.sync().state is RunState.SUCCESS
    assert waiting(made) == set()
    audit(made)
    compare(made)


@pytest.fixture
def filled(bench: MakeBench) -> Bench:
    made = bench(OTHER, upload("1.0"), upload("2.0"))
    made.sync()
    return made


@pytest.mark.parametrize("fault", [STALE, BROKEN], ids=["old copy", "no answer"])
@pytest.mark.parametrize("event", [RemoveProject(project="alpha"), Quarantine(project="alpha")], ids=repr)
def test_what_the_index_lists_no_longer_is_not_served_for_ever(
    filled: Bench, event: RemoveProject | Quarantine, fault: Fault
) -> None:
    """An edge still has the page; no event after the index will tell of it again."""
    filled.server.apply(event)
    filled.server.inject(NO_CHANGELOG, fault)
    assert filled.sync().source == "index"
    assert filled.cursor == filled.server.warehouse.serial
    assert waiting(filled) == {"alpha"}
    audit(filled)
    heal(filled)
    assert is_served(filled) == isinstance(event, Quarantine)


def test_what_failed_and_is_in_no_index_since_is_given_up(filled: Bench) -> None:
    filled.server.apply(Upload(distribution=Wheel(name="beta")))
    filled.server.inject(Fault(path="/packages/*beta*", effect=Corrupt(), times=None))
    filled.sync()
    assert waiting(filled) == {"beta"}
    filled.server.faults.clear()
    filled.server.apply(RemoveProject(project="beta"))
    filled.server.inject(NO_CHANGELOG, Fault(path="/simple/beta/", effect=StalePage(), times=None))
    filled.clock.advance(days=1)
    filled.sync()
    assert not filled.page_directory("beta").exists(), "an old copy brought it back"
    heal(filled)


def test_a_quarantined_project_that_is_removed_between_two_indexes_goes(bench: MakeBench) -> None:
    """Neither a quarantined nor a removed project is in the index."""
    made = bench(OTHER, upload("1.0"), behaviour=STATIC)
    made.sync()
    made.server.apply(Quarantine(project="alpha"))
    made.sync()
    assert made.listed("alpha") == []
    made.server.apply(ClearQuarantine(project="alpha"), RemoveProject(project="alpha"))
    assert made.sync().state is RunState.SUCCESS
    assert not is_served(made)
    audit(made)


def test_a_page_that_an_event_names_and_that_is_missing_is_kept(filled: Bench) -> None:
    filled.server.apply(Yank(project="alpha", version="1.0", reason="no"))
    filled.server.inject(MISSING)
    result = filled.sync()
    assert (result.state, result.tally.projects_removed) == (RunState.SUCCESS, 0)
    assert len(filled.listed("alpha")) == 2
    for _ in range(8):
        assert waiting(filled) == {"alpha"}, "the event is behind the cursor; nothing else remembers it"
        filled.sync(clock_step=24 * 60)
    heal(filled)


def test_a_new_project_whose_page_is_missing_is_no_failure_and_not_forgotten(filled: Bench) -> None:
    """Many are removed within minutes of their upload; others the edge does not know for a while."""
    filled.server.apply(*(Upload(distribution=Wheel(name=name)) for name in ("late", "spam")))
    filled.server.inject(
        *(Fault(path=f"/simple/{name}/", effect=Missing(), times=None) for name in ("late", "spam"))
    )
    assert filled.sync().state is RunState.SUCCESS
    assert waiting(filled) == {"late", "spam"}
    filled.server.apply(RemoveProject(project="spam"))
    assert filled.sync().state is RunState.SUCCESS
    assert waiting(filled) == {"late"}
    heal(filled)
    assert filled.listed("late")


def test_a_page_that_the_index_lists_and_that_is_missing_comes_back(filled: Bench) -> None:
    filled.server.apply(upload("3.0"))
    filled.server.inject(NO_CHANGELOG, MISSING)
    filled.sync()
    assert waiting(filled) == {"alpha"}
    heal(filled)
    assert len(filled.listed("alpha")) == 3


def test_a_quarantined_page_that_is_missing_once_is_still_upstreams(filled: Bench) -> None:
    filled.server.apply(Quarantine(project="alpha"))
    filled.server.inject(NO_CHANGELOG, Fault(path="/simple/alpha/", effect=Missing()))
    filled.sync()
    assert filled.page("alpha")["project-status"]["status"] == "quarantined"
    audit(filled)


def test_an_audit_does_not_take_one_wrong_answer_for_a_removal(filled: Bench) -> None:
    """It asks for pages that nothing was said of."""
    filled.clock.advance(days=40)
    filled.server.inject(MISSING)
    with filled.open() as mirror:
        run_audit(mirror, AuditRequest(label="audit", everything=True, pages=10))
    assert waiting(filled) == {"alpha"}
    heal(filled)
    assert len(filled.listed("alpha")) == 2


@pytest.mark.parametrize(
    "event", [RemoveProject(project="alpha"), Yank(project="alpha", version="1.0", reason="no")], ids=repr
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_audit_finds_a_page_behind_an_event(
    filled: Bench, event: RemoveProject | Yank, dry_run: bool
) -> None:
    """However it came about: here somebody had the backlog forget what it waited for."""
    filled.server.apply(event)
    filled.server.inject(BROKEN)
    filled.sync()
    with filled.open() as mirror:
        assert run_audit(mirror, AuditRequest(label="before")).found == {}, "the backlog knows"
        mirror.ledger.backlog.forget([entry.project for entry in mirror.ledger.backlog.all()])
        filled.server.faults.clear()
        found = run_audit(mirror, AuditRequest(label="audit", dry_run=dry_run))
    assert found.found == {Kind.BEHIND: 1}
    assert found.examples[0].project == "alpha"
    assert found.is_clean != dry_run
    if not dry_run:
        audit(filled)
        compare(filled)


def test_a_removal_that_failed_is_believed_when_it_is_tried_again(filled: Bench) -> None:
    """Its 404 is what upstream announced: nobody waits for a page or looks for it again."""
    filled.server.apply(RemoveProject(project="alpha"))
    filled.server.inject(BROKEN)
    assert [failure.project for failure in filled.sync().new_failures] == ["alpha"]
    filled.server.faults.clear()
    filled.server.requests.reset()
    filled.clock.advance(days=1)
    assert filled.sync().state is RunState.SUCCESS
    assert [each.status for each in filled.server.requests.of("page")] == [404]
    assert (is_served(filled), waiting(filled)) == (False, set())


def test_what_is_created_again_is_there_whatever_waited(filled: Bench) -> None:
    filled.server.apply(RemoveProject(project="alpha"))
    filled.server.inject(NO_CHANGELOG, BROKEN)
    filled.sync()
    filled.server.faults.clear()
    filled.server.apply(
        Upload(distribution=Wheel(name="Alpha", version="9.0")), AddRole(project="alpha", user="bob")
    )
    filled.sync()
    assert filled.listed("alpha") == ["alpha-9.0-py3-none-any.whl"]
    heal(filled)
