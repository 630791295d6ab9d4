"""Lists that are too long for one answer: a page, and the key after which the next one begins."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# Nobody is given more at once.
MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """``next`` is what to ask for as ``after`` to get what follows; None at the end."""

    items: tuple[T, ...]
    next: str | None
