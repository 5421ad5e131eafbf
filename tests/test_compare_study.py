"""Comparing methods: a planted better one is found, studies are extended, and what is unfair is refused."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.errors import CapReached, InputError, ModelUnavailable, StoreBusy, StoreError, TaskError
from ace.llm import Caps, RoleModels
from ace.llm.client import Reply, Request, Usage
from ace.loop import plan_study
from ace.loop.compare import cells_folder
from ace.loop.compare_plan import hash_task
from ace.methods.method_variants import parse_variant
from ace.runs.study_cells import CellState
from ace.runs.study_report import Study
from ace.settings import Command, FeedbackKind, Part, Settings
from ace.store import Store
from ace.store.study_file import StudyFile, read_study
from ace.task import Sample, Task, define_task, load_task
from ace.testing import World
from tests.world import SECRET, colour_of, knows, teaches, world


def learner(request: Request) -> str:
    """Know what a lesson says, and else nothing."""
    return knows(request)


def play(**functions: Any) -> World:
    return World(generator=functions.pop("generator", learner), lessons=teaches, **functions)


def compare(path: Path, client: World | None = None, *, task: Task | None = None, **options: Any) -> Study:
    options = {"methods": ["ace"], "seeds": [0], "workers": 1, "replays": 0, **options}
    return ace.compare(task or world(), client=client or play(), study=path, **options)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two methods and the floor with two seeds."""
    path = tmp_path_factory.mktemp("done") / "colours.study.db"
    return compare(path, methods=["ace", "few_shot"], seeds=[0, 1])


def test_a_planted_better_method_is_found(done: Study) -> None:
    scores = {score.method: score for score in done.scores}
    assert list(scores) == ["ace", "zero_shot", "few_shot"]
    assert (scores["ace"].right, scores["zero_shot"].right, scores["few_shot"].right) == (20, 0, 0)
    winners = {(pair.first, pair.second): pair.winner for pair in done.pairs}
    assert winners == {
        ("ace", "zero_shot"): "ace",
        ("ace", "few_shot"): "ace",
        ("zero_shot", "few_shot"): "",
    }


def test_a_cell_says_what_it_took(done: Study) -> None:
    cells = {cell.name: cell for cell in done.cells}
    cell = cells["ace, seed 1"]
    assert [answer.sample for answer in cell.answers] == [f"test-{colour}" for colour in SECRET]
    assert set(cell.learning) == {"generator", "reflector", "curator"}
    assert cell.scoring["generator"].calls == 10 == sum(answer.usage.calls for answer in cell.answers)
    assert cell.bullets == 10 and cell.playbook_tokens > 0 and cell.settings["seed"] == 1
    assert cell.versions["ace"] == ace.__version__
    assert cell.started and cell.ended >= cell.started
    points = [(point.calls, point.total) for point in cell.curve]
    assert sum(total for _, total in points) == 10
    assert points[-1][0] <= sum(usage.calls for usage in cell.learning.values())
    floor = cells["zero_shot, seed 0"]
    assert floor.learning == {} and floor.curve == () and floor.bullets == 0


def test_the_playbooks_of_the_cells_are_beside_the_study(done: Study) -> None:
    folder = cells_folder(Path(done.file))
    files = {cell.file for cell in done.cells}
    assert files == {file.name for file in folder.glob("*.db")}
    with Store.open(folder / "ace.seed-0.db") as store:
        assert len(store.checkout().active) == 10 and store.verify() == []


def test_validation_scores_are_the_curve_where_there_are_some(tmp_path: Path) -> None:
    study = compare(tmp_path / "v.study.db", epochs=2)
    (cell,) = (cell for cell in study.cells if cell.method == "ace")
    assert [point.validation for point in cell.curve if point.validation]
    assert any(not point.validation for point in cell.curve)


def test_a_study_is_extended_by_seeds_and_methods_without_a_call_for_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "c.study.db"
    client = play()
    first = compare(path, client)
    calls = sum(client.calls.values())
    assert compare(path, client) == first and sum(client.calls.values()) == calls
    more = compare(path, client, methods=["few_shot"], seeds=[0, 3])
    names = [cell.name for cell in more.cells]
    assert names == [
        "zero_shot, seed 0",
        "ace, seed 0",
        "few_shot, seed 0",
        "zero_shot, seed 3",
        "few_shot, seed 3",
    ]
    assert more.cells[:2] == first.cells
    assert read_study(path) == more


def test_the_floor_can_be_left_out(tmp_path: Path) -> None:
    study = compare(tmp_path / "c.study.db", floor=False)
    assert [cell.method for cell in study.cells] == ["ace"] and study.pairs == ()


CHANGES: Mapping[str, tuple[Callable[[Task], Task], str]] = {
    "a question": (
        lambda task: replace(task, train=(replace(task.train[0], question="Red?"), *task.train[1:])),
        "the task's train samples",
    ),
    "a label": (
        lambda task: replace(task, test=(replace(task.test[0], data={"answer": "1"}), *task.test[1:])),
        "the task's test samples",
    ),
    "fewer": (lambda task: replace(task, val=task.val[1:]), "the task's val samples"),
    "instructions": (lambda task: replace(task, instructions="Guess."), "the task's instructions"),
    "name": (lambda task: replace(task, name="paints"), "the task (colours, now paints)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_task_is_refused(tmp_path: Path, change: str, done: Study) -> None:
    alter, message = CHANGES[change]
    client = play()
    with pytest.raises(InputError) as caught:
        ace.compare(alter(world()), client=client, methods=["ace"], seeds=[5], study=done.file, replays=0)
    assert message in str(caught.value) and "--study" in caught.value.hint
    assert not client.calls and read_study(done.file).cells == done.cells


def test_another_model_or_setting_is_refused(done: Study) -> None:
    with pytest.raises(InputError, match=r"the model of the generator \(world, now other\)"):
        compare(Path(done.file), play(model="other"), seeds=[5])
    with pytest.raises(InputError, match=r"the setting feedback \(labels, now none\)"):
        compare(Path(done.file), seeds=[5], feedback="none")
    assert read_study(done.file).cells == done.cells


def test_a_changed_file_of_an_environment_is_another_environment(tmp_path: Path) -> None:
    file = tmp_path / "rules.txt"

    class Rules:
        def __init__(self) -> None:
            self.file, self.calls = file, 0

        def describe(self, sample: Sample) -> str:
            return ""

    file.write_text("one")
    task = replace(world(), environment=Rules())  # type: ignore[arg-type]
    before = hash_task(task)
    task.environment.calls += 1  # type: ignore[attr-defined]
    assert hash_task(task) == before
    file.write_text("two")
    after = hash_task(task)
    assert {name for name in before if before[name] != after[name]} == {"environment"}


def test_another_database_is_another_environment(tmp_path: Path) -> None:
    folder = tmp_path / "shop_sql"
    shutil.copytree(Path(__file__).parent.parent / "tasks" / "shop_sql", folder)
    before = hash_task(load_task(folder))
    assert hash_task(load_task(folder)) == before
    (script,) = folder.glob("*.sql")
    script.write_text(script.read_text() + "\nCREATE TABLE more (a INTEGER);\n")
    after = hash_task(load_task(folder))
    assert {name for name in before if before[name] != after[name]} == {"environment"}


OVERLAPS = {
    "id": (Sample("train-red", "Quite another question?", {"answer": "1"}), "train-red (same id"),
    "question": (
        Sample("new", "  which NUMBER has red", {"answer": "other"}),
        "new (same question as train-red in train)",
    ),
    "validation": (
        Sample("new", "Tell me what red is.", {"answer": "1"}),
        "new (same question as val-red in val)",
    ),
}


@pytest.mark.parametrize("kind", OVERLAPS)
def test_test_samples_that_are_learned_from_are_refused(tmp_path: Path, kind: str) -> None:
    sample, message = OVERLAPS[kind]
    client = play()
    task = world()
    with pytest.raises(TaskError) as caught:
        compare(tmp_path / "c.study.db", client, task=replace(task, test=(*task.test, sample)))
    assert message in str(caught.value)
    assert not client.calls and not list(tmp_path.iterdir())


def test_the_same_words_about_other_data_are_another_question() -> None:
    task = define_task("t", [{"id": "1", "question": "How many?", "db": "a", "answer": "1"}], "exact")
    other = Sample("2", "How many?", {"db": "b", "answer": "2"})
    settings = Settings.of(Command.COMPARE, {})
    assert plan_study(replace(task, test=(other,)), settings, ["ace"], [0]).cells


def test_errors_count_as_wrong_for_every_method(tmp_path: Path) -> None:
    def fail(request: Request) -> str:
        if colour_of(request) in ("red", "blue") and request.sample and "test" in request.sample.id:
            raise ModelUnavailable("the server is gone <b>")
        return knows(request)

    study = compare(tmp_path / "c.study.db", play(generator=fail))
    for score in study.scores:
        assert score.errors == 2 and score.samples == 10
    failures = [answer for cell in study.cells for answer in cell.answers if answer.error]
    assert len(failures) == 4 and not any(answer.right or answer.score for answer in failures)
    assert "the server is gone" in failures[0].error


def test_a_cell_that_fails_says_why_and_goes_on(tmp_path: Path) -> None:
    """The model is gone for good during learning; later it is back."""
    path = tmp_path / "c.study.db"
    broken = True

    def fail(request: Request) -> str:
        if broken and request.sample and request.sample.id.startswith("train"):
            raise ModelUnavailable("no answer today")
        return knows(request)

    client = play(generator=fail)
    with pytest.raises(ModelUnavailable):
        compare(path, client)
    states = {cell.method: cell for cell in read_study(path).cells}
    assert states["zero_shot"].state is CellState.DONE
    assert states["ace"].state is CellState.FAILED and "No attempt got an answer" in states["ace"].error
    assert "1 of 2 cells are not done" in " ".join(read_study(path).findings)
    broken = False
    study = compare(path, client)
    assert {cell.state for cell in study.cells} == {CellState.DONE}
    assert {cell.error for cell in study.cells} == {""}


def test_a_study_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "c.study.db"
    compare(path)

    def intrude(request: Request) -> str:
        with pytest.raises(StoreBusy, match="Another process runs the study"):
            compare(path, seeds=[2])
        return "no idea"

    client = World(generator=intrude)
    compare(path, client, seeds=[1])
    assert client.calls["generator"]


def test_a_playbook_of_somebody_else_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "c.study.db"
    folder = cells_folder(path)
    folder.mkdir()
    with Store.open(folder / "ace.seed-0.db"):
        pass
    with pytest.raises(InputError, match="is not of this study"):
        compare(path)


def test_other_files_are_no_study(tmp_path: Path) -> None:
    playbook = tmp_path / "p.db"
    Store.open(playbook).close()
    with pytest.raises(StoreError, match="not a study"):
        compare(playbook)
    text = tmp_path / "t.db"
    text.write_text("no database" * 100)
    with pytest.raises(StoreError, match="is not a study"):
        read_study(text)
    with pytest.raises(StoreError, match="There is no study"):
        read_study(tmp_path / "none.db")
    later = tmp_path / "later.db"
    with StudyFile.open(later):
        pass
    with sqlite3.connect(later) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="Upgrade"):
        read_study(later)


def test_labels_are_withheld_from_every_method(tmp_path: Path) -> None:
    client = play()
    study = compare(tmp_path / "c.study.db", client, methods=["ace", "few_shot"], feedback="none")
    assert {cell.settings["feedback"] for cell in study.cells} == {FeedbackKind.NONE}
    learned = [request for request in client.requests if request.role == "reflector"]
    assert all(not request.feedback or not request.feedback.expected for request in learned)


def test_an_unknown_price_is_unknown(tmp_path: Path) -> None:
    def free(request: Request) -> Reply:
        return Reply(knows(request), usage=Usage(calls=1, prompt_tokens=5, completion_tokens=1, cost=None))

    study = compare(tmp_path / "c.study.db", play(generator=free))
    assert all(score.cost is None for score in study.scores)
    assert "unknown" in str(study) and "$0" not in str(study)
    assert study.rows("methods")[0]["cost"] is None


def test_a_variant_is_a_method_with_settings() -> None:
    base = Settings.of(Command.COMPARE, {"tries": 4})
    variant = parse_variant("ace+tries=1+no-refine+accept=strict+profile=none+no-guard", base)
    assert variant.name == "ace+accept=strict+no-guard+no-refine+profile=none+tries=1"
    settings = variant.settings
    assert (settings.method, settings.tries, settings.accept) == ("ace", 1, "strict")
    assert not settings.has(Part.REFINE) and not settings.has(Part.GUARD) and settings.has(Part.PROOF)
    assert parse_variant("ace+no-cite+without=batch", base).settings.without == "batch"
    assert parse_variant("few_shot+cite", base).settings.cite is True
    assert parse_variant("zero_shot", base).settings.tries == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aces", "There is no method 'aces'"),
        ("ace+no-refin", "there is no option 'no-refin'"),
        ("ace+tries", "tries has no value"),
        ("ace+tries=many", "tries is 'many'"),
        ("ace+tries=0", "tries is 0"),
        ("ace+cite=maybe", "cite is 'maybe'"),
        ("ace+feedback=none", "feedback is the same for all methods"),
        ("ace+seed=4", "there is no option 'seed=4'"),
    ],
)
def test_what_is_no_variant_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_variant(text, Settings.of(Command.COMPARE, {}))


def test_a_plan_counts_calls_and_knows_what_is_done(tmp_path: Path, done: Study) -> None:
    settings = Settings.of(Command.COMPARE, {"replays": 0})
    plan = plan_study(world(), settings, ["ace", "ace"], [0, 7, 7], known=done)
    assert [planned.cell.name for planned in plan.cells] == [
        "zero_shot, seed 0",
        "ace, seed 0",
        "zero_shot, seed 7",
        "ace, seed 7",
    ]
    assert [planned.is_done for planned in plan.cells] == [True, True, False, False]
    assert plan.least_calls == 10 + 20
    assert "about" in plan.cells[3].describe() and "2 of 4 cells to do" in str(plan)
    assert plan.to_json()["calls_least"] == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"test": ()}, "no test samples"), ({"train": ()}, "no training samples")],
)
def test_a_task_without_samples_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_study(replace(world(), **changes), Settings.of(Command.COMPARE, {}), ["ace"], [0])


def test_a_cache_of_replies_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    monkeypatch.setattr(litellm, "cache", object())
    with pytest.raises(InputError, match="cache of replies"):
        compare(tmp_path / "c.study.db")


def test_the_same_study_comes_of_one_worker_and_of_four(tmp_path: Path) -> None:
    def rates(study: Study) -> list[Any]:
        return [(cell.name, [answer.right for answer in cell.answers], cell.bullets) for cell in study.cells]

    one = compare(tmp_path / "a.study.db", workers=1)
    assert rates(one) == rates(compare(tmp_path / "b.study.db", workers=4))


def test_a_cap_that_leaves_test_samples_unanswered_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "c.study.db"
    for calls in (7, 9):
        team = RoleModels.of(play(), caps=Caps(calls=calls))
        with pytest.raises(CapReached, match="did not answer every test sample"):
            ace.compare(world(), team, methods=["zero_shot"], seeds=[0], study=path, workers=1)
        assert read_study(path).scores == ()
    study = ace.compare(world(), play(), methods=["zero_shot"], seeds=[0], study=path)
    assert study.scores[0].samples == 10


def test_learning_can_have_a_budget_of_calls_and_the_test_samples_are_answered(tmp_path: Path) -> None:
    path = tmp_path / "c.study.db"
    study = compare(path, methods=["ace", "few_shot"], calls=12)
    for cell in study.cells:
        assert sum(usage.calls for usage in cell.learning.values()) <= 12
        assert len(cell.answers) == 10
    settings = Settings.of(Command.COMPARE, {"calls": 3})
    (_, planned) = plan_study(world(), settings, ["ace"], [0]).cells
    assert (planned.least, planned.most) == (3, 3) and "at most 3" in planned.describe()
    client = play()
    assert compare(path, client, methods=["ace", "few_shot"], calls=12) == study and not client.calls


def test_a_team_of_models_can_be_given(tmp_path: Path) -> None:
    team = RoleModels.of(play())
    study = ace.compare(world(), team, methods=["few_shot"], seeds=[0], study=tmp_path / "c.study.db")
    assert study.basis.models["reflector"] == "world"
