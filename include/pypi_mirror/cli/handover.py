"""``pypi-mirror handover``: make the tree bandersnatch's again."""

import argparse
from typing import Any

from pypi_mirror.cli.label import is_dead, new_label
from pypi_mirror.cli.output import say
from pypi_mirror.mirror import open_mirror
from pypi_mirror.runs.hand_over import hand_over
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "handover",
        parents=[common],
        examples=("pypi-mirror handover                  # then start bandersnatch",),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    with open_mirror(settings, must_exist=True) as mirror:
        done = hand_over(mirror, new_label(), is_dead=is_dead)
    removed = count(done.removed, "file")
    print(f"{count(done.pages, 'page')} handed over; removed {removed} that bandersnatch does not renew.")
    if done.serial is None:
        print("No sync has completed yet, so bandersnatch compares everything.")
    else:
        left = f", and first takes {count(done.left, 'project')} that failed here" if done.left else ""
        print(f"bandersnatch goes on from serial {done.serial}{left}. No file is downloaded again.")
    say(
        "Runs of this mirror refuse to start from now on. To take the tree back, stop bandersnatch and run "
        "`pypi-mirror ledger rebuild --force`, then `pypi-mirror sync`."
    )
    return 0
