"""What a ``bandersnatch.conf`` may hold that this mirror does not have.

A line that asks for what happens here anyway is accepted, so that most such files load unchanged; any
other is refused, and the message says what to do instead. Nothing is ignored.
"""

from collections.abc import Collection
from dataclasses import dataclass

from pypi_mirror.errors import Mistake
from pypi_mirror.options.parsers import nearest
from pypi_mirror.settings.syntax import Line

_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})
_UNSET = frozenset({""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """``accepted`` are the values, in lower case, that ask for what happens here anyway."""

    accepted: frozenset[str] = frozenset()
    advice: str


FOREIGN_KEYS: dict[tuple[str, str], Foreign] = {
    ("mirror", "storage-backend"): Foreign(
        accepted=frozenset({"filesystem"}), advice="only the filesystem is supported; mount the storage"
    ),
    ("mirror", "storage-filesystem-manage-permissions"): Foreign(
        accepted=_TRUE, advice="files are always written so that nginx can read them; remove the line"
    ),
    ("mirror", "digest_name"): Foreign(
        accepted=frozenset({"sha256"}), advice="files are always checked by SHA-256; remove the line"
    ),
    ("mirror", "download-mirror"): Foreign(
        accepted=_UNSET,
        advice="files come from where master's pages link to; set master to the mirror that is nearer",
    ),
    ("mirror", "download-mirror-no-fallback"): Foreign(
        accepted=_FALSE, advice="there is no download-mirror; set master to the mirror that is nearer"
    ),
    ("mirror", "diff-file"): Foreign(
        accepted=_UNSET, advice="no list of changed files is written yet, it comes later; remove the line"
    ),
    ("mirror", "diff-append-epoch"): Foreign(
        accepted=_FALSE, advice="no list of changed files is written yet, it comes later; remove the line"
    ),
    ("mirror", "cleanup"): Foreign(
        accepted=_FALSE,
        advice="directories of bandersnatch before 4.0 are not cleaned up here; let bandersnatch do it once",
    ),
    ("mirror", "verifiers"): Foreign(
        accepted=frozenset({"3"}), advice="there is no separate number for verifying; use workers"
    ),
    ("mirror", "log-config"): Foreign(
        accepted=_UNSET,
        advice="logs go to Airflow, and to standard error on the command line; remove the line",
    ),
    ("mirror", "api-method"): Foreign(
        accepted=frozenset({"xmlrpc", "simple"}),
        advice="upstream is asked in the way that it answers; remove the line",
    ),
    ("mirror", "keep_index_versions"): Foreign(
        accepted=frozenset({"0"}), advice="earlier versions of pages are not kept; remove the line"
    ),
    ("mirror", "keep-index-versions"): Foreign(
        accepted=frozenset({"0"}), advice="earlier versions of pages are not kept; remove the line"
    ),
    ("allowlist", "requirements"): Foreign(
        advice="requirements files come later; list their projects in packages"
    ),
    ("allowlist", "requirements_path"): Foreign(
        advice="requirements files come later; list their projects in packages"
    ),
}

_LATER = "this filter comes later; remove the section, or keep bandersnatch until then"
FOREIGN_SECTIONS: dict[str, str] = {
    "filter_prerelease": _LATER,
    "latest_release": _LATER,
    "regex_project_metadata": _LATER,
    "regex_release_file_metadata": _LATER,
    "size_project_metadata": _LATER,
    "version_range_release_file_metadata": _LATER,
    "versions_count_project_metadata": _LATER,
    "s3": "only the filesystem is supported; mount the storage",
    "swift": "only the filesystem is supported; mount the storage",
    "whitelist": "the section is called [allowlist], and its plugins allowlist_…",
    "blacklist": "the section is called [blocklist], and its plugins blocklist_…",
}

PLUGINS = "plugins"
PLUGIN_OF = {
    "[blocklist] platforms": "exclude_platform",
    "[filter_regex] packages": "regex_project",
    "[filter_regex] releases": "regex_release",
}
"""What bandersnatch applies an option by; which plugin ``packages`` need depends on their value."""

_SUPPORTED_PLUGINS = (
    "allowlist_project",
    "allowlist_release",
    "blocklist_project",
    "blocklist_release",
    *PLUGIN_OF.values(),
)
_LATER_PLUGINS = (
    "latest_release",
    "prerelease_release",
    "project_requirements",
    "project_requirements_pinned",
    "regex_project_metadata",
    "regex_release_file_metadata",
    "size_project_metadata",
    "version_range_release_file_metadata",
    "versions_count_project_metadata",
)


def check_foreign_value(section: str, key: str, lines: Collection[Line]) -> Mistake | None:
    """The mistake in a line of ``FOREIGN_KEYS``; None when it asks for what happens anyway."""
    foreign = FOREIGN_KEYS[section, key]
    value = "\n".join(line.text for line in lines).strip()
    if value.lower() in foreign.accepted:
        return None
    number = next(iter(lines)).number
    message = f"not supported: {foreign.advice}"
    return Mistake(line=number, key=f"[{section}] {key}", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededPlugin:
    """A filter in the file and the plugins of which bandersnatch needs one to apply it."""

    place: str
    line: int
    plugins: tuple[str, ...]


def check_plugins(lines: Collection[Line], needed: Collection[NeededPlugin]) -> list[Mistake]:
    """The mistakes in ``[plugins] enabled``.

    Filters apply here as soon as they are written down, so a list of plugins must say the same: no other
    filter, and none of those in the file missing, which bandersnatch would leave unused.
    """
    key = f"[{PLUGINS}] enabled"
    mistakes = []
    listed = set()
    for line in lines:
        plugin = line.text
        if not plugin or plugin.startswith("#"):
            continue
        listed.add(plugin)
        if plugin in _SUPPORTED_PLUGINS:
            continue
        if plugin == "all":
            advice = "it would drop prereleases too, which comes later; list the plugins, or remove the line"
        elif plugin in _LATER_PLUGINS:
            advice = "this filter comes later; remove the line, or keep bandersnatch until then"
        else:
            advice = f"there is no such plugin.{nearest(plugin, _SUPPORTED_PLUGINS)}"
        mistakes.append(Mistake(line=line.number, key=key, message=f"{plugin!r} is not supported: {advice}"))
    if "all" in listed:
        return mistakes
    for need in needed:
        if listed.isdisjoint(need.plugins):
            message = (
                f"{key} does not have {' or '.join(need.plugins)}, so bandersnatch would leave this unused; "
                "here it applies. Add the plugin, or remove one of the two"
            )
            mistakes.append(Mistake(line=need.line, key=need.place, message=message))
    return mistakes
