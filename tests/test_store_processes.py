"""Many processes at once, and processes that die: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from ace.errors import StoreConflict
from ace.playbook import Add, Revise, Vote
from ace.store import Store
from ace.store.store_database import parse_place
from tests.pace import patience
from tests.postgres_server import FILE_ONLY, as_anybody

ROOT = Path(__file__).parent.parent

VOTER = """
import sys
from ace.playbook import Add, Vote
from ace.store import Store
path, name, count = sys.argv[1:]
with Store.open(path, timeout=600) as store:
    for number in range(int(count)):
        delta = (Vote("shared", 1, number % 2), Add(f"{name}-{number}", "notes", "mine"))
        store.commit(delta, author=name, reason=str(number))
"""

# Writes as fast as it can, from the moment when all are ready.
RACER = """
import sys
from ace.playbook import Add
from ace.store import Store
path, name, count = sys.argv[1:]
with Store.open(path, timeout=60) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        store.commit((Add(f"{name}-{number}", "notes", "mine"),), author=name, reason=str(number))
"""

# Forks writers for as long as it is asked to: imports are paid once. Reads "FILE SEED", kills one, says what
# it had acknowledged.
KILLER = """
import os, random, select, signal, sys, time
from ace.playbook import Add, Vote
from ace.store import Store

def write(file, pipe):
    with Store.open(file, timeout=600) as store:
        run = store.start_run("learn", "shop", {})
        for number in range(100_000):
            delta = (Add(f"b{run}-{number}", "notes", "text " * 200), Vote("shared", 1))
            done = store.commit(delta, author="curator", reason="r", run=run, step=(number, "epoch 1", {}))
            os.write(pipe, f"{run} {number} {done.version.number};".encode())

for line in sys.stdin:
    file, seed = line.split()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        write(file, theirs)
    os.close(theirs)
    if int(seed) % 2:  # however slow the machine is, something was acknowledged
        select.select([ours], [], [], 60)
    time.sleep(random.Random(seed).uniform(0.002, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(ours) as told:
        print(told.read(), flush=True)
"""

# Dies at the first statement that starts with argv[2], inside the transaction of a full commit.
DIES_AT = """
import os, signal, sys
from ace.playbook import Add, Remove
from ace.store import Proposal, Store
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
with Store.open(sys.argv[1]) as store:
    run = store.start_run("learn", "shop", {})
    print(run, flush=True)
    blind = Feedback(FeedbackKind.NONE, "")
    seen = Episode("e1", "s1", "?", Attempt("s1", ""), blind, Verdict(False, 0.0), 0)
    offer = Proposal("s1", "curator", (Remove("a"),), "rejected", "no")
    def die(sql):
        if sql.startswith(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    store._db.set_trace_callback(die)
    store.commit((Add("new", "notes", "text"), Remove("ghost")), author="curator", reason="r", run=run,
                 step=(1, "epoch 1", {}), episodes=[seen], proposals=[offer])
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def file(place: Path | str) -> Path | str:
    with Store.open(place) as store:
        store.commit((Add("shared", "notes", "everyone votes"),), author="user", reason="start")
    return place


def test_eight_processes_lose_no_delta_and_no_vote(file: Path | str) -> None:
    count = 500 if isinstance(file, Path) else 24
    processes = [start(VOTER, file, f"p{number}", count) for number in range(8)]
    with Store.open(file, read_only=True) as reader:
        seen = [len(reader.checkout()) for _ in range(20)]  # readers do not wait, and never see less
    assert [process.wait(patience(120)) for process in processes] == [0] * 8
    assert seen == sorted(seen)
    with Store.open(file) as store:
        assert len(store.log()) == 8 * count + 2  # the empty playbook, the start, and all deltas
        shared = store.checkout().bullets["shared"]
        assert (shared.helpful, shared.harmful) == (8 * count, 4 * count)
        assert len(store.checkout()) == 8 * count + 1
        assert store.verify() == []


@FILE_ONLY  # a server's lock is a queue
def test_eight_busy_processes_take_turns(file: Path | str) -> None:
    """Nobody is done while another still waits for a first chance: each gets on like the others.

    Between two commits of one writer the others make at most 160. They take about a second on a busy machine,
    so that no commit waits for five.
    """
    count, writers = 60, [f"p{number}" for number in range(8)]
    processes = []
    for name in writers:
        command = [sys.executable, "-c", RACER, str(file), name, str(count)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=patience(120))
        assert process.returncode == 0
    with Store.open(file, read_only=True) as store:
        authors = [version.author for version in reversed(store.log())][2:]
    at_work = authors[: 1 + min(len(authors) - 1 - authors[::-1].index(name) for name in writers)]
    assert min(at_work.count(name) for name in writers) >= count // 4
    for name in writers:
        places = [-1, *(place for place, author in enumerate(authors) if author == name)]
        assert len(places) == count + 1
        assert max(after - before - 1 for before, after in pairwise(places)) <= 20 * len(writers)


def test_eight_threads_lose_no_vote_on_either_branch(file: Path | str) -> None:
    def vote(number: int) -> None:
        with Store.open(file, timeout=600, branch=("main", "trial")[number % 2]) as store:
            for _ in range(50):
                store.commit((Vote("shared", 1),), author=f"t{number}", reason="r")

    with Store.open(file) as store:
        store.branch("trial")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(vote, range(8)))
        assert [store.checkout(name).bullets["shared"].helpful for name in ("main", "trial")] == [200, 200]
        assert store.merge("trial", author="user").playbook.bullets["shared"].helpful == 400
        assert store.verify() == []


def test_processes_that_make_the_same_new_playbook_share_it(place: Path | str) -> None:
    processes = [start(VOTER, place, f"p{number}", 5) for number in range(3)]
    assert [process.wait(patience(120)) for process in processes] == [0] * 3
    with Store.open(place) as store:
        assert store.head().number == 15
        assert store.verify() == []


@pytest.mark.parametrize(("place", "files"), [("sqlite", 20), ("postgres", 2)], indirect=["place"])
def test_killed_processes_lose_nothing_they_were_told_is_kept(place: Path | str, files: int) -> None:
    command = [sys.executable, "-c", KILLER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    died_early = 0
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as killer:
        assert killer.stdin and killer.stdout
        for number in range(files):
            file = f"{place}_{number}"  # small playbooks keep the checks quick
            with Store.open(file) as store:
                store.commit((Add("shared", "notes", "everyone votes"),), author="user", reason="start")
            acknowledged: list[tuple[int, ...]] = []
            for kill in range(10):
                print(file, 10 * number + kill, file=killer.stdin, flush=True)
                told = killer.stdout.readline().strip().split(";")[:-1]
                acknowledged += [tuple(map(int, line.split())) for line in told]
                died_early += not told
                if isinstance(place, Path):
                    check_sound(file)
            check_kept(file, acknowledged)
        killer.stdin.close()
    assert died_early <= 5 * files


def check_sound(file: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def check_kept(file: str, acknowledged: list[tuple[int, ...]]) -> None:
    with Store.open(file, create=False) as store:
        assert store.verify() == []
        playbook = store.checkout()
        steps = {(run.id, step.number): step.version for run in store.runs() for step in store.steps(run.id)}
        for run, number, version in acknowledged:
            assert f"b{run}-{number}" in playbook.bullets
            assert steps[run, number] == version
        # No half delta: every version has its bullet, its vote and its journal row.
        assert (
            playbook.bullets["shared"].helpful == len(steps) == len(playbook) - 1 == store.head().number - 1
        )


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO operations",
        "INSERT INTO bullet_history",
        "INSERT INTO branches",
        "INSERT INTO seals",
        "INSERT INTO episodes",
        "INSERT INTO steps",
        "COMMIT",
    ],
)
def test_a_process_that_dies_inside_a_commit_leaves_none_of_it(file: Path | str, statement: str) -> None:
    process = start(DIES_AT, file, statement)
    run = int(process.communicate(timeout=patience(60))[0])
    assert process.returncode == -signal.SIGKILL
    with Store.open(file) as store:
        assert store.head().number == 1
        assert not any((store.steps(run), store.episodes(), store.proposals()))
        assert store.last_unfinished("learn", "shop") == store.run(run)
        assert store.verify() == []
    with as_anybody(parse_place(file)) as db:
        assert db.execute("SELECT count(*) FROM rejected_operations").fetchone() == (0,)


def test_writers_in_one_process_see_conflicts_too(file: Path | str) -> None:
    with Store.open(file) as one, Store.open(file) as two:
        assert one.head() == two.head()
        one.commit((Revise("shared", "one"),), author="a", reason="r")
        with pytest.raises(StoreConflict, match="shared"):
            two.commit((Revise("shared", "two"),), author="b", reason="r")
        assert two.commit((Vote("shared", 1),), author="b", reason="r").version.number == 3
