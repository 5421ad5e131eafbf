"""The notebooks run from their recordings, use public names only, and show what they do now."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import ace

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
bs4 = pytest.importorskip("bs4")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")
pytest.importorskip("ipykernel")

from notebooks.record import run  # noqa: E402 (needs what may be missing)

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TIMES = {"seconds", "started", "ended"}
CLOCK = re.compile(r"It took \d+ min \d+ s")


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_shows_what_it_does(file: Path, tmp_path: Path) -> None:
    executed = run(file, tmp_path, mode="replay")
    shown = outputs(nbformat.read(file, as_version=4))
    assert shown and outputs(executed) == shown, "run `python notebooks/record.py`"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_uses_public_names_only(file: Path) -> None:
    cells = nbformat.read(file, as_version=4).cells
    tree = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    imported = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ace"
    }
    assert [text for text in imported if "ace" in text.split()] == ["import ace"]
    assert used <= set(ace.__all__)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_says_first_that_its_model_is_a_script(file: Path) -> None:
    cells = nbformat.read(file, as_version=4).cells
    scripted = any("from ace.testing import World" in cell.source for cell in cells)
    assert scripted is (" is a script" in cells[0].source)


def test_the_manual_lists_every_notebook() -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert re.findall(r"notebooks/(\w+)\.ipynb", page) == [file.stem for file in NOTEBOOKS]


def test_quickstart_learns() -> None:
    text = "".join(outputs(nbformat.read(ROOT / "notebooks" / "01_quickstart.ipynb", as_version=4)))
    before, after = (int(right) for right in re.findall(r"(?:before|after) +(\d) of 8 right", text))
    assert after >= before + 4


def test_recordings_are_small() -> None:
    assert all(file.stat().st_size < 300_000 for file in (ROOT / "notebooks" / "recordings").iterdir())


def outputs(notebook: Any) -> list[str]:
    """Return what the cells print and show, without times and without what is in a picture."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            table = data.get("text/html")
            text = read_tables(table) if table else output.get("text") or data.get("text/plain", "")
            texts.append(CLOCK.sub("It took some time", text))
    return texts


def read_tables(page: str) -> str:
    """Return the text of a page without the columns that hold a time."""
    soup = bs4.BeautifulSoup(page, "html.parser")
    for table in soup.find_all("table"):
        head = [cell.get_text() for cell in table.find("tr").find_all("th")]
        for row in table.find_all("tr"):
            for name, cell in zip(head, row.find_all(["th", "td"]), strict=False):
                if name in TIMES:
                    cell.decompose()
    return str(soup.get_text("\n"))
