"""Why each file of a project is here, or not: the real filters over upstream's real page."""

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.observing.explain import Explanation, FileState, explain
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy import Refusal
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    HTML_ONLY,
    Delay,
    Fault,
    Quarantine,
    RemoveFile,
    Status,
    Upload,
    Wheel,
    small,
)

ALPHA = NormalizedName("alpha")


def explained(made: Bench, name: str = "alpha", *, ask_for: float | None = 10) -> Explanation:
    with made.open() as mirror:
        return explain(mirror, NormalizedName(name), ask_for=ask_for)


def states(found: Explanation) -> dict[str, FileState]:
    return {file.filename: file.state for file in found.files}


def test_before_and_after_a_sync(bench: MakeBench) -> None:
    made = bench(scenario=small())
    before = explained(made)
    assert (before.selected, before.found, before.trouble) == (True, True, None)
    assert (before.serial, before.upstream_serial, before.status) == (None, 5, "active")
    assert set(states(before).values()) == {FileState.MISSING}
    made.sync()
    after = explained(made)
    assert after.serial == after.upstream_serial
    assert set(states(after).values()) == {FileState.LISTED}
    assert [file.filename for file in after.files if file.mirrored] == made.listed("alpha")


def test_the_verdict_is_that_of_a_sync(bench: MakeBench) -> None:
    """Whatever the explanation says is to be mirrored, the next sync's page lists, and nothing else."""
    made = bench(scenario=small())
    made.select(
        blocked_platforms=("windows",),
        allowed_projects=("alpha", "compiled"),
        allowed_releases=(ReleaseRule(project=NormalizedName("beta-lib"), specifier=">=1.1"),),
    )
    for name in ("alpha", "beta-lib", "compiled"):
        wanted = [file.filename for file in explained(made, name).files if file.mirrored]
        made.selected(name)
        assert made.listed(name) == wanted


def test_each_setting_that_excludes_a_file_is_named(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.select(blocked_platforms=("windows",))
    files = {file.filename.rpartition("-")[2]: file for file in explained(made, "compiled").files}
    windows = files["win_amd64.whl"]
    assert (windows.mirrored, windows.state, windows.version) == (False, FileState.ABSENT, "1.0")
    assert [each.setting for each in windows.refusals] == [
        "[blocklist] platforms",
        "[platform] exclude-filename",
    ]
    sdist = files["1.0.tar.gz"]
    assert (sdist.mirrored, sdist.refusals, sdist.admitted_by) == (True, (), None)


def test_the_rules_of_releases(bench: MakeBench) -> None:
    made = bench(scenario=small())
    rule = ReleaseRule(project=NormalizedName("beta-lib"), specifier=">=1.1")
    made.select(allowed_projects=frozenset({ALPHA, rule.project}), allowed_releases=(rule,))
    older, newer = sorted(explained(made, "beta-lib").files, key=lambda file: file.filename)
    assert (older.mirrored, older.admitted_by) == (False, None)
    assert older.refusals == (
        Refusal(
            setting="[allowlist] packages",
            reason="no rule for beta-lib in [allowlist] packages admits version 1.0",
        ),
    )
    assert (newer.mirrored, newer.admitted_by) == (True, "beta-lib>=1.1")


def test_a_project_that_is_left_out(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.select(blocked_projects=frozenset({ALPHA}))
    found = explained(made)
    assert (found.selected, found.why, found.found) == (False, "[blocklist] packages lists alpha", True)
    assert not any(file.mirrored for file in found.files)
    assert found.mirrored == 0
    assert set(states(found).values()) == {FileState.ABSENT}


def test_a_file_that_upstream_has_removed(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(RemoveFile(project="alpha", filename="alpha-1.0.tar.gz"))
    removed = explained(made).files[-1]
    assert (removed.filename, removed.upstream, removed.mirrored) == ("alpha-1.0.tar.gz", False, False)
    # Until the next run our page lists it.
    assert removed.state is FileState.LISTED
    made.sync()
    assert states(explained(made))["alpha-1.0.tar.gz"] is FileState.TOMBSTONE


def test_a_file_that_is_new_upstream(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    found = explained(made)
    assert states(found)["alpha-2.0-py3-none-any.whl"] is FileState.MISSING
    assert (found.upstream_serial or 0) > (found.serial or 0)


def test_without_asking_it_is_what_was_last_read(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    read_at = made.clock.now
    online = explained(made)
    made.clock.advance(days=1)
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.server.requests.reset()
    found = explained(made, ask_for=None)
    assert made.server.requests.count() == 0
    assert (found.found, found.trouble, found.files) == (True, None, online.files)
    assert found.read_at is not None
    assert found.read_at.timestamp() == read_at
    assert (found.at - found.read_at).days == 1


def test_without_asking_a_project_that_was_not_read_is_not_known(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.requests.reset()
    found = explained(made, "nobody", ask_for=None)
    assert made.server.requests.count() == 0
    assert (found.found, found.read_at, found.files) == (None, None, ())
    assert "`pypi-mirror explain nobody --online`" in (found.trouble or "")


def test_a_quarantined_project(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Quarantine(project="alpha"))
    found = explained(made)
    assert (found.found, found.status) == (True, "quarantined")
    assert [file.upstream for file in found.files] == [False, False]


def test_a_project_that_upstream_does_not_have(bench: MakeBench) -> None:
    made = bench(scenario=small())
    found = explained(made, "nobody")
    assert (found.found, found.trouble, found.files, found.status) == (False, None, (), None)


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_upstream_that_gives_no_page(bench: MakeBench, status: int) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.requests.reset()
    made.server.inject(Fault(path="/*", effect=Status(code=status), times=None))
    found = explained(made)
    assert found.found is None
    assert found.trouble is not None
    assert str(status) in found.trouble
    assert [file.upstream for file in found.files] == [False, False]
    # Somebody waits: it is asked once.
    assert made.server.requests.count("page") == 1


def test_an_upstream_that_is_slow_is_not_waited_for(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.server.inject(Fault(path="/simple/alpha/", effect=Delay(seconds=30), times=None))
    found = explained(made, ask_for=0.5)
    assert found.found is None
    assert found.trouble is not None


def test_an_upstream_of_html_alone(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=HTML_ONLY)
    found = explained(made, "compiled")
    assert (found.found, found.upstream_serial) == (True, None)
    assert [file.mirrored for file in found.files].count(True) == 2
    assert {file.size for file in found.files} == {None}
