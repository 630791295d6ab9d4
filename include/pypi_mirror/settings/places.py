"""Whether the mirror's directories are there and can be written, or could be made; nothing is made."""

import os
from pathlib import Path
from tempfile import TemporaryFile

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.settings.values import Settings


def require_places(settings: Settings) -> None:
    """Raise ConfigurationError when this user cannot make ``directory``, or not write there."""
    for place in (settings.directory, settings.web, settings.web / "simple", settings.web / "packages"):
        trouble = _trouble(place)
        if trouble is not None:
            mistake = Mistake(line=None, key="[mirror] directory", message=trouble)
            raise ConfigurationError(settings.path or Path("mirror.conf"), [mistake])


def _trouble(place: Path) -> str | None:
    there = next(each for each in (place, *place.parents) if os.path.lexists(each))
    verb = "written" if there == place else "made"
    try:
        if not there.is_dir():
            raise NotADirectoryError(None, "Not a directory", str(there))
        # What permissions, read-only file systems and the likes of /proc come to only shows when one tries.
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        because = f"{there}: {error.strerror or error}"
        return f"{place} cannot be {verb} ({because}); choose another, or have this user write there"
    return None
