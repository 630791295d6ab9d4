"""How the mirror is set up: the settings in force, and what clients put into theirs."""

from dataclasses import replace
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


@router.get("/configuration")
def get_configuration(settings: TheSettings) -> Json:
    """Every option with the value in force, in the order of ``mirror.conf``.

    A ``value`` has an item a line where the option is a list, and no password; ``differs`` says that it is
    not the default, be that one that is made from other options.
    """
    found: dict[str, list[dict[str, object]]] = {}
    # Both go through the options in one order.
    for option, (section, key, value) in zip(OPTIONS, describe(settings), strict=True):
        differs = _differs(settings, option)
        shown = {"key": key, "value": value, "differs": differs, "doc": option.doc}
        found.setdefault(section, []).append(shown)
    sections = [{"name": name, "settings": options} for name, options in found.items()]
    return Json({"path": settings.path, "sections": sections})


@router.get("/clients")
def get_clients(settings: TheSettings) -> Json:
    """The index's address and how tools are told to use it, by name, in which file and with which text.

    ``served`` is false without a site.
    """
    snippets = (
        ("pip", "pip.conf (pip.ini on Windows)", pip_conf(settings)),
        ("uv", "uv.toml", uv_toml(settings)),
        ("Poetry", "pyproject.toml", poetry_source(settings)),
        ("PDM", "pyproject.toml", pdm_source(settings)),
        ("Pipenv", "Pipfile, instead of its [[source]]", pipfile_source(settings)),
        ("Dockerfile", "before the first RUN that installs", dockerfile_lines(settings)),
        ("GitHub Actions", "a workflow", ci_variables(settings, "env")),
        ("GitLab CI", ".gitlab-ci.yml", ci_variables(settings, "variables")),
        ("shell", "~/.profile", shell_lines(settings)),
    )
    named = [{"name": name, "file": file, "text": text} for name, file, text in snippets]
    return Json({"index_url": index_url(settings), "served": settings.site.enabled, "snippets": named})


def _differs(settings: Settings, option: Option) -> bool:
    value = value_in(settings, option)
    if option.place not in _MADE:
        return bool(value != option.default_value)
    site = replace(settings.site, public_url="", config=None)
    return bool(value != value_in(with_made(replace(settings, master="pypi", site=site)), option))
