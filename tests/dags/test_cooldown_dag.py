"""The DAG that lists what is due, as Airflow's scheduler gets to know it."""

from pathlib import Path

import pytest

from tests.dags.test_integrity import CONF, in_airflow

pytestmark = pytest.mark.airflow

DESCRIBE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
heavy = {"sqlalchemy", "pycurl", "pypi_mirror.mirror"}
before = heavy & set(sys.modules)
bag = DagBag(sys.argv[1])
imported = sorted(heavy & set(sys.modules) - before)
dag = bag.dags["pypi_mirror_cooldown"]
shown = DagSerialization.from_dict(DagSerialization.to_dict(dag))
print(json.dumps({
    "errors": bag.import_errors,
    "imported": imported,
    "timetable": shown.timetable.summary,
    "doc": dag.doc_md,
    "runs": dag.max_active_runs,
    "tasks": [task.task_id for task in dag.tasks],
}))
"""


@pytest.mark.parametrize(
    ("cooldown", "cron"),
    [
        ("", "None"),
        ("[cooldown]\nexclude-newer = 7 days", "*/5 * * * *"),
        ("[cooldown]\nexclude-newer = 7 days\ncron = 5 4 * * *", "5 4 * * *"),
        ("[cooldown]\nexclude-newer = 7 days\ncron = none", "None"),
        ("[cooldown]\ncron = 5 4 * * *", "None"),
    ],
)
def test_it_runs_where_files_wait(tmp_path: Path, cooldown: str, cron: str) -> None:
    conf = CONF.format(master="https://index.example", schedule="")
    (tmp_path / "mirror.conf").write_text(f"{conf}{cooldown}\n")
    found = in_airflow(tmp_path, DESCRIBE)
    assert (found["errors"], found["imported"]) == ({}, [])
    assert (found["timetable"], found["runs"], found["tasks"]) == (cron, 1, ["publish_due"])
    assert ("by hand only" if cron == "None" else cron) in found["doc"]
