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
from ace.task.environments.tools.value_lines import Use, write_value_line
from ace.task.environments.tools.ways import Step, Way
from ace.task.wording import Suggestion
from ace.task.workspace import to_text

PROCEDURES = "strategies"
FORMATS = "formats"
_PLACE = "…"
_MOST_QUESTIONS = 3  # in the head of a recipe
_LONGEST_QUESTION = 16  # words
_LEAST = 2  # tasks on either side of a limit


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


def write_recipes(
    own: Way, others: Sequence[Way], known: Sequence[str] = ()
) -> tuple[tuple[Suggestion, ...], ...]:
    """Return the lessons that tasks with the same calls teach, as one entry; none where all is `known`.

    The first is the recipe; others say how values are written, and which number asks for one call more. A
    line that says more than a known one takes its place.
    """
    if not own.steps:
        return ()
    ways = (own, *others)
    same = [way for way in ways if way.names == own.names]
    arguments = find_arguments(own, others)
    procedure = write_procedure(own, own.groups, arguments)
    lessons = []
    if not any(procedure in line for line in known):
        lessons.append(Suggestion(PROCEDURES, f"{name_kind(same)}: {procedure}"))
    lessons += renew_lines([*write_forms(arguments, ways), *write_limits(own, others)], known)
    return (tuple(lessons),) if lessons else ()


def find_arguments(own: Way, others: Sequence[Way]) -> list[list[Argument]]:
    """Return where the arguments of each group of calls come from."""
    ways = (own, *others)
    same = [way for way in ways if way.names == own.names]
    return [
        [_find_argument(same, ways, place, name) for name in group[0].call.arguments]
        for place, group in enumerate(own.groups)
    ]


def write_forms(arguments: Sequence[Sequence[Argument]], ways: Sequence[Way]) -> Iterator[tuple[str, str]]:
    """Yield how the arguments are written that have a form of their own, each with its head."""
    for group in arguments:
        for argument in group:
            if argument.is_written:
                line = write_value_line(_list_uses(ways, argument), ways)
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
                notes.append(f"While what is wanted is not shown, {again}")
    return " ".join([f"{', then '.join(calls)}, then {end}.", *dict.fromkeys(notes)])


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


def name_kind(same: Sequence[Way]) -> str:
    """Return a few questions of a kind, as different as can be, without what belongs to one task only."""
    chosen = [same[0]]
    rest = list(same[1:])
    while rest and len(chosen) < _MOST_QUESTIONS:
        likeness = []  # of each, to the nearest of those that are chosen: the share of words in common
        for way in rest:
            shares = []
            for other in chosen:
                union = way.lower_words | other.lower_words
                shares.append(len(way.lower_words & other.lower_words) / max(1, len(union)))
            likeness.append(max(shares))
        farthest = rest[likeness.index(min(likeness))]
        chosen.append(farthest)
        rest.remove(farthest)
    return " / ".join(dict.fromkeys(generalise(way) for way in chosen))


def generalise(way: Way) -> str:
    """Return a question with places for the values that its calls take from it, and for numbers."""
    text = way.question
    values = {to_text(value) for step in way.steps for value in step.call.arguments.values()}
    for value in sorted(values, key=len, reverse=True):
        if len(value) > 1 and way.states(value):
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _PLACE, text, flags=re.IGNORECASE)
    text = re.sub(r"\d+", _PLACE, text)
    words = text.replace(":", ",").split()
    if len(words) > _LONGEST_QUESTION:
        words = [*words[:_LONGEST_QUESTION], _PLACE]
    text = " ".join(words).strip(" .,;?!")
    return re.sub(rf"(?:{_PLACE}\s*)+", f"{_PLACE} ", text).replace(f"{_PLACE} ,", f"{_PLACE},").strip()


def write_limits(own: Way, others: Sequence[Way]) -> Iterator[tuple[str, str]]:
    """Yield which number asks for one call more: a limit that parts tasks with and without it.

    The calls must be the same but for that one, and the numbers those of one argument.
    """
    for other in others:
        longer, shorter = (own, other) if len(own.names) > len(other.names) else (other, own)
        extra = [name for name in longer.names if name not in shorter.names]
        if len(extra) != 1 or [name for name in longer.names if name != extra[0]] != list(shorter.names):
            continue
        with_it = [way for way in (own, *others) if way.names == longer.names]
        without = [way for way in (own, *others) if way.names == shorter.names]
        for tool in shorter.names:
            calls = [step.call for step in shorter.steps if step.call.name == tool]
            for name in (name for call in calls for name in call.arguments):
                high, low = _read_numbers(with_it, tool, name), _read_numbers(without, tool, name)
                if min(len(high), len(low)) < _LEAST:
                    continue
                if min(high) > max(low):
                    least, most = high[min(high)], low[max(low)]
                    words = f"where {name} of {tool} is {least} or more; not where it is {most} or less"
                elif max(high) < min(low):
                    most, least = high[max(high)], low[min(low)]
                    words = f"where {name} of {tool} is {most} or less; not where it is {least} or more"
                else:
                    continue
                yield f"{extra[0]}, only for some tasks", words
                return


def _read_numbers(ways: Sequence[Way], tool: str, name: str) -> dict[float, str]:
    """Return the numbers of an argument that stand in the question, each as it is written in the call."""
    numbers: dict[float, str] = {}
    for way in ways:
        for step in way.steps:
            value: Any = step.call.arguments.get(name)
            figures = re.fullmatch(r"\D*(\d+(?:\.\d+)?)\D*", to_text(value))
            if step.call.name == tool and figures and way.find_part(figures[1]):
                numbers[float(figures[1])] = write_value(value)
    return numbers
