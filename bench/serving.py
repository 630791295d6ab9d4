"""Case J: what clients feel. One closure is resolved through each mirror's nginx over its own tree."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.measure import measure
from bench.run_sync import Round, Say, check
from bench.tools import Job, Tool
from bench.upstream import free_port, nginx, upstream
from pypi_mirror.settings.read import read_settings
from pypi_mirror.webserver.reload import write_site
from tests.nginx_process import NginxProcess

TITLE = "{client} resolves a closure of {projects} projects through nginx"
GOALS = tuple(
    Goal(figure=figure, to="bandersnatch", at_most=at_most)
    for figure, at_most in (("wall", 1.05), ("bytes", 0.6), ("requests", 1.0))
)

# A turn takes a second or two, most of it the client's own start: more of them tell it from the noise.
_TURNS_PER_ROUND = 5
# What both logs say of each answer: nginx's usual format, and ours, which is JSON.
_SENT = re.compile(rb'(?:" \d{3} |"bytes":)(\d+)[ ,]')

# What bandersnatch's docs/serving.md recommends (the nginx.conf of its image banderx)
# as it applies to a client: the same directives about pages, connections and the log, in our order. Left out
# are the image's own paths and user, and error pages that it has no files for; $page_suffix, port and folders
# are ours.
_BANDERSNATCH_SITE = """\
daemon off;
worker_processes 2;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
    access_log {home}/access.log main;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 69;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    map $http_accept $page_suffix {{
        default .html;
        "~*application/vnd\\.pypi\\.simple\\.v1\\+json" .v1_json;
        "~*application/vnd\\.pypi\\.simple\\.v1\\+html" .v1_html;
        "~*text/html" .html;
    }}
    server {{
        listen 127.0.0.1:{port};
        root {web};
        autoindex on;
        charset utf-8;
        location /simple/ {{
            index index$page_suffix;
            types {{
                application/vnd.pypi.simple.v1+json v1_json;
                application/vnd.pypi.simple.v1+html v1_html;
                text/html html;
            }}
            try_files $uri$page_suffix $uri $uri/ =404;
        }}
        location /json/ {{
            default_type application/json;
        }}
        location /pypi/ {{
            default_type application/json;
        }}
    }}
}}
"""


def run_serving(
    tools: Mapping[str, Tool], *, client: str, home: Path, scale: float, repeat: int, say: Say
) -> tuple[str, list[Round]]:
    """Rounds of ``client`` (``pip`` or ``uv``), and the case's title. Works below ``home``, removes it."""
    tree = StaticTree(
        home / "tree", Catalogue(projects=max(2, round(60 * scale)), files=30, filler=2_000, closure=True)
    )
    try:
        tree.write()
        port = free_port()
        with upstream(tree, home / "upstream", port):
            master = f"http://127.0.0.1:{port}"
            for name in ("ours", "bandersnatch"):
                job = Job(directory=home / name, master=master, tree=tree)
                measure(tools[name].command(job), log=home / f"{name}.log")
                check(job, tools[name])
        rounds = list(_rounds(home, _CLIENTS[client], repeat * _TURNS_PER_ROUND, say))
    finally:
        rmtree(home, ignore_errors=True)
    return TITLE.format(client=client, projects=tree.catalogue.projects), rounds


def _rounds(home: Path, client: Callable[[str, Path], list[str]], repeat: int, say: Say) -> Iterator[Round]:
    with _our_site(home) as ours, _bandersnatch_site(home) as theirs:
        sites = {"ours": ours, "bandersnatch": theirs}
        for url, _ in sites.values():  # the client's own files are read once before anything counts
            measure(client(url, home), log=home / "client.log")
        for turn in range(repeat):
            order = list(sites) if turn % 2 == 0 else list(reversed(sites))
            took: Round = {}
            for name in order:
                url, log = sites[name]
                seen = log.stat().st_size
                measured = measure(client(url, home), log=home / "client.log")
                sent = sent_bytes(log.read_bytes()[seen:])
                took[name] = {
                    "wall": measured.wall,
                    "cpu": measured.cpu,
                    "bytes": sum(sent),
                    "requests": len(sent),
                }
            say(f"  round {turn + 1}: " + ", ".join(f"{name} {f['wall']:.2f} s" for name, f in took.items()))
            yield took


def sent_bytes(log: bytes) -> list[int]:
    """The size of each answer's body in an access log, a line an answer; SystemExit for another line."""
    found = [_SENT.search(line) for line in log.splitlines()]
    if None in found:
        raise SystemExit("bench: a line of nginx's log does not say how much was sent")
    return [int(match[1]) for match in found if match]


def _pip(url: str, _home: Path) -> list[str]:
    return [
        sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-cache-dir",
        "--disable-pip-version-check", "--isolated", "--index-url", url, "project-000000",
    ]  # fmt: skip


def _uv(url: str, home: Path) -> list[str]:
    (home / "closure.in").write_text("project-000000\n")
    return [
        str(Path(sys.executable).parent / "uv"), "pip", "compile", "--no-cache", "--no-config", "--quiet",
        "--default-index", url, "--output-file", str(home / "closure.txt"), "--upgrade",
        str(home / "closure.in"),
    ]  # fmt: skip


_CLIENTS: dict[str, Callable[[str, Path], list[str]]] = {"pip": _pip, "uv": _uv}
CLIENTS = tuple(_CLIENTS)


@contextmanager
def _our_site(home: Path) -> Iterator[tuple[str, Path]]:
    port = free_port()
    configuration = home / "ours.conf"
    synced = configuration.read_text()
    configuration.write_text(
        synced.replace("enabled = false\n", f"port = {port}\npublic-url = http://127.0.0.1:{port}/pypi\n")
    )
    settings = read_settings(configuration)
    write_site(settings)
    with NginxProcess(settings) as process:
        yield f"http://127.0.0.1:{port}/pypi/simple/", process.runtime.access_log


@contextmanager
def _bandersnatch_site(home: Path) -> Iterator[tuple[str, Path]]:
    port = free_port()
    folder = home / "bandersnatch-nginx"
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _BANDERSNATCH_SITE.format(home=folder, web=home / "bandersnatch" / "web", port=port)
    )
    # Root's nginx gives its work to another user, who may not be allowed to look into `home`.
    subprocess.run(["chmod", "-R", "a+rX", str(home)], check=True)
    with nginx(configuration, port):
        yield f"http://127.0.0.1:{port}/simple/", folder / "access.log"
