"""The watch's DAG as Airflow's scheduler gets to know it."""

from pathlib import Path
from typing import Any

import pytest

from tests.dags.test_integrity import CONF, in_airflow

pytestmark = pytest.mark.airflow

DESCRIBE = """
import json, sys, warnings
warnings.simplefilter("error", DeprecationWarning)
# Airflow's own, where a folder has an .airflowignore, as that of the plugins has.
warnings.filterwarnings("ignore", message="GitWildMatchPattern")
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
heavy = {"sqlalchemy", "pycurl", "requests", "pypi_mirror.mirror", "airflow.providers.smtp"}
before = heavy & set(sys.modules)
bag = DagBag(sys.argv[1])
imported = sorted(heavy & set(sys.modules) - before)
dag = bag.dags["pypi_mirror_watch"]
shown = DagSerialization.from_dict(DagSerialization.to_dict(dag))
(task,) = shown.tasks
others = [t for d in bag.dags.values() for t in d.tasks if d is not dag]
print(json.dumps({
    "errors": bag.import_errors,
    "imported": imported,
    "timetable": shown.timetable.summary,
    "doc": shown.doc_md,
    "paused": dag.is_paused_upon_creation,
    "runs": shown.max_active_runs,
    "params": {name: shown.params.get_param(name).schema["title"] for name in shown.params},
    "task": [task.task_id, task.retries, task.pool, task.priority_weight],
    "first": all(task.priority_weight > t.priority_weight for t in others),
}))
"""


def describe(var: Path, alerts: str) -> Any:
    conf = CONF.format(master="https://index.example", schedule="timezone = Europe/Berlin")
    (var / "mirror.conf").write_text(f"{conf}[alerts]\n{alerts}\n")
    return in_airflow(var, DESCRIBE)


def test_the_watch_is_that_of_the_settings(tmp_path: Path) -> None:
    found = describe(tmp_path, "watch-cron = 5 4 * * *\nwebhook-connection = hook")
    assert found["errors"] == {}
    assert found["imported"] == []
    assert found["timetable"] == "5 4 * * *"
    assert "`5 4 * * *` (Europe/Berlin)" in found["doc"]
    assert "notified by: webhook" in found["doc"]
    # It works from the first day on, and waits for no batch of a run.
    assert (found["paused"], found["runs"], found["first"]) == (False, 1, True)
    assert found["params"] == {"test_message": "Send a test message"}
    assert found["task"][:3] == ["watch", 2, "default_pool"]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    found = describe(tmp_path, "watch-cron = none")
    assert found["timetable"] == "None"
