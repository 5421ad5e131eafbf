"""Words recipes for a team: to whom the router hands a kind of task, and each agent's own calls.

An agent reads only what is its own. What it needs of a call that a colleague has made must stand in the
brief, so the colleague's recipe says what goes into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from ace.task.attempt import write_value
from ace.task.environments.tools.recipes import (
    PROCEDURES,
    Argument,
    find_arguments,
    find_longest,
    generalise,
    name_kind,
    renew_lines,
    write_forms,
    write_procedure,
)
from ace.task.environments.tools.value_lines import write_value_line
from ace.task.environments.tools.value_spans import Use
from ace.task.environments.tools.ways import Way
from ace.task.team import Leg, Team
from ace.task.wording import Audience, Suggestion


def write_team_recipes(
    own: Way, others: Sequence[Way], audience: Audience
) -> tuple[tuple[Suggestion, ...], ...]:
    """Return the lessons that tasks with the same calls teach a team, as one entry; none where all is known.

    Nothing either where nobody of the team may make one of the calls.
    """
    team = audience.team
    legs = team.divide(own.names)
    lessons = list[Suggestion]()
    arguments = find_arguments(own, others)
    longest = find_longest(own, others)
    kind = name_kind(own, others)
    for number, leg in enumerate(legs):
        known = audience.known.get(leg.agent, ())
        within = arguments[leg.start : leg.stop]
        end = "done"
        if number + 1 < len(legs):
            end = _write_handover(team, leg, legs[number + 1], own, arguments)
        procedure = write_procedure(longest, longest.groups[leg.start : leg.stop], within, end)
        if not any(procedure in line for line in known):
            lessons.append(Suggestion(PROCEDURES, f"{kind}: {procedure}", reader=leg.agent))
        lines = write_forms(within, (own, *others))
        lessons += [replace(lesson, reader=leg.agent) for lesson in renew_lines(lines, known)]
    if legs and legs[0].agent != team.start:
        lessons += _write_routes(own, others, audience, kind)
    return (tuple(lessons),) if lessons else ()


def _write_handover(
    team: Team, leg: Leg, following: Leg, own: Way, arguments: Sequence[Sequence[Argument]]
) -> str:
    """Return to whom an agent hands over after its calls, and which of their results the brief must have."""
    way = team.find_way(leg.agent, following.agent)
    tools = own.names[leg.start : leg.stop]
    later = [argument for found in arguments[leg.stop :] for argument in found]
    fields = [source for argument in later if (source := argument.source) and source[0] in tools]
    contents = [f"for {following.agent}"] if len(way) > 1 else []
    contents += [f"the {field} that {tool} shows" for tool, field in dict.fromkeys(fields)]
    return _write_call(way[0] if way else following.agent, " and ".join(contents))


def _write_routes(own: Way, others: Sequence[Way], audience: Audience, kind: str) -> Iterator[Suggestion]:
    """Yield what the router must know: to whom tasks of this kind go, and which words speak for whom."""
    team = audience.team
    known = audience.known.get(team.start, ())
    text = f"{', then '.join(map(_write_call, _list_stops(team, own)))}."
    if not any(line.endswith(text) and generalise(own) in line for line in known):
        yield Suggestion(PROCEDURES, f"{kind}: {text}", reader=team.start)
    # What belongs to one task only, as a name, speaks for nobody.
    ways = [replace(way, question=generalise(way)) for way in (own, *others)]
    uses = [Use(way, stops[0]) for way in ways if (stops := _list_stops(team, way))]
    line = write_value_line("to", uses, ways)
    for lesson in renew_lines([("to of hand_over", line)], known):
        yield replace(lesson, reader=team.start)


def _write_call(to: str, brief: str = "") -> str:
    """Return a handover as a recipe has calls; what the brief must have in it where that matters."""
    return f"hand_over(to={write_value(to)}, brief{f'={brief}' if brief else ''})"


def _list_stops(team: Team, way: Way) -> list[str]:
    """Return to whom the router itself hands a task, one after the other."""
    stops = list[str]()
    place = team.start
    for leg in team.divide(way.names):
        path = [place, *team.find_way(place, leg.agent)]
        stops += [to for giver, to in pairwise(path) if giver == team.start and leg.agent != team.start]
        place = leg.agent
    return stops
