"""Files with several things wrong at once, drawn by chance: more than anybody would write down."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.torture.hostile.combinations import BESIDE, FILE_KEYS, NONSENSE, PAGE_KEYS, SIDECARS
from tests.torture.hostile.honest import content, file
from tests.torture.hostile.projects import FILE_NAMES, URLS, Case, Cost, away, listing
from tests.torture.hostile.server import Answer

# What costs most first: a file with two things wrong costs what the worse of them does.
_WORST = (Cost.FILE, Cost.AT_MOST_FILE, Cost.VALUE, Cost.AT_MOST_VALUE)
_FEWEST, _MOST = 2, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One thing wrong: in ``entry``, in digests ``beside`` the right one, in the ``page``, or in answers by
    suffix.
    """

    what: str
    costs: Cost = Cost.AT_MOST_VALUE
    entry: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)
    page: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)


_FILE_ANSWERS = {
    "404": Answer(status=404),
    "403": Answer(status=403),
    "other bytes": Answer(body=b"x" * 100),
    "nothing": Answer(),
    "a redirect to itself": away(b"?"),
    "a redirect to file:": away(b"file:///etc/passwd"),
    "a redirect inside": away(b"http://169.254.169.254/latest/"),
    "a redirect to nowhere": Answer(status=302),
    "a status of 206": Answer(status=206, body=b"x"),
    "a status of 204": Answer(status=204),
    "a status of 999": Answer(status=999),
}


def _parts() -> list[list[_Part]]:
    """By what they are about: of each such kind a file has at most one."""
    kinds = [
        [_Part(what=f"{key}: {value!r:.30}", entry={key: value}) for value in NONSENSE] for key in FILE_KEYS
    ]
    kinds += [
        [_Part(what=f"the page's {key}: {value!r:.30}", page={key: value}) for value in NONSENSE]
        for key in PAGE_KEYS
    ]
    kinds.append(
        [
            _Part(what=f"serial {value!r:.30}", page={"meta": {"api-version": "1.4", "_last-serial": value}})
            for value in NONSENSE
        ]
    )
    kinds.append(
        [_Part(what=what, entry={"filename": name}, costs=costs) for what, name, costs in FILE_NAMES]
    )
    kinds.append([_Part(what=what, entry={"url": url}, costs=Cost.FILE) for what, url, _ in URLS])
    kinds.append(
        [
            _Part(what=f"{algorithm} {digest!r:.20}", beside={algorithm: digest}, costs=costs)
            for algorithm, digest, costs in BESIDE
        ]
    )
    kinds.append(
        [
            _Part(what=f"the file: {what}", answers={"": answer}, costs=Cost.FILE)
            for what, answer in _FILE_ANSWERS.items()
        ]
    )
    for suffix, entry in ((".metadata", {"core-metadata": True}), (".bad", {"provenance": "FILE.bad"})):
        kinds.append(
            [
                _Part(what=f"{suffix} is {what}", entry=entry, answers={suffix: answer})
                for what, answer in SIDECARS
            ]
        )
    return kinds


def drawn(chance: random.Random, number: int) -> Iterator[Case]:
    """So many cases of two to five things wrong."""
    kinds = _parts()
    for _ in range(number):
        parts = [chance.choice(kind) for kind in chance.sample(kinds, chance.randint(_FEWEST, _MOST))]
        costs = min((part.costs for part in parts if part.costs in _WORST), key=_WORST.index, default=None)
        yield Case(
            name=f"mixed: {'; '.join(part.what for part in parts)}",
            answers=_mixed(parts),
            costs=Cost.AT_MOST_VALUE if costs is None else costs,
        )


def _mixed(parts: list[_Part]) -> Callable[[str, str], dict[str, Answer]]:
    def answers(project: str, outside: str) -> dict[str, Answer]:
        filename = f"{project.replace('-', '_')}-1.0.tar.gz"
        place = f"/files/{project}.bin"
        changes: dict[str, Any] = {"url": f"../..{place}"}
        more: dict[str, Any] = {}
        files = {place: Answer(body=content(filename))}
        beside: dict[str, Any] = {}
        for part in parts:
            changes |= part.entry
            beside |= part.beside
            more |= part.page
            files |= {f"{place}{suffix}": answer for suffix, answer in part.answers.items()}
        if changes.get("provenance") == "FILE.bad":
            changes["provenance"] = f"../..{place}.bad"
        if isinstance(name := changes.get("filename"), str):
            changes["filename"] = name.replace("OUTSIDE", outside)
        entry = file(filename, **changes)
        entry["hashes"] |= beside
        return listing(project, entry, **more) | files

    return answers
