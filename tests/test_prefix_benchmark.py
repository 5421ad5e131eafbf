"""benchmarks/prefix.py: the reference layout says the same with counters in it, and sums are right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ace.context import assemble, render_playbook
from ace.llm import Request, Role, Usage
from ace.llm.prompts import messages
from ace.playbook import Add, Playbook, Vote, apply
from ace.task import load_task
from benchmarks.prefix import compared, reference, run, summed, table
from tests.desk import FOLDER, lookup
from tests.test_context_assemble import frame


def test_the_reference_layout_by_example() -> None:
    adds = [Add("a", "Facts", "One."), Add("b", "Facts", "Two.")]
    playbook, _ = apply(Playbook(), [*adds, Vote("a", helpful=5, harmful=1)])
    candidate, _ = apply(playbook, [Add("c", "Facts", "New.")])
    made = assemble(frame(), partial(render_playbook, candidate))
    asked = Request(role=Role.GENERATOR, messages=messages(made.system, made.user))
    prompt = reference(asked, {b.content: b for b in playbook}).messages
    assert prompt[0].content == (
        "Answer with SQL.\n\nWhat you have learned about this task; use it:\n## Facts\n"
        "[facts-00001] helpful=5 harmful=1 :: One.\n"
        "[facts-00002] helpful=0 harmful=0 :: Two.\n"
        "[lessons-00001] helpful=0 harmful=0 :: New."
    )
    assert prompt[1].content == made.user


def test_a_run_tells_every_generator_prompt_in_both_layouts(tmp_path: Path) -> None:
    task = load_task(FOLDER)
    task = replace(task, train=task.train[:12])
    prompts, took = run(task, lookup(), tmp_path / "p.db", seed=0, tries=2)
    assert len(prompts) == len(took) > 12
    systems = [prompt.messages[0].content for prompt in prompts]
    assert any("helpful=1" in system for system in systems)
    assert all("\n- " not in system for system in systems)


def test_figures_and_bars() -> None:
    ours = summed([Usage(1, 100, 0), Usage(1, 100, 96), Usage(1, 800, 780)])
    assert (ours["computed_tokens"], ours["cached_share"]) == (124, 0.876)
    theirs = summed([Usage(1, 1200, 600)])
    against = compared(ours, theirs)
    assert not against["cached_reached"] and against["fewer_reached"]
    words = dict.fromkeys(("date", "command", "task", "model", "machine"), "x")
    record = {**words, "samples": 3, "slots": 4, "ours": ours, "reference": theirs, "compared": against}
    assert "87.6% (bar 90%: missed)" in table(record) and "4.8 times fewer" in table(record)
