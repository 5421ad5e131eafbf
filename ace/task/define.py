"""Defines a task in a few lines of Python: lists of dicts and a judge function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ace.errors import TaskError
from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.judge import Judge, JudgeEnvironment
from ace.task.environments.scorers import SCORERS
from ace.task.extraction import Extraction
from ace.task.samples import NAME, require_valid, to_sample
from ace.task.solving import AGENT_SECONDS, AgentFunction, OwnAgent, Solving
from ace.task.types import Environment, Sample, Task, TaskContext
from ace.task.workspace import Acting

Rows = Iterable[Mapping[str, Any]]
"""Samples as {"id", "question", ...}; what else a row has is for the environment."""


def define_task(
    name: str,
    train: Rows,
    judge: Judge | str | Environment,
    *,
    val: Rows = (),
    test: Rows = (),
    instructions: str = "",
    max_tokens: int = 1024,
    sources: Iterable[Any] = (),
    memories: bool = False,
    extract: str = "",
    agent: AgentFunction | None = None,
    agent_seconds: float = AGENT_SECONDS,
    scale: tuple[float, float] = (0.0, 1.0),
) -> Task:
    """Return a checked task of rows {"id", "question", ...}; other fields end up in `sample.data`.

    A row's "answer", if there is one, is what the learner is told when labels are allowed. `judge` is a
    function of a sample and an answer that returns a bool, a number on the `scale` or an Outcome, and may be
    async. It is called once for an answer, in several threads, and has 60 seconds. What it raises counts as
    wrong and teaches nothing. A judge that is an object may have `explain(sample, attempt)`, which returns
    the facts that a wrong answer lacks. Instead of a judge, `judge` may name a scorer, such as "labels",
    or be an environment: `AnswerEnvironment("numeric", tolerance=0.5)`. `scale` is the lowest and the highest
    score of a judge, as (1, 5); a number beyond it is no score.
    `sources` are functions of the question that return texts, or objects with `name` and `items`: what they
    find stands before the question. With `memories` so does what the playbook file remembers of a row's
    `user` and `session`.
    `extract` says where in a reply the answer stands: "last line", "json:FIELD" or "regex:PATTERN".
    `agent` makes the attempts in place of a model: a function of a question and the context for it (playbook
    and what was found, as text) that returns a text, a number, JSON or an Attempt, and may be async. It has
    `agent_seconds` for an attempt; what it raises is a wrong answer with an error. Raises TaskError.
    """
    if not NAME.fullmatch(name):
        raise TaskError(f"Expected letters, digits, '_', '-' and '.', found {name!r}.", field="name")
    try:
        extraction = Extraction.parse(extract)
    except ValueError as error:
        raise TaskError(str(error), field="extract") from error
    if agent is not None and not callable(agent):
        hint = "Give a function of a question and a context that returns a text."
        raise TaskError(f"Expected a function, found {agent!r:.60}.", field="agent", hint=hint)
    samples: dict[str, tuple[Sample, ...]] = {}
    for split, rows in (("train", train), ("val", val), ("test", test)):
        numbered = enumerate(rows, start=1)
        samples[split] = tuple(to_sample(row, split, number) for number, row in numbered)
    environment = _choose_environment(judge, scale)
    task = Task(
        name,
        instructions,
        environment,
        train=samples["train"],
        val=samples["val"],
        test=samples["test"],
        max_tokens=max_tokens,
        context=TaskContext(sources=tuple(sources), memories=memories),
        solver=choose_solver(environment) if agent is None else OwnAgent.of(agent, agent_seconds),
        extract=extraction,
    )
    return require_valid(task)


def choose_solver(environment: Environment) -> Solving:
    """Return how attempts are made where a task does not say: over tools where it has something to act on.

    An environment whose attempts may have so many `steps`, as the commands of a game, gets as many replies.
    """
    if not isinstance(environment, Acting):
        return Solving()
    usual = Solving(kind="tools")
    steps = getattr(environment, "steps", None)
    return replace(usual, steps=max(usual.steps, steps)) if isinstance(steps, int) else usual


def _choose_environment(judge: Judge | str | Environment, scale: tuple[float, float]) -> Environment:
    """Return what scores by a function, by the scorer of a name in SCORERS, or the environment that is given.

    Raises TaskError for none of them, and for a scale without room or beside something else than a function.
    """
    if callable(judge) and scale[0] < scale[1]:
        return JudgeEnvironment(judge, (float(scale[0]), float(scale[1])))
    if scale != (0.0, 1.0):
        hint = "Give the lowest and the highest score, as (1, 5), beside a function that judges."
        raise TaskError(f"Not a usable scale: {scale!r:.60}.", field="scale", hint=hint)
    if isinstance(judge, str) and judge in SCORERS:
        return AnswerEnvironment(judge)
    if not isinstance(judge, str) and callable(getattr(judge, "score", None)):
        return judge  # type: ignore[return-value]  # an environment, as far as can be told
    hint = "Give a function of a sample and an answer that returns a bool, or a number from 0 to 1"
    hint += f"; or a scorer: {', '.join(SCORERS)}."
    raise TaskError(f"Expected a function, found {judge!r:.60}.", field="judge", hint=hint)
