"""The one message about a run that failed, or that waits for a person: what, why, and where to look."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# Under this key a failed task leaves its last words in XCom.
ERROR_KEY = "error"
# And under this one when it is tried again, as an RFC 3339 time.
NEXT_TRY_KEY = "next_try"
MOST_LISTED = 50
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedProject:
    """A project that the run could not sync."""

    project: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """A task that failed, by the name people see, and the last words of its error."""

    task: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureMessage:
    """A failed run, for people. Nothing in it is trusted: reasons can quote what upstream sent."""

    run: str
    mirror: str
    link: str
    projects: tuple[FailedProject, ...] = ()
    tasks: tuple[FailedTask, ...] = ()

    @property
    def subject(self) -> str:
        """One line, as a mail header needs it."""
        return _one_line(f"pypi-mirror: {self._what()} ({self.run})")

    def text(self) -> str:
        """Plain text, for a webhook and for the log."""
        return "\n".join(
            (
                f"The run {self.run} of the mirror {self.mirror} {self._state()}.",
                *(f"- {name}: {reason}" for name, reason in self._listed()),
                f"Run: {self.link}",
            )
        )

    def html(self) -> str:
        """The same for a mail; everything is escaped."""
        items = "".join(
            f"<li><b>{escape(name)}</b>: {escape(reason)}</li>" for name, reason in self._listed()
        )
        return (
            f"<p>The run {escape(self.run)} of the mirror {escape(self.mirror)} "
            f"{escape(self._state())}.</p><ul>{items}</ul>"
            f'<p>Run: <a href="{escape(self.link)}">{escape(self.link)}</a></p>'
        )

    def _state(self) -> str:
        return f"has failed: {self._what()}"

    def _what(self) -> str:
        if self.projects:
            names = ", ".join(p.project for p in self.projects[:3])
            more = len(self.projects) - 3
            count = "1 project failed" if len(self.projects) == 1 else f"{len(self.projects)} projects failed"
            return f"{count}: {names}" + (f" and {more} more" if more > 0 else "")
        if self.tasks:
            return f"{self.tasks[0].task} failed"
        return "it ended without saying why"

    def _listed(self) -> Sequence[tuple[str, str]]:
        listed = [(p.project, p.reason) for p in self.projects[:MOST_LISTED]]
        if len(self.projects) > MOST_LISTED:
            listed.append(("and", f"{len(self.projects) - MOST_LISTED} more projects; see the backlog"))
        listed += [(t.task, t.reason) for t in self.tasks[:MOST_LISTED]]
        return [(_one_line(name), _one_line(reason)[:LONGEST_REASON]) for name, reason in listed]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessage(FailureMessage):
    """A run that waits for a person: its plan would remove ``removals``, for ``reasons`` more than it may."""

    removals: str
    reasons: tuple[str, ...]

    def _state(self) -> str:
        return self._what()

    def _what(self) -> str:
        return f"waits for approval to remove {self.removals}"

    def _listed(self) -> Sequence[tuple[str, str]]:
        return [("limit", _one_line(reason)) for reason in self.reasons]


def _one_line(text: str) -> str:
    return " ".join(text.split())
