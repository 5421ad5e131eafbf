"""The `ace` command in a process of its own. Importing this imports what takes long to import."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
from pathlib import Path

from ace.cli.main import main
from ace.llm.providers import load_litellm

load_litellm()
importlib.import_module("openai")


def run(arguments: list[str], folder: Path) -> None:
    """Become the command. Its output and its files for the time being are in `folder`."""
    # A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tempfile.tempdir = str(folder)
    output = os.open(folder / "errors.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["ace", *arguments]
    main()


def read_errors(folder: Path) -> str:
    """Return what the command wrote; nothing where it was ended before it could write."""
    errors = folder / "errors.txt"
    if not errors.exists():
        return ""
    return errors.read_text()
