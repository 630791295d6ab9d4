"""The tree that both mirrors read says the same in both of the ways it can be read."""

import json
from pathlib import Path
from zipfile import ZipFile

from bench.catalogue import Catalogue, StaticTree


def _tree(root: Path) -> StaticTree:
    tree = StaticTree(root, Catalogue(projects=4, files=2, filler=10, closure=True))
    tree.write()
    return tree


def test_both_documents_of_a_project_list_the_same_files(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    for name in tree.names:
        page = json.loads((tmp_path / f"simple/{name}/index.json").read_bytes())
        legacy = json.loads((tmp_path / f"pypi/{name}/json").read_bytes())
        listed = {(f["url"], f["size"], f["hashes"]["sha256"]) for f in page["files"]}
        released = {
            (f["url"], f["size"], f["digests"]["sha256"]) for r in legacy["releases"].values() for f in r
        }
        assert listed == released
        assert page["meta"]["_last-serial"] == legacy["last_serial"]


def test_every_file_is_an_installable_wheel_with_its_metadata_beside_it(tmp_path: Path) -> None:
    for path in [p for p in _tree(tmp_path).files if p.endswith(".whl")]:
        with ZipFile(tmp_path / path) as wheel:
            metadata = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
            assert wheel.read(metadata) == (tmp_path / f"{path}.metadata").read_bytes()


def test_a_change_gives_each_turn_other_projects_one_file_more(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    before = len(tree.files)
    for turn in range(2):
        tree.change(2, turn)
    assert len(tree.files) == before + 4 * 2
    assert sorted(event[0] for event in tree.events[1:]) == tree.names
    # The first one is the last of the tree's first version.
    assert [event[4] for event in tree.events] == [1_000_004, 1_000_005, 1_000_006, 1_000_007, 1_000_008]
    index = json.loads((tmp_path / "simple/index.json").read_bytes())
    assert index["meta"]["_last-serial"] == tree.serial == 1_000_008
