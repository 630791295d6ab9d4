"""Runs nginx in the foreground; one that runs cannot signal loads each configuration that they write.

It may be in another container, another user's, or on another host: all it shares with the runs is the
mirror's directory, which it only reads. What it serves is a copy of the last configuration that nginx
accepted, so a refused one changes nothing; ``reload.py`` reads the reason from the site itself.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.nginx_binary import find_nginx
from pypi_mirror.webserver.reload import require_accepted, write_main, write_site
from pypi_mirror.webserver.render import (
    REFUSED,
    Runtime,
    default_runtime,
    fingerprint_in,
    site_config_path,
)

_LOOK_AGAIN: Final = 0.5
# A refused configuration may be right by now: what it includes, or may not read, is not in its text.
_TRY_REFUSED_AGAIN: Final = 30.0
_AFTER_TROUBLE: Final = 2.0
# Docker and systemd are told to wait longer before they kill.
_GRACE: Final = 25.0
_ABRUPT: Final = 3.0

_log = logging.getLogger(__name__)


def nginx_command(settings: Settings, *, runtime: Runtime | None = None) -> tuple[str, ...]:
    """Write the configuration, see that the port is free, and return the command that runs nginx in the
    foreground; for callers that own processes themselves.
    """
    runtime = runtime or default_runtime(settings)
    write_site(settings, runtime=runtime)
    require_free_port(settings)
    return (str(find_nginx(settings)), *runtime.arguments)


def require_free_port(settings: Settings) -> None:
    """Raise WebServerError if nothing of ours could listen at the site's address."""
    port = settings.site.port
    for listen in settings.site.listen:
        host = None if listen == "*" else listen.removeprefix("[").removesuffix("]")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            with socket.socket(family, kind, protocol) as attempt:
                # As nginx does: connections of an earlier server that are winding down are no obstacle.
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                attempt.bind(address)
                attempt.listen(1)
        except OSError as error:
            raise WebServerError(
                f"nginx cannot listen on {listen} port {port}: {error.strerror or error}. "
                "End the program that has the port, or set [site] port to another one"
            ) from error


class Foreground:
    """One nginx, from ``run`` to its end, with the settings of now until `pypi-mirror nginx reload`."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self._settings = settings
        self._runtime = runtime
        self._binary = find_nginx(settings)
        self._nginx: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        """Serve until ``stop``, or a signal after ``handle_signals``.

        WebServerError if nginx cannot be started, refuses its configuration, or ends by itself.
        """
        if not self._settings.web.is_dir():
            raise WebServerError(
                f"{self._settings.directory}: no mirror is here yet; `pypi-mirror sync` makes it"
            )
        nginx_command(self._settings, runtime=self._runtime)
        self._runtime.temporary.mkdir(parents=True, exist_ok=True)
        # Written for this nginx alone where runs signal another one.
        write_main(self._settings, self._runtime, site=site_config_path(self._settings))
        self._nginx = self._start()
        _log.info("nginx serves %s; its logs are in %s", self._settings.site.public_url, self._runtime.folder)
        try:
            while not self._stopping.is_set():
                self._require_alive()
                self._stopping.wait(_LOOK_AGAIN)
        finally:
            self._end()

    def stop(self) -> None:
        self._stopping.set()

    def handle_signals(self) -> None:
        """SIGTERM, SIGINT and SIGHUP stop; SIGUSR1 has nginx open its logs again, after they were rotated."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop_for)
        signal.signal(signal.SIGUSR1, self._reopen_logs)

    def _stop_for(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()

    def _reopen_logs(self, number: int, _frame: FrameType | None) -> None:
        if self._nginx is not None:
            self._nginx.send_signal(number)

    def _require_alive(self) -> None:
        if self._nginx is not None and (code := self._nginx.poll()) is not None:
            raise WebServerError(f"nginx ended by itself with exit code {code}; its log is above")

    def _start(self) -> "subprocess.Popen[bytes]":
        command = (str(self._binary), *self._runtime.arguments)
        try:
            # A session of its own: Ctrl-C reaches us alone, and we end it gracefully.
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            raise WebServerError(f"{command[0]} cannot be started: {error.strerror}") from error

    def _end(self) -> None:
        """Let nginx finish the answers that it has begun, as long as there is time for it."""
        if self._nginx is None:
            return
        for number, patience in ((signal.SIGQUIT, _GRACE), (signal.SIGTERM, _ABRUPT)):
            if self._nginx.poll() is None:
                self._nginx.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._nginx.wait(patience)
                return
        with suppress(ProcessLookupError):
            os.killpg(self._nginx.pid, signal.SIGKILL)
        self._nginx.wait()


class Supervisor(Foreground):
    """Have nginx load each configuration that is written. It writes to ``runtime`` alone."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        super().__init__(settings, runtime)
        self._written = site_config_path(settings)
        self._seen: bytes | None = None
        self._try_again_at: float | None = None
        self._trouble: str | None = None

    @property
    def site(self) -> Path:
        """The copy that nginx serves by."""
        return self._runtime.folder / "site.conf"

    @property
    def _refused(self) -> Path:
        return self._runtime.folder / REFUSED

    def run(self) -> None:
        """Serve until ``stop``, or SIGTERM or SIGINT after ``handle_signals``.

        Waits for a configuration where there is none yet. ``WebServerError`` if nginx refuses the first one,
        or ends by itself.
        """
        self._runtime.temporary.mkdir(parents=True, exist_ok=True)
        # What an earlier life refused or accepted says nothing now.
        shutil.rmtree(self._refused, ignore_errors=True)
        self._refused.mkdir()
        if not self._written.exists():
            _log.info("waiting for %s, which `pypi-mirror nginx render` or a run writes", self._written)
        try:
            while not self._stopping.is_set():
                self._look()
                self._require_alive()
                self._stopping.wait(_LOOK_AGAIN)
        finally:
            self._end()

    def _look(self) -> None:
        try:
            self._take_up_news()
        except OSError as error:
            # A network's disk that is away for a moment, or a full one of our own, ends no site that serves.
            if self._nginx is None:
                raise
            if str(error) != self._trouble:
                _log.error("the configuration that serves stays, a new one cannot be looked at: %s", error)
            self._trouble = str(error)
            self._seen = None
            self._stopping.wait(_AFTER_TROUBLE)
        else:
            self._trouble = None

    def _take_up_news(self) -> None:
        try:
            text = self._written.read_bytes()
        except FileNotFoundError:
            self._seen = None
            return
        again = self._try_again_at is not None and time.monotonic() > self._try_again_at
        if text != self._seen or again:
            self._seen = text
            self._take_up(text.decode(errors="replace"))

    def _take_up(self, text: str) -> None:
        fingerprint = fingerprint_in(text)
        self._try_again_at = None
        try:
            if fingerprint is None:
                raise WebServerError(f"{self._written} was not written by pypi-mirror with reload = watch")
            require_accepted(self._settings, self._binary, text)
        except WebServerError as error:
            if self._nginx is None:
                raise
            if fingerprint is not None:
                write_atomically(self._refused / fingerprint, f"{error}\n".encode())
            self._try_again_at = time.monotonic() + _TRY_REFUSED_AGAIN
            _log.error("the configuration that serves stays, the new one was refused: %s", error)
            return
        for outdated in self._refused.iterdir():
            outdated.unlink()
        write_atomically(self.site, text.encode())
        write_main(self._settings, self._runtime, site=self.site)
        if self._nginx is None:
            self._nginx = self._start()
            _log.info("nginx serves configuration %s", fingerprint)
        else:
            self._nginx.send_signal(signal.SIGHUP)
            _log.info("nginx loads configuration %s", fingerprint)
