"""Short names for what the settings decide, to notice that it changed since the last run."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from pypi_mirror.options import Option
from pypi_mirror.policy import FILTERS
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.roots import Root
from pypi_mirror.settings.options import OPTIONS, value_in
from pypi_mirror.settings.values import Settings

# Limits decide over no requirement, and of files what they say does.
_OF_NO_CLOSURE: Final = ("approve-beyond-projects", "approve-beyond-gigabytes", "constraints", "metadata")


def selection_fingerprint(settings: Settings) -> str:
    """Return 16 hexadecimal digits over what selects projects and files and over how pages look.

    Equal settings give equal fingerprints in every process, on every host and whatever the order of lists
    in the file. A change means that upstream's list of projects has to be looked at again. An option of a
    filter that is not set counts for nothing, so a new filter changes no fingerprint.
    """
    decisive = _decisive(settings, lambda option, value: value, of_files=False)
    return _digest([decisive, rendering_fingerprint(settings)])


def page_fingerprint(settings: Settings) -> str:
    """Like ``selection_fingerprint``, over what decides a selected project's files and the look of its page.

    A page that was decided under another one has to be decided again.
    """

    def of_files(option: Option, value: Any) -> Any:
        return value if option.decides_files is None else option.decides_files(value)

    return _digest([_decisive(settings, of_files, of_files=True), rendering_fingerprint(settings)])


def closure_fingerprint(settings: Settings) -> str:
    """Like ``page_fingerprint``, over all that decides what a project requires, but for the allowlist."""
    others = [each for each in settings.policy.filters if not isinstance(each, AllowedPackages)]
    options = {
        option.place: option.texts(value_in(settings, option))
        for option in OPTIONS
        if option.owner in FILTERS
        and option.owner is not AllowedPackages
        and option.key not in _OF_NO_CLOSURE
    }
    overrides = settings.policy.of(Dependencies).overrides or ()
    stated = [[str(each), msgspec.to_builtins(each.stated)] for each in overrides]
    return _digest([options, [each.inputs(of_files=True) for each in others], stated])


def rules_digest(roots: Iterable[Root]) -> bytes:
    """Names the rules of the allowlist for one project."""
    rules = sorted((root.rule, *sorted(root.hashes), "", *sorted(root.extras), root.marker) for root in roots)
    return hashlib.blake2b(json.dumps(rules).encode(), digest_size=16).digest()


def rendering_fingerprint(settings: Settings) -> str:
    """Like ``page_fingerprint``, over the look of pages alone: one that was made under another one is made
    again, whatever is decided.
    """
    return _digest({option.key: value_in(settings, option) for option in OPTIONS if option.look})


def _decisive(
    settings: Settings, part: Callable[[Option, Any], Any], *, of_files: bool
) -> dict[str, Sequence[str]]:
    """The options of filters that are set, each as in the file, and what filters have read."""
    values = {
        option: part(option, value_in(settings, option))
        for option in OPTIONS
        if option.owner in FILTERS and option.decides
    }
    decisive: dict[str, Sequence[str]] = {
        option.place: sorted(option.texts(value))
        for option, value in values.items()
        if value != option.default_value
    }
    for each in settings.policy.filters:
        decisive.update(each.inputs(of_files=of_files))
    return decisive


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
