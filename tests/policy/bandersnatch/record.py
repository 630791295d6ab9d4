"""Record what bandersnatch's own filters keep: run this with the Python of bandersnatch's environment.

``bench/tools.py`` says how to make that. Each file of ``configurations/`` is read by the real program in a
process of its own, since its filters keep their options in their classes. For each project of
``projects.py``, ``decisions.json`` has a ``+`` for each file that it keeps, and a ``-`` for each other.
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    recorded = {}
    for configuration in sorted((HERE / "configurations").glob("*.conf")):
        done = subprocess.run(
            [sys.executable, __file__, str(configuration)], check=True, capture_output=True, text=True
        )
        recorded[configuration.stem] = json.loads(done.stdout)
    (HERE / "decisions.json").write_text(json.dumps(recorded, indent=0, sort_keys=True) + "\n")


def record(configuration: Path) -> None:
    """Print what bandersnatch keeps, by project, as its mirror asks its filters."""
    from bandersnatch.configuration import BandersnatchConfig
    from bandersnatch.filter import LoadedFilters
    from bandersnatch.package import Package

    sys.path.insert(0, str(HERE))
    from projects import projects

    BandersnatchConfig(config_file=configuration)
    filters = LoadedFilters(load_all=True)
    decisions = {}
    for metadata in projects():
        name = metadata["info"]["name"]
        package = Package.from_metadata(metadata)
        filenames = [file["filename"] for file in package.release_files]
        kept = set()
        if all(
            each.filter({"info": {"name": name}}) for each in filters.filter_project_plugins()
        ) and package.filter_metadata(filters.filter_metadata_plugins()):
            package.filter_all_releases_files(filters.filter_release_file_plugins())
            package.filter_all_releases(filters.filter_release_plugins())
            kept = {file["filename"] for file in package.release_files}
        decisions[name] = "".join("+" if filename in kept else "-" for filename in filenames)
    print(json.dumps(decisions))


if __name__ == "__main__":
    record(Path(sys.argv[1])) if sys.argv[1:] else main()
