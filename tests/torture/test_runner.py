"""The runner says what a campaign found, and does not pass one that found something or did too little."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.requirements_present import require
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.runner import all_passed, details, run_campaign, run_if_possible, table

LOST = Wrong(kind="lost", detail="alpha is gone")


def _campaign(outcome: Outcome | Exception) -> Campaign:
    def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
        (directory / "left").write_text("something")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Campaign(
        name="made-up", what="made up", wrong="a project lost", at_least=100, unit="kills", run=run
    )


def test_a_clean_campaign_passes_and_leaves_nothing(tmp_path: Path) -> None:
    ran = run_campaign(_campaign(Outcome(done=50)), share=0.5, seed=1, scratch=tmp_path)
    assert all_passed([ran])
    assert list(tmp_path.iterdir()) == []
    assert table([ran]).splitlines()[2] == "| made up | 50 kills | 50 | a project lost | 0 |"


@pytest.mark.parametrize(
    ("outcome", "last"),
    [
        (Outcome(done=100, wrong=(LOST, LOST)), "2 (lost 2)"),
        (Outcome(done=99), "0"),
        (ValueError("what is this?"), "1 (broke off 1)"),
    ],
    ids=["wrong", "too little", "broken"],
)
def test_a_campaign_does_not_pass_by_itself(
    outcome: Outcome | Exception, last: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run_campaign(_campaign(outcome), share=1, seed=1, scratch=tmp_path)
    assert not all_passed([ran])
    assert table([ran]).endswith(f"| {last} |")
    # What it left is kept, to look at.
    (kept,) = tmp_path.iterdir()
    assert str(kept) in capsys.readouterr().err


@pytest.mark.parametrize("everything", ["", "1"], ids=["at home", "where nothing may be skipped"])
def test_a_campaign_that_the_machine_cannot_run_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everything: str
) -> None:
    monkeypatch.setenv("CI_REQUIRE_ALL", everything)

    def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
        require(condition=False, what="root, to mount a small file system,")
        raise AssertionError("this is not reached")

    campaign = replace(_campaign(Outcome(done=100)), run=run)
    ran = run_if_possible(campaign, share=1, seed=1, scratch=tmp_path)
    assert not all_passed([ran])
    assert "NOT DONE: root, to mount a small file system, is missing" in details(ran)
    assert table([ran]).endswith("| 100 kills | 0 | a project lost | 0 |")


def test_the_details_name_each_wrong(tmp_path: Path) -> None:
    ran = run_campaign(_campaign(Outcome(done=100, wrong=(LOST,))), share=1, seed=1, scratch=tmp_path)
    assert "WRONG, lost: alpha is gone" in details(ran)


def test_a_campaign_has_the_same_chance_alone_and_among_others(tmp_path: Path) -> None:
    drawn = []

    def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
        drawn.append(chance.random())
        return Outcome(done=goal)

    campaign = Campaign(name="c", what="", wrong="", at_least=1, unit="x", run=run)
    for seed in (7, 7, 8):
        run_campaign(campaign, share=1, seed=seed, scratch=tmp_path)
    assert drawn[0] == drawn[1] != drawn[2]
