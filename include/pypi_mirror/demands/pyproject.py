"""pyproject.toml: https://packaging.python.org/en/latest/specifications/pyproject-toml/ (PEP 518, 621), with
https://packaging.python.org/en/latest/specifications/dependency-groups/ (PEP 735).

All extras and all groups count: what a mirror has must do for whoever installs the project in any way.
"""

from collections.abc import Mapping
from typing import Any, Final

from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.demands.demand import LOCAL, VERSION_CONTROL, Demands, Found, parse_requirement, why_unserved
from pypi_mirror.demands.document import expect, get, parse_toml, texts

# Tables of tools that hold requirements in a form of their own; their lock files have them all.
_OF_TOOLS: Final = {
    ("poetry", "dependencies"): "poetry.lock",
    ("poetry", "dev-dependencies"): "poetry.lock",
    ("poetry", "group"): "poetry.lock",
    ("pdm", "dev-dependencies"): "pdm.lock",
    ("uv", "dev-dependencies"): "uv.lock",
}


def read(text: str, file: str) -> Demands:
    found = Found(file=file)
    document = parse_toml(text, found)
    project = get(document, "project", dict, {}, found)
    groups = get(document, "dependency-groups", dict, {}, found)
    build = get(document, "build-system", dict, {}, found)
    tools = get(document, "tool", dict, {}, found)
    reading = _Requirements(found, project.get("name"), _sources(tools, found))
    for each in texts(project, "dependencies", found):
        reading.take(each, "[project] dependencies")
    extras = get(project, "optional-dependencies", dict, {}, found)
    for extra in extras:
        for each in texts(extras, extra, found):
            reading.take(each, f"[project.optional-dependencies] {extra}")
    _read_groups(groups, reading, found)
    for each in texts(build, "requires", found):
        reading.take(each, "[build-system] requires")
    for key in get(project, "dynamic", list, [], found):
        if key in ("dependencies", "optional-dependencies"):
            found.leave_out(f"dynamic {key}", "only a build knows them; name a lock file too")
    for (tool, key), lock in _OF_TOOLS.items():
        if key in get(tools, tool, dict, {}, found):
            found.leave_out(f"[tool.{tool}] {key}", f"the tool's own form is not read; name {lock} instead")
    return found.done()


def _read_groups(groups: Mapping[str, Any], reading: "_Requirements", found: Found) -> None:
    """Every group is read, so includes add nothing; they are checked as PEP 735 asks."""
    names = [canonicalize_name(name) for name in groups]
    if twice := next((name for name in names if names.count(name) > 1), None):
        found.fail(f"[dependency-groups] has two groups called {twice}; names are compared normalized")
    included: dict[NormalizedName, list[NormalizedName]] = {}
    for name in groups:
        for item in get(groups, name, list, [], found):
            if isinstance(item, str):
                reading.take(item, f"[dependency-groups] {name}")
                continue
            table = expect(item, dict, f"an item of [dependency-groups] {name}", found)
            if set(table) != {"include-group"}:
                found.fail(
                    f"[dependency-groups] {name} has an item that is no requirement and no include-group"
                )
            other = canonicalize_name(expect(table["include-group"], str, "include-group", found))
            if other not in names:
                found.fail(
                    f"[dependency-groups] {name} includes {other}, which does not exist; correct the name"
                )
            included.setdefault(canonicalize_name(name), []).append(other)
    for name in names:
        _refuse_cycle(name, included, (), found)


def _refuse_cycle(
    name: NormalizedName,
    included: dict[NormalizedName, list[NormalizedName]],
    above: tuple[NormalizedName, ...],
    found: Found,
) -> None:
    """Follow includes once; those of a group that was followed are removed."""
    if name in above:
        found.fail(f"[dependency-groups] {' includes '.join((*above, name))}; remove one include")
    for other in included.get(name, ()):
        _refuse_cycle(other, included, (*above, name), found)
    included.pop(name, None)


class _Requirements:
    def __init__(self, found: Found, own_name: object, sources: Mapping[NormalizedName, str]) -> None:
        self._found = found
        self._own_name = canonicalize_name(own_name) if isinstance(own_name, str) else None
        self._sources = sources

    def take(self, text: str, what: str) -> None:
        requirement = parse_requirement(text)
        if not isinstance(requirement, str):
            name = canonicalize_name(requirement.name)
            if name == self._own_name:
                self._found.ignore(text, "it is the project itself, all extras of which are read")
                return
            if requirement.url is None and name in self._sources:
                self._found.leave_out(text, self._sources[name])
                return
        self._found.require(text, what=what)


def _sources(tools: Mapping[str, Any], found: Found) -> dict[NormalizedName, str]:
    """Return why projects are not served that uv takes from elsewhere, by ``[tool.uv.sources]``
    (https://docs.astral.sh/uv/concepts/projects/dependencies/#dependency-sources). A list of sources is for
    some machines only, so there the index counts too.
    """
    sources = get(get(tools, "uv", dict, {}, found), "sources", dict, {}, found)
    reasons = {}
    for name, source in sources.items():
        if not isinstance(source, dict):
            continue
        if "git" in source:
            reasons[canonicalize_name(name)] = VERSION_CONTROL
        elif "url" in source:
            reasons[canonicalize_name(name)] = why_unserved(str(source["url"]))
        elif "path" in source or "workspace" in source:
            reasons[canonicalize_name(name)] = LOCAL
        elif "index" in source:
            reasons[canonicalize_name(name)] = f"[tool.uv.sources] takes it from the index {source['index']}"
    return reasons
