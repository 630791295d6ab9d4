"""Where the local stack keeps its things: everything is below ``var/`` in the checkout."""

from pathlib import Path

# The checkout that holds this package: the stack always runs from one.
CHECKOUT = Path(__file__).resolve().parents[2]


class Layout:
    """The folders of one checkout; ``var`` and ``dags`` can be elsewhere, as the tests need it."""

    def __init__(self, checkout: Path, *, var: Path | None = None, dags: Path | None = None) -> None:
        self.checkout = checkout
        self.dags = dags or checkout / "dags"
        self.include = checkout / "include"
        self.plugins = checkout / "plugins"
        self.var = var or checkout / "var"
        self.airflow_home = self.var / "airflow"
        # A file for each process; Airflow's task logs are in tasks/ below it.
        self.logs = self.var / "logs"
        # The records of the processes that we own, and the lock.
        self.run = self.var / "run"
        # What the stand-in upstream serves, and the configuration that is written for it.
        self.wheels = self.var / "wheels"
        self.sample_conf = self.var / "mirror.conf"
        # The throwaway environment that installs from the mirror.
        self.trial = self.var / "trial"
