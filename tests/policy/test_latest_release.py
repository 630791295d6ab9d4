"""``[latest_release]``: the newest releases alone."""

from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy import Context, Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.filter_prerelease import ExcludedPrereleases
from pypi_mirror.policy.filters.latest_release import LatestReleases

FOO = canonicalize_name("foo")
TIMES = st.integers(1, 28).map(lambda day: f"2026-02-{day:02}T10:00:00Z")
VERSIONS = st.sampled_from(["0.9", "1.0", "1.1a1", "1.1", "2.0rc1", "2.0.dev1", "10.0", "custom", "1.0.0"])


def sdist(version: str, day: int = 1, *, yanked: bool = False) -> RemoteFile:
    return RemoteFile(
        filename=f"foo-{version}.tar.gz",
        url="",
        upload_time=f"2026-02-{day:02}T10:00:00Z",
        yanked="" if yanked else None,
    )


def kept(rule: LatestReleases, *files: RemoteFile) -> list[str]:
    left_out = rule.reject_files(FOO, files, Context())
    return [
        file.filename.removeprefix("foo-").removesuffix(".tar.gz")
        for file in files
        if file.filename not in left_out
    ]


def test_the_highest_versions_are_kept_and_the_rest_says_why() -> None:
    rule = LatestReleases(keep=2)

    assert kept(rule, sdist("1.9"), sdist("1.10"), sdist("0.1"), sdist("odd-one")) == ["1.9", "1.10"]
    assert rule.reject_files(FOO, [sdist("1"), sdist("2"), sdist("3"), sdist("odd-one")], Context()) == {
        "foo-1.tar.gz": "[latest_release] keep = 2 keeps the newest 2 releases, this one is older",
        "foo-odd-one.tar.gz": (
            "[latest_release] keep = 2 keeps the newest 2 releases, this one is of no version of PEP 440"
        ),
    }


def test_what_clients_install_is_kept_in_place_of_the_oldest() -> None:
    files = sdist("1.0"), sdist("1.1"), sdist("2.0a1"), sdist("2.0a2")

    assert kept(LatestReleases(keep=1), *files) == ["1.1"]
    assert kept(LatestReleases(keep=2), *files) == ["1.1", "2.0a2"]
    assert kept(LatestReleases(keep=1), sdist("1.0"), sdist("1.1", yanked=True)) == ["1.0"]
    assert kept(LatestReleases(keep=1), sdist("2.0a1"), sdist("2.0a2")) == ["2.0a2"]


def test_by_time_the_uploads_count() -> None:
    rule = LatestReleases(keep=2, sort_by="time")
    # A security release of an old branch came last.
    files = sdist("1.0", 1), sdist("2.0", 2), sdist("3.0", 3), sdist("1.0.1", 4)

    assert kept(rule, *files) == ["3.0", "1.0.1"]
    assert kept(LatestReleases(keep=1, sort_by="time"), *files) == ["3.0"]
    # Files that came later, wheels of a new Python, make a release no newer.
    late = RemoteFile(filename="foo-1.0-cp314-cp314-win32.whl", url="", upload_time="2026-03-01T10:00:00.5Z")
    assert kept(rule, *files, late) == ["3.0", "1.0.1"]
    without = RemoteFile(filename="foo-9.tar.gz", url="")
    zoneless = RemoteFile(filename="foo-1.0.2.tar.gz", url="", upload_time="2026-02-05T10:00:00")
    assert kept(rule, *files, without, zoneless) == ["9", "1.0.2"]


def test_it_counts_what_other_filters_keep() -> None:
    policy = Policy(LatestReleases(keep=2), ExcludedPrereleases(packages=("*",)))
    page = ProjectPage(
        name=FOO, serial=1, etag=None, files=tuple(map(sdist, ("1", "2", "3", "4rc1", "4rc2", "4rc3")))
    )

    assert [file.filename for file in policy.decide(page).kept] == ["foo-2.tar.gz", "foo-3.tar.gz"]
    refusals = policy.refusals(page)
    assert [each.setting for each in refusals["foo-4rc1.tar.gz"]] == ["[filter_prerelease] packages"]
    assert [each.setting for each in refusals["foo-1.tar.gz"]] == ["[latest_release] keep"]


def test_a_release_that_the_allow_list_pins_is_kept_besides() -> None:
    rules = (ReleaseRule(project=FOO, specifier="==1"), ReleaseRule(project=FOO, specifier=">=2"))
    policy = Policy(AllowedPackages(packages=rules), LatestReleases(keep=1))
    files = tuple(map(sdist, ("1", "2", "3")))

    kept_files = policy.decide(ProjectPage(name=FOO, serial=1, etag=None, files=files)).kept
    assert kept_files == (files[0], files[2])


FILES = st.lists(
    st.builds(
        lambda version, ending, time, yanked: RemoteFile(
            filename=f"foo-{version}{ending}", url="", upload_time=time, yanked=yanked
        ),
        VERSIONS,
        st.sampled_from([".tar.gz", ".zip", "-py3-none-any.whl"]),
        TIMES | st.none(),
        st.none() | st.just(""),
    ),
    unique_by=lambda file: file.filename,
    max_size=12,
)


@given(FILES, st.integers(1, 5), st.sampled_from(["version", "time"]), st.randoms())
def test_so_many_releases_are_kept_whole_and_no_older_one(
    files: list[RemoteFile], number: int, sort_by: str, shuffle: object
) -> None:
    rule = LatestReleases(keep=number, sort_by=sort_by)  # type: ignore[arg-type]
    left_out = rule.reject_files(FOO, files, Context())
    rest = [file for file in files if file.filename not in left_out]

    def releases(some: list[RemoteFile]) -> set[str | Version]:
        names = (file.filename.removeprefix("foo-") for file in some)
        texts = {name.removesuffix(".tar.gz").removesuffix(".zip").partition("-py3")[0] for name in names}
        return {text if text.startswith("custom") else Version(text) for text in texts}

    counted = {each for each in releases(files) if sort_by == "time" or isinstance(each, Version)}
    assert len(releases(rest)) == min(number, len(counted))
    assert releases(rest).isdisjoint(releases([file for file in files if file.filename in left_out]))
    # What is kept does not depend on the order of the page, and is kept again.
    shuffle.shuffle(files)  # type: ignore[attr-defined]
    assert rule.reject_files(FOO, files, Context()).keys() == left_out.keys()
    assert rule.reject_files(FOO, rest, Context()) == {}
    if sort_by == "version" and releases(rest):
        older = {each for each in counted - releases(rest) if isinstance(each, Version)}
        newest = sorted(each for each in counted if isinstance(each, Version))[-number:]
        assert len(set(newest) - releases(rest)) <= 1
        assert not older or max(older) <= max(newest)
