"""nginx for one mirror beside a test: in the foreground, without root, ended by its process id."""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.render import Runtime, default_runtime
from pypi_mirror.webserver.server import nginx_command

_LOOK_AGAIN = 0.02
_LOG_TAIL = 2000


class NginxProcess:
    """nginx for one mirror, as a context manager or by ``start`` and ``stop``."""

    def __init__(self, settings: Settings, *, runtime: Runtime | None = None, patience: float = 10.0) -> None:
        self.settings = settings
        self.runtime = runtime or default_runtime(settings)
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The master's process id, None if it does not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Write the configuration, start nginx and wait until it listens; WebServerError says why not."""
        if self.pid is not None:
            return
        command = nginx_command(self.settings, runtime=self.runtime)
        log = self.runtime.error_log
        seen = log.stat().st_size if log.exists() else 0
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise WebServerError(f"{command[0]} cannot be started: {error.strerror}") from error
        deadline = time.monotonic() + self._patience
        # nginx writes its pid file after it has opened every listening socket.
        while self._recorded_pid() != self._process.pid:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise WebServerError(f"nginx did not start; its log says: {_tail(log, seen) or 'nothing'}")
            time.sleep(_LOOK_AGAIN)

    def stop(self) -> None:
        """End nginx: gracefully, by force if that takes too long; does nothing if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(self._patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _recorded_pid(self) -> int | None:
        try:
            return int(self.runtime.pid.read_text())
        except (FileNotFoundError, ValueError):
            return None


def _tail(log: Path, start: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(start)
            return file.read()[-_LOG_TAIL:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
