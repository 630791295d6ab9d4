"""An nginx that no run can signal takes up what runs write, and only what is right."""

import dataclasses
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.name_map import write_name_map
from pypi_mirror.webserver.probe import probe
from pypi_mirror.webserver.reload import (
    NotReloaded,
    await_reload,
    reload_site,
    running_fingerprint,
    write_site,
)
from pypi_mirror.webserver.render import Runtime, default_runtime, name_map_path, site_config_path
from pypi_mirror.webserver.server import Supervisor
from tests.webserver.sites import (
    BINARIES,
    DJANGO,
    ENTRY,
    SAMPLE,
    build_tree,
    settings_for,
)

pytestmark = pytest.mark.servers

PATIENCE = 20.0
COMMAND = (
    *(sys.executable, "-W", "error", "-c"),
    "import sys; from pypi_mirror.cli import main; sys.exit(main())",
    *("nginx", "serve"),
)


@pytest.fixture(params=BINARIES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    settings = changed(settings_for(tmp_path / "mirror", nginx=request.param), reload="watch")
    build_tree(settings)
    return settings


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(folder=tmp_path / "run")


def changed(settings: Settings, **site: object) -> Settings:
    return dataclasses.replace(settings, site=dataclasses.replace(settings.site, **site))  # type: ignore[arg-type]


def until(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@contextmanager
def supervised(settings: Settings, runtime: Runtime) -> Iterator[Future[None]]:
    """A supervisor at work; the future is that of its ``run``."""
    supervisor = Supervisor(settings, runtime)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(supervisor.run)
        try:
            yield running
        finally:
            supervisor.stop()


def break_name_map(settings: Settings) -> None:
    name_map_path(settings).write_text("django django;\ndjango other;\n")


def never_refuses(settings: Settings, folder: Path) -> Settings:
    """With an nginx whose ``-t`` accepts anything: only the one that serves refuses what is written."""
    program = folder / "nginx"
    assert settings.site.nginx is not None
    program.write_text(
        f'#!/bin/sh\ncase " $* " in *" -t "*) exit 0;; esac\nexec {shlex.quote(settings.site.nginx)} "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return changed(settings, nginx=str(program))


def test_it_serves_what_is_written_and_takes_up_what_comes_after(
    settings: Settings, runtime: Runtime
) -> None:
    first = write_site(settings)
    with supervised(settings, runtime):
        until(lambda: running_fingerprint(settings) == first.fingerprint, "it does not serve")
        newer = changed(settings, page_max_age=7)
        result = reload_site(newer)
        assert (result.changed, result.reloaded) == (True, True)
        assert result.fingerprint != first.fingerprint
        assert probe(newer, SAMPLE)
        assert not reload_site(newer).reloaded, "it is current"


def test_a_new_name_map_alone_is_taken_up(settings: Settings, runtime: Runtime) -> None:
    write_site(settings)
    with supervised(settings, runtime):
        until(lambda: running_fingerprint(settings) is not None, "it does not serve")
        write_name_map(name_map_path(settings), [DJANGO, ENTRY])
        assert reload_site(settings).reloaded


def test_it_only_reads_the_mirror(settings: Settings, runtime: Runtime) -> None:
    written = write_site(settings)
    before = sorted(settings.directory.rglob("*"))
    with supervised(settings, runtime):
        until(lambda: running_fingerprint(settings) == written.fingerprint, "it does not serve")
    assert sorted(settings.directory.rglob("*")) == before
    assert not default_runtime(settings).config.exists(), "it has a main file of its own"


def test_before_there_is_a_configuration_it_waits(settings: Settings, runtime: Runtime) -> None:
    with supervised(settings, runtime) as running:
        until((runtime.folder / "refused").is_dir, "it does not begin")
        assert not running.done()
        assert reload_site(settings).reloaded, "the first one is taken up as every other"


def test_what_it_refuses_fails_the_run_at_once_in_nginxs_words_and_the_old_one_serves(
    settings: Settings, runtime: Runtime, tmp_path: Path
) -> None:
    first = write_site(settings)
    path = site_config_path(settings)
    before = path.read_bytes()
    with supervised(settings, runtime):
        until(lambda: running_fingerprint(settings) == first.fingerprint, "it does not serve")
        break_name_map(settings)
        with pytest.raises(
            WebServerError, match=r"refused the new .*conflicting parameter \"django\""
        ) as caught:
            reload_site(never_refuses(settings, tmp_path))
        assert not isinstance(caught.value, NotReloaded)
        assert path.read_bytes() == before
        assert running_fingerprint(settings) == first.fingerprint
        write_name_map(name_map_path(settings), [DJANGO, ENTRY])
        assert reload_site(never_refuses(settings, tmp_path)).reloaded


def test_a_refused_configuration_is_tried_again(
    settings: Settings, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nginx refused may be no fault of the text: here the map that it includes."""
    monkeypatch.setattr("pypi_mirror.webserver.server._TRY_REFUSED_AGAIN", 0.1)
    first = write_site(settings)
    with supervised(settings, runtime):
        until(lambda: running_fingerprint(settings) == first.fingerprint, "it does not serve")
        newer = never_refuses(changed(settings, page_max_age=7), tmp_path)
        good = name_map_path(settings).read_bytes()
        write_site(newer)
        break_name_map(settings)
        second = write_site(newer)
        until((runtime.folder / "refused" / second.fingerprint).exists, "it is not refused")
        name_map_path(settings).write_bytes(good)
        until(lambda: running_fingerprint(settings) == second.fingerprint, "it is not tried again")


def test_the_reason_is_told_to_nobody_else(settings: Settings, runtime: Runtime) -> None:
    first = write_site(settings)
    with supervised(settings, runtime):
        until(lambda: running_fingerprint(settings) == first.fingerprint, "it does not serve")
        (runtime.folder / "refused" / ("0" * 16)).write_text("reason")
        with socket.create_connection(("127.0.0.1", settings.site.port)) as connection:
            connection.sendall(b"GET /pypi/refused/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert b" 404 " in connection.recv(100)


def test_a_configuration_that_nobody_takes_up_is_kept_and_said(settings: Settings) -> None:
    written = write_site(settings)
    with pytest.raises(NotReloaded, match=r"nothing answers there.*pypi-mirror nginx serve.*probe-url"):
        await_reload(settings, written.fingerprint, patience=0.1)


def test_a_run_that_finds_no_server_leaves_the_tested_configuration(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_settings: Settings, fingerprint: str) -> None:
        raise NotReloaded(fingerprint)

    monkeypatch.setattr("pypi_mirror.webserver.reload.await_reload", nobody)
    with pytest.raises(NotReloaded):
        reload_site(settings)
    assert site_config_path(settings).exists()


def test_a_configuration_that_cannot_be_read_ends_no_site_that_serves(
    settings: Settings, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """Over NFS a file that another host has just replaced can be stale for a moment."""
    first = write_site(settings)
    path = site_config_path(settings)
    with supervised(settings, runtime) as running:
        until(lambda: running_fingerprint(settings) == first.fingerprint, "it does not serve")
        path.rename(f"{path}.aside")
        path.mkdir()
        until(lambda: "cannot be looked at" in caplog.text, "it does not say so")
        assert not running.done()
        assert running_fingerprint(settings) == first.fingerprint
        path.rmdir()
        assert reload_site(changed(settings, page_max_age=7)).reloaded
    assert caplog.text.count("cannot be looked at") == 1, "it is said once"


def test_a_first_configuration_that_is_refused_ends_it(settings: Settings, runtime: Runtime) -> None:
    write_site(settings)
    break_name_map(settings)
    with pytest.raises(WebServerError, match="conflicting parameter"):
        Supervisor(settings, runtime).run()


def test_a_configuration_of_somebody_else_is_none(settings: Settings, runtime: Runtime) -> None:
    site_config_path(settings).write_text("server { }\n")
    with pytest.raises(WebServerError, match="was not written by pypi-mirror"):
        Supervisor(settings, runtime).run()


def test_when_nginx_is_gone_so_is_the_supervisor(settings: Settings, runtime: Runtime) -> None:
    first = write_site(settings)
    with supervised(settings, runtime) as running:
        until(lambda: running_fingerprint(settings) == first.fingerprint, "it does not serve")
        os.kill(int(runtime.pid.read_text()), signal.SIGTERM)
        with pytest.raises(WebServerError, match="nginx ended by itself"):
            running.result(PATIENCE)


@pytest.fixture
def process(settings: Settings, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """``pypi-mirror nginx serve`` as a service manager starts it."""
    conf = tmp_path / "mirror.conf"
    conf.write_text(
        f"[mirror]\ndirectory = {settings.directory}\nmaster = https://index.example\n"
        f"[site]\nreload = watch\nport = {settings.site.port}\nnginx = {settings.site.nginx}\n"
        f"public-url = {settings.site.public_url}\n"
    )
    write_site(settings)
    command = (
        *(*COMMAND, "-c", str(conf)),
        *("--runtime", str(tmp_path / "run"), "--access-log", str(tmp_path / "access.log")),
    )
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as started:
        until(lambda: running_fingerprint(settings) is not None, "it does not serve")
        yield started
        started.terminate()


def test_it_ends_when_it_is_told_to_and_takes_nginx_along(
    process: "subprocess.Popen[bytes]", settings: Settings
) -> None:
    process.terminate()
    _, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"nginx serves configuration" in complaints
    assert running_fingerprint(settings) is None


def test_an_answer_that_has_begun_is_finished(process: "subprocess.Popen[bytes]", settings: Settings) -> None:
    """A large download goes on through a stop: nginx is asked to quit, not torn down."""
    large = settings.web / "simple" / "index.html"
    large.write_bytes(b"x" * (32 << 20))
    (settings.web / "simple" / "index.html.gz").unlink()
    with socket.create_connection(("127.0.0.1", settings.site.port)) as connection:
        connection.sendall(b"GET /pypi/simple/ HTTP/1.0\r\nHost: localhost\r\nAccept: text/html\r\n\r\n")
        received = len(connection.recv(1000))
        process.terminate()
        time.sleep(0.5)
        while block := connection.recv(1 << 20):
            received += len(block)
    assert received > 32 << 20
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_its_log_can_be_rotated(
    process: "subprocess.Popen[bytes]", settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    running_fingerprint(settings)
    until(lambda: log.stat().st_size > 0, "nothing is logged")
    log.rename(tmp_path / "access.log.1")
    process.send_signal(signal.SIGUSR1)
    until(log.exists, "the log is not opened again")


@pytest.mark.parametrize("how", ["reload = command", "reload-command = true"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_without_watching_it_simply_runs_nginx_in_the_foreground(
    settings: Settings, tmp_path: Path, how: str, number: signal.Signals
) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text(
        f"[mirror]\ndirectory = {settings.directory}\nmaster = https://index.example\n"
        f"[site]\n{how}\nport = {settings.site.port}\nnginx = {settings.site.nginx}\n"
        f"public-url = {settings.site.public_url}\n"
    )
    command = shlex.join([*COMMAND, "-c", str(conf)])
    with subprocess.Popen(
        ["sh", "-c", f"trap '' INT; exec {command}"], stderr=subprocess.PIPE, start_new_session=True
    ) as started:
        until(lambda: running_fingerprint(settings) is not None, "it does not serve")
        pid = int(default_runtime(settings).pid.read_text())
        started.send_signal(number)
        started.send_signal(number)
        _, complaints = started.communicate(timeout=PATIENCE)
    assert (started.returncode, b"Traceback" in complaints) == (0, False)
    assert not Path(f"/proc/{pid}").exists()
    assert running_fingerprint(settings) is None


def test_without_a_mirror_it_says_so(tmp_path: Path) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text(f"[mirror]\ndirectory = {tmp_path}/none\nmaster = https://index.example\n")
    done = subprocess.run([*COMMAND, "-c", str(conf)], capture_output=True, text=True, check=False)
    assert (done.returncode, "no mirror is here yet" in done.stderr) == (1, True)
