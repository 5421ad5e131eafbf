"""Change functions of libraries while a block lasts, and put them back as they were.

A library that is imported inside a block is changed then. Blocks nest, and may overlap in several threads:
the last one to end puts everything back. What somebody else has put around a changed function since stays.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import RLock
from types import ModuleType

Undo = Callable[[], None]
"""Puts one function back as it was."""

_LOG = logging.getLogger("ace.learner")
_lock = RLock()
_blocks = 0
_undo: dict[str, list[Undo]] = {}  # by library
_finding: set[str] = set()


_CHANGES = {
    "openai": ("ace.agent.watch.sdk_calls", "openai"),
    "anthropic": ("ace.agent.watch.sdk_calls", "anthropic"),
    "litellm": ("ace.agent.watch.litellm_calls", "litellm"),
}
"""The module whose `change_library` changes a library, and what it is given."""


class _Finder(MetaPathFinder):
    """Changes a library right after it has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how others import a library of ours, with the change behind it; None for all others."""
        if name not in _CHANGES or name in _finding:
            return None
        _finding.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            _finding.discard(name)
        if spec is None or spec.loader is None:
            return None
        run_module = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run_module(module)
            _change(name)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


_finder = _Finder()


@contextmanager
def installed() -> Iterator[None]:
    """Keep the libraries changed for a block."""
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks == 1:
            sys.meta_path.insert(0, _finder)
        for name in _CHANGES:
            if name in sys.modules:
                _change(name)
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                sys.meta_path.remove(_finder)
                for changes in _undo.values():
                    for undo in reversed(changes):
                        undo()
                _undo.clear()


def _change(name: str) -> None:
    """Change a library, unless it is changed. One of an unknown shape is left as it is."""
    with _lock:
        if not _blocks or name in _undo:
            return
        try:
            module, library = _CHANGES[name]
            _undo[name] = importlib.import_module(module).change_library(library)
        except Exception as error:  # its insides are not ours
            _LOG.warning("calls of %s cannot be watched: %s: %s", name, type(error).__name__, error)


def replace_attribute(owner: object, name: str, value: object) -> Undo:
    """Set an attribute, and return what puts the old one back, unless somebody has replaced ours since.

    `owner` is a class, or a cell of a function, whose attribute is called "cell_contents".
    """
    old = getattr(owner, name)
    setattr(owner, name, value)

    def undo() -> None:
        if getattr(owner, name) is value:
            setattr(owner, name, old)

    return undo
