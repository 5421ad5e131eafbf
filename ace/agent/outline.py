"""A long answer, part by part: an outline, a draft of each part with what was said so far, then a check.

All is asked for within the same budget as any prompt: when the ledger of what was said is too long,
what shares the fewest words with the part is left out. Then figures that disagree and points that are missing
are faults; a part that has some is written again, and the new one is taken if it has fewer. What was given
and is in no point of the outline is added to the nearest part. After Yao et al., "Plan-and-Write" (arXiv
1811.05701), and Yang et al., "Re3" (arXiv 2210.06774): plan, draft, then edit for consistency. Knows no
model: a writer is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ace.agent.ledger import GIVEN, Clash, Fact, clashes, facts, lacking, listed, nearest
from ace.context.assemble import TEMPLATE, Assembled
from ace.errors import CapReached, ContextError, InputError, StoreError
from ace.llm.client import Message
from ace.task.types import Attempt, Sample


class PartOf(Protocol):
    @property
    def title(self) -> str: ...

    @property
    def points(self) -> Sequence[str]: ...


class OutlineOf(Protocol):
    @property
    def parts(self) -> Sequence[PartOf]: ...


Planned = tuple[str, Sequence[str]]  # a part's title and its points


class Writes(Protocol):
    """Who writes; see `ace.agent.writer`."""

    def asks_outline(self, system: str, user: str) -> Sequence[Message]: ...

    def outline(self, asked: Sequence[Message], *, seed: int) -> OutlineOf: ...

    def asks(
        self,
        system: str,
        user: str,
        outline: Sequence[Planned],
        place: int,
        *,
        words: int,
        ledger: Sequence[str] = ...,
        draft: str = ...,
        faults: Sequence[str] = ...,
    ) -> Sequence[Message]: ...

    def part(self, asked: Sequence[Message], *, temperature: float, seed: int) -> str: ...


@dataclass(slots=True)
class Draft:
    """A text in the making: the outline and the part at each place, with what was done about faults."""

    outline: tuple[Planned, ...]
    given: tuple[Fact, ...]
    parts: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def known(self, but: int) -> list[Fact]:
        """What is said outside one part, what was given first."""
        said = (fact for place, text in enumerate(self.parts) if place != but for fact in facts(text, place))
        return [*self.given, *said]

    def faults(self, place: int, text: str) -> list[str]:
        """Of a text for the part at `place`: points that it lacks, figures that disagree with the rest."""
        _, points = self.outline[place]
        missing = [f"It does not say: {point}" for point in lacking(text, points)]
        mine = facts(text, place)
        found = clashes([*self.known(place), *mine])
        return [*missing, *(_told(place, clash) for clash in found if place in clash.places)]

    @property
    def text(self) -> str:
        titled = zip(self.outline, self.parts, strict=False)
        return "\n\n".join(f"## {title}\n\n{text}" for (title, _), text in titled)


@dataclass(frozen=True, slots=True)
class LongForm:
    """The solver. `words` a part, about; at most `mends` new tries for each part that has faults."""

    writer: Writes
    count: Callable[[str], int]
    words: int = 120
    mends: int = 1

    def __call__(
        self, sample: Sample, context: Assembled, *, temperature: float = 0.0, seed: int = 0, draw: int = 0
    ) -> Attempt:
        """Never raises for a failed attempt: what was written until then is the answer, with the error."""
        draft: Draft | None = None
        try:
            draft = _planned(self._outline(context, seed), listed(sample.question))
            for place in range(len(draft.outline)):
                asked = self._asks(context, draft, place)
                draft.parts.append(self.writer.part(asked, temperature=temperature, seed=seed + place))
            for place in range(len(draft.outline)):
                self._mend(context, draft, place, seed)
        except (CapReached, InputError, StoreError):  # ends the run: it is no property of the sample
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            written = draft.text if draft else ""
            return Attempt(sample.id, "", text=written, error=f"{type(error).__name__}: {error}")
        return Attempt(sample.id, draft.text, text="\n".join([draft.text, "", *draft.log]))

    def _outline(self, context: Assembled, seed: int) -> OutlineOf:
        """ContextError where asking for it takes more than the budget."""
        asked = self.writer.asks_outline(context.system, context.user)
        tokens = self._tokens(asked)
        if tokens > context.budget:
            raise _too_long("The outline", tokens, context)
        return self.writer.outline(asked, seed=seed)

    def _tokens(self, asked: Sequence[Message]) -> int:
        return TEMPLATE + sum(self.count(message.content) for message in asked)

    def _mend(self, context: Assembled, draft: Draft, place: int, seed: int) -> None:
        """Write a part with faults again, as long as that leaves fewer. When that fails, it stays."""
        for turn in range(self.mends):
            faults = draft.faults(place, draft.parts[place])
            if not faults:
                return
            draft.log += [f"[check] part {place + 1}: {fault}" for fault in faults]
            try:
                asked = self._asks(context, draft, place, faults)
                text = self.writer.part(asked, temperature=0.0, seed=seed + 100 * (turn + 1) + place)
            except (CapReached, InputError, StoreError):
                raise
            except Exception as error:  # a text with a fault is worth more than none
                draft.log.append(f"[check] not written again: {type(error).__name__}: {error}")
                return
            left = draft.faults(place, text)
            taken = len(left) < len(faults)
            draft.log.append(f"[check] written again: {len(left)} faults, {'taken' if taken else 'left'}")
            if taken:
                draft.parts[place] = text

    def _asks(
        self, context: Assembled, draft: Draft, place: int, faults: Sequence[str] = ()
    ) -> Sequence[Message]:
        """The messages for a part, the ledger as long as the budget allows. ContextError where none fits."""
        text = draft.parts[place] if faults else ""
        ledger = _ledger(draft, place)
        while True:
            asked = self.writer.asks(
                context.system,
                context.user,
                draft.outline,
                place,
                words=self.words,
                ledger=ledger,
                draft=text,
                faults=faults,
            )
            tokens = self._tokens(asked)
            if tokens <= context.budget:
                return asked
            if not ledger:
                raise _too_long(f"Part {place + 1}", tokens, context)
            ledger = ledger[: min(len(ledger) - 1, len(ledger) * context.budget // tokens)]


def _too_long(what: str, tokens: int, context: Assembled) -> ContextError:
    return ContextError(
        f"{what} takes {tokens} tokens with the rest of its prompt, of {context.budget}.",
        hint="Give a larger budget (--budget), or ask for fewer parts.",
    )


def _planned(outline: OutlineOf, given: tuple[Fact, ...]) -> Draft:
    """The outline, and what was given and is in none of its points added where it fits best."""
    planned = [(part.title, list(part.points)) for part in outline.parts]
    texts = [" ".join([title, *points]) for title, points in planned]
    for fact in given:
        if lacking(" ".join(texts), [fact.sentence]):
            planned[nearest(fact.sentence, texts)][1].append(fact.sentence)
    return Draft(tuple(planned), given)


def _ledger(draft: Draft, place: int) -> list[str]:
    """What was said in other parts, what is nearest to this one first: a cut takes the rest."""
    about = {word for point in draft.outline[place][1] for word in point.lower().split()}
    said = [fact for fact in draft.known(place) if fact.part != GIVEN]
    near = sorted(said, key=lambda fact: (-len(about & set(fact.sentence.lower().split())), fact.part))
    return list(dict.fromkeys(fact.sentence for fact in near))


def _told(place: int, clash: Clash) -> str:
    here, there = (clash.one, clash.other) if clash.one.part == place else (clash.other, clash.one)
    return f'"{here.sentence}" disagrees with "{there.sentence}"'
