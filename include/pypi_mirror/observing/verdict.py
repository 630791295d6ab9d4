"""What to say of the mirror first: the worst thing that is true, and what to do about it.

Everything else that is true comes after it, and nothing is good while something is wrong.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.model import RunState
from pypi_mirror.observing.overview import Overview
from pypi_mirror.planning.unmet_rules import advice
from pypi_mirror.wording import count, duration, moment, size, some_of

_DAY: Final = 24 * 3600


class Tone(StrEnum):
    """From the worst on."""

    BAD = "bad"
    WARN = "warn"
    INFO = "info"
    GOOD = "good"


class Finding(Struct, frozen=True, kw_only=True):
    """Something that is true of the mirror. ``advice`` says what it means and what to do, in sentences;
    ``see`` is the part of the page in Airflow that says more.
    """

    state: str
    tone: Tone
    headline: str
    advice: str
    see: str | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """``worst`` comes first, ``others`` after it, worse ones first."""

    worst: Finding
    others: tuple[Finding, ...]


def verdict(seen: Overview, *, stale_after: float | None, switched_off: bool = False) -> Verdict:
    """Judge what was ``seen``. A mirror is stale after ``stale_after`` seconds, never with None.

    ``switched_off`` says that nothing starts syncs: their DAG is paused in Airflow.
    """
    found = list(_findings(seen, stale_after, switched_off=switched_off))
    if not found:
        found.append(Finding(state="up-to-date", tone=Tone.GOOD, headline="Up to date", advice=""))
    tones = list(Tone)
    found.sort(key=lambda each: tones.index(each.tone))
    return Verdict(worst=found[0], others=tuple(found[1:]))


def no_mirror_yet(reason: str) -> Verdict:
    """What to say where there is no ledger to look into, which is so before the first sync."""
    return Verdict(worst=_empty(_sentence(reason)), others=())


def _empty(advice: str) -> Finding:
    return Finding(state="empty", tone=Tone.WARN, headline="Nothing is mirrored yet", advice=advice)


def _findings(seen: Overview, stale_after: float | None, *, switched_off: bool) -> Iterator[Finding]:
    if seen.disk.free < seen.disk.reserve:
        yield Finding(
            state="disk-full",
            tone=Tone.BAD,
            headline="The disk is full down to its reserve",
            advice=f"{size(seen.disk.free)} are free at {seen.disk.path}, and [mirror] disk-reserve keeps "
            f"{size(seen.disk.reserve)}. Runs stop before they write: free some space or enlarge the disk.",
        )
    causes = list(_causes(seen, switched_off=switched_off))
    stale = stale_after is not None and (seen.lag_seconds or 0) > stale_after
    if (approval := awaiting_approval(seen)) is not None:
        yield replace(approval, tone=Tone.BAD) if stale else approval
    if stale:
        # What is named as the reason is not said once more.
        yield _stale(seen, causes.pop(0) if causes and seen.waiting is None else None)
    yield from causes
    yield from _doubts(seen, stale_after)
    if not stale:
        yield from _pace(seen)


def _causes(seen: Overview, *, switched_off: bool) -> Iterator[Finding]:
    """What keeps the mirror from catching up, the likeliest cause first."""
    if seen.upstream_silent_since is not None:
        yield Finding(
            state="upstream-silent",
            tone=Tone.WARN,
            headline=f"Upstream has not answered for {_since(seen, seen.upstream_silent_since)}",
            advice="The mirror serves what it has. If this lasts, check the network and [mirror] master.",
        )
    if _has_failed(seen):
        retried = " Failed projects are on the backlog and are retried automatically." if seen.backlog else ""
        yield Finding(
            state="run-failed",
            tone=Tone.BAD,
            headline="The last run failed",
            advice=f"{_sentence(seen.last_reason or 'its log in Airflow says why')}{retried}",
            see="backlog" if seen.backlog else "history",
        )
    if switched_off:
        yield Finding(
            state="switched-off",
            tone=Tone.WARN,
            headline="Scheduled syncs are switched off",
            advice="The DAG pypi_mirror is paused: switch it on in Airflow's list of DAGs.",
        )
    elif seen.cursor is None and seen.running is None and seen.waiting is None and not _has_failed(seen):
        yield _empty("Sync now starts the first sync; otherwise it starts on schedule.")


def _has_failed(seen: Overview) -> bool:
    """A run that stopped because nobody approved its plan has failed for that reason alone."""
    return seen.last_run is RunState.FAILED and seen.running is None and seen.waiting is None


def awaiting_approval(seen: Overview) -> Finding | None:
    """What a plan would remove, or add, that nobody has approved yet; None without one."""
    waiting = seen.waiting
    if waiting is None:
        return None
    if not waiting.touched:
        kept = ""
    elif waiting.grace_days is None:
        kept = "Removed files stay on the disk: [mirror] delete-packages is off."
    else:
        kept = f"Removed files stay on the disk for {waiting.grace_days:g} days."
    if seen.running == waiting.run:
        then = (
            "Nothing happens until somebody answers. "
            f"After {waiting.approval_hours:g} hours the run fails and nothing changes."
        )
    else:
        then = "Its run has ended and nothing was changed; the next run asks again."
    return Finding(
        state="awaiting-approval",
        tone=Tone.WARN,
        headline=f"Awaiting approval to {waiting.would}",
        advice=f"{then} {kept}".strip(),
        see="removals",
    )


def _stale(seen: Overview, cause: Finding | None) -> Finding:
    see: str | None = None
    if seen.waiting is not None:
        advice, see = _catches_up(seen), "removals"
    elif cause is not None:
        advice, see = f"{cause.headline}. {cause.advice}", cause.see
    elif seen.running is not None:
        advice = "A run is under way and catches up; its progress is below."
    else:
        advice = "Start a run with Sync now, and check in Airflow that scheduled runs start."
    return Finding(
        state="stale",
        tone=Tone.BAD,
        headline=f"Stale: {_behind(seen)}",
        advice=advice,
        see=see,
    )


def _doubts(seen: Overview, stale_after: float | None) -> Iterator[Finding]:
    """What may be wrong, or is wrong with a part of the mirror."""
    if seen.clock_ahead is not None:
        yield Finding(
            state="clock-ahead",
            tone=Tone.WARN,
            headline=f"This machine's clock is {duration(seen.clock_ahead)} ahead",
            advice="It is ahead of upstream's clock. Set it (NTP); until then nothing is deleted.",
        )
    if seen.cursor is not None and seen.lag_seconds is None:
        yield Finding(
            state="lag-unknown",
            tone=Tone.WARN,
            headline="It is unknown how far the mirror is behind",
            advice="Upstream has not stated its newest serial yet; each run and the DAG pypi_mirror_watch "
            "ask for it.",
        )
    asked = None if seen.checked_at is None else round((seen.at - seen.checked_at).total_seconds())
    if asked is not None and asked > (stale_after or _DAY) and seen.upstream_silent_since is None:
        yield Finding(
            state="not-compared",
            tone=Tone.WARN,
            headline=f"Not compared with upstream for {duration(asked)}",
            advice="Runs and the DAG pypi_mirror_watch ask upstream: check that both are switched on.",
        )
    if seen.unknown_names:
        yield Finding(
            state="unknown-names",
            tone=Tone.WARN,
            headline=f"Upstream does not list {count(len(seen.unknown_names), 'requested project')}",
            advice=f"{some_of(seen.unknown_names)}: mistyped in [allowlist] packages or requirements, "
            "removed, or quarantined.",
        )
    if seen.unmet_rules:
        rules = [f"{each.rule} ({each.by})" for each in seen.unmet_rules]
        yield Finding(
            state="unmet-rules",
            tone=Tone.WARN,
            headline=f"Upstream lacks {count(len(seen.unmet_rules), 'requested release')}",
            advice=f"{some_of(rules)}: mistyped or removed. {_sentence(advice(seen.unmet_rules))}",
        )
    if seen.configuration_warnings:
        lines = [f"{each.key} {each.message} (line {each.line})" for each in seen.configuration_warnings]
        yield Finding(
            state="configuration-warnings",
            tone=Tone.WARN,
            headline=f"{count(len(seen.configuration_warnings), 'warning')} about the configuration",
            advice=f"{some_of(lines)}. Change these lines or remove them.",
        )
    if seen.backlog and not _has_failed(seen):
        parked = f" {seen.parked:,} of them failed too often and are retried rarely." if seen.parked else ""
        up_to_date = "Up to date, except for " if seen.lag_seconds == 0 and seen.waiting is None else ""
        yield Finding(
            state="backlog",
            tone=Tone.WARN,
            headline=f"{up_to_date}{count(seen.backlog, 'project')}{'' if up_to_date else ' failed'}",
            advice=f"Failed projects are retried automatically.{parked}",
            see="backlog",
        )


def _pace(seen: Overview) -> Iterator[Finding]:
    """How a mirror that is well catches up."""
    if seen.cursor is None and seen.running is not None:
        yield Finding(
            state="first-sync",
            tone=Tone.INFO,
            headline="The first sync is under way",
            advice="Its progress is below.",
        )
    elif seen.lag_seconds:
        yield Finding(
            state="behind",
            tone=Tone.INFO,
            headline=_behind(seen)[:1].upper() + _behind(seen)[1:],
            advice=_catches_up(seen),
        )
    if seen.paused_until is not None:
        yield Finding(
            state="outside-window",
            tone=Tone.INFO,
            headline=f"Downloads are paused until {moment(seen.paused_until)}",
            advice="[schedule] download-window allows them again then.",
        )
    # A run under way takes its part of it.
    if seen.left is not None and seen.running is None:
        rest = "" if seen.left.bytes is None else f", about {size(seen.left.bytes)},"
        runs = "" if seen.left.runs is None else f" (about {count(seen.left.runs, 'run')})"
        yield Finding(
            state="left",
            tone=Tone.INFO,
            headline=f"{count(seen.left.projects, 'project')}{rest} left for later runs{runs}",
            advice="[schedule] limits how much a run takes; each run continues where the last one ended.",
        )


def _catches_up(seen: Overview) -> str:
    if seen.waiting is not None:
        return "The mirror catches up after somebody has approved or rejected the plan."
    return "The next run catches up." if seen.running is None else "The run under way catches up."


def _behind(seen: Overview) -> str:
    """``37 events behind for 12 min``."""
    events = "" if seen.behind is None else f"{count(seen.behind, 'event')} "
    return f"{events}behind for {duration(seen.lag_seconds or 0)}"


def _since(seen: Overview, then: datetime) -> str:
    return duration(max(0, round((seen.at - then).total_seconds())))


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
