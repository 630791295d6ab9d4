"""Demands of roots: what requirement files, ``pyproject.toml`` and lock files want of an index.

No SQL and no network; a format a module. ``read.py`` chooses among them by the file's name. What a mirror
cannot serve (version control, local paths, direct URLs) is returned by file and reason, never dropped.
"""

from pypi_mirror.demands.demand import BadDemands, Constraint, Demand, Demands, Remark
from pypi_mirror.demands.read import read_demands

__all__ = ["BadDemands", "Constraint", "Demand", "Demands", "Remark", "read_demands"]
