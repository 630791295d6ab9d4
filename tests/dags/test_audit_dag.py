"""The audit's DAG: as Airflow reads it, and one run in process that finds and repairs planted damage."""

import json
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.dags.test_integrity import CONF, in_airflow
from tests.warehouse import Upload, Warehouse, Wheel, running

pytestmark = pytest.mark.airflow

DESCRIBE = """
import json, sys, warnings
warnings.simplefilter("error", DeprecationWarning)
# Airflow's own, where a folder has an .airflowignore, as that of the plugins has.
warnings.filterwarnings("ignore", message="GitWildMatchPattern")
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
heavy = {"sqlalchemy", "pycurl", "pypi_mirror.mirror"}
bag = DagBag(sys.argv[1])
dag = bag.dags.get("pypi_mirror_audit")
shown = None if dag is None else DagSerialization.from_dict(DagSerialization.to_dict(dag))
print(json.dumps({
    "errors": bag.import_errors,
    "dag": shown and {
        "tasks": [t.task_id for t in shown.tasks],
        "params": {name: shown.params.get_param(name).schema for name in shown.params},
        "doc": shown.doc_md,
        "catchup": shown.catchup,
        "max_active_runs": shown.max_active_runs,
        "timetable": shown.timetable.summary,
        "callback": shown.has_on_failure_callback,
    },
}))
"""

TEST_RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
states = []
for arguments in json.loads(sys.argv[2]):
    dag_id, conf = arguments
    dag = DagBag(sys.argv[1]).dags[dag_id]
    # Airflow 3.3.2 looks for it in its database, where a DAG that only test() knows has none.
    dag.deadline = None
    run = dag.test(run_conf=conf)
    states.append({t.task_id: str(t.state) for t in run.get_task_instances()})
    if len(states) == 1:
        exec(sys.argv[3])
print(json.dumps(states))
"""


def describe(var: Path, audit: str = "") -> Any:
    (var / "mirror.conf").write_text(
        CONF.format(master="https://index.example", schedule="timezone = Europe/Berlin")
        + f"[audit]\n{audit}\n"
    )
    return in_airflow(var, DESCRIBE)


def test_the_dag_as_airflow_reads_it(tmp_path: Path) -> None:
    found = describe(tmp_path, "cron = 5 4 * * *\nwithin-days = 12\npages-per-run = 77")
    dag = found["dag"]
    assert found["errors"] == {}
    assert dag["tasks"] == ["audit"]
    assert dag["timetable"] == "5 4 * * *"
    assert (dag["catchup"], dag["max_active_runs"], dag["callback"]) == (False, 1, True)
    assert set(dag["params"]) == {"projects", "everything", "dry_run"}
    assert all(schema["title"] for schema in dag["params"].values())
    assert "12 days" in dag["doc"]
    assert "77" in dag["doc"]
    assert str(tmp_path / "mirror.conf") in dag["doc"]


def test_a_mistake_in_the_configuration_shows_on_the_page(tmp_path: Path) -> None:
    found = describe(tmp_path, "within-days = never")
    assert found["errors"] == {}
    assert "within-days" in found["dag"]["doc"]
    assert found["dag"]["timetable"] != "None"


def test_a_run_finds_and_repairs_damage(tmp_path: Path) -> None:
    wheel = Wheel(name="alpha")
    damage = (
        "from pathlib import Path\n"
        f"path = next(Path({str(tmp_path / 'data/web/packages')!r}).rglob({wheel.file_name!r}))\n"
        "path.write_bytes(path.read_bytes()[:-1] + b'?')\n"
    )
    runs = [
        ("pypi_mirror", {"projects": ["alpha"]}),
        ("pypi_mirror_audit", {"dry_run": True}),
        ("pypi_mirror_audit", {}),
        ("pypi_mirror_audit", {"projects": ["Alpha"], "dry_run": True}),
    ]
    with running(Warehouse(Upload(distribution=wheel))) as upstream:
        (tmp_path / "mirror.conf").write_text(CONF.format(master=upstream.url, schedule=""))
        states = in_airflow(tmp_path, TEST_RUN, json.dumps(runs), damage, prepared=True)
    assert [state["audit"] for state in states[1:]] == ["failed", "success", "success"]
    settings = read_settings(tmp_path / "mirror.conf")
    with open_mirror(settings) as mirror:
        (run,) = [r for r in mirror.ledger.runs.latest(5) if r.request.label.startswith("audit ")]
        assert run.outcome is not None
        assert run.outcome.tally.files_downloaded == 1
        mirror.ledger.lease.take("the next run")
