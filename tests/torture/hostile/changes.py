"""What is right at first and hostile later: files that change under their name, places that others take, and
pages and indexes of before.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from tests.torture.hostile.honest import content, document, file
from tests.torture.hostile.server import Answer, page

# Runs that each case takes. Serials count on from one to the next.
STEPS = 3
FIRST_SERIAL = 100

# What the index lists, serials by project, and what is where.
Said = tuple[Mapping[str, int | None], dict[str, Answer]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """``steps`` make what upstream says, of the project's name and the serial that upstream is at.

    A case of fewer steps than others begins with its first for longer. After the last, ``served`` are the
    releases that are served with the bytes of their files, None for those that were there first; by what
    follows the project's name in the name of theirs, and None where nothing is served. ``reason`` is in what
    is said of the project; empty where it does not fail, None where it may. ``is_kept`` says that the last
    step leaves the page as it is.
    """

    name: str
    steps: tuple[Callable[[str, int], Said], ...]
    served: Mapping[str, Mapping[str, bytes | None] | None]
    reason: str | None
    is_kept: bool = False

    def files(self, project: str) -> dict[str, dict[str, bytes] | None]:
        """What is served in the end, by project and file name."""
        ends: dict[str, dict[str, bytes] | None] = {}
        for suffix, releases in self.served.items():
            name = project + suffix
            ends[name] = releases and {
                (filename := _filename(name, version)): content(filename) if body is None else body
                for version, body in releases.items()
            }
        return ends

    def step(self, number: int, project: str) -> Said:
        """What upstream says in the run ``number``, the first of which is 0."""
        own = max(0, number - (STEPS - len(self.steps)))
        return self.steps[own](project, FIRST_SERIAL + number)


_OLD = content("first")
# As long as the others: the size alone tells nobody.
_NEW = _OLD[::-1]


def _filename(project: str, version: str = "1.0") -> str:
    return f"{project.replace('-', '_')}-{version}.tar.gz"


def _place(project: str, letter: str = "a") -> str:
    digest = hashlib.sha256(project.encode()).hexdigest()
    return f"packages/{digest[:2]}/{letter * 2}/{digest[4:]}/{_filename(project)}"


def _digests(body: bytes, *algorithms: str) -> dict[str, str]:
    return {name: hashlib.new(name, body).hexdigest() for name in algorithms}


def _meta(serial: int | None) -> dict[str, Any]:
    return {"api-version": "1.4"} | ({} if serial is None else {"_last-serial": serial})


def _with(
    body: bytes,
    *algorithms: str,
    letter: str = "a",
    suffix: str = "",
    owner: str = "",
    **changes: Any,
) -> Callable[[str, int], Said]:
    """A page with one file of ``body`` and its digests. Its place is ``owner``'s, by default its own."""

    def said(project: str, serial: int) -> Said:
        name = project + suffix
        place = _place(project + owner if owner else name, letter)
        hashes = _digests(body, *algorithms)
        entry = file(_filename(name), body, **({"url": f"../../{place}", "hashes": hashes} | changes))
        answers = {
            f"/simple/{name}/": page(document(name, entry, meta=_meta(serial))),
            f"/{place}": Answer(body=body, content_type="application/gzip"),
        }
        return {name: serial}, answers

    return said


def _both(*each: Callable[[str, int], Said]) -> Callable[[str, int], Said]:
    """All that they say; of what two speak of, the last counts."""

    def said(project: str, serial: int) -> Said:
        listed: dict[str, int | None] = {}
        answers: dict[str, Answer] = {}
        for one in each:
            more, others = one(project, serial)
            listed |= more
            answers |= others
        return listed, answers

    return said


# Digests that a page states, as indexes do: PyPI's, Artifactory's, simple ones', none.
_STATED = (("sha256",), ("sha512",), ("md5",), ("sha256", "md5"), ("sha256", "sha512", "blake2b"), ())


def _replaced() -> Iterator[Case]:
    """Other bytes under a name that is known."""
    for before, after, letter, size in product(_STATED, _STATED, "ab", (True, False)):
        changes = {} if size else {"size": None}
        # A page that states no digest says of no other bytes.
        told = bool(after)
        yield Case(
            name=f"other bytes: {' '.join(before) or 'no digest'}, then {' '.join(after) or 'none'}, "
            f"{'the same' if letter == 'a' else 'another'} address, {'a' if size else 'no'} size",
            steps=(_with(_OLD, *before), _with(_NEW, *after, letter=letter, **changes)),
            served={"": {"1.0": _OLD}},
            reason="other bytes" if told else "",
        )
    for before, after, letter in product(_STATED, _STATED, "ab"):
        yield Case(
            name=f"the same bytes: {' '.join(before) or 'no digest'}, then {' '.join(after) or 'none'}, "
            f"{'the same' if letter == 'a' else 'another'} address",
            steps=(_with(_OLD, *before), _with(_OLD, *after, letter=letter)),
            served={"": {"1.0": _OLD}},
            reason="",
        )
    for what, changes in (
        ("one more", {"size": len(_OLD) + 1}),
        ("one less", {"size": len(_OLD) - 1}),
        ("none", {"size": 0}),
    ):
        yield Case(
            name=f"another size: {what}",
            steps=(_with(_OLD, "sha256"), _with(_OLD, "sha256", **changes)),
            served={"": {"1.0": _OLD}},
            reason="other bytes",
        )
    for wrong in ("md5", "sha512", "blake2b"):
        digests = _digests(_OLD, "sha256") | _digests(_NEW, wrong)
        yield Case(
            name=f"one digest of other bytes, {wrong}, beside the right one",
            steps=(_with(_OLD, "sha256"), _with(_OLD, hashes=digests)),
            served={"": {"1.0": _OLD}},
            reason="other bytes",
        )


def _taken() -> Iterator[Case]:
    """A place that another project's file has, where other bytes come to lie. Each keeps its own."""
    for before, after in product(_STATED, _STATED):
        squatter = _with(_NEW, *after, suffix="-second", owner="-first")
        empty = _nothing("-second")
        yield Case(
            name=f"another project's place: {' '.join(before) or 'no digest'}, {' '.join(after) or 'none'}",
            steps=(
                _both(_with(_OLD, *before, suffix="-first"), empty),
                _both(_with(_OLD, *before, suffix="-first"), squatter),
            ),
            served={"-first": {"1.0": _OLD}, "-second": {"1.0": _NEW}},
            reason="",
        )


def _nothing(suffix: str) -> Callable[[str, int], Said]:
    def said(project: str, serial: int) -> Said:
        name = project + suffix
        return {name: serial}, {f"/simple/{name}/": page(document(name, meta=_meta(serial)))}

    return said


def _releases(
    *versions: str,
    back: int = 0,
    listed: int | None = 0,
    is_listed: bool = True,
    header: int | None = None,
    body: bool = True,
    yanked: bool = False,
) -> Callable[[str, int], Said]:
    """A page of these versions, as it was ``back`` serials ago; the index has it ``listed`` serials ago.

    ``header`` is how far back the serial in the header is, without one there where it is None; ``body``
    whether the page itself has one.
    """

    def said(project: str, serial: int) -> Said:
        entries = []
        answers: dict[str, Answer] = {}
        for version in versions:
            name = _filename(project, version)
            entries.append(file(name, yanked=yanked))
            answers[f"/files/{name}"] = Answer(body=content(name))
        headers = () if header is None else (b"X-PyPI-Last-Serial: %d" % (serial - header),)
        meta = _meta(serial - back if body else None)
        answers[f"/simple/{project}/"] = page(document(project, *entries, meta=meta), headers=headers)
        if not is_listed:
            return {}, answers
        return {project: None if listed is None else serial - listed}, answers

    return said


def _gone(project: str, serial: int) -> Said:
    return {}, {}


_BACK = "keeps that"


def _replays() -> Iterator[Case]:
    """Pages and indexes from before what upstream said last: a removed release, a yank taken back."""
    then, now = _releases("1.0", "1.1"), _releases("1.0", yanked=True)
    kept: Mapping[str, Mapping[str, bytes | None]] = {"": {"1.0": None}}
    for header, body in ((None, True), (0, True), (2, True), (2, False)):
        where = f"serial {'in the page' if body else 'in no page'}, header {header}"
        for listed, reason in ((2, _BACK), (1, ""), (0, _BACK), (None, _BACK)):
            yield Case(
                name=f"an old page: {where}, listed {listed} ago",
                steps=(then, now, _releases("1.0", "1.1", back=2, listed=listed, header=header, body=body)),
                served=kept,
                reason=reason,
                is_kept=True,
            )
        yield Case(
            name=f"an old page: {where}, in no index",
            steps=(
                then,
                now,
                _releases("1.0", "1.1", back=2, is_listed=False, header=header, body=body),
            ),
            served=kept,
            reason=None,
            is_kept=True,
        )
    for listed in (2, 0):
        # An index that lists a project no longer says nothing of when; it may list it again as it was.
        yield Case(
            name=f"a project that was in no index, listed {listed} ago",
            steps=(then, _gone, _releases("1.0", "1.1", back=2, listed=listed)),
            served={"": {"1.0": None, "1.1": None}},
            reason="",
        )
    yield Case(name="a project in no index", steps=(then, _gone), served={"": None}, reason="")


CASES: tuple[Case, ...] = (*_replaced(), *_taken(), *_replays())
