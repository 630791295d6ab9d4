"""Runs campaigns one after the other and makes the table of what came out."""

import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.torture.campaign import Campaign, Outcome, Wrong

_SHOWN = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A campaign with the goal it had and what came out of it."""

    campaign: Campaign
    goal: int
    outcome: Outcome
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.outcome.wrong and self.outcome.done >= self.goal


def run_campaign(campaign: Campaign, *, share: float, seed: int, scratch: Path | None = None) -> Ran:
    """Runs it in a new directory below ``scratch``, which is removed when nothing went wrong.

    An error that the campaign does not expect ends it alone and counts as wrong. What the machine lacks skips
    the test that runs it; see ``run_if_possible``.
    """
    goal = campaign.goal(share)
    directory = Path(tempfile.mkdtemp(prefix="torture-", dir=scratch))
    started = time.monotonic()
    try:
        # Campaigns do not share their chance: one run alone does what it does among the others.
        outcome = campaign.run(directory, goal, random.Random(f"{seed} {campaign.name}"))
    except pytest.skip.Exception:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    except Exception as error:  # noqa: BLE001 - the others shall still run, and the table be printed
        traceback.print_exc()
        outcome = Outcome(done=0, wrong=(Wrong(kind="broke off", detail=f"{type(error).__name__}: {error}"),))
    ran = Ran(campaign=campaign, goal=goal, outcome=outcome, seconds=time.monotonic() - started)
    if ran.passed:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"  what {campaign.name!r} left is kept in {directory}", file=sys.stderr)
    return ran


def run_if_possible(campaign: Campaign, *, share: float, seed: int, scratch: Path | None = None) -> Ran:
    """As ``run_campaign``, where no test is run: what the machine lacks leaves the campaign undone."""
    try:
        return run_campaign(campaign, share=share, seed=seed, scratch=scratch)
    except (pytest.skip.Exception, pytest.fail.Exception) as lacking:
        outcome = Outcome(done=0, notes=(f"NOT DONE: {lacking}",))
        return Ran(campaign=campaign, goal=campaign.goal(share), outcome=outcome, seconds=0)


def details(ran: Ran) -> str:
    """What one campaign did, in lines for a person."""
    outcome = ran.outcome
    lines = [f"{ran.campaign.name}: {outcome.done:,} {ran.campaign.unit} in {ran.seconds:.0f} s"]
    lines += [f"  {note}" for note in outcome.notes]
    lines += [f"  WRONG, {each.kind}: {each.detail}" for each in outcome.wrong[:_SHOWN]]
    if len(outcome.wrong) > _SHOWN:
        lines.append(f"  and {len(outcome.wrong) - _SHOWN} more")
    return "\n".join(lines)


def table(runs: Sequence[Ran]) -> str:
    """The acceptance table, in Markdown; the last column has to be all zeros."""
    rows: list[tuple[str, ...]] = [
        ("campaign", "at least", "done", "what counts as wrong", "wrong"),
        ("---",) * 5,
    ]
    rows += [_row(ran) for ran in runs]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(ran: Ran) -> tuple[str, ...]:
    campaign, outcome = ran.campaign, ran.outcome
    kinds = ", ".join(f"{kind} {number}" for kind, number in outcome.kinds.most_common())
    return (
        campaign.what,
        f"{ran.goal:,} {campaign.unit}",
        f"{outcome.done:,}",
        campaign.wrong,
        f"{len(outcome.wrong)}{f' ({kinds})' if kinds else ''}",
    )


def all_passed(runs: Iterable[Ran]) -> bool:
    return all(ran.passed for ran in runs)
