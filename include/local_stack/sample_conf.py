"""The mirror.conf for the stand-in upstream."""

import platform
from pathlib import Path

from local_stack.layout import Layout
from local_stack.ports import LOOPBACK

SITE_PORT = 8080

# Linux wheels for the machine we run on, so that the trial installation finds what it needs.
_TEXT = """\
# Written by `make mirror` and `make up` for the stand-in upstream; changes here do not last.
# README.md has a first configuration of your own; include/mirror.conf explains every option.

[mirror]
directory = mirror
master = http://{loopback}:{upstream_port}

[platform]
environments =
    linux {machine}, CPython 3.11 to 3.13, glibc 2.28
exclude-filename = macosx|win32|win_amd64|win_arm64

[site]
port = {site_port}

[schedule]
batch-size = 10
retry-delay = 5
"""


def write_sample_conf(layout: Layout, *, upstream_port: int, site_port: int) -> Path:
    """Write ``var/mirror.conf`` and return its path."""
    layout.var.mkdir(parents=True, exist_ok=True)
    layout.sample_conf.write_text(
        _TEXT.format(
            loopback=LOOPBACK,
            upstream_port=upstream_port,
            site_port=site_port,
            machine=platform.machine() if platform.machine() in ("x86_64", "aarch64") else "x86_64",
        )
    )
    return layout.sample_conf
