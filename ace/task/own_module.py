"""Load classes that a task names as "module:Class", from its own folder or from an installed module."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from ace.task.toml_table import TomlTable

_COMMAND = "command"
CLASS_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""The form "module:Class", as in "my_agent.solvers:Careful"."""


def load_class(folder: Path, name: str) -> Any:
    """Return the class that "module:Class" names: of the task's own folder, else from the import path.

    A module of the folder is loaded anew each time, under a name of its own: folders must not shadow each
    other. Raises whatever the module raises while it loads, AttributeError where it has no such class.
    """
    module_name, _, class_name = name.partition(":")
    file = module_file(folder, name)
    if file is None:
        return getattr(importlib.import_module(module_name), class_name)
    loader = SourceFileLoader(f"ace_task:{folder}:{module_name}", str(file))
    module = ModuleType(loader.name)
    module.__file__ = str(file)
    sys.modules[loader.name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return getattr(module, class_name)


def module_file(folder: Path, name: str) -> Path | None:
    """Return the file in a task's folder that "module:Class" names; None for an installed module.

    A dot in the module's name is a folder: "solvers.own:Careful" is in `solvers/own.py`.
    """
    module, _, _ = name.partition(":")
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return file if file.is_file() else None


def find_claims(table: TomlTable) -> tuple[dict[str, str], set[Path]]:
    """Return what needs trust, in words by the key of task.toml that asks for it, and the files of its code.

    That is a class of the environment, of a world of tools, or of the solver, the command of a solver, and
    every MCP server: it is started, or hears what the agent asks, and may get variables of this process. And
    it is a folder of databases outside of the task folder.
    """
    solver = table.table("solver").values
    folder = table.file.parent.resolve()
    code: dict[str, str] = {}
    files: set[Path] = set()
    classes = {
        "environment": table.values.get("environment"),
        "tools.world": table.table("tools").values.get("world"),
        "solver.kind": solver.get("kind"),
    }
    for key, kind in classes.items():
        if isinstance(kind, str) and CLASS_NAME.fullmatch(kind):
            code[key] = kind
            file = module_file(folder, kind)
            files |= {file} if file else set()
    words = solver.get("command")
    if solver.get("kind") == _COMMAND and isinstance(words, list):
        code["solver.command"] = shlex.join(map(str, words))
        files |= {folder / word for word in words if isinstance(word, str) and (folder / word).is_file()}
    for name, server in table.table("tools").table("mcpServers").values.items():
        values = server if isinstance(server, dict) else {}
        words = [values.get("server") or values.get("url") or values.get("command")]
        if isinstance(values.get("args"), list):
            words += values["args"]
        code[f"tools.mcpServers.{name}"] = shlex.join(map(str, words))
        starts = folder / str(values.get("cwd") or ".")
        places = [starts / word for word in words if isinstance(word, str)]
        files |= {place for place in places if place.is_file() and place.resolve().is_relative_to(folder)}
    claims = {key: f"{name} is code of this task" for key, name in code.items()}
    databases = table.table("sql").values.get("folder")
    if isinstance(databases, str) and not (folder / databases).resolve().is_relative_to(folder):
        claims["sql.folder"] = f"{databases} is outside of this task"
    return claims, files
