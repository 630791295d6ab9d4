"""The asset of the pages is updated for each change at least once, whatever is killed in between."""

from pathlib import Path
from typing import Any

import pytest

from mirror_airflow.pages_asset import CHANGES, forget_changes, update_pages_asset
from pypi_mirror.facts.facts import Facts
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.values import Settings


class Events:
    def __init__(self) -> None:
        self.serials: list[int | None] = []

    def add(self, _asset: object, *, extra: dict[str, int | None]) -> None:
        self.serials.append(extra["serial"])


@pytest.mark.parametrize(
    ("changed", "run", "left"),
    [(None, 5, None), (5, 5, None), (3, 5, None), (6, 5, 6)],
    ids=["nothing changed", "this run did", "an earlier one did", "a later run has begun"],
)
def test_a_change_is_remembered_until_the_task_has_succeeded(
    tmp_path: Path, changed: int | None, run: int, left: int | None
) -> None:
    events = Events()
    context: Any = {"outlet_events": {CHANGES: events}}
    settings = Settings(directory=tmp_path, master="https://index.example")
    with open_mirror(settings) as mirror:
        facts = mirror.ledger.facts
        facts.put(Facts.cursor.to(9), Facts.changed_pages.to(changed))
        update_pages_asset(mirror, context)
        assert events.serials == ([] if changed is None else [9])
        assert facts.changed_pages == changed, "the task may be killed now, and is repeated"
        forget_changes(mirror, run)
        assert facts.changed_pages == left
