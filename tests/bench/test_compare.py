"""What got worse by more than the noise is printed, and nothing else is."""

from dataclasses import replace

from bench.compare import worse
from bench.results import Results
from bench.run_sync import Round
from bench.summary import summarize


def results(*walls: float, letter: str = "A", title: str = "a case", scale: float = 1.0) -> Results:
    rounds: list[Round] = [
        {"ours": {"wall": wall, "cpu": 1.0}, "bandersnatch": {"wall": 10.0, "cpu": 10.0}} for wall in walls
    ]
    return Results(machine="", scale=scale, cases=(summarize(letter, title, (), rounds),))


BEFORE = results(1.0, 1.1, 1.2)


def test_a_ratio_that_is_greater_in_every_round_is_named() -> None:
    (line,) = worse(results(1.3, 1.4, 1.5), BEFORE)
    assert line == ("A. a case: wall over bandersnatch was 0.11 (at most 0.12), is 0.14 (at least 0.13)")


def test_rounds_that_overlap_are_noise_and_what_got_better_is_no_news() -> None:
    assert list(worse(results(1.15, 1.4, 1.5), BEFORE)) == []
    assert list(worse(results(0.5), BEFORE)) == []


def test_cases_are_matched_by_letter_and_place() -> None:
    two = replace(BEFORE, cases=(*BEFORE.cases, *results(5.0).cases))
    now = replace(BEFORE, cases=(*BEFORE.cases, *results(6.0, title="of another size").cases))
    (line,) = worse(now, two)
    assert line.startswith("A. of another size: wall")


def test_a_case_that_is_not_there_and_another_scale_are_said() -> None:
    assert list(worse(results(1.0, letter="Q"), BEFORE)) == ["Q. a case: not in those results"]
    (line,) = worse(replace(BEFORE, scale=0.1), BEFORE)
    assert line.startswith("compared with results at 1 of full size, these are at 0.1")
