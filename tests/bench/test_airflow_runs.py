"""Case L compares two DAGs: they have to be of one shape."""

from pathlib import Path

import pytest

from bench import airflow_runs
from bench.run_sync import Figures
from local_stack.airflow_api import AirflowApi
from tests.dags.test_integrity import CONF, in_airflow

SHAPES = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
shapes = []
for folder, name in ((sys.argv[1], "pypi_mirror"), (sys.argv[2], "nothing")):
    dag = DagBag(folder).dags[name]
    dag = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    shapes.append([
        [t.task_id, sorted(t.downstream_task_ids), str(t.trigger_rule), t.is_mapped] for t in dag.tasks
    ])
print(json.dumps(shapes))
"""


@pytest.mark.airflow
def test_the_dag_that_does_nothing_has_the_shape_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mirror.conf").write_text(CONF.format(master="https://index.example", schedule=""))
    folder = Path(airflow_runs.__file__).parent / "dags"
    ours, nothing = in_airflow(tmp_path, SHAPES, str(folder))
    assert sorted(nothing) == sorted(ours)


def test_the_two_take_turns_and_medians_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([10.0, 4.0, 12.0, 6.0, 90.0, 5.0])
    asked = []

    def run(_api: AirflowApi, dag_id: str) -> Figures:
        asked.append(dag_id)
        return {"wall": next(seconds)}

    monkeypatch.setattr(airflow_runs, "_run", run)
    api = AirflowApi("http://127.0.0.1:1", user="", password="")
    found = airflow_runs._round(api, 3, 0)
    assert asked == ["pypi_mirror", "nothing"] * 3
    assert found == {"ours": {"wall": 12.0, "ratio": 2.4}, "tasks of nothing": {"wall": 5.0}}
