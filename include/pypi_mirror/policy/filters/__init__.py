"""The filters, one a module: each is found by being in this folder."""

from importlib import import_module
from pkgutil import iter_modules

from pypi_mirror.policy.filter import Filter


def _find() -> tuple[type[Filter], ...]:
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
    found = (
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Filter) and each.__module__ == module.__name__
    )
    return tuple(sorted(found, key=lambda each: (each.stage, each.__module__)))


FILTERS = _find()
"""In the order in which they apply, which is that of ``mirror.conf``."""
