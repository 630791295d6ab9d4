"""nginx's ``map`` in Python, to test maps without a server: the tests with a server keep it honest."""

import re
from collections.abc import Iterable, Mapping

from pypi_mirror.webserver.maps import Map


def evaluate(maps: Iterable[Map], given: Mapping[str, str]) -> dict[str, str]:
    """The variables after the maps, which are in order of dependence."""
    variables = dict(given)
    for one in maps:
        source = _expand(one.source, variables)
        variables[one.target[1:]] = _expand(_choose(one, source, variables), variables)
    return variables


def _choose(one: Map, source: str, variables: dict[str, str]) -> str:
    for rule in one.rules:
        if rule.exact and rule.pattern.lower() == source.lower():
            return rule.value
    for rule in one.rules:
        if not rule.exact and (found := _compile(rule.pattern, ignore_case=rule.ignore_case).search(source)):
            variables.update({name: text or "" for name, text in found.groupdict().items()})
            return rule.value
    return one.default


def _compile(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    # PCRE's spelling of what Python writes in another way.
    translated = pattern.replace("(?<mirror", "(?P<mirror").replace(r"\z", r"\Z").replace(r"\g{1}", r"(?:\1)")
    return re.compile(translated, re.IGNORECASE if ignore_case else 0)


def _expand(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: variables.get(found[1] or found[2], ""), text)
