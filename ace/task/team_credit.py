"""Find the agent of a team whose turns decided that an attempt failed: lessons of it are for that agent.

What an environment explains names tools as topics. Their owner is who did something wrong, unless it never
had the task, or had it too late: then the handover was wrong.
"""

from __future__ import annotations

from ace.task.team import Team
from ace.task.types import Attempt, Failure, Feedback


def find_responsible(team: Team, attempt: Attempt, feedback: Feedback) -> str:
    """Return the name of the agent that a lesson of a failed attempt is for.

    Where nothing tells which tools it is about, it is the one that acted last.
    """
    acted = tuple(dict.fromkeys(turn.agent for turn in attempt.turns if turn.agent in team.names))
    last = acted[-1] if acted else team.start
    right = {name for topic in feedback.topics for name in team.list_owners(topic)}
    owners = list[str]()  # of what is missing
    for topic in (topic for fact in feedback.missing for topic in sorted(fact.topics)):
        able = team.list_owners(topic)
        if len(able) < len(team.agents):  # what all of them may do tells nothing
            owners += [name for name in able if name in acted] or able
    if not owners:
        return last
    present = [name for name in acted if name in owners]
    if not present:  # who was right to have the task, and last had it, should have handed it on
        hands_on = last in right and set(owners) & set(team.find(last).hands_to)
        return last if hands_on else team.start
    first = present[0]
    detour = set(acted[: acted.index(first)]) - right - {team.start}
    if detour and attempt.failure in (Failure.LIMIT, Failure.LOOP):
        return team.start  # the task came to its owner too late
    return first
