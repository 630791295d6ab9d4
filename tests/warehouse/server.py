"""Runs a warehouse as an HTTP server on 127.0.0.1: in a thread of a test, or as the process itself."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.warehouse.app import App
from tests.warehouse.behaviour import PYPI, Behaviour, Hosts
from tests.warehouse.events import Event
from tests.warehouse.faults import Fault, Faults
from tests.warehouse.requests import RequestLog
from tests.warehouse.routes import Routes
from tests.warehouse.state import Warehouse

HOST = "127.0.0.1"


class Server:
    """A warehouse behind a socket that listens from the start.

    ``port`` 0 takes a free one. ``hosts`` are the addresses written into pages, by default the server's own.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        behaviour: Behaviour = PYPI,
        faults: tuple[Fault, ...] = (),
        hosts: Hosts | None = None,
        port: int = 0,
    ) -> None:
        self.socket = _listen(port)
        self.port: int = self.socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        # What a mirror of this index has for its master.
        self.master = self.url if behaviour.base == "/simple/" else self.url + behaviour.base.rstrip("/")
        self.warehouse = warehouse
        self.requests = RequestLog()
        self.faults = Faults(*faults)
        self.routes = Routes(warehouse, behaviour, hosts or Hosts(site=self.url, files=self.url))
        self._app = App(self.routes, self.faults, self.requests, time.time)
        self._running: threading.Thread | None = None
        self._ended = threading.Event()
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self._app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the application's
                timeout_keep_alive=60,
            )
        )

    def follow(self, clock: Callable[[], float]) -> None:
        """Dates answers by ``clock``, seconds since 1970, from now on."""
        self._app.clock = clock

    def apply(self, *events: Event) -> int:
        """Lets events happen; returns the serial afterwards."""
        return self.warehouse.apply(*events)

    def inject(self, *faults: Fault) -> None:
        self.faults.inject(*faults)

    def run(self) -> None:
        """Serves in this thread until ``stop``, or in the main thread SIGINT or SIGTERM."""
        self._running = threading.current_thread()
        try:
            self._uvicorn.run(sockets=[self.socket])
        finally:
            self._ended.set()

    def stop(self) -> None:
        """Ends ``run``, even before it began; open connections are cut.

        Returns when nothing is answered any more, unless it is called in the thread that serves.
        """
        self._uvicorn.stop()
        if self._running not in (None, threading.current_thread()):
            self._ended.wait()


@contextmanager
def running(
    warehouse: Warehouse,
    *,
    behaviour: Behaviour = PYPI,
    faults: tuple[Fault, ...] = (),
    hosts: Hosts | None = None,
    port: int = 0,
) -> Iterator[Server]:
    """A server in a thread of this process; at the end open connections are cut and the thread is gone."""
    server = Server(warehouse, behaviour=behaviour, faults=faults, hosts=hosts, port=port)
    thread = threading.Thread(target=server.run, name=f"warehouse-{server.port}")
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


class _Protocol(HttpToolsProtocol):
    """Hands the connection to the application, which must be able to lose it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"transport": self.transport}  # type: ignore[dict-item]


class _Uvicorn(uvicorn.Server):
    """Stops at once and from any thread; uvicorn's own loop looks every tenth of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._guard = threading.Lock()

    def stop(self) -> None:
        with self._guard:
            self.should_exit = True
            if self._loop is not None and self._wake is not None:
                self._loop.call_soon_threadsafe(self._wake.set)

    def handle_exit(self, sig: int, frame: object) -> None:
        super().handle_exit(sig, frame)  # type: ignore[arg-type]
        if self._loop is not None and self._wake is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def main_loop(self) -> None:
        with self._guard:
            self._loop = asyncio.get_running_loop()
            self._wake = asyncio.Event()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), timeout=1.0)
        with self._guard:
            self._loop = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in self.servers:
            listener.close()
        for each in sockets or []:
            each.close()
        # Again and again, because one may have been accepted while the listener closed; and before the tasks
        # end, or a cancelled one would still send its client a 500.
        while self.server_state.connections:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A server that was stopped a moment ago leaves its port in TIME_WAIT.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener
