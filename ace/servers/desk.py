"""What the tools of the server do. Knows nothing about the protocol.

Contexts come from the learner of a file, as they do in `ace.learner`, and outcomes go where `ace feedback`
puts them. What is in quarantine, or was removed, is shown to nobody here: a tool's result is read by a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ace.context import render_playbook
from ace.errors import AceError, InputError, UnknownVersion
from ace.llm.embedding import connect_embedder
from ace.loop.own_episode import end_by_report
from ace.playbook.delta import touched_ids
from ace.playbook.model import Bullet, Status
from ace.retrieval.bullets import HybridSelector
from ace.runs.records import AnswerFeedback, Version
from ace.safety.markup import neutralise
from ace.servers.arguments import (
    MOST_ROWS,
    Budget,
    PlaybookName,
    Query,
    Question,
    Rows,
    User,
    VersionName,
)
from ace.servers.lessons import propose_lesson
from ace.servers.results import (
    FoundBullet,
    FoundBullets,
    History,
    LessonReceipt,
    OutcomeReceipt,
    PlaybookRow,
    ShownContext,
    VersionPage,
    VersionRow,
)
from ace.servers.shelf import Shelf
from ace.store import Store
from ace.text import estimate_tokens
from ace.text.unicode import has_visible_text

_WAIT = 5.0  # seconds for another process's write


class Desk:
    """Serve the playbooks of a shelf. Every method may be called from any thread, several at once.

    `playbook` is the name of one; "" is the only one. Every method raises InputError for what cannot be used,
    and StoreError where the file is locked, read-only, damaged or gone. The docstrings of methods that are
    tools as they are, are read by models.
    """

    def __init__(self, shelf: Shelf, budget: int) -> None:
        """Name the files, and the most tokens of a context where the caller names none."""
        self.shelf = shelf
        self.budget = budget
        self._selector = HybridSelector(connect_embedder())

    def get_context(
        self, question: Question, user: User = "", budget: Budget = 0, playbook: PlaybookName = ""
    ) -> ShownContext:
        """Return the lessons that bear on a piece of work, as a text for the prompt.

        Call it before you begin. The result has a context_id, by which report_outcome says later what became
        of the work. That the context was given is recorded; the playbook does not change.
        """
        if not has_visible_text(question):
            raise InputError("The question is empty.", hint="Say what is to be done.")
        path = self.shelf.find(playbook)
        budget = budget or self.budget
        episode = self.shelf.learner(path).episode(question, user=user).begin(budget)
        return ShownContext(
            playbook=path.stem,
            context_id=episode.id,
            version=episode.version,
            bullets=list(episode.bullets),
            text=episode.context,
            tokens=estimate_tokens(episode.context),
            budget=budget,
        )

    def report_outcome(self, feedback: AnswerFeedback, answer: str, playbook: str) -> OutcomeReceipt:
        """Store what became of an answer. The first report ends the episode, with the answer."""
        path = self.shelf.find(playbook)
        with Store.open(path, create=False, timeout=_WAIT) as store:
            is_kept = end_by_report(store, feedback, answer)
        return OutcomeReceipt(playbook=path.stem, context_id=feedback.episode, answer_kept=is_kept)

    def propose_lesson(self, bullet: Bullet, reason: str, author: str, playbook: str) -> LessonReceipt:
        """Keep a lesson that was checked in quarantine. Raises LessonRefused."""
        path = self.shelf.find(playbook)
        with Store.open(path, create=False, timeout=_WAIT) as store:
            waiting, version = propose_lesson(store, bullet, reason, author)
        return LessonReceipt(
            playbook=path.stem, bullet=waiting.id, status=waiting.status.value, version=version.number
        )

    def search_bullets(self, query: Query, limit: Rows = 10, playbook: PlaybookName = "") -> FoundBullets:
        """Return the lessons that come nearest to some words or a question, by words and by meaning."""
        with self._reading(playbook) as store:
            version = store.head().number
            at_head = store.checkout(version)
        rows = [_make_row(at_head.bullets[name]) for name in self._selector.search(at_head, query, limit)]
        return FoundBullets(playbook=store.path.stem, version=version, bullets=rows)

    def history(self, limit: Rows = 20, playbook: PlaybookName = "") -> History:
        """Return the newest versions of the playbook: who changed it, when and why."""
        with self._reading(playbook) as store:
            versions = store.log(limit)
        return History(playbook=store.path.stem, versions=[_describe_version(row) for row in versions])

    def show_version(self, version: VersionName = "", playbook: PlaybookName = "") -> VersionPage:
        """Return one version of the playbook: the lessons in it, and what it changed."""
        with self._reading(playbook) as store:
            number = store.head().number if version == "" else store.find_version(version)
            (row,) = store.log(1, version=number)
            operations = store.operations(number)
            rendered = render_playbook(store.checkout(number), self.budget)
        changes = []
        for operation in operations[:MOST_ROWS]:  # without texts: some may be in quarantine by now
            changes.append(f"{operation.op} {' '.join(touched_ids(operation))}")
        text = rendered.text
        if rendered.left_out:
            text = f"{text}\n({sum(item.count for item in rendered.left_out)} more bullets: no room.)\n"
        return VersionPage(
            playbook=store.path.stem,
            version=_describe_version(row),
            changes=changes,
            bullets=list(rendered.bullets),
            left_out=sum(item.count for item in rendered.left_out),
            text=text,
        )

    def list_playbooks(self) -> list[PlaybookRow]:
        """Return the playbooks that are served here, by name."""
        rows = []
        for name in self.shelf.list_paths():
            row = PlaybookRow(name=name, version=0, bullets=0, problem="")
            try:
                with self._reading(name) as store:
                    row.version = store.head().number
                    row.bullets = len(store.checkout(row.version).active)
            except AceError as error:
                row.problem = str(error)
            rows.append(row)
        return rows

    def show_bullet(self, name: str, playbook: str = "") -> FoundBullet:
        """Return an active bullet. Raises UnknownVersion for any other, and says what became of it."""
        with self._reading(playbook) as store:
            bullet = store.checkout_part([name]).bullets.get(name)
        hint = "search_bullets finds those that are in use."
        if bullet is None:
            raise UnknownVersion(f"There is no bullet {name!r:.60}.", hint=hint)
        if bullet.status is not Status.ACTIVE:
            raise UnknownVersion(f"The bullet {name} is not in use: {bullet.status.value}.", hint=hint)
        return _make_row(bullet)

    @contextmanager
    def _reading(self, playbook: str) -> Iterator[Store]:
        """Open a playbook to read it."""
        path = self.shelf.find(playbook)
        with Store.open(path, create=False, read_only=True, timeout=_WAIT) as store:
            yield store


def _make_row(bullet: Bullet) -> FoundBullet:
    """Return a bullet as it may stand in a prompt."""
    return FoundBullet(
        id=bullet.id,
        section=neutralise(bullet.section),
        content=neutralise(bullet.content),
        helpful=bullet.helpful,
        harmful=bullet.harmful,
    )


def _describe_version(version: Version) -> VersionRow:
    """Return a version as it may stand in a prompt."""
    return VersionRow(
        number=version.number,
        parent=version.parent,
        branch=version.branch,
        author=neutralise(version.author),
        reason=neutralise(version.reason),
        created=version.created,
        changes=version.operations,
    )
