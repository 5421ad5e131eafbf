"""What a command says while it imports what takes long: a line on a terminal, and nothing elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = "import sys; sys.argv[0] = 'ace'; from ace.cli.main import main; main()"
_CHECK = ["models", "check", "openai/m", "--api-base", "http://127.0.0.1:9"]


@pytest.mark.parametrize(
    ("words", "on_terminal", "says"), [([], True, True), (["--json"], True, False), ([], False, False)]
)
def test_a_terminal_is_told_what_takes_seconds(
    tmp_path: Path, words: list[str], on_terminal: bool, says: bool
) -> None:
    """A stand-in that ends the command takes the place of litellm."""
    (tmp_path / "litellm.py").write_text("raise SystemExit(7)", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    master, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *_CHECK, *words],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal if on_terminal else subprocess.PIPE,
        check=False,
    )
    os.close(terminal)
    text = b"" if done.stderr is None else done.stderr
    while on_terminal:
        try:
            text += os.read(master, 65_536)
        except OSError:  # all was read, and nobody writes any more
            break
    os.close(master)
    assert done.returncode == 7 and done.stdout == b""
    assert (b"loading litellm" in text) == says, text
