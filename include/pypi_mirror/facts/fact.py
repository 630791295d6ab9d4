"""A value that is remembered: what it is called in the ledger, and how it is written there."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Protocol, Self, TypeVar, cast, overload

import msgspec

T = TypeVar("T")

Change = tuple[str, str | None]
"""The name of a fact and its new text, None where it is forgotten."""

_PAIR: Final = tuple[int, int]


class FactTable(Protocol):
    """Where facts are kept, as texts by name; ``ledger.facts`` has the real one."""

    def get(self, name: str, /) -> str | None: ...

    def put(self, values: Mapping[str, str | None], /, held_by: int | None = None) -> None: ...

    def change(self, name: str, changed: Callable[[str | None], str | None], /) -> None: ...


class HasTable(Protocol):
    """What facts are read from."""

    table: FactTable


class Fact(Generic[T]):
    """An attribute of ``Facts``: read, it is the value, None where there is none.

    ``kind`` is its type, ``name`` what the ledger calls it where that is not the attribute's name. A text is
    written as it is, a pair of numbers with a space between them, anything else as JSON.
    """

    def __init__(self, kind: type[T], *, name: str = "") -> None:
        self._kind: Any = kind
        self.name = name

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, facts: None, owner: type) -> Self: ...

    @overload
    def __get__(self, facts: HasTable, owner: type) -> T | None: ...

    def __get__(self, facts: HasTable | None, owner: type) -> Self | T | None:
        return self if facts is None else self.decode(facts.table.get(self.name))

    def to(self, value: T | None) -> Change:
        """The change that makes ``value`` the fact's; None forgets it."""
        return self.name, None if value is None else self._encode(value)

    def decode(self, text: str | None) -> T | None:
        """What ``text`` says, which the ledger has of it."""
        if text is None or self._kind is str:
            return cast("T | None", text)
        if self._kind == _PAIR:
            first, second = text.split()
            return cast("T", (int(first), int(second)))
        return cast("T", msgspec.json.decode(text, type=self._kind))

    def _encode(self, value: T) -> str:
        if isinstance(value, str):
            return value
        if self._kind == _PAIR:
            first, second = cast("tuple[int, int]", value)
            return f"{first} {second}"
        return msgspec.json.encode(value).decode()
