"""How the mirror is set up: the settings in force, and what clients put into theirs."""

from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter

from pypi_mirror.options import Option
from pypi_mirror.settings.options import OPTIONS, describe, value_in
from pypi_mirror.settings.read import with_made
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import (
    ci_variables,
    dockerfile_lines,
    index_url,
    pdm_source,
    pip_conf,
    pipfile_source,
    poetry_source,
    shell_lines,
    uv_toml,
)
from pypi_mirror_page.json_answer import Json
from pypi_mirror_page.mirror_source import TheSettings

router = APIRouter(prefix="/api")

# Options whose defaults are made from others.
_MADE: Final = ("[mirror] master", "[site] public-url", "[site] config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An option of the file; ``value`` has an item a line where the option is a list, and no password.

    ``differs`` says that it is not the default, be that one that is made from other options.
    """

    key: str
    value: str
    differs: bool
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    name: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A text for a client; ``file`` is where it goes."""

    name: str
    file: str
    text: str


@router.get("/configuration")
def get_configuration(settings: TheSettings) -> Json:
    """Every option with the value in force, in the order of ``mirror.conf``."""
    return Json({"path": settings.path, "sections": _sections(settings)})


@router.get("/clients")
def get_clients(settings: TheSettings) -> Json:
    """The index's address and how tools are told to use it; ``served`` is false without a site."""
    snippets = (
        Snippet(name="pip", file="pip.conf (pip.ini on Windows)", text=pip_conf(settings)),
        Snippet(name="uv", file="uv.toml", text=uv_toml(settings)),
        Snippet(name="Poetry", file="pyproject.toml", text=poetry_source(settings)),
        Snippet(name="PDM", file="pyproject.toml", text=pdm_source(settings)),
        Snippet(name="Pipenv", file="Pipfile, instead of its [[source]]", text=pipfile_source(settings)),
        Snippet(
            name="Dockerfile", file="before the first RUN that installs", text=dockerfile_lines(settings)
        ),
        Snippet(name="GitHub Actions", file="a workflow", text=ci_variables(settings, "env")),
        Snippet(name="GitLab CI", file=".gitlab-ci.yml", text=ci_variables(settings, "variables")),
        Snippet(name="shell", file="~/.profile", text=shell_lines(settings)),
    )
    return Json({"index_url": index_url(settings), "served": settings.site.enabled, "snippets": snippets})


def _sections(settings: Settings) -> list[Section]:
    # Both go through the options in one order.
    found: dict[str, list[Setting]] = {}
    for option, (section, key, value) in zip(OPTIONS, describe(settings), strict=True):
        setting = Setting(key=key, value=value, differs=_differs(settings, option), doc=option.doc)
        found.setdefault(section, []).append(setting)
    return [Section(name=name, settings=tuple(options)) for name, options in found.items()]


def _differs(settings: Settings, option: Option) -> bool:
    value = value_in(settings, option)
    if option.place not in _MADE:
        return bool(value != option.default_value)
    site = replace(settings.site, public_url="", config=None)
    return bool(value != value_in(with_made(replace(settings, master="pypi", site=site)), option))
