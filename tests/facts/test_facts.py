"""Facts: each comes back as it went in, written as ledgers have had it since before there were types."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.facts.fact import Fact
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import AuditFindings, Pause, Removals, SilentLoss, UnmetRule, UpstreamState
from pypi_mirror.model import RunKind


class Texts:
    """A table in memory; ``writes`` counts how often it was written."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.writes = 0

    def get(self, name: str, /) -> str | None:
        return self.texts.get(name)

    def put(self, values: Mapping[str, str | None], /, held_by: int | None = None) -> None:
        self.writes += 1
        for name, text in values.items():
            self.texts.pop(name, None)
            if text is not None:
                self.texts[name] = text

    def change(self, name: str, changed: Callable[[str | None], str | None], /) -> None:
        self.put({name: changed(self.get(name))})


LOSS = SilentLoss(run_id=1, at=2, project=NormalizedName("alpha"), is_gone=False, files=3, bytes=4)
REMOVALS = Removals(run_id=7, kind=RunKind.BACKFILL, plan="abc", projects=1, exceeded=("too many",))
WRITTEN: list[tuple[Fact[Any], Any, str, str]] = [
    (Facts.cursor, 7, "cursor", "7"),
    (Facts.read_serial, 9, "read", "9"),
    (Facts.index_etag, '"e"', "index_etag", '"e"'),
    (Facts.stated_serial, "", "index_serial", ""),
    (Facts.layout, "hashed", "layout", "hashed"),
    (Facts.clock_ahead, 3600, "clock_ahead", "3600"),
    (Facts.audit_pool, (12, 1_700_000_000), "audit_pool", "12 1700000000"),
    (Facts.audit_resume, (5, 1_700_000_000), "audit_resume", "5 1700000000"),
    (Facts.pages_found, (3, 0), "pages_found", "3 0"),
    (
        Facts.simple_root,
        ("https://a", "https://a/simple/"),
        "simple_root",
        '["https://a","https://a/simple/"]',
    ),
    (Facts.unknown_names, (NormalizedName("flsk"),), "unknown_names", '["flsk"]'),
    (
        Facts.unmet_rules,
        (UnmetRule(project=NormalizedName("flask"), rule="flask==99", by="uv.lock"),),
        "unmet_rules",
        '[{"project":"flask","rule":"flask==99","by":"uv.lock"}]',
    ),
    (Facts.pause, Pause(run_id=1, until=2), "paused", '{"run_id":1,"until":2}'),
]


@pytest.mark.parametrize(("fact", "value", "name", "text"), WRITTEN, ids=[each[2] for each in WRITTEN])
def test_is_written_as_it_always_was(fact: Fact[Any], value: object, name: str, text: str) -> None:
    assert fact.to(value) == (name, text)
    assert fact.decode(text) == value
    assert fact.to(None) == (name, None)


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        (Facts.upstream, UpstreamState(serial=7)),
        (Facts.removals, (REMOVALS,)),
        (Facts.silent_losses, (LOSS,)),
        (Facts.audit_findings, (AuditFindings(run_id=1, found={"missing": 2}, repaired=2, unrepaired=0),)),
    ],
)
def test_comes_back_as_it_went_in(fact: Fact[Any], value: object) -> None:
    facts = Facts(Texts())
    facts.put(fact.to(value))
    assert fact.decode(facts.table.get(fact.name)) == value


def test_no_two_have_one_name() -> None:
    names = [fact.name for fact in vars(Facts).values() if isinstance(fact, Fact)]
    assert len(names) == len(set(names)) > 20


def test_removals_of_an_older_program_are_no_list() -> None:
    text = Facts.removals.to(REMOVALS)[1]
    assert Facts.removals.decode(text) == REMOVALS


def test_what_is_so_already_is_not_written_again() -> None:
    table = Texts()
    facts = Facts(table)
    facts.put(Facts.cursor.to(7), Facts.selection.to(None))
    facts.put(Facts.cursor.to(7))
    assert (table.texts, table.writes) == ({"cursor": "7"}, 1)


def test_read_is_the_cursor_until_something_is_left() -> None:
    facts = Facts(Texts())
    assert (facts.cursor, facts.read, facts.index_serial) == (None, None, None)
    facts.put(Facts.cursor.to(7), Facts.stated_serial.to(""))
    assert (facts.read, facts.index_serial) == (7, None)
    facts.put(Facts.read_serial.to(9), Facts.stated_serial.to("8"))
    assert (facts.read, facts.index_serial) == (9, 8)


def test_a_change_sees_the_value_and_none_forgets_it() -> None:
    facts = Facts(Texts())
    facts.change(Facts.clock_ahead, lambda seconds: (seconds or 0) + 5)
    facts.change(Facts.clock_ahead, lambda seconds: (seconds or 0) + 5)
    assert facts.clock_ahead == 10
    facts.change(Facts.clock_ahead, lambda _: None)
    assert facts.clock_ahead is None
