"""How far the run under way is, how fast, and how long it will take."""

from dataclasses import dataclass
from datetime import datetime

from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """A batch of the plan; ``name`` says which stretch of the alphabet it holds."""

    number: int
    name: str
    projects: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """The run under way. ``done`` and ``failed`` are projects of the ``planned``; ``files`` and ``bytes``
    were downloaded so far. ``bytes_a_second`` and ``projects_a_second`` are those of the last minutes, None
    before there is anything to tell them from, and so is ``seconds_left``.
    """

    label: str
    kind: RunKind
    started_at: datetime
    planned: int
    done: int
    failed: int
    batches: int
    batches_done: int
    files: int
    bytes: int
    bytes_a_second: float | None
    projects_a_second: float | None
    seconds_left: int | None
    batch_list: tuple[BatchProgress, ...]


def progress(mirror: Mirror) -> RunProgress | None:
    """The run under way, None when none is."""
    raise NotImplementedError
