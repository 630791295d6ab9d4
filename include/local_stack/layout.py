"""Where the local stack keeps its things: everything is below ``var/`` in the checkout."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one checkout; ``var`` and ``dags`` can be elsewhere, as the tests need it."""

    checkout: Path
    var: Path
    dags: Path

    @classmethod
    def of(cls, checkout: Path) -> "Layout":
        return cls(checkout=checkout, var=checkout / "var", dags=checkout / "dags")

    @property
    def include(self) -> Path:
        return self.checkout / "include"

    @property
    def plugins(self) -> Path:
        return self.checkout / "plugins"

    @property
    def airflow_home(self) -> Path:
        return self.var / "airflow"

    @property
    def logs(self) -> Path:
        """A file for each process; Airflow's task logs are in ``tasks/`` below it."""
        return self.var / "logs"

    @property
    def run(self) -> Path:
        """The records of the processes that we own, and the lock."""
        return self.var / "run"

    @property
    def wheels(self) -> Path:
        """What the stand-in upstream serves."""
        return self.var / "wheels"

    @property
    def sample_conf(self) -> Path:
        """The configuration that is written for the stand-in upstream."""
        return self.var / "mirror.conf"

    @property
    def trial(self) -> Path:
        """The throwaway environment that installs from the mirror."""
        return self.var / "trial"


def checkout_of_this_package() -> Path:
    """The checkout that holds ``include/local_stack``: the stack always runs from one."""
    return Path(__file__).resolve().parents[2]
