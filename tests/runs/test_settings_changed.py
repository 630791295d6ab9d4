"""An administrator edits mirror.conf between two runs: the next run makes the mirror what it says."""

import json
from dataclasses import replace

import pytest
import requests

from pypi_mirror.errors import ApprovalRequired, MirrorError, RulesChanged
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.options.environments import Environment
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from pypi_mirror.policy.filters.versions_count_project_metadata import NumberOfVersions
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.reload_nginx import reload_nginx
from pypi_mirror.runs.report import report
from pypi_mirror.settings.values import RemovalGuard, Site
from tests.policies import policy
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Fault, Instead, Other, RemoveFile, Scenario, Upload, Wheel, many, small

LINUX = Environment(
    system="linux", machine="x86_64", implementation="cpython", pythons=((3, 11),), libc=("glibc", 2, 28)
)
WINDOWS = Environment(system="windows", machine="amd64", implementation="cpython", pythons=((3, 11),))


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(scenario=small())
    assert made.sync().state is RunState.SUCCESS
    audit(made)
    made.server.requests.reset()
    return made


def served(made: Bench) -> dict[str, bytes]:
    """The project pages on the disk."""
    return {str(path): path.read_bytes() for path in (made.web / "simple").glob("*/index.*")}


def releases(made: Bench, project: str = "*") -> set[str]:
    """The versions of the wheels that project pages list."""
    pages = (made.web / "simple").glob(f"{project}/index.v1_json")
    files = (file for page in pages for file in json.loads(page.read_text())["files"])
    return {file["filename"].split("-")[1] for file in files}


def foreign(made: Bench) -> list[str]:
    """Wheels for Windows and macOS in the pool or on a page."""
    text = "".join(
        path.read_text() for path in (made.web / "simple").rglob("index.*") if path.suffix != ".gz"
    )
    pool = [path.name for path in (made.web / "packages").rglob("*")]
    return [tag for tag in ("macosx", "win32", "win_amd64") if tag in text or any(tag in n for n in pool)]


def test_the_default_filter_keeps_every_windows_and_macos_wheel_out(synced: Bench) -> None:
    assert foreign(synced) == []
    with synced.open() as mirror:
        totals = mirror.ledger.projects.totals()
    files = synced.server.warehouse.files.values()
    dropped = [file for file in files if file.filename.endswith(("win_amd64.whl", "macosx_11_0_arm64.whl"))]
    assert totals.dropped_files == len(dropped) == 2
    assert totals.dropped_bytes == sum(file.size for file in dropped) > 0
    recheck = synced.sync(recheck=True)
    assert (recheck.dropped_files, recheck.dropped_bytes) == (totals.dropped_files, totals.dropped_bytes)


def test_a_filter_taken_away_brings_its_files_and_nothing_else(synced: Bench) -> None:
    synced.select(exclude_filename=None)
    result = synced.sync()
    assert result.source == "index"
    assert synced.downloads() == [
        "compiled-1.0-cp311-cp311-macosx_11_0_arm64.whl",
        "compiled-1.0-cp311-cp311-win_amd64.whl",
    ]
    assert result.dropped_files == 0
    audit(synced)
    compare(synced)


def test_a_filter_added_takes_files_off_the_pages_at_once_and_off_the_disk_later(bench: MakeBench) -> None:
    made = bench(scenario=small(), exclude=None)
    made.sync()
    made.select(exclude_filename="win_amd64")
    made.server.requests.reset()
    made.sync()
    assert made.downloads() == []
    assert "compiled-1.0-cp311-cp311-win_amd64.whl" not in made.listed("compiled")
    assert made.pooled("compiled-1.0-cp311-cp311-win_amd64.whl") is not None
    audit(made)
    compare(made)
    made.clock.advance(days=8)
    made.sync()
    assert made.pooled("compiled-1.0-cp311-cp311-win_amd64.whl") is None
    audit(made)


def test_the_newest_releases_alone_and_all_of_them_again(bench: MakeBench) -> None:
    """No page is asked for, and what left the pages comes back without a download."""
    made = bench(scenario=many(3, 4, 200), guard=RemovalGuard(max_percent=100))
    made.sync()
    made.server.requests.reset()
    before = made.settings.policy
    made.change(policy=Policy(*before.filters, NewestReleases(keep_latest=2)))
    made.sync()
    assert releases(made) == {"3.0", "4.0"}
    assert made.server.requests.count("page") == 0
    audit(made)
    compare(made)
    made.server.requests.reset()
    made.change(policy=before)
    made.sync()
    assert releases(made) == {"1.0", "2.0", "3.0", "4.0"}
    assert made.server.requests.count("page") == 0
    assert made.downloads() == []
    audit(made)
    compare(made)


def test_a_new_release_takes_the_place_of_the_oldest(bench: MakeBench) -> None:
    made = bench(scenario=many(2, 2, 200), guard=RemovalGuard(max_percent=100))
    made.change(policy=Policy(NewestReleases(keep_latest=2)))
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="project-00001", version="3.0")))
    result = made.sync()
    assert (result.source, result.planned, result.state) == ("changelog", 1, RunState.SUCCESS)
    assert releases(made, "project-00000") == {"1.0", "2.0"}
    assert releases(made, "project-00001") == {"2.0", "3.0"}
    audit(made)
    compare(made)


def test_what_a_page_says_can_exclude_its_project(bench: MakeBench) -> None:
    """Its page goes, weighed as a project that goes, and comes back without being asked for."""
    scenario = Scenario(
        events=(
            *(Upload(distribution=Wheel(name="many", version=f"{number}.0")) for number in range(1, 6)),
            Upload(distribution=Wheel(name="few")),
        )
    )
    made = bench(scenario=scenario, guard=RemovalGuard(max_percent=10, always_allowed=0))
    made.sync()
    made.server.requests.reset()
    before = made.settings.policy
    made.change(
        policy=Policy(*before.filters, NumberOfVersions(min_versions=3), NewestReleases(keep_latest=4))
    )
    with pytest.raises(ApprovalRequired) as held:
        made.sync()
    assert "1 project, 2 files" in str(held.value)
    made.sync(approved=held.value.plan)
    assert set(served(made)) == {path for path in served(made) if "/many/" in path}
    assert "few" not in (made.web / "simple" / "index.html").read_text()
    made.change(policy=before)
    made.sync()
    assert len(releases(made, "few")) == 1
    assert made.server.requests.count("page") == 0
    audit(made)
    compare(made)


def test_a_silent_loss_is_one_whatever_is_counted(bench: MakeBench) -> None:
    """Our page has four of five versions: what a count says of it is not what policy says of upstream's."""
    made = bench(scenario=many(1, 5, 200), guard=RemovalGuard(max_percent=0, always_allowed=0))
    made.change(policy=Policy(NumberOfVersions(min_versions=5), NewestReleases(keep_latest=4)))
    made.sync()
    before = served(made)
    made.server.inject(Fault(path="/simple/project-00000/", effect=Instead(body=_EMPTIED), times=None))
    made.server.apply(Other(project="project-00000", action="gave it a hug"))
    made.sync()
    assert served(made) == before
    assert "project-00000" in made.backlog()


_EMPTIED = json.dumps(
    {
        "meta": {"api-version": "1.1", "_last-serial": 1000},
        "name": "project-00000",
        "versions": ["1.0"],
        "files": [],
    }
)


def test_an_environment_added_or_removed(bench: MakeBench) -> None:
    made = bench(scenario=small(), exclude=None, policy=policy(environments=(LINUX,)))
    made.sync()
    assert foreign(made) == []
    made.select(environments=(LINUX, WINDOWS))
    made.sync()
    assert foreign(made) == ["win_amd64"]
    made.select(environments=(LINUX,))
    made.sync()
    assert [f for f in made.listed("compiled") if "win" in f] == []
    audit(made)
    compare(made)


def test_an_allowlist_that_grows_and_shrinks(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha")
    made.sync()
    assert made.downloads() == ["alpha-1.0-py3-none-any.whl", "alpha-1.0.tar.gz"]
    made.allow("alpha", "beta-lib")
    made.server.requests.reset()
    made.sync()
    assert made.downloads() == ["beta_lib-1.0-py3-none-any.whl", "beta_lib-1.1-py3-none-any.whl"]
    # alpha's page is right as it is: nobody asked for it.
    assert [each.path for each in made.server.requests.of("page")] == ["/simple/beta-lib/"]
    audit(made)
    compare(made)
    made.allow("beta-lib")
    result = made.sync()
    assert result.tally.projects_removed == 1
    assert not made.page_directory("alpha").exists()
    assert "alpha" not in (made.web / "simple/index.html").read_text()
    audit(made)
    compare(made)


def test_hash_index_switched(synced: Bench) -> None:
    with synced.open() as mirror:
        reload_nginx(mirror)
    synced.change(hash_index=True)
    synced.sync()
    assert synced.downloads() == []
    assert (synced.web / "simple/a/alpha/index.html").exists()
    # Until the web server knows the new layout, the old one is served.
    assert (synced.web / "simple/alpha/index.html").exists()
    with synced.open() as mirror:
        reload_nginx(mirror)
    assert not (synced.web / "simple/alpha").exists()
    audit(synced)
    compare(synced)
    synced.change(hash_index=False)
    synced.sync()
    with synced.open() as mirror:
        reload_nginx(mirror)
    assert not (synced.web / "simple/a").exists()
    audit(synced)


def test_hash_index_switched_before_the_first_reload(synced: Bench) -> None:
    synced.change(hash_index=True)
    synced.sync()
    with synced.open() as mirror:
        reload_nginx(mirror)
    assert not (synced.web / "simple/alpha").exists()
    audit(synced)


@pytest.mark.parametrize("only", ["HTML", "JSON"])
def test_simple_format_switched(synced: Bench, only: str) -> None:
    synced.change(simple_format=only)
    synced.sync()
    assert synced.downloads() == []
    audit(synced)
    synced.change(simple_format="ALL")
    synced.sync()
    audit(synced)
    compare(synced)


def test_legacy_json_switched_on_and_off(synced: Bench) -> None:
    document = synced.web / "pypi/alpha/json"
    assert not document.exists()
    synced.change(json=True)
    synced.sync()
    assert synced.downloads() == []
    assert b'"name":"alpha"' in document.read_bytes().replace(b" ", b"")
    audit(synced)
    synced.change(json=False)
    synced.sync()
    assert not (synced.web / "pypi/alpha").exists()
    audit(synced)


def test_core_metadata_switched_off_and_on(synced: Bench) -> None:
    assert synced.page("alpha")["files"][0]["core-metadata"]
    synced.change(core_metadata=False)
    synced.sync()
    assert synced.page("alpha")["files"][0]["core-metadata"] is False
    assert "data-core-metadata" not in (synced.page_directory("alpha") / "index.html").read_text()
    audit(synced)
    synced.change(core_metadata=True)
    synced.sync()
    assert synced.downloads() == []
    audit(synced)
    compare(synced)


def test_root_uri_moves_the_links_and_nothing_else(synced: Bench) -> None:
    synced.change(root_uri="https://files.example/mirror")
    synced.sync()
    assert synced.downloads() == []
    urls = [file["url"] for file in synced.page("alpha")["files"]]
    assert all(url.startswith("https://files.example/mirror/packages/") for url in urls)


def test_a_new_public_url_changes_only_pages(synced: Bench) -> None:
    synced.change(site=Site(enabled=False, public_url="https://pypi.example"))
    assert synced.sync().state is RunState.SUCCESS
    assert synced.downloads() == []
    audit(synced)


def test_without_release_files_pages_lead_elsewhere_and_nothing_is_downloaded(bench: MakeBench) -> None:
    made = bench(scenario=small(), release_files=False, root_uri="https://files.example")
    result = made.sync()
    assert result.state is RunState.SUCCESS
    assert made.downloads() == []
    assert made.server.requests.count("metadata") == 0
    assert [path.name for path in (made.web / "packages").iterdir()] == [".identity"]
    urls = [file["url"] for file in made.page("alpha")["files"]]
    assert all(url.startswith("https://files.example/packages/") for url in urls)
    audit(made)
    compare(made)
    made.server.apply(RemoveFile(project="alpha", filename="alpha-1.0.tar.gz"))
    made.sync()
    audit(made)
    compare(made)


def test_without_files_and_root_uri_pages_link_to_where_upstreams_do(bench: MakeBench) -> None:
    made = bench(scenario=small(), release_files=False)
    assert made.sync().state is RunState.SUCCESS
    audit(made)
    compare(made)
    assert [path.name for path in (made.web / "packages").iterdir()] == [".identity"]
    urls = [file["url"] for file in made.page("alpha")["files"]]
    assert urls
    assert all(url.startswith(f"{made.server.url}/") for url in urls)
    assert all(requests.get(url, timeout=10).ok for url in urls)
    made.change(root_uri="https://files.example")
    assert made.sync().state is RunState.SUCCESS
    assert made.page("alpha")["files"][0]["url"].startswith("https://files.example/packages/")
    audit(made)


def test_release_files_switched_on_later(bench: MakeBench) -> None:
    made = bench(scenario=small(), release_files=False, root_uri="https://files.example")
    made.sync()
    made.change(release_files=True, root_uri=None)
    result = made.sync()
    assert result.state is RunState.SUCCESS
    assert result.tally.files_downloaded == result.files > 0
    audit(made)
    compare(made)


def test_filters_set_back_after_a_run_that_died_leave_nothing_behind(synced: Bench) -> None:
    """The changelog would not name the projects whose pages that run made."""
    original = synced.settings
    synced.select(exclude_filename=None)
    with synced.open() as mirror:
        run = fetch_changelog(mirror, synced.request()).run_id
        for batch in partition_projects(mirror, run).batches:
            download_projects(mirror, run, batch.number)
    assert foreign(synced) == ["macosx", "win_amd64"]
    synced.settings = original
    synced.sync(clock_step=20)
    synced.clock.advance(days=8)
    synced.sync()
    assert foreign(synced) == []
    audit(synced)
    compare(synced)


def test_rules_edited_in_the_middle_of_a_run_wait_for_the_next_plan(synced: Bench) -> None:
    """A batch that went on by rules that nobody has weighed would take off the pages what the guard keeps."""
    before = served(synced)
    synced.server.apply(
        Upload(distribution=Wheel(name="newcomer")), Upload(distribution=Wheel(name="alpha", version="7"))
    )
    with synced.open() as mirror:
        run = fetch_changelog(mirror, synced.request()).run_id
        partition_projects(mirror, run)
    synced.select(exclude_filename=None)
    with synced.open() as mirror:
        assert download_projects(mirror, run, 0).waiting == 2
        rebuild_index(mirror, run)
        ended = report(mirror, run)
    assert ended.state is RunState.PAUSED
    assert "the rules changed (mirror.conf or a requirement file)" in (ended.reason or "")
    assert served(synced) == before
    assert foreign(synced) == []
    synced.sync()
    assert foreign(synced) == ["macosx", "win_amd64"]
    audit(synced)
    compare(synced)


def test_rules_edited_before_the_plan_is_decided_are_those_of_the_plan(synced: Bench) -> None:
    """However often they change: what is weighed is decided by the rules that the batches go by."""
    synced.server.apply(Upload(distribution=Wheel(name="newcomer")))
    typo = synced.settings.policy
    with synced.open() as mirror:
        run = fetch_changelog(mirror, synced.request()).run_id
        list_projects(mirror, run)
    synced.select(exclude_filename="newcomer")
    with synced.open() as mirror:
        partition_projects(mirror, run, listed=True)
        assert mirror.ledger.runs.get(run).policy == mirror.selection
        download_projects(mirror, run, 0)
        rebuild_index(mirror, run)
        assert report(mirror, run).state is RunState.SUCCESS
    synced.change(policy=typo)
    synced.sync()
    audit(synced)
    compare(synced)


def test_rules_edited_in_the_middle_of_a_run_for_named_projects_end_it(synced: Bench) -> None:
    synced.server.apply(Upload(distribution=Wheel(name="alpha", version="7")))
    with synced.open() as mirror:
        run = fetch_changelog(mirror, synced.request(RunKind.SELECTED, projects=("alpha",))).run_id
        partition_projects(mirror, run)
    synced.select(exclude_filename=None)
    with synced.open() as mirror, pytest.raises(RulesChanged, match=r"rules changed .* start it again"):
        download_projects(mirror, run, 0)


def test_a_project_asked_for_by_name_must_be_one_that_is_selected(synced: Bench) -> None:
    synced.allow("alpha")
    with pytest.raises(MirrorError, match="old was asked for, but the filters leave it out"):
        synced.selected("old")
    with synced.open() as mirror:
        assert len(mirror.ledger.runs.latest(10)) == 1, "the mistake is no failed run of the mirror"


def test_another_selection_of_the_same_meaning_asks_for_no_comparison(bench: MakeBench) -> None:
    made = bench(
        scenario=Scenario(events=small().events), policy=policy(blocked_platforms=("windows", "macos"))
    )
    made.sync()
    made.settings = replace(made.settings, policy=policy(blocked_platforms=("macos", "windows")))
    assert made.sync().source == "changelog"
