"""``policy.required``: a project that requires everything costs a bounded amount of work."""

from packaging.utils import NormalizedName

from pypi_mirror.demands.core_metadata import CoreMetadata, Requires
from pypi_mirror.model import RemoteFile
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.required import MOST_EDGES, Requirements

EACH = 5_000
HOSTILE = NormalizedName("hostile")


def test_there_is_an_end_to_what_a_project_requires() -> None:
    requirements = Requirements(AllowedPackages(packages=(parse_package("hostile"),)))
    files = [RemoteFile(filename=f"hostile-{n}-py3-none-any.whl", url="") for n in range(10)]

    def metadata(file: RemoteFile) -> CoreMetadata:
        version = file.filename.split("-")[1]
        return CoreMetadata(
            requires=tuple(Requires(NormalizedName(f"p{n}"), f">={version}") for n in range(EACH))
        )

    wanted = requirements.wanted(HOSTILE, files, ())
    found = requirements.required(HOSTILE, wanted, metadata, {})
    assert sum(map(len, found.edges.values())) == MOST_EDGES
    assert any(f"over {MOST_EDGES:,} requirements" in remark for remark in found.remarks)
