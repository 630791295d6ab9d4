"""The values of a file's options → Settings."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pypi_mirror.policy import FILTERS, Policy
from pypi_mirror.settings.options import OPTIONS, PARTS
from pypi_mirror.settings.values import Settings, Site

T = TypeVar("T")


def assemble(path: Path, values: Mapping[str, Any]) -> Settings:
    parts: dict[str, Any] = {field: made(part, values) for field, part in PARTS.items()}
    return with_made(
        made(Settings, values, path=path, policy=Policy(*(made(each, values) for each in FILTERS)), **parts)
    )


def with_made(settings: Settings) -> Settings:
    """``settings`` with the values that are made from other options, where the file has none."""
    site: Site = settings.site
    port = "" if site.port == 80 else f":{site.port}"
    return replace(
        settings,
        master=public_index() if settings.master == "pypi" else settings.master,
        site=replace(
            site,
            public_url=site.public_url or f"http://{site.host}{port}{site.prefix}",
            config=site.config or settings.directory / "nginx" / "pypi-mirror.conf",
        ),
    )


def made(part: type[T], values: Mapping[str, Any], **others: Any) -> T:
    """Make a dataclass of the options that it declares and of ``others``."""
    given = {
        option.name: values[option.place]
        for option in OPTIONS
        if option.owner is part and option.place in values
    }
    return part(**given, **others)


def public_index() -> str:
    """The root of the public index, as ``Settings.master`` has it."""
    # Imported here because it costs 280 ms, and who has no need of it does not pay.
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT.rstrip("/").removesuffix("/simple")
