"""Says whose code may run: that of tasks in the project at hand, and of folders that somebody has trusted.

A task folder may name a class or a command of its own, which runs with the rights of whoever loads the task.
What was trusted is remembered by the folder's path and the content of its code: a changed one is asked about
again.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from ace.errors import InputError, UntrustedCode
from ace.text.plain_file import find_obstacle

CONFIG = "ACE_CONFIG"
"""The environment variable that names another folder for what is remembered."""

_FILE = "trusted.json"


def require_trust(folder: Path, field: str, claim: str, files: Iterable[Path]) -> None:
    """Raise UntrustedCode unless a task may do what its task.toml asks for.

    `field` is the key that asks, `claim` says it in words ("own:Own is code of this task"), and `files` are
    those of the folder that code is made of beside the Python files. Raises InputError where what was trusted
    cannot be read.
    """
    folder = folder.resolve()
    if any(folder.is_relative_to(root) for root in project_roots()):
        return
    digest = hash_code(folder, files)
    if read_trusted().get(str(folder)) == digest:
        return
    message = f"{claim}, which is neither in the project here nor trusted: nothing is run or read."
    hint = "Read it. Then --trust, or trust=True in Python, allows it, with your rights"
    hint += "; the command remembers the folder until its code or task.toml changes."
    file = str(folder / "task.toml")
    raise UntrustedCode(message, hint=hint, file=file, field=field, folder=str(folder), digest=digest)


def remember_trust(error: UntrustedCode) -> None:
    """Remember the folder of the error, with its code as it was then. Raises InputError where that fails."""
    trusted = read_trusted() | {error.details["folder"]: error.details["digest"]}
    file = _trust_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as written:
            json.dump(trusted, written, indent=1)
        Path(written.name).replace(file)
    except OSError as problem:
        hint = f"Set {CONFIG} to a folder that can be written."
        raise InputError(f"Cannot remember what is trusted ({problem}).", hint=hint) from problem


def project_roots() -> set[Path]:
    """Return the working directory and the root of its Git repository.

    The root of the file system, a home folder and the folder of temporary files are no project.
    """
    here = Path.cwd().resolve()
    roots = {here}
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            roots.add(folder)
            break
    return roots - {Path(here.anchor), Path.home().resolve(), Path(tempfile.gettempdir()).resolve()}


def hash_code(folder: Path, files: Iterable[Path]) -> str:
    """Return a digest of task.toml, of the Python files of a folder, and of further files in it."""
    digest = sha256()
    for file in sorted({folder / "task.toml", *folder.rglob("*.py"), *files}):
        if file.is_file():
            name, content = os.fsencode(file.relative_to(folder)), file.read_bytes()
            digest.update(b"%d %d " % (len(name), len(content)) + name + content)
    return digest.hexdigest()


def _trust_file() -> Path:
    """Return the file of what is trusted, in the user's folder for settings, or that of ACE_CONFIG."""
    import platformdirs

    return Path(os.environ.get(CONFIG) or platformdirs.user_config_path("ace")) / _FILE


def read_trusted() -> dict[str, str]:
    """Return the digest of each folder that is trusted. Raises InputError for a file that is damaged."""
    file = _trust_file()
    obstacle = find_obstacle(file)
    if obstacle:
        raise InputError(f"Not readable ({obstacle}).", hint="Remove it.", file=str(file))
    try:
        trusted = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"Not readable ({error}).", hint="Remove it.", file=str(file)) from error
    if not isinstance(trusted, dict):
        raise InputError(f"{file}: expected a JSON object.", hint="Remove it.", file=str(file))
    return trusted
