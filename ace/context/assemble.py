"""Everything a model sees for one question, within one budget. Pure: the texts, and how to count, are given.

The stable part is the system message: instructions, what the environment says, the playbook. How much room
the playbook gets depends on neither the question nor what was found for it, so the same playbook gives the
same prefix. The volatile part is the user message: what was retrieved for this question, then the question.

What is counted is each message as a whole, in its own words (`Frame`), so nothing that is put around a text
is missed. Retrieved text is data: it is made safe as bullets are, and stands under a heading that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from ace.context.item import Item
from ace.context.pack import LeftOut
from ace.context.render import Rendered, list_item
from ace.errors import ContextError, InputError
from ace.safety.markup import neutralise
from ace.text.tokens import CountTokens, estimate_tokens

TEMPLATE = 16  # tokens that a chat template puts around two messages: 13 for ChatML, fewer for others
FOR_QUESTIONS = 0.125  # of the room beside the instructions; what a question leaves of it goes to items
DEFAULT_SHARE = 0.3  # of that room, kept for what sources find

Fill = Callable[[int], Rendered]
"""The playbook in that many tokens."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most tokens a whole prompt may take, as `count` counts them; `counter` says whose count it is.

    `reserve` of them are left by the playbook and by what is found, for what a solver adds to a prompt.
    """

    tokens: int
    count: CountTokens = estimate_tokens
    counter: str = "estimate"
    reserve: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """How the messages are worded: `system` around a playbook, `user` around lessons and what was found."""

    system: Callable[[str], str]
    user: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a source found for a question, best first."""

    name: str
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Placed:
    """A retrieved item that went in: which source found it, its label in the prompt, its tokens."""

    source: str
    label: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Assembled:
    """A prompt: `system` and `user` are its messages, `tokens` what they take, never more than `budget`.

    `contents` are what the bullets say. `playbook` and `retrieved` are the parts of it that can change an answer, `found` that of it which sources
    found; `tokens_by` sums up to `tokens`.
    """

    system: str
    user: str
    tokens: int
    budget: int
    counter: str = "estimate"
    playbook: str = ""
    playbook_tokens: int = 0
    bullets: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    retrieved: str = ""
    found: str = ""
    items: tuple[Placed, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    tokens_by: Mapping[str, int] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The playbook, and what was retrieved after it."""
        return "\n".join(filter(None, (self.playbook, self.retrieved)))


def assemble(
    frame: Frame, fill: Fill, found: Sequence[Found] = (), limit: Limit | None = None, *, share: float = 0.0
) -> Assembled:
    """The prompt for one question.

    `share` of the room beside the instructions is kept for what sources find: 0 where there are none.
    InputError when the instructions alone do not fit, ContextError when the question does not.
    """
    limit = limit or Limit(10_000)
    count = limit.count
    bare, asked = count(frame.system("")), count(frame.user("", ""))
    room = limit.tokens - TEMPLATE - bare
    _must_fit(bare, asked, room, limit)
    room -= limit.reserve
    kept = int(max(room, 0) * min(FOR_QUESTIONS + share, 1))
    heading = count(_before(frame.user("-", ""), frame.user("", "")))  # of lessons for this question only
    rendered, system = _stable(frame, fill, bare, room - max(asked, kept) - heading, count)
    told = count(system)
    retrieved = _retrieved(frame, rendered.specific, found, room + bare - told, count)
    tokens = TEMPLATE + told + retrieved.tokens
    by = _by_source(bare, told, asked, retrieved.placed)
    return Assembled(
        system,
        retrieved.user,
        tokens,
        limit.tokens,
        counter=limit.counter,
        playbook=rendered.text,
        playbook_tokens=rendered.tokens,
        bullets=rendered.bullets,
        retrieved=retrieved.text,
        found=retrieved.found,
        items=retrieved.placed,
        left_out=(*rendered.left_out, *retrieved.left_out),
        tokens_by={**by, "framing": tokens - sum(by.values())},
    )


def _must_fit(bare: int, asked: int, room: int, limit: Limit) -> None:
    if room <= 0:
        raise InputError(
            f"The instructions take {bare + TEMPLATE} tokens, and the budget of a prompt is {limit.tokens}.",
            hint=f"Give a budget well above {bare + TEMPLATE} (--budget), or shorten the instructions.",
        )
    if asked > room:
        raise ContextError(
            f"The question takes {asked} tokens; the instructions leave {room} of {limit.tokens}.",
            hint="Give a larger budget (--budget), or a model with a longer context.",
        )


def _stable(frame: Frame, fill: Fill, bare: int, room: int, count: CountTokens) -> tuple[Rendered, str]:
    """The playbook, and the system message around it: with the bullets for this question that are not in it,
    about `room` tokens more than without. Nothing here depends on how many tokens those bullets take: they
    find their place in the user message, so the system message is the same for every question.
    """
    asking = room - (count(frame.system("-")) - bare)
    while asking > 0:
        rendered = fill(asking)
        system = frame.system(rendered.text)
        over = count(system) - bare - room
        if over <= 0:
            return rendered, system
        asking = min(asking, rendered.tokens) - over
    return Rendered("", 0, (), fill(0).left_out), frame.system("")


def _before(text: str, end: str) -> str:
    """What stands before the end, without the space between: it does not depend on what the end says."""
    return text.removesuffix(end).rstrip()


@dataclass(frozen=True, slots=True)
class _Line:
    """An item as it stands in a prompt; `said` is its text alone, without what it is called."""

    source: str
    label: str
    said: str
    text: str
    tokens: int
    lesson: bool


@dataclass(frozen=True, slots=True)
class _Retrieved:
    user: str
    tokens: int
    text: str
    found: str
    placed: tuple[Placed, ...]
    left_out: tuple[LeftOut, ...]


def _retrieved(
    frame: Frame, lessons: Sequence[Item], found: Sequence[Found], room: int, count: CountTokens
) -> _Retrieved:
    """The user message, of at most `room` tokens: lessons first, then one item of each source in turn."""
    headings = "-" if lessons else "", "-" if any(each.items for each in found) else ""
    lines, left_out = _choose(_lines(lessons, found, count), room - count(frame.user(*headings)))
    while True:
        parts = [_text(lines, lesson=lesson) for lesson in (True, False)]
        user = frame.user(*parts)
        tokens = count(user)
        if tokens <= room or not lines:
            break
        gone = lines.pop()
        left_out.append(LeftOut(gone.label, gone.tokens, f"the message came to {tokens} of {room} tokens"))
    placed = tuple(Placed(line.source, line.label, line.tokens) for line in lines)
    return _Retrieved(user, tokens, "\n".join(filter(None, parts)), parts[1], placed, tuple(left_out))


def _choose(lines: Iterable[_Line], room: int) -> tuple[list[_Line], list[LeftOut]]:
    """In order, whatever still fits; nothing twice."""
    chosen: list[_Line] = []
    left_out: list[LeftOut] = []
    said: dict[str, str] = {}
    for line in lines:
        if line.said in said:
            left_out.append(LeftOut(line.label, line.tokens, f"says the same as {said[line.said]}"))
        elif line.tokens > room:
            left = f"needs {line.tokens} tokens, {max(0, room)} are left"
            left_out.append(LeftOut(line.label, line.tokens, left))
        else:
            said[line.said] = line.label
            chosen.append(line)
            room -= line.tokens
    return chosen, left_out


def _lines(lessons: Sequence[Item], found: Sequence[Found], count: CountTokens) -> Iterator[_Line]:
    """Lessons in their order; then the best of each source, the second best of each, and so on.

    A lesson's `provenance` is its id, where ids are shown.
    """
    for item in lessons:
        text = list_item(item.text, item.provenance)
        yield _Line("playbook", item.source, list_item(item.text), text, count(text), lesson=True)
    ranked = zip_longest(*([(each.name, item) for item in _pinned_first(each.items)] for each in found))
    for name, item in filter(None, chain.from_iterable(ranked)):
        label = _label(item, name)
        text = list_item(item.text, label)
        yield _Line(name, label, list_item(item.text), text, count(text), lesson=False)


def _pinned_first(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: not item.pinned)


def _label(item: Item, source: str) -> str:
    """What a reader can look up, on one line, without the brackets that it stands in."""
    words = " ".join(neutralise(item.provenance or item.source or source).split())
    return words.replace("[", "(").replace("]", ")")[:120]


def _text(lines: Sequence[_Line], *, lesson: bool) -> str:
    return "".join(line.text for line in lines if line.lesson is lesson).rstrip("\n")


def _by_source(bare: int, told: int, asked: int, placed: Sequence[Placed]) -> dict[str, int]:
    by = {"instructions": bare, "playbook": told - bare, "question": asked}
    for each in placed:
        by[each.source] = by.get(each.source, 0) + each.tokens
    return by
