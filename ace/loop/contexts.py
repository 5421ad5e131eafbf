"""What the generator sees for a sample: the method's playbook and what sources find, within the budget.

Knows who is asked for what; how it is put together is in `ace.context.assemble`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any
from uuid import uuid4

from ace.agent import Generator, Solver, build_solver
from ace.context import Assembled, Limit, Source, SourceItems, Trust, assemble
from ace.context.agent_view import join_agents, view_for
from ace.context.assemble import TEMPLATE
from ace.errors import AceError, ContextError, InputError, describe_error
from ace.llm.client import Client
from ace.llm.embedding import DEFAULT_EMBEDDER, connect_embedder
from ace.llm.role_models import RoleModels
from ace.llm.window import window_of
from ace.methods import Equipment, build_method, find_method
from ace.methods.protocol import Method, State
from ace.playbook.ancestry import find_changed
from ace.playbook.model import Playbook
from ace.retrieval.bullets import HybridSelector
from ace.retrieval.sources import build_sources
from ace.retrieval.vector_cache import VectorCache
from ace.settings import Select, Settings
from ace.store import Store
from ace.task.team import find_team
from ace.task.types import Sample, Task, TaskContext
from ace.text import CountTokens, estimate_tokens

WINDOW_SHARE = 0.75  # of a model's window, for the prompt: models read the far end of a full one badly
WRITER_SHARE = 0.4  # of a prompt, at most: for what the writer of a long answer adds to it
# Counts that are kept: the same lines and prefixes are counted again and again, and prefixes are large.
_LINES = 131_072  # entries: a cache smaller than the playbook would miss every line of every prompt
_PROMPTS = 64  # entries
_LINE = 1000  # characters up to which a text is a line


@dataclass(slots=True)
class Contexts:
    """Assembles the context of a sample. Called from the threads of a run."""

    method: Method
    """Supplies the playbook's part."""

    generator: Generator
    """Supplies the frame around it."""

    solver: Solver
    """Makes the attempts."""

    limit: Limit
    """Bounds the whole prompt."""

    wanted: TaskContext
    """What the task says of its context."""

    sources: tuple[Source, ...] = ()
    """The task's documents and memories."""

    vectors: VectorCache | None = None
    """Kept for choosing bullets by the question; None where they are chosen by age."""

    state: State = None
    """The method's, which the run replaces as its steps go by."""

    selector: HybridSelector | None = None
    """Chooses bullets by the question; None where they are chosen by age."""

    kept: Playbook = field(default_factory=Playbook)
    """The last one whose vectors were kept."""

    def within(self, budget: int | None, sample: Sample) -> Contexts:
        """Return the same for at most `budget` tokens of playbook and items, beside the bare prompt.

        None leaves the limit as it is.
        """
        if budget is None:
            return self
        frame = self.generator.frame(sample)
        bare = TEMPLATE + self.limit.count(frame.system("")) + self.limit.count(frame.user("", ""))
        return replace(self, limit=replace(self.limit, tokens=bare + budget))

    def assemble_for(self, sample: Sample, playbook: Playbook) -> Assembled:
        """Return the prompt for a sample, with the contents of the bullets in it.

        Raises InputError for a budget in which nothing fits, and ContextError for the sample's own fault: it
        is too long, or a source failed on it.
        """
        share = self.wanted.share if self.sources else 0.0
        items = tuple(self._find(sample))
        private = tuple(item.text for found in items for item in found.items if item.trust is Trust.USER)
        prompts = {}
        for name, generator, own, limit in self._list_readers(playbook):
            fill = partial(self.method.context, self.state, own, sample)
            context = assemble(generator.frame(sample), fill, items, limit, share=share)
            specific = [item.label for item in context.items if item.source == "playbook"]
            ids = [bullet for bullet in (*context.bullets, *specific) if bullet in own.bullets]
            contents = tuple(own.bullets[bullet].content for bullet in ids)
            prompts[name] = replace(context, contents=contents, private=private)
        team = find_team(self.generator.task.solver)
        return join_agents(prompts, team.start) if team else prompts[""]

    def _list_readers(self, playbook: Playbook) -> Iterator[tuple[str, Generator, Playbook, Limit]]:
        """Yield who is shown what: name, wording, the playbook as read, and the limit of the prompt."""
        team = find_team(self.generator.task.solver)
        if team is None:
            yield "", self.generator, playbook, self.limit
            return
        for agent in team.agents:
            tokens = int(self.limit.tokens * agent.share)
            reserve = min(self.limit.reserve, int(tokens * WRITER_SHARE))
            limit = replace(self.limit, tokens=tokens, reserve=reserve)
            yield (
                agent.name,
                self.generator.speak_as(agent),
                view_for(playbook, team, agent.name),
                limit,
            )

    def keep_vectors(self, playbook: Playbook) -> None:
        """Keep what was computed of a committed version, so that it need not be computed again.

        Call it in the store's thread. Where nothing was computed, as while the playbook fits, it costs
        nothing.
        """
        if self.vectors is None or not self.vectors.pending:
            return
        new = []
        for name in find_changed(self.kept, playbook):
            bullet = playbook.bullets.get(name)
            if bullet is not None and bullet.live:
                new.append(bullet.content)
        self.vectors.keep(new)
        self.kept = playbook

    def expect(self, samples: Sequence[Sample]) -> None:
        """Take note of samples that will be attempted, in their order."""
        if self.selector is not None:
            self.selector.expect(sample.question for sample in samples)

    def _find(self, sample: Sample) -> Iterator[SourceItems]:
        """Yield what each source finds for a question. Raises ContextError where one fails."""
        fields = {name: sample.data[name] for name in self.wanted.fields if name in sample.data}
        for source in self.sources:
            try:
                yield SourceItems(source.name, tuple(source.items(sample.question, fields)))
            except AceError:
                raise
            except Exception as error:  # a retriever of somebody's own: the sample counts, with its reason
                what = describe_error(error)
                raise ContextError(f"The source {source.name} failed ({what:.300}).") from error


class TokenCache:
    """Count the tokens of texts, and remember it: many lines in one cache, a few prompts in another.

    Copies in another process share their caches there.
    """

    def __init__(self, count: CountTokens, name: str = "") -> None:
        """Count with `count`. `name` identifies this cache and its copies; "" lets it make one of its own."""
        self._count, self._name = count, name or uuid4().hex
        self._count_line = lru_cache(_LINES)(count)
        self._count_prompt = lru_cache(_PROMPTS)(count)

    def __call__(self, text: str) -> int:
        """Return the number of tokens."""
        return self._count_line(text) if len(text) <= _LINE else self._count_prompt(text)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to find, or make, the copy of another process."""
        return _share_cache, (self._name, self._count)


_COPIES: dict[str, TokenCache] = {}


def _share_cache(name: str, count: CountTokens) -> TokenCache:
    """Return this process's copy of a cache that another process has."""
    return _COPIES.setdefault(name, TokenCache(count, name))


def build_contexts(
    task: Task,
    store: Store,
    models: RoleModels,
    settings: Settings,
    sources: tuple[Source, ...] | None = None,
) -> Contexts:
    """Return what assembles the context of every sample; `sources`, where the task's are at hand already.

    Raises InputError where there is no room, or no such source or method. Nothing is asked of a model.
    """
    limit = limit_of(models.generator, settings.budget, task.max_tokens)
    embedder = connect_embedder(task.context.embedder or DEFAULT_EMBEDDER)
    vectors = choose = None
    if settings.select == Select.HYBRID:
        vectors = VectorCache(store.path, embedder)
        choose = HybridSelector(vectors)
    method = build_method(models, settings, Equipment(limit.count, choose, embedder))
    generator = Generator(models.generator, task, method.cites)
    solver = build_solver(generator, task, limit.count, settings, find_method(settings.method).manner)
    limit = replace(limit, reserve=min(solver.reserve, int(limit.tokens * WRITER_SHARE)))
    all_sources = build_sources(task, store) if sources is None else sources
    return Contexts(method, generator, solver, limit, task.context, all_sources, vectors, selector=choose)


def limit_of(client: Client, budget: int, max_tokens: int) -> Limit:
    """Return `budget`, or what the model's window has room for beside `max_tokens` of an answer.

    All are in tokens, counted by the model's own tokenizer where it is known, and estimated else. Of a
    known window a prompt gets three quarters at most. Counts are cached, for all threads. Raises InputError
    when the answer alone would fill the window.
    """
    window = window_of(client)
    counter = client.model if window.count else "estimate"
    count_cached = TokenCache(window.count or estimate_tokens)
    if window.tokens is None:
        return Limit(budget, count_cached, counter)
    rest = window.tokens - max_tokens
    if rest <= 0:
        raise InputError(
            f"{client.model} reads {window.tokens} tokens, and an answer may take {max_tokens} of them.",
            hint="Give the task a smaller max_tokens, or use a model with a longer context.",
        )
    return Limit(min(budget, int(window.tokens * WINDOW_SHARE), rest), count_cached, counter)
