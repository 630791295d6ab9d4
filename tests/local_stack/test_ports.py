import socket

import pytest

from local_stack.errors import StackError
from local_stack.ports import accepts, require_free


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_use_and_how_to_change_it(address: str) -> None:
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
        assert accepts(port)
        with pytest.raises(StackError) as caught:
            require_free(port, used_for="Airflow", how_to_change="choose another one with AIRFLOW_PORT=…")
    for part in (f"port {port}", "Airflow", "taken", "AIRFLOW_PORT"):
        assert part in str(caught.value)


def test_a_free_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    require_free(port, used_for="Airflow", how_to_change="")
    assert not accepts(port)


def test_a_port_is_asked_for_where_it_listens() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        assert accepts(port, host="127.0.0.2")
        assert not accepts(port)
