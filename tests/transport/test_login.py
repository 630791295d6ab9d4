"""Which address is told who asks: upstream's own, and hosts that netrc names. Nobody else."""

import logging
from base64 import b64decode
from pathlib import Path

import pytest

from pypi_mirror.transport.login import Logins, netrc_logins, parse_login

HOME = "https://index.example/root/dev"
NETRC = {"index.example": ("ned", "n"), "files.example": ("flo", "f")}


def sent(logins: Logins, url: str) -> str | None:
    header = logins.header(url)
    if header is None:
        return None
    kind, _, encoded = header.partition(" ")
    assert kind == "Basic"
    return b64decode(encoded).decode()


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("user:password", ("user", "password")),
        ("user:pass:word", ("user", "pass:word")),
        ("user:", ("user", "")),
        ("pypi-AgEI", ("__token__", "pypi-AgEI")),
        (" pypi-AgEI\n", ("__token__", "pypi-AgEI")),
    ],
)
def test_user_and_password_or_a_token(text: str, login: tuple[str, str]) -> None:
    assert parse_login(text) == login


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("https://index.example/simple/", "u:p"),
        ("https://INDEX.example:443/x.whl", "u:p"),
        ("https://index.example:8443/x.whl", None),
        ("http://index.example/x.whl", None),
        ("http://index.example:443/x.whl", None),
        ("https://files.example/x.whl", "flo:f"),
        ("https://files.example:8443/x.whl", "flo:f"),
        ("http://files.example/x.whl", None),
        ("https://x.files.example/x.whl", None),
        ("https://index.example.evil.example/", None),
        ("https://evil.example/?index.example", None),
    ],
)
def test_to_whom_it_goes(url: str, login: str | None) -> None:
    assert sent(Logins(HOME, "u:p", NETRC), url) == login


@pytest.mark.parametrize("login", [None, "", " "])
def test_netrc_speaks_for_upstream_where_the_environment_does_not(login: str | None) -> None:
    assert sent(Logins(HOME, login, NETRC), "https://index.example/simple/") == "ned:n"
    assert sent(Logins(HOME, login, {}), "https://index.example/simple/") is None


def test_netrc(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine Index.example login a password b\ndefault login c password d\n")
    assert netrc_logins({"NETRC": str(path)}) == {"index.example": ("a", "b")}
    assert netrc_logins({"NETRC": str(tmp_path / "none")}) == {}


def test_a_broken_netrc_is_named_and_not_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine index.example login a secret b\n")
    with caplog.at_level(logging.WARNING):
        assert netrc_logins({"NETRC": str(path)}) == {}
    assert str(path) in caplog.text
    assert "secret" not in caplog.text
