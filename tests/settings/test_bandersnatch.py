"""Files written for bandersnatch: what loads unchanged, what has no effect, and what is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options.packages import only_releases, whole_projects
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.blocklist_platforms import BlockedPlatforms
from pypi_mirror.policy.filters.filter_prerelease import ExcludedPrereleases
from pypi_mirror.policy.filters.size_project_metadata import LargestProject
from pypi_mirror.settings.bandersnatch import OPTIONS as DECLARED
from pypi_mirror.settings.bandersnatch import Verdict
from pypi_mirror.settings.options import BY_PLACE, KEYED
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings

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


def new_line(text: str, changed: str) -> int:
    """The number of the first line that differs."""
    pairs = zip(text.split("\n"), changed.split("\n"), strict=False)
    return next(number for number, (before, after) in enumerate(pairs, start=1) if before != after)


def read(tmp_path: Path, text: str, name: str = "bandersnatch.conf") -> Settings:
    path = tmp_path / name
    path.write_text(text)
    return read_settings(path, {})


@pytest.mark.parametrize(
    ("replaced", "by", "hint"),
    [
        ("storage-backend = filesystem", "storage-backend = s3", "mount the storage"),
        ("    allowlist_release", "    allowlist_release\n    blocklist_projct", "'blocklist_project'"),
        ("[blocklist]", "[blacklist]\nplatforms = windows\n[blocklist]", "merge the two"),
        ("[blocklist]", "[blocklst]\nplatforms = windows\n[blocklist]", "'blocklist'"),
        ("verifiers = 3", "verifier = 3", "unknown key"),
        ("[blocklist]", "[filter_regx]\npackages = a\n[blocklist]", "'filter_regex'"),
    ],
)
def test_what_is_mistyped_or_needed_is_refused_with_advice(
    tmp_path: Path, replaced: str, by: str, hint: str
) -> None:
    text = LAB.replace(replaced, by, 1)

    [mistake] = mistakes_in(tmp_path, text)

    assert mistake.line is not None
    assert mistake.line - new_line(LAB, text) in (0, 1)
    assert hint in mistake.message


@pytest.mark.parametrize(
    ("replaced", "by", "words"),
    [
        ("digest_name = sha256", "digest_name = md5", ("digest by which", "SHA-256")),
        ("verifiers = 3", "verifiers = 10", ("`verify` checks at once", "[mirror] workers")),
        ("keep_index_versions = 0", "keep_index_versions = 2", ("earlier versions", "only the current page")),
        ("cleanup = false", "cleanup = true", ("before 4.0",)),
        ("cleanup = false", "cleanup_todo = true", ("left to do",)),
        ("cleanup = false", "delete_missing_packages = true", ("are deleted",)),
        (
            "download-mirror-no-fallback = False",
            "download-mirror-no-fallback = true",
            ("no effect without [mirror] download-mirror",),
        ),
        ("log-config =", "diff-append-epoch = true", ("no effect without [mirror] diff-file",)),
        ("log-config =", "log-config = /etc/log.conf", ("configures logging", "logs go to Airflow")),
        (
            "storage-filesystem-manage-permissions = true",
            "storage-filesystem-manage-permissions = false",
            ("modes of files", "nginx can read them"),
        ),
        ("[plugins]", "[statistics]\naccess-log-pattern = /var/log/x*\n[plugins]", ("counted", "since 2.0")),
        ("[plugins]", "[s3]\nregion_name = x\n[plugins]", ("S3", "only the file system")),
        ("[plugins]", "[ldap_names]\nserver = x\n[plugins]", ("no effect", "own plugins")),
        ("    exclude_platform", "    exclude_platform\n    ldap_names", ("ldap_names has no effect",)),
        (
            "    exclude_platform",
            "    exclude_platform\n    regex_project_metadata",
            ("regex_project_metadata has no effect", "no section"),
        ),
        (
            "[blocklist]",
            "[regex_project_metadata]\ninfo.name = a\n[blocklist]",
            ("ignored, as bandersnatch does", "regex_project_metadata"),
        ),
    ],
)
def test_what_has_no_effect_here_is_said_with_what_it_means_there(
    tmp_path: Path, replaced: str, by: str, words: tuple[str, ...]
) -> None:
    text = LAB.replace(replaced, by, 1)

    settings = read(tmp_path, text)

    [warning] = settings.warnings
    assert warning.line is not None
    assert warning.line - new_line(LAB, text) in (0, 1)
    assert all(word in warning.message for word in words), warning.message
    assert settings.policy == read(tmp_path, LAB).policy


@pytest.mark.parametrize("plugins", ["", "    regex_project_metadata\n", "    all\n"])
def test_a_filter_over_metadata_of_projects_is_refused_where_bandersnatch_applies_it(
    tmp_path: Path, plugins: str
) -> None:
    text = f"{LAB}[regex_project_metadata]\nany:info.classifiers = .*Python :: 3\n"
    if plugins:
        text = text.replace("    exclude_platform\n", f"    exclude_platform\n{plugins}")
    else:
        text = text.replace("[plugins]\nenabled =\n    allowlist_project\n", "").replace(
            "    allowlist_release\n    exclude_platform\n", ""
        )

    [mistake] = mistakes_in(tmp_path, text)

    assert mistake.key == "[regex_project_metadata] any:info.classifiers"
    assert "simple pages, which have no metadata of projects" in mistake.message


def test_an_unknown_plugin_is_a_mistake_where_nothing_says_what_is_wanted(tmp_path: Path) -> None:
    """Ignored, it would let the mirror have everything."""
    text = PUBLIC.replace("    blocklist_project", "    ldap_names\n    blocklist_project")

    [mistake] = mistakes_in(tmp_path, text)

    assert (mistake.line, mistake.key) == (13, "[plugins] enabled")
    assert "'ldap_names'" in mistake.message


OLD_NAMES = """\
[mirror]
directory = /srv/pypi
master = https://index.example

[plugins]
enabled =
    whitelist_project
    blacklist_release

[whitelist]
packages =
    black
    click

[blacklist]
packages =
    black<25
"""


def test_names_of_earlier_versions_are_read_as_the_new_ones(tmp_path: Path) -> None:
    settings = read(tmp_path, OLD_NAMES)

    assert settings.policy.of(AllowedPackages).projects == {"black", "click"}
    assert [rule.project for rule in settings.policy.of(BlockedPackages).packages] == ["black"]
    said = {(warning.line, warning.key): warning.message for warning in settings.warnings}
    assert set(said) == {
        (7, "[plugins] enabled"),
        (8, "[plugins] enabled"),
        (10, "[whitelist]"),
        (15, "[blacklist]"),
    }
    assert all("bandersnatch itself ignores" in message for message in said.values())


def test_a_mistake_in_a_section_of_an_old_name_is_found(tmp_path: Path) -> None:
    [mistake] = mistakes_in(tmp_path, OLD_NAMES.replace("black<25", "black<<25"))

    assert (mistake.line, mistake.key) == (17, "[blocklist] packages")


def test_a_list_of_plugins_in_a_list_of_2018_counts(tmp_path: Path) -> None:
    """Of 3.0 to 3.3, which had no section of their own for plugins."""
    text = OLD_NAMES.replace("[plugins]\nenabled =\n", "[blacklist]\nplugins =\n")
    text = text.replace("[whitelist]\n", "packages =\n    black<25\n[whitelist]\n")
    text = text[: text.index("\n[blacklist]\npackages")]

    settings = read(tmp_path, text)

    assert settings.policy.of(AllowedPackages).projects == {"black", "click"}
    assert settings.policy.of(BlockedPackages).packages
    assert "[blacklist] plugins" in {warning.key for warning in settings.warnings}


OF_2017 = """\
[mirror]
directory = /srv/pypi
master = https://index.example
timeout = 10
workers = 3
hash-index = false
stop-on-error = false
delete-packages = true
"""
"""With the options of the example that 2.0.0 came with."""

DEFAULTS = {
    "storage-backend": "filesystem",
    "storage-filesystem-manage-permissions": "true",
    "master": "https://index.example",
    "proxy": "",
    "download-mirror": "",
    "download-mirror-no-fallback": "false",
    "allow-non-https": "false",
    "json": "false",
    "release-files": "true",
    "core-metadata": "true",
    "hash-index": "false",
    "simple-format": "ALL",
    "compare-method": "hash",
    "digest_name": "sha256",
    "keep-index-versions": "0",
    "cleanup": "false",
    "cleanup_todo": "false",
    "delete_missing_packages": "false",
    "stop-on-error": "false",
    "timeout": "10",
    "global-timeout": "1800",
    "workers": "3",
    "verifiers": "3",
    "root_uri": "",
    "diff-file": "",
    "diff-append-epoch": "false",
    "log-config": "",
}
"""What 8.2.0 takes for options that its file does not have."""

EXAMPLE = (
    "json", "release-files", "core-metadata", "cleanup", "cleanup_todo", "delete_missing_packages", "master",
    "timeout", "global-timeout", "workers", "hash-index", "simple-format", "stop-on-error", "storage-backend",
    "storage-filesystem-manage-permissions", "verifiers", "compare-method",
)  # fmt: skip
"""The options of the file that 8.2.0 writes where there is none, beside ``directory``."""


def file_of(options: Mapping[str, str]) -> str:
    lines = [f"{key} = {value}".rstrip() for key, value in {"directory": "/srv/pypi", **options}.items()]
    return "\n".join(["[mirror]", *lines, ""])


@pytest.mark.parametrize(
    "text",
    [OF_2017, file_of(DEFAULTS), file_of({key: DEFAULTS[key] for key in EXAMPLE})],
    ids=["2017", "defaults", "example"],
)
@pytest.mark.parametrize("name", ["bandersnatch.conf", "mirror.conf"])
def test_a_file_as_bandersnatch_came_with_it_has_no_mistake_and_no_warning(
    tmp_path: Path, text: str, name: str
) -> None:
    settings = read(tmp_path, text, name)

    assert settings.warnings == ()
    assert settings.workers == 3
    assert settings.delete_packages is True


def test_every_option_of_bandersnatch_is_declared_once() -> None:
    of_the_mirror = {each.key for each in DECLARED if each.section == "mirror" and not each.former}

    assert of_the_mirror == {*DEFAULTS, "directory", "keep_index_versions"}
    assert len({(each.section, each.key) for each in DECLARED}) == len(DECLARED)


def test_what_is_declared_same_or_better_is_an_option_here() -> None:
    """And what has no effect is none, for it would be read."""
    missing = (Verdict.NO_EFFECT, Verdict.REFUSED)
    for each in DECLARED:
        here = (each.section, each.key) in BY_PLACE or each.section in KEYED or each.section == "plugins"
        assert here is (each.verdict not in missing), (each.section, each.key)
        assert (each.verdict is Verdict.SAME) or each.note
        assert bool(each.meant) is (each.verdict in missing)


def test_each_option_of_the_file_is_compared(tmp_path: Path) -> None:
    text = LAB.replace("    exclude_platform\n", "").replace("verifiers = 3", "verifiers = 10")
    rows = {row.key: row for row in read(tmp_path, text).origin}

    assert len(rows) == sum("=" in line for line in text.split("\n") if line[:1] not in (";", " "))
    assert rows["[mirror] directory"].verdict is Verdict.SAME
    assert rows["[mirror] workers"].verdict is Verdict.BETTER
    assert rows["[mirror] verifiers"].verdict is Verdict.NO_EFFECT
    assert rows["[blocklist] platforms"].verdict is Verdict.NO_EFFECT
    assert "exclude_platform" in rows["[blocklist] platforms"].note


def test_a_relative_directory_is_said_to_begin_elsewhere(tmp_path: Path) -> None:
    settings = read(tmp_path, LAB.replace("directory = /srv/pypi", "directory = pypi"))

    assert settings.directory == tmp_path / "pypi"
    [row] = [row for row in settings.origin if row.key == "[mirror] directory"]
    assert row.verdict is Verdict.DIFFERS
    assert str(tmp_path / "pypi") in row.note


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/srv/lists/new", "/srv/lists/new"),
        ("lists/new", "{base}/lists/new"),
        ("{{ mirror_directory }}/new", "/srv/pypi/new"),
        ("{{mirror_directory}}/new", "/srv/pypi/new"),
        ("/lists{{ mirror _ directory }}.txt", "/lists/srv/pypi.txt"),
    ],
)
def test_diff_file_refers_to_other_options_as_in_bandersnatch(tmp_path: Path, value: str, path: str) -> None:
    settings = read(tmp_path, LAB.replace("log-config =", f"diff-file = {value}"))

    assert str(settings.diff_file) == path.replace("{base}", str(tmp_path))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("{{ mirror }}/new", "no valid reference"),
        ("{{ mirror_directory/new", "no valid reference"),
        ("{{ mirror_nothing }}/new", "[mirror] nothing, which has no value"),
        ("{{ mirror_proxy }}/new", "[mirror] proxy, which has no value"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_mistake(tmp_path: Path, value: str, hint: str) -> None:
    [mistake] = mistakes_in(tmp_path, LAB.replace("log-config =", f"diff-file = {value}"))

    assert mistake.key == "[mirror] diff-file"
    assert hint in mistake.message


def test_a_file_of_ours_is_compared_with_nothing(tmp_path: Path) -> None:
    text = "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\nworkers = 20\n"

    assert read(tmp_path, text, "mirror.conf").origin == ()
    assert read(tmp_path, text).origin


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
