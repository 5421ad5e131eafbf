"""Sources reach the generator of every loop; budgets and windows hold; labels do not leak into retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.context import Item
from ace.errors import InputError, TaskError
from ace.llm import Request, RoleModels, ScriptedClient
from ace.llm.window import Window, window_of
from ace.loop.contexts import limit_of
from ace.store import Store
from ace.task import TaskContext, load_task
from ace.text import estimate_tokens
from tests.world import COLOURS, SECRET, write_world

ROWS = [{"id": c, "question": f"Which number has {c}?", "answer": n, "user": "u1"} for c, n in SECRET.items()]


class Shelf:
    """Knows every colour, and remembers what it was told."""

    name = "shelf"

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        self.told.append(data)
        return [Item(f"{c} is {n}", 1, f"page {c}") for c, n in SECRET.items() if c in question]


def reads(request: Request) -> str:
    colour = next(c for c in COLOURS if f"has {c}" in request.messages[-1].content)
    found = request.messages[-1].content.partition(f"{colour} is ")[2]
    return found.split()[0] if found else "no idea"


def task(*sources: Any) -> ace.Task:
    return ace.define_task("colours", ROWS, lambda s, answer: answer == s.data["answer"], sources=sources)


@pytest.mark.parametrize("loop", ["online", "evaluate", "behind"])
def test_sources_reach_the_generator(tmp_path: Path, loop: str) -> None:
    shelf = Shelf()
    with Store.open(tmp_path / "p.db", create=True) as store:
        client = ScriptedClient(reads)
        if loop == "evaluate":
            report = ace.evaluate(task(shelf), store, client, split="train")
        else:
            report = ace.online(task(shelf), store, client, behind=loop == "behind", drift=False)
        assert report.after is not None and report.after.correct == len(ROWS)
        results = [result for step in store.steps(1) for result in step.payload["results"]]
    if loop != "behind":  # there the answers are recorded by another hand
        assert all(result["retrieved"]["shelf"] > 0 for result in results)
    assert shelf.told and all(data == {"user": "u1"} for data in shelf.told)  # the answer is not among it


def test_serving_asks_sources_too(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "p.db", create=True) as store,
        ace.serve(task(Shelf()), store, ScriptedClient(reads), drift=False) as agent,
    ):
        assert agent.answer("Which number has teal?").text == SECRET["teal"]


def test_a_source_that_fails_is_a_wrong_answer_with_its_reason(tmp_path: Path) -> None:
    def broken(question: str) -> list[str]:
        if "red" in question:
            raise OSError("no shelf")
        return []

    with Store.open(tmp_path / "p.db", create=True) as store:
        report = ace.evaluate(task(broken), store, ScriptedClient(lambda _: "x"), split="train")
        assert report.after is not None and report.after.total == len(ROWS)
        errors = [e.attempt.error for e in store.episodes() if e.attempt.error]
    assert errors == ["ContextError: The source broken failed (OSError: no shelf)."]
    assert len(report.notes) == 1 and report.notes[0].endswith(f"red; {errors[0]}")
    assert f"  {report.notes[0]}\n" in str(report) and ace.Report.from_json(report.to_json()) == report


def test_a_judge_that_fails_is_told_of(tmp_path: Path) -> None:
    failing = ace.define_task("colours", ROWS[:2], lambda sample, answer: 7)
    with Store.open(tmp_path / "p.db", create=True) as store:
        report = ace.evaluate(failing, store, ScriptedClient(lambda _: "x"), split="train")
    assert report.after and (report.after.correct, report.after.total) == (0, 2)
    (note,) = report.notes
    assert note.startswith(
        "2 answers failed, the first at sample red: the judge failed: ValueError: it returned 7"
    )
    with pytest.raises(TaskError, match=r"judge.*Expected a function, found 'right'"):
        ace.define_task("colours", ROWS, "right")  # type: ignore[arg-type]


def test_documents_that_were_left_out_are_told_of(tmp_path: Path) -> None:
    write_world(tmp_path / "t")
    (tmp_path / "t" / "pages").mkdir()
    (tmp_path / "t" / "pages" / "good.md").write_text("Red is a colour.")
    (tmp_path / "t" / "pages" / "bad.txt").write_bytes(b"caf\xe9")
    with (tmp_path / "t" / "task.toml").open("a") as file:
        file.write('\n[context]\ndocuments = "pages"\n')
    with Store.open(tmp_path / "p.db", create=True) as store:
        report = ace.evaluate(load_task(tmp_path / "t"), store, ScriptedClient(lambda _: "x"))
    (note,) = report.notes
    assert note.startswith("1 file of ") and "left out, bad.txt: " in note and "`ace documents index`" in note


def test_a_source_that_is_none_and_two_of_a_name_are_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db", create=True) as store:
        for sources, message in (
            ([3], "3 is no source"),
            ([Shelf(), Shelf()], "Two sources are called 'shelf'"),
        ):
            with pytest.raises(InputError, match=message):
                ace.evaluate(task(*sources), store, ScriptedClient(reads), split="train")


def test_a_budget_below_the_instructions_ends_the_run(tmp_path: Path) -> None:
    asked = ace.define_task("t", ROWS, lambda *_: True, instructions="word " * 60)
    with (
        Store.open(tmp_path / "p.db", create=True) as store,
        pytest.raises(InputError, match=r"The instructions take 76 tokens, and the budget of a prompt is 50"),
    ):
        ace.evaluate(asked, store, ScriptedClient(["x"]), split="train", budget=50)


class Sized(ScriptedClient):
    """A scripted model with a window."""

    def __init__(self, tokens: int | None) -> None:
        super().__init__(["x"])
        self._tokens = tokens

    def window(self) -> Window:
        return Window(self._tokens, len)


def test_the_window_bounds_the_budget() -> None:
    team = RoleModels.of(Sized(1000))
    assert window_of(team.generator) == Window(1000, len)  # through the meter
    limit = limit_of(team.generator, 10_000, 100)
    assert (limit.tokens, limit.count("four"), limit.counter) == (750, 4, "scripted")
    assert limit_of(team.generator, 10_000, 400).tokens == 600
    assert limit_of(team.generator, 500, 400).tokens == 500
    assert limit_of(Sized(None), 10_000, 400).tokens == 10_000
    with pytest.raises(InputError, match="reads 1000 tokens, and an answer may take 1000"):
        limit_of(team.generator, 10_000, 1000)


def test_a_model_nobody_knows_is_counted_by_the_estimate() -> None:
    limit = limit_of(ScriptedClient(["x"]), 77, 1024)
    assert (limit.tokens, limit.count("join on code"), limit.counter) == (77, 3, "estimate")


def test_openai_models_are_counted_by_their_tokenizer_and_others_by_the_estimate() -> None:
    known = limit_of(ace.connect("openai/gpt-4.1-mini", api_key="k"), 9_999_999, 1024)
    assert known.counter == "openai/gpt-4.1-mini" and 500_000 < known.tokens < 1_100_000
    assert known.count("SELECT COUNT(*) FROM orders") < estimate_tokens("SELECT COUNT(*) FROM orders")
    assert known.count("") == 0
    other = limit_of(ace.connect("anthropic/claude-sonnet-4-5", api_key="k"), 9_999_999, 1024)
    assert other.counter == "estimate" and 100_000 < other.tokens <= 1_000_000
    own = limit_of(ace.connect("openai/gpt-4.1-mini", api_base="http://127.0.0.1:1/v1"), 10_000, 1024)
    assert own.counter == "estimate" and own.tokens == 10_000


def test_the_context_table(tmp_path: Path) -> None:
    write_world(tmp_path / "t")
    file = tmp_path / "t" / "task.toml"
    plain = file.read_text()
    (tmp_path / "t" / "handbook").mkdir()
    table = 'documents = "handbook"\npassages = 2\nmemories = true\n'
    table += 'embedder = "x/y"\nshare = 0.5\nfields = ["shop"]\n'
    file.write_text(f"{plain}\n[context]\n{table}")
    wanted = load_task(file.parent).context
    assert (wanted.documents, wanted.passages) == (tmp_path / "t" / "handbook", 2)
    assert (wanted.memories, wanted.embedder, wanted.share, wanted.fields) == (True, "x/y", 0.5, ("shop",))
    file.write_text(plain)
    assert load_task(file.parent).context == TaskContext()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('documents = "none"', "context.documents.*No such folder: 'none'"),
        ('documents = "train.jsonl"', "No such folder"),
        ('documents = ".."', "leaves the task folder"),
        ('documents = ""', "holds the questions and their answers"),
        ("documents = 3", "Expected text, found 3"),
        ('memories = "yes"', "context.memories.*Expected true or false"),
        ("share = 1.0", "context.share.*Expected more than 0 and less than 1, found 1"),
        ("share = 0", "found 0"),
        ("passages = 0", "context.passages.*Expected at least 1, found 0"),
        ('passages = "all"', "Expected a whole number"),
        ("fields = [1]", "context.fields.*Expected names of fields"),
        ('fields = ["answer"]', "answer is a label"),
        ("memory = true", "Unknown key.*Did you mean 'memories'"),
    ],
)
def test_a_wrong_context_table_is_refused_key_by_key(tmp_path: Path, line: str, message: str) -> None:
    write_world(tmp_path / "t")
    file = tmp_path / "t" / "task.toml"
    file.write_text(f"{file.read_text()}\n[context]\n{line}\n")
    with pytest.raises(TaskError, match=message):
        load_task(file.parent)


def test_a_judge_that_fails_is_told_of_where_no_split_is_scored(tmp_path: Path) -> None:
    def judge(sample: object, answer: str) -> bool:
        raise RuntimeError("no database")

    rows = [{"id": "1", "question": "One?"}, {"id": "2", "question": "Two?"}]
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(ace.define_task("t", rows, judge), store, ScriptedClient(lambda _: "1"))
    (note,) = report.notes
    assert note.startswith("2 answers failed") and note.endswith(
        "the judge failed: RuntimeError: no database"
    )
