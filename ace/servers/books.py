"""Which playbooks, files or on servers, are served under which names. Opens nothing.

A name is looked up among the files that are there, and never made into a path. So no name leaves the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ace.errors import InputError, UnknownVersion
from ace.store.store_database import Place

NO_PLAYBOOKS = (".documents.db", ".study.db")
"""Endings of the databases that stand beside playbooks: indexes of documents, and studies."""


def list_playbooks(place: Place) -> dict[str, Place]:
    """Return a playbook, or the files of a folder as they are now, by name.

    A link out of the folder is not there.
    """
    if not isinstance(place, Path) or not place.is_dir():
        return {place.stem: place}
    paths: dict[str, Place] = {}
    folder = place.resolve()
    for path in sorted(place.glob("*.db")):
        is_hidden = path.name.startswith(".") or path.name.endswith(NO_PLAYBOOKS)
        is_text = path.stem.isprintable()  # bytes that are no text are not
        if is_text and not is_hidden and path.is_file() and path.resolve().parent == folder:
            paths[path.stem] = path
    return paths


class Books:
    """Name the playbooks of several files, folders and servers."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Take files, folders and addresses. Raises InputError for a file that is not there."""
        for place in places:
            if isinstance(place, Path) and not place.exists():
                hint = "Give playbook files, or folders of them; `ace learn TASK` makes one."
                raise InputError(f"There is no playbook {place}.", hint=hint)
        self.places = tuple(places)

    def list_paths(self) -> dict[str, Place]:
        """Return all playbooks by name, as they are now; of two with the same, the later gets a number."""
        paths: dict[str, Place] = {}
        for place in self.places:
            for stem, path in list_playbooks(place).items():
                name, number = stem, 2
                while name in paths and paths[name] != path:
                    name, number = f"{stem}-{number}", number + 1
                paths[name] = path
        return paths

    def find(self, name: str) -> Place:
        """Return the playbook of this name. Raises UnknownVersion, which says what there is."""
        paths = self.list_paths()
        if name not in paths:
            names = ", ".join(list(paths)[:10]) or "none"
            raise UnknownVersion(f"There is no playbook {name!r:.60} here.", hint=f"There are: {names}.")
        return paths[name]
