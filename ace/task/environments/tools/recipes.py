"""Words recipes from right calls: which calls a kind of task takes, and where each argument comes from.

What differs between tasks of a kind becomes a place for a value: a recipe with the values of one task in it
misleads a small model. An argument stands in the question, was shown by an earlier call, is always the same,
or is written in a form of its own (see `value_lines`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ace.task.attempt import write_value
from ace.task.environments.tools.value_lines import find_value_words, write_value_line
from ace.task.environments.tools.value_spans import Use, find_numbers
from ace.task.environments.tools.ways import Step, Way
from ace.task.wording import Suggestion
from ace.task.workspace import to_text

PROCEDURES = "strategies"
FORMATS = "formats"
_PLACE = "…"
_MOST_QUESTIONS = 3  # in the head of a recipe
_LONGEST_QUESTION = 24  # words
_LEAST = 2  # tasks on either side of a limit
_LIMIT = ", where "  # before a limit, in the head of a recipe


@dataclass(frozen=True, slots=True)
class Argument:
    """Say where an argument of a call comes from."""

    tool: str
    """The tool that is called."""

    name: str
    """The name of the argument."""

    constant: str = ""
    """The value as it is written, where it is always the same."""

    source: tuple[str, str] | None = None
    """The tool and the field that show it."""

    beside: tuple[str, ...] = ()
    """The fields beside that one which the question states: they tell which of several is meant."""

    is_written: bool = False
    """Whether it has a form of its own."""

    def write(self, tools: Collection[str]) -> str:
        """Return the argument as it stands in a recipe of `tools`; what another one shows is in the brief."""
        if self.source:
            tool, field = self.source
            if tool not in tools:
                return f"{self.name}=the {field} in the brief"
            which = f" for the {' and the '.join(self.beside)}" if self.beside else ""
            return f"{self.name}=the {field} that {tool} shows{which}"
        return f"{self.name}={self.constant}" if self.constant else self.name


@dataclass(frozen=True, slots=True)
class Limit:
    """Hold the number that parts two kinds of tasks, of which one takes one call more."""

    argument: str
    """The name of the argument that is written from the number."""

    number: int
    """The roundest one between the two kinds. It belongs to the lower one."""

    lower: Way
    """One of the tasks with numbers up to it."""

    higher: Way
    """One of the tasks with numbers above it."""


def write_recipes(
    own: Way, others: Sequence[Way], known: Sequence[str] = ()
) -> tuple[tuple[Suggestion, ...], ...]:
    """Return the lessons that tasks with the same calls teach, as one entry; none where all is `known`.

    The first is the recipe; others say how values are written. Two kinds that a number parts are taught
    together: either alone would be taken for both. A line that says more than a known one takes its place.
    """
    if not own.steps:
        return ()
    lessons = list[Suggestion]()
    forms = list[tuple[str, str]]()
    for way, rest in list_kinds(own, others):
        arguments, longest = find_arguments(way, rest), find_longest(way, rest)
        procedure = write_procedure(longest, longest.groups, arguments)
        lessons += renew_recipe(name_kind(way, rest), procedure, known)
        forms += write_forms(arguments, (way, *rest))
    lessons += renew_lines(forms, known)
    return (tuple(lessons),) if lessons else ()


def list_kinds(own: Way, others: Sequence[Way]) -> list[tuple[Way, list[Way]]]:
    """Return a task with the others; where a number parts it from another kind, one of either.

    The one with fewer calls comes first: a small model takes the first recipe that seems to fit.
    """
    limit = find_limit(own, others)
    if limit is None:
        return [(own, list(others))]
    pair = sorted((limit.lower, limit.higher), key=lambda way: len(way.names))
    everything = [own, *others]
    return [(way, [other for other in everything if other is not way]) for way in pair]


def renew_recipe(kind: str, procedure: str, known: Sequence[str]) -> Iterator[Suggestion]:
    """Yield a recipe that is new, or that says for which numbers it is where the known one does not."""
    text = f"{kind}: {procedure}"
    before = next((line for line in known if f": {procedure}" in line), "")
    if not before or (_LIMIT in kind and _LIMIT not in before):
        yield Suggestion(PROCEDURES, text, replaces=before)


def find_longest(own: Way, others: Sequence[Way]) -> Way:
    """Return the task with the same calls that repeats most of them: it shows when to call again."""
    same = [way for way in (own, *others) if way.names == own.names]
    return max(same, key=lambda way: len(way.steps))


def find_arguments(own: Way, others: Sequence[Way]) -> list[list[Argument]]:
    """Return where the arguments of each group of calls come from."""
    ways = (own, *others)
    same = [way for way in ways if way.names == own.names]
    return [
        [_find_argument(same, ways, place, name) for name in group[0].call.arguments]
        for place, group in enumerate(own.groups)
    ]


def write_forms(arguments: Sequence[Sequence[Argument]], ways: Sequence[Way]) -> Iterator[tuple[str, str]]:
    """Yield how the arguments are written that have a form of their own, each with its head.

    The order of the tasks does not matter: a line is the same, whichever kind of task it is drawn for.
    """
    ways = sorted(ways, key=lambda way: way.question)
    for group in arguments:
        for argument in group:
            if argument.is_written:
                line = write_value_line(argument.name, _list_uses(ways, argument), ways)
                yield f"{argument.name} of {argument.tool}", line


def renew_lines(lines: Iterable[tuple[str, str]], known: Sequence[str]) -> Iterator[Suggestion]:
    """Yield lines that are new, or that say more than the known line of the same head."""
    for head, line in dict(lines).items():
        before = next((text for text in known if text.startswith(f"{head}: ")), "")
        text = f"{head}: {line}."
        if line and (not before or text.count(" for ") > before.count(" for ")):  # it has more values
            yield Suggestion(FORMATS, text, replaces=before)


def write_procedure(
    own: Way,
    groups: Sequence[Sequence[Step]],
    arguments: Sequence[Sequence[Argument]],
    end: str = "done",
) -> str:
    """Return calls of a task in order, what comes after them, and sentences that say what is repeated."""
    calls, notes = [], []
    tools = [group[0].call.name for group in groups]
    wanted = {tool: _name_wanted(tool, arguments) for tool in tools}
    for group, found in zip(groups, arguments, strict=True):
        calls.append(f"{group[0].call.name}({', '.join(argument.write(tools) for argument in found)})")
        for step in group[1:]:
            changed = [
                f"{name}={write_value(value)}"
                for name, value in step.call.arguments.items()
                if value != group[0].call.arguments.get(name) and not own.states(value)
            ]
            if changed:
                again = f"call {step.call.name} again with {', '.join(changed)}."
                notes.append(f"While {wanted[step.call.name]} is not shown, {again}")
    return " ".join([f"{', then '.join(calls)}, then {end}.", *dict.fromkeys(notes)])


def _name_wanted(tool: str, arguments: Sequence[Sequence[Argument]]) -> str:
    """Return what a tool is called for, by the fields that later calls take from it."""
    for argument in (argument for group in arguments for argument in group):
        if argument.source and argument.source[0] == tool:
            return f"the {' and the '.join(argument.beside or argument.source[1:])}"
    return "what is wanted"


def _find_argument(same: Sequence[Way], ways: Sequence[Way], place: int, name: str) -> Argument:
    """Return where an argument comes from, in all tasks with the same calls.

    Of a single one anything is always the same: then what other tasks give the tool decides.
    """
    tool = same[0].groups[place][0].call.name
    values = [
        (way, way.groups[place][0].call.arguments[name])
        for way in same
        if name in way.groups[place][0].call.arguments
    ]
    if all(way.states(value) for way, value in values):
        return Argument(tool, name)
    sources = [way.find_sources(place, value) for way, value in values]
    for source in sources[0]:
        if all(source in found for found in sources):
            beside = set.intersection(*(found[source] for found in sources))
            return Argument(tool, name, source=source, beside=tuple(sorted(beside)))
    written = {write_value(value) for _, value in values}
    if len(written) == 1 and len(values) == 1:
        written |= {write_value(use.value) for use in _list_uses(ways, Argument(tool, name))}
    if len(written) == 1:
        return Argument(tool, name, constant=written.pop())
    return Argument(tool, name, is_written=True)


def _list_uses(ways: Sequence[Way], argument: Argument) -> list[Use]:
    """Return the values of an argument that were not shown by an earlier call, in all tasks."""
    uses = []
    for way in ways:
        for place, group in enumerate(way.groups):
            call = group[0].call
            if call.name == argument.tool and argument.name in call.arguments:
                value = call.arguments[argument.name]
                if not way.find_sources(place, value):
                    uses.append(Use(way, value))
    return uses


def name_kind(own: Way, others: Sequence[Way]) -> str:
    """Return a few questions of a kind, as different as can be, without what belongs to one task only.

    Where a number decides whether tasks are of the kind, which one it is follows.
    """
    same = [way for way in (own, *others) if way.names == own.names]
    words = list_value_words(own, others)
    chosen = [same[0]]
    rest = list(same[1:])
    while rest and len(chosen) < _MOST_QUESTIONS:
        likeness = []  # of each, to the nearest of those that are chosen: the share of words in common
        for way in rest:
            shares = []
            for other in chosen:
                mine, theirs = way.lower_words - words, other.lower_words - words
                shares.append(len(mine & theirs) / max(1, len(mine | theirs)))
            likeness.append(max(shares))
        farthest = rest[likeness.index(min(likeness))]
        chosen.append(farthest)
        rest.remove(farthest)
    questions = " / ".join(dict.fromkeys(generalise(way, words) for way in chosen))
    limit = write_limit(own, others)
    return f"{questions}{_LIMIT}{limit}" if limit else questions


def list_value_words(own: Way, others: Sequence[Way]) -> frozenset[str]:
    """Return the words of questions, in lower case, that stand for a value in the calls of a kind.

    Those that tell which of several results is meant are among them.
    """
    ways = sorted((own, *others), key=lambda way: way.question)
    words = set[str]()
    for argument in (argument for group in find_arguments(own, others) for argument in group):
        if argument.is_written:
            words |= find_value_words(argument.name, _list_uses(ways, argument), ways)
        for way in [way for way in ways if way.names == own.names and argument.beside]:
            words |= way.find_stated(argument.beside)
    return frozenset(words)


def generalise(way: Way, words: Collection[str] = ()) -> str:
    """Return a question with places for the values that its calls take from it, for numbers and `words`."""
    text = way.question
    values = {to_text(value) for step in way.steps for value in step.call.arguments.values()}
    values = {value for value in values if len(value) > 1 and way.states(value)} | {*words}
    for value in sorted(values, key=lambda value: (-len(value), value)):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _PLACE, text, flags=re.IGNORECASE)
    text = re.sub(r"\d+", _PLACE, text)
    parts = text.replace(":", ",").split()
    if len(parts) > _LONGEST_QUESTION:
        parts = [*parts[:_LONGEST_QUESTION], _PLACE]
    text = " ".join(parts).strip(" .,;?!")
    text = re.sub(rf"(?:{_PLACE}\s*)+", f"{_PLACE} ", text).strip()
    return re.sub(rf"{_PLACE} (?=[.,;])", _PLACE, text)


def write_limit(own: Way, others: Sequence[Way]) -> str:
    """Return which numbers ask for the calls of a task, where one call more or less parts it from others."""
    limit = find_limit(own, others)
    if limit is None:
        return ""
    if own.names == limit.lower.names:
        return f"{limit.argument} is {limit.number} or less"
    return f"{limit.argument} is more than {limit.number}"


def find_limit(own: Way, others: Sequence[Way]) -> Limit | None:
    """Return the number that parts a task from those with one call more or less; None where none does so.

    The calls must be the same but for that one, and the numbers those of one argument.
    """
    same = [way for way in (own, *others) if way.names == own.names]
    seen = {own.names}
    for other in others:
        longer, shorter = (own, other) if len(own.names) > len(other.names) else (other, own)
        extra = [name for name in longer.names if name not in shorter.names]
        rest = [name for name in longer.names if name not in extra]
        if other.names in seen or len(extra) != 1 or rest != list(shorter.names):
            continue
        seen.add(other.names)
        different = [way for way in others if way.names == other.names]
        for tool, name in [(step.call.name, name) for step in shorter.steps for name in step.call.arguments]:
            mine, theirs = _read_numbers(same, tool, name), _read_numbers(different, tool, name)
            if min(len(mine), len(theirs)) < _LEAST:
                continue
            if max(mine) < min(theirs):
                return Limit(name, choose_round(max(mine), min(theirs)), same[0], different[0])
            if max(theirs) < min(mine):
                return Limit(name, choose_round(max(theirs), min(mine)), different[0], same[0])
    return None


def choose_round(low: int, high: int) -> int:
    """Return the roundest number from `low` to below `high`; of several the one nearest to the middle.

    Where a limit lies is not known better than that, and limits are round more often than not: 1, 2 or 5 with
    zeros, or else with as many zeros as can be.
    """
    steps = [10**zeros for zeros in range(len(str(high)), -1, -1)]
    choices = [digit * step for step in steps for digit in (1, 2, 5) if low <= digit * step < high]
    for step in steps:
        first = max(-(-low // step), 1) * step
        choices = choices or list(range(first, high, step)[:10])
    middle = max(low, 1) * high  # squared, as ratios count
    return min(
        choices, key=lambda number: max(number * number / middle, middle / (number * number)), default=low
    )


def _read_numbers(ways: Sequence[Way], tool: str, name: str) -> set[int]:
    """Return the numbers of questions that an argument is written from."""
    numbers = set[int]()
    for way in ways:
        for place, group in enumerate(way.groups):
            value: Any = group[0].call.arguments.get(name)
            if group[0].call.name != tool or value is None or way.find_sources(place, value):
                continue
            if way.states(value) and not to_text(value).isdecimal():
                continue  # a name with a number in it
            numbers.update(int(way.words[word]) for word in find_numbers(way, value)[:1])
    return numbers
