"""Small indexes on which a simpler rule would lose a solution, or keep what none needs."""

from dataclasses import dataclass, field

import pytest

from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from tests.dependencies.closure import LINUX, Index, following
from tests.warehouse import Event, Sdist, Upload, Wheel, Yank


def wheel(name: str, version: str = "1.0", *requires: str, **fields: object) -> Upload:
    made = Wheel(name=name, version=version, requires_dist=requires, **fields)  # type: ignore[arg-type]
    return Upload(distribution=made)


def yanked(name: str, version: str, *requires: str) -> tuple[Event, Event]:
    return wheel(name, version, *requires), Yank(project=name, version=version)


WINDOWS = "cp312-cp312-win_amd64"
GLIBC = "manylinux_2_28_x86_64"
ANY = {"markers": "any"}
NECESSARY = {"prerelease": "if-necessary"}


@dataclass(frozen=True, kw_only=True)
class Example:
    """``kept`` are the versions of each project but ``app`` that the mirror has."""

    index: tuple[Event, ...]
    kept: dict[str, list[str]]
    roots: tuple[str, ...] = ("app",)
    environments: tuple[str, ...] = (LINUX,)
    options: dict[str, str] = field(default_factory=dict)
    latest: int | None = None

    @property
    def policy(self) -> Policy:
        policy = following(*self.roots, environments=self.environments, **self.options)
        return Policy(*policy.filters, NewestReleases(keep_latest=self.latest))


PRE_RELEASES = {
    "a final that no requirement admits is the witness: uv would take 2.0rc1 without being asked": Example(
        index=(wheel("app", "1.0", "lib>=1.5"), wheel("lib", "1.0", "deep"), wheel("lib", "2.0rc1")),
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
    "a yanked final is a witness": Example(
        index=(wheel("app", "1.0", "lib>1"), *yanked("lib", "1.0", "deep"), wheel("lib", "2.0rc1")),
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
    "a final of other machines is a witness": Example(
        index=(wheel("app", "1.0", "lib"), wheel("lib", "1.0", tags=WINDOWS), wheel("lib", "2.0rc1")),
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
    "a final for later Pythons is a witness": Example(
        index=(
            wheel("app", "1.0", "lib"),
            wheel("lib", "1.0", "deep", requires_python=">=3.13"),
            wheel("lib", "2.0rc1"),
        ),
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
    "the newest final is witness enough": Example(
        index=(
            wheel("app", "1.0", "lib>=2.0rc1"),
            *(wheel("lib", version) for version in ("0.9", "1.0", "2.0rc1", "3.0rc1")),
        ),
        kept={"lib": ["1.0", "2.0rc1", "3.0rc1"]},
    ),
    "a root needs its witness too": Example(
        index=(wheel("app", "1.0", tags=WINDOWS), wheel("app", "2.0rc1", "lib"), wheel("lib")),
        kept={"lib": ["1.0"]},
    ),
    "where no final is upstream, none is needed": Example(
        index=(wheel("app", "1.0", "lib"), wheel("lib", "1.0a1"), wheel("lib", "1.0rc1")),
        kept={"lib": ["1.0a1", "1.0rc1"]},
    ),
    "each requirement admits pre-releases, whatever finals others admit": Example(
        index=(
            wheel("app", "1.0", "lib>=1", "web"),
            wheel("web", "1.0", "lib!=1.0"),
            wheel("lib", "1.0"),
            wheel("lib", "2.0b1", "deep"),
            wheel("deep"),
        ),
        kept={"deep": ["1.0"], "lib": ["1.0", "2.0b1"], "web": ["1.0"]},
    ),
    "a yanked final hides pre-releases from pip, so it stays beside them": Example(
        index=(
            wheel("app", "1.0", "lib>=1", "lib!=1.0"),
            wheel("lib", "1.0"),
            *yanked("lib", "1.5", "deep"),
            *yanked("lib", "0.5"),
            wheel("lib", "2.0b1"),
        ),
        kept={"lib": ["0.5", "1.0", "1.5", "2.0b1"]},
    ),
    "without pre-releases a yanked final goes": Example(
        index=(wheel("app", "1.0", "lib>=1"), wheel("lib", "1.0"), *yanked("lib", "1.5")),
        kept={"lib": ["1.0"]},
    ),
}
NEEDED = {
    "a pre-release that nobody needs is left out, with what it requires": Example(
        index=(
            wheel("app", "1.0", "lib>=1"),
            wheel("lib", "1.0"),
            wheel("lib", "2.0rc1", "deep"),
            wheel("deep"),
        ),
        options=NECESSARY,
        kept={"lib": ["1.0"]},
    ),
    "a requirement that names one admits others": Example(
        index=(
            wheel("app", "1.0", "lib>=2.0rc1"),
            *(wheel("lib", version) for version in ("2.0b1", "2.0rc1", "2.0", "2.1rc1")),
        ),
        options=NECESSARY,
        kept={"lib": ["2.0rc1", "2.0", "2.1rc1"]},
    ),
    "one that is excluded is not named": Example(
        index=(
            wheel("app", "1.0", "lib!=2.0rc1"),
            *(wheel("lib", version) for version in ("1.0", "2.0rc1", "2.0rc2")),
        ),
        options=NECESSARY,
        kept={"lib": ["1.0"]},
    ),
    "pre-releases are needed where requirements together admit no final": Example(
        index=(
            wheel("app", "1.0", "lib>=1", "web"),
            wheel("web", "1.0", "lib!=1.0"),
            *(wheel("lib", version) for version in ("0.9", "1.0", "2.0b1")),
        ),
        options=NECESSARY,
        kept={"lib": ["0.9", "1.0", "2.0b1"], "web": ["1.0"]},
    ),
    "and where there is no final for a machine": Example(
        index=(wheel("app", "1.0", "lib"), wheel("lib", "1.0", tags=WINDOWS), wheel("lib", "2.0rc1")),
        options=NECESSARY,
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
    "for pip, an end of Requires-Python keeps a final out": Example(
        index=(
            wheel("app", "1.0", "lib"),
            wheel("lib", "1.0", requires_python="<3.12"),
            wheel("lib", "2.0rc1"),
        ),
        options=NECESSARY,
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
    "those of the allowlist stay": Example(
        roots=("app", "lib"),
        index=(wheel("app", "1.0", "lib>=1"), wheel("lib", "1.0"), wheel("lib", "2.0rc1")),
        options=NECESSARY,
        kept={"lib": ["1.0", "2.0rc1"]},
    ),
}
MACHINES = {
    "requirements of other machines are cut, also from locks for all platforms": Example(
        index=(wheel("app", "1.0", "win; sys_platform == 'win32'", "lib"), wheel("win"), wheel("lib")),
        kept={"lib": ["1.0"]},
    ),
    "without environments every marker counts": Example(
        index=(
            wheel(
                "app",
                "1.0",
                "win; sys_platform == 'win32'",
                "two; python_version < '3'",
                "both; sys_platform == 'win32' and sys_platform == 'darwin'",
                "never; extra == 'never'",
                "late",
            ),
            *(wheel(name) for name in ("win", "two", "both", "never")),
            wheel("late", "1.0", requires_python=">=4"),
            wheel("late", "2.0", requires_python="<2"),
        ),
        environments=(),
        kept={"both": ["1.0"], "late": ["1.0", "2.0"], "two": ["1.0"], "win": ["1.0"]},
    ),
    "a requirement counts on the machines it was found on": Example(
        index=(
            wheel("app", "1.0", "lib; python_version < '3.12'"),
            wheel("lib", "1.0", "old; python_version < '3.12'", "new; python_version >= '3.12'"),
            wheel("lib", "1.1", tags="cp312-cp312-manylinux_2_28_x86_64"),
            wheel("lib", "1.2", tags="cp311-cp311-manylinux_2_28_x86_64"),
            wheel("old"),
            wheel("new"),
        ),
        kept={"lib": ["1.0", "1.2"], "old": ["1.0"]},
    ),
    "what cannot be known counts as true": Example(
        index=(
            wheel("app", "1.0", "a; python_full_version >= '3.11.4'", "b; platform_release == '6.1'"),
            wheel("a"),
            wheel("b"),
        ),
        kept={"a": ["1.0"], "b": ["1.0"]},
    ),
    "releases of Python 2 require nothing here": Example(
        index=(
            wheel("app", "1.0", "lib", "enum; python_version < '3.4'"),
            wheel("lib", "1.0", "two", tags="py2-none-any"),
            wheel("lib", "2.0", "later", requires_python=">=3.13"),
            wheel("lib", "3.0"),
            *(wheel(name) for name in ("two", "later", "enum")),
        ),
        kept={"lib": ["3.0"]},
    ),
    "an end of Requires-Python keeps nothing out, for uv ignores it": Example(
        index=(
            wheel("app", "1.0", "lib"),
            wheel("lib", "1.0", "deep", requires_python=">=2.7,<3"),
            wheel("lib", "2.0", requires_python="~=3.8.0"),
            wheel("lib", "3.0", requires_python="==3.13.*"),
            wheel("deep"),
        ),
        kept={"deep": ["1.0"], "lib": ["1.0", "2.0"]},
    ),
    "wheels of a release may differ in what they require": Example(
        index=(
            wheel("app", "1.0", "a", tags="cp311-cp311-manylinux_2_28_x86_64"),
            wheel("app", "1.0", "b", tags="cp312-cp312-manylinux_2_28_x86_64"),
            wheel("app", "1.0", "c", tags=WINDOWS),
            *(wheel(name) for name in "abc"),
        ),
        kept={"a": ["1.0"], "b": ["1.0"]},
    ),
}
FOREIGN = {
    "requirements of other machines count": Example(
        index=(
            wheel("app", "1.0", "win; sys_platform == 'win32'", "old; python_version < '3.9'"),
            wheel("win", "1.0", "deep", tags=WINDOWS),
            wheel("old", "1.0", requires_python="<3.9"),
            wheel("deep"),
        ),
        options=ANY,
        kept={"deep": ["1.0"], "old": ["1.0"], "win": ["1.0"]},
    ),
    "a release is seen that no environment can install": Example(
        index=(
            wheel("app", "1.0", "lib"),
            wheel("lib", "1.0"),
            wheel("lib", "2.0", "deep", tags=WINDOWS),
            wheel("deep"),
        ),
        options=ANY,
        kept={"deep": ["1.0"], "lib": ["1.0", "2.0"]},
    ),
    "a release for later Pythons is seen": Example(
        index=(
            wheel("app", "1.0", "lib"),
            wheel("lib", "1.0"),
            wheel("lib", "2.0", requires_python=">=3.14"),
        ),
        options=ANY,
        kept={"lib": ["1.0", "2.0"]},
    ),
    "a root is seen by those releases, too": Example(
        index=(wheel("app", "1.0"), wheel("app", "2.0", "lib", tags=WINDOWS), wheel("lib")),
        options=ANY,
        kept={"lib": ["1.0"]},
    ),
    "a root of other machines counts": Example(
        roots=("app", "win; sys_platform == 'win32'"),
        index=(wheel("app"), wheel("win", "1.0", "lib", tags=WINDOWS), wheel("lib")),
        options=ANY,
        kept={"lib": ["1.0"], "win": ["1.0"]},
    ),
    "the newest releases are also counted for other machines": Example(
        index=(
            wheel("app", "1.0", "lib"),
            *(wheel("lib", version, tags=WINDOWS) for version in ("3.0", "4.0")),
            *(wheel("lib", version) for version in ("1.0", "2.0")),
        ),
        options=ANY,
        latest=1,
        kept={"lib": ["2.0", "4.0"]},
    ),
}
EXTRAS = {
    "an extra can be made of others of the same release": Example(
        roots=("app[All]",),
        index=(
            wheel("app", "1.0", "App[a,b]; extra == 'all'", "x; extra == 'a'", "y; extra == 'B'"),
            wheel("app", "2.0", "app[a]; extra == 'all'", "x; extra == 'a'", "z; extra == 'b'"),
            *(wheel(name) for name in "xyz"),
        ),
        kept={"x": ["1.0"], "y": ["1.0"]},
    ),
    "and these of others, on some machines": Example(
        roots=("app[all]",),
        index=(
            wheel(
                "app",
                "1.0",
                "app[a]; extra == 'all' and python_version < '3.12'",
                "app[b]; extra == 'a'",
                "x; extra == 'b' and python_version >= '3.12'",
                "y; extra == 'b'",
            ),
            wheel("x"),
            wheel("y"),
        ),
        kept={"y": ["1.0"]},
    ),
    "extras of a requirement are those of the releases that it admits": Example(
        index=(
            wheel("app", "1.0", "lib[Fast_IO]>=2", "lib<2"),
            wheel("lib", "1.0", "old; extra == 'fast-io'"),
            wheel("lib", "2.0", "new; extra == 'fast.io'"),
            wheel("old"),
            wheel("new"),
        ),
        kept={"lib": ["1.0", "2.0"], "new": ["1.0"]},
    ),
    "an extra that is off counts against a marker": Example(
        index=(wheel("app", "1.0", "a; extra != 'x'", "b; extra == 'x'"), wheel("a"), wheel("b")),
        kept={"a": ["1.0"]},
    ),
    "all extras where the file says so": Example(
        index=(
            wheel("app", "1.0", "a; extra == 'x'", "lib"),
            wheel("lib", "1.0", "b; extra == 'y'"),
            wheel("a"),
            wheel("b"),
        ),
        options={"extras": "all"},
        kept={"a": ["1.0"], "b": ["1.0"], "lib": ["1.0"]},
    ),
    "default extras count where nobody asks": Example(
        index=(
            wheel("app", "1.0", "a; extra == 'x'", extra=(("Default-Extra", "x"),)),
            wheel("a"),
        ),
        kept={"a": ["1.0"]},
    ),
}
SPECIFIERS = {
    "what cannot be read admits every version": Example(
        index=(
            wheel("app", "1.0", "lib>=1.*", "odd>dev"),
            wheel("lib", "0.1"),
            wheel("lib", "2.0"),
            wheel("odd"),
        ),
        kept={"lib": ["0.1", "2.0"], "odd": ["1.0"]},
    ),
    "a yanked release comes where it is pinned": Example(
        index=(
            wheel("app", "1.0", "a==1.0", "b===1.0", "c==1.0,!=1.1", "d==1.*", "e>=1.0,<=1.0"),
            *(event for name in "abcde" for event in yanked(name, "1.0")),
        ),
        kept={"a": ["1.0"], "b": ["1.0"], "c": ["1.0"], "d": [], "e": []},
    ),
    "local versions are builds of the release that is pinned": Example(
        index=(
            wheel("app", "1.0", "lib==1.0"),
            *(wheel("lib", version) for version in ("1.0", "1.0+cpu", "1.0.post1", "1!1.0")),
        ),
        kept={"lib": ["1.0", "1.0+cpu"]},
    ),
    "epochs come after all": Example(
        index=(
            wheel("app", "1.0", "lib>2024"),
            *(wheel("lib", version) for version in ("2023.1", "2024.1", "1!0.1")),
        ),
        kept={"lib": ["2024.1", "1!0.1"]},
    ),
    "requirements that contradict each other keep what each admits": Example(
        index=(wheel("app", "1.0", "lib<2", "lib>=2"), wheel("lib", "1.0"), wheel("lib", "2.0")),
        kept={"lib": ["1.0", "2.0"]},
    ),
}
GRAPHS = {
    "cycles end": Example(
        index=(
            wheel("app", "1.0", "a"),
            wheel("a", "1.0", "b"),
            wheel("b", "1.0", "c[x]"),
            wheel("c", "1.0", "a<2", "app>=1", "b; extra == 'x'"),
        ),
        kept={"a": ["1.0"], "b": ["1.0"], "c": ["1.0"]},
    ),
    "what is required of a root adds to it": Example(
        roots=("app", "lib<2"),
        index=(
            wheel("app", "1.0", "lib>=2"),
            wheel("lib", "1.0"),
            wheel("lib", "2.0", "deep"),
            wheel("deep"),
        ),
        kept={"deep": ["1.0"], "lib": ["1.0", "2.0"]},
    ),
    "a source archive says what its building cannot change": Example(
        index=(
            Upload(
                distribution=Sdist(name="app", version="1.0", requires_dist=("a",), metadata_version="2.2")
            ),
            Upload(distribution=Sdist(name="app", version="2.0", requires_dist=("b",))),
            wheel("a"),
            wheel("b"),
        ),
        kept={"a": ["1.0"]},
    ),
}
EXAMPLES = PRE_RELEASES | NEEDED | MACHINES | FOREIGN | EXTRAS | SPECIFIERS | GRAPHS


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_what_is_kept(example: Example) -> None:
    found = Index(*example.index).versions(example.policy)
    assert {name: each for name, each in found.items() if name != "app"} == example.kept


def test_one_file_is_enough_of_a_release_that_others_alone_require() -> None:
    tags = ("py2-none-any", WINDOWS, f"cp312-cp312-{GLIBC}", "cp27-cp27m-win_amd64")
    # The smallest of them does.
    wheels = (Wheel(name="lib", tags=each, size=0 if GLIBC in each else 5_000) for each in tags)
    index = Index(
        wheel("app", "1.0", "lib; sys_platform == 'win32'"),
        *(Upload(distribution=each) for each in wheels),
    )
    assert index.kept(following("app", markers="any"))["lib"] == [f"lib-1.0-cp312-cp312-{GLIBC}.whl"]
