"""``[dependencies] follow = yes``: what the allowlist requires comes into the mirror, and goes again."""

from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import ApprovalRequired
from pypi_mirror.ledger.dependencies import Dependencies as FollowedDependencies
from pypi_mirror.model import RunState
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.observing.explain import explain
from pypi_mirror.observing.overview import overview
from pypi_mirror.observing.verdict import awaiting_approval
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.exclude_newer import parse_exclude_newer
from pypi_mirror.options.packages import parse_package
from pypi_mirror.planning.lacking import lacking
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.cooldown_exclude_newer import Cooldown
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.required import UNBUILT, UNKNOWN
from pypi_mirror.runs.rebuild_ledger import rebuild_ledger
from pypi_mirror.settings.removal import RemovalGuard
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import HTML_ONLY, Fault, RemoveRelease, Sdist, Status, Upload, Wheel

LINUX = "linux x86_64, CPython 3.11 to 3.12, glibc 2.28"


def following(*packages: str, environments: tuple[str, ...] = (LINUX,), **options: object) -> Policy:
    return Policy(
        AllowedPackages(packages=tuple(map(parse_package, packages))),
        Dependencies(follow="yes", **options),  # type: ignore[arg-type]
        ServedEnvironments(environments=tuple(map(parse_environment, environments))),
    )


def wheel(name: str, version: str = "1.0", *requires: str, **fields: str) -> Upload:
    return Upload(distribution=Wheel(name=name, version=version, requires_dist=requires, **fields))


def mirrored(made: Bench) -> dict[str, list[str]]:
    """The versions on our pages, by project."""
    pages = {path.name for path in (made.web / "simple").iterdir() if path.is_dir()}
    return {name: made.page(name)["versions"] for name in sorted(pages)}


def test_what_is_required_comes_with_what_it_requires(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib>=2", "tool[fast]"),
        wheel("lib", "1.0"),
        wheel("lib", "2.0", "deep"),
        wheel("tool", "1.0", "speed; extra == 'fast'", "slow; extra == 'slow'"),
        wheel("speed"),
        wheel("slow"),
        wheel("deep", "1.0", "app"),
        wheel("other"),
        policy=following("app"),
    )
    assert made.sync().state is RunState.SUCCESS
    assert mirrored(made) == {
        "app": ["1.0"],
        "deep": ["1.0"],
        "lib": ["2.0"],
        "speed": ["1.0"],
        "tool": ["1.0"],
    }
    made.server.requests.reset()
    made.sync()
    assert made.server.requests.counts == {"xmlrpc": 1}


def test_an_upload_brings_what_it_requires(bench: MakeBench) -> None:
    made = bench(wheel("app", "1.0", "lib"), wheel("lib"), wheel("deep"), policy=following("app"))
    made.sync()
    made.server.requests.reset()
    made.server.apply(wheel("lib", "1.1", "deep"))
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "deep": ["1.0"], "lib": ["1.0", "1.1"]}
    assert made.server.requests.count("page") == 2


def test_what_nothing_requires_any_more_goes_after_a_time(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("app", "2.0"),
        wheel("lib", "1.0", "deep"),
        wheel("deep", "1.0", "lib"),
        policy=following("app"),
        guard=RemovalGuard(undemanded_days=30),
    )
    made.sync()
    assert sorted(mirrored(made)) == ["app", "deep", "lib"]
    made.server.apply(RemoveRelease(project="app", version="1.0"))
    made.sync()
    assert made.page("app")["versions"] == ["2.0"]
    made.clock.advance(days=2)
    made.sync()
    assert sorted(mirrored(made)) == ["app", "deep", "lib"]
    made.clock.advance(days=29)
    made.sync()
    assert sorted(mirrored(made)) == ["app", "deep", "lib"]
    made.clock.advance(days=1)
    made.sync()
    assert sorted(mirrored(made)) == ["app"]


def test_a_root_that_is_taken_off_the_list_leaves_what_it_required_for_a_time(bench: MakeBench) -> None:
    """What is said of it is true from the next sync on, and a shorter time counts from the next sync on."""
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("web", "1.0", "shared"),
        wheel("web", "2.0", "new"),
        wheel("lib", "1.0", "deep", "shared"),
        *(wheel(name) for name in ("deep", "shared", "new")),
        policy=following("app", "web"),
        guard=RemovalGuard(undemanded_days=30),
    )
    made.sync()
    made.change(policy=following("web>=2"))
    made.sync()
    assert sorted(mirrored(made)) == ["deep", "lib", "new", "shared", "web"]
    with made.open() as mirror:
        found = dependencies(mirror)
        assert found is not None
        assert (found.named, found.required, found.no_longer_required, found.complete) == (1, 1, 3, True)
        assert found.leaves_at is not None
        assert found.leaves_at.timestamp() == int(mirror.clock()) + 30 * 86_400
        explained = explain(mirror, NormalizedName("deep"))
        assert (explained.selected, explained.chain, explained.required_by) == (True, (), ())
        assert explained.why.startswith("nothing requires it any more; it leaves at ")
        assert explain(mirror, NormalizedName("new")).why == "what [allowlist] names requires new"
    made.server.requests.reset()
    made.change(guard=RemovalGuard(undemanded_days=0, max_percent=100))
    made.sync()
    assert sorted(mirrored(made)) == ["new", "web"]
    assert made.server.requests.counts == {"xmlrpc": 1}
    with made.open() as mirror:
        found = dependencies(mirror)
        assert found is not None
        assert (found.required, found.no_longer_required, found.leaves_at) == (1, 0, None)


def test_a_run_that_dies_once_it_has_noted_the_names_leaves_the_next_one_to_follow_again(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(wheel("app", "1.0", "lib"), wheel("web"), wheel("lib"), policy=following("app", "web"))
    made.sync()
    made.change(policy=following("web"))

    def dies(*_: object) -> None:
        raise OSError("the machine stops")

    monkeypatch.setattr(FollowedDependencies, "begin", dies)
    with pytest.raises(OSError, match="the machine stops"):
        made.sync()
    monkeypatch.undo()
    made.sync()
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    assert (found.required, found.no_longer_required) == (0, 1)


def test_markers_count_for_the_served_machines(bench: MakeBench) -> None:
    made = bench(
        wheel(
            "app",
            "1.0",
            "here; sys_platform == 'linux'",
            "there; sys_platform == 'win32'",
            "old; python_version < '3.8'",
            "new; python_version >= '3.12'",
        ),
        *(wheel(name) for name in ("here", "there", "old")),
        wheel("new", "1.0", tags="cp311-cp311-manylinux_2_28_x86_64"),
        wheel("new", "1.1", tags="cp312-cp312-manylinux_2_28_x86_64"),
        policy=following("app"),
    )
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "here": ["1.0"], "new": ["1.1"]}


def test_another_root_brings_its_own(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib<2"),
        wheel("web", "1.0", "lib>=2"),
        wheel("lib", "1.0"),
        wheel("lib", "2.0"),
        policy=following("app"),
    )
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "lib": ["1.0"]}
    made.change(policy=following("app", "web"))
    made.server.requests.reset()
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "lib": ["1.0", "2.0"], "web": ["1.0"]}
    assert made.downloads() == ["lib-2.0-py3-none-any.whl", "web-1.0-py3-none-any.whl"]


def test_who_requires_it_is_said(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib[fast]<2; python_version < '4'"),
        wheel("app", "1.1", "lib[fast]<2; python_version < '4'"),
        wheel("lib", "1.0", "deep; extra == 'fast'"),
        wheel("deep"),
        policy=following("app"),
    )
    made.sync()
    with made.open() as mirror:
        found = explain(mirror, NormalizedName("deep"))
        assert found.chain == ("app", "lib", "deep")
        assert list(map(str, found.required_by)) == ['lib[fast] 1.0 requires deep; extra == "fast"']
        found = explain(mirror, NormalizedName("lib"))
        assert [(str(each), each.releases) for each in found.required_by] == [
            ('app 1.0 to 1.1 requires lib[fast]<2; python_version < "4"', 2)
        ]
        assert [each.text for each in found.requires] == ['deep; extra == "fast"']


def test_what_is_not_met_is_named_with_the_reason(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "gone", "lib>=2", "cut", "odd>=1.*", "win"),
        wheel("lib", "1.0"),
        wheel("cut"),
        wheel("odd"),
        wheel("win", tags="cp312-cp312-win_amd64"),
        policy=following("app", stop_at=(parse_package("cut"),)),
    )
    assert made.sync().state is RunState.SUCCESS
    assert mirrored(made) == {"app": ["1.0"], "lib": [], "odd": ["1.0"], "win": []}
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    assert (found.named, found.required) == (1, 5)
    assert list(map(str, found.unmet)) == [
        "odd>=1.*: its versions cannot be read, so that any will do",
        "cut: [dependencies] stop-at lists cut",
        "gone: upstream has no project gone",
        "lib>=2: upstream has no such release",
        "win: no machine that requires win can install this file",
    ]


def test_a_lost_ledger_removes_nothing_that_is_required(bench: MakeBench) -> None:
    made = bench(wheel("app", "1.0", "lib"), wheel("lib"), policy=following("app"))
    made.sync()
    made.settings.ledger_path.unlink()  # type: ignore[union-attr]
    rebuild_ledger(made.settings, clock=made.clock)
    made.server.requests.reset()
    assert made.sync().tally.projects_removed == 0
    assert sorted(mirrored(made)) == ["app", "lib"]
    assert made.downloads() == []


def test_switched_off_what_was_only_required_goes(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib<2", "app2>=1"),
        wheel("app2", "0.9"),
        wheel("app2", "1.0"),
        wheel("lib"),
        policy=following("app", "app2<1"),
    )
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "app2": ["0.9", "1.0"], "lib": ["1.0"]}
    made.change(policy=Policy(AllowedPackages(packages=(parse_package("app"), parse_package("app2<1")))))
    made.sync()
    assert {name: found for name, found in mirrored(made).items() if found} == {
        "app": ["1.0"],
        "app2": ["0.9"],
    }
    made.change(policy=following("app", "app2<1"))
    made.server.requests.reset()
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "app2": ["0.9", "1.0"], "lib": ["1.0"]}
    assert made.downloads() == []


def test_what_could_not_be_read_is_followed_by_the_next_run(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("lib", "1.0", "deep"),
        wheel("deep"),
        policy=following("app"),
        faults=(Fault(path="/packages/*/lib-1.0-*.metadata", effect=Status(code=503), times=99),),
    )
    made.sync()
    assert "lib" in made.backlog()
    made.server.faults.clear()
    made.clock.advance(days=1)
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "deep": ["1.0"], "lib": ["1.0"]}
    assert made.backlog() == {}


def test_metadata_comes_from_the_end_of_the_wheel_where_upstream_has_none(bench: MakeBench) -> None:
    large = Wheel(name="lib", version="1.0", requires_dist=("deep",), size=1_000_000)
    made = bench(
        wheel("app", "1.0", "lib"),
        Upload(distribution=large),
        wheel("deep"),
        policy=following("app"),
        behaviour=HTML_ONLY,
    )
    made.sync()
    assert sorted(mirrored(made)) == ["app", "deep", "lib"]
    # Of each wheel the end, and then the wheel.
    assert made.server.requests.bytes_sent < 1_300_000


def test_a_source_archive_says_it_once_it_is_here(bench: MakeBench) -> None:
    archive = Sdist(name="lib", version="1.0", requires_dist=("deep",), metadata_version="2.2")
    made = bench(
        wheel("app", "1.0", "lib"),
        Upload(distribution=archive),
        wheel("deep"),
        policy=following("app"),
    )
    made.sync()
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    assert [each.what for each in found.unmet] == ["lib 1.0"]
    made.sync()
    made.sync()
    assert sorted(mirrored(made)) == ["app", "deep", "lib"]


def test_constraints_cut_what_is_required(bench: MakeBench, tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("lib==1.1\n")
    policy = following("app", constraints=(str(tmp_path / "constraints.txt"),))
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("lib", "1.0", "old"),
        wheel("lib", "1.1", "new"),
        wheel("old"),
        wheel("new"),
        policy=policy,
    )
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "lib": ["1.1"], "new": ["1.0"]}
    (tmp_path / "constraints.txt").write_text("lib<2\n")
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "lib": ["1.0", "1.1"], "new": ["1.0"], "old": ["1.0"]}


def test_more_than_is_allowed_awaits_approval(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("web", "1.0", "one", "two", "lib"),
        *(wheel(name) for name in ("lib", "one", "two")),
        policy=following("app", approve_beyond_projects=1),
    )
    made.sync()
    assert sorted(mirrored(made)) == ["app", "lib"]
    made.change(policy=following("app", "web", approve_beyond_projects=1))
    with pytest.raises(
        ApprovalRequired, match=r"would add 2 required projects .*approve-beyond-projects"
    ) as first:
        made.sync()
    assert sorted(mirrored(made)) == ["app", "lib"]
    with made.open() as mirror:
        seen = overview(mirror)
        assert seen.waiting is not None
        assert seen.waiting.added_projects == 2
        found = awaiting_approval(seen)
    assert found is not None
    assert "add 2 required projects" in found.headline
    assert "Removed files" not in found.advice
    with pytest.raises(ApprovalRequired) as again:
        made.sync()
    assert again.value.plan == first.value.plan
    made.sync(approved=first.value.plan)
    assert sorted(mirrored(made)) == ["app", "lib", "one", "two", "web"]
    made.server.apply(wheel("one", "1.1"))
    assert made.sync().state is RunState.SUCCESS


def test_gigabytes_of_required_files_await_approval(bench: MakeBench) -> None:
    large = Upload(distribution=Wheel(name="lib", version="1.0", size=2_000_000))
    made = bench(wheel("app", "1.0", "lib"), large, policy=following("app", approve_beyond_gigabytes=0.001))
    with pytest.raises(ApprovalRequired, match=r"2.00 MB of required files, 1.00 MB allowed"):
        made.sync()


def test_of_a_whole_project_all_releases_come_with_what_they_require(bench: MakeBench) -> None:
    made = bench(
        wheel("app", "1.0", "lib>=2"),
        wheel("lib", "1.0", "old"),
        wheel("lib", "2.0", "new"),
        wheel("old"),
        wheel("new"),
        wheel("whole-but-not-required"),
        policy=following("app", whole=(parse_package("lib"), parse_package("whole-but-not-required"))),
    )
    made.sync()
    assert mirrored(made) == {"app": ["1.0"], "lib": ["1.0", "2.0"], "new": ["1.0"], "old": ["1.0"]}


@pytest.mark.parametrize("lost", [False, True])
def test_wheels_that_wait_or_are_lost_say_what_they_require(bench: MakeBench, lost: bool) -> None:
    """An upstream without metadata beside its files, and a wheel that is held, or gone from the disk."""
    followed = following("app")
    waiting = Cooldown(exclude_newer=parse_exclude_newer("7 days"))
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("lib", "1.0", "deep"),
        wheel("deep"),
        policy=Policy(*followed.filters, *(() if lost else (waiting,))),
        behaviour=HTML_ONLY,
    )
    made.sync()
    assert {path.name for path in (made.web / "packages").rglob("*.whl")} >= {"lib-1.0-py3-none-any.whl"}
    if lost:
        for path in (made.web / "packages").rglob("*.whl"):
            path.unlink()
    # As if nobody had read what a file says yet.
    with made.open() as mirror, mirror.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM core_metadata")
        connection.exec_driver_sql("DELETE FROM facts WHERE key = 'closure'")
    made.sync()
    assert made.backlog() == {}
    with made.open() as mirror:
        assert explain(mirror, NormalizedName("deep")).chain == ("app", "lib", "deep")


def override(path: Path, *tables: str) -> Path:
    """Write a file of overrides; each of ``tables`` is a name, a version or nothing, and what is required."""
    text = "".join(
        f'[[dependency-metadata]]\nname = "{name}"\n'
        + (f'version = "{version}"\n' if version else "")
        + f"requires-dist = [{', '.join(repr(each) for each in requires)}]\n"
        for name, version, *requires in map(str.split, tables)
    )
    path.write_text(text.replace('version = "*"\n', ""))
    return path


def test_the_administrator_says_what_a_release_does_not(bench: MakeBench, tmp_path: Path) -> None:
    said = override(tmp_path / "said.toml", "Lib 1.0.0 first", "lib * every", "lib 1 never")
    made = bench(
        wheel("app", "1.0", "lib"),
        Upload(distribution=Sdist(name="lib", version="1.0")),
        Upload(distribution=Sdist(name="lib", version="2.0")),
        *(wheel(name) for name in ("first", "every", "never", "other")),
        policy=following("app", metadata=(str(said),)),
    )
    assert made.sync().state is RunState.SUCCESS
    assert sorted(mirrored(made)) == ["app", "every", "first", "lib"]
    with made.open() as mirror:
        found = dependencies(mirror)
        assert found is not None
        assert found.unmet == ()
        assert lacking(mirror) == ()
    # A changed file is followed again, without a request but for what is new.
    made.server.requests.reset()
    override(said, "lib * other")
    made.sync()
    assert mirrored(made)["other"] == ["1.0"]
    assert made.downloads() == ["other-1.0-py3-none-any.whl"]


def test_overrides_win_over_what_wheels_say(bench: MakeBench, tmp_path: Path) -> None:
    said = override(tmp_path / "said.toml", "lib * instead")
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("lib", "1.0", "deep"),
        *(wheel(name) for name in ("deep", "instead")),
        policy=following("app", metadata=(str(said),)),
    )
    made.sync()
    assert sorted(mirrored(made)) == ["app", "instead", "lib"]


def test_overrides_that_nothing_here_needs_are_named(bench: MakeBench, tmp_path: Path) -> None:
    said = override(tmp_path / "said.toml", "lib 1.0", "lib 3.0", "gone *", "app * lib")
    made = bench(wheel("app", "1.0", "lib"), wheel("lib"), policy=following("app", metadata=(str(said),)))
    made.sync()
    with made.open() as mirror:
        (said_of_it,) = lacking(mirror)
    assert said_of_it == (
        f"[dependencies] metadata has no effect for lib 3.0 ({said}), gone ({said}): "
        "no such release is here; correct it, or remove it"
    )


def builds(name: str, *requires: str, backend: str = "hatchling.build", version: str = "1.0") -> Upload:
    return Upload(
        distribution=Sdist(name=name, version=version, build_requires=requires, build_backend=backend)
    )


@pytest.mark.parametrize("build", ["no", "needed"])
def test_what_an_archive_is_built_with_comes_after_it(bench: MakeBench, build: str) -> None:
    made = bench(
        wheel("app", "1.0", "lib"),
        builds("lib", "hatchling>=1", "other; sys_platform == 'win32'", "lib==0.9"),
        wheel("lib", "0.9"),
        wheel("hatchling", "0.9"),
        wheel("hatchling", "1.0", "pluggy"),
        *(wheel(name) for name in ("pluggy", "other")),
        policy=following("app", build=build),
    )
    made.sync()
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    assert [each.what for each in found.unmet if each.reason == UNBUILT] == ["lib 1.0"] * (build == "needed")
    made.sync()
    if build == "no":
        assert sorted(mirrored(made)) == ["app", "lib"]
        return
    assert mirrored(made) == {
        "app": ["1.0"],
        "hatchling": ["1.0"],
        "lib": ["0.9", "1.0"],
        "pluggy": ["1.0"],
    }
    with made.open() as mirror:
        (required,) = explain(mirror, NormalizedName("hatchling")).required_by
        found = dependencies(mirror)
    assert str(required) == "lib 1.0 requires hatchling>=1 to build"
    assert found is not None
    assert [each.reason for each in found.unmet] == [UNKNOWN]
    # What was read is known: nothing is followed again.
    made.sync()
    made.server.requests.reset()
    made.sync()
    assert made.server.requests.counts == {"xmlrpc": 1}


@pytest.mark.parametrize("markers", ["environments", "any"])
def test_only_machines_without_a_wheel_build(bench: MakeBench, markers: str) -> None:
    """CPython 3.12 has a wheel, 3.11 has none; of 2.0 both have one."""
    made = bench(
        wheel("app", "1.0", "lib"),
        wheel("lib", "1.0", tags="cp312-cp312-manylinux_2_28_x86_64"),
        builds("lib", "old; python_version < '3.12'", "new; python_version >= '3.12'"),
        wheel("lib", "2.0"),
        builds("lib", "never", version="2.0"),
        *(wheel(name) for name in ("old", "new", "never")),
        policy=following("app", build="needed", markers=markers),
    )
    made.sync()
    made.sync()
    assert sorted(mirrored(made)) == ["app", "lib", "old"]


def test_where_building_may_need_more_it_is_said(bench: MakeBench) -> None:
    versions = [f"1.{number}" for number in range(7)]
    made = bench(
        *(builds("app", "odd", backend="odd.build", version=version) for version in versions),
        builds("app", "plain", version="2.0"),
        *(wheel(name) for name in ("odd", "plain")),
        policy=following("app", build="needed"),
    )
    made.sync()
    made.sync()
    assert sorted(mirrored(made)) == ["app", "odd", "plain"]
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    assert (
        "app 1.0, 1.1, 1.2, 1.3, 1.4 and 2 others: "
        "building it may require more: its build backend is odd.build"
    ) in map(str, found.unmet)
