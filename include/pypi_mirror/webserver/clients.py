"""What clients put into their configuration to use this mirror, for each of the common tools."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.quoting import public_url


def index_url(settings: Settings) -> str:
    """The index's address, ``<public_url>/simple/``."""
    return f"{public_url(settings)}/simple/"


def trusted_host(settings: Settings) -> str | None:
    """The host that pip must be told to trust, None if it needs no telling.

    Without the port and in lower case: pip before 19.3 compares it with the URL's host alone, pip 8 letter by
    letter. For the same reason IPv6 comes without brackets, which newer versions add where they need them.

    pip ignores an index at plain http unless its host is trusted or the loopback. The loopback is named all
    the same: what comes by plain http pip caches from trusted hosts only, so without it every run would
    fetch every page and file again.
    """
    parts = urlsplit(public_url(settings))
    return None if parts.scheme == "https" else parts.hostname


def pip_conf(settings: Settings) -> str:
    """A whole ``pip.conf`` (``pip.ini`` on Windows)."""
    trust = trusted_host(settings)
    lines = ["[global]", f"index-url = {index_url(settings)}"]
    if trust is not None:
        lines.append(f"trusted-host = {trust}")
    return "\n".join(lines) + "\n"


def uv_toml(settings: Settings) -> str:
    """A whole ``uv.toml``; in ``pyproject.toml`` the table is ``[[tool.uv.index]]``."""
    return f'[[index]]\nurl = "{index_url(settings)}"\ndefault = true\n'


def poetry_source(settings: Settings) -> str:
    """The table for ``pyproject.toml`` that makes the mirror Poetry's primary, and so only, source."""
    return f'[[tool.poetry.source]]\nname = "mirror"\nurl = "{index_url(settings)}"\npriority = "primary"\n'


def pdm_source(settings: Settings) -> str:
    """The table for ``pyproject.toml``, under the name that takes the place of PDM's default source."""
    verify = _checks_certificates(settings)
    url = index_url(settings)
    name = 'name = "pypi"  # replaces PDM\'s default source of this name'
    return f'[[tool.pdm.source]]\n{name}\nurl = "{url}"\nverify_ssl = {verify}\n'


def pipfile_source(settings: Settings) -> str:
    """The table that takes the place of ``[[source]]`` in a ``Pipfile``."""
    verify = _checks_certificates(settings)
    return f'[[source]]\nname = "mirror"\nurl = "{index_url(settings)}"\nverify_ssl = {verify}\n'


def _variables(settings: Settings, line: str) -> str:
    """The environment, each variable as a ``line`` of some file."""
    return "".join(line.format(name=name, value=value) for name, value in environment(settings))


def _just_once(settings: Settings) -> str:
    trust = trusted_host(settings)
    trusted = "" if trust is None else f" --trusted-host {trust}"
    return f"pip install --index-url {index_url(settings)}{trusted} PACKAGE\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """How one tool is configured for the mirror: ``text`` belongs into ``place``. ``download`` is the file of
    this text beside the site's front page, None where there is none.
    """

    name: str
    place: str
    text: str
    download: str | None = None


def snippets(settings: Settings) -> tuple[Snippet, ...]:
    """For each tool, as the site's front page and the page in Airflow show them."""
    pip, uv, poetry = pip_conf(settings), uv_toml(settings), poetry_source(settings)
    pip_place = "~/.config/pip/pip.conf, on Windows %APPDATA%\\pip\\pip.ini"
    uv_place = "~/.config/uv/uv.toml, or uv.toml beside pyproject.toml"
    return (
        Snippet(name="pip", place=pip_place, text=pip, download="pip.conf"),
        Snippet(name="uv", place=uv_place, text=uv, download="uv.toml"),
        Snippet(name="Poetry", place="pyproject.toml", text=poetry, download="poetry.toml"),
        Snippet(name="PDM", place="pyproject.toml", text=pdm_source(settings)),
        Snippet(name="Pipenv", place="Pipfile, in place of [[source]]", text=pipfile_source(settings)),
        Snippet(
            name="Dockerfile",
            place="before the first RUN that installs",
            text=_variables(settings, "ENV {name}={value}\n"),
        ),
        Snippet(
            name="GitHub Actions",
            place="a workflow",
            text="env:\n" + _variables(settings, '  {name}: "{value}"\n'),
        ),
        Snippet(
            name="GitLab CI",
            place=".gitlab-ci.yml",
            text="variables:\n" + _variables(settings, '  {name}: "{value}"\n'),
        ),
        Snippet(name="Shell", place="~/.profile", text=_variables(settings, "export {name}='{value}'\n")),
        Snippet(name="Just once", place="a project's name in place of PACKAGE", text=_just_once(settings)),
    )


def _checks_certificates(settings: Settings) -> str:
    """As TOML has it; over plain http there are none."""
    return "true" if trusted_host(settings) is None else "false"


def environment(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Environment variables that have pip and uv use the mirror, for containers and CI."""
    trust = trusted_host(settings)
    variables = [("PIP_INDEX_URL", index_url(settings))]
    if trust is not None:
        variables.append(("PIP_TRUSTED_HOST", trust))
    variables.append(("UV_DEFAULT_INDEX", index_url(settings)))
    return tuple(variables)
