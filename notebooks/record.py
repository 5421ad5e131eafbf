"""Run the notebooks anew: ask the real model where one is recorded, and keep calls and outputs.

    python notebooks/record.py [NAME ...]

Needed when a prompt or a notebook has changed, because a recording answers the requests it holds and no
others. Notebooks whose model is a script need no recording. Nothing is overwritten until a notebook has run
to its end.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def main(names: list[str]) -> None:
    for notebook in [HERE / f"{name}.ipynb" for name in names] or sorted(HERE.glob("*.ipynb")):
        print(f"recording {notebook.name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            executed = run(notebook, Path(folder), mode="record")
            for recording in (Path(folder) / "recordings").glob("*.jsonl"):
                shutil.copy(recording, HERE / "recordings")
        nbformat.write(executed, notebook)


def run(notebook: Path, folder: Path, *, mode: str) -> nbformat.NotebookNode:
    """`notebook` with the outputs of a run in `folder`; `mode` is replay, record or live."""
    recordings = folder / "recordings"
    recordings.mkdir()
    if mode == "replay":
        shutil.copytree(HERE / "recordings", recordings, dirs_exist_ok=True)
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    executed = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        executed, timeout=1800, kernel_name="python3", record_timing=False, coalesce_streams=True
    )
    client.resources = {"metadata": {"path": str(folder)}}
    client.execute(env={**os.environ, "ACE_MODE": mode, "PYTHONPATH": path})
    executed.metadata.language_info = {"name": "python"}  # not which Python it was
    outputs = (output for cell in executed.cells for output in cell.get("outputs", ()))
    for data in (output.get("data", {}) for output in outputs):
        if "text/html" in data:
            data.pop("text/plain", None)  # the same again, as code
    return executed


if __name__ == "__main__":
    main(sys.argv[1:])
