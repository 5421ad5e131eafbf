"""What one agent of a team sees of a playbook: the lessons that are its own, and those for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from immutables import Map

from ace.context.assemble import Assembled
from ace.playbook.model import Playbook
from ace.task.team import Reader, Team


def view_for(playbook: Playbook, team: Team, agent: str) -> Playbook:
    """Return a playbook without the sections of other agents. Order and positions stay."""
    reader = Reader(team, agent)
    own = {section for section in playbook.section_names if reader.reads(section)}
    bullets = {name: bullet for name, bullet in playbook.bullets.items() if bullet.section in own}
    return replace(playbook, bullets=Map(bullets))


def join_agents(by_agent: Mapping[str, Assembled], start: str) -> Assembled:
    """Return the prompt of the first agent, with the prompts of all, and what any of them is shown.

    Tokens of the playbook are those of the largest prompt, because no prompt has them all.
    """
    prompts = tuple(by_agent.values())
    return replace(
        by_agent[start],
        by_agent=dict(by_agent),
        playbook_tokens=max(prompt.playbook_tokens for prompt in prompts),
        bullets=tuple(dict.fromkeys(name for prompt in prompts for name in prompt.bullets)),
        contents=tuple(dict.fromkeys(text for prompt in prompts for text in prompt.contents)),
        left_out=tuple(dict.fromkeys(item for prompt in prompts for item in prompt.left_out)),
        shown="\n".join(prompt.shown for prompt in prompts if prompt.shown),
    )
