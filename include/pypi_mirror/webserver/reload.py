"""Bring a new configuration into effect, so that at every moment the one on disk is one that works.

The new text is tested as a candidate in a folder of its own. Only what nginx accepts replaces the old
file; if the reload then fails, the old file is put back, because a server that restarts at night has to
come up again.
"""

from dataclasses import dataclass
from pathlib import Path

from pypi_mirror.disk.files import remove_file
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.candidate import (
    candidate_folder,
    most_open_files,
    require_accepted,
    run_program,
    workers_user,
)
from pypi_mirror.webserver.config_reload import NotReloaded, await_reload, running_fingerprint
from pypi_mirror.webserver.name_map import NameMap, read_name_map
from pypi_mirror.webserver.nginx_binary import capabilities, find_nginx
from pypi_mirror.webserver.render import (
    RenderedSite,
    Runtime,
    default_runtime,
    name_map_path,
    render,
    render_main,
    site_config_path,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSite:
    """``fingerprint`` is that of the configuration now on disk; ``changed`` says whether it was written."""

    changed: bool
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadedSite:
    """``changed``: the configuration was written; ``reloaded``: the server was told to take it up."""

    changed: bool
    reloaded: bool
    fingerprint: str


def write_site(settings: Settings, *, runtime: Runtime | None = None) -> WrittenSite:
    """Render, test and write the configuration of the site, and the main file of an nginx of our own.

    ``WebServerError`` quotes nginx if it refuses the new text; the old file is then as it was, and the
    refused one lies beside it under the name ``<file>.rejected``. ``ConfigurationError`` if a setting
    cannot be rendered, ``OSError`` if the disk refuses.
    """
    return _write(settings, runtime or default_runtime(settings))[0]


def reload_site(settings: Settings, *, runtime: Runtime | None = None) -> ReloadedSite:
    """Write the configuration as ``write_site`` does and have the running nginx take it up.

    The server is asked which configuration it runs, so one that is current is left alone and one that
    missed an earlier reload gets it now. ``WebServerError`` if nginx does not run or refuses; after a
    refusal the configuration file is what it was before.
    """
    runtime = runtime or default_runtime(settings)
    path = site_config_path(settings)
    written, before = _write(settings, runtime)
    if running_fingerprint(settings) == written.fingerprint:
        return ReloadedSite(changed=written.changed, reloaded=False, fingerprint=written.fingerprint)
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
            run_program(command)
    except NotReloaded:
        # Nobody refused it: whoever serves the site next begins with it.
        raise
    except WebServerError:
        if written.changed:
            _put_back(path, before)
        raise
    return ReloadedSite(changed=written.changed, reloaded=True, fingerprint=written.fingerprint)


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
        main = render_main(settings, runtime, site=path, user=workers_user(), open_files=most_open_files())
        write_atomically(runtime.config, main.encode(), durable=True)
    changed = write_atomically(path, rendered.text.encode(), durable=True)
    return WrittenSite(changed=changed, fingerprint=rendered.fingerprint), before


def _test(settings: Settings, binary: Path, names: NameMap, rendered: RenderedSite) -> None:
    with candidate_folder() as folder:
        text = rendered.text
        if not settings.site.is_signalled:
            # The other nginx may listen where we must not, at port 80 say. What it is asked to listen on
            # was checked when it was rendered; -t would try to bind it.
            text = render(
                settings, capabilities=capabilities(binary), names=names, listen=f"unix:{folder}/test.sock"
            ).text
        require_accepted(settings, binary, text, folder=Path(folder))


def _put_back(path: Path, before: bytes | None) -> None:
    if before is None:
        remove_file(path)
    else:
        write_atomically(path, before, durable=True)
