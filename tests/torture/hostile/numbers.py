"""Serials and times that no upstream has, in events and in entries of the root index.

Each is refused by name where it matters, costs nothing else, and freezes nothing afterwards.
"""

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.torture.hostile.honest import NAMES
from tests.torture.hostile.indexes import INDEX, Case, own_event, rows_answer, xml
from tests.torture.hostile.server import Answer, page

# What the mirror of the honest projects is at.
_NEXT = 8
_TIME = 1_740_000_000
_FAR = (2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30)
_NO_SERIALS: tuple[Any, ...] = (-1, -(2**31), -(2**63), None, "9", 1.5, True, [9], "")
_TIMES: tuple[Any, ...] = (
    0, -1, -(2**31), -(2**63) + 1, -(2**70), 2**31, 2**53, 253_402_300_800, 2**63 - 1, 2**63, 10**30, None,
    "now", 1.5, True, [1],
)  # fmt: skip
_ACTIONS: tuple[Any, ...] = ("create", "remove project", "new release", None, 7, "", "x" * 5000, "\u202e")


def _event(serial: Any, timestamp: Any, action: Any = "create", *, where: str = "last") -> dict[str, Answer]:
    """An event of a project that nobody has, among the mirror's own and another one."""
    odd = ["nobody", None, timestamp, action, serial]
    good = ["somebody", None, _TIME, "create", _NEXT]
    rows = {
        "last": (own_event(), good, odd),
        "between": (own_event(), odd, good),
        "first": (odd, own_event()),
    }
    return xml(rows_answer(*rows[where]), then=Answer(body=rows_answer(), content_type="text/xml"))


def _index(own: Any, *more: Any) -> dict[str, Answer]:
    projects = [{"name": name, "_last-serial": 7} for name in NAMES]
    projects[1:1] = more
    return {INDEX: page({"meta": {"api-version": "1.4", "_last-serial": own}, "projects": projects})}


def _singles() -> Iterator[Case]:
    for serial in (*_FAR, *_NO_SERIALS):
        # What is no number at all is left out, or counts as it can.
        reason = str(serial) if serial in _FAR else ""
        yield Case(
            name=f"an event of serial {serial!r}", answers=_event(serial, _TIME), believed=True, reason=reason
        )
        yield Case(
            name=f"a project of serial {serial!r} in the index",
            answers=_index(_NEXT, {"name": "nobody", "_last-serial": serial}),
            believed=True,
            reason=reason,
        )
        yield Case(
            name=f"an index of serial {serial!r}",
            answers=_index(serial),
            believed=serial in _FAR and serial < 2**63,
            reason=reason,
        )
    for time in _TIMES:
        yield Case(name=f"an event of time {time!r}", answers=_event(_NEXT + 1, time), believed=True)
    for action in _ACTIONS:
        name = f"an event of action {str(action)[:20]!r}"
        yield Case(name=name, answers=_event(_NEXT + 1, _TIME, action), believed=True)


CASES: tuple[Case, ...] = tuple(_singles())


def drawn(chance: random.Random, number: int) -> Iterator[Case]:
    """So many events that have more than one thing wrong with them."""
    every = list(product((*_FAR, *_NO_SERIALS), _TIMES, _ACTIONS, ("last", "between", "first")))
    for serial, time, action, where in chance.sample(every, min(number, len(every))):
        yield Case(
            name=f"an event of serial {serial!r}, time {time!r} and action {str(action)[:20]!r}, {where}",
            answers=_event(serial, time, action, where=where),
            believed=None,
        )
