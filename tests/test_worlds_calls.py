"""What a world is asked, and what it answers: calls that do not fit their tool, answers that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ace.errors import WorkspaceFailed
from ace.task import ToolCall
from ace.task.environments.worlds.check_call import find_problem
from ace.task.environments.worlds.world_process import WorldPool, WorldProcess
from ace.task.workspace import ToolSpec
from tests.pace import patience


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("string", "x", True),
        ("string", None, False),
        ("number", 1, True),
        ("number", True, False),
        ("money", 1, True),  # a type that nobody knows
        (["string", "null"], "x", True),
        (["string", "null"], None, True),
        (["string", "null"], 1, False),
        (["integer", "boolean"], True, True),
        (["integer", "null"], True, False),
        (["string", "money"], 1, True),
    ],
)
def test_an_argument_has_one_of_the_types_of_its_schema(kind: Any, value: Any, fits: bool) -> None:
    spec = ToolSpec("pay", "", {"type": "object", "properties": {"sum": {"type": kind}}})
    assert (find_problem([spec], ToolCall("1", "pay", {"sum": value})) == "") is fits


def test_a_problem_names_all_types_that_there_may_be() -> None:
    spec = ToolSpec("pay", "", {"type": "object", "properties": {"sum": {"type": ["string", "null"]}}})
    assert "of the type string or null, found 1" in find_problem([spec], ToolCall("1", "pay", {"sum": 1}))


@pytest.mark.parametrize("answer", ["[]", "3", "null", '"error"'])
def test_an_answer_that_is_no_object_ends_the_process(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_world.py").write_text(f"input()\nprint({answer!r}, flush=True)\ninput()\n")
    monkeypatch.syspath_prepend(tmp_path)
    process = WorldProcess("odd_world")
    with pytest.raises(WorkspaceFailed, match="The process of the world gave"):
        process.ask("start", 60)
    assert process.process.returncode is not None


TINY = """\
from ace.task.environments.worlds.serve_world import serve

class World:
    def start(self, size):
        if size < 1:
            raise ValueError("no room")
        return 2 * size

if __name__ == "__main__":
    serve(World, ["start"])
"""


def test_a_world_that_does_not_begin_leaves_its_place_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny_world.py").write_text(TINY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    pool = WorldPool("tiny_world", 1)
    for _ in range(2):
        with pytest.raises(WorkspaceFailed, match="no room"):
            pool.begin(patience(20), size=0)
    process, answer = pool.begin(patience(20), size=3)
    assert answer == 6
    pool.give_back(process)
    pool.close()
