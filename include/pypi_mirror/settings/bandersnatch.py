"""What a ``bandersnatch.conf`` may hold that this mirror does not have.

A line that asks for what happens here anyway is accepted, so that most such files load unchanged; any
other is refused, and the message says what to do instead. Nothing is ignored.
"""

from collections.abc import Collection
from dataclasses import dataclass

from pypi_mirror.errors import Mistake
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
}

FOREIGN_SECTIONS: dict[str, str] = {
    "regex_project_metadata": (
        "simple pages have no metadata of projects; for info.name use patterns in [allowlist] packages, for "
        "the rest list projects there"
    ),
    "s3": "only the filesystem is supported; mount the storage",
    "swift": "only the filesystem is supported; mount the storage",
    "whitelist": "the section is called [allowlist], and its plugins allowlist_…",
    "blacklist": "the section is called [blocklist], and its plugins blocklist_…",
}


def check_foreign_value(section: str, key: str, lines: Collection[Line]) -> Mistake | None:
    """The mistake in a line of ``FOREIGN_KEYS``; None when it asks for what happens anyway."""
    foreign = FOREIGN_KEYS[section, key]
    value = "\n".join(line.text for line in lines).strip()
    if value.lower() in foreign.accepted:
        return None
    number = next(iter(lines)).number
    message = f"not supported: {foreign.advice}"
    return Mistake(line=number, key=f"[{section}] {key}", message=message)
