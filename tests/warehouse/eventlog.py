"""Keeps a warehouse's events on disk, so that a server started again has the same serials, times and pages.

A line of JSON an event, appended as it happens. An event without a time gets its time from its place in the
log, so replaying the log gives the same index.
"""

from pathlib import Path

import msgspec

from tests.warehouse.events import AnyEvent, Event
from tests.warehouse.state import Warehouse


class EventLog:
    """``path`` need not exist yet; its directory must."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Event]:
        """The events so far; a last line that a crash cut short is dropped, here and from the file."""
        if not self.path.exists():
            return []
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            self.path.write_bytes(whole)
        return [msgspec.json.decode(line, type=AnyEvent) for line in whole.splitlines()]

    def resume(self, warehouse: Warehouse) -> None:
        """Replays the log into the warehouse, then appends everything that happens from now on."""
        warehouse.apply(*self.read())
        warehouse.on_applied = self.append

    def append(self, event: Event) -> None:
        with self.path.open("ab") as stream:
            stream.write(msgspec.json.encode(event) + b"\n")
