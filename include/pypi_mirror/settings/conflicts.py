"""Options that are valid alone and conflict with each other."""

from collections.abc import Mapping
from typing import Any, Final

from pypi_mirror.errors import Mistake
from pypi_mirror.options.parsers import is_loopback
from pypi_mirror.policy.roots import PACKAGES, Roots

# What has an effect where no dependencies are followed; of their section nothing else does.
_WITHOUT_FOLLOWING: Final = ("[dependencies] follow", "[dependencies] constraints")
# What stands elsewhere and has none without it.
_OF_FOLLOWING: Final = ("[removal] undemanded-days",)
_BLOCKED: Final = "[blocklist] packages"
_STOP_AT: Final = "[dependencies] stop-at"


def find_conflicts(values: Mapping[str, Any], lines: Mapping[str, int | None]) -> list[Mistake]:
    """Return the conflicts among ``values`` (by ``Option.place``, parsed, defaults filled in).

    ``lines`` says where an option stands, by ``Option.place``. Options without a value are None; those with
    mistakes of their own are missing, and conflict with nothing.
    """
    found: list[tuple[str, str]] = []
    master = values.get("[mirror] master")
    plain = isinstance(master, str) and master.lower().startswith("http:") and not is_loopback(master)
    if plain and values.get("[mirror] allow-non-https") is False:
        message = "is plain http, which can be changed on the way; use https, or set allow-non-https = true"
        found.append(("[mirror] master", message))
    timeout, whole = values.get("[mirror] timeout"), values.get("[mirror] global-timeout")
    if timeout is not None and whole is not None and whole < timeout:
        key = "[mirror] global-timeout" if "[mirror] global-timeout" in lines else "[mirror] timeout"
        found.append((key, f"global-timeout ({whole:g} s) is shorter than timeout ({timeout:g} s); raise it"))
    if values.get("[mirror] stop-on-error") and values.get("[mirror] max-failures") is not None:
        message = "stop-on-error = true ends the run at the first failure; set it to false, or remove this"
        found.append(("[mirror] max-failures", message))
    least, most = (values.get(f"[versions_count_project_metadata] {key}_versions") for key in ("min", "max"))
    if least and most and least > most:
        message = f"min_versions ({least}) is more than max_versions ({most}); no project has such a number"
        found.append(("[versions_count_project_metadata] min_versions", message))
    wanted = (values.get("[allowlist] packages"), values.get("[allowlist] requirements"))
    if values.get("[dependencies] follow") == "yes" and not any(wanted):
        message = "everything is mirrored; list in [allowlist] what is wanted, or set follow = no"
        found.append(("[dependencies] follow", message))
    if values.get("[site] reload") == "watch" and values.get("[site] reload-command"):
        message = "is not used with reload = watch: `pypi-mirror nginx serve` reloads; remove one of the two"
        found.append(("[site] reload-command", message))
    host = str(values.get("[site] host")).lower()
    if host in map(str.lower, values.get("[site] aliases") or ()):
        found.append(("[site] aliases", f"{host} is [site] host, which has its own addresses; remove it"))
    if values.get("[alerts] email-from") and not values.get("[alerts] email-to"):
        found.append(("[alerts] email-from", "has no recipient; set email-to, or remove it"))
    return [Mistake(line=lines.get(key), key=key, message=message) for key, message in found]


def find_idle(values: Mapping[str, Any], lines: Mapping[str, int | None]) -> list[Mistake]:
    """Return warnings about options that have no effect without another one; as for ``find_conflicts``."""
    found = []
    for key, needed in (
        ("[mirror] download-mirror-no-fallback", "[mirror] download-mirror"),
        ("[mirror] diff-append-epoch", "[mirror] diff-file"),
    ):
        if values.get(key) and not values.get(needed):
            message = f"has no effect without {needed}"
            found.append(Mistake(line=lines.get(key), key=key, message=message))
    if values.get("[dependencies] follow") == "no":
        for key in lines:
            in_section = key.startswith("[dependencies] ") and key not in _WITHOUT_FOLLOWING
            if in_section or key in _OF_FOLLOWING:
                message = "has no effect without [dependencies] follow = yes"
                found.append(Mistake(line=lines.get(key), key=key, message=message))
    return found


def find_contradictions(values: Mapping[str, Any], lines: Mapping[tuple[str, Any], int]) -> list[Mistake]:
    """Return warnings about projects that two lists name, where one of the two has no effect on them.

    ``lines`` says where an item of a list stands, by ``Option.place`` and item. Patterns are left alone: an
    exception of one is what the other list is for.
    """
    allowed, stops = (values.get(key) or () for key in (PACKAGES, _STOP_AT))
    blocked = Roots(values.get(_BLOCKED) or ())
    found = [
        (PACKAGES, rule, f"{rule.project} is not mirrored, since {_BLOCKED} lists {root.project}")
        for rule in allowed
        if not rule.is_pattern and (root := blocked.whole(rule.project)) is not None
    ]
    named = {rule.project for rule in allowed if not rule.is_pattern}
    found += [
        (_STOP_AT, rule, f"has no effect on {rule.project}, which {PACKAGES} names itself")
        for rule in stops
        if rule.project in named
    ]
    return [Mistake(line=lines.get((key, rule)), key=key, message=message) for key, rule, message in found]
