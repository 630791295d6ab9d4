"""What nginx says to a configuration before anybody is served by it."""

import grp
import os
import pwd
import resource
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.render import Runtime, render_main

_PATIENCE = 120.0
_QUOTED_AT_MOST = 2000


def candidate_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for one test; it goes with its ``with`` block."""
    return tempfile.TemporaryDirectory(prefix="pypi-mirror-")


def require_accepted(settings: Settings, binary: Path, text: str, *, folder: Path) -> None:
    """``nginx -t`` over ``text`` as the site, included by a main file of its own; all of it in ``folder``.

    ``WebServerError`` quotes nginx if it refuses.
    """
    candidate = folder / "candidate.conf"
    candidate.write_text(text)
    runtime = Runtime(folder=folder)
    runtime.temporary.mkdir()
    runtime.config.write_text(
        render_main(settings, runtime, site=candidate, user=workers_user(), open_files=most_open_files())
    )
    run_program((str(binary), "-t", "-q", *runtime.arguments))


def run_program(command: Sequence[str]) -> None:
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


def most_open_files() -> int | None:
    """How many files a process of this user may have open; None where that is not limited."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def workers_user() -> str | None:
    """Root's workers would be ``nobody``, who may not be able to read the mirror: they stay root."""
    if os.geteuid() != 0:
        return None
    return f"{pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
