"""How far ahead a clock is, as answers tell."""

import pytest

from pypi_mirror.transport.answers import Lead

NOON = 1_445_412_480.0
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Date": DATE}, 60, 60),
        ({"Date": DATE, "Age": "45"}, 15, 60),
        ({"Date": "Wed Oct 21 07:28:00 2015"}, 60, 60),
        ({"Date": "Wed, 21 Oct 2015 09:28:00 +0200"}, 60, 60),
        ({"Date": DATE, "Age": "soon"}, 60, 60),
        ({"Date": DATE, "Age": "\u00b2"}, 60, 60),
        ({"Date": "Wed, 21 Oct 2015 08:28:00 GMT"}, -3540, -3540),
    ],
)
def test_the_date_of_an_answer_and_its_age(headers: dict[str, str], least: float, most: float) -> None:
    assert Lead.of(headers, NOON + 60) == Lead(least=least, most=most)


@pytest.mark.parametrize("date", ["", "yesterday", "0", "Wed, 99 Oct 2015 07:28:00 GMT"])
def test_without_a_date_nothing_is_known(date: str) -> None:
    assert Lead.of({"Date": date}, NOON) is None
    assert Lead.of({}, NOON) is None


def test_an_age_without_an_end_is_an_age() -> None:
    lead = Lead.of({"Date": DATE, "Age": "9" * 100_000}, NOON)
    assert lead is not None
    assert lead.most == 0


def test_one_fresh_answer_clears_the_clock() -> None:
    """A cache that does not say how old its answer is cannot put the clock in the wrong."""
    stale, fresh = Lead(least=9000, most=9000), Lead(least=1, most=2)
    assert stale.merged(fresh) == fresh.merged(stale) == fresh
    assert stale.merged(None) == stale
