"""A message to the people behind the mirror: what, why, what to do, where to look; as text, HTML and JSON.

Nothing in it is trusted: reasons can quote what upstream sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from html import escape
from typing import Any

import msgspec

from pypi_mirror.settings.locate import name_used_file

# XCom keys: the error of a failed task, its class and what it says under these two names; and when it is
# retried, as an RFC 3339 time.
ERROR_KEY = "error"
NEXT_TRY_KEY = "next_try"
MOST_LISTED = 50
LONGEST_REASON = 500
RUNBOOK = "docs/operations.md"


class Status(StrEnum):
    """``FIRING``: a person may be needed; ``RESOLVED``: no more; ``TEST``: the channels are tested."""

    FIRING = "firing"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedProject:
    """A project that the run could not sync: the class of its error, why, and when it is retried."""

    project: str
    error: str
    reason: str
    retried_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """A task that failed, by the name people see: the class of its error, if it ended with one, and why."""

    task: str
    error: str | None = None
    reason: str

    @property
    def why(self) -> str:
        return self.reason if self.error is None else f"{self.error}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """``alert`` is the stable key of what it is about, ``title`` says it in half a line, ``summary`` in one.

    ``run`` is the label of the run it is about, if it is about one; ``link`` leads there, else to the
    mirror's page. ``details`` are lines beside the projects and tasks that failed, ``advice`` sentences.
    ``projects`` are the first of those that failed, and ``unlisted`` counts the others: no webhook takes a
    body with half a million.
    """

    alert: str
    title: str
    summary: str
    mirror: str
    link: str
    status: Status = Status.FIRING
    run: str | None = None
    details: tuple[str, ...] = ()
    projects: tuple[FailedProject, ...] = ()
    unlisted: int = 0
    tasks: tuple[FailedTask, ...] = ()
    advice: tuple[str, ...] = ()

    def for_people(self) -> "Message":
        """With the configuration file in each command, so that commands can be copied."""
        return replace(
            self,
            details=tuple(map(name_used_file, self.details)),
            projects=tuple(replace(each, reason=name_used_file(each.reason)) for each in self.projects),
            tasks=tuple(replace(each, reason=name_used_file(each.reason)) for each in self.tasks),
            advice=tuple(map(name_used_file, self.advice)),
        )

    @property
    def subject(self) -> str:
        """One line, as a mail header needs it."""
        about = "" if self.run is None else f" ({self.run})"
        return _one_line(f"pypi-mirror: {self.title}{about}")

    @property
    def runbook(self) -> str:
        """Its place in the runbook, where each key is a heading."""
        return RUNBOOK if self.status is Status.TEST else f"{RUNBOOK}#{self.alert}"

    def listed(self) -> Iterator[tuple[str, str]]:
        """(name, reason) of what failed, one line each, then the details, which have no name."""
        for project in self.projects:
            retried = "" if project.retried_at is None else f" (retried after {project.retried_at})"
            reason = _one_line(f"{project.error}: {project.reason}")[:LONGEST_REASON]
            yield project.project, f"{reason}{retried}"
        if self.unlisted:
            yield "and", f"{self.unlisted:,} more projects; see the backlog"
        for task in self.tasks[:MOST_LISTED]:
            yield task.task, _one_line(task.why)[:LONGEST_REASON]
        for line in self.details:
            yield "", _one_line(line)[:LONGEST_REASON]

    def text(self) -> str:
        """Plain text, for a webhook and for the log."""
        return "\n".join(
            (
                self.summary,
                *(f"- {name}: {reason}" if name else f"- {reason}" for name, reason in self.listed()),
                *self.advice,
                f"See: {self.link}",
                f"Alert: {self.alert} ({self.runbook})",
            )
        )

    def html(self) -> str:
        """The same for a mail; everything is escaped."""
        items = "".join(
            f"<li><b>{escape(name)}</b>: {escape(reason)}</li>" if name else f"<li>{escape(reason)}</li>"
            for name, reason in self.listed()
        )
        advice = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.advice)
        return (
            f"<p>{escape(self.summary)}</p>{f'<ul>{items}</ul>' if items else ''}{advice}"
            f'<p>See: <a href="{escape(self.link)}">{escape(self.link)}</a><br>'
            f"Alert: {escape(self.alert)} ({escape(self.runbook)})</p>"
        )

    def payload(self) -> dict[str, Any]:
        """For a webhook: ``text`` is what chat programs show, the other keys are for programs."""
        return {
            "text": self.text(),
            "alert": self.alert,
            "status": self.status.value,
            "title": self.title,
            "mirror": self.mirror,
            "run": self.run,
            "url": self.link,
            "projects": [{"project": p.project, "reason": f"{p.error}: {p.reason}"} for p in self.projects],
            "more_projects": self.unlisted,
            "tasks": [{"task": t.task, "reason": t.why} for t in self.tasks],
            "details": list(self.details),
            "advice": list(self.advice),
        }

    def encoded(self) -> str:
        """For the ledger, until it is delivered."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decoded(cls, text: str) -> "Message":
        return msgspec.json.decode(text, type=cls)


def _one_line(text: str) -> str:
    return " ".join(text.split())
