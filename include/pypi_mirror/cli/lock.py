"""``pypi-mirror lock rewrite``: a lock file with this mirror's addresses in place of upstream's."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from pypi_mirror.cli.parser import add_verbose_option
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.observing.lock_rewrite import Rewritten, rewrite_lock
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "lock",
        parents=[common],
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
    add_verbose_option(rewrite, "name each address that is unchanged")
    rewrite.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    rewritten = rewrite_lock(settings, arguments.file)
    target: Path = arguments.output or arguments.file
    write_atomically(target.resolve(), rewritten.text.encode(), durable=True)
    _report(target, rewritten, settings.site.public_url, verbose=arguments.verbose)
    return 0


def _report(target: Path, rewritten: Rewritten, site: str, *, verbose: bool) -> None:
    changed = [count(rewritten.indexes, "index", "indexes"), count(rewritten.files, "file")]
    print(f"{target}: {' and '.join(changed)} now lead to {site}.")
    if rewritten.named:
        print(f"{count(rewritten.named, 'file')} that it names without an address are on the mirror.")
        if not rewritten.indexes:
            print("It names no index either: that of the project decides, so set it there.")
    # Most are wheels of other platforms, which one filter leaves out.
    by = Counter(each.setting for each in rewritten.left_alone if each.setting and not verbose)
    for setting, number in by.items():
        print(f"unchanged: {count(number, 'file')}, left out by {setting} (-v names each)")
    for each in rewritten.left_alone:
        if each.setting not in by:
            print(f"unchanged: {each.what}: {each.reason}")
