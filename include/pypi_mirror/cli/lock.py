"""``pypi-mirror lock rewrite``: a lock file with this mirror's addresses in place of upstream's."""

import argparse
import sys
from pathlib import Path
from typing import Any

from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.observing.lock_rewrite import Rewritten, rewrite_lock
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count

_SHOWN = 10


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "lock",
        examples=("pypi-mirror lock rewrite uv.lock -c mirror.conf",),
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    rewrite = actions.add_parser(
        "rewrite",
        parents=[common],
        help="change the addresses of indexes and files; digests, and all else, stay",
        examples=(
            "pypi-mirror lock rewrite uv.lock                       # in place",
            "pypi-mirror lock rewrite uv.lock -o inside/uv.lock     # into another file",
        ),
    )
    rewrite.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="uv.lock, pylock.toml, pdm.lock, poetry.lock or Pipfile.lock; copies may have a name in front",
    )
    rewrite.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here, not in place")
    rewrite.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    rewritten = rewrite_lock(settings, arguments.file)
    target = (arguments.output or arguments.file).resolve()
    write_atomically(target, rewritten.text.encode(), durable=True)
    _report(arguments, rewritten, settings.site.public_url)
    return 0


def _report(arguments: argparse.Namespace, rewritten: Rewritten, site: str) -> None:
    indexes = f"{rewritten.indexes:,} {'index' if rewritten.indexes == 1 else 'indexes'}"
    changed = f"the addresses of {indexes} and {count(rewritten.files, 'file')}"
    print(f"{arguments.output or arguments.file}: {changed} now lead to {site}")
    if rewritten.named:
        print(f"{count(rewritten.named, 'file')} that it names without an address are on the mirror.")
        if not rewritten.indexes:
            print("It names no index either: that of the project decides, so set it there.")
    for each in rewritten.left_alone[:_SHOWN]:
        print(f"unchanged: {each.what}: {each.reason}", file=sys.stderr)
    if (more := len(rewritten.left_alone) - _SHOWN) > 0:
        print(f"unchanged: {more:,} more", file=sys.stderr)
