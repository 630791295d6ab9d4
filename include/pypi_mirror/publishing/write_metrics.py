"""Leave the mirror's figures where nginx serves them to Prometheus."""

from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.metrics import metrics
from pypi_mirror.webserver.render import METRICS_NAME


def write_metrics(mirror: Mirror) -> None:
    """Bring ``web/metrics`` up to date: at the end of a run or an audit, and by who watches in between.

    Each figure is a read of the ledger, so it is not for the middle of a batch.
    """
    write_atomically(mirror.settings.web / METRICS_NAME, metrics(mirror))
