"""What people are shown when the ledger's database cannot be reached: never a secret of its URL."""

import pytest

from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.connection import create_engine, shown_address
from pypi_mirror.options.ledger_url import parse_ledger_url
from pypi_mirror.options.parsers import BadValue

URL = "postgresql+psycopg://me:hunter2@127.0.0.1:1/x"


@pytest.mark.parametrize(
    "parameters", ["", "?password=hunter2", "?sslpassword=hunter2", "?pass%77ord=hunter2", "?secret=hunter2"]
)
def test_no_error_shows_a_secret_of_the_url(parameters: str) -> None:
    engine = create_engine(parse_ledger_url(URL + parameters))
    with pytest.raises(LedgerError) as caught, engine.connect():
        pass
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "hunter2" not in shown_address(engine)


@pytest.mark.parametrize("password", ["hunter2@x", "hunter2/x", "hunter2/@x", "hunter2?x", "hunter2#x"])
def test_a_password_that_would_become_part_of_the_host_is_refused_unseen(password: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_ledger_url(f"postgresql+psycopg://me:{password}@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)
