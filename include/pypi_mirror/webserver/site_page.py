"""The site's front page and the files beside it: what the mirror holds, how fresh it is, how to use it."""

import base64
import functools
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from pypi_mirror.disk.files import remove_file
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import snippets
from pypi_mirror.webserver.status import MirrorStatus, render_status
from pypi_mirror.wording import count, moment, size

if TYPE_CHECKING:
    import jinja2


_SCRIPT = "site_page.js.jinja"
_STYLE = "site_page.css.jinja"


@functools.cache
def _templates() -> "jinja2.Environment":
    # Only who renders waits for Jinja to be imported.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pypi_mirror.webserver", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(count=count, size=size, moment=moment)
    return environment


def render_page(settings: Settings, status: MirrorStatus) -> bytes:
    """``web/index.html``: complete without JavaScript; the script only keeps the figures fresh."""
    from markupsafe import Markup

    page = (
        _templates()
        .get_template("site_page.html.jinja")
        .render(
            script=Markup(_inlined(_SCRIPT)),  # noqa: S704 - our own file, without variables
            style=Markup(_inlined(_STYLE)),  # noqa: S704 - as above
            master=settings.master,
            status=status,
            holdings=holdings(settings),
            snippets=snippets(settings),
        )
    )
    return page.encode()


def write_site_files(settings: Settings, status: MirrorStatus) -> tuple[str, ...]:
    """Bring the page, ``mirror.json`` and the clients' files up to date; return the names of the changed."""
    contents = {"index.html": render_page(settings, status), "mirror.json": render_status(status)}
    return _write(settings, contents) + write_client_files(settings)


def write_client_files(settings: Settings) -> tuple[str, ...]:
    """Bring the files that clients download up to date; return the names of the changed. They depend on
    nothing but the site's address.
    """
    files = {each.download: each.text.encode() for each in snippets(settings) if each.download is not None}
    return _write(settings, files)


def remove_site_files(settings: Settings) -> None:
    """Remove the page, the figures and the files beside it, which nothing will keep current."""
    for name in ("index.html", "mirror.json", "metrics", "pip.conf", "uv.toml", "poetry.toml"):
        remove_file(settings.web / name)


def _write(settings: Settings, contents: Mapping[str, bytes]) -> tuple[str, ...]:
    return tuple(name for name, data in contents.items() if write_atomically(settings.web / name, data))


@functools.cache
def content_security_policy() -> str:
    """Permits the page its own script and style, by hash, and to ask this site for ``mirror.json``."""
    return (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@functools.cache
def _inlined(name: str) -> str:
    from markupsafe import Markup

    wording = files("pypi_mirror").joinpath("browser", "wording.js").read_text()
    return _templates().get_template(name).render(wording=Markup(wording))  # noqa: S704 - as above


def _hash(name: str) -> str:
    digest = hashlib.sha256(_inlined(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def holdings(settings: Settings) -> tuple[str, ...]:
    """Return what the filters let in and keep out, a sentence each; one sentence if there are none."""
    sentences = list(settings.policy.sentences())
    if not settings.release_files:
        sentences.append("Pages only: files are not mirrored.")
    return tuple(sentences) or ("Every project and every file of upstream; nothing is filtered out.",)
