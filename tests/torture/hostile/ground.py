"""Where a hostile upstream meets a mirror: a directory of it and, beside it, of what must stay as it is."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pypi_mirror.settings.values import Site as NginxSite
from tests.torture.campaign import Wrong
from tests.torture.hostile.judge import judge_tree, surroundings
from tests.torture.hostile.run import DEADLINE, Came, Runs, settings_for
from tests.torture.hostile.server import Site

MOST_MEMORY = 300 * 1024 * 1024
# Seconds until the end of a call is seen here, on a machine that is busy with other things, too.
_GRACE = 12.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """By case: bytes of memory at most, and seconds of the longest call."""

    wrong: list[Wrong] = field(default_factory=list)
    peaks: dict[str, int] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)

    def add(self, kind: str, detail: str) -> None:
        self.wrong.append(Wrong(kind=kind, detail=detail))


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """``base`` holds the mirror; ``site`` is its upstream, ``runs`` does its runs."""

    base: Path
    site: Site
    runs: Runs
    found: Found

    @property
    def mirror(self) -> Path:
        return self.base / "mirror"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    def at(self, name: str) -> "Ground":
        """Another one beside it, without a mirror."""
        ground = replace(self, base=self.base.parent / name)
        ground.outside.mkdir(parents=True)
        (ground.outside / "kept.txt").write_text("as it was")
        (ground.base / "etc").mkdir()
        return ground

    def copy(self, name: str) -> "Ground":
        """The same in another place, for one case."""
        ground = replace(self, base=self.base.parent / name)
        shutil.copytree(self.base, ground.base, symlinks=True)
        return ground

    def sync(self, case: str, *, is_guarded: bool = True) -> Came | None:
        """A run; what is wrong whatever the case is, is noted. None when nothing came of it."""
        before = surroundings(self.base, self.mirror)
        self.site.held.clear()
        try:
            came = self.runs.sync(self.mirror, self.site.url, is_guarded=is_guarded)
        except RuntimeError as error:
            self.found.add("run died", f"{case}: {error}")
            return None
        self.found.peaks[case] = came.peak
        if came.peak > MOST_MEMORY:
            self.found.add("memory", f"{case}: {came.peak >> 20} MB")
        for path, seconds in list(self.site.held.items()):
            self.found.held[case] = max(self.found.held.get(case, 0.0), seconds)
            if seconds > DEADLINE + _GRACE:
                self.found.add("deadline", f"{case}: {path} was listened to for {seconds:.0f} s")
        if surroundings(self.base, self.mirror) != before:
            self.found.add("written elsewhere", f"{case}: beside the mirror")
        settings = replace(settings_for(self.mirror, self.site.url), site=NginxSite())
        for each in judge_tree(settings):
            self.found.add(each.kind, f"{case}: {each.detail}")
        return came

    def sync_well(self, case: str) -> Came | None:
        """A run in which nothing fails; None, and noted, when something did."""
        came = self.sync(case)
        if came is not None and came.state == "success":
            return came
        detail = f"{case}: {came and (came.state, came.error, list(came.failures.items())[:3])}"
        self.found.add("another project affected", detail)
        return None

    def pages(self, name: str = "*") -> Mapping[str, bytes]:
        """The pages that are served, by project."""
        return {
            path.parent.name: path.read_bytes()
            for path in (self.mirror / "web/simple").glob(f"{name}/index.v1_json")
            if path.is_file()
        }

    def files(self, name: str) -> dict[str, bytes] | None:
        """What the page of a project lists, with the bytes of each; None without a page."""
        page = self.pages(name).get(name)
        if page is None:
            return None
        simple = self.mirror / "web/simple" / name
        return {
            file["filename"]: (simple / file["url"].partition("#")[0]).read_bytes()
            for file in json.loads(page)["files"]
        }
