import socket

import pytest

from local_stack.ports import accepts, port_problem


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_use_and_how_to_change_it(address: str) -> None:
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
        assert accepts(port)
        said = port_problem(port, used_for="Airflow", how_to_change="choose another one with AIRFLOW_PORT=…")
    assert said == (
        f"port {port}, needed for Airflow, is taken by another program; "
        "choose another one with AIRFLOW_PORT=…"
    )


def test_a_free_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert port_problem(port, used_for="Airflow", how_to_change="") is None
    assert not accepts(port)


def test_a_port_is_asked_for_where_it_listens() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        assert accepts(port, host="127.0.0.2")
        assert not accepts(port)
