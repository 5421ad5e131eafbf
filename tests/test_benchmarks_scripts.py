"""The scripts that measure learning: they write their pages, and a second start asks nothing again."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError
from ace.llm.client import Request
from ace.task.makers.make_finance import FORMULA_FILES
from ace.testing import World
from benchmarks import formula, fresh_tasks, intercode_task, measuring, shop_sql
from benchmarks.measured_pages import compare_means


def answer(request: Request) -> str:
    """Answer a question about rules when a bullet holds its answer."""
    assert request.sample is not None
    expected = str(request.sample.data["answer"])
    return expected if any(expected in bullet for bullet in request.bullets) else "no idea"


def teach(request: Request) -> list[str]:
    assert request.sample is not None
    return [f"Things like {request.sample.question:.60}: {request.sample.data['answer']}."]


def measure_rules(folder: Path, client: World, *more: str) -> tuple[dict[str, Any], str]:
    words = ["rules", "--test", "20", "--limit", "4", "--seeds", "7", *more]
    words += ["--work", str(folder / "work"), "--out", str(folder / "results")]
    page = fresh_tasks.measure(fresh_tasks.read_options(words), words, client)
    name = "fresh_rules"
    assert (folder / "results" / f"{name}.md").read_text("utf-8") == page
    assert str(folder) not in page, "where files were kept stands in the page"
    return json.loads((folder / "results" / f"{name}.json").read_text("utf-8")), page


def test_fresh_tasks_are_measured_once_and_said_in_full(tmp_path: Path) -> None:
    client = World(answer, teach)
    choice = ("8", "9", "--variants", "default", "without=proof")
    record, page = measure_rules(tmp_path, client, *choice)
    stages = {(stage["group"], stage["name"]): stage for stage in record["stages"]}
    assert list(stages) == [
        (seed, name) for seed in "789" for name in ("empty", "reference", "default", "without=proof")
    ]
    for seed in "789":
        assert stages[seed, "empty"]["correct"] == 0 and stages[seed, "empty"]["total"] == 4
        assert stages[seed, "reference"]["correct"] > 0 and stages[seed, "reference"]["learning"] is None
        assert stages[seed, "default"]["learning"]["usage"]["reflector"]["calls"] > 0
        assert stages[seed, "default"]["learning"]["seconds"] > 0
        assert len(stages[seed, "default"]["ci95"]) == 2
    assert (
        record["settings"]["default"]["without"] is None
        and record["settings"]["without=proof"]["without"] == "proof"
    )
    assert record["settings"]["default"]["profile"] == "small"
    assert set(record["ratios"]["default"]) == {"12 questions", "3 groups"}
    assert record["command"].startswith("python benchmarks/fresh_tasks.py rules --test 20")
    for text in (record["date"], "McNemar", "prompt computed", "default / reference", "Fieller", "refused"):
        assert text in page

    calls = sum(client.calls.values())
    again, same = measure_rules(tmp_path, client, *choice)
    assert sum(client.calls.values()) == calls
    assert again["stages"] == record["stages"]
    assert same == page


def test_a_measurement_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    def teach_until(request: Request) -> list[str]:
        if client.calls["reflector"] > 3:
            raise KeyboardInterrupt
        return teach(request)

    client = World(answer, teach_until)
    with pytest.raises(KeyboardInterrupt):
        measure_rules(tmp_path, client)
    first = len(client.requests)
    client = World(answer, teach)
    interrupted, _ = measure_rules(tmp_path, client)
    whole = World(answer, teach)
    straight, _ = measure_rules(tmp_path / "straight", whole)
    assert [stage["right"] for stage in interrupted["stages"]] == [
        stage["right"] for stage in straight["stages"]
    ]
    assert len(client.requests) < len(whole.requests) < len(client.requests) + first


def test_stages_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    measure_rules(tmp_path, World(answer))
    with pytest.raises(InputError, match=r"other profile, options.*another --work"):
        measure_rules(tmp_path, World(answer), "--profile", "full", "--options", "--tries 3")
    with pytest.raises(InputError, match="no setting --no-such"):
        measure_rules(tmp_path, World(answer), "--variants", "no-such")


def test_fresh_sql_is_measured(tmp_path: Path) -> None:
    def write(request: Request) -> str:
        assert request.sample is not None
        return request.sample.data["gold_sql"] if request.bullets else "SELECT 1"

    words = ["sql", "--seeds", "7", "--train", "40", "--test", "2", "--limit", "2"]
    words += ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    page = fresh_tasks.measure(fresh_tasks.read_options(words), words, World(write))
    assert re.search(r"\| 7 \| reference \| 2/2 = 100", page)
    assert re.search(
        r"\| 7 \| default \| 2/2 = 100", page
    )  # whatever is shown helps this model: an example does


def test_an_office_is_drawn_and_measured(tmp_path: Path) -> None:
    words = ["office", "--seeds", "7", "--limit", "2"]
    words += ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    page = fresh_tasks.measure(fresh_tasks.read_options(words), words, World(lambda request: "I am done."))
    assert re.search(r"\| 7 \| empty \| 0/2 = 0", page) and re.search(r"\| 7 \| reference \| 0/2 = 0", page)


def test_the_ratio_of_paired_means_has_fiellers_interval() -> None:
    even = compare_means([(10, 20), (11, 22), (12, 24)])
    assert (even.value, even.low, even.high) == pytest.approx((0.5, 0.5, 0.5))
    some = compare_means([(1, 1), (0, 1), (1, 1), (1, 0), (1, 1), (0, 1), (1, 1), (1, 1)])
    assert some.value == pytest.approx(6 / 7) and some.low is not None and some.high is not None
    assert some.low < 6 / 7 < some.high
    unsure = compare_means([(1, 1), (0, 0), (0, 0)])
    assert unsure.value == 1 and unsure.low is None and "no bounded interval" in str(unsure)
    assert compare_means([(1, 0), (0, 0)]).value is None


def test_settings_are_those_of_the_command_line() -> None:
    settings = measuring.parse_settings(["--tries", "3", "--without", "refine", "--tries", "4"])
    assert settings.tries == 4 and settings.without == "refine" and not settings.measure
    with pytest.raises(InputError, match="tries"):
        measuring.parse_settings(["--tries", "0"])


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FINANCE = Path(os.environ.get("ACE_SHARED_DATA", SHARED)) / "ace-finance"
needs_finance = pytest.mark.skipif(
    not (FINANCE / FORMULA_FILES["val"]).is_file(), reason="needs ../shared/data/ace-finance"
)


def formula_options(folder: Path, *sizes: int) -> list[str]:
    words = ["--data", str(FINANCE), "--train", str(sizes[0]), "--test", str(sizes[1])]
    return [*words, "--work", str(folder / "work"), "--out", str(folder / "results")]


def measure_formula(folder: Path, client: World) -> dict[str, Any]:
    words = formula_options(folder, 5, 12)
    page = formula.measure(formula.read_options(words), words, client)
    assert (folder / "results" / "formula.md").read_text("utf-8") == page
    assert "Targets as given" in page and "target is known to be wrong" in page
    record: dict[str, Any] = json.loads((folder / "results" / "formula.json").read_text("utf-8"))
    return record


@needs_finance
def test_formula_is_measured_once_with_both_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = formula.make_task(formula.read_options(formula_options(tmp_path, 5, 12)))
    wrong = {task.train[0].id: "wrong", task.test[0].id: "wrong", task.test[1].id: "wrong"}
    monkeypatch.setattr(formula, "read_defects", lambda data: wrong)

    def compute(request: Request) -> str:
        assert request.sample is not None
        return f"First 1 + 1 = 2.\n{request.sample.data['answer']}" if request.bullets else "1 / 7\n0.123"

    client = World(compute, lambda request: ["Round the last number only."])
    record = measure_formula(tmp_path, client)
    given, clean = (record[key]["stages"] for key in ("as_given", "without_wrong_targets"))
    assert [stage["name"] for stage in given] == ["empty", "reference", "default"]
    assert [(stage["correct"], stage["total"]) for stage in given] == [(0, 12), (12, 12), (12, 12)]
    assert [(stage["correct"], stage["total"]) for stage in clean] == [(0, 10), (10, 10), (10, 10)]
    assert record["wrong_targets"] == {
        "train": [task.train[0].id],
        "test": [task.test[0].id, task.test[1].id],
    }
    assert given[1]["playbook"] and record["as_given"]["ratios"]["default"]["12 questions"]["value"] == 1

    calls = sum(client.calls.values())
    assert measure_formula(tmp_path, client)["as_given"] == record["as_given"]
    assert sum(client.calls.values()) == calls


@needs_finance
def test_formula_takes_its_questions_from_the_files_as_they_are(tmp_path: Path) -> None:
    task = formula.make_task(formula.read_options(formula_options(tmp_path, 500, 300)))
    everything = {sample.id: sample for sample in (*task.train, *task.test)}
    task = formula.make_task(formula.read_options(formula_options(tmp_path, 100, 60)))
    assert (len(task.train), len(task.test)) == (100, 60)
    assert all(sample.id.startswith("train-") for sample in task.train)
    assert all(sample.id.startswith("val-") for sample in task.test)
    assert not any("no explanations" in sample.question for sample in (*task.train, *task.test))
    listed = json.loads((FINANCE / "formula_label_defects.json").read_text("utf-8"))
    for defect in listed:  # an index of the list is the place of a row
        row = everything[f"{defect['split']}-{defect['index']}"]
        assert float(row.data["answer"]) == defect["target"]
    assert len(formula.read_defects(FINANCE)) == len(listed)


def test_formula_without_its_data_says_which_file_is_missing(tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    with pytest.raises(InputError, match=r"formula_train_subset_500.jsonl is missing"):
        formula.measure(formula.read_options(words), words, World())


def test_the_shop_is_measured_by_its_earlier_variants_too(tmp_path: Path) -> None:
    def write(request: Request) -> str:
        assert request.sample is not None
        return request.sample.data["gold_sql"] if request.bullets else "SELECT 1"

    words = ["--seeds", "0", "1", "--variants", "reference", "learned", "unverified", "--limit", "2"]
    words += ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    client = World(write)
    page = shop_sql.measure(shop_sql.read_options(words), words, client)
    stages = json.loads((tmp_path / "shop_sql.json").read_text("utf-8"))["stages"]
    names = ["empty", "reference", "default", "without=proof"]
    assert [(stage["group"], stage["name"]) for stage in stages] == [(s, n) for s in "01" for n in names]
    assert stages[1]["correct"] == 2 and "Seeds share their test questions" in page
    calls = sum(client.calls.values())
    assert shop_sql.measure(shop_sql.read_options(words), words, client) == page
    assert sum(client.calls.values()) == calls


INTERCODE = FINANCE.with_name("intercode-sql")


@pytest.mark.skipif(not INTERCODE.is_dir(), reason="needs ../shared/data/intercode-sql")
def test_intercode_says_that_nothing_was_learned(tmp_path: Path) -> None:
    words = ["--data", str(INTERCODE), "--databases", "car_1", "--train", "30", "--val", "2"]
    words += ["--test", "4", "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    client = World(lambda request: "SELECT 1", lambda request: ["Cars: look at the table of cars."])
    page = intercode_task.measure(intercode_task.read_options(words), words, client)
    assert "- intercode, default: nothing was learned" in page and "refused still_fails" in page
    calls = sum(client.calls.values())
    assert intercode_task.measure(intercode_task.read_options(words), words, client) == page
    assert sum(client.calls.values()) == calls
