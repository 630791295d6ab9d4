"""``pypi-mirror list``: what the mirror carries, a line a file, for people, programs and spreadsheets."""

import argparse
import csv
import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pypi_mirror.cli.output import warn
from pypi_mirror.cli.sync import project_name
from pypi_mirror.mirror import open_mirror
from pypi_mirror.observing.carried import CarriedFile, carried
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count, size

# How spreadsheets recognize formulas: a licence is whatever its project says.
_FORMULA: Final = ("=", "+", "-", "@")


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "list",
        parents=[common],
        examples=(
            "pypi-mirror list                    # for people",
            "pypi-mirror list --csv              # for a spreadsheet",
            "pypi-mirror list --json flask       # of one project, for programs",
        ),
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="an array of objects, one a file")
    formats.add_argument("--csv", action="store_true", help="comma-separated, with a first line of names")
    parser.add_argument("project", type=project_name, nargs="*", metavar="PROJECT", help="only of these")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    missing = dict.fromkeys(arguments.project)
    with open_mirror(settings, must_exist=True) as mirror:

        def seen() -> Iterable[CarriedFile]:
            for file in carried(mirror, arguments.project):
                missing.pop(file.project, None)
                yield file

        write = _write_json if arguments.json else _write_csv if arguments.csv else _print
        write(seen())
    for name in missing:
        warn(f"the mirror carries no file of {name}")
    return 1 if missing else 0


def _write_json(files: Iterable[CarriedFile]) -> None:
    """One object a line, so that millions of them pass through."""
    before = "[\n"
    for file in files:
        sys.stdout.write(before + msgspec.json.encode(file).decode())
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def _write_csv(files: Iterable[CarriedFile]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CarriedFile.__struct_fields__)
    for file in files:
        fields = [getattr(file, name) for name in CarriedFile.__struct_fields__]
        writer.writerow(["" if field is None else _as_text(field) for field in fields])


def _as_text(field: str | int) -> str:
    text = str(field)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _print(files: Iterable[CarriedFile]) -> None:
    number = bytes_ = 0
    for file in files:
        licence = file.licence or "licence not stated"
        print(f"{file.filename}  {size(file.size)}  {licence}  sha256:{file.sha256}")
        number += 1
        bytes_ += file.size
    print(f"{count(number, 'file')}, {size(bytes_)}")
