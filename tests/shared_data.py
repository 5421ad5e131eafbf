"""Data of others, which stand beside the checkout: tests that need them skip where they are not."""

from __future__ import annotations

import os
from pathlib import Path


def find_data(name: str) -> Path:
    """Return the folder of some data, which may not be there.

    It is in the folder that ACE_SHARED_DATA names, else in `shared/data` beside a folder around this file.
    """
    if "ACE_SHARED_DATA" in os.environ:
        return Path(os.environ["ACE_SHARED_DATA"]) / name
    places = [folder / "shared" / "data" / name for folder in Path(__file__).resolve().parents]
    return next(filter(Path.is_dir, places), places[0])
