"""Two stores on one file and a pure fold run the same random programs and must agree after every step."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ace.errors import StoreConflict
from ace.playbook import Delta, Operation, Playbook, Rejection, Vote, apply, diff, touched
from ace.store import Commit, Store
from tests.strategies import deltas, live, operations

WRITERS = st.integers(0, 1)
SMALL = operations().map(lambda operation: (operation,))  # often touches what nobody else does


def conflict(mine: Delta, theirs: Delta) -> bool:
    """Two operations on one bullet that are not both votes."""
    return any(
        set(touched(a)) & set(touched(b)) and not (isinstance(a, Vote) and isinstance(b, Vote))
        for a in mine
        for b in theirs
    )


class StoreMachine(RuleBasedStateMachine):
    """`playbooks[n]` and `operations[n]` are what version n is by the pure fold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "playbook.db"
        self.playbooks: list[Playbook] = [Playbook()]
        self.operations: list[Delta] = [()]
        self.rejected = 0

    @initialize()
    def open(self) -> None:
        self.writers = [Store.open(self.file), Store.open(self.file)]
        self.reader = Store.open(self.file, read_only=True)  # looking through a writer would refresh it
        self.seen = [writer.head().number for writer in self.writers]

    @property
    def head(self) -> int:
        return len(self.playbooks) - 1

    @rule(who=WRITERS, delta=SMALL | deltas(wild=True))
    def commit(self, who: int, delta: Delta) -> None:
        since = tuple(operation for theirs in self.operations[self.seen[who] + 1 :] for operation in theirs)
        self.seen[who] = self.head
        try:
            done = self.writers[who].commit(delta, author="curator", reason="r")
        except StoreConflict:
            assert conflict(delta, since)
            return
        assert not conflict(delta, since)
        self.follow(who, delta, done)

    @rule(who=WRITERS, share=st.floats(0, 1))
    def revert(self, who: int, share: float) -> None:
        to = round(share * self.head)
        done = self.writers[who].revert(to, author="user", reason="worse")
        assert live(done.playbook) == live(self.playbooks[to])
        self.follow(who, diff(self.playbooks[-1], self.playbooks[to]), done)
        assert done.rejections == ()

    def follow(self, who: int, delta: Delta, done: Commit) -> None:
        """What the store did must be what the fold says, one operation at a time."""
        playbook, applied, rejections = self.playbooks[-1], list[Operation](), list[Rejection]()
        for operation in delta:
            playbook, refused = apply(playbook, (operation,))
            rejections += refused
            applied += () if refused else (operation,)
        if applied:
            self.playbooks.append(playbook)
            self.operations.append(tuple(applied))
        self.rejected += len(rejections)
        self.seen[who] = self.head
        assert done.rejections == tuple(rejections)
        assert done.playbook == playbook
        assert done.version.number == self.head

    @rule(who=WRITERS)
    def reopen(self, who: int) -> None:
        self.writers[who].close()
        self.writers[who] = Store.open(self.file, create=False)
        self.seen[who] = self.writers[who].head().number

    @rule(share=st.floats(0, 1))
    def look_back(self, share: float) -> None:
        version = round(share * self.head)
        assert self.reader.checkout(version) == self.playbooks[version]
        assert self.reader.operations(version) == self.operations[version]

    @invariant()
    def the_head_is_the_fold(self) -> None:
        assert self.reader.head().number == self.head
        assert self.reader.checkout() == self.playbooks[-1]

    def teardown(self) -> None:
        with Store.open(self.file) as fresh:
            assert fresh.checkout() == self.playbooks[-1]
            assert [v.operations for v in reversed(fresh.log())] == [len(ops) for ops in self.operations]
            assert fresh.verify() == []
        with sqlite3.connect(self.file) as db:
            assert db.execute("SELECT count(*) FROM rejected_operations").fetchone() == (self.rejected,)
        for store in (*self.writers, self.reader):
            store.close()
        shutil.rmtree(self.folder)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
