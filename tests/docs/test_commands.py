"""The commands of README and docs/ do what the pages say, beside a stand-in upstream.

What begins with ``$`` in a ``console`` block is run, and prints what it is shown to. Each section starts with
the mirror that the section on the first sync makes. What cannot run here stands in ``sh`` blocks.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import pytest

from pypi_mirror.settings.read import read_settings
from tests.docs.fenced_blocks import PAGES, ROOT, Block, Command, blocks_of
from tests.nginx_process import NginxProcess
from tests.requirements_present import require
from tests.warehouse import Gap, Server, Upload, Warehouse, Wheel, running

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
FIRST_SYNC = (ROOT / "docs/getting-started.md", "The first sync")
FIRST_MIRROR = (ROOT / "README.md", "Your first mirror")

# Programs of sh blocks: none of them can do here what the page has them do.
ELSEWHERE = {"make", "docker", "git", "rsync", "promtool", "export", "airflow", "ssh"}
TEAM = (ROOT / "docs/offline.md", "A team and its lock files")
NAMES = ("requests", "urllib3", "idna", "certifi", "charset-normalizer")


@dataclass(kw_only=True)
class Sandbox:
    """A directory in which the page's paths and addresses mean something."""

    home: Path
    upstream: Server
    other: Server
    cleanup: ExitStack
    port: int = field(default_factory=lambda: _free_port())

    def here(self, text: str) -> str:
        """``text`` of the page with the paths and addresses of this place."""
        for theirs, ours in (
            ("https://index.example", self.upstream.url),
            ("master = pypi\n", f"master = {self.upstream.url}\n"),
            ("https://other.example", self.other.url),
            ("http://pypi.example:8080", f"http://127.0.0.1:{self.port}"),
            ("http://localhost:8080", f"http://127.0.0.1:{self.port}"),
            ("0.0.0.0", "127.0.0.1"),
            ("/srv/pypi", f"{self.mirror}"),
            ("/srv/team", f"{self.home}/team"),
            ("/var/backups", f"{self.home}/backups"),
            ("/media/disk", f"{self.home}/disk"),
        ):
            text = text.replace(theirs, ours)
        return re.sub(r"\b8080\b", str(self.port), text)

    def configure(self) -> None:
        (conf,) = [b.text for b in BLOCKS if b.kind == "ini" and (b.page, b.section) == FIRST_SYNC]
        (self.home / "mirror.conf").write_text(self.here(conf))
        (self.home / "backups").mkdir()

    def run(self, command: Command) -> None:
        """Run it and see that it prints what it is shown to, in that order."""
        program = Path(shutil.which("python3") or "").parent
        environment = {
            "PATH": f"{ROOT}/.venv/bin:{program}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(command.line)],
            cwd=self.home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command.line}\n{done.stdout}"
        printed = iter(done.stdout.splitlines())
        for shown in command.shown:
            if shown == "…":
                continue
            wanted = re.compile(".*".join(map(re.escape, self.here(shown).split("…"))))
            assert any(wanted.fullmatch(line) for line in printed), (
                f"$ {command.line}\nis shown to print\n  {shown}\nand prints\n{done.stdout[-3000:]}"
            )

    def do(self, hook: str) -> None:
        HOOKS[hook](self)

    @property
    def mirror(self) -> Path:
        return self.home / "my-mirror"

    def lose_ledger(self) -> None:
        for left in self.mirror.glob("ledger.sqlite*"):
            left.unlink()

    def copy_ledger_go_on_and_lose_it(self) -> None:
        """What was mirrored since the copy was made is in the tree alone."""
        copy = f"pypi-mirror ledger backup -c mirror.conf {self.home}/backups/ledger.sqlite"
        self.run(Command(line=copy, shown=()))
        self.upstream.apply(Upload(distribution=Wheel(name="requests", version="2.0")))
        self.run(Command(line="pypi-mirror sync -c mirror.conf", shown=("1 project synced, …",)))
        self.lose_ledger()

    def break_ledger(self) -> None:
        self.lose_ledger()
        (self.mirror / "ledger.sqlite").write_bytes(b"no database" * 1000)

    def lose_pool(self) -> None:
        shutil.rmtree(self.mirror / "web/packages")

    def lose_disk(self) -> None:
        shutil.rmtree(self.mirror)

    def damage_file(self) -> None:
        wheel = next((self.mirror / "web/packages").rglob("*.whl"))
        wheel.write_bytes(wheel.read_bytes()[:-1] + b"?")

    def name_wrong_master(self) -> None:
        conf = (self.home / "mirror.conf").read_text()
        (self.home / "wrong.conf").write_text(conf.replace(self.upstream.url, self.other.url))

    def set_upstream_back(self) -> None:
        """Upstream is restored from a backup that lacks what the mirror has seen."""
        self.upstream.apply(Gap(size=1000), Upload(distribution=Wheel(name="requests", version="3.0")))
        self.run(Command(line="pypi-mirror sync -c mirror.conf", shown=("1 project synced, …",)))
        port = self.upstream.port
        self.upstream.stop()
        for thread in threading.enumerate():
            if thread.name == f"warehouse-{port}":
                thread.join()
        self.upstream = self.cleanup.enter_context(running(upstream(), port=port))

    def go_inside(self) -> None:
        """The disk is carried to a machine that has only it: upstream and the mirror outside are gone."""
        self.upstream.stop()
        conf = (self.home / "mirror.conf").read_text()
        (self.home / "inside.conf").write_text(
            conf.replace(f"directory = {self.mirror.name}\n", "directory = disk\n")
        )
        self.mirror.rename(self.home / "outside")

    def lock_a_project(self) -> None:
        """What a team has: a project with its lock and its requirements, made where upstream is."""
        (conf,) = [b.text for b in BLOCKS if (b.page, b.section, b.kind) == (*TEAM, "ini")]
        conf = conf.replace("host = pypi.example", "host = 127.0.0.1")
        (self.home / "team.conf").write_text(self.here(conf))
        project = self.home / "shop"
        project.mkdir()
        (project / "pyproject.toml").write_text(
            '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
            'dependencies = ["requests"]\n'
        )
        uv = "uv --no-config --no-python-downloads --quiet --directory shop"
        index = f"--default-index {self.upstream.url}/simple"
        self.run(Command(line=f"{uv} lock {index}", shown=()))
        export = "export --frozen --format requirements.txt --no-emit-project --output-file requirements.txt"
        self.run(Command(line=f"{uv} {export}", shown=()))

    def carry_inside(self) -> None:
        """The team's machine inside has the disk, and nothing of what is outside."""
        self.upstream.stop()
        outside = self.home / "outside"
        outside.mkdir()
        for name in ("team", "team.conf", "shop"):
            (self.home / name).rename(outside / name)

    def serve_team(self) -> None:
        self.cleanup.enter_context(NginxProcess(read_settings(self.home / "team.conf", {})))

    def serve(self) -> None:
        self.cleanup.enter_context(NginxProcess(read_settings(self.home / "mirror.conf", {})))

    def require_others(self) -> None:
        """Upstream gets more projects that require others."""
        self.upstream.apply(
            *(
                Upload(distribution=Wheel(name=name, version=version, requires_dist=requires))
                for name, version, requires in (
                    ("httpx", "0.28.1", ("httpcore==1.*", "anyio", "idna")),
                    ("httpcore", "1.0.9", ("certifi", "h11>=0.16")),
                    ("anyio", "4.16.0", ("idna",)),
                    ("h11", "0.16.0", ()),
                )
            )
        )

    def name_httpx(self) -> None:
        conf = self.home / "mirror.conf"
        conf.write_text(conf.read_text().replace("packages =\n", "packages =\n    httpx\n", 1))

    def need_rsync(self) -> None:
        require(shutil.which("rsync"), "rsync")


HOOKS = {
    "lose the ledger": Sandbox.lose_ledger,
    "copy the ledger, go on, then lose it": Sandbox.copy_ledger_go_on_and_lose_it,
    "break the ledger": Sandbox.break_ledger,
    "lose the pool": Sandbox.lose_pool,
    "lose the disk": Sandbox.lose_disk,
    "damage a file": Sandbox.damage_file,
    "name a wrong master": Sandbox.name_wrong_master,
    "set upstream back": Sandbox.set_upstream_back,
    "go inside": Sandbox.go_inside,
    "serve": Sandbox.serve,
    "a team's project": Sandbox.lock_a_project,
    "carry the team's disk inside": Sandbox.carry_inside,
    "serve the team's site": Sandbox.serve_team,
    "projects that require others": Sandbox.require_others,
    "name httpx in the allowlist": Sandbox.name_httpx,
    "needs rsync": Sandbox.need_rsync,
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def upstream() -> Warehouse:
    """What the page's allow-list names and requires, and releases and wheels that it leaves out."""
    return Warehouse(
        *(Upload(distribution=Wheel(name=name, version="1.0")) for name in NAMES[1:]),
        Upload(distribution=Wheel(name=NAMES[0], version="1.0", requires_dist=NAMES[1:])),
        Upload(distribution=Wheel(name="pyyaml", version="5.4")),
        Upload(distribution=Wheel(name="pyyaml", version="6.0")),
        Upload(distribution=Wheel(name="pyyaml", version="6.0", tags="cp311-cp311-win_amd64")),
        Upload(distribution=Wheel(name="nobody-asked-for")),
    )


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with ExitStack() as stack:
        made = Sandbox(
            home=tmp_path,
            upstream=stack.enter_context(running(upstream())),
            other=stack.enter_context(running(Warehouse(Upload(distribution=Wheel(name="other"))))),
            cleanup=stack,
        )
        made.configure()
        yield made


SECTIONS = list(dict.fromkeys((block.page, block.section) for block in BLOCKS if block.kind == "console"))


@pytest.mark.servers
@pytest.mark.parametrize(
    ("page", "section"), SECTIONS, ids=[f"{page.name}: {section}" for page, section in SECTIONS]
)
def test_the_commands_do_what_the_page_says(page: Path, section: str, sandbox: Sandbox) -> None:
    if (page, section) != FIRST_SYNC:
        sandbox.run(Command(line="pypi-mirror sync -c mirror.conf", shown=("6 projects synced, …",)))
    for block in BLOCKS:
        if (block.page, block.section, block.kind) != (page, section, "console"):
            continue
        if block.hook is not None:
            sandbox.do(block.hook)
        for command in block.commands:
            sandbox.run(command)


def test_every_kind_of_block_is_looked_at() -> None:
    assert {block.kind for block in BLOCKS} == {"console", "sh", "ini", "toml", "text", "python"}
    assert {block.hook for block in BLOCKS if block.kind != "console"} == {None}
    assert set(HOOKS) == {block.hook for block in BLOCKS} - {None}


def test_readme_and_getting_started_have_the_same_first_mirror() -> None:
    first, same = (
        [b.text for b in BLOCKS if b.kind == "ini" and (b.page, b.section) == place]
        for place in (FIRST_MIRROR, FIRST_SYNC)
    )
    assert len(first) == 1
    assert first == same


INI = [block for block in BLOCKS if block.kind == "ini"]


@pytest.mark.parametrize("block", INI, ids=[f"{block.page.name}: {block.section}" for block in INI])
def test_every_piece_of_configuration_has_no_mistake(block: Block, tmp_path: Path) -> None:
    conf = tmp_path / "mirror.conf"
    needed = "" if "directory =" in block.text else f"[mirror]\ndirectory = {tmp_path}\n\n"
    conf.write_text(needed + block.text)
    read_settings(conf, {})


def test_what_is_toml_is_toml() -> None:
    for block in BLOCKS:
        if block.kind == "toml":
            assert tomllib.loads(block.text)


def test_what_cannot_run_here_is_bash_and_names_what_there_is() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in BLOCKS:
        if block.kind != "sh":
            continue
        subprocess.run(["bash", "-n", "-c", block.text], check=True)
        for line in block.text.replace("\\\n", " ").splitlines():
            program, *words = shlex.split(line, comments=True) or ["export"]
            if program.removeprefix(".venv/bin/") == "pypi-mirror":
                # Not run here: it only has to be a verb that there is, with such arguments.
                arguments = takewhile(lambda word: word != "&&", words)
                subprocess.run(
                    [Path(sys.executable).with_name("pypi-mirror"), *arguments, "--help"], check=True
                )
                continue
            assert program in ELSEWHERE, line
            if program == "make":
                assert {word for word in words if "=" not in word} <= targets, line
            if program == "promtool":
                assert (ROOT / words[-1]).is_file(), line


def test_the_figures_are_those_that_the_benchmark_computes() -> None:
    """Where this fails after `make bench`, take the figures of docs/capacity.md over."""
    tables = _tables((ROOT / "docs/capacity.md").read_text())
    first, daily, needs = (
        tables[name] for name in ("First sync", "Every day after", "What it needs of the machine")
    )
    ours = _tables((ROOT / "docs/sizing.md").read_text())["How large"]
    assert set(ours) == set(needs)
    for name, row in ours.items():
        assert list(row.values()) == [
            needs[name]["files"],
            first[name]["time at 100 Mbit/s"].partition(" (")[0],
            first[name]["time at 1 Gbit/s"].partition(" (")[0],
            daily[name]["bytes"],
            needs[name]["inodes"],
            needs[name]["database"],
        ], name


def _tables(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """Tables by section, rows by their first cell, cells by the head of their column."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
        if lines and lines[0][0] == "mirror":
            head, _, *rows = lines
            found[section.partition("\n")[0]] = {
                row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows
            }
    return found
