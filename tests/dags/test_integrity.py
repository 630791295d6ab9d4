"""The DAG as Airflow reads it, in a process of its own: importing airflow configures a whole process."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_stack.airflow_server import environment, migrate, read_or_make_keys
from local_stack.layout import CHECKOUT, Layout
from tests.warehouse import Upload, Warehouse, Wheel, running

pytestmark = pytest.mark.airflow

CONF = "[mirror]\ndirectory = data\nmaster = {master}\n[site]\nenabled = false\n[schedule]\n{schedule}\n"

# What the scheduler would get to know, after a round through Airflow's serialization.
DESCRIBE = """
import json, sys, warnings
warnings.simplefilter("error", DeprecationWarning)
# Airflow's own, where a folder has an .airflowignore, as that of the plugins has.
warnings.filterwarnings("ignore", message="GitWildMatchPattern")
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
heavy = {"sqlalchemy", "pycurl", "pypi_mirror.mirror"}
before = heavy & set(sys.modules)
bag = DagBag(sys.argv[1])
dag = bag.dags.get("pypi_mirror")
shown = None if dag is None else DagSerialization.from_dict(DagSerialization.to_dict(dag))
print(json.dumps({
    "errors": bag.import_errors,
    "imported": sorted(heavy & set(sys.modules) - before),
    "dag": shown and {
        "tasks": {t.task_id: sorted(t.downstream_task_ids) for t in shown.tasks},
        "rules": {t.task_id: str(t.trigger_rule) for t in shown.tasks},
        "retries": {t.task_id: t.retries for t in shown.tasks},
        "places": {t.task_id: [t.priority_weight, type(t.weight_rule).__name__, t.pool] for t in shown.tasks},
        "timeouts": {
            f"{each.dag_id}.{t.task_id}": t.execution_timeout and t.execution_timeout.total_seconds()
            for each in map(DagSerialization.from_dict, map(DagSerialization.to_dict, bag.dags.values()))
            for t in each.tasks
        },
        "shown": {
            each.dag_id: [each.owner, sorted(each.tags), bool(each.description and each.doc_md),
                          [t.task_id for t in each.tasks if not t.doc_md and not t.is_mapped]]
            for each in map(DagSerialization.from_dict, map(DagSerialization.to_dict, bag.dags.values()))
        },
        "mapped": [t.task_id for t in shown.tasks if t.is_mapped],
        "params": {name: shown.params.get_param(name).schema for name in shown.params},
        "doc": shown.doc_md,
        "catchup": shown.catchup,
        "max_active_runs": shown.max_active_runs,
        "timetable": shown.timetable.summary,
        "backoff": [t.retry_exponential_backoff for t in shown.tasks],
        "callback": shown.has_on_failure_callback,
    },
}))
"""

TEST_RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
dag = DagBag(sys.argv[1]).dags["pypi_mirror"]
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
from sqlalchemy import select
runs = []
for conf in map(json.loads, sys.argv[2:]):
    run = dag.test(run_conf=conf)
    with create_session() as session:
        events = [[event.asset.name, event.extra] for event in session.scalars(select(AssetEvent))]
    runs.append({"state": str(run.state), "events": events, "tasks": {
        f"{t.task_id}{'' if t.map_index < 0 else t.map_index}": str(t.state) for t in run.get_task_instances()
    }})
print(json.dumps(runs))
"""


def in_airflow(var: Path, program: str, *arguments: str, prepared: bool = False) -> Any:
    """Run a program in Airflow's environment; the last line it prints, as JSON."""
    layout = Layout(CHECKOUT, var=var, dags=CHECKOUT / "dags")
    keys = read_or_make_keys(layout.airflow_home)
    env = environment(layout, keys=keys, port=1, mirror_conf=var / "mirror.conf")
    if prepared:
        migrate(layout, env)
    done = subprocess.run(
        [sys.executable, "-c", program, str(layout.dags), *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def describe(var: Path, *, schedule: str = "", conf: str | None = None) -> Any:
    (var / "mirror.conf").write_text(conf or CONF.format(master="https://index.example", schedule=schedule))
    return in_airflow(var, DESCRIBE)


def test_the_dag_file_is_read_without_complaint_and_without_the_engine(tmp_path: Path) -> None:
    found = describe(tmp_path)
    assert found["errors"] == {}
    assert found["imported"] == []


def test_the_tasks_follow_each_other_as_the_data_does(tmp_path: Path) -> None:
    dag = describe(tmp_path, schedule="retries = 5")["dag"]
    assert dag["tasks"] == {
        "fetch_changelog": [
            "approve_removals",
            "download_projects",
            "partition_projects",
            "read_pages",
            "rebuild_index",
            "reload_nginx",
            "report",
        ],
        "read_pages": ["partition_projects"],
        "partition_projects": ["approve_removals", "download_projects"],
        "approve_removals": ["download_projects"],
        "download_projects": ["rebuild_index"],
        "rebuild_index": ["reload_nginx"],
        "reload_nginx": ["report"],
        "report": [],
    }
    assert sorted(dag["mapped"]) == ["download_projects", "read_pages"]
    # A few pages are read without a task; a failed batch keeps the index as it was; a run without batches
    # publishes that it looked.
    none_failed = dict.fromkeys(("partition_projects", "rebuild_index"), "none_failed")
    assert dag["rules"] == dict.fromkeys(dag["tasks"], "all_success") | none_failed
    # fetch_changelog waits for another run, which Airflow can take for a killed task.
    assert {dag["retries"][name] for name in dag["tasks"] if name != "fetch_changelog"} == {5}
    assert dag["retries"]["fetch_changelog"] > 5
    assert set(dag["backoff"]) == {2.0}
    assert dag["callback"] is True


def test_no_task_of_any_dag_may_run_for_ever(tmp_path: Path) -> None:
    timeouts = describe(tmp_path)["dag"]["timeouts"]
    assert {name.partition(".")[0] for name in timeouts} == {
        "pypi_mirror",
        "pypi_mirror_audit",
        "pypi_mirror_cooldown",
        "pypi_mirror_watch",
    }
    assert all(timeouts.values()), timeouts
    for long in ("read_pages", "download_projects"):
        assert timeouts[f"pypi_mirror.{long}"] >= 7 * 24 * 3600


def test_every_dag_has_owner_tags_and_text_and_its_tasks_have_too(tmp_path: Path) -> None:
    shown = describe(tmp_path)["dag"]["shown"]
    assert shown == {
        "pypi_mirror": ["pypi-mirror", ["pypi-mirror", "sync"], True, []],
        "pypi_mirror_audit": ["pypi-mirror", ["audit", "pypi-mirror"], True, []],
        "pypi_mirror_cooldown": ["pypi-mirror", ["cooldown", "pypi-mirror"], True, []],
        "pypi_mirror_watch": ["pypi-mirror", ["alerts", "pypi-mirror"], True, []],
    }


def test_it_runs_by_the_clock_of_the_settings(tmp_path: Path) -> None:
    dag = describe(tmp_path, schedule="cron = 5 4 * * *\ntimezone = Europe/Berlin")["dag"]
    assert dag["timetable"] == "5 4 * * *"
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1
    assert describe(tmp_path, schedule="cron = none")["dag"]["timetable"] == "None"


def test_the_form_and_the_page_explain_the_dag(tmp_path: Path) -> None:
    dag = describe(tmp_path, schedule="batch-size = 77")["dag"]
    assert set(dag["params"]) == {"projects", "recheck", "now", "all", "dry_run", "batch_size"}
    assert all(schema["title"] for schema in dag["params"].values())
    assert str(tmp_path / "mirror.conf") in dag["doc"]
    assert all(name in dag["doc"] for name in dag["tasks"])


def test_a_mistake_in_the_configuration_shows_on_the_page(tmp_path: Path) -> None:
    found = describe(tmp_path, conf="[mirror]\ndirectory = data\nstop-on-eror = true\n")
    assert found["errors"] == {}
    assert "mirror.conf:3" in found["dag"]["doc"]
    assert found["dag"]["timetable"] != "None"


def test_a_small_run_in_process(tmp_path: Path) -> None:
    with running(Warehouse(Upload(distribution=Wheel(name="alpha")))) as upstream:
        (tmp_path / "mirror.conf").write_text(CONF.format(master=upstream.url, schedule=""))
        (found,) = in_airflow(tmp_path, TEST_RUN, json.dumps({"projects": ["Alpha"]}), prepared=True)
    assert found["state"] == "success"
    assert found["tasks"].pop("read_pages") == "skipped", "a page is read without a task of its own"
    assert set(found["tasks"].values()) == {"success"}
    assert "download_projects0" in found["tasks"]
    assert (tmp_path / "data/web/simple/alpha/index.html").exists()


def test_the_asset_of_the_pages_is_updated_when_they_change_and_only_then(tmp_path: Path) -> None:
    """The second run reads and verifies the project, and changes nothing of its page."""
    warehouse = Warehouse(Upload(distribution=Wheel(name="alpha")))
    with running(warehouse) as upstream:
        (tmp_path / "mirror.conf").write_text(CONF.format(master=upstream.url, schedule=""))
        again = json.dumps({"projects": ["alpha"]})
        first, second = in_airflow(tmp_path, TEST_RUN, "{}", again, prepared=True)
    assert {run["state"] for run in (first, second)} == {"success"}
    assert first["events"] == [["pypi_mirror_pages", {"serial": warehouse.serial}]]
    assert second["tasks"]["download_projects0"] == "success"
    assert second["events"] == first["events"], "no other event"


def test_the_dag_in_the_guide_is_one_that_the_asset_starts(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "airflow.md").read_text(), re.DOTALL)
    (tmp_path / "example").mkdir()
    (tmp_path / "example" / "purge_cache.py").write_text(example)
    (tmp_path / "mirror.conf").write_text(CONF.format(master="https://index.example", schedule=""))
    program = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[2])
starts = {name: [a.name for a in dag.timetable.asset_condition.objects] for name, dag in bag.dags.items()}
print(json.dumps([bag.import_errors, starts]))
"""
    assert in_airflow(tmp_path, program, str(tmp_path / "example")) == [
        {},
        {"purge_cache": ["pypi_mirror_pages"]},
    ]


def test_what_publishes_goes_before_what_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = describe(tmp_path)["dag"]["places"]
    weights = {name: weight for name, (weight, _, _) in places.items()}
    assert {rule for _, rule, _ in places.values()} == {"_AbsolutePriorityWeightStrategy"}
    assert weights["rebuild_index"] == weights["reload_nginx"] == weights["report"]
    assert weights["report"] > weights["fetch_changelog"] > weights["download_projects"] > 1
    assert weights["read_pages"] == weights["partition_projects"] == weights["fetch_changelog"]
    pools = {name: pool for name, (_, _, pool) in places.items()}
    assert pools == dict.fromkeys(pools, "default_pool") | {"download_projects": "pypi_mirror"}
