"""A sample of the mirror's size, disk and lag, for charts and for the forecast of its disk."""

from pypi_mirror.mirror import Mirror


def take_sample(mirror: Mirror) -> bool:
    """Note how large and how far behind the mirror is; at most once a minute. Returns whether it was due."""
    raise NotImplementedError
