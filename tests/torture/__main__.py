"""`make torture`: every campaign at full size, or as the options say.

Ends with exit code 1 when one found something wrong or could not do as much as it has to.
"""

import argparse
import logging
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.torture.campaigns import CAMPAIGNS
from tests.torture.runner import all_passed, details, run_if_possible, table


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    # What fails is meant to fail; the runs' own log would bury what is wrong.
    logging.basicConfig(level=logging.CRITICAL)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    print(f"seed {seed} (the same again: --seed {seed})", flush=True)
    chosen = [each for each in CAMPAIGNS if given.campaign in (None, each.name)]
    runs = []
    for campaign in chosen:
        runs.append(run_if_possible(campaign, share=given.share, seed=seed, scratch=given.scratch))
        print(f"\n{details(runs[-1])}", flush=True)
    print(f"\n{table(runs)}")
    return 0 if all_passed(runs) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--campaign", choices=[each.name for each in CAMPAIGNS], help="this one alone")
    parser.add_argument("--share", type=_share, default=1.0, help="of each campaign's size, such as 0.05")
    parser.add_argument("--seed", type=int, help="what chance starts from; any, when it is not given")
    parser.add_argument(
        "--scratch", type=Path, help="where mirrors are made; a temporary directory by default"
    )
    return parser


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
