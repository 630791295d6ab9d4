"""Settings: what ``mirror.conf`` says, checked, as frozen values."""

from pypi_mirror.settings.values import Settings

__all__ = ["Settings"]
