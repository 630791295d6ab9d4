import pytest

from mirror_airflow.scheduling import batch_pool


def test_batches_are_in_a_pool_that_somebody_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYPI_MIRROR_POOL", raising=False)
    assert batch_pool() == "default_pool"
    monkeypatch.setenv("PYPI_MIRROR_POOL", "")
    assert batch_pool() == "default_pool"
    monkeypatch.setenv("PYPI_MIRROR_POOL", "mine")
    assert batch_pool() == "mine"
