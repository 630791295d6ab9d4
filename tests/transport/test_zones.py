"""Where addresses lead, and where names may."""

import pytest

from pypi_mirror.transport.zones import AddressGuard, Zone, leads_inside, zone_of

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
    address_guard = AddressGuard(home)
    assert address_guard.refusal(f"{home}/simple/", own) is None
    said = address_guard.refusal(FILE, address)
    assert (said is not None) is refused
    if said is not None:
        assert f"files.example leads to {address}, an internal address" in said


def test_before_upstream_was_reached_nothing_may_lead_inside() -> None:
    address_guard = AddressGuard(HOME)
    assert address_guard.refusal(FILE, "10.0.0.5") is not None
    assert address_guard.refusal(FILE, "93.184.215.14") is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.4", "169.254.1.1", "fd00::4"])
def test_upstream_itself_may_lie_anywhere(address: str) -> None:
    assert AddressGuard(HOME).refusal("https://INDEX.example:8443/simple/", address) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.4", "fd00::4"])
def test_what_the_settings_name_may_lie_inside_and_lets_nothing_else_in(address: str) -> None:
    address_guard = AddressGuard(HOME, named=["https://near.example/pypi"])
    assert address_guard.refusal("https://near.example/packages/x", address) is None
    assert address_guard.refusal(FILE, address) is not None


@pytest.mark.parametrize("addresses", [("127.0.0.1", "93.184.215.14"), ("93.184.215.14", "127.0.0.1")])
def test_a_name_on_the_internet_that_also_leads_inside_lies_on_the_internet(
    addresses: tuple[str, str],
) -> None:
    address_guard = AddressGuard(HOME)
    for address in addresses:
        assert address_guard.refusal(HOME, address) is None
    assert address_guard.refusal(FILE, "127.0.0.1") is not None


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        # What is on the internet, in each way to write it.
        ("93.184.215.14", Zone.PUBLIC),
        ("2606:4700::1111", Zone.PUBLIC),
        ("::ffff:93.184.215.14", Zone.PUBLIC),
        ("64:ff9b::93.184.215.14", Zone.PUBLIC),
        ("2002:5db8:d70e::1", Zone.PUBLIC),
        # Special ranges of IPv4 (RFC 6890).
        ("0.0.0.0", Zone.LOOPBACK),
        ("0.1.2.3", Zone.PRIVATE),
        ("10.1.2.3", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("127.255.255.254", Zone.LOOPBACK),
        ("169.254.169.254", Zone.LINK_LOCAL),
        ("172.31.255.255", Zone.PRIVATE),
        ("172.32.0.1", Zone.PUBLIC),
        ("192.0.0.1", Zone.PRIVATE),
        ("192.0.0.9", Zone.PRIVATE),
        ("192.0.0.170", Zone.PRIVATE),
        ("192.0.2.1", Zone.PRIVATE),
        ("192.88.99.1", Zone.PRIVATE),
        ("192.168.1.1", Zone.PRIVATE),
        ("198.18.0.1", Zone.PRIVATE),
        ("198.19.255.255", Zone.PRIVATE),
        ("198.51.100.1", Zone.PRIVATE),
        ("203.0.113.1", Zone.PRIVATE),
        ("224.0.0.1", Zone.NOWHERE),
        ("239.255.255.250", Zone.NOWHERE),
        ("240.0.0.1", Zone.PRIVATE),
        ("255.255.255.255", Zone.NOWHERE),
        # Where clouds keep secrets.
        ("168.63.129.16", Zone.LINK_LOCAL),
        ("100.100.100.200", Zone.LINK_LOCAL),
        ("fd00:ec2::254", Zone.LINK_LOCAL),
        # Special ranges of IPv6.
        ("::", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("100::1", Zone.PRIVATE),
        ("2001:db8::1", Zone.PRIVATE),
        ("3fff::1", Zone.PRIVATE),
        ("4000::1", Zone.PRIVATE),
        ("5f00::1", Zone.PRIVATE),
        ("fc00::1", Zone.PRIVATE),
        ("fd12::1", Zone.PRIVATE),
        ("fe80::1%eth0", Zone.LINK_LOCAL),
        ("fec0::1", Zone.PRIVATE),
        ("feff::1", Zone.PRIVATE),
        ("ff02::1", Zone.NOWHERE),
        # IPv4 inside of IPv6: mapped, compatible, translated.
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("::ffff:10.0.0.1", Zone.PRIVATE),
        ("::ffff:192.0.0.1", Zone.PRIVATE),
        ("::127.0.0.1", Zone.LOOPBACK),
        ("::169.254.169.254", Zone.LINK_LOCAL),
        ("::93.184.215.14", Zone.PRIVATE),
        ("::ffff:0:127.0.0.1", Zone.LOOPBACK),
        # NAT64, 6to4, Teredo (whose client's address is inverted), ISATAP.
        ("64:ff9b::10.0.0.1", Zone.PRIVATE),
        ("64:ff9b::127.0.0.1", Zone.LOOPBACK),
        ("64:ff9b::a9fe:a9fe", Zone.LINK_LOCAL),
        ("64:ff9b::224.0.0.1", Zone.NOWHERE),
        ("64:ff9b:1::1", Zone.PRIVATE),
        ("64:ff9b:1::10.0.0.1", Zone.PRIVATE),
        ("64:ff9b:1::169.254.169.254", Zone.LINK_LOCAL),
        ("64:ff9b:1:a9fe:a9:fe00::", Zone.LINK_LOCAL),
        ("2002:a00:1::1", Zone.PRIVATE),
        ("2002:7f00:1::1", Zone.LOOPBACK),
        ("2002:a9fe:a9fe::", Zone.LINK_LOCAL),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Zone.PRIVATE),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", Zone.LOOPBACK),
        ("2606:4700::5efe:10.0.0.1", Zone.PRIVATE),
        ("2606:4700::200:5efe:127.0.0.1", Zone.LOOPBACK),
    ],
)
def test_each_range_has_its_zone(address: str, zone: Zone) -> None:
    assert zone_of(address) is zone
