"""Plays attempts at environments with workspaces: what every such environment has to keep is asked here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ace.errors import WorkspaceFailed
from ace.task import Acting, Attempt, Outcome, Sample, ToolCall, Turn, TurnKind, Workspace, score_attempt

Play = Callable[[Workspace], Iterable[tuple[str, dict[str, Any]]]]
"""Names calls one by one; each is made before the next is asked for."""


def play(environment: Any, sample: Sample, calls: Play | Sequence[tuple[str, dict[str, Any]]]) -> Attempt:
    """Return the attempt that makes the calls. What breaks down is in it."""
    assert isinstance(environment, Acting)
    workspace = environment.open(sample)
    assert workspace is not None
    turns: list[Turn] = []
    artifacts: dict[str, str] = {}
    error = ""
    try:
        for number, (name, arguments) in enumerate(calls(workspace) if callable(calls) else calls):
            observation = workspace.call(ToolCall(f"call_{number}", name, arguments))
            turns.append(
                Turn(
                    kind=TurnKind.TOOL,
                    tool=name,
                    observation=observation.text,
                    failed=observation.failed,
                )
            )
            if observation.ends:
                break
        artifacts = dict(workspace.finish())
    except WorkspaceFailed as failure:
        error = str(failure)
    finally:
        workspace.close()
        workspace.close()
    return Attempt(sample.id, "", error=error, turns=tuple(turns), artifacts=artifacts)


def play_and_score(environment: Any, sample: Sample, calls: Any) -> Outcome:
    """Play, and score through the boundary that every attempt is scored through."""
    return score_attempt(environment, sample, play(environment, sample, calls))


def play_at_once(environment: Any, plays: Sequence[tuple[Sample, Any]]) -> list[Outcome]:
    """Return the outcomes of attempts that are all made at the same time."""
    with ThreadPoolExecutor(len(plays)) as threads:
        return list(threads.map(lambda each: play_and_score(environment, *each), plays))


def choose(seed: int, options: Sequence[str], count: int) -> list[str]:
    """Draw with a seed."""
    source = random.Random(seed)
    return [source.choice(list(options)) for _ in range(count)]
