"""The filters composed."""

from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.filters import Decision, DroppedFile, build_selector
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.settings.environments import parse_environment
from pypi_mirror.settings.values import ReleaseRule, Selection

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
    selector = build_selector(Selection())
    whole = page("foo-1.0.tar.gz", "foo-1.0-cp312-cp312-win_amd64.whl", "garbage", "foo.exe")

    assert selector.why_not(FOO) is None
    assert selector.decide(whole) == Decision(kept=whole.files, dropped=())


def test_the_seeds_filter_leaves_out_windows_and_macos() -> None:
    selector = build_selector(Selection(exclude_filename=SEED))

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
    selector = build_selector(Selection(exclude_filename="^foo-2"))

    assert kept(selector.decide(page("foo-1.0.zip", "foo-2.0.zip", "Foo-2.0.zip", "x-foo-2.zip"))) == [
        "foo-1.0.zip",
        "Foo-2.0.zip",
        "x-foo-2.zip",
    ]


def test_projects() -> None:
    everything = build_selector(Selection(blocked_projects=frozenset({FOO})))
    some = build_selector(
        Selection(allowed_projects=frozenset({FOO, BAR}), blocked_projects=frozenset({BAR}))
    )

    assert everything.why_not(BAR) is None
    assert everything.why_not(FOO) == "[blocklist] packages has foo"
    assert some.why_not(FOO) is None
    assert some.why_not(BAR) == "[blocklist] packages has bar"
    assert some.why_not(canonicalize_name("other")) == "[allowlist] packages does not have other"


def test_no_file_of_an_unselected_project_is_mirrored() -> None:
    selector = build_selector(Selection(blocked_projects=frozenset({FOO})))
    whole = page("foo-1.0.tar.gz")

    assert selector.decide(whole) == Decision(
        kept=(), dropped=(DroppedFile(file=whole.files[0], reason="[blocklist] packages has foo"),)
    )


def test_rules_add_up_and_each_can_drop() -> None:
    selector = build_selector(
        Selection(
            allowed_releases=(ReleaseRule(project=FOO, specifier=">=1"),),
            blocked_releases=(ReleaseRule(project=FOO, specifier="==1.5"),),
            blocked_platforms=("py2.7",),
            environments=(LINUX,),
            exclude_filename="debug",
        )
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


def test_explaining_names_everything_that_speaks_against_a_file() -> None:
    selector = build_selector(
        Selection(blocked_projects=frozenset({FOO}), exclude_filename=SEED, blocked_platforms=("windows",))
    )
    wheel = RemoteFile(filename="bar-1.0-cp312-cp312-win32.whl", url="")

    assert selector.explain(BAR, RemoteFile(filename="bar-1.0.zip", url="")) == (
        "bar-1.0.zip is mirrored: no filter drops it."
    )
    explained = selector.explain(FOO, wheel)
    assert explained.startswith(
        "bar-1.0-cp312-cp312-win32.whl is not mirrored: [blocklist] packages has foo; "
    )
    assert "exclude-filename" in explained
    assert "[blocklist] platforms has windows" in explained


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
    selector = build_selector(
        Selection(environments=(LINUX,), blocked_platforms=("windows", "py2.7"), exclude_filename="x")
    )
    whole = page(*filenames)

    decision = selector.decide(whole)

    dropped = [d.file for d in decision.dropped]
    assert [f for f in whole.files if f in decision.kept] == list(decision.kept)
    assert sorted([*decision.kept, *dropped], key=repr) == sorted(whole.files, key=repr)
    assert selector.decide(whole) == decision
