"""Files written for bandersnatch: what loads unchanged, and what is refused with advice."""

from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options.packages import only_releases, whole_projects
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.blocklist_platforms import BlockedPlatforms
from pypi_mirror.policy.filters.filter_prerelease import ExcludedPrereleases
from pypi_mirror.policy.filters.size_project_metadata import LargestProject
from pypi_mirror.settings.read import read_settings

LAB = """\
; mirror of the lab, written for bandersnatch 6
[mirror]
directory = /srv/pypi
json = true
release-files = true
core-metadata = true
cleanup = false
master = https://index.example
timeout = 10
global-timeout = 1800
workers = 3
hash-index = false
simple-format = ALL
stop-on-error = false
storage-backend = filesystem
storage-filesystem-manage-permissions = true
verifiers = 3
keep_index_versions = 0
compare-method = hash
digest_name = sha256
proxy =
download-mirror =
download-mirror-no-fallback = False
log-config =

[plugins]
enabled =
    allowlist_project
    allowlist_release
    exclude_platform

[allowlist]
packages =
    Black>=25.1.0
    pyaib

[blocklist]
platforms =
    windows
    macos
    freebsd
    py2.7

; vim: set ft=cfg:
"""

PUBLIC = """\
[mirror]
directory=/data/pypi
master = https://index.example/
workers = 10
hash-index = true
stop-on-error = true
root_uri = https://files.example/
release-files = false
global-timeout = 18000

[plugins]
enabled =
    blocklist_project
    blocklist_release

[blocklist]
packages =
    example1
    example2>=1.4.2,<1.9,!=1.5.*,!=1.6.*
"""


def mistakes_in(tmp_path: Path, text: str) -> list[Mistake]:
    path = tmp_path / "bandersnatch.conf"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path, {})
    return list(caught.value.mistakes)


def test_a_selective_mirrors_file_loads_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "bandersnatch.conf"
    path.write_text(LAB)

    settings = read_settings(path, {})

    assert settings.workers == 3
    assert settings.json is True
    assert settings.proxy is None
    assert settings.policy.of(AllowedPackages).projects == {"black", "pyaib"}
    assert [r.project for r in only_releases(settings.policy.of(AllowedPackages).packages)] == ["black"]
    assert settings.policy.of(BlockedPlatforms).platforms == ("windows", "macos", "freebsd", "py2.7")


def test_a_public_mirrors_file_loads_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "bandersnatch.conf"
    path.write_text(PUBLIC)

    settings = read_settings(path, {})

    assert settings.hash_index is True
    assert settings.root_uri == "https://files.example"
    assert whole_projects(settings.policy.of(BlockedPackages).packages) == {"example1"}
    assert [r.project for r in only_releases(settings.policy.of(BlockedPackages).packages)] == ["example2"]


@pytest.mark.parametrize(
    ("replaced", "by", "hint"),
    [
        ("storage-backend = filesystem", "storage-backend = s3", "mount the storage"),
        ("digest_name = sha256", "digest_name = md5", "SHA-256"),
        ("verifiers = 3", "verifiers = 8", "use workers"),
        ("keep_index_versions = 0", "keep_index_versions = 2", "not kept"),
        ("cleanup = false", "cleanup = true", "bandersnatch do it once"),
        ("download-mirror =", "download-mirror = https://near.example", "set master"),
        ("download-mirror-no-fallback = False", "download-mirror-no-fallback = true", "set master"),
        ("log-config =", "log-config = /etc/log.conf", "logs go to Airflow"),
        ("log-config =", "diff-file = /srv/new", "comes later"),
        ("    allowlist_release", "    allowlist_release\n    regex_project_metadata", "for info.name use"),
        ("[blocklist]", "[regex_project_metadata]\ninfo.name = a\n[blocklist]", "for info.name use"),
        ("    allowlist_release", "    allowlist_release\n    blocklist_projct", "'blocklist_project'"),
        ("[blocklist]", "[blacklist]\n[blocklist]", "called [blocklist]"),
    ],
)
def test_what_asks_for_something_else_is_refused_with_advice(
    tmp_path: Path, replaced: str, by: str, hint: str
) -> None:
    text = LAB.replace(replaced, by, 1)
    new = next(
        n for n, (a, b) in enumerate(zip(LAB.split("\n"), text.split("\n"), strict=False), start=1) if a != b
    )

    [mistake] = mistakes_in(tmp_path, text)

    assert mistake.line is not None
    assert mistake.line - new in (0, 1)
    assert hint in mistake.message


def test_a_filter_without_its_plugin_is_ignored_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "bandersnatch.conf"
    path.write_text(LAB.replace("    exclude_platform\n", ""))

    settings = read_settings(path, {})

    assert settings.policy.of(BlockedPlatforms).platforms == ()
    [warning] = settings.warnings
    assert (warning.line, warning.key) == (37, "[blocklist] platforms")
    assert "ignored, as bandersnatch does" in warning.message
    assert "exclude_platform" in warning.message


@pytest.mark.parametrize(
    "plugins", ["    allowlist_release\n", "    allowlist_project\n    allowlist_release\n"]
)
def test_an_allow_list_that_bandersnatch_would_ignore_is_a_mistake(tmp_path: Path, plugins: str) -> None:
    [mistake] = mistakes_in(tmp_path, LAB.replace(plugins, ""))

    assert mistake.key == "[allowlist] packages"
    assert "allowlist_release" in mistake.message


@pytest.mark.parametrize(
    "section",
    [
        "[filter_regex]\npackages = .+-nightly$|regex_project",
        "[filter_regex]\nreleases = .+dev|regex_release",
        "[filter_prerelease]\npackages = numpy|prerelease_release",
        "[latest_release]\nkeep = 3\nsort_by = time|latest_release",
        "[regex_release_file_metadata]\nnone:release = 1|regex_release_file_metadata",
        (
            "[version_range_release_file_metadata]\nrelease_file.requires_python = 3"
            "|version_range_release_file_metadata"
        ),
        "[size_project_metadata]\nmax_package_size = 1G|size_project_metadata",
        "[versions_count_project_metadata]\nmin_versions = 2|versions_count_project_metadata",
    ],
)
def test_each_filter_needs_its_own_plugin_where_there_is_a_list(tmp_path: Path, section: str) -> None:
    lines, _, plugin = section.partition("|")
    path = tmp_path / "bandersnatch.conf"
    path.write_text(
        f"{LAB}\n{lines}\n".replace("    exclude_platform", f"    exclude_platform\n    {plugin}")
    )
    applied = read_settings(path, {})
    path.write_text(f"{LAB}\n{lines}\n".replace("    exclude_platform", "    exclude_platform\n    all"))
    all_of_them = read_settings(path, {})
    path.write_text(f"{LAB}\n{lines}\n")
    ignored = read_settings(path, {})

    assert len(applied.policy.filters) == len(ignored.policy.filters) + 1
    assert set(all_of_them.policy.filters) >= set(applied.policy.filters)
    assert [plugin in warning.message for warning in ignored.warnings] == [True]


@pytest.mark.parametrize("plugin", ["prerelease_release", "all"])
def test_prereleases_are_left_out_by_the_plugin_alone(tmp_path: Path, plugin: str) -> None:
    path = tmp_path / "bandersnatch.conf"
    path.write_text(LAB.replace("    exclude_platform", f"    exclude_platform\n    {plugin}"))

    assert read_settings(path, {}).policy.of(ExcludedPrereleases).packages == ("*",)


@pytest.mark.parametrize(
    ("plugins", "allowed"),
    [("", {"black", "pyaib"}), ("allowlist_project\n    allowlist_release\n    ", set())],
)
def test_what_the_allow_list_has_may_have_any_size_where_bandersnatch_says_so(
    tmp_path: Path, plugins: str, allowed: set[str]
) -> None:
    path = tmp_path / "bandersnatch.conf"
    text = LAB.replace("    exclude_platform", "    exclude_platform\n    size_project_metadata")
    path.write_text(f"{text.replace(plugins, '')}\n[size_project_metadata]\nmax_package_size = 1G\n")

    policy = read_settings(path, {}).policy

    assert policy.of(LargestProject).exempt_packages == ("black", "pyaib")
    assert policy.of(AllowedPackages).projects == allowed


def test_without_a_list_of_plugins_every_filter_applies(tmp_path: Path) -> None:
    before, _, after = LAB.partition("[plugins]")
    path = tmp_path / "mirror.conf"
    path.write_text(before + after[after.index("[allowlist]") :])

    assert read_settings(path, {}).policy.of(BlockedPlatforms).platforms
