"""ACE as published (Zhang et al., arXiv 2510.04618) and as its authors' code does it (ace-agent/ace, 2025).

For each sample: an attempt; where it is wrong up to three rounds of a reflection and another attempt that is
shown it, where it is right one reflection. Reflections tag the bullets that the attempt cites. Then the
curator may add bullets, and does nothing else; the token budget is only mentioned to it. The sample is
attempted once more, which changes nothing. Nothing is verified, revised or removed, so the playbook grows.
Bullets are shown with a tag and their counters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

from pydantic import BaseModel, Field

from ace.context.pack import LeftOut
from ace.context.render import Rendered
from ace.errors import ModelError
from ace.llm.client import Client, Request, Role, Subject
from ace.llm.prompts import messages, quote_text, render
from ace.llm.role_models import RoleModels
from ace.methods.failed_replies import record_failure
from ace.methods.kept_text import describe_trial, find_longest, is_for_all, record_text
from ace.methods.protocol import Equipment, Lab, State, Trial, Update
from ace.methods.stateless import Stateless
from ace.playbook.delta import apply
from ace.playbook.model import Add, Bullet, Delta, Operation, Playbook, Vote, bullet_id
from ace.runs.records import Proposal
from ace.safety.markup import neutralise, quote_later_headings
from ace.settings import Settings
from ace.task.types import Sample
from ace.text import CountTokens

ROUNDS = 3  # of reflection on a sample that is wrong
BUDGET = 80_000  # tokens that the curator is told the playbook may have
_MAX_TOKENS = 4_096  # of a reply of the reflector, and of the curator
_REFLECTION = "reflection"  # the section that holds one while a sample is attempted again; never committed
_OTHERS = "others"
SECTIONS: Mapping[str, str] = {
    "strategies and insights": "str",
    "formulas and calculations": "calc",
    "code snippets and templates": "code",
    "common mistakes to avoid": "err",
    "problem solving heuristics": "prob",
    "context clues and indicators": "ctx",
    _OTHERS: "misc",
}
"""The sections that a playbook has from the beginning, with what the tags of their bullets begin with."""


# The docstrings of schemas go into requests: to edit one makes recordings and unfinished runs useless.
class BulletTag(BaseModel):
    """What a bullet was good for in an attempt."""

    id: str
    tag: Literal["helpful", "harmful", "neutral"]


class PublishedReflection(BaseModel):
    """What an attempt teaches."""

    reasoning: str
    error_identification: str = ""
    root_cause_analysis: str = ""
    correct_approach: str = ""
    key_insight: str = ""
    bullet_tags: list[BulletTag] = Field(default_factory=list)


class Addition(BaseModel):
    """A bullet to add to a section."""

    type: str = "ADD"
    section: str = _OTHERS
    content: str = ""


class Additions(BaseModel):
    """What a playbook lacks."""

    reasoning: str = ""
    operations: list[Addition] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Study:
    """Hold what the rounds of reflection on one sample came to."""

    trial: Trial
    """The attempt that was made before them."""

    reflection: str = ""
    """The latest one, as the reflector put it; "" where there is none."""

    votes: Delta = ()
    """The tags of all rounds, as votes."""

    failures: tuple[Proposal, ...] = ()
    """Records of replies that could not be used."""


@dataclass(frozen=True, slots=True)
class Published(Stateless):
    """Learn as the paper's code does. Samples of a batch are reflected on apart, then curated in order."""

    reflector: Client
    curator: Client
    """The models of the two roles."""

    longest: int
    """Tokens of a trial in a prompt, about."""

    count_tokens: CountTokens
    """How a text counts against the room."""

    name: str = "ace_published"

    cites: bool = True
    """The generator names the bullets that it used: the reflector tags those."""

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return all bullets with tags and counters, by section; where room is short the oldest stay."""
        tags = name_bullets(playbook)
        reflections = [bullet for bullet in playbook.active if bullet.section == _REFLECTION]
        bullets = sorted((b for b in playbook.active if b not in reflections), key=lambda b: b.position)
        head = "".join(f"\n## REFLECTION\n{neutralise(bullet.content)}\n" for bullet in reflections)
        number, text = len(bullets), _write_sections(bullets, tags) + head
        if self.count_tokens(text) > room:  # the largest number of bullets that fits
            number = bisect_right(
                range(len(bullets)),
                room,
                key=lambda count: self.count_tokens(_write_sections(bullets[:count], tags) + head),
            )
            number -= 1
            text = _write_sections(bullets[: max(number, 0)], tags) + head
        left_out = []
        for bullet in bullets[max(number, 0) :]:
            left_out.append(LeftOut(bullet.id, self.count_tokens(bullet.content), "no room"))
        if number < 0:
            return Rendered("", 0, (), tuple(left_out))
        shown = tuple(bullet.id for bullet in bullets[:number])
        return Rendered(text.strip(), self.count_tokens(text), shown, tuple(left_out))

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Reflect on every trial, then let the curator add bullets, one trial after the other."""
        trials = [trial for trial in batch if is_for_all(trial)]
        names = {trial.episode: lab.bench_of(trial).calls_for for trial in trials}
        reflect = partial(self._reflect, playbook=playbook, lab=lab)
        studies = list(lab.map(reflect, trials, lambda trial: names[trial.episode]))
        failures = [failure for study in studies for failure in study.failures]
        after, _ = apply(playbook, [vote for study in studies for vote in study.votes])
        delta: list[Operation] = [vote for study in studies for vote in study.votes]
        for study in studies:
            with lab.counting_for(names[study.trial.episode]):
                try:
                    added = self._curate(study, after)
                except ModelError as error:
                    failures.append(record_failure(study.trial, self.name, error))
                    continue
            delta += added
            after, _ = apply(after, added)
        # The published code attempts each sample once more, for the record only.
        list(
            lab.map(
                lambda trial: lab.bench_of(trial).solve(trial.sample, after),
                trials,
                lambda trial: names[trial.episode],
            )
        )
        return record_text(self.name, trials, tuple(delta), playbook, failures)

    def _reflect(self, trial: Trial, playbook: Playbook, lab: Lab) -> Study:
        """Return what reflections on a trial say; they are followed by attempts while it stays wrong."""
        study, latest = Study(trial), trial
        bullets = {tag: name for name, tag in name_bullets(playbook).items()}
        bench = lab.bench_of(trial)
        for number in range(ROUNDS):
            try:
                reflection = self._ask_reflector(
                    latest, playbook, number, bench.seed(trial.sample.id, number)
                )
            except ModelError as error:
                failures = (*study.failures, record_failure(trial, self.name, error))
                return Study(trial, study.reflection, study.votes, failures)
            votes = list(study.votes)
            for tag in reflection.bullet_tags:
                bullet = bullets.get(tag.id.strip("[]"))
                if bullet is not None and tag.tag != "neutral":
                    votes.append(Vote(bullet, int(tag.tag == "helpful"), int(tag.tag == "harmful")))
            study = Study(trial, reflection.model_dump_json(exclude={"bullet_tags"}), tuple(votes))
            if latest.feedback.is_solved is not False:
                break
            add = Add(bullet_id(_REFLECTION, study.reflection), _REFLECTION, study.reflection)
            latest = bench.solve(trial.sample, apply(playbook, [add])[0])
            if latest.feedback.is_solved:
                break
        return study

    def _ask_reflector(self, trial: Trial, playbook: Playbook, number: int, seed: int) -> PublishedReflection:
        """Return the reflection on an attempt. Raises ModelError as the client does."""
        tags = name_bullets(playbook)
        cited = [bullet for bullet in playbook.active if tags[bullet.id] in trial.cited]
        user = render(
            "ace.methods",
            "published.reflector.user",
            trial=describe_trial(trial, 2 * self.longest),
            bullets=_write_lines(self._newest(cited), tags),
        )
        request = Request(
            role=Role.REFLECTOR,
            messages=messages(render("ace.methods", "published.reflector.system"), user),
            schema=PublishedReflection,
            seed=seed,
            max_tokens=min(_MAX_TOKENS, self.longest),
            subject=Subject(
                trial.sample,
                tuple(bullet.content for bullet in cited),
                trial.attempt,
                trial.feedback,
                draw=number,
                parts=tuple(tags[bullet.id] for bullet in cited),
            ),
        )
        return cast(PublishedReflection, self.reflector.complete(request).parsed)  # what `schema` promises

    def _curate(self, study: Study, playbook: Playbook) -> Delta:
        """Return what the curator adds after a reflection. Raises ModelError as the client does."""
        tags, bullets = name_bullets(playbook), playbook.active
        used = sum(self.count_tokens(bullet.content) for bullet in bullets)
        trial = study.trial
        user = render(
            "ace.methods",
            "published.curator.user",
            budget=BUDGET,
            used=used,
            bullets=len(bullets),
            unused=sum(not bullet.helpful and not bullet.harmful for bullet in bullets),
            harmful=sum(0 < bullet.harmful >= bullet.helpful for bullet in bullets),
            reflection=quote_text(study.reflection, 3 * self.longest),
            playbook=_write_sections(self._newest(bullets), tags),
            question=describe_trial(trial, self.longest)["question"],
        )
        request = Request(
            role=Role.CURATOR,
            messages=messages(render("ace.methods", "published.curator.system", sections=SECTIONS), user),
            schema=Additions,
            max_tokens=min(_MAX_TOKENS, self.longest),
            subject=Subject(trial.sample, tuple(b.content for b in bullets), trial.attempt, trial.feedback),
        )
        parsed = cast(Additions, self.curator.complete(request).parsed)  # what `schema` promises
        delta = []
        for operation in parsed.operations:
            section = " ".join(operation.section.replace("_", " ").replace("&", "and").lower().split())
            section = section if section in SECTIONS else _OTHERS
            content = operation.content.strip()
            if operation.type.upper() == "ADD" and content:
                name = bullet_id(section, content, trial.episode)
                delta.append(Add(name, section, content, (trial.episode,)))
        return tuple(delta)

    def _newest(self, bullets: Sequence[Bullet]) -> Sequence[Bullet]:
        """Return the bullets that a prompt of the curator has room for: all, or the newest."""
        chosen, tokens = list[Bullet](), 0
        for bullet in sorted(bullets, key=lambda bullet: -bullet.position):
            tokens += self.count_tokens(bullet.content) + 16  # its tag and counters
            if tokens > self.longest:
                break
            chosen.append(bullet)
        return sorted(chosen, key=lambda bullet: bullet.position)


def name_bullets(playbook: Playbook) -> dict[str, str]:
    """Return the tag of every bullet by its id, as "ctx-00001": numbers count all bullets in their order."""
    ordered = sorted(playbook.bullets.values(), key=lambda bullet: (bullet.position, bullet.id))
    return {
        bullet.id: f"{SECTIONS.get(bullet.section, SECTIONS[_OTHERS])}-{number:05d}"
        for number, bullet in enumerate(ordered, start=1)
    }


def _write_lines(bullets: Sequence[Bullet], tags: Mapping[str, str]) -> str:
    """Return one line for each bullet: its tag, its counters, what it says."""
    lines = []
    for bullet in bullets:
        content = quote_later_headings(neutralise(bullet.content))
        lines.append(f"[{tags[bullet.id]}] helpful={bullet.helpful} harmful={bullet.harmful} :: {content}\n")
    return "".join(lines)


def _write_sections(bullets: Sequence[Bullet], tags: Mapping[str, str]) -> str:
    """Return all sections that have bullets, the published ones first, with the lines of their bullets."""
    sections = dict.fromkeys((*SECTIONS, *(bullet.section for bullet in bullets)))
    parts = []
    for section in sections:
        lines = _write_lines([bullet for bullet in bullets if bullet.section == section], tags)
        if lines:
            parts.append(f"## {neutralise(section).upper()}\n{lines}")
    return "\n".join(parts)


def build_published(models: RoleModels, settings: Settings, equipment: Equipment) -> Published:
    """Return the method with the models of its two roles."""
    longest = find_longest(models.reflector, settings)
    return Published(models.reflector, models.curator, longest, equipment.count_tokens)
