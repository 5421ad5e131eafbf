"""Whether a proposed memory may be kept: rules that need no model. Pure.

A model proposes what a user seems to have said. It is believed only where the user's own words hold it, and
it is kept only if it is no secret, no order to the agent, and new. The first rule that speaks against it is
the reason that is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ace.errors import InputError
from ace.memory.conversation import USER, Conversation, sentences
from ace.memory.memory import Kind, Memory, Scope, checked, held
from ace.safety.secrets import found, without

LONGEST = 300  # characters of a value: what is longer is a text, not a fact
_SHORTEST_SECRET = 4  # characters: fewer of a card number may be a shoe size
ENOUGH = 0.75  # of the words of a value; numbers and names must all be there

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_EMPTY = frozenset(
    ("", "none", "unknown", "n a", "na", "not given", "not stated", "null", "nothing", "not specified")
)
_LITTLE = """a an the and or of to in on at by for with from is are was be been has have had do does i me my
you your he she it we they his her its our their this that as not no"""
_SMALL = frozenset(_LITTLE.split())
_WHO = """son daughter child wife husband partner mother father parent brother sister friend neighbour
neighbor boss colleague dog cat horse aunt uncle grandmother grandfather grandson granddaughter"""
_PERSONS = frozenset(_WHO.split())
_TAKEN_BACK = re.compile(
    r"\b(?:no longer|not any ?more|n['\u2019]t\b[^.]*\bany ?more|used to|moved (?:away|out)|previously"
    r"|formerly|until (?:now|recently)|instead of|rather than|not (?:at|to|in|on)\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[;:,\u2013]|\b(?:but|and now|now)\b")
_ORDER = re.compile(
    r"\b(?:ignore|disregard|override|bypass|circumvent|forget|skip|drop)\b[^.]{0,40}\b(?:instruction|rule|polic|"
    r"prompt|guideline|check|verification|safeguard|restriction|limit|previous|above)"
    r"|\bsystem (?:prompt|message|instruction)|\byou are (?:now|no longer)\b"
    r"|\b(?:act|behave|respond) as (?:a|an|if|though)\b"
    r"|\bpretend (?:to|you)|\b(?:developer|admin|debug|god|root) (?:mode|access|rights)|\bjailbreak"
    r"|\b(?:always|automatically) (?:approve|grant|refund|accept|authori[sz]e|agree|give|comply)"
    r"|\b(?:do not|don['\u2019]t|never) (?:ask|verify|check|tell|mention|reveal|log|refuse|question)\b"
    r"[^.]{0,30}\b(?:id|identity|verif\w*|customer|user|anyone|anybody|password|proof|request)"
    r"|\b(?:agent|assistant|model|bot|ai) (?:must|should|shall|has to|is to|will)\b"
    r"|\b(?:run|execute|call) (?:the |this )?(?:command|code|tool|script|function|query|sql)"
    r"|<\|?\w+\|?>|\[/?INST\]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model, or a person, thinks should be remembered. `expires` is a date, or nothing."""

    attribute: str
    value: str
    kind: Kind = Kind.FACT
    subject: str = "user"
    expires: str | None = None
    scope: Scope = Scope.USER


@dataclass(frozen=True, slots=True)
class Support:
    """Where a user said it: the number of the turn, from 1, and the sentence."""

    turn: int
    sentence: str


def flaw(memory: Memory, known: Iterable[Memory] = ()) -> str:
    """Why it must not be kept, whoever says so; empty if it may. `known` are memories of the file."""
    if " ".join(_words(memory.value)) in _EMPTY or not _words(memory.attribute):
        return "empty"
    if len(memory.value) > LONGEST:
        return f"too long: {len(memory.value)} characters, at most {LONGEST}"
    if secrets := found(memory.text) or found(memory.value) or found(f"{memory.subject} {memory.text}"):
        return f"secret: it holds {secrets[0].kind}"
    if order := _ORDER.search(memory.text):
        return f"instruction: {order[0]!r:.60} tells the agent what to do"
    return _duplicate(memory, known)


def support(proposal: Proposal, conversation: Conversation) -> Support | str:
    """Where the user's words hold the value, or why they do not.

    Every number and name of it, and most other words, must stand in one turn of the user's, in sentences that
    do not take them back.
    """
    best, missing = None, list[str]()
    for number, turn in enumerate(conversation.turns, start=1):
        if turn.speaker != USER:
            continue
        lacking = _lacking(proposal.value, turn.text)
        if lacking is None:
            best = (number, turn.text)  # the last time it was said counts
        elif not missing or len(lacking) < len(missing):
            missing = lacking
    if stranger := _stranger(proposal, conversation):
        return f"unsupported: the user did not speak of a {stranger}"
    if best is None:
        shown = ", ".join(missing) or proposal.value
        return f"unsupported: the user did not say {shown!r:.80}"
    number, text = best
    sentence = max(sentences(text), key=lambda part: _shared(proposal.value, part), default=text)
    if back := _taken_back(proposal.value, sentence):
        return f"unsupported: the user takes it back ({back!r:.40})"
    return Support(number, sentence)


def _stranger(proposal: Proposal, conversation: Conversation) -> str:
    """Somebody whom a proposal names and the user does not: a date may be right, and whose it is made up."""
    heard = {_stem(word) for turn in conversation.turns if turn.speaker == USER for word in _words(turn.text)}
    named = _words(f"{proposal.subject} {proposal.attribute}".replace("'s", "").replace("\u2019s", ""))
    return next((word for word in named if word in _PERSONS and _stem(word) not in heard), "")


def _is_secret(proposal: Proposal, conversation: Conversation) -> str:
    """What the value is, where the user's words around it give it away as a secret."""
    wanted = "".join(_words(proposal.value))
    for turn in conversation.turns:
        for secret in found(turn.text):
            hidden = "".join(_words(turn.text[secret.start : secret.end]))
            if hidden and (hidden in wanted or (len(wanted) >= _SHORTEST_SECRET and wanted in hidden)):
                return secret.kind
    return ""


def _lacking(value: str, said: str) -> list[str] | None:
    """Words of a value that were not said; None if enough of them were."""
    heard = set(map(_stem, _words(said)))
    wanted = [word for word in _WORD.findall(value) if word.casefold() not in _SMALL]
    missing = [word for word in wanted if _stem(word.casefold()) not in heard]
    sure = [w for w in missing if any(c.isdigit() for c in w) or (w[0].isupper() and w != wanted[0])]
    if not wanted or sure or len(wanted) - len(missing) < ENOUGH * len(wanted):
        return missing
    return None


def _shared(value: str, said: str) -> int:
    return len(set(map(_stem, _words(value))) & set(map(_stem, _words(said))))


def _taken_back(value: str, sentence: str) -> str:
    """The words that take a value back: those in the part of the sentence that holds most of it."""
    parts = _CLAUSE.split(sentence)
    best = max(parts, key=lambda part: _shared(value, part))
    for back in _TAKEN_BACK.finditer(best):
        contrast = re.match(r"instead|rather|not (?:at|to|in|on)", back[0], re.IGNORECASE)
        if not contrast or _shared(value, best[back.end() :]) > _shared(value, best[: back.start()]):
            return back[0]
    return ""


def _duplicate(memory: Memory, known: Iterable[Memory]) -> str:
    plain = _words(memory.value)
    owner = (memory.scope, memory.user, memory.session)
    for other in held(known, memory.since):
        same = _words(other.value) == plain and (other.scope, other.user, other.session) == owner
        if same and (other.line == memory.line or _words(other.text) == _words(memory.text)):
            return f"duplicate: {other.id or other.text!r} says the same"
    return ""


def _words(text: str) -> list[str]:
    return [word.casefold().replace("\u2019", "'") for word in _WORD.findall(text)]


def _stem(word: str) -> str:
    """Enough to find "deliveries" in "delivery": the ends that inflection changes are cut."""
    for end, instead in (("ies", "y"), ("s", ""), ("ing", ""), ("ed", ""), ("e", ""), ("y", "i")):
        if len(word) - len(end) >= 3 and word.endswith(end):
            word = word[: -len(end)] + instead
    return word


def memory_of(proposal: Proposal, conversation: Conversation, said: Support) -> Memory:
    """What a supported proposal becomes: it holds from the time of the conversation on."""
    scope = (
        proposal.scope if proposal.scope is not Scope.EVERYONE else Scope.USER
    )  # nobody speaks for everyone
    return Memory(
        attribute=" ".join(proposal.attribute.split()),
        value=" ".join(proposal.value.split()).rstrip("."),
        user=conversation.user,
        session=conversation.session if scope is Scope.SESSION else "",
        scope=scope,
        kind=proposal.kind,
        subject=" ".join(proposal.subject.split()) or "user",
        since=conversation.time,
        expires=proposal.expires or None,
        conversation=conversation.id,
        turn=said.turn,
        quote=without(said.sentence),
    )


def decide(
    proposal: Proposal, conversation: Conversation, known: Iterable[Memory]
) -> tuple[Memory | None, str]:
    """The memory that a proposal becomes, or None and the rule that speaks against it."""
    if not _words(proposal.value) or not _words(proposal.attribute):
        return None, "empty"
    if kind := _is_secret(proposal, conversation):
        return None, f"secret: it is {kind}"
    said = support(proposal, conversation)
    if isinstance(said, str):
        return None, said
    try:
        memory = checked(memory_of(proposal, conversation, said))
    except InputError as error:
        return None, f"malformed: {error.message}"
    why = flaw(memory, known)
    return (None, why) if why else (memory, "")
