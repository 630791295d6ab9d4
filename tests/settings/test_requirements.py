"""``[allowlist] requirements``: found, read, put into the policy; noticed when they change."""

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.settings.fingerprint import closure_fingerprint, page_fingerprint, selection_fingerprint
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.requirements import read_requirements, with_requirements
from pypi_mirror.settings.values import Settings

DIGEST = "sha256:" + "a" * 64


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "mirror.conf"
    path.write_text(f"[mirror]\ndirectory = {tmp_path}\nmaster = https://index.example\n{text}")
    return read_settings(path, {})


def allowlist(tmp_path: Path, text: str) -> Settings:
    return settings(tmp_path, f"[allowlist]\n{text}\n")


def projects(found: Settings) -> set[str]:
    return set(with_requirements(found).policy.of(AllowedPackages).projects)


def mistakes(found: Settings, key: str = "[allowlist] requirements") -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        with_requirements(found)
    assert {mistake.key for mistake in caught.value.mistakes} == {key}
    return [mistake.message for mistake in caught.value.mistakes]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_patterns_begin_at_mirror_conf(tmp_path: Path) -> None:
    write(tmp_path / "teams/a/requirements.txt", "foo\n")
    write(tmp_path / "teams/b/requirements.txt", "bar\n")
    write(tmp_path / "one.txt", "baz")
    found = allowlist(tmp_path, "packages = own\nrequirements =\n  teams/*/requirements.txt\n  one.txt")
    assert projects(found) == {"own", "foo", "bar", "baz"}


def test_requirements_path_as_bandersnatch_has_it(tmp_path: Path) -> None:
    write(tmp_path / "lists/a.txt", "foo")
    write(tmp_path / "lists/b.txt", "bar")
    assert projects(allowlist(tmp_path, "requirements_path = lists\nrequirements = *.txt")) == {"foo", "bar"}
    absolute = allowlist(tmp_path, f"requirements = {tmp_path}/lists/[a].txt")
    assert projects(absolute) == {"foo"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("requirments.txt", "requirments.txt: cannot be read (No such file or directory); correct the path"),
        ("teams/*.txt", "no file matches "),
        ("empty.txt", "empty.txt: names no project; fill the file, or remove the line"),
        ("paths.txt", "paths.txt: names nothing that a mirror serves (./here: it comes from a local path"),
        ("bad.txt", "bad.txt:2: 'foo bar' is not a requirement"),
        ("environment.yml", "environment.yml: its name is of no format that can be read"),
    ],
)
def test_a_typo_does_not_mirror_everything(line: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "empty.txt", "# nothing\n")
    write(tmp_path / "paths.txt", "./here")
    write(tmp_path / "bad.txt", "ok\nfoo bar")
    (found,) = mistakes(allowlist(tmp_path, f"requirements =\n  {line}"))
    assert message in found


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    write(tmp_path / "bad.txt", "foo bar\nfoo=>1")
    assert len(mistakes(allowlist(tmp_path, "requirements =\n  bad.txt\n  none.txt\n  *.lock"))) == 4


def test_an_empty_list_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the list is empty, which would select everything"):
        allowlist(tmp_path, "requirements =")


def test_markers_of_machines_that_are_not_served(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "foo\nbar; sys_platform == 'win32'")
    found = settings(
        tmp_path,
        "[allowlist]\nrequirements = a.txt\n"
        "[platform]\nenvironments = linux x86_64, CPython 3.12, glibc 2.28\n",
    )
    assert projects(found) == {"foo"}
    (remark,) = read_requirements(found).ignored
    assert str(remark) == (
        f'{tmp_path}/a.txt:2: bar; sys_platform == "win32": '
        "no environment of [platform] environments needs it"
    )
    write(tmp_path / "a.txt", "bar; sys_platform == 'win32'")
    assert mistakes(found) == [
        "none of what the files name can be mirrored, and without it everything would be"
    ]


def test_markers_count_where_dependencies_are_followed_for_all_machines(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "foo\nbar; sys_platform == 'win32'")
    found = settings(
        tmp_path,
        "[allowlist]\nrequirements = a.txt\n"
        "[dependencies]\nfollow = yes\nmarkers = any\n"
        "[platform]\nenvironments = linux x86_64, CPython 3.12, glibc 2.28\n",
    )
    assert projects(found) == {"foo", "bar"}
    assert read_requirements(found).ignored == ()


def uv_lock(*indexes: str) -> str:
    packages = (
        f'[[package]]\nname = "p{number}"\nversion = "1"\nsource = {{ registry = "{index}" }}\n'
        for number, index in enumerate(indexes)
    )
    return "version = 1\n" + "".join(packages)


def test_other_indexes_are_not_served(tmp_path: Path) -> None:
    found = allowlist(tmp_path, "requirements = uv.lock")
    write(
        tmp_path / "uv.lock", uv_lock("https://index.example/simple/", "https://user:pw@own.example/simple")
    )
    assert projects(found) == {"p0"}
    (remark,) = read_requirements(found).unserved
    assert str(remark) == (
        f"{tmp_path}/uv.lock: p1==1: it comes from the index https://user:***@own.example/simple, "
        "which is not [mirror] master"
    )
    # Locked behind a proxy, whatever it is called.
    write(tmp_path / "uv.lock", uv_lock("https://proxy.example/simple", "https://proxy.example/simple"))
    assert projects(found) == {"p0", "p1"}


def test_a_changed_file_changes_what_is_decided(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "foo==1.0\n")
    write(tmp_path / "b.txt", "bar")
    found = allowlist(tmp_path, "requirements = a.txt")

    def fingerprints() -> tuple[str, str]:
        resolved = with_requirements(found)
        return selection_fingerprint(resolved), page_fingerprint(resolved)

    first = fingerprints()
    assert with_requirements(found) is with_requirements(found)
    write(path, "# a comment\nfoo == 1.0\n")
    assert fingerprints() == first
    write(path, "foo==1.0\nbaz\n")
    with_project = fingerprints()
    assert (with_project[0] != first[0], with_project[1]) == (True, first[1])
    write(path, "foo==1.0\nbaz\n-r b.txt\n")
    with_file = fingerprints()
    assert with_file[0] != with_project[0]
    write(tmp_path / "b.txt", "bar\nbarn\n")
    assert fingerprints()[0] != with_file[0]
    write(path, "foo==1.1\n")
    assert fingerprints()[1] != first[1]
    write(path, f"foo==1.0 --hash={DIGEST}\n")
    assert fingerprints()[1] != first[1]
    write(path, "foo\n")
    assert fingerprints()[1] != first[1]


def test_where_the_files_lie_decides_nothing(tmp_path: Path) -> None:
    """Hosts of one mirror may have them in different places."""
    seen = set()
    for folder in ("a", "b"):
        write(tmp_path / folder / "list.txt", "foo==1.0")
        resolved = with_requirements(allowlist(tmp_path, f"requirements = {folder}/list.txt"))
        seen.add((selection_fingerprint(resolved), page_fingerprint(resolved)))
    assert len(seen) == 1


def test_a_whole_project_in_a_file_wins_over_versions_in_packages(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "foo")
    write(tmp_path / "b.txt", "bar")
    first, second = (
        page_fingerprint(with_requirements(allowlist(tmp_path, f"packages = foo==1\nrequirements = {name}")))
        for name in ("a.txt", "b.txt")
    )
    assert first != second


@pytest.mark.parametrize(
    ("plugins", "releases"),
    [
        ("project_requirements", "all"),
        ("project_requirements\n  project_requirements_pinned", "named"),
        ("project_requirements_pinned", "named"),
    ],
)
def test_as_bandersnatch_reads_them(plugins: str, releases: str, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "foo==1.0")
    found = settings(tmp_path, f"[plugins]\nenabled =\n  {plugins}\n[allowlist]\nrequirements = a.txt\n")
    allowed = with_requirements(found).policy.of(AllowedPackages)
    assert allowed.requirements_releases == releases
    assert allowed.roots.is_partial(canonicalize_name("foo")) is (releases == "named")


def test_a_list_of_plugins_without_them_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not have project_requirements or project_requ"):
        settings(tmp_path, "[plugins]\nenabled =\n  exclude_platform\n[allowlist]\nrequirements = a.txt\n")


def test_constraints_admit_releases_and_name_no_project(tmp_path: Path) -> None:
    limits = write(
        tmp_path / "limits.txt",
        "lib<2\nlib!=1.5\nOther==1.0\nold<1; python_version < '3'\nfree\n-c more.txt\n",
    )
    write(tmp_path / "more.txt", "deep==3")
    found = settings(
        tmp_path,
        "[allowlist]\npackages =\n  lib\n  other\n  old\n[dependencies]\nconstraints = *.txt\n"
        "[platform]\nenvironments = linux x86_64, CPython 3.12, glibc 2.28\n",
    )
    policy = with_requirements(found).policy
    assert policy.named_projects == {"lib", "other", "old"}

    def kept(name: str, *versions: str) -> list[str]:
        files = tuple(RemoteFile(filename=f"{name}-{each}.tar.gz", url="") for each in versions)
        page = ProjectPage(name=canonicalize_name(name), serial=None, etag=None, files=files)
        return [
            file.filename.removeprefix(f"{name}-").removesuffix(".tar.gz")
            for file in policy.decide(page).kept
        ]

    assert kept("lib", "1.0", "1.5", "1.9rc1", "2.0") == ["1.0", "1.9rc1"]
    assert kept("other", "1.0", "1.1") == ["1.0"]
    assert kept("old", "0.9", "2.0") == ["0.9", "2.0"]
    before = page_fingerprint(with_requirements(found))
    limits.write_text("lib<3")
    assert page_fingerprint(with_requirements(found)) != before


def test_bad_constraints_are_named(tmp_path: Path) -> None:
    write(tmp_path / "bad.txt", "lib >> 2\n")
    found = settings(
        tmp_path, "[allowlist]\npackages = lib\n[dependencies]\nconstraints =\n  bad.txt\n  no*\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        with_requirements(found)
    assert {mistake.key for mistake in caught.value.mistakes} == {"[dependencies] constraints"}
    assert "no file matches" in str(caught.value)
    assert "bad.txt:1" in str(caught.value)


def overriding(tmp_path: Path, *lines: str) -> Settings:
    return settings(
        tmp_path,
        "\n".join(["[allowlist]", "packages = app", "[dependencies]", "follow = yes", *lines, ""]),
    )


def test_overrides_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = write(
        tmp_path / "teams/pyproject.toml",
        '[[tool.uv.dependency-metadata]]\nname = "lib"\nrequires-dist = ["deep"]',
    )
    found = overriding(tmp_path, "metadata = teams/*.toml")

    def fingerprints() -> tuple[str, str, str]:
        resolved = with_requirements(found)
        return (
            closure_fingerprint(resolved),
            page_fingerprint(resolved),
            selection_fingerprint(resolved),
        )

    first = fingerprints()
    assert with_requirements(found) is with_requirements(found)
    path.write_text(f"# a comment\n{path.read_text()}")
    assert fingerprints() == first
    path.write_text(path.read_text().replace("deep", "deep<2"))
    after = fingerprints()
    assert [one == two for one, two in zip(first, after, strict=True)] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "a.toml: cannot be read (No such file or directory)"),
        ("[project]\nname = 'a'", "a.toml: has no [[tool.uv.dependency-metadata]] and no [[depend"),
        ("name = ", "a.toml: is not TOML"),
    ],
)
def test_mistakes_in_overrides_name_file_and_key(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        write(tmp_path / "a.toml", text)
    (found,) = mistakes(overriding(tmp_path, "metadata = a.toml"), "[dependencies] metadata")
    assert message in found


def test_files_are_checked_where_the_allowlist_names_none(tmp_path: Path) -> None:
    """As `config check` does it."""
    with pytest.raises(ConfigurationError, match=r"no file matches .*\.toml"):
        read_requirements(overriding(tmp_path, "metadata = *.toml"))


def test_what_has_no_effect_without_following_is_named(tmp_path: Path) -> None:
    text = "[allowlist]\npackages = app\n[dependencies]\nmetadata = a.toml\nconstraints = a.txt\nwhole = b\n"
    found = settings(tmp_path, text).warnings
    assert [(each.key, each.message) for each in found] == [
        (f"[dependencies] {key}", "has no effect without [dependencies] follow = yes")
        for key in ("metadata", "whole")
    ]
