"""SIGINT, SIGTERM and SIGHUP end a verb, whatever its parent did about them and however often they come.

The first one raises Interrupted where the verb is, or, where an event loop runs, from that loop: what is
raised in a callback of C code would be lost. While that exception unwinds the verb, another signal changes
nothing about it. Code that must not be left half done is ``held_back``; it asks ``received`` where it can
stop.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal ended the program; ``code`` is what shells expect as its exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.code = 128 + number


class _State:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.may_raise = False


_state = _State()


@contextmanager
def handled_signals() -> Iterator[None]:
    """Handle the signals until the end of the block. One that came ends the process: later ones are ignored.
    So they are where the block has put handlers of its own in place.

    A shell starts ``COMMAND &`` with SIGINT ignored and nohup starts it with SIGHUP ignored; only the latter
    is what somebody asked for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.__init__()  # type: ignore[misc]
    asked_for = [n for n in _ENDING if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, _on_signal) for number in asked_for}
    try:
        yield
    finally:
        for number, handler in before.items():
            ends = _state.numbers or signal.getsignal(number) != _on_signal
            signal.signal(number, signal.SIG_IGN if ends else handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """A signal raises Interrupted in this block, at any place; one that came before does so at once."""
    before, _state.may_raise = _state.may_raise, True
    try:
        check()
        yield
    finally:
        _state.may_raise = before


@contextmanager
def held_back() -> Iterator[None]:
    """A signal does nothing in this block; after it, Interrupted is raised unless an outer one holds back."""
    before, _state.may_raise = _state.may_raise, False
    try:
        yield
    finally:
        _state.may_raise = before
    if before:
        check()


def received() -> int:
    """How many signals have come."""
    return len(_state.numbers)


def check() -> None:
    """Raise Interrupted if a signal has come."""
    if _state.numbers:
        _raise()


def _on_signal(number: int, _frame: FrameType | None) -> None:
    _state.numbers.append(number)
    if not _state.may_raise:
        return
    # What has not imported it runs no loop.
    if (asyncio := sys.modules.get("asyncio")) is not None:
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_soon_threadsafe(_raise_once)
            return
    _raise_once()


def _raise_once() -> None:
    """Raise, unless Interrupted is under way: it would cut short a loop that ends tasks, or a ``finally``.

    One that was raised in a finalizer is lost; the next signal raises it again.
    """
    error = sys.exception()
    while error is not None:
        if isinstance(error, Interrupted):
            return
        error = error.__context__
    _raise()


def _raise() -> NoReturn:
    raise Interrupted(_state.numbers[0])
