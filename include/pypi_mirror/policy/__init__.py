"""Policy: which projects, releases and files are mirrored. Pure; a filter a module, in ``filters/``."""

from pypi_mirror.policy.filter import Context, Filter
from pypi_mirror.policy.filters import FILTERS
from pypi_mirror.policy.policy import Decision, DroppedFile, HeldFile, Policy, Refusal

__all__ = ["FILTERS", "Context", "Decision", "DroppedFile", "Filter", "HeldFile", "Policy", "Refusal"]
