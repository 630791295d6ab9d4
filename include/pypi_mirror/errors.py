"""Everything the engine raises on purpose, under one base.

Each error carries its facts as fields and reads as a sentence that names the file, key, project or
address it is about and says what to do. Errors of other libraries are translated with ``from`` where
they enter. ``retryable`` tells the faces (Airflow, the command line) whether trying again can help.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypi_mirror.plain_text import plain, plain_address
from pypi_mirror.run_label import shown_label


class MirrorError(Exception):
    """Base of all errors of the engine; they travel between processes with their fields."""

    retryable: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Python's own way calls __init__ with the message alone.
        return _revived, (type(self), self.args, self.__dict__)


def _revived(kind: type[MirrorError], args: tuple[Any, ...], fields: dict[str, Any]) -> MirrorError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in a configuration file; ``line`` counts from 1, None when no line holds it.

    ``key`` is a section, or one with an option, such as ``[mirror] timeout``; None for the file as a whole.
    """

    line: int | None
    key: str | None = None
    message: str


class ConfigurationError(MirrorError):
    """The configuration file cannot be used; ``mistakes`` holds every mistake found, in file order."""

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        self.path = path
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self._lines()))

    def _place(self, line: int | None) -> str:
        return str(self.path) if line is None else f"{self.path}:{line}"

    def _lines(self) -> list[str]:
        return [
            ": ".join(part for part in (self._place(mistake.line), mistake.key, mistake.message) if part)
            for mistake in self.mistakes
        ]


class UpstreamError(MirrorError):
    """Upstream did not give what was asked for; ``message`` says why, without the address.

    It may quote upstream; it is made plain here, where upstream's words enter.
    """

    def __init__(self, message: str, *, url: str) -> None:
        self.url = url
        self.message = plain(message)
        super().__init__(f"{plain_address(url)}: {self.message}")


class UpstreamUnavailable(UpstreamError):
    """No usable answer: connection refused or lost, timeout, 429 or 5xx. Trying later can help.

    ``retry_after`` is the number of seconds upstream asked us to wait, None when it did not say. ``answered``
    is true where upstream did answer, and so may answer something else; ``connected`` is false where the
    name is unknown or nothing listens there.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        url: str,
        retry_after: float | None = None,
        answered: bool = False,
        connected: bool = True,
    ) -> None:
        self.connected = connected
        self.retry_after = retry_after
        self.answered = answered
        super().__init__(message, url=url)


class UpstreamRefused(UpstreamError):
    """Upstream, or a proxy on the way, does not let us have it: 401, 403, 407, 451."""


class NoProjectList(UpstreamError):
    """Upstream has no list of its projects, or refuses it; the configuration must name them."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(
            f"{message}. To mirror an index that has no such list, name its projects in [allowlist] "
            "packages or requirements; otherwise check [mirror] master",
            url=url,
        )


class UpstreamMalformed(UpstreamError):
    """Upstream answered, and the answer breaks the protocol (PEP 503, PEP 691, XML-RPC)."""


class CutOff(UpstreamMalformed):
    """What came is no whole document: lost on the way, or somebody's error page. Another try may bring it."""

    retryable = True


def _of_serial(serial: int | None) -> str:
    return "the page states no serial" if serial is None else f"the page is of serial {serial}"


class StalePage(UpstreamError):
    """A project page is older than the event that sent us there, after all retries."""

    retryable = True

    def __init__(self, *, url: str, serial: int | None, wanted: int) -> None:
        self.serial = serial
        self.wanted = wanted
        super().__init__(
            f"{_of_serial(serial)}, the changelog names serial {wanted}; a later run will try again",
            url=url,
        )


class PageWentBack(UpstreamError):
    """A project page is older than the one that the mirror has: an old copy, or somebody replays it."""

    retryable = True

    def __init__(self, *, url: str, serial: int | None, had: int) -> None:
        self.serial = serial
        self.had = had
        super().__init__(
            f"{_of_serial(serial)}, the mirror has serial {had} already and keeps that; a later "
            "run tries again. If upstream was set back, `pypi-mirror sync PROJECT` takes its page as it is",
            url=url,
        )


class UpstreamDown(MirrorError):
    """Upstream does not answer, or fails for every project: no project is to blame. Trying later can help.

    What was not done is as it was: planned, and not on the backlog.
    """

    retryable = True

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"upstream is down: {reason}. What was finished is kept, the rest stays planned; "
            "run it again once upstream answers"
        )


class FileRefused(UpstreamError):
    """A file cannot be mirrored: its name, address, size or digest is not acceptable."""


class FileReplaced(FileRefused):
    """Upstream offers other bytes under a file name that the mirror knows; what the mirror has stays."""

    def __init__(self, *, filename: str, url: str, difference: str) -> None:
        self.filename = filename
        super().__init__(
            f"upstream offers other bytes under the name {filename} than it did before: {difference}. A file "
            "name means the same bytes for ever, so the new file is refused; the old one stays, if it is "
            "here. Ask upstream what happened; [mirror] replaced-files = follow is for an index that "
            "lets files be replaced",
            url=url,
        )


class DigestMismatch(FileRefused):
    """The bytes that arrived have another digest than the page announced."""

    retryable = True

    def __init__(self, *, url: str, algorithm: str, expected: str, actual: str) -> None:
        self.algorithm = algorithm
        self.expected = expected
        self.actual = actual
        super().__init__(f"{algorithm} is {actual}, the page announces {expected}", url=url)


class SizeMismatch(FileRefused):
    """More or fewer bytes arrived than the page announced."""

    retryable = True

    def __init__(self, *, url: str, expected: int, actual: int) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"{actual} bytes arrived, the page announces {expected}", url=url)


class FileBusy(MirrorError):
    """Another process, or another project, is downloading the file at ``path`` at this moment."""

    retryable = True

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: another process is downloading this file; a later try will find it there")


class LedgerError(MirrorError):
    """The ledger cannot be opened, is of another version, or contradicts itself."""


class LedgerDamaged(LedgerError):
    """The ledger's file is broken; it must be rebuilt."""


class OldLedger(LedgerError):
    """The ledger has an older schema, and a reader does not upgrade it."""

    def __init__(self, *, found: str, known: str, address: str) -> None:
        self.found = found
        self.known = known
        super().__init__(
            f"the ledger at {address} has schema {found}, this program needs schema {known}: "
            "`pypi-mirror ledger upgrade` upgrades it, and so does the next sync"
        )


class LedgerUnavailable(LedgerError):
    """The ledger's database cannot be reached just now, or others keep it busy. Trying later can help."""

    retryable = True


class DiskFault(MirrorError):
    """The mirror's own disk, or this machine, is at fault and no project: a person has to act.

    ``path`` is a place on that disk.
    """

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}; what was finished is kept and served")


class WrongDisk(MirrorError):
    """The directory or the pool is not the one that the ledger belongs to; nothing was written."""

    def __init__(self, *, path: Path, reason: str) -> None:
        self.path = str(path)
        super().__init__(
            f"{path}: {reason}. Nothing was written. Mount the mirror's disk; if this disk is meant to be "
            "the mirror's from now on, run `pypi-mirror ledger adopt-disk`"
        )


class DiskFull(DiskFault):
    """The disk has less room left than ``disk-reserve`` keeps free."""


class MirrorBusy(MirrorError):
    """Another run holds the mirror's lease or, with ``plan``, is awaiting approval of that plan."""

    retryable = True

    def __init__(self, *, owner: str, since: str, expires: str, plan: str = "") -> None:
        # That is no label: Airflow must not be asked for it, nor a process of this host.
        self.owner = f"{owner} (awaiting approval of the plan {plan})" if plan else owner
        self.since = since
        self.expires = expires
        run = shown_label(owner)
        super().__init__(
            f"{run} is awaiting approval of the plan {plan} since {since}; one run at a time. "
            f"`pypi-mirror plan` lists it. Without an answer, another run can begin at {expires}"
            if plan
            else f"the mirror is in use by {run} since {since}; one run at a time. "
            "Wait for it to end, as `sync --wait` does. "
            f"If its machine is gone, another run can begin at {expires}"
        )


class LeaseLost(MirrorError):
    """A run goes on although another one has taken the mirror over; a retry cannot bring it back.

    ``owner`` is the run that lost the lease, ``holder`` the one that has it since, None when there is none.
    """

    def __init__(self, *, owner: str, holder: str | None, since: str | None) -> None:
        self.owner = owner
        self.holder = holder
        self.since = since
        lost = "never took the lease" if holder is None else f"lost it to {shown_label(holder)} at {since}"
        super().__init__(
            f"{shown_label(owner)} may not write to the mirror: it {lost}. "
            "What it had recorded is kept; a new run, or this one from its first step, does the rest"
        )


class ApprovalRequired(MirrorError):
    """The plan would remove more than the guard lets a run remove unasked; nothing was done.

    ``plan`` names the removals: it changes with them.
    """

    def __init__(self, message: str, *, plan: str) -> None:
        self.plan = plan
        super().__init__(message)


class UnreadableEntry(MirrorError):
    """The catalogue's entry of a project is damaged; upstream has to be asked for the page again."""


class LossHeld(MirrorError):
    """A page lost more than the guard lets a run lose unannounced; the project's old page stays served."""


class WindowClosed(MirrorError):
    """A project needs a file and download-window is closed; the project stays planned."""


class RunStopped(MirrorError):
    """stop-on-error or max-failures: the batch ended because projects failed, here or in another batch."""


class RulesChanged(MirrorError):
    """What decides was edited while a run was under way that no later run takes over."""


class WebServerError(MirrorError):
    """nginx refused its configuration, did not reload, or does not serve what it should."""
