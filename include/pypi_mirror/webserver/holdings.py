"""What the mirror holds, by its filters, in plain English."""

from typing import Final

from pypi_mirror.settings.values import Environment, Settings
from pypi_mirror.wording import count

_SYSTEMS: Final = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
_IMPLEMENTATIONS: Final = {"cpython": "CPython", "pypy": "PyPy"}
_NAMED_AT_MOST: Final = 12


def environment(of: Environment) -> str:
    """``Linux x86_64, CPython 3.10 to 3.13, glibc 2.28 or newer``."""
    words = [f"{_SYSTEMS[of.system]} {of.machine}", f"{_IMPLEMENTATIONS[of.implementation]} {_pythons(of)}"]
    if of.libc is not None:
        name, major, minor = of.libc
        words.append(f"{name} {major}.{minor} or newer")
    if of.macos is not None:
        words.append(f"macOS up to {of.macos[0]}.{of.macos[1]}")
    return ", ".join(words)


def holdings(settings: Settings) -> tuple[str, ...]:
    """What the filters let in and keep out, a sentence each; one sentence if there are none."""
    selection = settings.selection
    sentences = []
    if selection.allowed_projects:
        sentences.append(f"Only chosen projects: {_named(selection.allowed_projects)}.")
    if selection.allowed_releases:
        rules = {f"{rule.project} {rule.specifier}" for rule in selection.allowed_releases}
        sentences.append(f"Of some projects only these releases: {_named(rules)}.")
    if selection.blocked_projects:
        sentences.append(f"Left out on purpose: {_named(selection.blocked_projects)}.")
    if selection.blocked_releases:
        rules = {f"{rule.project} {rule.specifier}" for rule in selection.blocked_releases}
        sentences.append(f"Releases left out on purpose: {_named(rules)}.")
    if selection.environments:
        machines = "; ".join(environment(one) for one in selection.environments)
        sentences.append(
            f"Binary wheels only for: {machines}. Source distributions and pure Python wheels stay."
        )
    if selection.blocked_platforms:
        sentences.append(f"No files for these platforms: {', '.join(selection.blocked_platforms)}.")
    if selection.exclude_filename is not None:
        sentences.append(f"No files whose name matches {selection.exclude_filename}")
    if not settings.release_files:
        sentences.append("Pages only: files are not mirrored.")
    return tuple(sentences) or ("Every project and every file of upstream; nothing is filtered out.",)


def _pythons(of: Environment) -> str:
    versions = sorted(of.pythons)
    suffix = "t" if of.free_threaded else ""
    names = [f"{major}.{minor}{suffix}" for major, minor in versions]
    gapless = (
        len({major for major, _ in versions}) == 1 and len(versions) == versions[-1][1] - versions[0][1] + 1
    )
    if gapless and len(names) > 2:
        return f"{names[0]} to {names[-1]}"
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _named(names: frozenset[str] | set[str]) -> str:
    ordered = sorted(names)
    if len(ordered) <= _NAMED_AT_MOST:
        return ", ".join(ordered)
    return f"{', '.join(ordered[:_NAMED_AT_MOST])} and {count(len(ordered) - _NAMED_AT_MOST, 'other')}"
