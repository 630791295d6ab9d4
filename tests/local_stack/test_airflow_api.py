import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from local_stack import airflow_api
from local_stack.airflow_api import AirflowApi, AirflowSilent


def test_a_pool_that_is_there_keeps_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: dict[str, Mapping[str, Any]] = {}

    def request(_api: AirflowApi, method: str, path: str, **given: Any) -> Any:
        if method == "POST":
            pools[given["body"]["name"]] = given["body"]
        return pools.get(path.rpartition("/")[2])

    monkeypatch.setattr(AirflowApi, "request", request)
    api = AirflowApi("http://127.0.0.1:1", user="", password="")
    api.make_pool("mine", slots=4, description="batches")
    api.make_pool("mine", slots=9, description="batches")
    assert pools == {"mine": {"name": "mine", "slots": 4, "description": "batches"}}


@contextmanager
def busy_server(*, silent: int, asked: list[str]) -> Iterator[str]:
    """Takes each request, leaves the first ``silent`` without an answer; ``asked`` gets all methods."""
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                kept.append(connection)
                asked.append(connection.recv(65536).split()[0].decode())
                if len(asked) > silent:
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"known": []}')

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


@pytest.mark.parametrize(("method", "asked_in_all"), [("GET", 3), ("POST", 1), ("PATCH", 1)])
def test_a_busy_server_is_asked_again_what_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, method: str, asked_in_all: int
) -> None:
    monkeypatch.setattr(airflow_api, "TIMEOUT", 0.2)
    asked: list[str] = []
    with busy_server(silent=2, asked=asked) as address:
        api = AirflowApi(address, user="admin", password="secret")
        if method == "GET":
            assert api.request(method, "/dags") == {"known": []}
        else:
            with pytest.raises(AirflowSilent):
                api.request(method, "/dags", body={})
        api.close()
    assert asked == [method] * asked_in_all
