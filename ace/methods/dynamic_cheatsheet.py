"""Dynamic Cheatsheet (Suzgun et al., arXiv 2504.07952): a curator writes a memory anew after each answer.

The curator sees the memory as it was, the question and the model's answer, and no label: it has to judge the
answer itself. `cheatsheet` is the cumulative variant: the memory grows from question to question. In
`cheatsheet_retrieval` (retrieval and synthesis) past questions and answers that are nearest to the next
question are looked up, and the curator writes a memory for that question before it is answered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from ace.context.item import Item
from ace.context.render import Rendered, list_item
from ace.errors import AgentFailed, ModelError
from ace.llm.client import Client, Subject
from ace.llm.embedding import Embedder
from ace.llm.prompts import question, quote_text
from ace.llm.role_models import RoleModels
from ace.methods.failed_replies import record_failure
from ace.methods.kept_text import (
    ask_for_text,
    describe_trial,
    find_longest,
    find_text,
    is_for_all,
    record_text,
    replace_text,
)
from ace.methods.protocol import Equipment, Lab, State, Trial, Update
from ace.methods.shown_bullets import list_others, question_line, rank_nearest, show_bullets
from ace.methods.stateless import Stateless
from ace.playbook.model import Add, Delta, Playbook, bullet_id
from ace.runs.records import Proposal
from ace.runs.steps import StepRecord
from ace.settings import Settings
from ace.task.types import Sample
from ace.text import CountTokens

SECTION = "cheatsheet"
PAIRS = "answers"  # the section of past questions with their answers
_NEAREST = 3  # past answers that a memory is made from
_MOST_WRITTEN = 1_000  # memories that are remembered until their step is over
_MARKS = re.compile(r"<cheatsheet>(?P<text>.*?)(?:</cheatsheet>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cheatsheet(Stateless):
    """Keep one memory for all questions; each answer, in its order, is worked into it."""

    client: Client
    """The curator's model."""

    longest: int
    """The most tokens of a memory."""

    count_tokens: CountTokens
    """How a text counts against the room."""

    name: str = "cheatsheet"

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the memory."""
        bullet = find_text(playbook, SECTION)
        return show_bullets((bullet,) if bullet else (), playbook, room, self.count_tokens)

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Work the answers of a batch into the memory, one after the other. One call an answer."""
        failures: list[Proposal] = []
        before = find_text(playbook, SECTION)
        text = before.content if before else ""
        trials = [trial for trial in batch if is_for_all(trial)]
        for trial in trials:
            # Of a trial only the question and the answer go in: no outcome, so no label.
            shown = describe_trial(trial, 2 * self.longest)
            with lab.counting_for(lab.bench_of(trial).calls_for):
                try:
                    reply = ask_for_text(
                        self.client,
                        "cheatsheet",
                        self.longest,
                        Subject(trial.sample, (text,) if text else (), trial.attempt),
                        memory=quote_text(text, 4 * self.longest),
                        question=shown["question"],
                        answer=shown["answer"],
                    )
                except ModelError as error:
                    failures.append(record_failure(trial, self.name, error))
                    continue
            text = read_memory(reply) or text  # without the marks the old one stays
        changed = text and (before is None or text != before.content)
        episodes = [trial.episode for trial in trials]
        delta = replace_text(playbook, SECTION, text, episodes) if changed else ()
        return record_text(self.name, trials, delta, playbook, failures)


@dataclass(frozen=True, slots=True)
class CheatsheetRetrieval(Cheatsheet):
    """Write a memory for each question before it is answered, from the nearest past answers.

    The memory that was written for the last question of a batch is the one that the next batch begins with.
    """

    embedder: Embedder | None = None
    """Turns questions and answers into vectors of unit length; None: the newest are looked up."""

    name: str = "cheatsheet_retrieval"

    _written: dict[tuple[str, str], str] = field(default_factory=dict)
    """Memories of the step under way, by the sample and the memory they were made from."""

    _lock: Lock = field(default_factory=Lock)

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the memory for a sample, which a call of the curator writes."""
        text = self._write_memory(playbook, sample) if room > 0 else ""
        if not text:
            return Rendered("", 0, (), ())
        item = Item(text, self.count_tokens(list_item(text)), SECTION, SECTION, volatile=True)
        return Rendered("", 0, (), (), (item,))

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Keep the answers of a batch, and the memory that its last question was answered with.

        An answer is kept with its question and without its outcome. No model is asked.
        """
        delta: Delta = ()
        trials = [trial for trial in batch if is_for_all(trial)]
        old = find_text(playbook, SECTION)
        before, text = old.content if old else "", ""
        for trial in trials:
            answer = describe_trial(trial, self.longest)["answer"]
            content = f"{question_line(trial.sample)}Answer: {answer}"
            delta = (*delta, Add(bullet_id(PAIRS, content, trial.episode), PAIRS, content, (trial.episode,)))
            text = self._written.get((trial.sample.id, before), text)
        if text and text != before:
            delta = (*replace_text(playbook, SECTION, text, [trials[-1].episode]), *delta)
        return record_text(self.name, trials, delta, playbook)

    def replay(self, state: State, step: StepRecord, playbook: Playbook, lab: Lab) -> State:
        """Forget the memories of the step: so a resumed run asks for the same ones."""
        self._written.clear()
        return state

    def _write_memory(self, playbook: Playbook, sample: Sample) -> str:
        """Return the memory for a sample; where none can be had, the one that there was."""
        old = find_text(playbook, SECTION)
        before = old.content if old else ""
        key = sample.id, before
        if key in self._written:
            return self._written[key]
        pairs = list_others(playbook, PAIRS, sample)
        if self.embedder is not None and pairs:
            pairs = rank_nearest(pairs, sample.question, self.embedder)[:_NEAREST]
        pairs = pairs[-_NEAREST:]
        contents = [pair.content for pair in pairs]
        try:
            reply = ask_for_text(
                self.client,
                "cheatsheet_retrieval",
                self.longest,
                Subject(sample, tuple(filter(None, (before, *contents)))),
                memory=quote_text(before, 4 * self.longest),
                pairs=[quote_text(content, self.longest) for content in reversed(contents)],
                question=question(sample.question, self.longest),
            )
        except (AgentFailed, ModelError):  # it is answered without; what the call met is in the journal
            return before
        text = read_memory(reply) or before
        with self._lock:
            if len(self._written) >= _MOST_WRITTEN:  # a server's answers belong to no step
                self._written.clear()
            self._written[key] = text
        return text


def read_memory(reply: str) -> str:
    """Return what stands between the marks that a curator was asked for; "" where there are none."""
    match = _MARKS.search(reply)
    return match["text"].strip() if match else ""


def build_cheatsheet(
    models: RoleModels, settings: Settings, equipment: Equipment, *, retrieval: bool = False
) -> Cheatsheet:
    """Return the cumulative method, or with `retrieval` the one that writes a memory for each question."""
    longest = find_longest(models.curator, settings)
    if retrieval:
        return CheatsheetRetrieval(
            models.curator, longest, equipment.count_tokens, embedder=equipment.embedder
        )
    return Cheatsheet(models.curator, longest, equipment.count_tokens)
