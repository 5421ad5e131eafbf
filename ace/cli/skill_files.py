"""Files of an Agent Skill, written into its folder. What is not ours there is never touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ace.cli.files import read_text, write_text
from ace.errors import InputError
from ace.playbook.formats.skill import FOLDER, FRONT, is_own_text


def write_skill_files(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files of a skill, each in one step, and remove those of an earlier export that are left.

    `SKILL.md` comes behind the files that it leads to, and they are removed behind it, so that no link leads
    nowhere. Returns what was removed. Raises InputError, before anything is written, where a file stands in
    the way that was not written by us, or was edited since.
    """
    for place in (folder, folder / FOLDER):
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise InputError(f"{place} is no folder, or a link to one.", hint="Give another folder.")
    present = [folder / FRONT, *sorted((folder / FOLDER).glob("*.md"))]
    own = {
        path for path in present if path.exists() and not path.is_symlink() and is_own_text(read_text(path))
    }
    for path in [folder / name for name in files]:
        if path not in own and (path.exists() or path.is_symlink()):
            hint = "Move it away, or give another folder: nothing was written."
            raise InputError(f"{path} was not written by us, or was edited since.", hint=hint, file=str(path))
    if folder / FRONT not in own and folder.exists() and any(folder.iterdir()):
        hint = "Give a new folder: nothing was written."
        raise InputError(f"{folder} holds other files, and no skill of ours.", hint=hint, file=str(folder))
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    left = sorted(own - {folder / name for name in files})
    for path in left:
        path.unlink()
    if (folder / FOLDER).is_dir() and not any((folder / FOLDER).iterdir()):
        (folder / FOLDER).rmdir()
    return left
