"""What the generator sees for a sample: the method's playbook and what sources find, within the budget.

Knows who is asked for what; how it is put together is in `ace.context.assemble`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from ace.agent import Generator, LongForm, SingleCall, Solver, Writer
from ace.context import Assembled, Found, Limit, Source, assemble
from ace.errors import AceError, ContextError, InputError
from ace.llm import Team
from ace.llm.client import Client
from ace.llm.embedding import DEFAULT_EMBEDDER, connect_embedder
from ace.llm.window import window_of
from ace.loop.options import Settings
from ace.methods.ace import Curator, Reflector
from ace.methods.ace.method import Ace
from ace.methods.protocol import Method
from ace.playbook.model import Playbook
from ace.retrieval.bullets import Hybrid
from ace.retrieval.known_vectors import KnownVectors
from ace.retrieval.sources import sources_of
from ace.store import Store
from ace.task.types import Sample, Task, TaskContext
from ace.text import CountTokens, estimate_tokens

WINDOW_SHARE = 0.75  # of a model's window, for the prompt: models read the far end of a full one badly
WRITER_SHARE = 0.4  # of a prompt, at most: for what the writer of a long answer adds to it
# Counts that are kept: the same lines and prefixes are counted again and again, and prefixes are large.
_LINES, _PROMPTS, _LINE = 4096, 64, 1000  # entries, entries, and the characters up to which a text is a line


@dataclass(frozen=True, slots=True)
class Contexts:
    """Assembles the context of a sample. Called from the threads of a run."""

    method: Method
    generator: Generator
    limit: Limit
    wanted: TaskContext
    sources: tuple[Source, ...] = ()
    vectors: KnownVectors | None = None

    def __call__(self, sample: Sample, playbook: Playbook) -> Assembled:
        """InputError for a budget in which nothing fits, ContextError for the sample's own fault."""
        share = self.wanted.share if self.sources else 0.0
        fill = partial(self.method.context, playbook, sample.question)
        found = tuple(self._found(sample))
        return assemble(self.generator.frame(sample), fill, found, self.limit, share=share)

    def keep(self, playbook: Playbook) -> None:
        """What was computed of a committed version need not be computed again. In the store's thread.

        Where nothing was computed, as while the playbook fits, this costs nothing.
        """
        if self.vectors is not None and self.vectors.pending:
            self.vectors.keep(bullet.content for bullet in playbook.bullets.values() if bullet.live)

    def _found(self, sample: Sample) -> Iterator[Found]:
        told = {name: sample.data[name] for name in self.wanted.fields if name in sample.data}
        for source in self.sources:
            try:
                yield Found(source.name, tuple(source.items(sample.question, told)))
            except AceError:
                raise
            except Exception as error:  # a retriever of somebody's own: the sample counts, with its reason
                what = f"{type(error).__name__}: {error}"
                raise ContextError(f"The source {source.name} failed ({what:.300}).") from error


def contexts_of(
    task: Task, store: Store, team: Team, options: Settings, sources: tuple[Source, ...] | None = None
) -> Contexts:
    """What assembles the context of every sample; `sources`, where the task's are at hand already.

    InputError where there is no room, or no such source.
    """
    generator = Generator(team.generator, task, options.cite)
    limit = limit_of(team.generator, options.budget, task.max_tokens)
    limit = replace(limit, reserve=reserve_of(task, team, limit))
    embedder = connect_embedder(task.context.embedder or DEFAULT_EMBEDDER)
    vectors = KnownVectors(store.path, embedder) if options.select == "hybrid" else None
    method = method_of(team, options, limit, Hybrid(vectors) if vectors else None)
    found = sources_of(task, store) if sources is None else sources
    return Contexts(method, generator, limit, task.context, found, vectors)


def method_of(team: Team, options: Settings, limit: Limit, select: Hybrid | None = None) -> Method:
    return Ace(
        reflector=Reflector(team.reflector),
        curator=Curator(team.curator),
        tries=options.tries,
        neighbours=options.neighbours,
        verify=options.verify,
        merge=options.merge,
        cite=options.cite,
        count_tokens=limit.count,
        select=select,
    )


def limit_of(client: Client, budget: int, max_tokens: int) -> Limit:
    """`budget`, or what the model's window has room for beside `max_tokens` of an answer.

    InputError when the answer alone would fill the window.
    """
    window = window_of(client)
    counter = client.model if window.count else "estimate"
    count = _remembering(window.count or estimate_tokens)
    if window.tokens is None:
        return Limit(budget, count, counter)
    left = window.tokens - max_tokens
    if left <= 0:
        raise InputError(
            f"{client.model} reads {window.tokens} tokens, and an answer may take {max_tokens} of them.",
            hint="Give the task a smaller max_tokens, or use a model with a longer context.",
        )
    return Limit(min(budget, int(window.tokens * WINDOW_SHARE), left), count, counter)


def reserve_of(task: Task, team: Team, limit: Limit) -> int:
    """Tokens that the solver adds to a prompt, about: none where the prompt is all that is asked."""
    if task.solver.kind == "single":
        return 0
    return min(_writer(task, team).adds, int(limit.tokens * WRITER_SHARE))


def _remembering(count: CountTokens) -> CountTokens:
    line, prompt = lru_cache(_LINES)(count), lru_cache(_PROMPTS)(count)
    return lambda text: line(text) if len(text) <= _LINE else prompt(text)


def solver_of(task: Task, team: Team, contexts: Contexts) -> Solver:
    """Who makes attempts, as the task wants it."""
    how = task.solver
    if how.kind == "single":
        return SingleCall(contexts.generator)
    return LongForm(_writer(task, team), contexts.limit.count, how.words, how.mends)


def _writer(task: Task, team: Team) -> Writer:
    return Writer(team.generator, task.max_tokens)
