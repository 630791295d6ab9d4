"""Case I at a thousandth of its size: every question is asked of the rows that it is about."""

from pathlib import Path

from bench import ledger_size
from bench.ledger_size import run_ledger
from bench.summary import summarize


def test_a_round_holds_every_question_pass_and_size(tmp_path: Path) -> None:
    said: list[str] = []
    title, rounds = run_ledger(home=tmp_path / "home", scale=0.0001, repeat=2, say=said.append)
    files = sum(5_000 if number % 1_000 == 0 else 1 + number % 31 for number in range(2_000))
    assert title == f"a ledger of {files:,} files in 2,000 projects"
    assert len(rounds) == 2
    for found in rounds:
        questions = {name for name, figures in found.items() if set(figures) == {"wall"}} - {"ours"}
        assert questions == set(ledger_size._QUESTIONS)
        assert found["ours"]["wall"] == max(found[name]["wall"] for name in questions)
        assert 100 < found["a row of files"]["bytes"] < 1_000
        for name in ledger_size._PASSES:
            assert found[name]["rows per second"] > 0, name
    assert summarize("I", title, ledger_size.GOALS, rounds).verdicts[0].met
    assert not (tmp_path / "home").exists()
    assert any("progress of a plan of all" in line for line in said)
