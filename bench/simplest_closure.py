"""The simplest script that follows dependencies as the mirror does: all in memory, all again each time.

``python -m bench.simplest_closure MASTER FILE``: FILE has the names of the roots, a line each. Prints
how many projects and releases they come to. It knows no machines, extras, cuts or hostile metadata.
"""

import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

_AT_ONCE = 10
_JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
# The metadata files of a project's releases, by their addresses.
_Page = dict[Version, list[str]]


def main(master: str, roots: str) -> None:
    pages: dict[str, _Page] = {}
    followed: set[tuple[str, Version]] = set()
    asked: set[tuple[str, str]] = set()
    wave: dict[str, set[str]] = {name: {""} for name in Path(roots).read_text().split()}
    with requests.Session() as session, ThreadPoolExecutor(_AT_ONCE) as threads:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_AT_ONCE))

        def page(name: str) -> _Page:
            found: defaultdict[Version, list[str]] = defaultdict(list)
            answer = session.get(f"{master}/simple/{name}/", headers=_JSON)
            for file in answer.json()["files"] if answer.ok else ():
                found[parse_wheel_filename(file["filename"])[1]].append(f"{master}{file['url']}.metadata")
            return found

        def requirements(url: str) -> list[Requirement]:
            raw, _ = parse_email(session.get(url).content)
            return [Requirement(text) for text in raw.get("requires_dist", ())]

        while wave:
            new = [name for name in wave if name not in pages]
            pages.update(zip(new, threads.map(page, new), strict=True))
            admitted = {
                (name, version)
                for name, specifiers in wave.items()
                for specifier in map(SpecifierSet, specifiers)
                for version in specifier.filter(pages[name], prereleases=True)
            }
            urls = [url for name, version in admitted - followed for url in pages[name][version]]
            followed |= admitted
            found: dict[str, set[str]] = defaultdict(set)
            for required in threads.map(requirements, urls):
                for each in required:
                    edge = canonicalize_name(each.name), str(each.specifier)
                    if edge not in asked:
                        asked.add(edge)
                        found[edge[0]].add(edge[1])
            wave = found
    print(len(pages), len(followed))


if __name__ == "__main__":
    main(*sys.argv[1:])
