"""How far a run is: a bar on a terminal, a line now and then elsewhere; both on standard error."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from pypi_mirror.model import Tally
from pypi_mirror.wording import count, duration, of, size

# A line for each tenth that is done, no more often than this, and for so many seconds without one.
_TENTHS: Final = 10
_LEAST_BETWEEN: Final = 1.0
_MOST_BETWEEN: Final = 30.0
# Seconds between two looks at how far following dependencies is.
_FOLLOWING_BETWEEN: Final = 10.0
_FOLLOWING_REFRESH: Final = 0.5


def show_progress(projects: int) -> AbstractContextManager[Callable[[Tally], None]]:
    """Shows how far a run of so many projects is; call it with what was done since the last time."""
    return _bar("projects", projects, _done) if sys.stderr.isatty() else _lines(_Lines(projects))


@contextmanager
def show_reading(pages: int) -> Iterator[Callable[[int], None]]:
    """Shows how far reading so many pages is; call it with how many were read since the last time."""
    bar = _bar("pages", pages, lambda _: "read") if sys.stderr.isatty() else _lines(_PageLines(pages))
    with bar as show:
        yield lambda read: show(Tally(projects_done=read))


@contextmanager
def show_following(progress: Callable[[], tuple[int, int]]) -> Iterator[Callable[[], None]]:
    """Shows how far following dependencies is; call it whenever it went on. ``progress`` tells how many
    projects are known, and how many of them are left.
    """
    following = _FollowingBar(progress) if sys.stderr.isatty() else FollowingLines(progress)
    try:
        yield following
    finally:
        following.end()


@contextmanager
def _bar(what: str, number: int, besides: Callable[[Tally], str]) -> Iterator[Callable[[Tally], None]]:
    with Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[done]}"),
        _Left(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("sync", total=number, done="")
        total = Tally()

        def show(tally: Tally) -> None:
            nonlocal total
            total += tally
            bar.update(task, completed=total.projects_done + total.projects_failed, done=besides(total))

        yield show


@contextmanager
def _lines(lines: "_Lines") -> Iterator[Callable[[Tally], None]]:
    ended = threading.Event()

    def at_least_now_and_then() -> None:
        while not ended.wait(1.0):
            lines.tell(Tally())

    teller = threading.Thread(target=at_least_now_and_then, name="progress", daemon=True)
    teller.start()
    try:
        yield lines.tell
    finally:
        ended.set()
        teller.join()


class _Left(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None or task.finished else f"about {duration(left)} left")


class _Lines:
    def __init__(self, projects: int) -> None:
        self._projects = projects
        self._total = Tally()
        self._said_at = time.monotonic()
        self._said = 0
        self._lock = threading.Lock()

    def tell(self, tally: Tally) -> None:
        with self._lock:
            self._total += tally
            done = self._total.projects_done + self._total.projects_failed
            waited = time.monotonic() - self._said_at
            another_tenth = done * _TENTHS // self._projects > self._said * _TENTHS // self._projects
            if done < self._projects and (
                waited >= _MOST_BETWEEN or (another_tenth and waited >= _LEAST_BETWEEN)
            ):
                self._said_at, self._said = time.monotonic(), done
                print(self._line(done), file=sys.stderr, flush=True)

    def _line(self, done: int) -> str:
        failed = f", {self._total.projects_failed:,} failed" if self._total.projects_failed else ""
        return f"{of(done, self._projects, 'project')} done{failed}; {_done(self._total)}"


class _PageLines(_Lines):
    def _line(self, done: int) -> str:
        return f"{of(done, self._projects, 'page')} read"


class FollowingLines:
    """A line now and then: the number of projects grows while they are followed, so nobody knows the end."""

    between = _FOLLOWING_BETWEEN

    def __init__(self, progress: Callable[[], tuple[int, int]]) -> None:
        self._progress = progress
        self._said_at = time.monotonic()

    def __call__(self) -> None:
        if (now := time.monotonic()) - self._said_at >= self.between:
            self._said_at = now
            self.show(*self._progress())

    def show(self, known: int, left: int) -> None:
        print(f"following dependencies: {_known(known, left)}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Nothing is left to show."""


class _FollowingBar(FollowingLines):
    between = _FOLLOWING_REFRESH

    def __init__(self, progress: Callable[[], tuple[int, int]]) -> None:
        super().__init__(progress)
        self._bar: Progress | None = None

    def show(self, known: int, left: int) -> None:
        if self._bar is None:
            columns = TextColumn("dependencies"), BarColumn(), TextColumn("{task.fields[said]}")
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("follow", total=known, said="")
            self._bar.start()
        self._bar.update(self._task, total=known, completed=known - left, said=_known(known, left))

    def end(self) -> None:
        if self._bar is not None:
            self.show(*self._progress())
            self._bar.stop()


def _known(known: int, left: int) -> str:
    return f"{count(known, 'project')} known, {left:,} left"


def _done(total: Tally) -> str:
    return f"{count(total.files_downloaded, 'file')}, {size(total.bytes_downloaded)} downloaded"
