"""How answers are made: of the ledger's values, and of lists that are too long a page at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from msgspec import Struct

from pypi_mirror.errors import MirrorError

T = TypeVar("T")
S = TypeVar("S")
Shown = TypeVar("Shown", bound=Struct)

# Nobody is given more at once.
MOST: Final = 200


class BadKey(MirrorError):
    """``after`` is not the ``next`` of any page."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key[:100]!r} is not where a page ends: use the `next` of the page before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """``next`` is what to ask for as ``after`` to get what follows; None at the end."""

    items: tuple[T, ...]
    next: str | None


def shown(kind: type[Shown], source: object, **others: object) -> Shown:
    """A ``kind`` whose fields are the attributes of ``source`` of the same names, but for ``others``."""
    names = [name for name in kind.__struct_fields__ if name not in others]
    return kind(**{name: getattr(source, name) for name in names}, **others)


def one_more(limit: int) -> int:
    """How many rows to read for a page of ``limit``: one more tells whether another page follows."""
    return max(1, min(limit, MOST)) + 1


def page_of(found: Sequence[S], limit: int, *, show: Callable[[S], T], key: Callable[[S], str]) -> Page[T]:
    """The page of what was read for it, ``one_more`` included."""
    whole = found[: one_more(limit) - 1]
    follows = len(found) > len(whole)
    return Page(items=tuple(map(show, whole)), next=key(whole[-1]) if follows else None)
