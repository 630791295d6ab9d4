"""How far a run is: a bar on a terminal, a line now and then elsewhere; both on standard error.

What draws bars is imported where one is drawn: it takes a tenth as long to start as all the rest.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from pypi_mirror.model import Tally
from pypi_mirror.wording import count, of, size

# A line for each tenth that is done, no more often than this, and for so many seconds without one.
_TENTHS: Final = 10
_LEAST_BETWEEN: Final = 1.0
_MOST_BETWEEN: Final = 30.0
# Seconds between two looks at how far following dependencies is.
_FOLLOWING_BETWEEN: Final = 10.0


def show_progress(projects: int) -> AbstractContextManager[Callable[[Tally], None]]:
    """Shows how far a run of so many projects is; call it with what was done since the last time."""
    if not sys.stderr.isatty():
        return _lines(_Lines(projects))
    from pypi_mirror.cli.progress_bar import bar

    return bar("projects", projects, downloaded)


@contextmanager
def show_reading(pages: int) -> Iterator[Callable[[int], None]]:
    """Shows how far reading so many pages is; call it with how many were read since the last time."""
    if not sys.stderr.isatty():
        shown = _lines(_PageLines(pages))
    else:
        from pypi_mirror.cli.progress_bar import bar

        shown = bar("pages", pages, lambda _: "read")
    with shown as show:
        yield lambda read: show(Tally(projects_done=read))


@contextmanager
def show_following(progress: Callable[[], tuple[int, int]]) -> Iterator[Callable[[], None]]:
    """Shows how far following dependencies is; call it whenever it went on. ``progress`` tells how many
    projects are known, and how many of them are left.
    """
    if not sys.stderr.isatty():
        following = FollowingLines(progress)
    else:
        from pypi_mirror.cli.progress_bar import FollowingBar

        following = FollowingBar(progress)
    try:
        yield following
    finally:
        following.end()


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
        return f"{of(done, self._projects, 'project')} done{failed}; {downloaded(self._total)}"


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
        print(f"following dependencies: {known_and_left(known, left)}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Nothing is left to show."""


def known_and_left(known: int, left: int) -> str:
    return f"{count(known, 'project')} known, {left:,} left"


def downloaded(total: Tally) -> str:
    return f"{count(total.files_downloaded, 'file')}, {size(total.bytes_downloaded)} downloaded"
