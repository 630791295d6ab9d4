"""What people are shown of a run's label."""

import pytest

from pypi_mirror.cli.label import new_label
from pypi_mirror.run_label import RunName, audit_label, run_name, shown_label

LINE = "command line, a.example, process 12"
OWN = f"{LINE}, 4fa9d0c2-4026531836-88123-0a1b2c3d"
NIGHT = "scheduled__2026-11-22T00:00:00+00:00"
ASSET = "asset_triggered__2026-11-22T00:00:00+00:00_x7"


@pytest.mark.parametrize(
    ("label", "shown", "name"),
    [
        (OWN, LINE, RunName(text="command line, a.example")),
        # Where there is no /proc.
        (f"{LINE}, ---0a1b2c3d", LINE, RunName(text="command line, a.example")),
        (NIGHT, NIGHT, RunName(text="scheduled", airflow_id=NIGHT)),
        (audit_label(NIGHT), audit_label(NIGHT), RunName(text="scheduled", airflow_id=NIGHT)),
        (ASSET, ASSET, RunName(text="asset triggered", airflow_id=ASSET)),
        ("mine", "mine", RunName(text="mine")),
    ],
)
def test_what_is_shown(label: str, shown: str, name: RunName) -> None:
    assert (shown_label(label), run_name(label)) == (shown, name)


def test_of_a_label_of_this_process_its_host_and_number_are_shown() -> None:
    label = new_label()
    host, process = shown_label(label).removeprefix("command line, ").split(", process ")
    assert run_name(label) == RunName(text=f"command line, {host}")
    assert process.isdecimal()
