"""All that is remembered between runs, in one class."""

from collections.abc import Callable
from typing import TypeVar

from packaging.utils import NormalizedName

from pypi_mirror.alerts.notification_state import NotificationState
from pypi_mirror.facts.fact import Change, Fact, FactTable
from pypi_mirror.facts.values import (
    AuditFindings,
    Bound,
    Closure,
    Pause,
    Removals,
    SilentLoss,
    UnmetRule,
    UpstreamIdentity,
    UpstreamState,
)

T = TypeVar("T")


class Facts:
    """Each attribute is a fact: None where it is not known."""

    # The serial up to which the mirror is complete; ``read_serial``: up to which all is done or in ``to_do``,
    # unless that is the cursor.
    cursor = Fact(int)
    read_serial = Fact(int, name="read")
    # Of upstream's root index that was last compared with the ledger, and the settings' fingerprint under
    # which that was done, absent once a run began to write under another one.
    index_etag = Fact(str)
    selection = Fact(str)
    # Which version of the catalogue's encoding all projects that are here were read into.
    catalogued = Fact(int)
    # Present while the root index on the disk is older than the projects: who says so.
    unpublished = Fact(str)
    # Present while pages have changed that nobody was notified of: the run that changed them last.
    changed_pages = Fact(int)
    # The serial that the root index on the disk states, empty where it states none.
    stated_serial = Fact(str, name="index_serial")
    # Where the pages are that the web server serves: "flat" or "hashed".
    layout = Fact(str)
    # When files were last listed for diff-file: seconds of the mirror's clock, nanoseconds of its disk's.
    listed = Fact(tuple[int, int])
    # When bandersnatch was handed the tree.
    handed_over = Fact(int)
    # Whose disk the mirror's is.
    identity = Fact(str)

    # What upstream was when it was last asked, and what tells it from another one. ``another_upstream`` says
    # why it is one, from when that was noticed until a sync has published what it has.
    upstream = Fact(UpstreamState)
    upstream_identity = Fact(UpstreamIdentity)
    another_upstream = Fact(str)
    # [mirror] master, and where its pages were found.
    simple_root = Fact(tuple[str, str])
    # By how many seconds this machine's clock ran ahead of upstream's, if it did.
    clock_ahead = Fact(int)
    # What upstream's clock said last, for which files in cooldown are decided; and what it had said when the
    # last plan was made, for which releases are too old.
    as_of = Fact(int)
    planned_at = Fact(int)
    # (serial, time by upstream's clock): at that time it was upstream's newest. From the cursor on.
    serials_at = Fact(tuple[tuple[int, int], ...])
    # What the allowlist asks for and upstream did not list.
    unknown_names = Fact(tuple[NormalizedName, ...])
    # Its rules for releases and files that upstream's pages did not have.
    unmet_rules = Fact(tuple[UnmetRule, ...])

    # How far dependencies were followed.
    closure = Fact(Closure)

    # What leaves a part of the last plan to later runs, and the run that download-window stopped.
    bound = Fact(Bound, name="turns")
    pause = Fact(Pause, name="paused")
    # A run, and how many project pages it found on the disk.
    pages_found = Fact(tuple[int, int])
    # What the last plans remove, and whether a person has to approve it; older programs kept one.
    removals: Fact[Removals | tuple[Removals, ...]] = Fact(Removals | tuple[Removals, ...])  # type: ignore[arg-type]
    # What our pages lost as upstream's did, unannounced, and in the last days.
    silent_losses = Fact(tuple[SilentLoss, ...])

    # Where the audit goes on: with which part of the pool, walked last when; with which project that was too
    # large for a run, read since when. What the last audits found.
    audit_pool = Fact(tuple[int, int])
    audit_resume = Fact(tuple[int, int])
    audit_findings = Fact(tuple[AuditFindings, ...])

    # Of what people were notified, and what could not be sent yet.
    alerts = Fact(NotificationState)

    def __init__(self, table: FactTable) -> None:
        self.table = table

    @property
    def read(self) -> int | None:
        """The serial up to which all is done or in ``to_do``."""
        serial = self.read_serial
        return self.cursor if serial is None else serial

    @property
    def index_serial(self) -> int | None:
        """The serial that our root index states; None where it states none, or there is no index yet."""
        stated = self.stated_serial
        return int(stated) if stated else None

    def put(self, *changes: Change, held_by: int | None = None) -> None:
        """Make the ``changes``, in one transaction; what is so already is not written.

        LeaseLost where the run ``held_by`` has lost the mirror to another.
        """
        new = {name: text for name, text in changes if self.table.get(name) != text}
        if new:
            self.table.put(new, held_by=held_by)

    def change(self, fact: Fact[T], changed: Callable[[T | None], T | None]) -> None:
        """Set ``fact`` to what ``changed`` makes of its value; nobody writes in between."""
        self.table.change(fact.name, lambda text: fact.to(changed(fact.decode(text)))[1])
