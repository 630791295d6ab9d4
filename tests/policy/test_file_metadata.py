"""``[regex_release_file_metadata]``, ``[version_range_release_file_metadata]``: files by their metadata."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue
from pypi_mirror.policy.file_metadata import PATHS, packagetype, value_at
from pypi_mirror.policy.filters.regex_release_file_metadata import FilesByMetadata, parse_pattern_rule
from pypi_mirror.policy.filters.version_range_release_file_metadata import PythonsOfFiles, parse_version_rule
from pypi_mirror.settings.options import describe
from pypi_mirror.settings.read import read_settings

FOO = canonicalize_name("foo")
FILE = RemoteFile(
    filename="foo-1.5-py3-none-any.whl",
    url="https://files.example/foo-1.5-py3-none-any.whl",
    hashes=(("sha256", "ab" * 32),),
    size=1200,
    upload_time="2026-02-01T10:00:00.123456Z",
    requires_python=">=3.8",
    yanked="broken",
)
BARE = RemoteFile(filename="foo.zip", url="u", requires_python="")


def by_patterns(*lines: str, search: bool = False) -> FilesByMetadata:
    return FilesByMetadata(patterns=tuple(map(parse_pattern_rule, lines)), search=search)


def by_pythons(*lines: str) -> PythonsOfFiles:
    return PythonsOfFiles(versions=tuple(map(parse_version_rule, lines)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("release_file.filename", "foo-1.5-py3-none-any.whl"),
        ("release_file.packagetype", "bdist_wheel"),
        ("release_file.requires_python", ">=3.8"),
        ("release_file.url", "https://files.example/foo-1.5-py3-none-any.whl"),
        ("release_file.size", "1200"),
        ("release_file.yanked", "true"),
        ("release_file.yanked_reason", "broken"),
        ("release_file.upload_time", "2026-02-01T10:00:00"),
        ("release_file.upload_time_iso_8601", "2026-02-01T10:00:00.123456Z"),
        ("release_file.digests.sha256", "ab" * 32),
        ("release", "1.5"),
    ],
)
def test_what_a_path_means(path: str, value: str) -> None:
    assert value_at(path, FOO, FILE) == value
    assert path in PATHS
    always = {"release_file.filename", "release_file.url", "release_file.packagetype", "release_file.yanked"}
    assert (value_at(path, FOO, BARE) is None) is (path not in always)


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("foo-1.tar.gz", "sdist"),
        ("foo-1-py3-none-any.whl", "bdist_wheel"),
        ("foo-1-py2.7.egg", "bdist_egg"),
        ("foo-1.win32.exe", "bdist_wininst"),
        ("foo-1.win-amd64-py3.9.msi", "bdist_msi"),
        ("foo-1-1.noarch.rpm", "bdist_rpm"),
        ("foo-1.linux-x86_64.tar.gz", "bdist_dumb"),
        ("foo-1-variants.json", None),
    ],
)
def test_the_kind_of_a_file_by_its_name(filename: str, kind: str | None) -> None:
    assert packagetype(filename) == kind


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["release_file.packagetype = sdist", "release_file.packagetype = bdist_wheel"], True),
        (["all:release_file.filename = foo", "all:release_file.filename = bar"], False),
        (["none:release_file.filename = bar"], True),
        (["none:release_file.filename = foo"], False),
        (["release_file.filename = 1.5"], False),
        (["release_file.filename = foo", "release = 2"], False),
    ],
)
def test_any_all_or_none_of_the_patterns_of_each_key(lines: list[str], kept: bool) -> None:
    reason = by_patterns(*lines).reject_file(FOO, FILE)

    assert (reason is None) is kept
    if reason is not None:
        assert reason.startswith("[regex_release_file_metadata] patterns has ")


def test_a_file_without_a_value_is_kept_unless_the_key_says_otherwise() -> None:
    for tags in ("", "all:", "none:", "match-null:", "not-null:match-null:"):
        assert by_patterns(f"{tags}release_file.requires_python = >=3").reject_file(FOO, BARE) is None
    for tags in ("not-null:", "none:not-null:"):
        assert by_patterns(f"{tags}release_file.requires_python = >=3").reject_file(FOO, BARE) == (
            f"[regex_release_file_metadata] patterns asks for {tags}release_file.requires_python, "
            "this file has none"
        )


def test_patterns_can_be_found_anywhere() -> None:
    assert by_patterns("release_file.filename = none-any", search=True).reject_file(FOO, FILE) is None
    assert not FilesByMetadata(search=True).takes_part


@pytest.mark.parametrize(
    ("requires_python", "lines", "kept"),
    [
        (">=3.8", ["release_file.requires_python = 3.12"], True),
        (">=3.8", ["release_file.requires_python = 2.7"], False),
        (">=3.8", ["release_file.requires_python = 2.7", "release_file.requires_python = 3.9"], True),
        (
            ">=3.8",
            ["release_file.requires_python = 3.9", "not-null:release_file.requires_python = 2.7"],
            False,
        ),
        (">=3.14", ["release_file.requires_python = 3.15.0rc1"], True),
        (None, ["release_file.requires_python = 3.12"], True),
        ("", ["release_file.requires_python = 3.12"], True),
        (None, ["not-null:release_file.requires_python = 3.12"], False),
        ("what?", ["not-null:release_file.requires_python = 3.12"], True),
    ],
)
def test_pythons(requires_python: str | None, lines: list[str], kept: bool) -> None:
    file = RemoteFile(filename="foo-1.zip", url="", requires_python=requires_python)
    reason = by_pythons(*lines).reject_file(FOO, file)

    assert (reason is None) is kept
    if reason is not None:
        assert reason.startswith("[version_range_release_file_metadata] versions ")


@given(st.integers(6, 14), st.integers(6, 14), st.lists(st.integers(6, 14), min_size=1))
def test_a_file_is_kept_if_one_of_the_pythons_is_in_its_range(
    low: int, high: int, pythons: list[int]
) -> None:
    rule = by_pythons(*(f"release_file.requires_python = 3.{minor}" for minor in pythons))
    file = RemoteFile(filename="foo-1.zip", url="", requires_python=f">=3.{low},<=3.{high}")

    assert (rule.reject_file(FOO, file) is None) is any(low <= minor <= high for minor in pythons)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("info.classifiers = x", "'info.classifiers' is not on upstream's simple pages"),
        ("release_file.file_name = x", "did you mean 'release_file.filename'"),
        ("some:release = x", "'some' is none of any, all, none, not-null, match-null"),
        ("release = (", "not a regular expression"),
        ("release", "write a key"),
    ],
)
def test_what_cannot_be_compared_is_named(line: str, hint: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_pattern_rule(line)
    assert hint in str(caught.value)


def test_both_ways_to_write_it_are_the_same(tmp_path: Path) -> None:
    head = "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\n"
    path = tmp_path / "mirror.conf"
    path.write_text(
        f"{head}[regex_release_file_metadata]\nnone:release_file.filename =\n    a#b\n    c = d\n"
        "release = 1\n[version_range_release_file_metadata]\nrelease_file.requires_python = 3.12\n"
    )
    keyed = read_settings(path, {})
    described = {f"[{section}] {key}": value for section, key, value in describe(keyed)}
    patterns = described["[regex_release_file_metadata] patterns"]
    versions = described["[version_range_release_file_metadata] versions"]
    assert patterns.split("\n") == [
        "none:release_file.filename = a#b",
        "none:release_file.filename = c = d",
        "release = 1",
    ]
    shown = f"[regex_release_file_metadata]\npatterns =\n{patterns}\n".replace("\n", "\n  ").replace(
        "\n  patterns", "\npatterns"
    )
    path.write_text(f"{head}{shown}\n[version_range_release_file_metadata]\nversions = {versions}\n")
    assert read_settings(path, {}) == keyed


def test_a_mistake_under_a_key_leads_to_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text(
        "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\n"
        "[version_range_release_file_metadata]\nrelease_file.requires_python =\n    3.12\n    three\n"
        "info.requires_python = 3\nnot-null:release_file.requires_python =\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path, {})
    assert [(each.line, each.key) for each in caught.value.mistakes] == [
        (7, "[version_range_release_file_metadata] release_file.requires_python"),
        (8, "[version_range_release_file_metadata] info.requires_python"),
        (9, "[version_range_release_file_metadata] not-null:release_file.requires_python"),
    ]
