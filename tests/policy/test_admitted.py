"""Many specifiers over many versions admit what ``packaging`` says of each."""

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.admitted import AdmittedReleases, Versions
from pypi_mirror.policy.demanded import ReleaseDemand, admits
from pypi_mirror.policy.releases import contains

LIB = canonicalize_name("lib")
RELEASES = st.lists(st.sampled_from([0, 0, 1, 2, 10]), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)
SUFFIXES = st.sampled_from(["", "", "a1", "rc2", ".post1", ".dev3", "rc1.post2", ".post1.dev4"])
VERSIONS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "1!"]),
    RELEASES,
    SUFFIXES,
    st.sampled_from(["", "", "", "+cpu", "+1.2"]),
)
CLAUSES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["==", "!=", ">=", "<=", ">", "<", "~=", "==="]),
    VERSIONS,
    st.sampled_from(["", "", "", ".*"]),
)


def valid(specifier: str) -> bool:
    try:
        SpecifierSet(specifier)
    except InvalidSpecifier:
        return False
    return True


SPECIFIERS = st.lists(CLAUSES, max_size=3).map(",".join).filter(valid)


@given(st.lists(VERSIONS, max_size=20), SPECIFIERS)
def test_each_specifier_admits_what_packaging_says(versions: list[str], specifier: str) -> None:
    found = Versions(versions)
    admitted = found.admitted(specifier)
    for version in versions:
        assert bool((found.bit(version) or 0) & admitted) == contains(specifier, version), version


@given(
    st.lists(st.tuples(st.one_of(VERSIONS, st.just("2004d")), st.booleans()), max_size=8),
    st.lists(
        st.builds(
            ReleaseDemand,
            st.one_of(SPECIFIERS, st.just("===2004d")),
            st.sampled_from(["", "x"]),
            st.integers(1, 3),
        ),
        max_size=8,
    ),
)
def test_a_file_meets_the_same_demands_one_by_one(
    releases: list[tuple[str, bool]], demands: list[ReleaseDemand]
) -> None:
    files = {
        version: RemoteFile(filename=f"lib-{version}.tar.gz", url="", yanked="" if is_yanked else None)
        for version, is_yanked in releases
    }
    found = AdmittedReleases(LIB, list(files.values()), demands)
    for version, file in files.items():
        expected = {
            (each.extra, each.machines)
            for each in demands
            if admits(each.specifier, version, is_yanked=file.yanked is not None)
        }
        assert set(found.of(file)) == expected
