"""Long answers: the ledger, the check, the budget, and a whole evaluation with a scripted model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.agent import Draw, LongForm, Writer
from ace.agent.ledger import (
    extract_figures,
    extract_listed_statements,
    extract_statements,
    find_clashes,
    find_missing_points,
    find_nearest_text,
)
from ace.context import Assembled
from ace.errors import CapReached, ModelUnavailable, TaskError
from ace.llm import Request, RoleModels, ScriptedClient
from ace.loop import evaluate
from ace.loop.contexts import build_contexts
from ace.playbook import Add
from ace.settings import Settings
from ace.store import Store
from ace.task import Attempt, FeedbackKind, Sample, load_task, score_attempt
from ace.text import estimate_tokens

ROOT = Path(__file__).parent.parent
QUESTION = "Two parts.\n- Visitors in the year: 4,100\n- Objects restored: 47\n- Next exhibition: Under Sail"
OUTLINE = {
    "parts": [{"title": "Past", "points": ["4,100 visitors"]}, {"title": "Next", "points": ["Under Sail"]}]
}


def context(budget: int = 4_000) -> Assembled:
    return Assembled("You write.", QUESTION, 100, budget)


class Wrong:
    """A model that writes what it is told to, one text for each request for a part."""

    def __init__(self, *texts: str, outline: object = OUTLINE) -> None:
        self.texts, self.outline, self.asked = list(texts), outline, list[str]()
        self.sent: list[str] = []  # requests for the outline, too

    def __call__(self, request: Request) -> str:
        asked = request.messages[-1].content
        self.sent.append(asked)
        if "First only the outline" in asked:
            return json.dumps(self.outline)
        self.asked.append(asked)
        return self.texts.pop(0)


def solve(model: Wrong, budget: int = 4_000, mends: int = 1) -> Attempt:
    solver = LongForm(Writer(ScriptedClient(model), 300), estimate_tokens, mends=mends)
    return solver.solve(Sample("a", QUESTION), context(budget), None, Draw())


def test_parts_are_written_in_order_with_what_was_said_before() -> None:
    model = Wrong("The museum had 4,100 visitors. It restored 47 objects.", "Next comes Under Sail.")
    made = solve(model)
    past = "The museum had 4,100 visitors. It restored 47 objects."
    assert made.answer == f"## Past\n\n{past}\n\n## Next\n\nNext comes Under Sail."
    first, second = model.asked
    assert "Said in other parts" not in first and "The museum had 4,100 visitors." in second
    assert "Objects restored: 47" in first  # in no point of the outline, so it was added to the nearest


def test_a_part_with_faults_is_written_again_and_kept_if_it_has_fewer() -> None:
    model = Wrong(
        "The museum had many visitors.",
        "Next comes Under Sail. In all 52 objects restored by hand.",
        "The museum had 4,100 visitors. Objects restored: 47.",
        "Next comes Under Sail.",
    )
    made = solve(model)
    assert "4,100" in made.answer and "52" not in made.answer
    assert "It does not say: 4,100 visitors" in model.asked[2]
    assert re.search(r"52 objects restored.*disagrees with .*47", model.asked[3])
    assert made.text.count("taken") == 2


def test_one_that_is_no_better_is_left() -> None:
    model = Wrong("No figures.", "Under Sail.", "None here either.")
    made = solve(model)
    assert "No figures." in made.answer and "None here" not in made.answer
    assert "left" in made.text and made.error == ""


def test_what_fails_in_the_middle_is_a_record_with_what_was_written() -> None:
    made = solve(Wrong("The first part, 4,100 visitors and 47 objects restored.", *[""] * 9))
    assert made.answer == "" and "wrote nothing" in made.error and "The first part" in made.text


class Failing(Wrong):
    """Refuses to write a part again."""

    def __init__(self, error: Exception, *texts: str) -> None:
        super().__init__(*texts)
        self.error = error

    def __call__(self, request: Request) -> str:
        if "again without these faults" in request.messages[-1].content:
            raise self.error
        return super().__call__(request)


def test_a_whole_text_is_the_answer_although_no_part_of_it_can_be_mended() -> None:
    whole = "## Past\n\nNo figures.\n\n## Next\n\nUnder Sail."
    refused = solve(Failing(ModelUnavailable("connection refused"), "No figures.", "Under Sail."))
    assert (refused.answer, refused.error) == (whole, "")
    assert "[check] part 1: It does not say: 4,100 visitors" in refused.text
    assert "[check] not written again: ModelUnavailable: connection refused" in refused.text
    empty = solve(Wrong("No figures.", "Under Sail.", *[""] * 9))
    assert (empty.answer, empty.error) == (whole, "") and "wrote nothing" in empty.text
    long = "There is much to say. " * 30
    crowded = solve(Wrong(long, "Under Sail."), budget=300)
    assert long.strip() in crowded.answer and crowded.error == ""
    assert "[check] not written again: ContextError: Part 1 takes" in crowded.text


def test_a_cap_ends_the_run_while_a_part_is_mended() -> None:
    with pytest.raises(CapReached):
        solve(Failing(CapReached("cap of 3 calls"), "No figures.", "Under Sail."))


@given(st.integers(60, 1_200), st.integers(0, 60))
def test_no_request_is_above_the_budget(budget: int, sentences: int) -> None:
    long = " ".join(f"Room {number} has {number * 7} chairs in it." for number in range(sentences))
    model = Wrong(f"{long} 4,100 visitors, 47 objects restored.", "Under Sail.", *["Under Sail."] * 4)
    made = solve(model, budget)
    for asked in model.sent:
        assert estimate_tokens(asked) + estimate_tokens("You write.") + 16 <= budget
    assert made.answer or "Give a larger budget" in made.error or "budget" in made.error


def test_a_budget_below_the_outline_is_named() -> None:
    made = solve(Wrong("never asked"), budget=150)
    assert "Part 1 takes" in made.error and "of 150" in made.error
    model = Wrong("never asked")
    made = solve(model, budget=100)
    assert "The outline takes" in made.error and "of 100" in made.error and model.sent == []


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("The museum restored 47 objects this time.", "It restored 52 objects this time.", True),
        ("The museum restored 47 objects.", "The museum restored 47 objects.", False),
        ("Objects restored: 1,204", "It had 1204 objects restored.", False),
        ("There were 47 school classes.", "There were 52 restored clocks.", False),
        ("Income grew to 300 euros.", "The roof cost 40 euros.", False),
        ("In 2024 it closed.", "In 2025 it opened.", False),
    ],
)
def test_figures_that_disagree_about_the_same_thing(one: str, other: str, clash: bool) -> None:
    assert bool(list(find_clashes([*extract_statements(one, 0), *extract_statements(other, 1)]))) is clash


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_has_a_ledger_and_agrees_with_itself(one: str, other: str) -> None:
    known = [*extract_statements(one, 0), *extract_listed_statements(other)]
    assert all(fact.figures or fact.names or fact.part == -1 for fact in known)
    list(find_clashes(known))
    assert find_missing_points(one, [one]) == []
    assert find_nearest_text(one, [other, one]) in (0, 1)


def test_figures_are_the_same_however_they_are_written() -> None:
    assert extract_figures("1,204 and 3.5% at 10:30.") == {"1204", "3.5%", "10:30"}


@pytest.fixture
def reports() -> object:
    return load_task(ROOT / "tasks" / "museum_report")


def perfect(request: Request) -> str:
    """Writes exactly what is asked for, from the brief."""
    asked = request.messages[-1].content
    given = re.findall(r"^- (.+)$", asked.split("The outline of the text")[0], re.MULTILINE)
    titles = re.findall(r"in this order: ([^.]+)\.", asked)[0].split(", ")
    if "First only the outline" in asked:
        parts = [
            {"title": title, "points": given[place * 3 : place * 3 + 3]} for place, title in enumerate(titles)
        ]
        return json.dumps({"parts": parts})
    points = asked.rpartition("figures and names as given: ")[2]
    return (
        f"This is to be said in full sentences, as the council wants it. {points}. " + "It went well. " * 12
    )


def test_an_evaluation_with_the_outline_solver(tmp_path: Path) -> None:
    task = load_task(ROOT / "tasks" / "museum_report")
    with Store.open(tmp_path / "a.db") as store:
        report = evaluate(task, store, RoleModels.of(ScriptedClient(perfect)), Settings(limit=4, workers=1))
        assert report.after and (report.after.correct, report.after.total) == (4, 4)
        (episode, *_) = store.episodes(run=report.run)
        assert episode.attempt.answer.startswith("## Visitors")
        assert store.verify() == []


@pytest.mark.parametrize("budget", [1_500, 2_500, 10_000])
def test_a_playbook_that_overflows_leaves_room_to_write(tmp_path: Path, budget: int) -> None:
    task, sent = load_task(ROOT / "tasks" / "museum_report"), list[int]()

    def counted(request: Request) -> str:
        sent.append(16 + sum(estimate_tokens(message.content) for message in request.messages))
        return perfect(request)

    lines = [Add(f"b-{n}", "Style", f"Rule {n}: " + "as it is said in the book. " * 9) for n in range(200)]
    with Store.open(tmp_path / "a.db") as store:
        store.commit(lines, author="human", reason="test")
        options = Settings(limit=3, workers=1, budget=budget, select="oldest")
        report = evaluate(task, store, RoleModels.of(ScriptedClient(counted)), options)
        assert report.after and (report.after.correct, report.after.total) == (3, 3)
        assert [e.attempt.error for e in store.episodes(run=report.run)] == [""] * 3
        context = build_contexts(task, store, RoleModels.of(ScriptedClient(["x"])), options)
        assert context.assemble_for(task.test[0], store.checkout()).bullets
    assert max(sent) <= budget


def test_the_reports_environment_names_what_is_wrong() -> None:
    task = load_task(ROOT / "tasks" / "museum_report")
    sample, environment = task.test[0], task.environment
    attempt = Attempt(sample.id, "Visitors\n\nThere were 99,999 of them.")
    verdict = score_attempt(environment, sample, attempt).verdict
    assert not verdict.correct and 0 < verdict.score < 0.2
    for flaw in (
        "'Money' is missing",
        "nobody gave the figures 99999",
        "it does not say: Employees",
        "words, not",
    ):
        assert flaw in verdict.detail
    shown = score_attempt(environment, sample, Attempt(sample.id, "x")).shown(FeedbackKind.EXECUTION)
    assert shown.passed is None and shown.ran is False and "Money" in shown.text


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('kind = "other"', "Expected 'single', 'outline', 'tools', 'team', 'command' or 'module:Class'"),
        ('kind = "outline"\nwords = 0', "at least 1"),
        ('kind = "outline"\nmends = -1', "at least 0"),
        ('kind = "outline"\nword = 5', "Unknown key"),
        ('kind = "single"\nwords = 5', "Unknown key"),
    ],
)
def test_a_solver_that_is_not_one_is_refused(tmp_path: Path, lines: str, problem: str) -> None:
    (tmp_path / "train.jsonl").write_text('{"id": "a", "question": "q", "answer": "a"}\n')
    toml = f'name = "t"\nenvironment = "answer"\n[data]\ntrain = "train.jsonl"\n[solver]\n{lines}\n'
    (tmp_path / "task.toml").write_text(toml)
    with pytest.raises(TaskError, match=problem):
        load_task(tmp_path)
