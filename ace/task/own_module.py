"""Load classes that a task names as "module:Class", from its own folder or from an installed module."""

from __future__ import annotations

import importlib
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

CLASS_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def load_class(folder: Path, name: str) -> Any:
    """Return the class that "module:Class" names. Raises whatever the module raises while it loads."""
    module, _, class_name = name.partition(":")
    return getattr(_import_module(folder, module), class_name)


def module_file(folder: Path, name: str) -> Path | None:
    """Return the file in a task's folder that "module:Class" names; None for an installed module."""
    module, _, _ = name.partition(":")
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return file if file.is_file() else None


def _import_module(folder: Path, name: str) -> ModuleType:
    """Import from the task's own folder, else from the import path; folders must not shadow each other."""
    file = module_file(folder, name)
    if file is None:
        return importlib.import_module(name)
    loader = SourceFileLoader(f"ace_task:{folder}:{name}", str(file))
    module = ModuleType(loader.name)
    module.__file__ = str(file)
    sys.modules[loader.name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module
