"""A folder in which nobody may write."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def unwritable_folder(*files: Path) -> Iterator[Path]:
    """Yield a new folder with copies of files, all only to be read until the block ends.

    Root may write anywhere, so it steps down to be refused.
    """
    folder = Path(tempfile.mkdtemp())
    for file in files:
        shutil.copy(file, folder / file.name)
        (folder / file.name).chmod(0o444)
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(_NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)
