"""How far a run is, drawn as a bar on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from pypi_mirror.cli.progress import FollowingLines, known_and_left
from pypi_mirror.model import Tally
from pypi_mirror.wording import duration

_REFRESH: Final = 0.5


@contextmanager
def bar(what: str, number: int, besides: Callable[[Tally], str]) -> Iterator[Callable[[Tally], None]]:
    """Draws how many of ``number`` things are done, and what ``besides`` says of it."""
    with Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[done]}"),
        _Left(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("sync", total=number, done="")
        total = Tally()

        def show(tally: Tally) -> None:
            nonlocal total
            total += tally
            progress.update(task, completed=total.projects_done + total.projects_failed, done=besides(total))

        yield show


class _Left(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None or task.finished else f"about {duration(left)} left")


class FollowingBar(FollowingLines):
    between = _REFRESH

    def __init__(self, progress: Callable[[], tuple[int, int]]) -> None:
        super().__init__(progress)
        self._bar: Progress | None = None

    def show(self, known: int, left: int) -> None:
        if self._bar is None:
            columns = TextColumn("dependencies"), BarColumn(), TextColumn("{task.fields[said]}")
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("follow", total=known, said="")
            self._bar.start()
        self._bar.update(self._task, total=known, completed=known - left, said=known_and_left(known, left))

    def end(self) -> None:
        if self._bar is not None:
            self.show(*self._progress())
            self._bar.stop()
