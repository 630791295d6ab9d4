"""``[plugins] enabled``: which filters of a ``bandersnatch.conf`` are in force.

Without the list, which is bandersnatch's alone, a filter applies as soon as it is written down. With it, the
file means what it means to bandersnatch: a filter without its plugin is ignored, which a warning says. Only
for an allow-list that is a mistake, since everything would be mirrored; so is an unknown plugin, where
nothing says what is wanted.
"""

from collections.abc import Collection, Iterator, Mapping, MutableMapping
from typing import Any, Final

from pypi_mirror.errors import Mistake
from pypi_mirror.options import Option
from pypi_mirror.options.packages import only_releases, whole_projects
from pypi_mirror.options.parsers import is_like, nearest
from pypi_mirror.settings.bandersnatch import ENABLED_PLACE, modern_plugin
from pypi_mirror.settings.syntax import Line

_EVERY: Final = "all"
_ALLOWED: Final = "[allowlist] packages"
_BLOCKED: Final = "[blocklist] packages"
_REQUIREMENTS: Final = "[allowlist] requirements"
_PROJECT_METADATA: Final = "regex_project_metadata"
_REQUIREMENTS_PLUGINS: Final = ("project_requirements", "project_requirements_pinned")

_PLUGIN_OF: Final = {
    "[blocklist] platforms": "exclude_platform",
    "[filter_prerelease] packages": "prerelease_release",
    "[filter_regex] packages": "regex_project",
    "[filter_regex] releases": "regex_release",
    "[latest_release] keep": "latest_release",
    "[regex_release_file_metadata] patterns": "regex_release_file_metadata",
    "[version_range_release_file_metadata] versions": "version_range_release_file_metadata",
    "[size_project_metadata] max_package_size": "size_project_metadata",
    "[versions_count_project_metadata] min_versions": "versions_count_project_metadata",
    "[versions_count_project_metadata] max_versions": "versions_count_project_metadata",
}
"""What bandersnatch applies an option by; what the lists of packages need depends on their values."""

_WITHOUT_A_VALUE: Final = {"[filter_prerelease] packages": ("*",)}
"""What the plugin alone does."""

_EXCEPT_ALLOWED: Final = ("size_project_metadata", "versions_count_project_metadata")
"""Plugins that let everything through that the allow-list has."""

_SUPPORTED: Final = (
    "allowlist_project",
    "allowlist_release",
    "blocklist_project",
    "blocklist_release",
    *dict.fromkeys(_PLUGIN_OF.values()),
    *_REQUIREMENTS_PLUGINS,
)


class Plugins:
    """The plugins that a file lists; ``mistakes`` and ``warnings`` are those of the list.

    ``sections`` are the names of those that the file has.
    """

    def __init__(self, enabled: Collection[Line], sections: Collection[str]) -> None:
        written = {line.text: line.number for line in enabled if line.text and not line.text.startswith("#")}
        self._listed = {modern_plugin(plugin): line for plugin, line in written.items()}
        self._every = _EVERY in self._listed
        self.mistakes: list[Mistake] = []
        self.warnings = [
            Mistake(
                line=line,
                key=ENABLED_PLACE,
                message=f"{plugin} is read as {modern_plugin(plugin)}, its new name; bandersnatch itself "
                f"ignores {plugin} since 5.0",
            )
            for plugin, line in written.items()
            if modern_plugin(plugin) != plugin
        ]
        if _PROJECT_METADATA in self._listed and _PROJECT_METADATA not in sections:
            message = f"{_PROJECT_METADATA} has no effect: there is no section of this name"
            self.warnings.append(
                Mistake(line=self._listed[_PROJECT_METADATA], key=ENABLED_PLACE, message=message)
            )

    def ignores(self, section: str) -> bool:
        """Whether bandersnatch ignores the section of a plugin that this mirror does not have."""
        return section == _PROJECT_METADATA and not self._has(section)

    @staticmethod
    def ignored(plugin: str, place: str, line: int | None) -> Mistake:
        """The warning that an option has no effect, in bandersnatch neither, without its plugin."""
        message = f"ignored, as bandersnatch does: {ENABLED_PLACE} does not have {plugin}"
        return Mistake(line=line, key=place, message=message)

    def apply(
        self,
        options: Collection[Option],
        values: MutableMapping[str, Any],
        lines: Mapping[str, int | None],
    ) -> tuple[list[Mistake], list[Mistake]]:
        """Change ``values`` (by ``Option.place``, as the file has them) to what bandersnatch would apply.

        Returns the mistakes, and warnings that name what is ignored.
        """
        mistakes, warnings = [], []
        self._exempt_what_is_allowed(values)
        if values.get(_REQUIREMENTS) and not self._has(_REQUIREMENTS_PLUGINS[1]):
            # Requirement files name projects; only this plugin reads their versions.
            values.setdefault("[allowlist] requirements-releases", "all")
        for option in options:
            if not values.get(option.place):
                if option.place in _WITHOUT_A_VALUE and self._has(_PLUGIN_OF[option.place]):
                    values[option.place] = _WITHOUT_A_VALUE[option.place]
                continue
            line = lines.get(option.place)
            needed = list(_needed(option.place, values.get(option.place)))
            missing = [plugins for plugins in needed if not self._has(*plugins)]
            if not missing:
                continue
            names = " or ".join(missing[0])
            if len(missing) == len(needed) and option.place not in (_ALLOWED, _REQUIREMENTS):
                values[option.place] = option.default_value
                warnings.append(self.ignored(names, option.place, line))
            else:
                message = (
                    f"{ENABLED_PLACE} does not have {names}, so bandersnatch ignores this, or a part of it; "
                    "add the plugin, or remove what is ignored"
                )
                mistakes.append(Mistake(line=line, key=option.place, message=message))
        selects = values.get(_ALLOWED) or values.get(_REQUIREMENTS)
        for plugin, line in self._listed.items():
            if plugin in (*_SUPPORTED, _EVERY, _PROJECT_METADATA):
                continue
            if selects and not is_like(plugin, _SUPPORTED):
                message = f"{plugin} has no effect: only bandersnatch's own plugins are supported"
                warnings.append(Mistake(line=line, key=ENABLED_PLACE, message=message))
            else:
                message = f"unknown plugin {plugin!r}{nearest(plugin, _SUPPORTED)}"
                mistakes.append(Mistake(line=line, key=ENABLED_PLACE, message=message))
        return mistakes, warnings

    def _exempt_what_is_allowed(self, values: MutableMapping[str, Any]) -> None:
        """In bandersnatch the allow-list is, without a plugin of its own, a list of exceptions to others."""
        rules = (rule for rule in values.get(_ALLOWED) or () if not rule.is_pattern)
        allowed = tuple(dict.fromkeys(rule.project for rule in rules))
        exempting = [plugin for plugin in _EXCEPT_ALLOWED if self._has(plugin)]
        for plugin in exempting:
            place = f"[{plugin}] exempt_packages"
            values[place] = tuple(dict.fromkeys((*values.get(place, ()), *allowed)))
        if exempting and not self._has("allowlist_project", "allowlist_release"):
            values[_ALLOWED] = ()

    def _has(self, *plugins: str) -> bool:
        return self._every or not self._listed.keys().isdisjoint(plugins)


def _needed(place: str, value: Any) -> Iterator[tuple[str, ...]]:
    """Yield, for each part of an option's value, the plugins of which bandersnatch needs one."""
    if place in (_ALLOWED, _BLOCKED):
        name = place.partition("]")[0].removeprefix("[")
        if only_releases(value):
            yield (f"{name}_release",)
        if whole_projects(value):
            yield f"{name}_project", f"{name}_release"
    elif place == _REQUIREMENTS:
        yield _REQUIREMENTS_PLUGINS
    elif place in _PLUGIN_OF:
        yield (_PLUGIN_OF[place],)
