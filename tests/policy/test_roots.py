"""What the allowlist wants: packages and the demands of files, as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from pypi_mirror.demands import Demand
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.environments import Environment, parse_environment
from pypi_mirror.options.packages import parse_blocked_package, parse_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.allowlist_source_archives import LockedSourceArchives
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames

FOO, BAR = canonicalize_name("foo"), canonicalize_name("bar")
LINUX = parse_environment("linux x86_64, CPython 3.11 to 3.12, glibc 2.28")
LOCK = "/etc/uv.lock"
LINUX_WHEEL = "foo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
ABI3_WHEEL = "foo-1.0-cp38-abi3-manylinux_2_28_x86_64.whl"
WINDOWS_WHEEL = "foo-1.0-cp311-cp311-win_amd64.whl"
ANY_WHEEL = "foo-1.0-py3-none-any.whl"
SDIST = "foo-1.0.tar.gz"


def file(filename: str, **changes: object) -> RemoteFile:
    made = RemoteFile(filename=filename, url="", hashes=(("sha256", digest(filename)),))
    return replace(made, **changes)  # type: ignore[arg-type]


def digest(filename: str) -> str:
    return f"{abs(hash(filename)):064x}"


def asks(project: str = "foo", specifier: str = "", *files: str, place: str = LOCK) -> Demand:
    return Demand(
        project=canonicalize_name(project),
        specifier=specifier,
        hashes=tuple(f"sha256:{digest(each)}" for each in files),
        place=place,
    )


def made(
    *demands: Demand,
    packages: tuple[str, ...] = (),
    environments: tuple[Environment, ...] = (),
    **changes: object,
) -> Policy:
    allowed = AllowedPackages(
        packages=tuple(map(parse_package, packages)),
        requirements=("uv.lock",) if demands else (),
        demands=demands or None,
        **changes,  # type: ignore[arg-type]
    )
    return Policy(
        allowed, LockedSourceArchives(allowed=allowed), ServedEnvironments(environments=environments)
    )


def kept(policy: Policy, *files: RemoteFile | str) -> list[str]:
    page = ProjectPage(
        name=FOO,
        serial=1,
        etag=None,
        files=tuple(file(each) if isinstance(each, str) else each for each in files),
    )
    return [each.filename for each in policy.decide(page).kept]


def test_projects_of_all_sources() -> None:
    policy = made(asks("foo"), packages=("bar",))
    assert policy.named_projects == {FOO, BAR}
    assert policy.reason_for(FOO) == "/etc/uv.lock asks for foo"
    assert policy.reason_for(BAR) == "[allowlist] packages lists bar"
    other = canonicalize_name("other")
    assert policy.rejection_reason(other) == (
        "no file of [allowlist] requirements asks for other, and [allowlist] packages does not list it"
    )
    assert made(asks("foo")).rejection_reason(other) == "no file of [allowlist] requirements asks for other"


def test_files_that_nobody_read_admit_nothing_by_mistake() -> None:
    """Rather an error than all of upstream."""
    policy = Policy(AllowedPackages(requirements=("uv.lock",)))
    with pytest.raises(ValueError, match="were not read"):
        policy.rejection_reason(FOO)
    assert list(policy.sentences()) == ["Only chosen projects: those that 1 list of files name."]


@pytest.mark.parametrize(
    ("packages", "specifiers", "expected"),
    [
        ((), ["==1.0"], ["foo-1.0.tar.gz"]),
        ((), ["==1.0", ">=3"], ["foo-1.0.tar.gz", "foo-3.0.tar.gz"]),
        (("foo>=3",), ["==1.0"], ["foo-1.0.tar.gz", "foo-3.0.tar.gz"]),
        (("foo",), ["==1.0"], ["foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-3.0.tar.gz"]),
        ((), ["==1.0", ""], ["foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-3.0.tar.gz"]),
    ],
)
def test_specifiers_add_up(packages: tuple[str, ...], specifiers: list[str], expected: list[str]) -> None:
    policy = made(*(asks("foo", each) for each in specifiers), packages=packages)
    assert kept(policy, "foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-3.0.tar.gz") == expected


def test_names_with_all_releases_as_bandersnatch_reads_them() -> None:
    policy = made(asks("foo", "==1.0", "other"), requirements_releases="all")
    assert kept(policy, SDIST, "foo-2.0.tar.gz") == [SDIST, "foo-2.0.tar.gz"]


def test_digests_choose_files() -> None:
    policy = made(asks("foo", "==1.0", LINUX_WHEEL))
    assert kept(policy, LINUX_WHEEL, WINDOWS_WHEEL, SDIST, "foo-2.0.tar.gz") == [LINUX_WHEEL]
    page = ProjectPage(name=FOO, serial=1, etag=None, files=(file(SDIST), file("foo-2.0.tar.gz")))
    assert [each.reason for each in policy.decide(page).dropped] == [
        "/etc/uv.lock asks for other files of foo==1.0, by their digests",
        "no rule for foo in [allowlist] requirements admits version 2.0",
    ]
    root = policy.admitted_by(FOO, file(LINUX_WHEEL))
    assert root is not None
    assert (root.rule, root.by) == ("foo==1.0", LOCK)


def test_a_page_without_such_digests_is_decided_by_versions() -> None:
    policy = made(asks("foo", "==1.0", "other file"))
    assert kept(policy, file(SDIST, hashes=()), file("foo-2.0.tar.gz", hashes=())) == [SDIST]
    assert kept(policy, file(SDIST, hashes=(("md5", "1"),))) == [SDIST]


def test_files_of_two_locks_add_up() -> None:
    policy = made(asks("foo", "==1.0", LINUX_WHEEL), asks("foo", "==1.0", WINDOWS_WHEEL, place="b"))
    assert kept(policy, LINUX_WHEEL, WINDOWS_WHEEL, ANY_WHEEL) == [LINUX_WHEEL, WINDOWS_WHEEL]


@pytest.mark.parametrize(
    ("wheels", "environments", "is_kept"),
    [
        ([], (), True),
        ([LINUX_WHEEL], (), True),
        ([ANY_WHEEL], (), False),
        ([], (LINUX,), True),
        ([ANY_WHEEL], (LINUX,), False),
        ([ABI3_WHEEL], (LINUX,), False),
        # Python 3.12 has none.
        ([LINUX_WHEEL], (LINUX,), True),
        ([LINUX_WHEEL], (replace(LINUX, pythons=((3, 11),)),), False),
        ([WINDOWS_WHEEL], (LINUX,), True),
    ],
)
def test_a_source_archive_is_kept_where_only_it_will_do(
    wheels: list[str], environments: tuple[Environment, ...], is_kept: bool
) -> None:
    policy = made(asks("foo", "==1.0", SDIST, *wheels), environments=environments)
    assert (SDIST in kept(policy, *wheels, SDIST)) is is_kept
    # Somebody asks for all of the release.
    both = made(asks("foo", "==1.0", SDIST, *wheels), asks("foo", "==1.0"), environments=environments)
    assert SDIST in kept(both, *wheels, SDIST)


def test_a_source_archive_that_no_served_python_takes_is_not_needed() -> None:
    policy = made(asks("foo", "==1.0", SDIST, LINUX_WHEEL), environments=(LINUX,))
    for_311 = {"requires_python": "<3.12"}
    assert kept(policy, file(LINUX_WHEEL, **for_311), file(SDIST, **for_311)) == [LINUX_WHEEL]
    assert kept(policy, file(LINUX_WHEEL, requires_python="<3.11.1"), file(SDIST, requires_python=">=?")) == [
        LINUX_WHEEL,
        SDIST,
    ]


def test_a_wheel_that_another_filter_leaves_out_makes_the_archive_needed() -> None:
    allowed = AllowedPackages(requirements=("a",), demands=(asks("foo", "==1.0", SDIST, ANY_WHEEL),))
    policy = Policy(
        allowed, LockedSourceArchives(allowed=allowed), ExcludedFilenames(exclude_filename="none-any")
    )
    assert kept(policy, ANY_WHEEL, SDIST) == [SDIST]


SPECIFIERS = st.sampled_from(["", "==1.0", ">=2", "<2", "!=2.0", "~=1.0", ">=1,<3"])
VERSIONS = ["0.9", "1.0", "1.5", "2.0", "2.0rc1", "3.1"]


@given(st.lists(SPECIFIERS, min_size=1, max_size=3), st.lists(SPECIFIERS, max_size=2))
def test_what_is_kept_is_the_union(demanded: list[str], listed: list[str]) -> None:
    policy = made(*(asks("foo", each) for each in demanded), packages=tuple(f"foo{each}" for each in listed))
    admitted = {
        version
        for version in VERSIONS
        for each in (*demanded, *listed)
        if SpecifierSet(each, prereleases=True).contains(version)
    }
    names = [f"foo-{version}.tar.gz" for version in VERSIONS]
    assert kept(policy, *names) == [name for name in names if name[4:-7] in admitted]


NAMES = st.sampled_from([LINUX_WHEEL, ABI3_WHEEL, WINDOWS_WHEEL, ANY_WHEEL, SDIST, "foo-2.0.tar.gz"])


@given(st.sets(NAMES), st.sets(NAMES, min_size=1), st.sampled_from([(), (LINUX,)]))
def test_locked_files_are_kept_but_for_archives_that_wheels_stand_for(
    on_page: set[str], locked: set[str], environments: tuple[Environment, ...]
) -> None:
    policy = made(asks("foo", "==1.0", *sorted(locked)), environments=environments)
    found = set(kept(policy, *sorted(on_page)))
    assert found <= on_page & locked
    of_others = {WINDOWS_WHEEL} if environments else set()
    assert on_page & locked - found <= {SDIST} | of_others
    if SDIST in on_page & locked:
        assert SDIST in found or found & {ANY_WHEEL, ABI3_WHEEL}


def listed(*lines: str, blocked: tuple[str, ...] = (), environments: tuple[Environment, ...] = ()) -> Policy:
    return Policy(
        AllowedPackages(packages=tuple(map(parse_package, lines))),
        BlockedPackages(packages=tuple(map(parse_blocked_package, blocked))),
        ServedEnvironments(environments=environments),
    )


def test_patterns_of_names() -> None:
    policy = listed("foo*", "bar>=2", blocked=("foo-test-*", "fo?<2"))
    names = ["foo", "foobar", "foo-test-a", "foo-test", "bar", "afoo"]
    selected = [name for name in names if policy.rejection_reason(canonicalize_name(name)) is None]
    assert selected == ["foo", "foobar", "foo-test", "bar"]
    assert policy.reason_for(canonicalize_name("foobar")) == "[allowlist] packages lists foo*"
    assert policy.reason_for(canonicalize_name("foo-test-a")) == "[blocklist] packages lists foo-test-*"
    assert policy.named_projects == {BAR}
    assert kept(policy, "foo-1.0.tar.gz", "foo-2.0.tar.gz") == ["foo-2.0.tar.gz"]
    assert next(iter(policy.sentences())) == "Only chosen projects: bar, foo*."


def test_versions_of_patterns_add_up_with_those_of_names() -> None:
    names = ("foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-3.0.tar.gz")
    assert kept(listed("fo*>=3", "foo==1.0"), *names) == [names[0], names[2]]
    assert kept(listed("fo*>=3", "foo"), *names) == list(names)


def test_a_line_with_a_marker_counts_where_a_machine_needs_it() -> None:
    lines = ("foo; sys_platform == 'win32'", "bar[extra]; sys_platform == 'linux'")
    assert listed(*lines).named_projects == {FOO, BAR}
    assert listed(*lines, environments=(LINUX,)).named_projects == {BAR}
    nothing = listed(lines[0], environments=(LINUX,))
    assert nothing.rejection_reason(FOO) == "[allowlist] packages does not list foo"
