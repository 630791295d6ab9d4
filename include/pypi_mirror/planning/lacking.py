"""What somebody asked for by name and upstream lacks, or the mirror, for people.

It is a warning: the mirror is complete all the same, since it has all that upstream has.
"""

from pypi_mirror.mirror import Mirror
from pypi_mirror.planning import misspelt_stops, unknown_names, unmet_rules, unused_overrides


def lacking(mirror: Mirror) -> tuple[str, ...]:
    """Return a sentence for each: projects, releases and files, overrides of metadata, dependencies."""
    said = []
    if projects := unknown_names.unknown_names(mirror):
        said.append(unknown_names.described(mirror, projects))
    if rules := unmet_rules.unmet_rules(mirror):
        said.append(unmet_rules.described(rules))
    if overrides := unused_overrides.unused_overrides(mirror):
        said.append(unused_overrides.described(overrides))
    if stops := misspelt_stops.misspelt_stops(mirror):
        said.append(misspelt_stops.described(stops))
    return tuple(said)
