"""A configuration comes into effect only when nginx accepts it; else everything stays as it was."""

import dataclasses
import os
import stat
import time
from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError, WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.name_map import write_name_map
from pypi_mirror.webserver.reload import reload_site, running_fingerprint, write_site
from pypi_mirror.webserver.render import default_runtime, name_map_path, site_config_path
from tests.webserver.sites import (
    BINARIES,
    DJANGO,
    ENTRY,
    LiveSite,
    Reply,
    serving,
    settings_for,
)

pytestmark = pytest.mark.servers


@pytest.fixture(params=BINARIES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_for(tmp_path / "mirror", nginx=request.param)


def changed(settings: Settings, **site: object) -> Settings:
    return dataclasses.replace(settings, site=dataclasses.replace(settings.site, **site))  # type: ignore[arg-type]


def script(path: Path, body: str) -> tuple[str, ...]:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)


def get_from(site: LiveSite, fingerprint: str, path: str) -> Reply:
    """The answer of the new configuration: for a moment after a reload, old workers take connections too."""
    deadline = time.monotonic() + 10
    while (reply := site.get(path)).header("X-Mirror-Config") != fingerprint:
        assert time.monotonic() < deadline, "nginx did not take the configuration up"
        time.sleep(0.02)
    return reply


def break_name_map(settings: Settings) -> None:
    """The one part of the configuration that others write: two lines of one name are an error for nginx."""
    name_map_path(settings).write_text("django django;\ndjango other;\n")


def test_the_first_configuration_is_written_with_everything_it_needs(settings: Settings) -> None:
    written = write_site(settings)
    assert written.changed
    assert written.fingerprint in site_config_path(settings).read_text()
    assert name_map_path(settings).exists()
    assert default_runtime(settings).config.exists()


def test_the_same_configuration_is_not_written_again(settings: Settings) -> None:
    write_site(settings)
    before = site_config_path(settings).stat().st_ino
    assert not write_site(settings).changed
    assert site_config_path(settings).stat().st_ino == before


def test_when_nginx_refuses_the_old_configuration_stays_byte_for_byte(settings: Settings) -> None:
    write_site(settings)
    path = site_config_path(settings)
    main = default_runtime(settings).config
    before = (path.read_bytes(), main.read_bytes())
    break_name_map(settings)
    with pytest.raises(WebServerError, match=r"conflicting parameter \"django\"") as caught:
        write_site(changed(settings, page_max_age=7))
    assert (path.read_bytes(), main.read_bytes()) == before
    rejected = path.with_name(f"{path.name}.rejected")
    assert str(rejected) in str(caught.value)
    assert "max-age=7, public" in rejected.read_text()


def test_the_refused_configuration_goes_when_the_next_is_good(settings: Settings) -> None:
    write_site(settings)
    path = site_config_path(settings)
    break_name_map(settings)
    with pytest.raises(WebServerError):
        write_site(settings)
    write_name_map(name_map_path(settings), [DJANGO])
    assert write_site(settings).changed
    assert sorted(file.name for file in path.parent.iterdir() if file.name.startswith(path.name)) == [
        path.name
    ]


def test_when_nginx_refuses_the_first_configuration_there_is_none(settings: Settings) -> None:
    write_name_map(name_map_path(settings), ())
    break_name_map(settings)
    with pytest.raises(WebServerError):
        write_site(settings)
    assert not site_config_path(settings).exists()


def test_a_setting_that_cannot_be_rendered_changes_nothing(settings: Settings) -> None:
    write_site(settings)
    before = site_config_path(settings).read_bytes()
    with pytest.raises(ConfigurationError):
        write_site(changed(settings, prefix="/a;b"))
    assert site_config_path(settings).read_bytes() == before


def test_the_test_leaves_nothing_behind(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    write_site(settings)
    assert list(scratch.iterdir()) == []
    assert not default_runtime(settings).pid.exists()


def test_a_running_server_takes_a_new_configuration_up(settings: Settings) -> None:
    with serving(settings) as site:
        before = running_fingerprint(settings)
        newer = changed(settings, page_max_age=7)
        result = reload_site(newer)
        assert (result.changed, result.reloaded) == (True, True)
        assert result.fingerprint != before
        reply = get_from(site, result.fingerprint, "/simple/")
        assert reply.header("Cache-Control") == "max-age=7, public"


def test_a_server_that_is_current_is_left_alone(settings: Settings) -> None:
    with serving(settings):
        result = reload_site(settings)
        assert (result.changed, result.reloaded) == (False, False)


def test_a_server_is_found_at_another_address_than_it_listens_on(settings: Settings, tmp_path: Path) -> None:
    with serving(settings):
        # What a host sees of an nginx in a container: it listens on an address that only exists in there.
        here = f"http://127.0.0.1:{settings.site.port}/pypi"
        inside = changed(
            settings, listen=("192.0.2.1",), reload_command=script(tmp_path / "reload", "exit 0")
        )
        assert running_fingerprint(inside) is None
        assert running_fingerprint(changed(inside, probe_url=here)) == running_fingerprint(settings)
        assert reload_site(changed(inside, probe_url=here)).reloaded, "it still runs the other configuration"
        restored = reload_site(changed(settings, probe_url=here))
        assert (restored.changed, restored.reloaded) == (True, False), "it never left this one"


def test_a_new_name_map_alone_is_taken_up(settings: Settings) -> None:
    with serving(settings) as site:
        assert site.get("/simple/Django").status == 404
        write_name_map(name_map_path(settings), [DJANGO, ENTRY])
        result = reload_site(settings)
        assert (result.changed, result.reloaded) == (True, True)
        reply = get_from(site, result.fingerprint, "/simple/Django")
        assert reply.header("Location") == "/pypi/simple/django/"


def test_a_server_that_missed_a_reload_gets_it_with_the_next_call(settings: Settings) -> None:
    with serving(settings) as site:
        newer = changed(settings, page_max_age=7)
        write_site(newer)  # and a crash before the reload
        result = reload_site(newer)
        assert (result.changed, result.reloaded) == (False, True)
        get_from(site, result.fingerprint, "/simple/")


def test_a_refused_configuration_does_not_disturb_the_running_server(settings: Settings) -> None:
    with serving(settings) as site:
        before = running_fingerprint(settings)
        break_name_map(settings)
        with pytest.raises(WebServerError, match="conflicting parameter"):
            reload_site(settings)
        assert running_fingerprint(settings) == before
        assert site.get("/simple/").status == 200


def test_without_a_server_the_error_says_so_and_the_tested_configuration_stays(settings: Settings) -> None:
    with pytest.raises(WebServerError, match=r"does not run for this mirror .*`pypi-mirror nginx serve`"):
        reload_site(settings)
    assert site_config_path(settings).exists()


def test_the_reload_command_is_run_without_a_shell(settings: Settings, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    command = (*script(tmp_path / "reload", f'printf "%s|" "$@" > "{seen}"'), "a b", "$HOME; true")
    result = reload_site(changed(settings, reload_command=command))
    assert result.reloaded
    assert seen.read_text() == "a b|$HOME; true|"


def test_a_failing_reload_command_puts_the_old_configuration_back(settings: Settings, tmp_path: Path) -> None:
    good = changed(settings, reload_command=script(tmp_path / "good", "exit 0"))
    reload_site(good)
    path = site_config_path(settings)
    before = path.read_bytes()
    bad = script(tmp_path / "bad", "echo the other nginx is unhappy >&2; exit 3")
    with pytest.raises(WebServerError, match="failed with 3: the other nginx is unhappy"):
        reload_site(changed(good, reload_command=bad, page_max_age=7))
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(WebServerError):
        reload_site(changed(good, reload_command=bad))
    assert not path.exists()


def test_a_reload_command_that_is_not_there(settings: Settings) -> None:
    with pytest.raises(WebServerError, match=r"/nowhere/reload now cannot be run: No such file"):
        reload_site(changed(settings, reload_command=("/nowhere/reload", "now")))


def test_another_nginx_may_listen_where_we_may_not(settings: Settings, tmp_path: Path) -> None:
    # An address of no interface of this machine (RFC 5737): binding it fails, and so would nginx -t.
    foreign = changed(settings, listen=("192.0.2.1",))
    with pytest.raises(WebServerError, match=r"bind\(\) to 192\.0\.2\.1"):
        write_site(foreign)
    write_site(changed(foreign, reload_command=script(tmp_path / "reload", "exit 0")))
    assert "listen 192.0.2.1:" in site_config_path(settings).read_text()


def test_the_site_file_can_be_kept_elsewhere_and_no_main_file_is_needed_then(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "conf.d" / "mirror.conf"
    write_site(changed(settings, config=path, reload_command=("true",)))
    assert path.exists()
    assert not default_runtime(settings).config.exists()


def test_nobody_answers() -> None:
    # Port 1 is nobody's on the loopback.
    assert running_fingerprint(changed(Settings(directory=Path("/srv/m"), master="x"), port=1)) is None


def test_proxies_of_the_environment_are_not_for_the_server_next_door(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "http_proxy", "http://127.0.0.1:1")
    with serving(settings):
        assert running_fingerprint(settings) is not None
