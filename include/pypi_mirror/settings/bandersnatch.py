"""Every option of a ``bandersnatch.conf``, and what it comes to here.

Options of 8.2.0 and of earlier versions. What it means here is said by ``config check``, an option a row, and
by the table in ``docs/``. An option that this mirror lacks and does without has no effect, which a warning
says; one that it would need is refused, with advice.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from pypi_mirror.errors import Mistake
from pypi_mirror.settings.syntax import Line, Section

EVERY_KEY: Final = "*"
_TRUE: Final = frozenset({"1", "yes", "true", "on"})
_FALSE: Final = frozenset({"0", "no", "false", "off"})
_UNSET: Final = frozenset({""})


class Verdict(StrEnum):
    SAME = "same"
    BETTER = "better"
    DIFFERS = "differs"
    NO_EFFECT = "no effect"
    REFUSED = "not supported"


def _never(_value: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class BandersnatchOption:
    """``note`` says how it is better, how it differs, or why it has no effect.

    ``meant`` is what the option does in bandersnatch, where this mirror does not have it. A value for which
    ``alike`` is true asks for what happens here anyway. ``former`` ones are not options of 8.2.0.
    """

    section: str
    key: str
    verdict: Verdict = Verdict.SAME
    note: str = ""
    meant: str = ""
    alike: Callable[[str], bool] = _never
    former: bool = False

    def judge(self, value: str) -> "BandersnatchOption":
        """Return what it comes to with this value; one that this mirror lacks stays without effect."""
        is_same = self.alike(value) and self.verdict in (Verdict.DIFFERS, Verdict.REFUSED)
        return replace(self, verdict=Verdict.SAME, note="") if is_same else self


def _one_of(values: Collection[str]) -> Callable[[str], bool]:
    return lambda value: value.lower() in values


def _is_absolute(value: str) -> bool:
    return value.startswith(("/", "~"))


def _same(section: str, *keys: str) -> tuple[BandersnatchOption, ...]:
    return tuple(BandersnatchOption(section=section, key=key) for key in keys)


_ANY_S3: Final = BandersnatchOption(
    section="s3",
    key=EVERY_KEY,
    verdict=Verdict.NO_EFFECT,
    meant="how S3 is reached",
    note="only the file system is supported",
)
_KEEP_VERSIONS: Final = BandersnatchOption(
    section="mirror",
    key="keep_index_versions",
    verdict=Verdict.NO_EFFECT,
    meant="earlier versions of pages are kept",
    note="only the current page is kept; the guard in [removal] stops a run that empties pages",
    alike=_one_of({"0", ""}),
)

OPTIONS: Final = (
    BandersnatchOption(
        section="mirror",
        key="directory",
        verdict=Verdict.DIFFERS,
        note="a relative path begins at the directory of the file, in bandersnatch at the current one",
        alike=_is_absolute,
    ),
    BandersnatchOption(
        section="mirror",
        key="master",
        verdict=Verdict.BETTER,
        note="any index with PEP 691 or PEP 503 pages; bandersnatch needs PyPI's legacy JSON",
    ),
    BandersnatchOption(
        section="mirror",
        key="proxy",
        verdict=Verdict.DIFFERS,
        note="the URL holds no password, which belongs in the environment variable PYPI_MIRROR_PROXY",
        alike=lambda value: "@" not in value,
    ),
    BandersnatchOption(
        section="mirror",
        key="download-mirror",
        verdict=Verdict.BETTER,
        note="one that does not answer is left out for the rest of a batch",
    ),
    *_same("mirror", "download-mirror-no-fallback"),
    *_same("mirror", "allow-non-https"),
    BandersnatchOption(
        section="mirror",
        key="json",
        verdict=Verdict.BETTER,
        note="the JSON of each release is kept too, and lists only what is mirrored",
        alike=_one_of(_FALSE),
    ),
    BandersnatchOption(
        section="mirror",
        key="release-files",
        verdict=Verdict.DIFFERS,
        note="without root_uri, pages link to where upstream's pages link",
        alike=_one_of(_TRUE),
    ),
    BandersnatchOption(
        section="mirror",
        key="core-metadata",
        verdict=Verdict.BETTER,
        note="where upstream has no metadata of a wheel, it is made from the wheel",
    ),
    *_same("mirror", "hash-index", "simple-format"),
    BandersnatchOption(
        section="mirror",
        key="compare-method",
        verdict=Verdict.BETTER,
        note="only files that the ledger does not know are compared; stat looks at sizes, not at times",
    ),
    BandersnatchOption(
        section="mirror",
        key="digest_name",
        verdict=Verdict.NO_EFFECT,
        meant="the digest by which files are checked",
        note="files are checked by every digest that upstream states, and pages state SHA-256",
        alike=_one_of({"sha256"}),
    ),
    _KEEP_VERSIONS,
    replace(
        _KEEP_VERSIONS,
        key="keep-index-versions",
        meant="nothing, for it reads keep_index_versions",
        note="only the current page is kept",
    ),
    BandersnatchOption(
        section="mirror",
        key="cleanup",
        verdict=Verdict.NO_EFFECT,
        meant="simple/Old.Name/ of versions before 4.0 is removed",
        note="the first run removes such directories in any case",
        alike=_one_of(_FALSE),
    ),
    BandersnatchOption(
        section="mirror",
        key="cleanup_todo",
        verdict=Verdict.NO_EFFECT,
        meant="projects that upstream does not have leave the list of what is left to do",
        note="they leave the backlog in any case",
        alike=_one_of(_FALSE),
    ),
    BandersnatchOption(
        section="mirror",
        key="delete_missing_packages",
        verdict=Verdict.NO_EFFECT,
        meant="pages and files of projects that upstream does not have are deleted",
        note="their pages go with the next run in any case, their files as delete-packages says",
        alike=_one_of(_FALSE),
    ),
    BandersnatchOption(
        section="mirror",
        key="stop-on-error",
        verdict=Verdict.BETTER,
        note="with true, nothing of the run is published; with false, a later run retries what failed",
    ),
    *_same("mirror", "timeout", "global-timeout"),
    BandersnatchOption(
        section="mirror",
        key="workers",
        verdict=Verdict.BETTER,
        note="up to 256, and a run uses fewer when upstream slows down; bandersnatch refuses more than 10",
    ),
    BandersnatchOption(
        section="mirror",
        key="verifiers",
        verdict=Verdict.NO_EFFECT,
        meant="how many projects `verify` checks at once",
        note="audits check as many as [mirror] workers lets them",
        alike=_one_of({"3", ""}),
    ),
    *_same("mirror", "root_uri"),
    BandersnatchOption(
        section="mirror",
        key="diff-file",
        verdict=Verdict.BETTER,
        note="it also has what a run that died before it has brought; it is replaced when a run ends",
    ),
    *_same("mirror", "diff-append-epoch"),
    BandersnatchOption(
        section="mirror",
        key="log-config",
        verdict=Verdict.NO_EFFECT,
        meant="a file that configures logging",
        note="logs go to Airflow, and to standard error on the command line",
        alike=_one_of(_UNSET),
    ),
    BandersnatchOption(
        section="mirror",
        key="storage-backend",
        verdict=Verdict.REFUSED,
        meant="where the mirror is kept",
        note="only filesystem is supported; mount the storage",
        alike=_one_of({"filesystem"}),
    ),
    BandersnatchOption(
        section="mirror",
        key="storage-filesystem-manage-permissions",
        verdict=Verdict.NO_EFFECT,
        meant="whether the modes of files are set",
        note="files are always written so that nginx can read them",
        alike=_one_of(_TRUE),
    ),
    BandersnatchOption(
        section="mirror",
        key="delete-packages",
        verdict=Verdict.DIFFERS,
        note="files are deleted after [removal] grace-days; bandersnatch has deleted none since 3.6",
        alike=_one_of(_FALSE),
        former=True,
    ),
    BandersnatchOption(
        section="mirror",
        key="api-method",
        verdict=Verdict.NO_EFFECT,
        meant="how upstream is asked what changed",
        note="it is asked in the way that it answers",
        alike=_one_of({"xmlrpc", "simple", ""}),
        former=True,
    ),
    BandersnatchOption(
        section="statistics",
        key=EVERY_KEY,
        verdict=Verdict.NO_EFFECT,
        meant="downloads are counted from the web server's logs",
        note="bandersnatch itself has not done so since 2.0",
        former=True,
    ),
    BandersnatchOption(
        section="plugins",
        key="enabled",
        note="filters without their plugin are ignored",
    ),
    BandersnatchOption(
        section="allowlist",
        key="packages",
        verdict=Verdict.BETTER,
        note="names may be patterns, and extras and markers are understood",
    ),
    BandersnatchOption(
        section="allowlist",
        key="requirements",
        verdict=Verdict.BETTER,
        note="lock files, pyproject.toml, -r and -c are read too",
    ),
    *_same("allowlist", "requirements_path"),
    BandersnatchOption(
        section="blocklist", key="packages", verdict=Verdict.BETTER, note="names may be patterns"
    ),
    *_same("blocklist", "platforms"),
    BandersnatchOption(
        section="filter_regex",
        key="packages",
        verdict=Verdict.DIFFERS,
        note="normalized names are compared, in upper and lower case alike",
    ),
    *_same("filter_regex", "releases"),
    BandersnatchOption(
        section="filter_prerelease",
        key="packages",
        verdict=Verdict.BETTER,
        note="pre-releases are what PEP 440 says",
    ),
    BandersnatchOption(
        section="latest_release",
        key="keep",
        verdict=Verdict.BETTER,
        note="counts only the releases that the other filters keep, so this many remain",
    ),
    BandersnatchOption(
        section="latest_release",
        key="sort_by",
        verdict=Verdict.BETTER,
        note="the time of a release is that of its first upload",
    ),
    BandersnatchOption(
        section="regex_project_metadata",
        key=EVERY_KEY,
        verdict=Verdict.REFUSED,
        meant="projects whose metadata match regular expressions",
        note=(
            "what is mirrored is decided by simple pages, which have no metadata of projects, with json = "
            "true, too. Instead of info.name use patterns under [allowlist] packages or [filter_regex] "
            "packages. For other fields have a script write the names of the projects to a file, and name "
            "that in [allowlist] requirements: each run reads it again"
        ),
    ),
    BandersnatchOption(
        section="regex_release_file_metadata",
        key=EVERY_KEY,
        verdict=Verdict.DIFFERS,
        note="the fields that simple pages have; another is refused",
    ),
    BandersnatchOption(
        section="version_range_release_file_metadata",
        key=EVERY_KEY,
        verdict=Verdict.DIFFERS,
        note="a Requires-Python that cannot be read keeps the file",
    ),
    *_same("size_project_metadata", "max_package_size"),
    *_same("versions_count_project_metadata", "min_versions", "max_versions"),
    _ANY_S3,
    replace(_ANY_S3, section="swift", meant="how Swift is reached", former=True),
)
"""In the order of the table."""

BY_PLACE: Final = {(each.section, each.key): each for each in OPTIONS}

SECTIONS: Final = tuple(dict.fromkeys(each.section for each in OPTIONS))

_RENAMED_SECTIONS: Final = {"whitelist": "allowlist", "blacklist": "blocklist"}
_OLD_PLUGIN: Final = re.compile("(?:white|black)list(?=_)")
PLUGINS: Final = "plugins"
ENABLED: Final = "enabled"
ENABLED_PLACE: Final = f"[{PLUGINS}] {ENABLED}"


def declared(section: str, key: str) -> BandersnatchOption | None:
    """The option of this name, None where bandersnatch has none."""
    return BY_PLACE.get((section, key)) or BY_PLACE.get((section, EVERY_KEY))


def is_only_bandersnatchs(section: str, key: str, ours: Collection[tuple[str, str]]) -> bool:
    """Whether bandersnatch has the option and this mirror, which has ``ours``, does not."""
    return (section, key) not in ours and declared(section, key) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What an option of the file comes to: a row that ``config check`` prints."""

    line: int
    key: str
    verdict: Verdict
    note: str


def compare(section: str, key: str, lines: Collection[Line]) -> list[Comparison]:
    """What the option comes to with this value; nothing where bandersnatch does not have it."""
    found = declared(section, key)
    if found is None:
        return []
    judged = found.judge(_value(lines))
    number = next(iter(lines)).number
    return [Comparison(line=number, key=f"[{section}] {key}", verdict=judged.verdict, note=judged.note)]


def with_directory(found: Iterable[Comparison], directory: Path) -> tuple[Comparison, ...]:
    """Return the rows; where a relative directory leads is in its row."""
    return tuple(
        replace(each, note=f"it is {directory}: {each.note}")
        if each.key == "[mirror] directory" and each.verdict is Verdict.DIFFERS
        else each
        for each in found
    )


def with_warnings(found: Iterable[Comparison], warnings: Iterable[Mistake]) -> tuple[Comparison, ...]:
    """Return the rows; of those that have no effect because of another option, the warning says why."""
    said = {warning.key: warning.message for warning in warnings}
    return tuple(
        replace(each, verdict=Verdict.NO_EFFECT, note=said[each.key])
        if each.key in said and each.verdict is not Verdict.NO_EFFECT and each.key != ENABLED_PLACE
        else each
        for each in found
    )


def _value(lines: Collection[Line]) -> str:
    return "\n".join(line.text for line in lines).strip()


def check_value(found: BandersnatchOption, key: str, lines: Collection[Line]) -> tuple[Mistake | None, bool]:
    """What to say of an option that this mirror does not have, and whether it is a mistake.

    Nothing where the value asks for what happens anyway.
    """
    if found.alike(_value(lines)):
        return None, False
    judged = found.judge(_value(lines))
    number = next(iter(lines)).number
    said = Mistake(line=number, key=f"[{found.section}] {key}", message=describe(judged))
    return said, judged.verdict is Verdict.REFUSED


def describe(option: BandersnatchOption) -> str:
    """Return the verdict and its reason in one line, without what a table has in other columns."""
    parts = [option.verdict.value]
    if option.verdict is Verdict.NO_EFFECT:
        parts = ["has no effect"]
    meant = f" (in bandersnatch: {option.meant})" if option.meant else ""
    return f"{parts[0]}{meant}: {option.note}" if option.note else f"{parts[0]}{meant}"


def modernize(sections: dict[str, Section]) -> tuple[list[Mistake], list[Mistake]]:
    """Give sections and plugins of earlier versions the names of 8.2.0, in ``sections``.

    Returns mistakes and warnings.
    """
    mistakes, warnings = [], []
    for old, new in _RENAMED_SECTIONS.items():
        section = sections.get(old)
        if section is None:
            continue
        if new in sections:
            message = f"[{new}], its new name, is in the file too; merge the two"
            mistakes.append(Mistake(line=section.number, key=f"[{old}]", message=message))
            del sections[old]
            continue
        message = f"read as [{new}], its new name; bandersnatch itself ignores [{old}] since 5.0"
        warnings.append(Mistake(line=section.number, key=f"[{old}]", message=message))
        plugins = section.entries.pop("plugins", None)
        if plugins is not None:
            message = f"read as [{PLUGINS}] {ENABLED}, its new name; bandersnatch itself ignores it since 4.0"
            warnings.append(Mistake(line=plugins.number, key=f"[{old}] plugins", message=message))
            enabled = sections.setdefault(PLUGINS, Section(name=PLUGINS, number=plugins.number)).entries
            if ENABLED in enabled:
                enabled[ENABLED].lines.extend(plugins.lines)
            else:
                enabled[ENABLED] = replace(plugins, key=ENABLED)
        # In the place of the old one, so that the file is read from the top.
        renamed = {new if name == old else name: each for name, each in sections.items()}
        sections.clear()
        sections.update(renamed)
        section.name = new
    return mistakes, warnings


def modern_plugin(name: str) -> str:
    """Return the name of a plugin in 8.2.0."""
    return _OLD_PLUGIN.sub(lambda found: "allowlist" if found[0] == "whitelist" else "blocklist", name)


def is_bandersnatchs(name: str, sections: Mapping[str, Section], ours: Collection[tuple[str, str]]) -> bool:
    """Whether a file was written for bandersnatch: by its ``name``, or by what only bandersnatch has."""
    return (
        "bandersnatch" in name.lower()
        or PLUGINS in sections
        or any(old in sections for old in _RENAMED_SECTIONS)
        or any(
            is_only_bandersnatchs(section.name, key, ours)
            for section in sections.values()
            for key in section.entries
        )
    )
