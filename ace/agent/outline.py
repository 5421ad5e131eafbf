"""Write a long answer part by part: an outline, a draft of each part with the ledger so far, then a check.

All requests keep to the same budget as any prompt: when the ledger is too long, the sentences that share the
fewest words with the part are left out. Figures that disagree and points that are missing are faults; a part
with faults is written again, and the new text is taken if it has fewer. A fact that the question gives and no
point of the outline mentions is added to the nearest part. After Yao et al., "Plan-and-Write" (arXiv
1811.05701), and Yang et al., "Re3" (arXiv 2210.06774): plan, draft, then edit for consistency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ace.agent.generator import Draw, Generator
from ace.agent.ledger import (
    FROM_QUESTION,
    Statement,
    extract_listed_statements,
    extract_statements,
    find_clashes,
    find_missing_points,
    find_nearest_text,
)
from ace.agent.solver import ENDS_RUN, failed_attempt
from ace.agent.writer import ORDER_TOKENS, OUTLINE_TOKENS, Outline, PlannedPart, Writer
from ace.context.assemble import TEMPLATE, Assembled
from ace.errors import ContextError, describe_error
from ace.llm.client import FinishReason, Message, Reply, Subject
from ace.task.solving import Solving
from ace.task.types import Attempt, Sample, Task
from ace.task.workspace import Workspace
from ace.text import CountTokens


@dataclass(slots=True)
class Draft:
    """Hold a text in the making: the outline and the part at each place, with what was done about faults.

    A place is the number of a part in the outline, from 0.
    """

    outline: tuple[PlannedPart, ...]
    """Its points are the model's, and those that the question gives and the model left out."""

    facts_given: tuple[Statement, ...]
    """What the question lists: the text must agree with it."""

    parts: list[str] = field(default_factory=list)
    """The texts of the parts that are written, in the order of the outline."""

    log: list[str] = field(default_factory=list)
    """Each fault that was found, and whether writing the part again helped; for people."""

    thoughts: list[str] = field(default_factory=list)
    """What the model thought on the way."""

    cut_off: set[int] = field(default_factory=set)
    """The places of parts that ended at their limit of tokens."""

    def facts_outside(self, place: int) -> list[Statement]:
        """Return the statements outside the part at `place`: of the question first, then of other parts."""
        outside = list(self.facts_given)
        for number, text in enumerate(self.parts):
            if number != place:
                outside += extract_statements(text, number)
        return outside

    def put(self, place: int, reply: Reply) -> None:
        """Make a reply the part at a place: the next one, or one that is written again."""
        self.parts[place:] = [reply.text.strip(), *self.parts[place + 1 :]]
        if reply.finish_reason is FinishReason.LENGTH:
            self.cut_off.add(place)
        else:
            self.cut_off.discard(place)

    def faults(self, place: int, text: str) -> list[str]:
        """Return what a text for a part lacks, and where its figures disagree with the rest, as sentences."""
        missing = find_missing_points(text, self.outline[place].points)
        faults = [f"It does not say: {point}" for point in missing]
        everything = [*self.facts_outside(place), *extract_statements(text, place)]
        for here, there in find_clashes(everything):
            if here.part != place:
                here, there = there, here
            if here.part == place:  # else both are in other parts, or in the question
                faults.append(f'"{here.sentence}" disagrees with "{there.sentence}"')
        return faults

    @property
    def text(self) -> str:
        """Return the parts that are written, each under its title, as Markdown."""
        pairs = zip(self.outline, self.parts, strict=False)
        return "\n\n".join(f"## {part.title}\n\n{text}" for part, text in pairs)


@dataclass(frozen=True, slots=True)
class LongForm:
    """Solve by an outline: one call for it, one for each part, and more for parts that have faults.

    Several threads may use one solver: what is written is in a `Draft` of each attempt.
    """

    writer: Writer

    count: CountTokens
    """Counts the tokens of a text, as the model does."""

    words: int = 120
    """The length of a part that is asked for, about."""

    mends: int = 1
    """How often a part with faults is written again, at most."""

    @property
    def reserve(self) -> int:
        """Return about how many tokens a request adds to a prompt: outline, points and faults, a draft."""
        return ORDER_TOKENS + 2 * OUTLINE_TOKENS + self.writer.max_tokens

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt; what was written until an error is its text, with the error.

        The answer is the whole text with the titles of its parts. The attempt's text has the log of faults
        behind it. Part n has the draw's seed plus n, so that parts differ and a run can be repeated.
        """
        draft: Draft | None = None
        subject = Subject(sample=sample, bullets=context.contents, draw=draw.number)
        try:
            prompt = self.writer.outline_prompt(context.system, context.user)
            self._check_budget("The outline", prompt, context)
            outline = self.writer.outline(prompt, seed=draw.seed, subject=subject)
            draft = plan_draft(outline, extract_listed_statements(sample.question))
            for place in range(len(draft.outline)):
                prompt = self._part_prompt(context, draft, place)
                seed = draw.seed + place
                part = self.writer.part(prompt, temperature=draw.temperature, seed=seed, subject=subject)
                draft.thoughts.append(part.reasoning)
                draft.put(place, part)
            for place in range(len(draft.outline)):
                self._mend(context, draft, place, draw.seed, subject)
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return failed_attempt(sample, error, text=draft.text if draft else "")
        return Attempt(
            sample.id,
            draft.text,
            text="\n".join([draft.text, "", *draft.log]),
            reasoning="\n\n".join(filter(None, draft.thoughts)),
            finish_reason=FinishReason.LENGTH if draft.cut_off else FinishReason.STOP,
        )

    def _count_tokens(self, prompt: Sequence[Message]) -> int:
        """Return what a prompt takes, as `ace.context.assemble` counts it."""
        return TEMPLATE + sum(self.count(message.content) for message in prompt)

    def _check_budget(self, what: str, prompt: Sequence[Message], context: Assembled) -> None:
        """Raise ContextError where asking for something takes more than the budget.

        `what` names it in the message: "The outline", "Part 2".
        """
        tokens = self._count_tokens(prompt)
        if tokens > context.budget:
            raise ContextError(
                f"{what} takes {tokens} tokens with the rest of its prompt, of {context.budget}.",
                hint="Give a larger budget (--budget), or ask for fewer parts.",
            )

    def _mend(self, context: Assembled, draft: Draft, place: int, seed: int, subject: Subject) -> None:
        """Write a part with faults again, as long as that leaves fewer. When that fails, it stays.

        Each new try is greedy and has a seed of its own. Raises only what ends the run.
        """
        for turn in range(self.mends):
            faults = draft.faults(place, draft.parts[place])
            if not faults:
                return
            draft.log += [f"[check] part {place + 1}: {fault}" for fault in faults]
            try:
                prompt = self._part_prompt(context, draft, place, faults)
                again = seed + 100 * (turn + 1) + place
                reply = self.writer.part(prompt, temperature=0.0, seed=again, subject=subject)
            except ENDS_RUN:
                raise
            except Exception as error:  # a text with a fault is worth more than none
                draft.log.append(f"[check] not written again: {describe_error(error)}")
                return
            draft.thoughts.append(reply.reasoning)
            remaining = draft.faults(place, reply.text.strip())
            better = len(remaining) < len(faults)
            verdict = "taken" if better else "left"
            draft.log.append(f"[check] written again: {len(remaining)} faults, {verdict}")
            if better:
                draft.put(place, reply)

    def _part_prompt(
        self, context: Assembled, draft: Draft, place: int, faults: Sequence[str] = ()
    ) -> tuple[Message, ...]:
        """Return the messages for a part, with a ledger as long as the budget allows.

        Raises ContextError where not even an empty ledger fits.
        """
        text = draft.parts[place] if faults else ""
        ledger = ledger_for(draft, place)
        while True:  # with an ever shorter ledger
            prompt = self.writer.part_prompt(
                context.system,
                context.user,
                draft.outline,
                place,
                words=self.words,
                ledger=ledger,
                draft=text,
                faults=faults,
            )
            tokens = self._count_tokens(prompt)
            if tokens <= context.budget:
                return prompt
            if not ledger:
                self._check_budget(f"Part {place + 1}", prompt, context)
            size = min(len(ledger) - 1, len(ledger) * context.budget // tokens)
            ledger = ledger[:size]


def build_long_form(generator: Generator, task: Task, count: CountTokens) -> LongForm:
    """Return the solver with a writer on the generator's model; the task may set `words` and `mends`."""
    writer = Writer(generator.client, task.max_tokens)
    choice = task.solver if isinstance(task.solver, Solving) else Solving()
    return LongForm(writer, count, choice.words, choice.mends)


def plan_draft(outline: Outline, facts_given: tuple[Statement, ...]) -> Draft:
    """Return a draft of an outline, with what was given and is in no point added where it fits best.

    A fact goes to the part whose title and points share most words with it.
    """
    points: list[list[str]] = []
    texts: list[str] = []
    for part in outline.parts:
        points.append(list(part.points))
        texts.append(" ".join([part.title, *part.points]))
    for fact in facts_given:
        if find_missing_points(" ".join(texts), [fact.sentence]):
            nearest = find_nearest_text(fact.sentence, texts)
            points[nearest].append(fact.sentence)
    planned: list[PlannedPart] = []
    for part, own_points in zip(outline.parts, points, strict=True):
        planned.append(PlannedPart(part.title, tuple(own_points)))
    return Draft(tuple(planned), facts_given)


def ledger_for(draft: Draft, place: int) -> list[str]:
    """Return what was said in other parts, what is nearest to this one first: a cut takes the rest.

    Near is what shares words with the points of the part; of equals the earlier part's comes first.
    """
    about: set[str] = set()
    for point in draft.outline[place].points:
        about.update(point.lower().split())
    ranked: list[tuple[int, int, str]] = []
    for fact in draft.facts_outside(place):
        if fact.part != FROM_QUESTION:
            shared = about & set(fact.sentence.lower().split())
            ranked.append((-len(shared), fact.part, fact.sentence))
    ranked.sort(key=lambda entry: entry[:2])
    return list(dict.fromkeys(sentence for _, _, sentence in ranked))
