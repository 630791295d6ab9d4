"""Which run of Airflow a label of the ledger is of."""

import pytest
from airflow.utils.types import DagRunType

from mirror_airflow.run_label import run_of
from pypi_mirror.run_label import AIRFLOW_KINDS, audit_label

NIGHT = "scheduled__2026-11-22T00:00:00+00:00"


@pytest.mark.parametrize(
    ("label", "run"),
    [
        (NIGHT, ("pypi_mirror", NIGHT)),
        (audit_label(NIGHT), ("pypi_mirror_audit", NIGHT)),
        ("sync on a host", None),
        # What an audit gets that waits for an approval: no run's label, and Airflow need not be asked.
        (f"{NIGHT} (awaiting approval of the plan 95926b6886c3)", None),
    ],
)
def test_the_run_behind_a_label(label: str, run: tuple[str, str] | None) -> None:
    assert run_of(label) == run


def test_every_kind_of_run_that_airflow_has_is_known() -> None:
    assert sorted(AIRFLOW_KINDS) == sorted(kind.value for kind in DagRunType)
