"""From where dependencies are followed, and whether all were by the rules in force."""

from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.settings.fingerprint import closure_fingerprint, rules_digest
from pypi_mirror.settings.values import Settings


def named_rules(mirror: Mirror) -> dict[NormalizedName, bytes]:
    """The projects that the allowlist names, or that match its patterns and are known, and what names its
    rules for each.
    """
    roots = mirror.policy.allowed.roots
    names = {name for name in roots.projects if mirror.policy.rejection_reason(name) is None}
    if roots.has_patterns:
        for known in mirror.ledger.projects.all():
            if known.present and roots.of(known.project):
                names.add(known.project)
    return {name: rules_digest(roots.of(name)) for name in names}


def undemanded_seconds(settings: Settings) -> int:
    """How long a project stays that nothing requires any more."""
    return round(settings.guard.undemanded_days * 86_400)


def is_undecided(mirror: Mirror, project: NormalizedName) -> bool:
    """Whether ``project`` is left out, and what the allowlist names may still turn out to require it."""
    policy = mirror.policy
    refused = policy.rejection_reason(project)
    return (
        refused is not None
        and policy.follows
        and refused == policy.allowed.reject_project(project)
        and not policy.of(Dependencies).stops_at(project)
        and not is_all_followed(mirror)
    )


def is_all_followed(mirror: Mirror) -> bool:
    """Whether nothing is left to follow: neither the allowlist, nor filters, nor pages have changed since."""
    closure = mirror.ledger.facts.closure
    return (
        closure is not None
        and closure.complete
        and closure.fingerprint == closure_fingerprint(mirror.resolved)
        and mirror.ledger.dependencies.named() == named_rules(mirror)
        and mirror.ledger.dependencies.progress()[1] == 0
    )
