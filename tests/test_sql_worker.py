"""Statements run in worker processes: what goes over a limit is stopped, whatever it is, and is data."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ace.errors import TaskError
from ace.task import Database
from ace.task.environments.sql import worker_pool
from ace.task.environments.sql.sql_worker import Worker, encode_frame, read_frame
from ace.task.environments.sql.worker_pool import POOL, WorkerPool
from tests.cli import Ace

FOREVER = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
BLOB = "SELECT randomblob(900000)"
BLOBS = f"WITH RECURSIVE n(x) AS ({BLOB} UNION ALL {BLOB} FROM n LIMIT 9000) "
LONG = "replace(hex(zeroblob(450000)), '0', 'a')"
NEEDLE = "replace(hex(zeroblob(225000)), '0', 'a') || 'b'"
DOUBLING = ", ".join(f'"a""{n}"(x) AS (SELECT p.x FROM [a"{n - 1}] p, [a"{n - 1}] q)' for n in range(1, 27))
DEEP = 900
TOO_MUCH = {
    "steps": FOREVER + "SELECT count(*) FROM n",
    "one call: printf": "SELECT printf('%.*c', 1000000000, 'x'), printf('%.*c', 1000000000, 'x')",
    "one call: instr": f"SELECT instr({LONG}, {NEEDLE})",
    "one call: replace": f"SELECT replace({LONG}, {NEEDLE}, 'c')",
    "one row": f"SELECT {', '.join(['hex(zeroblob(400000))'] * 1900)}",
    "copies of definitions": f"""WITH "a""0"(x) AS (SELECT 1), {DOUBLING} SELECT count(*) FROM "a""26" """,
    "a sort": BLOBS + "SELECT x FROM n ORDER BY x",
    "an aggregate": FOREVER + "SELECT json_group_array(x) FROM n",
    "a join": f"SELECT count(*) FROM {', '.join(f't t{n}' for n in range(60))}",
    "patterns": FOREVER
    + f"SELECT count({LONG} LIKE '%{'a' * 20_000}b' OR {LONG} GLOB '{'*a' * 9_000}b') FROM n",
}
REFUSED = {
    "group_concat": BLOBS + "SELECT group_concat(hex(x)) FROM n",
    "nesting": f"SELECT {'(' * DEEP}1{')' * DEEP}",
    "a long chain": f"SELECT {'+'.join(['1'] * 200_000)}",
    "a long text": f"SELECT '{'x' * 999_000}' || 'y' || zeroblob(900000)",
    "a long statement": f"SELECT '{'x' * 1_200_000}'",
    "columns": f"SELECT {', '.join(['1'] * 5_000)}",
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    file = tmp_path_factory.mktemp("worker") / "t.sql"
    file.write_text("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (x'00ff'), (1e300 * 1e300), ('é');")
    return Database.open(file, time_limit=0.1, memory=256)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """A pool of its own, which the database uses."""
    pool = WorkerPool()
    monkeypatch.setattr("ace.task.environments.sql.database.POOL", pool)
    yield pool
    pool.close()


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_goes_over_is_stopped(database: Database, name: str) -> None:
    result = database.run(TOO_MUCH[name])
    assert result.error in ("ran longer than 0.1 s", "needed more than 256 MB")
    assert database.run("SELECT count(*) FROM t").rows == ((5,),)


@pytest.mark.parametrize("name", REFUSED)
def test_what_sqlite_refuses_is_an_error_too(database: Database, name: str) -> None:
    assert database.run(REFUSED[name]).error
    assert database.run("SELECT count(*) FROM t").rows == ((5,),)


def test_values_come_back_as_they_are(database: Database) -> None:
    assert [row[0] for row in database.run("SELECT a FROM t").rows] == [1, 2, b"\x00\xff", float("inf"), "é"]
    assert database.run("SELECT NULL, '', x'', -9223372036854775808, 0.1, '{\"hex\": \"00\"}'").rows == (
        (None, "", b"", -(2**63), 0.1, '{"hex": "00"}'),
    )


def test_each_fence_holds_alone(tmp_path: Path) -> None:
    file = tmp_path / "t.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (a)")
    worker = Worker()
    worker.open(f"{file.as_uri()}?mode=ro", b"")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        worker.connection.execute("DELETE FROM t")
    with pytest.raises(sqlite3.OperationalError, match="too many attached"):
        worker.connection.execute("ATTACH ':memory:' AS other")
    worker.connection.execute("PRAGMA query_only = OFF")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        worker.connection.execute("DELETE FROM t")
    worker.connection.close()


def test_a_database_in_wal_mode_is_read(tmp_path: Path) -> None:
    file = tmp_path / "wal.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (7)")
    connection.commit()
    try:
        assert Database.open(file).run("SELECT a FROM t").rows == ((7,),)
    finally:
        connection.close()


def test_a_worker_is_used_again(database: Database, pool: WorkerPool) -> None:
    for _ in range(3):
        database.run("SELECT 1")
        (worker,) = pool._idle
        pid = worker.process.pid
    assert database.run(TOO_MUCH["steps"]).error and pool._idle == [worker]  # it stopped by itself
    assert database.run(TOO_MUCH["one call: instr"]).error and pool._idle == []  # the system stopped it
    assert database.run("SELECT 1").rows == ((1,),) and pool._idle[0].process.pid != pid


def test_a_worker_that_is_gone_is_replaced(database: Database, pool: WorkerPool) -> None:
    database.run("SELECT 1")
    pool._idle[0].process.kill()
    pool._idle[0].process.wait()
    assert database.run("SELECT 1").rows == ((1,),)


def test_another_database_is_opened_by_the_same_worker(
    database: Database, pool: WorkerPool, tmp_path: Path
) -> None:
    database.run("SELECT 1")
    (tmp_path / "u.sql").write_text("CREATE TABLE u (b); INSERT INTO u VALUES (3);")
    other = Database.open(tmp_path / "u.sql", memory=256)
    for _ in range(2):
        assert other.run("SELECT b FROM u").rows == ((3,),)
        assert database.run("SELECT count(*) FROM t").rows == ((5,),)
    assert "no such table" in other.run("SELECT * FROM t").error
    assert len(pool._idle) <= 2


def test_threads_have_a_worker_each(database: Database, pool: WorkerPool) -> None:
    with ThreadPoolExecutor(6) as threads:
        results = threads.map(lambda number: database.run(f"SELECT {number}").rows, range(60))
    assert list(results) == [((number,),) for number in range(60)]
    assert 1 <= len(pool._idle) <= worker_pool._MOST_IDLE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_workers_of_its_own(database: Database, pool: WorkerPool) -> None:
    database.run("SELECT 1")
    (worker,) = pool._idle
    child = os.fork()
    if not child:
        done = database.run("SELECT 2").rows == ((2,),) and pool._idle[0].process.pid != worker.process.pid
        pool.close()
        os._exit(0 if done else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert database.run("SELECT 1").rows == ((1,),) and pool._idle == [worker]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT 1 FROM t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t"])
def test_workers_end_with_their_parent(tmp_path: Path, sql: str) -> None:
    (tmp_path / "t.sql").write_text("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3);")
    program = f"""
        from pathlib import Path; from threading import Thread; import os, time
        from ace.task import Database
        from ace.task.environments.sql.worker_pool import POOL, WorkerProcess
        started = WorkerProcess.__init__
        def start(self, memory):
            started(self, memory)
            print(self.process.pid, flush=True)
        WorkerProcess.__init__ = start
        database = Database.open(Path({str(tmp_path / "t.sql")!r}))
        Thread(target=database.run, args=({sql!r},), daemon=True).start()
        time.sleep(0.2)
        print("ready", flush=True); time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = []
    while (line := parent.stdout.readline().strip()) not in ("ready", ""):
        pids.append(int(line))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone = threading.Event()
    for _ in range(300):
        if pids and not any(_is_running(pid) for pid in pids):
            gone.set()
            break
        threading.Event().wait(0.1)
    assert gone.is_set()


def _is_running(pid: int) -> bool:
    with suppress(OSError):
        return re.search(r"\) [ZX] ", Path(f"/proc/{pid}/stat").read_text()) is None
    return False


def test_a_reply_that_is_cut_off_is_an_error(database: Database, pool: WorkerPool) -> None:
    database.run("SELECT 1")
    threading.Timer(0.05, lambda pid: os.kill(pid, signal.SIGKILL), [pool._idle[0].process.pid]).start()
    slow = Database(database.source, worker_pool.SqlLimits(seconds=5, memory=256))
    assert "SIGKILL" in slow.run(TOO_MUCH["steps"]).error
    assert slow.run("SELECT 1").rows == ((1,),)


def test_frames_give_their_values_back(tmp_path: Path) -> None:
    value = {"a": [1, None, "é\ud800"], "b": {"hex": "00"}}
    (tmp_path / "frames").write_bytes(encode_frame(value, b"xyz") * 2 + encode_frame(value, b"cut")[:-1])
    with (tmp_path / "frames").open("rb") as file:
        assert [read_frame(file) for _ in range(3)] == [(value, b"xyz")] * 2 + [None]


# Scripts


@pytest.fixture
def short_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ace.task.environments.sql.database._SCRIPT_SECONDS", 0.3)


BOMBS = {
    "steps": FOREVER + "INSERT INTO t SELECT count(*) FROM n;",
    "rows": FOREVER + "INSERT INTO t SELECT hex(randomblob(10000)) FROM n;",
    "one call": f"INSERT INTO t SELECT instr({LONG}, {NEEDLE});",
    "a trigger": "CREATE TRIGGER g AFTER INSERT ON t WHEN new.a < 40"
    " BEGIN INSERT INTO t SELECT new.a + 1 FROM t; END;"
    " PRAGMA recursive_triggers = ON; INSERT INTO t VALUES (1), (2), (1);",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_script_has_the_same_limits(tmp_path: Path, name: str, short_scripts: None) -> None:
    file = tmp_path / "bomb.sql"
    file.write_text(f"CREATE TABLE t (a);\n\n{BOMBS[name]}")
    with pytest.raises(TaskError, match=r"\.sql(:3)?: The script (ran longer|needed more) than") as error:
        Database.open(file, time_limit=0.1, memory=128)
    assert "Raise time_limit or memory in [sql]" in str(error.value)


def test_a_script_writes_no_file(tmp_path: Path) -> None:
    for sql in (
        f"ATTACH '{tmp_path}/a.db' AS a;",
        f"VACUUM INTO '{tmp_path}/b.db';",
        "SELECT load_extension('x');",
    ):
        (tmp_path / "w.sql").write_text(f"CREATE TABLE t (a);\n{sql}")
        with pytest.raises(TaskError, match=r"w\.sql:2: The script fails"):
            Database.open(tmp_path / "w.sql")
    assert [file.name for file in tmp_path.iterdir()] == ["w.sql"]


def test_statements_of_triggers_stay_together(tmp_path: Path) -> None:
    script = """CREATE TABLE t (a); -- a table
        CREATE TEMP TRIGGER early AFTER INSERT ON t BEGIN SELECT CASE new.a WHEN 1 THEN 2 END; END;
        create trigger late after insert on t begin
            insert into t select ';end;' where new.a < 3; -- end;
            insert into t values (9); end ;
        INSERT INTO t VALUES (1)"""
    (tmp_path / "t.sql").write_text(script)
    assert sorted(Database.open(tmp_path / "t.sql").run("SELECT a FROM t").rows, key=str) == [
        (";end;",),
        (1,),
        (9,),
    ]


def test_a_check_of_a_bomb_ends(tmp_path: Path, ace: Ace, short_scripts: None) -> None:
    (tmp_path / "task.toml").write_text(
        'name = "x"\nenvironment = "sql"\n[data]\ntrain = "t.jsonl"\n'
        '[sql]\ndatabase = "b.sql"\ntime_limit = 0.1\n'
    )
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "a", "question": "q?", "gold_sql": "SELECT 1"}))
    (tmp_path / "b.sql").write_text(f"CREATE TABLE t (a);\n{BOMBS['steps']}")
    done = ace("tasks", "check", str(tmp_path))
    assert done.code == TaskError.exit_code and "b.sql:2: The script ran longer than 0.3 s" in done.err


def test_the_pool_of_this_process_is_bounded() -> None:
    assert len(POOL._idle) <= worker_pool._MOST_IDLE
