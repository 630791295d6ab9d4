"""deploy/monitoring: rules that promtool accepts and that fire; nothing names a figure there is not."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.openmetrics import parser

from pypi_mirror.alerts.conditions import ENDED
from pypi_mirror.observing.metrics import render_metrics
from tests.docs.fenced_blocks import anchors_of
from tests.observing.figures import OBSERVED
from tests.requirements_present import require

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "monitoring"
RULES = HERE / "pypi-mirror.rules.yaml"
RULE_TESTS = HERE / "pypi-mirror.rules.test.yaml"
DASHBOARD = HERE / "grafana-dashboard.json"
RUNBOOK = ROOT / "docs/operations.md"

_NAME = re.compile(r"\bpypi_mirror_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]


def series() -> set[str]:
    text = render_metrics(OBSERVED).decode()
    families = parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    # A figure that is not known has a family and no sample.
    return {family.name for family in families} | {
        sample.name
        for family in parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def named() -> set[str]:
    texts = [*expressions(), json.dumps(dashboard()["templating"])]
    return {name for text in texts for name in _NAME.findall(text)}


def test_every_metric_that_rules_and_dashboard_name_is_written() -> None:
    assert named() - series() == set()


def test_the_dashboard_shows_every_figure_that_a_rule_watches() -> None:
    watched = {name for rule in rules() for name in _NAME.findall(rule["expr"])}
    shown = {
        name for panel in panels() for target in panel["targets"] for name in _NAME.findall(target["expr"])
    }
    # Those are states, and not figures to be drawn.
    assert watched - shown <= {
        "pypi_mirror_last_run_state",
        "pypi_mirror_run_started_timestamp_seconds",
        "pypi_mirror_audit_suffices",
        "pypi_mirror_clock_ahead_seconds",
    }


def test_every_alert_leads_to_its_place_in_the_runbook() -> None:
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (page, anchor in anchors_of(RUNBOOK)) == ("docs/operations.md", True), rule["alert"]
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_every_message_of_the_mirror_has_its_place_in_the_runbook() -> None:
    assert set(ENDED) - anchors_of(RUNBOOK) == set()


def test_every_rule_is_tested_both_ways() -> None:
    cases = yaml.safe_load(RULE_TESTS.read_text())["tests"]
    outcomes = {
        (check["alertname"], bool(check["exp_alerts"])) for case in cases for check in case["alert_rule_test"]
    }
    assert outcomes >= {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", RULES.name],
        ["check", "config", "prometheus.yaml"],
        ["test", "rules", RULE_TESTS.name],
    ],
    ids=" ".join,
)
def test_promtool_accepts_it(arguments: list[str]) -> None:
    promtool(arguments, HERE)


def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    filled = [
        target["expr"].replace("$job", "pypi-mirror").replace("$instance", ".*")
        for panel in panels()
        for target in panel["targets"]
    ]
    recorded = [{"record": f"shown:{number}", "expr": expr} for number, expr in enumerate(filled)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": recorded}]}))
    promtool(["check", "rules", "rules.yaml"], tmp_path)


def promtool(arguments: list[str], directory: Path) -> None:
    program = shutil.which("promtool")
    require(program, "promtool (the Debian package prometheus)")
    assert program is not None
    done = subprocess.run([program, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_one_that_grafana_can_import() -> None:
    board = dashboard()
    assert (board["schemaVersion"], board["title"], board["uid"]) == (41, "PyPI mirror", "pypi-mirror")
    assert "id" not in board, "an id is the number in somebody's own database"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(references) == len(set(references)), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= set(variables), target["expr"]


def test_no_panel_lies_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"], (panel["title"], x, y)
