"""Which playbook files are served under which names. Opens nothing.

A name is looked up among the files that are there, and never made into a path. So no name leaves the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ace.errors import InputError, UnknownVersion

NO_PLAYBOOKS = (".documents.db", ".study.db")
"""Endings of the databases that stand beside playbooks: indexes of documents, and studies."""


def list_playbooks(place: Path) -> dict[str, Path]:
    """Return a file, or those of a folder as they are now, by name. A link out of the folder is not there."""
    if not place.is_dir():
        return {place.stem: place}
    paths = {}
    folder = place.resolve()
    for path in sorted(place.glob("*.db")):
        is_hidden = path.name.startswith(".") or path.name.endswith(NO_PLAYBOOKS)
        is_text = path.stem.isprintable()  # bytes that are no text are not
        if is_text and not is_hidden and path.is_file() and path.resolve().parent == folder:
            paths[path.stem] = path
    return paths


class Books:
    """Name the playbooks of several files and folders."""

    def __init__(self, places: Sequence[Path]) -> None:
        """Take files and folders. Raises InputError for one that is not there."""
        for place in places:
            if not place.exists():
                hint = "Give playbook files, or folders of them; `ace learn TASK` makes one."
                raise InputError(f"There is no playbook {place}.", hint=hint)
        self.places = tuple(places)

    def list_paths(self) -> dict[str, Path]:
        """Return all files by name, as they are now; of two that have the same, the later gets a number."""
        paths: dict[str, Path] = {}
        for place in self.places:
            for stem, path in list_playbooks(place).items():
                name, number = stem, 2
                while name in paths and paths[name] != path:
                    name, number = f"{stem}-{number}", number + 1
                paths[name] = path
        return paths

    def find(self, name: str) -> Path:
        """Return the file of this name. Raises UnknownVersion, which says what there is."""
        paths = self.list_paths()
        if name not in paths:
            names = ", ".join(list(paths)[:10]) or "none"
            raise UnknownVersion(f"There is no playbook {name!r:.60} here.", hint=f"There are: {names}.")
        return paths[name]
