"""Tasks of Inspect learn, in the real library with its own model for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ace.agent.adapters.inspect import add_to_system, ask_again, read_value, use_playbook
from ace.store import Store
from tests.adapter_world import LESSONS, QUESTIONS, know, record, reply, teach

pytestmark = pytest.mark.skipif(
    find_spec("inspect_ai") is None, reason="inspect-ai is not installed: `just adapter-inspect`"
)
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect counts tokens with a vocabulary that it would download; litellm carries the same one."""
    spec = find_spec("litellm")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))


def answer(messages: list[Any], *_: Any) -> Any:
    """Know the code of a color only where the system message says it."""
    from inspect_ai.model import ModelOutput

    system = " ".join(message.text for message in messages if message.role == "system")
    question = next(message.text for message in messages if message.role == "user")
    return ModelOutput.from_content("mockllm/model", reply(system, question))


def make_task(learner: Any, *solvers: Any, **more: Any) -> Any:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate, system_message

    samples = [Sample(input=question, target=code) for question, code in QUESTIONS.items()]
    chain = [system_message("Answer with a number."), use_playbook(learner), *(solvers or (generate(),))]
    return Task(**({"dataset": samples, "solver": chain, "scorer": match()} | more))


def generate_answers() -> Any:
    from inspect_ai.solver import generate

    return generate()


def run(task: Any, tmp_path: Path, outputs: Any = answer, **more: Any) -> Any:
    from inspect_ai import eval as evaluate
    from inspect_ai.model import get_model

    model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
    (log,) = evaluate(task, model=model, log_dir=str(tmp_path / "logs"), display="none", **more)
    return log


def accuracy(log: Any) -> float:
    return float(log.results.scores[0].metrics["accuracy"].value)


def test_a_task_learns_and_is_better_the_second_time(store: Store, tmp_path: Path) -> None:
    again = ask_again("mockllm/model", "Answer with a number.", custom_outputs=answer)
    with teach(store, again) as learner:
        assert accuracy(run(make_task(learner), tmp_path)) == 0
        learner.close()
        assert learner.problems == ()
    assert sorted(bullet.content for bullet in store.checkout().active) == sorted(LESSONS.values())
    with record(store) as learner:
        log = run(make_task(learner), tmp_path)
    assert accuracy(log) == 1
    system = log.samples[0].messages[0]
    assert system.role == "system" and system.text.startswith("Answer with a number.\n\n")
    assert len([message for message in log.samples[0].messages if message.role == "system"]) == 1
    assert store.verify() == []


def test_scores_are_outcomes_of_episodes(store: Store, tmp_path: Path) -> None:
    know(store)
    with record(store) as learner:
        run(make_task(learner), tmp_path)
    judged = {row.episode: row for row in store.feedback()}
    assert len(judged) == 4
    for episode in store.episodes(ids=list(judged)):
        row = judged[episode.id]
        is_red = "red" in episode.question
        assert (row.score, episode.attempt.answer) == ((1.0, "7") if is_red else (0.0, "no idea"))
        assert row.expected in QUESTIONS.values() and episode.context_version == 1
    assert store.open_episodes() == {}


def test_calls_of_tools_are_turns(store: Store, tmp_path: Path) -> None:
    from inspect_ai.model import ModelOutput
    from inspect_ai.solver import generate, use_tools
    from inspect_ai.tool import tool

    @tool
    def look_up():
        async def execute(color: str) -> str:
            """Look up a color.

            Args:
                color: its name
            """
            if color != "red":
                raise ValueError("no such color")
            return "7"

        return execute

    def outputs(messages: list[Any], *_: Any) -> Any:
        results = [message for message in messages if message.role == "tool"]
        if results:
            return ModelOutput.from_content("mockllm/model", f"It is {results[0].text}")
        return ModelOutput.for_tool_call(
            "mockllm/model", "look_up", {"color": "red"}, content="I look it up."
        )

    with record(store) as learner:
        run(make_task(learner, use_tools(look_up()), generate()), tmp_path, outputs)
    episode = store.episodes()[0]
    assert [(turn.tool, turn.text, turn.observation) for turn in episode.attempt.turns] == [
        ("", "I look it up.", ""),
        ("look_up", "", "7"),
    ]
    assert episode.attempt.answer == "It is 7" and episode.attempt.turns[1].failed is False


def test_thoughts_are_turns_unless_nobody_can_read_them(store: Store, tmp_path: Path) -> None:
    from inspect_ai.model import ContentReasoning, ContentText, ModelOutput

    def outputs(messages: list[Any], *_: Any) -> Any:
        hidden = ContentReasoning(reasoning="gAAAAB", redacted=True)
        summed_up = ContentReasoning(reasoning="gAAAAB", redacted=True, summary="I compare.")
        content = [ContentReasoning(reasoning="It is warm."), hidden, summed_up, ContentText(text="7")]
        return ModelOutput.from_content("mockllm/model", content)

    with record(store) as learner:
        run(make_task(learner), tmp_path, outputs)
        assert learner.problems == ()
    attempt = store.episodes()[0].attempt
    assert [turn.text for turn in attempt.turns] == ["It is warm.", "I compare."]
    assert attempt.answer == "7"


def test_a_sample_that_fails_is_an_episode_with_its_error(store: Store, tmp_path: Path) -> None:
    def outputs(messages: list[Any], *rest: Any) -> Any:
        if "blue" in messages[-1].text:
            raise RuntimeError("the model is down")
        return answer(messages, *rest)

    with record(store) as learner:
        run(make_task(learner), tmp_path, outputs, fail_on_error=False)
    errors = {episode.question: episode.attempt.error for episode in store.episodes()}
    assert len(errors) == 4 and "the model is down" in errors["Which code has blue?"]
    assert len(store.feedback()) == 3


def test_a_sample_that_is_tried_again_leaves_both_attempts(store: Store, tmp_path: Path) -> None:
    tries: list[str] = []

    def outputs(messages: list[Any], *rest: Any) -> Any:
        tries.append(messages[-1].text)
        if tries.count(messages[-1].text) == 1:
            raise RuntimeError("not yet")
        return answer(messages, *rest)

    with record(store) as learner:
        log = run(make_task(learner), tmp_path, outputs, retry_on_error=1)
    assert log.status == "success"
    assert len(store.episodes()) == 8 and len(store.feedback()) == 4
    assert store.open_episodes() == {}


def test_each_of_several_targets_is_right(store: Store, tmp_path: Path) -> None:
    from inspect_ai.dataset import MemoryDataset, Sample

    targets = {"red": ["seven", "7"], "blue": "4"}
    samples = [Sample(input=f"Which code has {color}?", target=each) for color, each in targets.items()]
    again = ask_again("mockllm/model", "Answer with a number.", custom_outputs=answer)
    with teach(store, again) as learner:
        run(make_task(learner, dataset=MemoryDataset(samples)), tmp_path)
        learner.close()
        assert learner.problems == ()
    assert sorted(row.alternatives for row in store.feedback()) == [("4",), ("seven", "7")]
    kept = sorted(bullet.content for bullet in store.checkout().active)
    assert kept == sorted(LESSONS[f"Which code has {color}?"] for color in targets)  # proven by "7", too


def test_a_score_that_is_no_share_is_kept_as_words(store: Store, tmp_path: Path) -> None:
    from inspect_ai.scorer import Score, mean, scorer

    @scorer(metrics=[mean()])
    def rating():
        async def score(state: Any, target: Any) -> Any:
            return Score(value=7, explanation="Too short.")

        return score

    with record(store) as learner:
        run(make_task(learner, scorer=rating()), tmp_path)
    for row in store.feedback():
        assert row.score is None and row.text == "rating: 7\nToo short."


def test_a_score_that_cannot_be_read_costs_neither_sample_nor_episode(store: Store, tmp_path: Path) -> None:
    def read_score(value: Any) -> float:
        raise KeyError(value)

    with record(store) as learner:
        chain = [use_playbook(learner, read_score=read_score), generate_answers()]
        assert run(make_task(learner, solver=chain), tmp_path).status == "success"
        assert {problem.error for problem in learner.problems} == {"KeyError: 'I'"}
    assert [row.text.split("\n")[0] for row in store.feedback()] == ["match: I"] * 4
    assert len(store.episodes()) == 4 and store.open_episodes() == {}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *(("C", 1), ("I", 0), ("P", 0.5), ("N", 0), (True, 1), (0.25, 0.25), ("0.5", 0.5), (1, 1)),
        *((7, None), (-1, None), ("fail", None), (float("nan"), None), ([1], None), ({"a": 1}, None)),
    ],
)
def test_values_are_read_or_left(value: Any, number: float | None) -> None:
    assert read_value(value) == number


def test_the_context_goes_behind_the_instructions() -> None:
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser

    user = ChatMessageUser(content="q")
    assert [message.text for message in add_to_system([user], "c")] == ["c", "q"]
    instructed = [ChatMessageSystem(content="i"), user]
    assert [message.text for message in add_to_system(instructed, "c")] == ["i\n\nc", "q"]
    assert [message.text for message in instructed] == ["i", "q"]


def test_the_example_of_the_page_learns(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "docs" / "run_example.py"), "inspect", "Tasks of Inspect"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "INSPECT_DISPLAY": "none"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    printed = [line for line in done.stdout.splitlines() if line.startswith("accuracy")]
    assert printed == ["accuracy 0.0", "accuracy 1.0"], done.stderr
