"""How far a run is, on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pypi_mirror.model import Tally
from pypi_mirror.wording import count, size


@contextmanager
def progress_bar(projects: int) -> Iterator[Callable[[Tally], None]]:
    """A bar on standard error, to be told what was done since the last time; only a terminal shows it."""
    with Progress(
        TextColumn("projects"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("sync", total=projects, done="")
        total = Tally()

        def show(tally: Tally) -> None:
            nonlocal total
            total += tally
            bar.update(
                task,
                completed=total.projects_done + total.projects_failed,
                done=f"{count(total.files_downloaded, 'file')}, {size(total.bytes_downloaded)}",
            )

        yield show
