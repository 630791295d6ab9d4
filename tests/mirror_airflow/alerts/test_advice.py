import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mirror_airflow.alerts.advice import BY_ERROR, OTHER, advice_for, next_run
from pypi_mirror import errors
from pypi_mirror.cli import _parser
from pypi_mirror.settings.locate import name_used_file
from pypi_mirror.settings.values import Schedule


def kinds(base: type[errors.MirrorError]) -> set[str]:
    return {base.__name__}.union(*(kinds(kind) for kind in base.__subclasses__()))


def test_every_error_of_the_engine_has_advice_and_nothing_else_has() -> None:
    defined = {name for name in kinds(errors.MirrorError) if hasattr(errors, name)}
    assert set(BY_ERROR) - {"RunFailed"} == defined


def test_each_command_in_it_is_one_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPI_MIRROR_CONF", "/srv/mirror.conf")
    said = name_used_file("\n".join(BY_ERROR.values()))
    proposed = re.findall("`(pypi-mirror [^`]+)`", said)
    assert len(proposed) >= 5
    for command in proposed:
        words = command.split()[1:]
        assert _parser(words).parse_args(words).config == Path("/srv/mirror.conf"), command


def test_advice_goes_by_the_class_and_comes_once() -> None:
    assert advice_for(["DiskFull", "DiskFull", "CutOff"]) == (
        BY_ERROR["DiskFull"],
        BY_ERROR["CutOff"],
    )
    assert advice_for([None, "ZeroDivisionError"]) == (OTHER,)
    assert advice_for([]) == ()


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(cron="5 * * * *"), "due at 2026-01-01 11:05 UTC"),
        (Schedule(cron="30 12 * * *", timezone="Europe/Berlin"), "due at 2026-01-01 11:30 UTC"),
        (Schedule(cron="@daily"), "due at 2026-01-02 00:00 UTC"),
        (Schedule(cron=None), "by hand"),
    ],
)
def test_the_next_run_is_named_by_its_time(schedule: Schedule, words: str) -> None:
    assert words in next_run(schedule, datetime(2026, 1, 1, 10, 30, tzinfo=UTC))
