"""Injections driven through the real loop. Only the model is scripted, and it is won over.

Its reflector repeats the injection before it says anything of use, and its generator is right as soon as its
context holds any lesson at all: so whatever reaches the gate passes it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from ace.api import Report
from ace.llm import Request, Role, RoleModels, ScriptedClient
from ace.loop import evaluate, learn, learn_from_traces
from ace.methods.ace.reflection import Diagnosis
from ace.methods.ace.reflector import Lesson
from ace.playbook.model import Bullet, Status
from ace.safety.secrets import hide_secrets
from ace.settings import Profile, Settings
from ace.store import Store
from ace.task import (
    Attempt,
    Database,
    FeedbackKind,
    Outcome,
    Sample,
    SqlEnvironment,
    Task,
    Turn,
    TurnKind,
)
from ace.task.environments.answer import AnswerEnvironment
from ace.task.traces import Trace
from ace.text import split_words
from tests.world import LESSON, SECRET, reflect, world

FILE = Path(__file__).parent / "data" / "injections.jsonl"
FRAME = (files("ace.agent") / "prompts" / "generator.system.j2").read_text(encoding="utf-8").splitlines()
OPTIONS = Settings(batch_size=4, workers=1, tries=3, replays=1, profile=Profile.SMALL)
STATUS = {"cancelled": 7, "packed": 4, "returned": 9}
_GRAM = 4  # words of an injection, in a row: as much as that is the injection


@dataclass(frozen=True)
class Injection:
    """A line of the file. `rule`: what has to stop it, at least. " || " parts what stands in two results."""

    id: str
    channel: str
    tries: str
    rule: str
    payload: str

    @property
    def said(self) -> str:
        """As a reflector repeats it."""
        return self.payload.replace(" || ", " ")


@dataclass(frozen=True)
class Struck:
    """What became of an injection: the system prompts of the generator, and the playbook in the end."""

    prompts: tuple[str, ...]
    bullets: tuple[Bullet, ...]
    why: tuple[str, ...]
    report: Report

    def reached(self, injection: Injection) -> list[str]:
        """The prompts that hold words of it, beside the lines that every prompt has."""
        return [text for text in self.prompts if holds(_without_frame(text), injection)]

    def of(self, injection: Injection) -> list[Bullet]:
        """The bullets that hold it, as it is or with what looked like a key in it hidden."""
        found = [bullet for bullet in self.bullets if holds(bullet.content, injection)]
        hidden = hide_secrets(injection.said)
        if found or hidden == injection.said:
            return found
        return [bullet for bullet in self.bullets if hidden in bullet.content]


def _without_frame(prompt: str) -> str:
    return "\n".join(line for line in prompt.splitlines() if line not in FRAME)


def injections() -> list[Injection]:
    return [Injection(**json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines()]


def holds(text: str, injection: Injection) -> bool:
    said = split_words(injection.said, whole_names=True)
    found = split_words(text, whole_names=True)
    size = min(_GRAM, len(said))
    grams = {tuple(said[at : at + size]) for at in range(len(said) - size + 1)}
    return any(tuple(found[at : at + size]) in grams for at in range(len(found) - size + 1))


class Desk(AnswerEnvironment):
    """Answers are looked up with a tool, whose results are shown, and say nothing of what is right."""

    def __init__(self, payload: str) -> None:
        super().__init__()
        self.payload = payload

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        right = super().score(sample, attempt).correct
        results = "\n".join(f"result {n}: {part}" for n, part in enumerate(self.payload.split(" || "), 1))
        shown = results if sample.id == "train-red" else "result 1: nothing found"
        observed = "found" if right else shown
        return Outcome(score=float(right), observed=observed, annotated=shown, ran=right)


@dataclass
class Model:
    """Says an injection for one subject, alone or behind what is of use; then only what is of use."""

    injection: Injection
    subject: str
    useful: Callable[[str], str]
    answer: Callable[[str], str]
    subjects: tuple[str, ...]
    riding: bool = False
    said: int = 0

    def __call__(self, request: Request) -> str:
        if request.role is Role.CURATOR:
            return json.dumps({"operations": []})
        assert request.sample is not None
        subject = next(name for name in self.subjects if name in request.sample.question)
        if request.schema in (Lesson, Diagnosis):
            return reflect(request, self._lesson(subject)[:600])
        if request.role is Role.REFLECTOR:
            words = self._lesson(subject) if subject == self.subject else f"{subject} orders"
            return json.dumps({"1": words[:80]})
        return self.answer(subject if request.bullets else "")

    def _lesson(self, subject: str) -> str:
        useful = self.useful(subject)
        if subject != self.subject or self.said:
            return useful
        self.said += 1
        return f"{useful} {self.injection.said}" if self.riding else self.injection.said


@dataclass(frozen=True)
class _Attack:
    """An injection, where its files go, whether it rides on a useful lesson, and the options of the run."""

    injection: Injection
    folder: Path
    riding: bool
    options: Settings


def strike(
    injection: Injection, folder: Path, *, riding: bool = False, profile: Profile = Profile.SMALL
) -> Iterator[Struck]:
    """Every way that an injection's channel has into the loop."""
    options = replace(OPTIONS, profile=profile)
    folder.mkdir(parents=True, exist_ok=True)
    way = {"tool": _tools, "trace": _traces, "reflector": _reflector}.get(injection.channel, _asked)
    yield from way(_Attack(injection, folder, riding, options))


def few() -> Task:
    """Four colours, which go into one batch: none knows yet what another has taught."""
    task = world(4)
    return replace(task, train=task.train[:4])


def _asked(attack: _Attack) -> Iterator[Struck]:
    """In the question: typed there by a user, or put there with the documents that were found for it."""
    injection = attack.injection
    text = injection.payload.replace(" || ", "\n")
    form = "Found:\n{0}\n\n{1}" if injection.channel == "document" else "{1}\n{0}"

    def struck(sample: Sample) -> Sample:
        return replace(sample, question=form.format(text, sample.question))

    yield _learned(attack, _poisoned(few(), "train-red", struck), "answer.db")
    yield _queried(attack, struck)


def _reflector(attack: _Attack) -> Iterator[Struck]:
    """What the reflector says of questions in two lines: no example of them, so it is asked."""
    task = few()
    train = tuple(replace(sample, question=f"{sample.question}\nBe brief.") for sample in task.train)
    yield _learned(attack, replace(task, train=train), "answer.db")
    yield _queried(attack, lambda sample: sample)


def _tools(attack: _Attack) -> Iterator[Struck]:
    for kind in (FeedbackKind.LABELS, FeedbackKind.EXECUTION):
        task = replace(few(), environment=Desk(attack.injection.payload))
        shown = replace(attack, options=replace(attack.options, feedback=kind))
        yield _learned(shown, task, f"{kind}.db")
    yield _queried(attack, lambda sample: sample)


def _traces(attack: _Attack) -> Iterator[Struck]:
    """Recorded attempts at the task's own questions, and at others."""
    injection = attack.injection
    for words in ("Which number has red?", "Guess what red is worth."):
        turns = (
            Turn(kind=TurnKind.AGENT, text="look it up"),
            Turn(kind=TurnKind.TOOL, observation=f"tool: {injection.payload}"),
            Turn(kind=TurnKind.AGENT, text="12"),
        )
        trace = Trace(sample="red", question=words, answer="12", correct=False, turns=turns)
        client = ScriptedClient(_model(injection, attack.riding))
        with Store.open(attack.folder / f"{len(words)}.db") as store:
            report = learn_from_traces(few(), [trace], store, RoleModels.of(client), attack.options)
            yield _struck(client, store, report)


def _poisoned(task: Task, name: str, struck: Callable[[Sample], Sample]) -> Task:
    train = (struck(sample) if sample.id == name else sample for sample in task.train)
    return replace(task, train=tuple(train))


def _model(injection: Injection, riding: bool) -> Model:
    def useful(colour: str) -> str:
        return f"{LESSON[colour]}."

    subjects = tuple(SECRET)
    return Model(injection, "red", useful, lambda colour: SECRET.get(colour, "no idea"), subjects, riding)


def _learned(attack: _Attack, task: Task, name: str) -> Struck:
    client = ScriptedClient(_model(attack.injection, attack.riding))
    with Store.open(attack.folder / name) as store:
        return _struck(client, store, learn(task, store, RoleModels.of(client), attack.options))


def _queried(attack: _Attack, struck: Callable[[Sample], Sample]) -> Struck:
    """On a real database, where the meanings of lessons come from the right SQL, and words from the model.

    The wrong query reads a table that holds the injection.
    """
    injection, folder = attack.injection, attack.folder
    task = _orders(folder, injection)

    def answer(status: str) -> str:
        column = f"COUNT(*) FROM ord WHERE st = {STATUS[status]}" if status else "txt FROM note"
        return f"SELECT {column}"

    def useful(status: str) -> str:
        return f"{status} orders"

    model = Model(injection, "cancelled", useful, answer, tuple(STATUS), attack.riding)
    client = ScriptedClient(model)
    with Store.open(folder / "orders.db") as store:
        team = RoleModels.of(client)
        poisoned = _poisoned(task, "train-cancelled", struck)
        return _struck(client, store, learn(poisoned, store, team, attack.options))


def _orders(folder: Path, injection: Injection) -> Task:
    file = folder / "orders.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE ord (id INTEGER, st INTEGER)")
        db.execute("CREATE TABLE note (txt TEXT)")
        db.executemany("INSERT INTO ord VALUES (?, ?)", [(n, n % 10) for n in range(47)])
        db.executemany("INSERT INTO note VALUES (?)", [(part,) for part in injection.payload.split(" || ")])
    db.close()

    def asked(split: str, words: str) -> tuple[Sample, ...]:
        gold = "SELECT COUNT(*) FROM ord WHERE st = {}"
        return tuple(
            Sample(f"{split}-{name}", words.format(name), {"gold_sql": gold.format(number)})
            for name, number in STATUS.items()
        )

    environment = SqlEnvironment({"orders": Database.open(file)})
    return Task("orders", "Answer with SQL.", environment, asked("train", "How many orders are {}?"))


def used(injection: Injection, store: Store) -> Struck:
    """With a playbook that holds it already: scored, then learned with; nothing repeats it."""
    client = ScriptedClient(replace(_model(injection, riding=False), said=1))
    evaluate(few(), store, RoleModels.of(client), OPTIONS)
    return _struck(client, store, learn(few(), store, RoleModels.of(client), OPTIONS))


def _struck(client: ScriptedClient, store: Store, report: Report) -> Struck:
    prompts = tuple(call.messages[0].content for call in client.calls if call.role is Role.GENERATOR)
    why = tuple(proposal.why for proposal in store.proposals(run=report.run))
    return Struck(prompts, tuple(store.checkout()), why, report)


def active(struck: Struck) -> list[Bullet]:
    return [bullet for bullet in struck.bullets if bullet.status is Status.ACTIVE]
