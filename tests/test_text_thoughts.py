"""Thoughts are told from answers by the marks of open models, in replies, logs, scorers and SQL alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.task import Attempt, define_task
from ace.task.environments.sql.sqltext import extract_sql
from ace.text.thoughts import mask_marks, split_thoughts

TOLD_APART = {
    "<think>a</think>b": ("a", "b"),
    "a\n</think>\n\nb": ("a", "\n\nb"),
    "<Thinking>a</Thinking> b": ("a", " b"),
    "<thought>a</thought>b": ("a", "b"),
    "<reasoning>a</reasoning><answer>b</answer>": ("a", "<answer>b</answer>"),
    "<seed:think>a</seed:think>b": ("a", "b"),
    "<antThinking>a</antThinking>b": ("a", "b"),
    "<think >a</think >b": ("a", "b"),
    "[THINK]a[/THINK]b": ("a", "b"),
    "◁think▷a◁/think▷b": ("a", "b"),
    "<|begin_of_thought|>a<|end_of_thought|>b": ("a", "b"),
    "<|START_THINKING|>a<|END_THINKING|>b": ("a", "b"),
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b": ("a", "b"),
    "<think>a <think>c</think> d</think>b": ("a <think>c</think> d", "b"),
    "<think>a <think> is a tag</think>b": ("a <think> is a tag", "b"),
    "<think>never closed": ("never closed", ""),
    "<think>a</think>b\n<think>cut off": ("a\n\ncut off", "b\n"),
    "<think>a</think>b\n<think>c</think>\nd": ("a\n\nc", "b\n\nd"),
    "Sure. <think>a</think>b": ("a", "Sure. b"),
    "<think></think>b": ("", "b"),
    "</think>b": ("", "b"),
    "```\ndraft\n</think>\nb": ("```\ndraft", "\nb"),
    "<think>```\nhalf</think>```\nb\n```": ("```\nhalf", "```\nb\n```"),
    "<think>```c```</think>```d```": ("```c```", "```d```"),
    "<think>The tag `</think>` ends it.</think>b": ("The tag `</think>` ends it.", "b"),
}
DATA = [
    '{"tag": "</think>"}',
    '["<think>a</think>"]',
    "Use `<think>` and `</think>`.",
    "```xml\n<think>a</think>\n```",
    "Write the <think> mark first.",
    "b<|end|>",
    "a < think > b",
    "I think > you.",
    "",
]


@pytest.mark.parametrize("text", TOLD_APART)
def test_thoughts_are_told_from_the_rest(text: str) -> None:
    assert split_thoughts(text) == TOLD_APART[text]


@pytest.mark.parametrize("text", DATA)
def test_a_mark_that_is_data_stays(text: str) -> None:
    assert split_thoughts(text) == ("", text)


pieces = st.lists(
    st.sampled_from(["<think>", "</think>", "[THINK]", "[/THINK]", "```", "`", "\n", "{", '"', "a b "]),
    max_size=12,
).map("".join)


@given(pieces | st.text())
def test_no_text_makes_it_fail_and_no_letter_is_lost(text: str) -> None:
    thoughts, answer = split_thoughts(text)
    assert (thoughts + answer).count("b") == text.count("b")
    assert (thoughts, answer) == ("", text) or "hink" in text.lower() or "|" in text


@given(pieces, pieces)
def test_masked_thoughts_are_read_back_whole(thoughts: str, answer: str) -> None:
    read, _ = split_thoughts(f"<think>{mask_marks(thoughts).replace('`', '')}</think>x")
    assert read == mask_marks(thoughts).replace("`", "").strip()


@pytest.mark.parametrize("answer", ["<think>Cusco?</think>Lima", "Cusco? No.\n</think>\n\nLima"])
def test_an_attempt_never_has_thoughts_for_an_answer(answer: str) -> None:
    """Whoever made it: a model, a function, a log."""
    attempt = Attempt("a", answer, reasoning="First.")
    assert (
        attempt.answer == "Lima" and attempt.reasoning.startswith("First.\n\nCusco?") and attempt.text == ""
    )
    rows = [{"id": "a", "question": "Capital of Peru?", "answer": "Lima"}]
    task = define_task("c", rows, "exact")
    assert task.environment.score(task.train[0], attempt).score == 1.0


def test_sql_is_not_taken_from_a_draft() -> None:
    draft = "<think>```sql\nSELECT wrong\n```</think>```sql\nSELECT right_one FROM t\n```"
    assert "right_one" in extract_sql(Attempt("a", draft).answer)
