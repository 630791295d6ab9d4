"""Bring a new configuration into effect, so that at every moment the one on disk is one that works.

The new text is tested as a candidate in a folder of its own. Only what nginx accepts replaces the old
file; if the reload then fails, the old file is put back, because a server that restarts at night has to
come up again.

Which configuration the live server runs it tells by itself: the header ``X-Mirror-Config`` of every answer
names it, and what ``server.Supervisor`` refused it serves under the name of that configuration, with nginx's
words. So the two need nothing in common but the file and the site, wherever nginx runs.
"""

import grp
import os
import pwd
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import requests
from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.disk.files import remove_file
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.name_map import NameMap, read_name_map
from pypi_mirror.webserver.nginx_binary import capabilities, find_nginx
from pypi_mirror.webserver.quoting import local_url, server_name
from pypi_mirror.webserver.render import (
    FINGERPRINT_HEADER,
    REFUSED,
    RenderedSite,
    Runtime,
    default_runtime,
    name_map_path,
    render,
    render_main,
    site_config_path,
)

_ANSWER_PATIENCE = 5.0
_LOOK_AGAIN = 0.2
# The supervisor looks twice a second and nginx reads a map of a million names in two; a busy machine takes
# longer.
_RELOAD_PATIENCE = 60.0
_PATIENCE = 120.0
_QUOTED_AT_MOST = 2000


class NotReloaded(WebServerError):
    """The live server does not run the new configuration, and has not refused it either."""


def running_fingerprint(settings: Settings) -> str | None:
    """Which configuration the live server runs; None if none answers or it is not ours."""
    answer = _ask(settings, "HEAD", "/simple/")
    return None if answer is None else answer.headers.get(FINGERPRINT_HEADER)


def await_reload(settings: Settings, fingerprint: str, *, patience: float = _RELOAD_PATIENCE) -> None:
    """Wait until the live server runs the configuration ``fingerprint``.

    ``WebServerError`` with nginx's words as soon as it has refused it, ``NotReloaded`` after ``patience``
    seconds.
    """
    end = time.monotonic() + patience
    while (running := running_fingerprint(settings)) != fingerprint:
        answer = _ask(settings, "GET", f"/{REFUSED}/{fingerprint}")
        if answer is not None and answer.status_code == requests.codes.ok:
            raise WebServerError(
                f"nginx at {local_url(settings.site)} refused the new configuration and keeps the "
                f"old one: {answer.text.strip()}"
            )
        if time.monotonic() > end:
            found = "nothing answers there" if running is None else f"{FINGERPRINT_HEADER} there is {running}"
            raise NotReloaded(
                f"{local_url(settings.site)}: nginx did not load the new configuration ({fingerprint}) "
                f"within {patience:.0f} seconds; {found}. [site] reload = watch needs `pypi-mirror nginx "
                "serve` with the same mirror.conf and directory: look at its log, and whether [site] "
                "probe-url is where it answers"
            )
        time.sleep(_LOOK_AGAIN)


def _ask(settings: Settings, method: str, path: str) -> requests.Response | None:
    with requests.Session() as session:
        # A proxy in the environment is for upstream, not for the server next door.
        session.trust_env = False
        try:
            return session.request(
                method,
                f"{local_url(settings.site)}{path}",
                headers={"Host": f"{server_name(settings)}:{settings.site.port}"},
                timeout=_ANSWER_PATIENCE,
                allow_redirects=False,
            )
        except requests.RequestException:
            return None


def require_accepted(settings: Settings, binary: Path, text: str) -> None:
    """``nginx -t`` over ``text`` as the site, included by a main file of its own, in a folder of its own.

    ``WebServerError`` quotes nginx if it refuses.
    """
    with tempfile.TemporaryDirectory(prefix="pypi-mirror-") as folder:
        runtime = Runtime(folder=Path(folder))
        candidate = runtime.folder / "candidate.conf"
        candidate.write_text(text)
        runtime.temporary.mkdir()
        write_main(settings, runtime, site=candidate)
        _run_program((str(binary), "-t", "-q", *runtime.arguments))


def _run_program(command: Sequence[str]) -> None:
    """Run ``command`` to its end, without a shell; ``WebServerError`` quotes what it complains about."""
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WebServerError(f"{shown}: no end after {_PATIENCE:.0f} seconds") from error
    except OSError as error:
        raise WebServerError(f"{shown} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        complaint = (done.stderr + done.stdout).strip()[-_QUOTED_AT_MOST:]
        raise WebServerError(f"{shown} failed with {done.returncode}: {complaint or 'it gave no reason'}")


def write_main(settings: Settings, runtime: Runtime, *, site: Path, durable: bool = False) -> None:
    """Write the main file of an nginx of our own, for as many files as a process of this user may open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = None if hard == resource.RLIM_INFINITY else hard
    main = render_main(settings, runtime, site=site, user=workers_user(), open_files=most)
    write_atomically(runtime.config, main.encode(), durable=durable)


def workers_user() -> str | None:
    """Root's workers would be ``nobody``, who may not be able to read the mirror: they stay root."""
    if os.geteuid() != 0:
        return None
    return f"{pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name}"


class WrittenSite(Struct, frozen=True, kw_only=True):
    """``fingerprint`` is that of the configuration now on disk. ``changed`` says whether it was written,
    ``reloaded`` whether the server was told to take it up.
    """

    changed: bool
    fingerprint: str
    reloaded: bool = False


def write_site(settings: Settings, *, runtime: Runtime | None = None) -> WrittenSite:
    """Render, test and write the configuration of the site, and the main file of an nginx of our own.

    ``WebServerError`` quotes nginx if it refuses the new text; the old file is then as it was, and the
    refused one lies beside it under the name ``<file>.rejected``. ``ConfigurationError`` if a setting
    cannot be rendered, ``OSError`` if the disk refuses.
    """
    return _write(settings, runtime or default_runtime(settings))[0]


def reload_site(settings: Settings) -> WrittenSite:
    """Write the configuration as ``write_site`` does and have the running nginx take it up.

    The server is asked which configuration it runs, so one that is current is left alone and one that
    missed an earlier reload gets it now. ``WebServerError`` if nginx does not run or refuses; after a
    refusal the configuration file is what it was before.
    """
    runtime = default_runtime(settings)
    written, before = _write(settings, runtime)
    if running_fingerprint(settings) == written.fingerprint:
        return written
    command = settings.site.reload_command
    if settings.site.is_signalled:
        if not runtime.pid.exists():
            raise WebServerError(
                f"nginx does not run for this mirror ({runtime.pid} is missing): `pypi-mirror nginx serve` "
                "runs it. Or set [site] reload-command or reload = watch if another nginx serves the mirror"
            )
        command = (str(find_nginx(settings)), *runtime.arguments, "-s", "reload")
    try:
        if settings.site.reload == "watch":
            await_reload(settings, written.fingerprint)
        else:
            _run_program(command)
    except NotReloaded:
        # Nobody refused it: whoever serves the site next begins with it.
        raise
    except WebServerError:
        if written.changed:
            _put_back(site_config_path(settings), before)
        raise
    return replace(written, reloaded=True)


def _write(settings: Settings, runtime: Runtime) -> tuple[WrittenSite, bytes | None]:
    """Also returns the old content of the site's file, None if there was none."""
    binary = find_nginx(settings)
    can = capabilities(binary)
    names = read_name_map(name_map_path(settings))
    rendered = render(settings, capabilities=can, names=names)
    path = site_config_path(settings)
    rejected = path.with_name(f"{path.name}.rejected")
    before = path.read_bytes() if path.exists() else None
    if before != rendered.text.encode():
        try:
            _test(settings, binary, names, rendered)
        except WebServerError as error:
            write_atomically(rejected, rendered.text.encode())
            raise WebServerError(f"{error} (the refused configuration is in {rejected})") from error
        remove_file(rejected)
    if settings.site.is_signalled:
        runtime.temporary.mkdir(parents=True, exist_ok=True)
        write_main(settings, runtime, site=path, durable=True)
    changed = write_atomically(path, rendered.text.encode(), durable=True)
    return WrittenSite(changed=changed, fingerprint=rendered.fingerprint), before


def _test(settings: Settings, binary: Path, names: NameMap, rendered: RenderedSite) -> None:
    if settings.site.is_signalled:
        require_accepted(settings, binary, rendered.text)
        return
    with tempfile.TemporaryDirectory(prefix="pypi-mirror-") as folder:
        # The other nginx may listen where we must not, at port 80 say. What it is asked to listen on
        # was checked when it was rendered; -t would try to bind it.
        socket = f"unix:{folder}/test.sock"
        text = render(settings, capabilities=capabilities(binary), names=names, listen=socket).text
        require_accepted(settings, binary, text)


def _put_back(path: Path, before: bytes | None) -> None:
    if before is None:
        remove_file(path)
    else:
        write_atomically(path, before, durable=True)
