"""A run as a page: what is gathered is what happened, and no text of a model's gets out of its place."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ace.errors import InputError, UnknownVersion
from ace.llm import Caps, Request, Role, RoleModels, ScriptedClient
from ace.loop import evaluate, learn, online
from ace.playbook import Add, Bullet, Playbook, apply
from ace.report import RunHistory, RunPage, build_run_page, read_run_history, render_page, write_page
from ace.report.html_page import PAGE
from ace.runs.steps import StepRecord
from ace.settings import REMOVED, Settings
from ace.store import Proposal, Run, Step, Store, Version
from ace.task import define_task
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.pace import count_steps
from tests.world import judge, reflect, team, world

OPTIONS = Settings(batch_size=3, workers=1)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


def read_page(store: Store, run: int | None = None) -> RunPage:
    return build_run_page(read_run_history(store, run))


def test_what_is_gathered_is_what_happened(store: Store) -> None:
    report = learn(world(), store, team(wrong=("red", "teal")), replace(OPTIONS, epochs=2, validate=False))
    page = read_page(store)
    assert page.report == report and page.proposed == report.proposed
    assert len(page.refuted) == report.rejected
    changes = {(change.before, change.after): change for change in page.changes}
    before, epochs = changes["before", "after"], changes["epoch 1", "epoch 2"]
    assert set(changes["epoch 1", "replay 1.1"].flows.still_failing) == {"train-red", "train-teal"}
    assert len(before.flows.fixed) == len(epochs.flows.fixed) == 8
    assert set(before.flows.still_failing) == {"test-red", "test-teal"} and not before.flows.broken
    assert before.samples["test-blue"].before == "no idea" and before.samples["test-blue"].after.isdigit()
    assert [(size.active, size.waiting) for size in page.sizes][:: len(page.sizes) - 1] == [(0, 0), (8, 0)]
    assert page.sizes[0].tokens == 0 < page.sizes[-1].tokens
    for lesson in page.lessons:
        assert lesson.new and lesson.proves == (f"train-{lesson.bullet.content.split()[0]}",)
        assert lesson.later == (1, 1)  # right again in the second epoch
        assert [e.verdict.correct for e in lesson.episodes] == [False, True]
    answers = {refuted.attempt.attempt.answer for refuted in page.refuted if refuted.attempt}
    assert answers == {"999", "no idea"}  # with the false lesson, and with the sample itself as an example


def test_points_add_up_to_the_scores(store: Store) -> None:
    report = learn(world(), store, team(), OPTIONS)
    points = {str(point.phase): point for point in read_page(store).points}
    assert report.before and points["before"].score == report.before
    assert report.after and points["after"].score == report.after
    learning = [point for point in read_page(store).points if str(point.phase) == "epoch 1"]
    assert [point.total for point in learning] == [3, 3, 3, 1]


def test_an_online_run_has_the_accuracy_as_served(store: Store) -> None:
    report = online(world(), store, team(), replace(OPTIONS, batch_size=1))
    page = read_page(store)
    assert report.after and page.moving[-1] == (report.after.correct, report.after.total)
    assert not page.changes and [counted for _, counted in page.moving] == list(range(1, 11))


def test_an_evaluation_shows_the_version_it_scored(store: Store) -> None:
    learn(world(), store, team(), OPTIONS)
    evaluate(world(), store, team(), OPTIONS, version=2)
    page = read_page(store)
    assert page.kind == "eval" and len(page.lessons) == 6 and "--version 2" in page.command
    assert not any(lesson.new for lesson in page.lessons)
    assert [len(lesson.episodes) for lesson in page.lessons] == [2] * 6  # cited from the run before


def test_a_setting_that_is_gone_is_told_and_in_no_command(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Settings.record
    monkeypatch.setattr(Settings, "record", lambda settings: {**record(settings), **REMOVED, "evict": 2})
    learn(world(), store, team(), OPTIONS)
    page = read_page(store)
    assert ("evict", "2") in page.settings and "graduate" not in dict(page.settings)
    assert "--evict" not in page.command and "--replays 1" in page.command


def test_a_run_that_died_is_shown_as_far_as_it_came(store: Store) -> None:
    replies = iter(range(60))

    def dies(request: Request) -> str:
        if next(replies, None) is None:
            raise KeyboardInterrupt
        return str(team().generator.complete(request).text)

    with pytest.raises(KeyboardInterrupt):
        learn(world(), store, RoleModels.of(ScriptedClient(dies)), OPTIONS)
    page = read_page(store)
    assert page.report is None and page.status == "interrupted" and page.lessons
    assert "has not reported" in render_page(page)
    assert sum(usage.calls for usage in page.usage.values()) <= 60


def test_a_capped_run_has_no_score_after(store: Store) -> None:
    learn(world(), store, team(caps=Caps(calls=30)), OPTIONS)
    assert "cap of 30 calls" in render_page(read_page(store))


def test_no_run_no_report(store: Store) -> None:
    with pytest.raises(UnknownVersion, match="no runs"):
        read_run_history(store)
    with pytest.raises(UnknownVersion, match="no run 7"):
        read_run_history(store, 7)


NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[go](javascript:alert(1)) <a href='javascript:alert(1)'>x</a>",
    '" onmouseover="alert(1)',
    "</pre></details><style>*{display:none}</style>",
    "{{ 7 * 7 }} {% raw %} ]]> <!-- ",
    "nul \x00 bell \x07 escape \x1b[31m",
    "\u202eright to left\u202c \u2066isolated\u2069 \u200fmark",
    "https://example.org/pixel.png url(https://example.org/x)",
)


class Tags(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def structure(page: str) -> set[tuple[str, tuple[str, ...]]]:
    """The kinds of tags, each with the names of its attributes."""
    return {(tag, tuple(attributes)) for tag, attributes in parsed(page).tags}


def run_with(store: Store, texts: Sequence[str]) -> RunPage:
    """A real run in which questions, answers, lessons and right answers are the given texts."""
    rows = [{"id": f"s{n} {t}"[:60], "question": f"{n} {t}", "answer": f"a{n}"} for n, t in enumerate(texts)]

    def say(request: Request) -> str:
        user = request.messages[-1].content
        number = next((n for n in range(len(texts)) if re.search(rf"^(Question: )?{n} ", user)), 0)
        if request.role is Role.REFLECTOR:
            return reflect(request, f"lesson {number}: {texts[number]}")
        return (
            f"a{number}"
            if number % 2 and f"lesson {number}" in request.messages[0].content
            else texts[number]
        )

    test = [{**row, "id": f"t{row['id']}", "question": f"{row['question']} again"} for row in rows]
    task = define_task("nasty", rows, judge, test=test)
    learn(task, store, RoleModels.of(ScriptedClient(say, model=texts[0])), replace(OPTIONS, tries=1))
    return read_page(store)


def test_what_a_model_says_stays_text(store: Store, tmp_path: Path) -> None:
    page = render_page(run_with(store, NASTY))
    with Store.open(tmp_path / "tame.db") as other:
        learn(world(), other, team(wrong=("red",)), replace(OPTIONS, epochs=2))
        tame = render_page(read_page(other))
    assert structure(page) <= structure(tame)
    tags = parsed(page)
    for tag, attributes in tags.tags:
        assert tag not in {"script", "iframe", "object", "form", "link", "base"}
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert (attributes.get("src") or "data:image/png").startswith("data:image/png")
    assert not re.search("[\x00-\x08\x0b-\x1f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page)
    for text in (
        NASTY[0],
        NASTY[5].split(" ]]>")[0],
        r"nul \u0000 bell \u0007",
        r"\u202eright to left\u202c",
    ):
        assert text in tags.text


def test_the_page_forbids_itself_everything_but_its_pictures(store: Store) -> None:
    learn(world(), store, team(), OPTIONS)
    page = render_page(read_page(store))
    policy = next(a["content"] or "" for tag, a in parsed(page).tags if "http-equiv" in a)
    assert "default-src 'none'" in policy and "script" not in policy
    assert "http://" not in page and "https://" not in page


def test_a_page_takes_no_more_steps_than_its_run_has() -> None:
    small, large = (big(samples=2 * size, bullets=size) for size in (100, 400))
    steps = [count_steps(lambda run=run: render_page(build_run_page(run))) for run in (small, large)]
    assert steps[1] < 5 * steps[0]


def test_a_big_run_opens_folded() -> None:
    page = build_run_page(big(samples=2000, bullets=1000))
    html = render_page(page)
    assert len(html) < 15e6
    assert len(page.points) <= 42 and len(page.lessons) == 1000
    for part in html.split('<div class="pages">')[1:]:
        assert "<details open>" not in part
    sections = re.findall(r"<summary>Bullets (\d+) to (\d+) of 1000</summary>", html)
    assert sections[0] == ("1", "50") and len(sections) == 20


def big(*, samples: int, bullets: int) -> RunHistory:
    """Nobody waits for a scripted run of this size: its records, written by hand."""
    names = [f"s{n}" for n in range(samples)]
    run = Run(1, "learn", "big", {"base": 0, "seed": 0, "models": {"generator": "m"}}, "done", "", "", None)
    step_of = [names[start : start + 20] for start in range(0, samples, 20)]
    phases = [("before", 0)] * len(step_of) + [("epoch 1", 1)] * len(step_of) + [("after", 1)] * len(step_of)
    steps, changes, playbook = [], [], Playbook()
    for number, ((phase, _), part) in enumerate(zip(phases, step_of * 3, strict=True)):
        results = [
            {"phase": phase, "sample": s, "correct": phase == "after" or n % 3 == 0, "error": ""}
            for n, s in enumerate(part)
        ]
        proofs = {}
        if phase == "epoch 1":
            share = bullets // len(step_of)
            first = len(changes) * share
            added = range(first, first + share)
            delta = tuple(Add(f"b{n}", "lessons", f"lesson {n}", (f"e{n}",)) for n in added)
            playbook, _ = apply(playbook, delta)
            changes.append((_version(len(changes) + 1), delta))
            proofs = {f"b{n}": [names[n]] for n in added}
        payload = {"results": results, "kept": proofs, "proposals": [], "usage": {}, "seconds": 1.0}
        steps.append(StepRecord.from_step(Step(1, number, phase, payload, len(changes))))
    refused = tuple(
        Proposal(
            s, "reflector", (Add(f"r{s}", "lessons", "no " * 40),), "rejected", "still fails", (f"e{n}",)
        )
        for n, s in enumerate(names)
    )
    return RunHistory(
        file="big.db",
        run=run,
        start=_version(0),
        base=Playbook(),
        playbook=playbook,
        final=_version(len(changes)),
        steps=tuple(steps),
        changes=tuple(changes),
        episodes=tuple(_episode(n, s, phase) for phase in ("before", "after") for n, s in enumerate(names)),
        proposals=refused,
    )  # fmt: skip


def _version(number: int) -> Version:
    return Version(
        number, number - 1 if number else None, None, "main", f"hash{number}", "reflector", "", 1, "", 10
    )


def _episode(number: int, sample: str, phase: str) -> Episode:
    feedback = Feedback(FeedbackKind.LABELS, "3 rows\n" * 20, False, "Right SQL: SELECT 1")
    attempt = Attempt(sample, "SELECT " + "x, " * 60)
    name = f"e{number}" if phase == "before" else f"a{number}"
    return Episode(name, sample, f"Question {number}?", attempt, feedback, Verdict(False, 0.0), 0, phase)


def test_the_pictures_are_beside_the_page_and_inside_it(store: Store, tmp_path: Path) -> None:
    online(world(), store, team(), replace(OPTIONS, batch_size=2))
    page, *charts = write_page(read_page(store), tmp_path / "out" / "deep")
    assert [chart.name for chart in charts] == ["prequential.png", "playbook.png", "tokens.png"]
    assert all(chart.read_bytes().startswith(PNG) for chart in charts)
    tags = parsed(page.read_text("utf-8")).tags
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    assert len(pictures) == len(charts) and all(picture["alt"] for picture in pictures)
    assert sum(tag == "source" for tag, _ in tags) == 3 * len(charts)


def test_without_matplotlib_the_extra_is_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(world(), store, team(), OPTIONS)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"ace-engine\[report\]"):
        write_page(read_page(store), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_where_the_folder_should_be(store: Store, tmp_path: Path) -> None:
    learn(world(), store, team(), replace(OPTIONS, limit=2))
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="--out"):
        write_page(read_page(store), tmp_path / "taken")
    assert PAGE == "report.html"


def test_bullets_of_other_files_are_shown_with_what_is_missing(store: Store) -> None:
    store.commit((Add("b1", "lessons", "from elsewhere", ("ep-lost",)),), author="user", reason="import")
    learn(world(), store, team(), replace(OPTIONS, limit=1))
    lesson = next(lesson for lesson in read_page(store).lessons if lesson.bullet.id == "b1")
    assert isinstance(lesson.bullet, Bullet) and lesson.unknown == ("ep-lost",) and not lesson.new
