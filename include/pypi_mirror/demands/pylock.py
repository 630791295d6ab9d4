"""pylock.toml: https://packaging.python.org/en/latest/specifications/pylock-toml/ (PEP 751)."""

from typing import TYPE_CHECKING

from pypi_mirror.demands.demand import DIRECT, LOCAL, VERSION_CONTROL, Demands, Found
from pypi_mirror.demands.document import parse_toml

if TYPE_CHECKING:
    from packaging.pylock import Package


def read(text: str, file: str) -> Demands:
    from packaging.pylock import Pylock, PylockValidationError

    found = Found(file=file)
    try:
        lock = Pylock.from_dict(parse_toml(text, found))
    except PylockValidationError as error:
        found.fail(f"is not a lock file as PEP 751 has it: {error}; lock again")
    for package in lock.packages:
        _read_package(package, found)
    return found.done()


def _read_package(package: "Package", found: Found) -> None:
    if package.vcs is not None:
        found.leave_out(package.name, VERSION_CONTROL)
    elif package.directory is not None:
        found.leave_out(package.name, LOCAL)
    elif package.archive is not None:
        found.leave_out(package.name, DIRECT if package.archive.url else LOCAL)
    else:
        files = [each for each in (package.sdist, *(package.wheels or ())) if each is not None]
        if not any(each.url for each in files):
            found.leave_out(package.name, LOCAL)
            return
        found.lock(
            package.name,
            None if package.version is None else str(package.version),
            hashes=tuple(
                sorted(
                    found.hash(package.name, f"{name}:{value}")
                    for f in files
                    for name, value in f.hashes.items()
                )
            ),
            marker="" if package.marker is None else str(package.marker),
            index=package.index,
        )
