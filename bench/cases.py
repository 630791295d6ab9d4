"""The cases, as a table: what is mirrored, over which wire, from which start, and what is hoped for."""

from dataclasses import dataclass
from typing import Literal

from bench.catalogue import Catalogue

Start = Literal["empty", "unchanged", "changed"]
# What tools are compared in; what else a turn is measured in is about the turn itself.
FIGURES = ("wall", "cpu", "memory", "written", "requests", "bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Ours over ``to`` in ``figure`` is to be ``at_most`` this, at the median of the pairs.

    With ``to`` None it is our own figure that is bounded, in seconds, bytes or requests: of the whole case,
    or of that part of it.
    """

    figure: str
    to: str | None
    at_most: float
    part: str = "ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCase:
    """One mirroring job. ``round_trip`` is in seconds; ``start`` says what the mirror holds before.

    ``others`` is how many projects upstream lists beside those that are mirrored; a first sync without them
    comes before, as filters would have had it.
    """

    letter: str
    title: str
    catalogue: Catalogue
    goals: tuple[Goal, ...]
    tools: tuple[str, ...] = ("ours", "bandersnatch", "the floor")
    round_trip: float = 0.0
    start: Start = "empty"
    release_files: bool = True
    others: int = 0


# What upstream listed in 2026.
LISTED = 730_000
# A share of the projects that case G changes in each turn.
CHANGED = 0.01


def sync_cases(scale: float) -> list[SyncCase]:
    """Cases A to G; ``scale`` multiplies the number of projects, or of files where there is one project."""

    def scaled(count: int) -> int:
        return max(1, round(count * scale))

    many = Catalogue(projects=scaled(2_000), files=5, filler=20_000)
    grown = Catalogue(projects=scaled(20_000), files=1, filler=200, metadata=False)
    return [
        SyncCase(
            letter="A",
            title=f"first sync of {many.projects} projects of 5 wheels of 20 kB with .metadata",
            catalogue=many,
            goals=(
                Goal(figure="wall", to="bandersnatch", at_most=0.1),
                Goal(figure="wall", to="the floor", at_most=1.5),
                Goal(figure="cpu", to="bandersnatch", at_most=0.18),
            ),
        ),
        SyncCase(
            letter="B",
            title="the same over a wire with a round trip of 50 ms",
            catalogue=many,
            # curl with ten connections waits for two minutes here, and says nothing that A does not.
            tools=("ours", "bandersnatch"),
            round_trip=0.05,
            goals=(Goal(figure="wall", to="bandersnatch", at_most=0.08),),
        ),
        SyncCase(
            letter="C",
            title=f"one project of {scaled(300)} files over a wire with a round trip of 50 ms",
            catalogue=Catalogue(projects=1, files=scaled(300), filler=20_000, metadata=False),
            round_trip=0.05,
            goals=(Goal(figure="wall", to="bandersnatch", at_most=0.05),),
        ),
        SyncCase(
            letter="D",
            title=f"{scaled(12) * 5} files of 20 MB",
            catalogue=Catalogue(projects=scaled(12), files=5, filler=20_000_000, metadata=False),
            goals=(Goal(figure="wall", to="the floor", at_most=1.15),),
        ),
        SyncCase(
            letter="E",
            title=f"{scaled(16_000)} projects, pages only",
            catalogue=Catalogue(projects=scaled(16_000), files=2, filler=200),
            release_files=False,
            goals=(Goal(figure="wall", to="bandersnatch", at_most=0.09),),
        ),
        *(
            SyncCase(
                letter="F",
                title=f"nothing changed, {grown.projects} projects of {listed} that upstream lists",
                catalogue=grown,
                start="unchanged",
                others=listed - grown.projects,
                tools=("ours", "bandersnatch"),
                goals=(
                    Goal(figure="wall", to="bandersnatch", at_most=at_most),
                    Goal(figure="requests", to=None, at_most=2),
                ),
            )
            for listed, at_most in ((grown.projects, 0.6), (scaled(LISTED), 0.35))
        ),
        *(
            SyncCase(
                letter="G",
                title=f"1 % of {grown.projects} projects changed, of {listed} that upstream lists",
                catalogue=grown,
                start="changed",
                others=listed - grown.projects,
                tools=("ours", "bandersnatch"),
                goals=(Goal(figure="wall", to="bandersnatch", at_most=at_most),),
            )
            for listed, at_most in ((grown.projects, 0.5), (scaled(LISTED), 0.3))
        ),
    ]
