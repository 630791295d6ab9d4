"""``[removal]``: what a plan may remove without a person's approval."""

from dataclasses import dataclass

from pypi_mirror.options import Section, option, parsers

REMOVAL = Section(
    name="removal",
    doc="What needs approval, and when files are deleted.",
    see="[Approval](syncing.md#approval-of-removals)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalGuard:
    """The limits of the guard; a plan beyond one of them is awaiting approval."""

    max_percent: float = option(
        parsers.number(0, 100, "percent"),
        "A plan that removes a larger percentage of projects, files or bytes needs approval, 0 to 100.",
        "A person approves it in Airflow under Required Actions, or on the command line by `pypi-mirror "
        "sync --approve PLAN`. What counts: projects that upstream has removed or no longer lists, projects "
        "and files that changed filters leave out, pages of which the ledger knows nothing.\n"
        "The same limits hold for losses that nothing announced: projects whose page is suddenly gone, or "
        "lists fewer files, without an event. Beyond the limits (in shares of the projects that the run "
        "asks for) such projects fail, and their old pages stay; `pypi-mirror sync PROJECT` follows "
        "upstream all the same.",
        default="1",
    )
    max_projects: int = option(
        parsers.integer(0, 10_000_000),
        "A plan that removes more projects needs approval, 0 to 10000000.",
        default="500",
    )
    always_allowed: int = option(
        parsers.integer(0, 10_000_000),
        "A plan that removes something from no more projects than this needs no approval, 0 to 10000000.",
        "So a small mirror can remove one.",
        default="5",
    )
    weekly_percent: float = option(
        parsers.number(0, 100, "percent"),
        "Removing a larger percentage of projects within 7 days, and over 10, needs approval, 0 to 100.",
        "It holds however few one run removes. What a person approved or named does not count.",
        default="5",
    )
    undemanded_days: float = option(
        parsers.number(0, 3650, "days"),
        "Days that a dependency stays which nothing requires any more, 0 to 3650 (ten years).",
        "See [dependencies]. Then it is removed like what a filter leaves out.",
        default="30",
    )
    approval_hours: float = option(
        parsers.number(0.01, 720, "hours"),
        "Hours that a run of Airflow waits for approval before it fails, 0.01 to 720 (30 days).",
        "The next run makes a new plan.",
        default="24",
    )
    approvers: tuple[str, ...] = option(
        parsers.parse_text,
        "Airflow users who alone may approve or reject a plan in Airflow; empty: all who may run the DAG.",
        "Write the ids that Airflow's auth manager gives them: user names, or numbers with the FAB auth "
        "manager. Separate them with spaces or commas, or write one a line. `pypi-mirror sync --approve` is "
        "for everybody who may write to the mirror's directory.",
        many=True,
        words=True,
        empty=True,
    )
