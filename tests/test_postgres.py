"""A playbook on a PostgreSQL server: what only a server has. What files have, too, is in test_store*.py."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ace.errors import (
    InputError,
    NewerSchema,
    NotAPlaybook,
    StoreBusy,
    StoreConflict,
    StoreError,
    StoreUnreachable,
    StoreUnwritable,
)
from ace.playbook import Add, Revise, Vote
from ace.store import AnswerFeedback, Store, restore, schema
from ace.store.postgres import server_session, server_tables
from ace.store.store_database import ServerAddress, parse_place
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.pace import patience
from tests.postgres_proxy import Cut, Proxy
from tests.postgres_server import PostgresServer, as_anybody, shared_server, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
ROOT = Path(__file__).parent.parent
WHO = {"author": "user", "reason": "r"}

WRITER = """
import sys
from ace.playbook import Add
from ace.store import Store
place, name, count = sys.argv[1:]
with Store.open(place, timeout=600) as store:
    for number in range(int(count)):
        done = store.commit((Add(f"{name}-{number}", "notes", "text"),), author=name, reason=str(number))
        print(name, number, done.version.number, flush=True)
"""


@pytest.fixture
def server() -> PostgresServer:
    return shared_server()


@pytest.fixture
def address(server: PostgresServer) -> str:
    """A playbook with one bullet."""
    address = server.address()
    with Store.open(address) as store:
        store.commit((Add("a", "notes", "text"),), **WHO)
    return address


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with closing(ModelServer()) as model:
        yield model


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[Proxy]:
    with closing(Proxy(server.port)) as proxy:
        yield proxy


def through(proxy: Proxy, address: str) -> str:
    return re.sub(r":\d+/", f":{proxy.port}/", address)


def make_episode(name: str) -> Episode:
    unjudged = Feedback(FeedbackKind.NONE, "")
    return Episode(name, "s", "?", Attempt("s", "1"), unjudged, Verdict(False, 0), 0)


def start_writer(place: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, place, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


# Addresses


def test_the_text_of_an_address_never_holds_its_password() -> None:
    place = parse_place("postgres://joe:s%40fe:ty@db.example:5433/shop?sslmode=require&schema=trial")
    assert isinstance(place, ServerAddress)
    assert (place.secret, place.schema, place.stem) == ("s@fe:ty", "trial", "trial")
    assert str(place) == "postgresql://joe@db.example:5433/shop?sslmode=require&schema=trial"
    assert place.conninfo == "postgresql://joe@db.example:5433/shop?sslmode=require"
    assert "s@fe" not in repr(place) and parse_place(str(place)) == parse_place(place.url)
    assert parse_place("postgresql:///shop?password=safe").stem == "shop"
    assert parse_place("shop.db") == Path("shop.db")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://joe:pass?word@host/db",
        "postgresql://joe:7/pass@host/db",
        "postgresql://joe:p@x?pass=1@host/db",
        "postgresql:///db?schema=\u00e4",
        "postgresql://joe:pass#word@host/db",
        "postgresql://joe:password@[::1/db",
        "postgresql:///db?schema=No",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_words(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_place(text)
    assert "pass" not in caught.value.message


@pytest.mark.parametrize("kind", ["mysql", "Postgresql", "postgresql+psycopg", "sqlite"])
def test_an_address_of_another_kind_is_no_path_of_a_file(ace: Ace, kind: str) -> None:
    done = ace("playbook", "show", "--playbook", f"{kind}://joe:geheim@host/db")
    assert done.code == 2 and f"{kind}://" in done.err and "geheim" not in done.err
    assert "postgresql://USER@HOST" in done.err  # what it should be is not taken for a secret
    assert not list(Path().iterdir())


def test_an_option_that_libpq_does_not_know_is_named(ace: Ace, address: str) -> None:
    sign = "&" if "?" in address else "?"
    done = ace("playbook", "show", "--playbook", f"{address}{sign}schemaa=x")
    assert done.code == 2 and '"schemaa"' in done.err and "sslmode" in done.err


def test_a_command_that_fails_says_no_password(ace: Ace, server: PostgresServer, address: str) -> None:
    for url in ("postgresql://ace:geheim@127.0.0.1:1/postgres", address.replace("ace@", "nobody:geheim@")):
        done = ace("playbook", "show", "--playbook", url)
        assert done.code == 1 and "geheim" not in done.out + done.err
        assert "127.0.0.1" in done.err and "Traceback" not in done.err
    done = ace("playbook", "log", "--playbook", address.replace("ace@", "ace:geheim@"))
    assert done.code == 0 and "geheim" not in done.out + done.err


# Servers and databases that cannot be used


def test_a_server_that_is_too_old_is_refused(proxy: Proxy, address: str) -> None:
    proxy.to_client = lambda data: re.sub(rb"(server_version\x00)1\d\.", rb"\g<1>11.", data)
    with pytest.raises(StoreError, match=r"is PostgreSQL 11\.\d+; a playbook needs version 14"):
        Store.open(through(proxy, address))


def test_a_database_without_utf_8_is_refused(server: PostgresServer) -> None:
    with as_anybody(parse_place(server.address())) as db:
        db.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="LATIN1"):
        Store.open(server.address().replace("/postgres?", "/latin?"))


def test_a_schema_of_something_else_is_refused_and_stays_as_it_is(server: PostgresServer) -> None:
    address = server.address()
    with as_anybody(parse_place(address)) as db:
        db.execute(f"CREATE SCHEMA {parse_place(address).schema}")
        db.execute("CREATE TABLE about (application TEXT, version BIGINT)")
        db.execute("INSERT INTO about VALUES ('shop', 3)")
        with pytest.raises(NotAPlaybook, match="is not a playbook, but holds something else"):
            Store.open(address)
        assert server_tables.list_tables()[2] == "runs"
        assert db.execute("SELECT to_regclass('runs')").fetchone() == (None,)


def test_a_playbook_of_a_later_release_is_refused(address: str) -> None:
    with as_anybody(parse_place(address)) as db:
        db.execute("UPDATE about SET version = 99")
    with pytest.raises(NewerSchema, match=f"has schema 99; this release knows {schema.LATEST}"):
        Store.open(address, read_only=True)


def test_tables_that_no_release_has_made_are_refused(address: str) -> None:
    with as_anybody(parse_place(address)) as db:
        db.execute("UPDATE about SET version = ?", [schema.LATEST - 1])
    for read_only in (True, False):
        with pytest.raises(NotAPlaybook, match=f"has schema {schema.LATEST - 1}; this release knows"):
            Store.open(address, read_only=read_only)


def test_a_place_without_a_playbook_says_so(server: PostgresServer) -> None:
    with pytest.raises(StoreError, match="There is no playbook at postgresql://"):
        Store.open(server.address(), create=False)


def test_a_user_without_rights_is_told_which(server: PostgresServer, address: str) -> None:
    schema_name = parse_place(address).schema
    with as_anybody(parse_place(address)) as db:
        db.execute("DROP ROLE IF EXISTS guest")
        db.execute("CREATE ROLE guest LOGIN")
        db.execute(f"GRANT USAGE ON SCHEMA {schema_name} TO guest")
        db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema_name} TO guest")
    with pytest.raises(StoreUnwritable, match="CREATE SCHEMA"):
        Store.open(server.address().replace("ace@", "guest@"))
    guest = address.replace("ace@", "guest@")
    with pytest.raises(StoreUnwritable, match="does not let user guest write"):
        Store.open(guest)
    with Store.open(guest, read_only=True) as store:
        assert store.verify() == []
    with as_anybody(parse_place(address)) as db:
        db.execute("DROP OWNED BY guest")
        db.execute("DROP ROLE guest")


def test_a_clock_that_differs_keeps_from_writing_and_not_from_reading(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = server_session.time.time
    monkeypatch.setattr(server_session.time, "time", lambda: clock() - 3600)
    with pytest.raises(StoreUnwritable, match="60 minutes behind"):
        Store.open(address)
    with Store.open(address, read_only=True) as store:
        assert store.head().number == 1


# Tables


def test_a_server_has_the_tables_of_a_file_column_by_column(address: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db"):
        pass
    kinds = {"TEXT": "text", "INTEGER": "bigint", "REAL": "double precision", "BLOB": "bytea"}
    of_file = {}
    with closing(sqlite3.connect(tmp_path / "p.db")) as db:
        for (table,) in db.execute("SELECT name FROM pragma_table_list WHERE type = 'table' AND strict"):
            rows = db.execute(
                'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', [table]
            ).fetchall()
            of_file[table] = [(name, kinds[kind], bool(needed or key)) for name, kind, needed, key in rows]
    of_server: dict[str, list[tuple[str, str, bool]]] = {}
    with as_anybody(parse_place(address)) as db:
        sql = """SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY ordinal_position"""
        for table, column, kind, needed in db.execute(sql):
            if column != "rowid":
                of_server.setdefault(table, []).append((column, kind, needed))
    assert of_server.keys() - of_file.keys() == {"about", "writers"}
    assert {table: of_server[table] for table in of_file} == of_file


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE versions SET author = 'x'",
        "DELETE FROM operations",
        "TRUNCATE steps",
        "UPDATE feedback SET text = ''",
    ],
)
def test_history_is_only_ever_added_to(address: str, sql: str) -> None:
    import psycopg

    with Store.open(address) as store:
        run = store.start_run("learn", "shop", {})
        seen = Episode(
            "e1", "s", "?", Attempt("s", "1"), Feedback(FeedbackKind.NONE, ""), Verdict(False, 0), 0
        )
        store.commit((), **WHO, run=run, step=(1, "epoch 1", {}), episodes=[seen])
        store.add_feedback(AnswerFeedback("e1", right=True))
    with as_anybody(parse_place(address)) as db:
        db.execute("SELECT set_config('ace.rewriting', '', FALSE)")
        with pytest.raises(psycopg.Error, match="only ever added"):
            db.execute(sql)


def test_a_trigger_of_somebody_else_keeps_from_writing(address: str) -> None:
    with as_anybody(parse_place(address)) as db:
        db.execute(
            "CREATE TRIGGER spy BEFORE INSERT ON versions FOR EACH ROW EXECUTE FUNCTION keep_history()"
        )
        db.execute("DROP TRIGGER keep_steps ON steps")
    with pytest.raises(StoreUnwritable, match="trigger spy on versions is not of ace"):
        Store.open(address)
    with Store.open(address, read_only=True) as store:
        texts = [problem.text for problem in store.verify()]
    assert len(texts) == 2 and "trigger keep_steps is missing" in texts[1]


def test_damage_is_found(address: str) -> None:
    with as_anybody(parse_place(address)) as db:
        db.execute("UPDATE versions SET author = 'x' WHERE number = 1")
        db.execute("UPDATE bullets SET content = 'other'")
    with Store.open(address, read_only=True) as store:
        texts = "\n".join(problem.text for problem in store.verify())
    assert "Version 1 does not match its hash" in texts and "Row 1 of versions is not what" in texts
    assert "Bullet a of the head is not what its history says" in texts


def test_a_text_that_postgresql_has_no_place_for_is_kept(address: str) -> None:
    odd = "a\0b \ufdd0 \ufdd00"
    with Store.open(address) as store:
        store.commit((Add("odd", "notes", odd),), **WHO)
        assert store.find_text(odd).id == "odd"  # type: ignore[union-attr]
    with Store.open(address) as store:
        assert store.checkout().bullets["odd"].content == odd
        assert store.verify() == []


# News, and the learner


def test_whoever_waits_hears_of_a_new_head(address: str) -> None:
    with Store.open(address, read_only=True) as reader, Store.open(address) as writer:
        assert reader.wait_for_head(1, seconds=0.05) is None
        timer = threading.Timer(0.2, lambda: writer.commit((Vote("a", 1),), **WHO))
        timer.start()
        head = reader.wait_for_head(1, seconds=patience(30))
        timer.join()
        assert head is not None and head.number == 2


def test_whoever_waits_reads_the_head_again_after_a_lost_connection(address: str) -> None:
    """A crash may have lost the version that it knows, and another one has that number by now."""
    with Store.open(address) as store:
        assert store.wait_for_head(1, seconds=0) is None
        store._db.session.close()  # type: ignore[attr-defined]
        again = store.wait_for_head(1, seconds=0)
        assert again is not None and again.number == 1
        assert store.wait_for_head(1, seconds=0) is None


def test_a_second_learner_is_told_of_the_first(address: str) -> None:
    with Store.open(address) as first, Store.open(address) as second:
        first.branch("trial")
        with first.lead():
            with pytest.raises(StoreBusy, match=f"{os.getpid()} .*learns on branch main"), second.lead():
                pass
            second.switch("trial")
            with second.lead():
                assert second.commit((Vote("a", 1),), **WHO).version.number == 2
            second.switch("main")
        with second.lead():
            pass


# Lost connections


def test_a_server_that_comes_back_is_used_again(address: str) -> None:
    """A store of its own server, which is restarted between its calls, and in the midst of one."""
    server = PostgresServer(fsync="off")
    place = server.address()
    with Store.open(place, timeout=patience(30)) as store, Store.open(place, timeout=patience(30)) as learner:
        with learner.lead():
            store.commit((Add("a", "notes", "text"),), **WHO)
            server.stop()
            server.start()
            assert store.commit((Vote("a", 1),), **WHO).version.number == 2
            assert len(learner.checkout()) == 1
            with pytest.raises(StoreBusy, match="learns on branch main"), store.lead():
                pass
        server.stop("immediate")
        timer = threading.Timer(0.5, server.start)
        timer.start()
        assert store.commit((Vote("a", 1),), **WHO).version.number == 3
        timer.join()
        assert store.verify() == []
    with Store.open(place, timeout=0.3) as store:
        server.stop()
        with pytest.raises(StoreUnreachable, match="was lost, and stays lost"):
            store.head()
    with pytest.raises(StoreUnreachable, match="does not answer"):
        Store.open(place, timeout=0.3)
    server.remove()


def test_a_learner_whose_place_was_taken_writes_no_more(address: str) -> None:
    """Its connection is lost, and another learner begins before it is made again."""
    with Store.open(address) as first, Store.open(address) as second, first.lead():
        with as_anybody(parse_place(address)) as db:
            number = first._db._raw.info.backend_pid  # type: ignore[attr-defined]
            db.execute("SELECT pg_terminate_backend(?, 10000)", [number])
        with second.lead():
            for _ in range(2):
                with pytest.raises(StoreBusy, match="learns on branch main"):
                    first.commit((Vote("a", 1),), **WHO)
        assert first.commit((Vote("a", 1),), **WHO).version.number == 2


@pytest.mark.parametrize("statement", ["SELECT name, version", "INSERT INTO operations", "COMMIT"])
def test_a_connection_that_is_lost_inside_a_commit_is_made_again(address: str, statement: str) -> None:
    with Store.open(address) as store, as_anybody(parse_place(address)) as db:
        ended = []

        def end_once(sql: str) -> None:
            if sql.startswith(statement) and not ended:
                ended.append(sql)
                number = store._db._raw.info.backend_pid  # type: ignore[attr-defined]
                db.execute("SELECT pg_terminate_backend(?, 10000)", [number])

        store._db.set_trace_callback(end_once)  # type: ignore[attr-defined]
        assert store.commit((Add("new", "notes", "text"), Vote("a", 1)), **WHO).version.number == 2
        assert ended and store.checkout().bullets["a"].helpful == 1
        assert store.verify() == []


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_whose_answer_is_lost_is_made_once(proxy: Proxy, address: str, arrives: bool) -> None:
    cuts = []

    def cut_once(data: bytes) -> bytes:
        if b"pg_logical_emit_message" in data and not cuts:
            cuts.append(data)
            raise Cut(data if arrives else b"")
        return data

    with Store.open(through(proxy, address)) as store:
        proxy.to_server = cut_once
        assert store.commit((Vote("a", 1),), **WHO).version.number == 2
        assert store.start_run("learn", "shop", {}) == 1
        assert len(cuts) == 1 and store.checkout().bullets["a"].helpful == 1
        assert len(store.log()) == 3 and store.verify() == []


def test_calls_of_a_run_outlive_a_lost_connection(address: str) -> None:
    from tests.test_store_calls import CALL

    with Store.open(address) as store, as_anybody(parse_place(address)) as db:
        run = store.start_run("learn", "shop", {})
        with closing(store.call_journal(run)) as journal:
            for _ in range(2):
                journal.write(CALL)
                number = journal._db._raw.info.backend_pid  # type: ignore[union-attr]
                db.execute("SELECT pg_terminate_backend(?, 10000)", [number])
        assert len(store.calls(run)) == 2


def test_a_crash_in_the_midst_of_commits_loses_nothing_that_was_acknowledged() -> None:
    """The server crashes twice while two processes write, which go on after it."""
    server = PostgresServer(fsync="off")
    place = server.address()
    Store.open(place).close()
    writers = [start_writer(place, name, 40) for name in ("p0", "p1")]
    for _ in range(2):
        for writer in writers:
            assert writer.stdout and writer.stdout.readline()
        server.stop("immediate")
        server.start()
    told = [writer.communicate(timeout=patience(120))[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    with Store.open(place) as store:
        versions = {(version.author, version.reason): version.number for version in store.log()}
        for line in "".join(told).splitlines():
            name, number, version = line.split()
            assert versions[name, number] == int(version)
        assert len(store.checkout()) == 80 and store.head().number == 80
        assert store.verify() == []
    server.remove()


@pytest.mark.long
def test_sixteen_processes_lose_none_of_four_thousand_deltas(server: PostgresServer) -> None:
    place = server.address()
    Store.open(place).close()
    writers = [start_writer(place, f"p{number}", 250) for number in range(16)]
    for writer in writers:
        writer.communicate(timeout=patience(240))
        assert writer.returncode == 0
    with Store.open(place) as store:
        assert len(store.checkout()) == store.head().number == 4000
        assert store.verify() == []


# Push, pull, backup


def fill(store: Store) -> None:
    run = store.start_run("learn", "shop", {"branch": "main"})
    seen = [make_episode(f"e{number}") for number in range(3)]
    store.commit((Add("a", "notes", "te\0xt"), Add("b", "joins", "\u00fcber")), **WHO, run=run, episodes=seen)
    store.commit((Vote("a", 1),), **WHO, run=run, step=(1, "epoch 1", {"reply": "\ud800"}))
    store.branch("trial", at=1)
    store.tag("prod")
    store.add_feedback(AnswerFeedback("e1", right=False, text="no"))
    store.remember("colour", "blue", user="ann")


def assert_same(one: str | Path, two: str | Path) -> None:
    with Store.open(one, read_only=True) as first, Store.open(two, read_only=True) as second:
        assert first.verify() == second.verify() == []
        assert first.log(every_branch=True) == second.log(every_branch=True)
        for name in ("branches", "tags", "runs", "episodes", "feedback", "memories", "proposals", "aliases"):
            assert getattr(first, name)() == getattr(second, name)()
        for branch in first.branches():
            assert first.checkout(branch.name) == second.checkout(branch.name)


def test_what_is_missing_is_pushed_and_pulled_as_it_is(
    ace: Ace, server: PostgresServer, tmp_path: Path
) -> None:
    file, address = tmp_path / "shop.db", server.address()
    with Store.open(file) as store:
        fill(store)
    assert ace("playbook", "push", address).code == 0
    assert_same(file, address)
    with Store.open(address, branch="trial") as store:
        store.commit((Revise("a", "on trial"),), **WHO)
        store.finish_run(1, "done", {"after": 1})
        store.remember("colour", "red", user="ann")
    done = ace("playbook", "pull", address, "--json")
    assert done.code == 0 and json.loads(done.out)["rows"] == {
        "runs": 1,
        "branches": 1,
        "versions": 1,
        "memories": 2,
        "operations": 1,
    }
    assert_same(file, address)
    assert "nothing was missing" in ace("playbook", "pull", address).out
    assert ace("playbook", "pull", address, "--playbook", "new.db").code == 0
    assert_same(file, tmp_path / "new.db")
    with Store.open(address, read_only=True) as store:
        store.backup(tmp_path / "backup")
    assert_same(file, tmp_path / "backup")
    with pytest.raises(InputError, match="playbook on a server"):
        restore(tmp_path / "backup", address)


def test_two_histories_that_part_are_left_as_they_are(address: str, tmp_path: Path) -> None:
    file = tmp_path / "p.db"
    with Store.open(address) as there, Store.open(file) as here:
        here.pull(there)
        run = there.start_run("learn", "shop", {})
        here.start_run("learn", "zoo", {})
        with pytest.raises(StoreConflict, match="rows of runs"):
            here.pull(there)
        there.finish_run(run, "done", {})
        here.commit((Revise("a", "here"),), **WHO)
        there.commit((Revise("a", "there"),), **WHO)
        for taker, giver in ((here, there), (there, here)):
            with pytest.raises(StoreConflict, match="histories part"):
                taker.pull(giver)
            assert taker.head().number == 2 and taker.verify() == []


def test_a_forgotten_memory_is_gone_from_a_server(address: str) -> None:
    with Store.open(address) as store:
        known = store.remember("address", "17 Cherry Tree Lane", user="ann")
        store.commit((Add("b", "notes", "She lives at 17 Cherry Tree Lane."),), **WHO)
        forgotten = store.forget(known.id)
        assert forgotten.scrubbed and "write-ahead log" in forgotten.remaining[-1]
        assert store.memories() == [] and store.verify() == []
    with as_anybody(parse_place(address)) as db:
        for table, column in db.text_columns():
            texts = [text for (text,) in db.execute(f'SELECT "{column}" FROM "{table}"')]
            assert not [text for text in texts if text and "Cherry" in text]


def test_every_group_of_commands_takes_the_address(
    ace: Ace, server: PostgresServer, colours: None, model: ModelServer
) -> None:
    """Of each group one that writes and one that reads; `ace learn` makes the playbook."""
    address = server.address()
    options = ("--model", "openai/m", "--api-base", model.api_base, "--playbook", address)
    learned = ace("learn", "colours", *options, "--max-calls", "4")
    assert learned.code == 3, learned.err  # stopped by the cap
    with Store.open(address, read_only=True) as store:
        assert len(store.calls(1)) == 4 and store.run(1).status == "capped"
    for words in (
        ("playbook", "add", "a lesson"),
        ("playbook", "show"),
        ("playbook", "log"),
        ("playbook", "verify"),
        ("playbook", "tag", "prod"),
        ("playbook", "refine", "--dry-run"),
        ("memory", "add", "colour", "blue", "--user", "ann"),
        ("memory", "list"),
        ("runs", "list"),
        ("domains", "list"),
    ):
        done = ace(*words, "--playbook", address)
        assert done.code == 0, (words, done.err)
    assert list(Path().glob("*.db")) == []
