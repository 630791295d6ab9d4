from collections.abc import Mapping
from typing import Any

import pytest

from local_stack.airflow_api import AirflowApi


def test_a_pool_that_is_there_keeps_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: dict[str, Mapping[str, Any]] = {}

    def request(_api: AirflowApi, method: str, path: str, **given: Any) -> Any:
        if method == "POST":
            pools[given["body"]["name"]] = given["body"]
        return pools.get(path.rpartition("/")[2])

    monkeypatch.setattr(AirflowApi, "request", request)
    api = AirflowApi("http://127.0.0.1:1", user="", password="")
    api.make_pool("mine", slots=4, description="batches")
    api.make_pool("mine", slots=9, description="batches")
    assert pools == {"mine": {"name": "mine", "slots": 4, "description": "batches"}}
