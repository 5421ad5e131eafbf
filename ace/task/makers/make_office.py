"""The office of `tasks/office_tools`: its generator writes a folder, whose files are taken over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ace.errors import InputError
from ace.task.makers.draft import SPLITS, MakeOptions, TaskDraft
from ace.task.makers.source_data import SourceData
from ace.task.trust import project_roots

_PROGRAM = "generate.py"
_FILES = ("office.py", "world.json", "reference.md")
_SECONDS = 120.0


def make_office(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the office of a seed, and its tasks.

    The generator is a program, so it has to be part of the project here. Raises InputError for one that is
    not, and for one that fails.
    """
    program = (source.folder / _PROGRAM).resolve()
    if not any(program.is_relative_to(root) for root in project_roots()):
        hint = "Work in the project that has it, or run it yourself: it writes a task folder."
        raise InputError(f"{program} is a program outside of the project here, and is not run.", hint=hint)
    with TemporaryDirectory(prefix="ace-office-") as temporary:
        folder = Path(temporary) / f"office_tools_{options.seed}"
        command = [sys.executable, str(program), str(options.seed), "--out", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603
            texts = {name: (folder / name).read_text(encoding="utf-8") for name in _FILES}
            toml = (folder / "task.toml").read_text(encoding="utf-8").partition("[data]")[0]
            rows = {split: (folder / f"{split}.jsonl").read_text(encoding="utf-8") for split in SPLITS}
        except (subprocess.SubprocessError, OSError) as error:
            detail = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
            raise InputError(f"{program} failed: {' '.join(detail)}", hint=f"Get {source.source}") from error
    splits = {split: [json.loads(line) for line in text.splitlines()] for split, text in rows.items()}
    return TaskDraft(toml=toml, splits=splits, files=texts)
