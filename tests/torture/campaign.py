"""What a campaign is, and what comes out of one."""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """Something that must not happen; ``kind`` is one of the campaign's, ``detail`` tells where to look."""

    kind: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """``done`` counts the campaign's unit; ``notes`` are lines worth reading, figures measured on the way."""

    done: int
    wrong: tuple[Wrong, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> Counter[str]:
        return Counter(each.kind for each in self.wrong)


@dataclass(frozen=True, kw_only=True, slots=True)
class Campaign:
    """One row of the table.

    ``run`` gets an empty directory of its own, how many of ``unit`` it has to do (``at_least``, or a share of
    it), and the only source of chance it may use, so that a seed repeats it. It returns when that many are
    done; what it finds wrong it returns, and does not raise. ``wrong`` says what counts as that.
    """

    name: str
    what: str
    wrong: str
    at_least: int
    unit: str
    run: Callable[[Path, int, random.Random], Outcome]

    def goal(self, share: float) -> int:
        return max(1, math.ceil(self.at_least * share))
