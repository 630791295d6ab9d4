"""How the mirror is set up: the settings in force, and what clients put into theirs."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter

from pypi_mirror.options import Option
from pypi_mirror.settings.assemble import with_made
from pypi_mirror.settings.options import OPTIONS, describe, value_in
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import index_url, snippets
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
    """The index's address and how tools are configured for it; ``served`` is false without a site."""
    found = {
        "index_url": index_url(settings),
        "served": settings.site.enabled,
        "snippets": snippets(settings),
    }
    return Json(found)


def _differs(settings: Settings, option: Option) -> bool:
    value = value_in(settings, option)
    if option.place not in _MADE:
        return bool(value != option.default_value)
    site = replace(settings.site, public_url="", config=None)
    return bool(value != value_in(with_made(replace(settings, master="pypi", site=site)), option))
