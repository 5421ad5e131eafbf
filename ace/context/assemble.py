"""Assemble all that a model sees for one question, within one budget. Pure: texts and the counter are given.

The stable part is the system message: instructions, what the environment says, the playbook. How much room
the playbook gets depends on neither the question nor what sources bring for it, so the same playbook gives
the same prefix. The volatile part is the user message: what was retrieved, then the question.

Each message is counted as a whole, in its own words (`Frame`), so nothing around a text is missed. Retrieved
text is data: it is made safe as bullets are, and stands under a heading that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ace.context.item import SourceItems
from ace.context.pack import LeftOut
from ace.context.render import Rendered
from ace.context.user_message import PlacedItem, write_user_message
from ace.errors import ContextError, InputError
from ace.text.tokens import CountTokens, estimate_tokens

TEMPLATE = 16  # tokens that a chat template puts around two messages: 13 for ChatML, fewer for others
FOR_QUESTIONS = 0.125  # of the room beside the instructions; what a question leaves of it goes to items
DEFAULT_SHARE = 0.3  # of that room, reserved for what sources find

Fill = Callable[[int], Rendered]
"""Renders the playbook in at most that many tokens."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Set the most tokens that a whole prompt may take."""

    tokens: int
    """The most tokens."""

    count: CountTokens = estimate_tokens
    """Counts the tokens of a text."""

    counter: str = "estimate"
    """Names the tokenizer: a model, or "estimate"."""

    reserve: int = 0
    """Tokens that stay free of playbook and items, for what a solver adds to a prompt."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Word the messages of a prompt."""

    system: Callable[[str], str]
    """Words the system message around a playbook."""

    user: Callable[[str, str], str]
    """Words the user message around lessons and items."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """Hold a prompt, and what is in it.

    Where a team attempts the sample it is the prompt of the first agent, with what any of them was shown.
    """

    system: str
    """The system message."""

    user: str
    """The user message."""

    tokens: int
    """What both messages take."""

    budget: int
    """The most that `tokens` might have been."""

    counter: str = "estimate"
    """Names what counted: a model, or "estimate"."""

    playbook: str = ""
    """The part of the system message that can change an answer."""

    playbook_tokens: int = 0
    """What `playbook` takes; of a team's prompts the most."""

    bullets: tuple[str, ...] = ()
    """The ids of the bullets in `playbook`."""

    contents: tuple[str, ...] = ()
    """What the bullets say, those in the user message included."""

    private: tuple[str, ...] = ()
    """What users said, as far as sources found it."""

    retrieved: str = ""
    """The part of the user message that can change an answer: lessons for this question, and items."""

    found: str = ""
    """The part of `retrieved` that sources brought."""

    items: tuple[PlacedItem, ...] = ()
    """What went into the user message beside the question."""

    left_out: tuple[LeftOut, ...] = ()
    """Bullets and items there was no room for."""

    tokens_by: Mapping[str, int] = field(default_factory=dict)
    """Tokens by what takes them: "instructions", "playbook", each source. Their sum is `tokens`."""

    shown: str = ""
    """`playbook` and `retrieved` together."""

    by_agent: Mapping[str, Assembled] = field(default_factory=dict)
    """The prompt of each agent of a team, by name; empty without a team."""


def assemble(
    frame: Frame,
    fill: Fill,
    sources: Sequence[SourceItems] = (),
    limit: Limit | None = None,
    *,
    share: float = 0.0,
) -> Assembled:
    """Return the prompt for one question.

    `share` of the room beside the instructions is reserved for items of sources: 0 where there are none.
    Raises InputError when the instructions alone do not fit, ContextError when the question does not.
    """
    limit = limit or Limit(10_000)
    count = limit.count
    without_items = frame.user("", "")
    instructions, question = count(frame.system("")), count(without_items)
    room = limit.tokens - TEMPLATE - instructions
    if room <= 0:
        bare = instructions + TEMPLATE
        raise InputError(
            f"The instructions take {bare} tokens, and the budget of a prompt is {limit.tokens}.",
            hint=f"Give a budget well above {bare} (--budget), or shorten the instructions.",
        )
    if question > room:
        raise ContextError(
            f"The question takes {question} tokens; the instructions leave {room} of {limit.tokens}.",
            hint="Give a larger budget (--budget), or a model with a longer context.",
        )

    room -= limit.reserve
    reserved = max(question, int(max(room, 0) * min(FOR_QUESTIONS + share, 1)))
    # The heading of lessons for this question only: its tokens do not depend on the question that follows.
    heading = count(frame.user("-", "").removesuffix(without_items).rstrip())
    rendered, system = _fill_system(frame, fill, room - reserved - heading, instructions, count)
    system_tokens = count(system)
    user_room = room + instructions - system_tokens
    user = write_user_message(frame.user, rendered.specific, sources, user_room, count)

    tokens_by = {"instructions": instructions, "playbook": system_tokens - instructions, "question": question}
    for item in user.items:
        tokens_by[item.source] = tokens_by.get(item.source, 0) + item.tokens
    tokens = TEMPLATE + system_tokens + user.tokens
    return Assembled(
        system=system,
        user=user.text,
        tokens=tokens,
        budget=limit.tokens,
        counter=limit.counter,
        playbook=rendered.text,
        playbook_tokens=rendered.tokens,
        bullets=rendered.bullets,
        retrieved=user.retrieved,
        found=user.from_sources,
        items=user.items,
        left_out=(*rendered.left_out, *user.left_out),
        tokens_by={**tokens_by, "framing": tokens - sum(tokens_by.values())},
        shown="\n".join(filter(None, (rendered.text, user.retrieved))),
    )


def _fill_system(frame: Frame, fill: Fill, room: int, bare: int, count: CountTokens) -> tuple[Rendered, str]:
    """Return the playbook and the system message around it, about `room` tokens longer than the `bare` ones.

    Bullets for this question only find their place in the user message. Nothing here depends on how many
    tokens they take, so the system message is the same for every question.
    """
    playbook_room = room - (count(frame.system("-")) - bare)
    while playbook_room > 0:
        rendered = fill(playbook_room)
        system = frame.system(rendered.text)
        excess = count(system) - bare - room
        if excess <= 0:
            return rendered, system
        playbook_room = min(playbook_room, rendered.tokens) - excess
    return Rendered("", 0, (), fill(0).left_out), frame.system("")
