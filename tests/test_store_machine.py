"""Stores on one file and a pure fold run the same random programs and must agree after every step.

The programs commit (from two stores that have seen different heads, and from a process that dies between two
statements), branch, switch, merge, revert, tag, run, say what they think of answers, reopen and look back.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ace.errors import MergeConflict, StoreConflict
from ace.playbook import (
    Add,
    Delta,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Rejection,
    Revise,
    Status,
    Vote,
    apply,
    diff,
    find_lost_votes,
    join,
    touched_ids,
)
from ace.store import AnswerFeedback, Commit, Store
from ace.store.store_database import Place, parse_place
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.postgres_server import as_anybody, shared_server, why_not
from tests.strategies import by_section, deltas, live, operations

WRITERS = st.integers(0, 1)
SHARE = st.floats(0, 1)  # picks one of however many there are
SMALL = operations().map(lambda operation: (operation,))  # often touches what nobody else does


@dataclass(frozen=True)
class Known:
    """Hold a version as the pure fold has it."""

    branch: str
    parent: int
    merged: int | None
    playbook: Playbook
    operations: Delta


Edits = list[tuple[int, Operation]]  # with the numbers of their versions


def conflicts(mine: Edits, theirs: Edits) -> set[str]:
    """The bullets of two operations that are both no votes, but for adds of the same."""
    both = set[str]()
    for _, a in mine:
        for _, b in theirs:
            if not isinstance(a, Vote) and not isinstance(b, Vote):
                both |= set(touched_ids(a)) & set(touched_ids(b))
    return {key for key in both if said(mine, key, Quarantine) != said(theirs, key)}


def said(edits: Edits, key: str, *harmless: type) -> object:
    """What was added as this bullet, if nothing that was done to it since changes that."""
    own = [each for _, each in edits if key in touched_ids(each) and not isinstance(each, Vote)]
    adds = [each for each in own if isinstance(each, Add)]
    harmless = harmless or (Quarantine, Promote, Pin, Revise)
    if len(adds) != 1 or not all(isinstance(each, (Add, *harmless)) for each in own):
        return own
    if any(isinstance(each, Revise) and each.content != adds[0].content for each in own):
        return own
    return adds[0].section, adds[0].content


def joined_adds(mine: Delta, theirs: Edits, playbook: Playbook) -> Iterator[Operation]:
    """What is left of a delta where others have added the same."""
    common = {each.id for each in mine if isinstance(each, Add)}
    common &= {each.id for _, each in theirs if isinstance(each, Add)}
    for operation in mine:
        if not isinstance(operation, Add | Quarantine) or operation.id not in common:
            yield operation
        elif isinstance(operation, Add):
            old = playbook.bullets[operation.id]
            grounds = (
                *old.provenance,
                *(each for each in operation.provenance if each not in old.provenance),
            )
            if tuple(dict.fromkeys(grounds)) != old.provenance:
                yield Revise(operation.id, operation.content, tuple(dict.fromkeys(grounds)))
            later = {at for at, each in theirs if each == Quarantine(operation.id)}
            later -= {at for at, each in theirs if isinstance(each, Add) and each.id == operation.id}
            if old.status is Status.QUARANTINED and Quarantine(operation.id) not in mine and not later:
                yield Promote(operation.id)


class StoreMachine(RuleBasedStateMachine):
    """`versions[n]` is what version n is by the pure fold, `heads` the newest one of each branch."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.choose_place()
        self.versions = [Known("main", -1, None, Playbook(), ())]
        self.heads = {"main": 0}
        self.tags: dict[str, int] = {}
        self.rejected = 0
        self.waiting = set[int]()  # feedback that no step has named

    def choose_place(self) -> Place:
        """Return where the playbook is made."""
        return self.folder / "playbook.db"

    @initialize()
    def open(self) -> None:
        self.writers = [Store.open(self.file), Store.open(self.file)]
        self.reader = Store.open(self.file, read_only=True)  # looking through a writer would refresh it
        self.seen = [writer.head().number for writer in self.writers]

    # What the fold says

    def on(self, who: int) -> str:
        return self.writers[who].branch_name

    def head(self, who: int) -> int:
        return self.heads[self.on(who)]

    def pick(self, share: float) -> int:
        return round(share * (len(self.versions) - 1))

    def line(self, version: int) -> Iterator[int]:
        while version >= 0:
            yield version
            version = self.versions[version].parent

    def behind(self, version: int) -> set[int]:
        """Return the version and all versions that it has taken in."""
        known = self.versions[version]
        parents = [each for each in (known.parent, known.merged) if each not in (None, -1)]
        return {version}.union(*(self.behind(parent) for parent in parents if parent is not None))

    # Programs

    @rule(who=WRITERS, delta=SMALL | deltas(wild=True))
    def commit(self, who: int, delta: Delta) -> None:
        new = [at for at in self.line(self.head(who)) if at > self.seen[who]]
        since = [(at, operation) for at in new for operation in self.versions[at].operations]
        own = [(-1, operation) for operation in delta]
        before = self.versions[self.head(who)].playbook
        self.seen[who] = self.head(who)
        try:
            done = self.writers[who].commit(delta, author="curator", reason="r")
        except StoreConflict:
            assert conflicts(own, since)
            return
        assert not conflicts(own, since)
        self.follow(who, tuple(joined_adds(delta, since, before)), done)

    @rule(branch=SHARE, delta=SMALL | deltas(), statement=st.integers(1, 24))
    def commit_in_a_process_that_may_die(self, branch: float, delta: Delta, statement: int) -> None:
        name = sorted(self.heads)[round(branch * (len(self.heads) - 1))]
        child = os.fork()
        if not child:
            commit_and_die(self.file, name, delta, statement)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return
        assert os.WEXITSTATUS(status) == 0
        self.note(name, delta, None)

    @rule(who=WRITERS, share=SHARE)
    def revert(self, who: int, share: float) -> None:
        to = self.versions[self.pick(share)].playbook
        delta = diff(self.versions[self.head(who)].playbook, to)
        done = self.writers[who].revert(self.pick(share), author="user", reason="worse")
        assert by_section(done.playbook) == by_section(to)
        assert done.rejections == ()
        self.follow(who, delta, done)

    @rule(who=WRITERS, share=SHARE, name=st.sampled_from("abc"))
    def branch(self, who: int, share: float, name: str) -> None:
        if name not in self.heads:
            self.writers[who].branch(name, at=self.pick(share))
            self.heads[name] = self.pick(share)

    @rule(who=WRITERS, share=SHARE)
    def switch(self, who: int, share: float) -> None:
        name = sorted(self.heads)[round(share * (len(self.heads) - 1))]
        self.seen[who] = self.writers[who].switch(name).number
        assert self.seen[who] == self.heads[name]

    @rule(who=WRITERS, share=SHARE, prefer=st.sampled_from((None, None, "ours", "theirs")))
    def merge(self, who: int, share: float, prefer: str | None) -> None:
        ours, theirs = self.head(who), self.pick(share)
        base = max(self.behind(ours) & self.behind(theirs))
        joined, conflicts = join(
            self.versions[base].playbook,
            self.versions[ours].playbook,
            self.versions[theirs].playbook,
            prefer,  # type: ignore[arg-type]
        )
        self.seen[who] = ours
        try:
            done = self.writers[who].merge(theirs, author="user", prefer=prefer)  # type: ignore[arg-type]
        except MergeConflict as error:
            assert error.details["bullets"] == conflicts != ()
            return
        if base == theirs:
            assert done.version.number == ours
            return
        assert conflicts == ()
        assert by_section(done.playbook) == by_section(joined)
        mine = self.versions[ours].playbook
        late = find_lost_votes(mine, joined)
        assert all(
            each.operation in late and not mine.bullets[each.operation.id].live for each in done.rejections
        )
        self.follow(who, (*late, *diff(mine, joined)), done, merged=theirs)

    @rule(who=WRITERS, share=SHARE, name=st.sampled_from(("prod", "best")))
    def tag(self, who: int, share: float, name: str) -> None:
        self.writers[who].tag(name, self.pick(share))
        self.tags[name] = self.pick(share)

    @rule(who=WRITERS, steps=st.integers(0, 2), done=st.booleans())
    def work(self, who: int, steps: int, done: bool) -> None:
        """Store a run whose steps change no bullet, and feedback on its answers."""
        store = self.writers[who]
        run = store.start_run("learn", "shop", {})
        self.seen[who] = store.head().number
        for number in range(steps):
            told = Feedback(FeedbackKind.NONE, "")
            seen = Episode(f"e{number}", "s", "?", Attempt("s", "1"), told, Verdict(False, 0), 0)
            learned = sorted(self.waiting)[:number]
            step = (number, "epoch 1", {"feedback": learned})
            store.commit((), author="a", reason="r", run=run, step=step, episodes=[seen])
            self.waiting.difference_update(learned)
            row = store.add_feedback(AnswerFeedback(seen.id, right=False))
            self.waiting.add(row.number)
        if done:
            store.finish_run(run, "done", {})

    @rule(statement=st.integers(1, 24))
    def learn_in_a_process_that_may_die(self, statement: int) -> None:
        """Let a step name what waits: both are kept, or neither."""
        with Store.open(self.file) as store:
            run = store.start_run("online", "shop", {})
        child = os.fork()
        if not child:
            learn_and_die(self.file, run, sorted(self.waiting), statement)
        _, status = os.waitpid(child, 0)
        if self.reader.steps(run):
            self.waiting.clear()
        assert os.WIFSIGNALED(status) or (os.WEXITSTATUS(status) == 0 and not self.waiting)

    @rule()
    def verify(self) -> None:
        assert self.reader.verify() == []

    @rule(who=WRITERS)
    def reopen(self, who: int) -> None:
        branch = self.on(who)
        self.writers[who].close()
        self.writers[who] = Store.open(self.file, create=False, branch=branch)
        self.seen[who] = self.writers[who].head().number

    @rule(share=SHARE)
    def look_back(self, share: float) -> None:
        version = self.pick(share)
        assert self.reader.checkout(version) == self.versions[version].playbook
        assert self.reader.operations(version) == self.versions[version].operations
        assert [v.number for v in self.reader.log(version=version)] == list(self.line(version))

    def follow(self, who: int, delta: Delta, done: Commit, merged: int | None = None) -> None:
        """Check the store against the fold, one operation at a time."""
        rejections = self.note(self.on(who), delta, merged)
        self.seen[who] = self.head(who)
        assert done.rejections == rejections
        assert done.playbook == self.versions[self.head(who)].playbook
        assert done.version.number == self.head(who)

    def note(self, branch: str, delta: Delta, merged: int | None) -> tuple[Rejection, ...]:
        parent = self.heads[branch]
        playbook, applied, rejections = self.versions[parent].playbook, list[Operation](), list[Rejection]()
        for operation in delta:
            playbook, refused = apply(playbook, (operation,))
            rejections += refused
            applied += () if refused else (operation,)
        if applied or merged is not None:
            self.heads[branch] = len(self.versions)
            self.versions.append(Known(branch, parent, merged, playbook, tuple(applied)))
        self.rejected += len(rejections)
        return tuple(rejections)

    @invariant()
    def what_no_step_names_waits(self) -> None:
        for task in (None, "shop"):
            rows = self.reader.feedback(task, unlearned=True)
            assert [row.number for row in rows] == sorted(self.waiting)
        assert self.reader.count_unlearned("shop") == len(self.waiting)

    @invariant()
    def every_head_is_the_fold(self) -> None:
        assert self.reader.head().number == self.heads["main"]
        assert {branch.name: branch.version for branch in self.reader.branches()} == self.heads
        assert {tag.name: tag.version for tag in self.reader.tags()} == self.tags
        for branch, head in self.heads.items():
            assert self.reader.checkout(branch) == self.versions[head].playbook

    def teardown(self) -> None:
        for branch, head in self.heads.items():
            with Store.open(self.file, branch=branch) as fresh:
                assert fresh.checkout() == self.versions[head].playbook
                assert live(fresh.checkout()) == live(self.versions[head].playbook)
                assert fresh.verify() == []
        log = reversed(self.reader.log(every_branch=True))
        assert [v.operations for v in log] == [len(known.operations) for known in self.versions]
        with as_anybody(self.file) as db:
            assert db.execute("SELECT count(*) FROM rejected_operations").fetchone() == (self.rejected,)
            main = self.versions[self.heads["main"]].playbook
            for view, status in (("head_bullets", "active"), ("quarantined_bullets", "quarantined")):
                found = [row[0] for row in db.execute(f"SELECT id FROM {view}")]
                assert found == [bullet.id for bullet in main if bullet.status.value == status]
        for store in (*self.writers, self.reader):
            store.close()
        shutil.rmtree(self.folder)


class ServerMachine(StoreMachine):
    """The same on a server."""

    def choose_place(self) -> Place:
        return parse_place(shared_server().address())


def commit_and_die(file: Place, branch: str, delta: Delta, statement: int) -> None:
    """In a child: commit, but die before the given statement of the transaction. Never returns."""
    status = 1
    try:
        store = Store.open(file, branch=branch)
        store.head()
        die_at(store, statement)
        store.commit(delta, author="curator", reason="r")
        status = 0
    finally:
        os._exit(status)


def learn_and_die(file: Place, run: int, learned: list[int], statement: int) -> None:
    """In a child: commit a step that names feedback, but die before the given statement. Never returns."""
    status = 1
    try:
        store = Store.open(file)
        store.head()
        die_at(store, statement)
        step = (0, "online", {"feedback": learned})
        store.commit((), author="curator", reason="r", run=run, step=step)
        status = 0
    finally:
        os._exit(status)


def die_at(store: Store, statement: int) -> None:
    """Have this process killed before the given statement of the next transaction."""
    left = [statement]

    def count(sql: str) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        if sql == "COMMIT":  # what comes after it is kept
            left[0] = 0

    store._db.set_trace_callback(count)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestServerStore = pytest.mark.skipif(bool(why_not()), reason=why_not())(ServerMachine.TestCase)
TestServerStore.settings = settings(TestStore.settings, max_examples=6)
