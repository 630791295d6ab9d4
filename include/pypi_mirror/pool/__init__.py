"""The pool: package files under ``web/packages/``, each downloaded once, verified, and never changed.

A file gets its name only after its size and digest were found right, so what has a final name was right
when it was written. What a lost connection leaves stays beside it as ``.tmp-<filename>.part`` and is
continued by Range; the digest over the whole decides in the end.
"""

from pypi_mirror.pool.pool import Acquired, Pool

__all__ = ["Acquired", "Pool"]
