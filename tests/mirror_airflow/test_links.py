from types import SimpleNamespace
from typing import Any, cast

import pytest

from mirror_airflow.links import MirrorPage


@pytest.mark.parametrize(
    ("dag_id", "path"),
    [("pypi_mirror", "/plugin/pypi-mirror"), ("pypi_mirror_watch", "/plugin/pypi-mirror"), ("sales", None)],
)
def test_tasks_of_the_mirror_alone_lead_to_its_page(dag_id: str, path: str | None) -> None:
    key = cast("Any", SimpleNamespace(dag_id=dag_id))
    link = MirrorPage().get_link(cast("Any", None), ti_key=key)
    assert link.endswith(path) if path else link == ""
