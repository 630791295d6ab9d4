"""JSON that parsers disagree about costs no project: it is followed, and clients can read our page."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pypi_mirror.model import RunState
from tests.runs.audit import audit
from tests.runs.bench import MakeBench
from tests.runs.test_one_bad_part import ADDED, KEPT, NEW, OLD, upstream_page
from tests.warehouse import Fault, Instead, RemoveRelease, Upload

DIGITS = "9" * 5000


def compact(page: dict[str, Any]) -> str:
    return json.dumps(page, separators=(",", ":"))


def with_size(page: dict[str, Any]) -> str:
    page["files"][-1]["size"] = "SIZE"
    return json.dumps(page).replace('"SIZE"', DIGITS)


WAYS: dict[str, tuple[Callable[[dict[str, Any]], str], list[str]]] = {
    "byte order mark": (lambda page: "\ufeff" + json.dumps(page), []),
    "long number of the page": (lambda page: compact(page)[:-1] + f',"x":{DIGITS}}}', ["x"]),
    "long number, with spaces": (lambda page: json.dumps(page)[:-1] + f', "x": {DIGITS}}}', ["x"]),
    "long number in a list": (lambda page: compact(page)[:-1] + f',"x":[-{DIGITS}.5]}}', ["x"]),
    "long number in a text": (lambda page: compact(page | {"x": DIGITS}), []),
    "long size": (with_size, ["size"]),
}


@pytest.mark.parametrize(("said", "refused"), WAYS.values(), ids=WAYS)
def test_it_costs_itself(bench: MakeBench, said: Callable[[dict[str, Any]], str], refused: list[str]) -> None:
    made = bench(*OLD)
    made.sync()
    made.server.apply(RemoveRelease(project="alpha", version="1.1"), Upload(distribution=NEW))
    body = said(upstream_page(made))
    made.server.inject(Fault(path="/simple/alpha/", effect=Instead(body=body), times=None))
    outcome = made.sync()
    assert outcome.state is RunState.SUCCESS
    assert [each.part.field for each in outcome.refused] == refused
    # As pip reads it.
    assert made.listed("alpha") == [KEPT, ADDED]
    audit(made)


def test_a_list_of_projects_may_begin_with_a_byte_order_mark(bench: MakeBench) -> None:
    made = bench(*OLD)
    index = {"meta": {"api-version": "1.1", "_last-serial": 6}, "projects": [{"name": "alpha"}]}
    made.server.inject(Fault(path="/simple/", effect=Instead(body="\ufeff" + json.dumps(index))))
    assert made.sync().state is RunState.SUCCESS
    assert len(made.listed("alpha")) == 2
