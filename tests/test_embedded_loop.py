"""The whole loop with the real embedded model: it runs where the default weights are in the cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ace.llm import Client, Message, Request, Role, RoleModels, connect, list_models
from ace.loop import learn
from ace.settings import Settings
from ace.store import Store
from ace.task import load_task

SHOP = Path(__file__).parents[1] / "tasks" / "shop_sql"
TRAIN = ("train-07", "train-09", "train-11", "train-12")
TEST = ("test-06",)

pytestmark = pytest.mark.skipif(
    not next(model.path for model in list_models() if model.default),
    reason="the default weights are not in the cache: `ace models pull qwen2.5-coder-1.5b`",
)


@pytest.fixture(scope="module")
def model() -> Iterator[Client]:
    pytest.importorskip("xllamacpp")
    with connect("local/qwen2.5-coder-1.5b", slots=2, fetch=False) as client:
        yield client


def test_it_learns_what_nobody_documented(model: Client, tmp_path: Path) -> None:
    task = load_task(SHOP)
    small = replace(
        task,
        train=tuple(sample for sample in task.train if sample.id in TRAIN),
        test=tuple(sample for sample in task.test if sample.id in TEST),
    )
    with Store.open(tmp_path / "shop.db") as store:
        report = learn(small, store, RoleModels.of(model), Settings(batch_size=2, workers=2))
        assert report.before and report.before.correct == 0
        assert report.after and report.after.correct > 0
        assert report.bullets > 0 and report.accepted > 0
        used = report.usage["generator"]
        assert used.cached_tokens > used.prompt_tokens / 2
        assert all(bullet.provenance for bullet in report.learned)
        assert store.verify() == []


def test_a_folder_for_states_that_is_gone_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rules = Message("system", "Answer in one word. " + "Read the question slowly. " * 12)
    with connect("local/qwen2.5-coder-1.5b", slots=1, fetch=False) as client:
        (folder,) = tmp_path.glob("ace-slots-*")
        shutil.rmtree(folder)
        for question in ("What is the capital of France?", "What is the capital of Italy?"):
            messages = (rules, Message("user", question))
            assert client.complete(Request(role=Role.GENERATOR, messages=messages, max_tokens=8)).text
    assert [record.name for record in caplog.records].count("ace.local") == 1
