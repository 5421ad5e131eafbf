"""What the tools of the server do, as functions of plain values. Knows nothing about the protocol.

Contexts come from the learner of a file, as they do in `ace.learner`, and outcomes go where `ace feedback`
puts them. What is in quarantine, or was removed, is shown to nobody here: a tool's result is read by a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ace.context import Rendered, render_playbook
from ace.errors import AceError, InputError, UnknownVersion
from ace.llm.embedding import connect_embedder
from ace.loop.own_episode import end_by_report, read_feedback
from ace.playbook.delta import touched_ids
from ace.playbook.model import Bullet, Operation, Status
from ace.retrieval.bullets import HybridSelector
from ace.runs.records import Version
from ace.safety.markup import neutralise
from ace.serve.lessons import Lesson, propose_lesson
from ace.serve.results import (
    FoundBullet,
    FoundBullets,
    History,
    LessonReceipt,
    OutcomeReceipt,
    PlaybookList,
    PlaybookRow,
    ShownContext,
    VersionPage,
    VersionRow,
)
from ace.serve.shelf import Shelf, name_of
from ace.store import Ref, Store
from ace.text import estimate_tokens
from ace.text.unicode import has_visible_text

_WAIT = 5.0  # seconds for another process's write
_MOST_CHANGES = 100  # that are listed of a version


class Desk:
    """Serve the playbooks of a shelf. Every method may be called from any thread, several at once.

    `playbook` is the name of one; "" is the only one. `author` is whoever calls. Every method raises
    InputError for what cannot be used, and StoreError where the file is locked, read-only, damaged or gone.
    """

    def __init__(self, shelf: Shelf, budget: int) -> None:
        """Name the files, and the most tokens of a context where the caller names none."""
        self.shelf = shelf
        self.budget = budget
        self._selector = HybridSelector(connect_embedder())

    def get_context(
        self, question: str, user: str = "", budget: int | None = None, playbook: str = ""
    ) -> ShownContext:
        """Return what a prompt should hold for a question, and begin an episode, whose id it has."""
        if not has_visible_text(question):
            raise InputError("The question is empty.", hint="Say what is to be done.")
        path = self.shelf.find(playbook)
        budget = budget or self.budget
        episode = self.shelf.learner(path).episode(question, user=user).begin(budget)
        return ShownContext(
            playbook=name_of(path),
            context_id=episode.id,
            version=episode.version,
            bullets=list(episode.bullets),
            text=episode.context,
            tokens=estimate_tokens(episode.context),
            budget=budget,
        )

    def report_outcome(
        self,
        context_id: str,
        *,
        author: str,
        right: bool | None = None,
        score: float | None = None,
        feedback: str = "",
        expected: str = "",
        answer: str = "",
        playbook: str = "",
    ) -> OutcomeReceipt:
        """Store what became of an answer. The first report ends the episode, with the answer."""
        path = self.shelf.find(playbook)
        row = read_feedback(
            context_id, right=right, score=score, expected=expected, text=feedback, author=author
        )
        if row is None:
            hint = "Give outcome, score, expected or feedback."
            raise InputError("This says nothing of the outcome.", hint=hint)
        with Store.open(path, create=False, timeout=_WAIT) as store:
            is_kept = end_by_report(store, row, answer)
        return OutcomeReceipt(playbook=name_of(path), context_id=context_id, answer_kept=is_kept)

    def search_bullets(self, query: str, limit: int, playbook: str = "") -> FoundBullets:
        """Return active bullets, those first that bear most on the query by words and by meaning."""
        with self._reading(playbook) as store:
            version = store.head().number
            bullets = {bullet.id: bullet for bullet in store.checkout(version).active}
        order = self._selector.rank(bullets, query)[:limit]
        rows = [_make_row(bullets[name]) for name in order]
        return FoundBullets(playbook=name_of(store.path), version=version, bullets=rows)

    def propose_lesson(self, lesson: Lesson, author: str, playbook: str = "") -> LessonReceipt:
        """Keep a lesson in quarantine. Raises LessonRefused."""
        path = self.shelf.find(playbook)
        with Store.open(path, create=False, timeout=_WAIT) as store:
            decision = propose_lesson(store, lesson, author)
        return LessonReceipt(
            playbook=name_of(path),
            bullet=decision.bullet,
            status=decision.status.value,
            is_new=decision.is_new,
            version=decision.version,
        )

    def history(self, limit: int, playbook: str = "") -> History:
        """Return the newest versions."""
        with self._reading(playbook) as store:
            versions = store.log(limit)
        return History(playbook=name_of(store.path), versions=[_describe_version(each) for each in versions])

    def show_version(self, version: Ref | None, playbook: str = "") -> VersionPage:
        """Return one version: what it changed, and its active bullets. None is the newest."""
        with self._reading(playbook) as store:
            head = store.head()
            number = head.number if version is None else store.find_version(version)
            row = head if number == head.number else store.log(1, version=number)[0]
            operations = store.operations(number)
            rendered = render_playbook(store.checkout(number), self.budget)
        return VersionPage(
            playbook=name_of(store.path),
            version=_describe_version(row),
            changes=[_describe_change(operation) for operation in operations[:_MOST_CHANGES]],
            bullets=list(rendered.bullets),
            left_out=len(rendered.left_out),
            text=_note_left_out(rendered),
        )

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

    def list_playbooks(self) -> PlaybookList:
        """Return what is served. One that cannot be read is in the list with the reason."""
        rows = []
        for name, path in self.shelf.list_paths().items():
            row = PlaybookRow(name=name_of(path), version=0, bullets=0, problem="")
            try:
                with self._reading(name) as store:
                    row.version = store.head().number
                    row.bullets = len(store.checkout(row.version).active)
            except AceError as error:
                row.problem = str(error)
            rows.append(row)
        return PlaybookList(playbooks=rows)

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


def _describe_change(operation: Operation) -> str:
    """Return what an operation does to which bullets, without texts: some may be in quarantine now."""
    return f"{operation.op} {' '.join(touched_ids(operation))}"


def _note_left_out(rendered: Rendered) -> str:
    """Return a playbook as text, with a line that says how much of it is missing."""
    if not rendered.left_out:
        return rendered.text
    return f"{rendered.text}\n({len(rendered.left_out)} more bullets: no room.)\n"
