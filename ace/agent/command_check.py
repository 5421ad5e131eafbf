"""Try a task's own command once before a run: a program that does not start fails at every question."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ace.agent.generator import Draw, Generator
from ace.agent.own_agent import CommandClient, OwnCall
from ace.context.assemble import Assembled
from ace.task.attempt import Attempt
from ace.task.extraction import extract_answer
from ace.task.samples import iterate_samples
from ace.task.solving import OwnCommand
from ace.task.types import Task

_OFFERED = ("ACE_MODEL_URL", "ACE_MODEL_NAME", "ACE_MODEL_KEY")  # by which a run offers its model


@dataclass(frozen=True, slots=True)
class CommandTrial:
    """Hold what a command made of one sample, with nothing learned yet and no model offered."""

    command: str
    """Its words, as one line."""

    attempt: Attempt
    """Without an answer where the command failed."""

    lacks_model: bool
    """Whether it asks for the model of a run, which only a run can offer: then a failure is no fault yet."""


def try_command(task: Task) -> CommandTrial | None:
    """Start the command of a task once, on its first sample, within the limits that it has in runs.

    Return None for a task that is attempted in another way, or has no sample.
    """
    agent = task.solver
    _, sample = next(iterate_samples(task), ("", None))
    if not isinstance(agent, OwnCommand) or sample is None:
        return None
    solver = OwnCall(Generator(CommandClient(agent, task), task))
    attempt = solver.solve(sample, Assembled("", "", 0, 0), None, Draw())
    offered = [name for name in agent.env if name in _OFFERED]
    return CommandTrial(
        command=" ".join(agent.command),
        attempt=extract_answer(attempt, task.extract),
        lacks_model=bool(offered) and not any(name in os.environ for name in offered),
    )
