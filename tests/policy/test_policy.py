"""The filters, composed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.demands.demand import Demand
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy import Decision, DroppedFile, Policy
from pypi_mirror.policy.filter import Filter
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.releases_keep_latest import KeptOfProject, NewestReleases
from tests.policies import policy

FOO, BAR = canonicalize_name("foo"), canonicalize_name("bar")
SEED = "macosx|win32|win_amd64"
LINUX = parse_environment("linux x86_64, CPython 3.12, glibc 2.28")


def page(*filenames: str, name: NormalizedName = FOO) -> ProjectPage:
    files = tuple(
        RemoteFile(filename=filename, url=f"https://files.example/{filename}") for filename in filenames
    )
    return ProjectPage(name=name, serial=1, etag=None, files=files)


def kept(decision: Decision) -> list[str]:
    return [file.filename for file in decision.kept]


def test_without_settings_everything_is_mirrored() -> None:
    selector = policy()
    whole = page("foo-1.0.tar.gz", "foo-1.0-cp312-cp312-win_amd64.whl", "garbage", "foo.exe")

    assert selector.rejection_reason(FOO) is None
    assert selector.decide(whole) == Decision(kept=whole.files, dropped=())


def test_the_seeds_filter_leaves_out_windows_and_macos() -> None:
    selector = policy(exclude_filename=SEED)

    decision = selector.decide(
        page(
            "foo-1.0.tar.gz",
            "foo-1.0-cp312-cp312-win_amd64.whl",
            "foo-1.0-py3-none-any.whl",
            "foo-1.0-cp312-cp312-macosx_11_0_arm64.whl",
            "foo-1.0.win32.exe",
        )
    )

    assert kept(decision) == ["foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"]
    assert decision.dropped[0].reason == (
        "[platform] exclude-filename = macosx|win32|win_amd64 finds 'win_amd64' in the filename"
    )


def test_the_pattern_is_searched_and_minds_case() -> None:
    selector = policy(exclude_filename="^foo-2")

    assert kept(selector.decide(page("foo-1.0.zip", "foo-2.0.zip", "Foo-2.0.zip", "x-foo-2.zip"))) == [
        "foo-1.0.zip",
        "Foo-2.0.zip",
        "x-foo-2.zip",
    ]


def test_projects() -> None:
    everything = policy(blocked_projects=frozenset({FOO}))
    some = policy(allowed_projects=frozenset({FOO, BAR}), blocked_projects=frozenset({BAR}))

    assert everything.rejection_reason(BAR) is None
    assert everything.rejection_reason(FOO) == "[blocklist] packages lists foo"
    assert some.rejection_reason(FOO) is None
    assert some.rejection_reason(BAR) == "[blocklist] packages lists bar"
    assert some.rejection_reason(canonicalize_name("other")) == "[allowlist] packages does not list other"


def test_no_file_of_an_unselected_project_is_mirrored() -> None:
    selector = policy(blocked_projects=frozenset({FOO}))
    whole = page("foo-1.0.tar.gz")

    reason = "[blocklist] packages lists foo"
    assert selector.decide(whole) == Decision(
        kept=(), dropped=(DroppedFile(file=whole.files[0], reason=reason),), rejected=reason
    )


def test_rules_add_up_and_each_can_drop() -> None:
    selector = policy(
        allowed_releases=(ReleaseRule(project=FOO, specifier=">=1"),),
        blocked_releases=(ReleaseRule(project=FOO, specifier="==1.5"),),
        blocked_platforms=("py2.7",),
        environments=(LINUX,),
        exclude_filename="debug",
    )

    decision = selector.decide(
        page(
            "foo-0.9.tar.gz",
            "foo-1.5.tar.gz",
            "foo-1.4.tar.gz",
            "foo-1.4-py2.7.egg",
            "foo-1.4-cp312-cp312-win32.whl",
            "foo-1.4+debug-py3-none-any.whl",
            "foo-1.4-cp312-cp312-manylinux2014_x86_64.whl",
        )
    )

    assert kept(decision) == ["foo-1.4.tar.gz", "foo-1.4-cp312-cp312-manylinux2014_x86_64.whl"]
    reasons = [dropped.reason for dropped in decision.dropped]
    assert len(reasons) == 5
    for reason, setting in zip(
        reasons,
        (
            "[allowlist] packages",
            "[blocklist] packages",
            "[blocklist] platforms",
            "[platform] environments",
            "[platform] exclude-filename",
        ),
        strict=True,
    ):
        assert setting in reason


def test_every_rule_that_excludes_a_file_is_named_in_the_order_of_the_file() -> None:
    selector = policy(exclude_filename=SEED, blocked_platforms=("windows",))
    whole = page("bar-1.0-cp312-cp312-win32.whl", name=BAR)

    assert selector.refusals(page("bar-1.0.zip", name=BAR)) == {}
    [refusals] = selector.refusals(whole).values()
    assert [each.setting for each in refusals] == ["[blocklist] platforms", "[platform] exclude-filename"]
    assert refusals[0].reason == selector.decide(whole).dropped[0].reason
    assert "windows" in refusals[0].reason


def test_every_filter_of_files_names_its_setting() -> None:
    selector = policy(
        allowed_projects=frozenset({FOO}),
        allowed_releases=(ReleaseRule(project=FOO, specifier="<1"),),
        blocked_releases=(ReleaseRule(project=FOO, specifier=">=2"),),
        blocked_platforms=("windows",),
        environments=(LINUX,),
        exclude_filename=SEED,
    )
    [refusals] = selector.refusals(page("foo-2.0-cp312-cp312-win32.whl")).values()
    assert [each.setting for each in refusals] == [
        "[allowlist] packages",
        "[blocklist] packages",
        "[blocklist] platforms",
        "[platform] environments",
        "[platform] exclude-filename",
    ]
    for each in refusals:
        assert each.setting in each.reason


def test_why_a_project_is_let_in_or_left_out() -> None:
    assert policy().reason_for(FOO) == ("[allowlist] packages is empty, which lets every project in")
    chosen = policy(allowed_projects=frozenset({FOO, BAR}), blocked_projects=frozenset({BAR}))
    assert chosen.reason_for(FOO) == "[allowlist] packages lists foo"
    assert chosen.reason_for(BAR) == "[blocklist] packages lists bar"
    assert chosen.reason_for(canonicalize_name("other")) == "[allowlist] packages does not list other"


def test_the_rule_that_asks_for_a_release() -> None:
    rules = (ReleaseRule(project=FOO, specifier="<1"), ReleaseRule(project=FOO, specifier=">=2,<3"))
    selector = policy(allowed_projects=frozenset({FOO, BAR}), allowed_releases=rules)

    def rule(project: NormalizedName, filename: str) -> str | None:
        root = selector.admitted_by(project, RemoteFile(filename=filename, url=""))
        return None if root is None else root.rule

    assert rule(FOO, "foo-0.9.tar.gz") == "foo<1"
    assert rule(FOO, "foo-2.1.tar.gz") == "foo>=2,<3"
    assert rule(FOO, "foo-1.5.tar.gz") is None
    assert rule(FOO, "foo.zip") is None
    assert rule(BAR, "bar-0.9.tar.gz") is None
    assert policy().admitted_by(FOO, RemoteFile(filename="foo-1.tar.gz", url="")) is None


NAMES = st.text(max_size=12) | st.sampled_from(
    [
        "foo-1.0-cp312-cp312-win32.whl",
        "foo-1.0.tar.gz",
        "foo-1.0-py2.7.egg",
        "-.whl",
        "a-b-c-d-e.whl",
        ".exe",
        "",
    ]
)


@given(st.lists(NAMES, max_size=8))
def test_every_file_is_on_one_side_in_the_pages_order(filenames: list[str]) -> None:
    selector = policy(environments=(LINUX,), blocked_platforms=("windows", "py2.7"), exclude_filename="x")
    whole = page(*filenames)

    decision = selector.decide(whole)

    dropped = [d.file for d in decision.dropped]
    assert [f for f in whole.files if f in decision.kept] == list(decision.kept)
    assert sorted([*decision.kept, *dropped], key=repr) == sorted(whole.files, key=repr)
    assert selector.decide(whole) == decision


ASKED = Demand(project=FOO, specifier="<1", place="requirements.txt:3")
OLDER = ReleaseRule(project=FOO, specifier="<1")


@pytest.mark.parametrize(
    ("rule", "setting"),
    [
        (AllowedPackages(packages=(OLDER,)), "[allowlist] packages"),
        (AllowedPackages(requirements=("r.txt",), demands=(ASKED,)), "[allowlist] requirements"),
        (
            AllowedPackages(packages=(OLDER,), requirements=("r.txt",), demands=(ASKED,)),
            "[allowlist] packages and [allowlist] requirements",
        ),
        (NewestReleases(keep_latest=1), "[releases] keep-latest"),
        (
            NewestReleases(keep_latest_package=(KeptOfProject(project=FOO, number=1),)),
            "[releases] keep-latest-package",
        ),
    ],
)
def test_of_a_filter_with_several_options_the_one_is_named_that_decides(rule: Filter, setting: str) -> None:
    found = Policy(rule).refusals(page("foo-2.0-py3-none-any.whl", "foo-3.0-py3-none-any.whl"))
    [refusal] = found["foo-2.0-py3-none-any.whl"]
    assert refusal.setting == setting
    assert setting in refusal.reason
