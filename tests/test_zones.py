"""Where addresses lead, and where names may."""

import pytest

from pypi_mirror.zones import Border, leads_inside

HOME = "https://index.example"
FILE = "https://files.example/a.whl"


@pytest.mark.parametrize(
    ("host", "base", "inside"),
    [
        ("169.254.169.254", "index.example", True),
        ("169.254.169.254", "127.0.0.1", True),
        ("2852039166", "index.example", True),
        ("0xa9fea9fe", "10.0.0.1", True),
        ("::ffff:169.254.169.254", "index.example", True),
        ("fe80::1%eth0", "index.example", True),
        ("127.0.0.1", "index.example", True),
        ("localhost", "index.example", True),
        ("0.0.0.0", "8.8.8.8", True),
        ("127.1", "192.168.0.1", True),
        ("10.0.0.1", "8.8.8.8", True),
        ("224.0.0.1", "127.0.0.1", True),
        ("169.254.169.254.", "127.0.0.1", True),
        ("localhost.", "index.example", True),
        # A name may be one of a private network; only the connection could tell.
        ("10.0.0.1", "index.example", False),
        ("files.example", "index.example", False),
        ("8.8.8.8", "index.example", False),
        ("127.0.0.2", "127.0.0.1", False),
        ("10.0.0.1", "127.0.0.1", False),
        ("10.0.0.1", "192.168.0.1", False),
    ],
)
def test_what_lies_inside_is_for_those_who_are_there(host: str, base: str, inside: bool) -> None:
    assert leads_inside(host, base=base) is inside


@pytest.mark.parametrize(
    ("own", "address", "refused"),
    [
        # Upstream, and what it may send us to.
        ("93.184.215.14", "93.184.215.15", False),
        ("93.184.215.14", "10.0.0.5", True),
        ("93.184.215.14", "127.0.0.1", True),
        ("93.184.215.14", "::1", True),
        ("93.184.215.14", "fd00::5", True),
        ("93.184.215.14", "::ffff:10.0.0.5", True),
        ("93.184.215.14", "169.254.169.254", True),
        ("10.0.0.4", "10.0.0.5", False),
        ("10.0.0.4", "93.184.215.14", False),
        ("10.0.0.4", "127.0.0.1", True),
        ("10.0.0.4", "fe80::1", True),
        ("127.0.0.1", "10.0.0.5", False),
        ("127.0.0.1", "169.254.169.254", True),
        ("127.0.0.1", "224.0.0.1", True),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_name_may_lead_where_upstream_lies(own: str, address: str, refused: bool, named: bool) -> None:
    home = HOME if named else f"http://{own}"
    border = Border(home)
    assert border.refusal(f"{home}/simple/", own) is None
    said = border.refusal(FILE, address)
    assert (said is not None) is refused
    if said is not None:
        assert f"files.example leads to {address}, an address inside" in said


def test_before_upstream_was_reached_nothing_may_lead_inside() -> None:
    border = Border(HOME)
    assert border.refusal(FILE, "10.0.0.5") is not None
    assert border.refusal(FILE, "93.184.215.14") is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.4", "169.254.1.1", "fd00::4"])
def test_upstream_itself_may_lie_anywhere(address: str) -> None:
    assert Border(HOME).refusal("https://INDEX.example:8443/simple/", address) is None


@pytest.mark.parametrize("addresses", [("127.0.0.1", "93.184.215.14"), ("93.184.215.14", "127.0.0.1")])
def test_a_name_on_the_internet_that_also_leads_inside_lies_on_the_internet(
    addresses: tuple[str, str],
) -> None:
    border = Border(HOME)
    for address in addresses:
        assert border.refusal(HOME, address) is None
    assert border.refusal(FILE, "127.0.0.1") is not None
