from pathlib import Path

import pytest

from local_stack.options import Options, parse_options


def test_all_that_make_passes_on() -> None:
    ports = ["--airflow-port", "9001", "--upstream-port", "9002"]
    assert parse_options(["mirror", *ports, "--conf", "my.conf", "--install", "six"]) == Options(
        command="mirror", conf=Path("my.conf"), airflow_port=9001, upstream_port=9002, install="six"
    )
    assert parse_options(["down"]) == Options(command="down")


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(["up", f"--airflow-port={port}"])
    assert caught.value.code == 2
    assert "is not a port" in capsys.readouterr().err


def test_the_port_of_a_site_of_ones_own_is_in_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["up", "--conf", "my.conf", "--nginx-port", "80"])
    assert "[site] port in my.conf" in capsys.readouterr().err
