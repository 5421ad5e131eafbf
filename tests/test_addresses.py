"""The address of a server in the place of a playbook file: the pages, the doctor, the proxy, MCP, hooks.

What the store does on a server is in test_postgres.py.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the pages and the proxy need the extra `serve`")

import ace as api
from ace.errors import InputError
from ace.hooks.session import locate_notes
from ace.playbook import Add, Promote
from ace.servers.proxy.projects import Project, hash_key, read_projects, require_distinct
from ace.servers.proxy.spool import locate_spool
from ace.servers.review import library
from ace.store import Store
from ace.store.postgres import server_session
from ace.store.store_database import ServerAddress, is_address, locate_folder, parse_place
from tests.cli import Ace
from tests.postgres_proxy import Cut, Proxy
from tests.postgres_server import PostgresServer, as_anybody, shared_server, why_not
from tests.proxy_here import LINE, RecorderThread, serve_here
from tests.proxy_here import fill as fill_one
from tests.proxy_process import ProxyProcess, run_proxy, wait_until
from tests.review_world import Browser, fill
from tests.wire_server import WireServer, serve_wire

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
ROOT = Path(__file__).parent.parent
CHAT = "/v1/chat/completions"
ANSWER = "It is seven."
SECRET = "geh#eim-42"
WRITTEN = "geh%23eim-42"  # as it stands in an address
NOWHERE = "postgresql://ace:geheim@127.0.0.1:1/postgres"


@pytest.fixture
def server() -> PostgresServer:
    return shared_server()


@pytest.fixture
def address(server: PostgresServer) -> str:
    """A playbook with one bullet."""
    return str(fill_one(parse_place(server.address())))


@pytest.fixture(scope="module")
def guarded() -> str:
    """An address whose server asks for a password, which it holds."""
    server = shared_server()
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    with as_anybody(parse_place(server.address())) as db:
        db.execute("CREATE ROLE guarded SUPERUSER LOGIN PASSWORD ?".replace("?", f"'{SECRET}'"))
        db.execute("SELECT pg_reload_conf()")
    return server.address("guarded").replace("ace@", f"guarded:{WRITTEN}@")


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[Proxy]:
    with closing(Proxy(server.port)) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves anything among a user's own files."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    with serve_wire(lambda body: ANSWER) as wire:
        yield wire


def through(proxy: Proxy, address: str) -> str:
    return re.sub(r":\d+/", f":{proxy.port}/", address)


def ask(question: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": question}]}


def read_questions(address: str) -> list[str]:
    with Store.open(address, read_only=True) as store:
        assert store.verify() == []
        return sorted(episode.question for episode in store.episodes())


# What cannot be used, as each command says it


def make_bad(kind: str, server: PostgresServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an address of something that cannot be used."""
    address = server.address()
    place = parse_place(address)
    if kind == "unreachable":
        return NOWHERE
    if kind == "no database":
        return address.replace("/postgres?", "/nowhere?")
    if kind == "foreign":
        with as_anybody(place) as db:
            db.execute(f"CREATE SCHEMA {place.schema}")
            db.execute("CREATE TABLE about (application TEXT, version BIGINT)")
        return address
    if kind in ("stranger", "no rights"):
        with as_anybody(place) as db:
            role = db.execute("SELECT 1 FROM pg_roles WHERE rolname = 'stranger'").fetchone()
            if role is None:
                db.execute("CREATE ROLE stranger LOGIN")
        if kind == "stranger":
            fill_one(place)
        return address.replace("ace@", "stranger@")
    fill_one(place)
    if kind == "newer":
        with as_anybody(place) as db:
            db.execute("UPDATE about SET version = 99")
    if kind == "too old":
        proxy.to_client = lambda words: re.sub(rb"(server_version\x00)1\d\.", rb"\g<1>11.", words)
        return through(proxy, address)
    if kind == "clock":
        clock = time.time
        monkeypatch.setattr(server_session.time, "time", lambda: clock() - 3600)
    return address


KINDS = {
    "unreachable": ("does not answer", "PGPASSWORD"),
    "no database": ('database "nowhere" does not exist', "createdb"),
    "foreign": ("is not a playbook", "?schema=NAME"),
    "newer": ("has schema 99", "Upgrade"),
    "too old": ("is PostgreSQL 11.", "newer server"),
    "stranger": ("does not let this user look into schema", "GRANT USAGE ON SCHEMA test_"),
    "no rights": ("", "`CREATE SCHEMA test_"),
    "clock": ("60 minutes behind", "NTP"),
}
COMMANDS = {
    "ui": ("ui",),
    "doctor": ("doctor",),
    "mcp": ("mcp",),
    "proxy": ("proxy", "--upstream", "http://127.0.0.1:1", "--playbook"),
    "learn": ("learn", "colours", "--model", "openai/m", "--api-base", "http://127.0.0.1:1/v1", "--playbook"),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_command_says_what_is_wrong_with_a_server_and_what_to_do(
    kind: str,
    ace: Ace,
    colours: None,
    server: PostgresServer,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    address = make_bad(kind, server, proxy, monkeypatch)
    problem, fix = KINDS[kind]
    for name, words in COMMANDS.items():
        if name == "ui" and kind in ("clock", "no rights"):  # it only reads, and makes no playbook
            continue
        done = ace(*words, address)
        said = done.out if name == "doctor" else done.err
        assert problem in said and fix in said, (name, said)
        assert "geheim" not in done.out + done.err and "Traceback" not in done.err
        assert done.code == (0 if name == "doctor" and kind == "clock" else 1), (name, said)
        assert name == "doctor" or len(done.err.strip().splitlines()) == 1, done.err
    assert not list(Path().glob("*.db"))


def test_a_wrong_password_and_none_at_all(ace: Ace, guarded: str, tmp_path: Path) -> None:
    wrong = guarded.replace(WRITTEN, "geheim")
    none = guarded.replace(f":{WRITTEN}", "")
    for words in (("ui",), ("mcp",), COMMANDS["proxy"]):
        done = ace(*words, wrong)
        assert done.code == 1 and "does not let this user in" in done.err and "geheim" not in done.err
        done = ace(*words, none)
        assert done.code == 1 and "none was given" in done.err and "PGPASSWORD" in done.err
    done = ace("doctor", guarded, "--json")
    assert done.code == 1 and "there is no playbook" in done.out
    assert SECRET not in done.out and WRITTEN not in done.out


def test_a_trigger_of_somebody_else_is_named_by_the_doctor(ace: Ace, address: str) -> None:
    with as_anybody(parse_place(address)) as db:
        db.execute("CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        db.execute("CREATE TRIGGER spy BEFORE INSERT ON bullets FOR EACH ROW EXECUTE FUNCTION spy()")
    done = ace("doctor", address)
    assert done.code == 0 and "trigger spy on bullets is not of ace" in done.out


# The doctor


def test_the_doctor_measures_a_server_and_names_its_learner(ace: Ace, address: str) -> None:
    with Store.open(address) as store, store.lead():
        done = ace("doctor", address, "--json")
    assert done.code == 0, done.out
    report = json.loads(done.out)
    texts = [finding["text"] for finding in report["findings"] if finding["topic"] == "server"]
    for words in (
        "PostgreSQL ", "a round trip takes ", "this machine's clock is 0.", "ace may read and write",
        f"{os.getpid()} (from ",
    ):  # fmt: skip
        assert any(words in text for text in texts), (words, texts)
    assert any(text.endswith("learns on branch main") for text in texts)
    tables = {table["name"]: table for table in report["sizes"]["tables"]}
    assert tables["bullets"]["rows"] == 1 and tables["versions"]["rows"] == 2
    assert report["sizes"]["playbook"] == sum(table["bytes"] for table in tables.values())
    assert report["sizes"]["database"] > report["sizes"]["playbook"]
    text = ace("doctor", address).out
    assert "learns on" not in text and f"{address}: 1 bullets, version 1" in text


def test_a_role_that_only_reads_is_told_so_by_the_doctor(ace: Ace, address: str) -> None:
    schema = parse_place(address).stem
    with as_anybody(parse_place(address)) as db:
        db.execute("CREATE ROLE onlooker LOGIN")
        db.execute(f"GRANT USAGE ON SCHEMA {schema} TO onlooker")
        db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO onlooker")
    with Store.open(address) as store, store.lead():  # whose session another role may not look at
        done = ace("doctor", address.replace("ace@", "onlooker@"))
    with as_anybody(parse_place(address)) as db:
        db.execute("DROP OWNED BY onlooker")
        db.execute("DROP ROLE onlooker")
    assert done.code == 0 and "does not let user onlooker write" in done.out
    assert f"IN SCHEMA {schema} TO onlooker" in done.out
    assert f"{os.getpid()} (as ace) learns on branch main" in done.out


# The pages


@pytest.fixture
def pages(server: PostgresServer) -> ServerAddress:
    place = parse_place(server.address())
    assert isinstance(place, ServerAddress)
    fill(place)
    return place


def test_every_page_of_a_playbook_on_a_server(pages: ServerAddress) -> None:
    browser = Browser(pages)
    assert "Refunds above 500" in browser.get("queue")
    for path in (
        "queue?kind=conflict", "playbook", "bullet/tried", "bullet/key", "history", "version/2",
        "compare?a=1&b=3", "names", "runs", "run/1", "search?q=refund", "episode/ep-wrong",
        "playbook?status=removed",
    ):  # fmt: skip
        browser.get(path)
    browser.get("playbook?branch=nobody", 404)
    assert browser.decide("new", "promote", reason="checked", name="Ann").status_code == 303
    assert browser.decide("sure", "edit", text="Red is 9.").status_code == 303
    assert browser.send("names", "names", kind="branch", new="trial", version="3").status_code == 303
    assert "Red is 9." not in browser.get("playbook?branch=trial") and "Red is 9." in browser.get("playbook")
    with Store.open(pages, read_only=True) as store:
        assert [version.author for version in store.log(2)] == ["person:Ann", "person:Ann"]
        assert store.verify() == []


def test_pages_share_a_connection_which_is_made_again(pages: ServerAddress) -> None:
    browser = Browser(pages)
    others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name LIKE 'ace %'"
    with as_anybody(pages) as db:
        (before,) = db.execute(f"SELECT count(*) {others}").fetchone()
        for _ in range(3):
            browser.get("playbook")
        (after,) = db.execute(f"SELECT count(*) {others}").fetchone()
        assert after <= before + 1  # one that another test has left may end meanwhile
        db.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall()
    assert "Red is 70002" in browser.get("playbook")


def test_a_run_on_a_server_is_followed_while_it_goes_on(pages: ServerAddress) -> None:
    browser = Browser(pages)
    assert "hx-get" in browser.get("run/1")
    with Store.open(pages) as store:
        step = {"results": [{"sample": "train-blue", "correct": False, "right": False}]}
        store.commit(
            (Add("later", "colours", "Green is 70003."),), author="reflector", reason="r", run=1,
            step=(1, "epoch 1", step),
        )  # fmt: skip
    assert "Green is 70003." in browser.get("playbook")
    with Store.open(pages) as store:
        store.finish_run(1, "done", None)
    assert "hx-get" not in browser.get("run/1")


def test_a_server_that_is_gone_is_one_page_and_a_decision_can_be_sent_again(
    pages: ServerAddress, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_WAIT", 0.2)
    place = parse_place(through(proxy, str(pages)))
    browser = Browser(place)
    page = browser.get("bullet/sure")
    form = {name: browser.read_field(page, name) for name in ("csrf", "base")}
    form |= {"bullet": "sure", "action": "edit", "text": "Red is 9."}

    def cut(words: bytes) -> bytes:
        raise Cut

    proxy.to_server = cut
    assert "lost" in browser.get("playbook", 403)
    answer = browser.client.post(f"{browser.book}/decide", data=form)
    assert answer.status_code == 403 and "Red is 9." in answer.text
    proxy.to_server = lambda words: words
    assert browser.client.post(f"{browser.book}/decide", data=form).status_code == 303
    assert "Red is 9." in browser.get("playbook")


def test_the_pages_of_several_places_hold_no_password(guarded: str, tmp_path: Path) -> None:
    one, two = parse_place(f"{guarded}"), parse_place(guarded.replace("schema=guarded", "schema=guarded_two"))
    assert isinstance(one, ServerAddress) and isinstance(two, ServerAddress)
    file = fill_one(tmp_path / "shop.db")
    for place in (one, two):
        with Store.open(place) as store:
            store.commit((Add("a", "notes", "text"),), author="user", reason="r", expect=0)
    browser = Browser(one, two, file)
    front = browser.get("/")
    assert [name in front for name in ("/p/guarded/", "/p/guarded_two/", "/p/shop/")] == [True] * 3
    for path in ("/p/guarded/playbook", "/p/guarded_two/history", "/p/nobody/queue"):
        text = browser.client.get(path).text
        assert SECRET not in text and WRITTEN not in text


# The proxy


def test_the_proxy_shows_and_records_a_playbook_on_a_server(guarded: str, wire: WireServer) -> None:
    wire.bodies.clear()
    address = guarded.replace("schema=guarded", "schema=proxied")
    place = parse_place(address)
    fill_one(place)
    with run_proxy("--upstream", wire.url, "--playbook", address) as proxy:
        _, reply = proxy.post(CHAT, ask("Before?"))
        assert proxy.feedback(reply["id"], right=False, expected="7")[0] in (200, 202)
        children = Path(f"/proc/{proxy.process.pid}/task/{proxy.process.pid}/children")
        recorder = children.read_text().split()[0] if children.exists() else ""
        if recorder:
            for about in ("cmdline", "environ"):
                seen = Path(f"/proc/{recorder}/{about}").read_bytes()
                assert SECRET.encode() not in seen and WRITTEN.encode() not in seen
        with Store.open(address) as store:
            store.commit((Add("b-blue", "facts", "Blue means eight."),), author="person", reason="known")

        def is_shown() -> bool:
            proxy.post(CHAT, ask(f"After {len(wire.bodies)}?"))
            return "Blue means eight." in json.dumps(wire.bodies[-1])

        wait_until(is_shown, proxy.log)
        log = proxy.stop()
    assert LINE in json.dumps(wire.bodies[0])
    assert SECRET not in log and WRITTEN not in log and "could not" not in log, log
    assert "Before?" in read_questions(address)
    with Store.open(address, read_only=True) as store:
        assert [(row.right, row.expected) for row in store.feedback()] == [(False, "7")]
    spool = locate_spool(place)
    assert spool.stat().st_mode & 0o077 == 0
    assert [path.name for path in spool.iterdir()] == ["replies.db"]
    assert SECRET.encode() not in (spool / "replies.db").read_bytes()


def test_exchanges_wait_while_the_server_is_gone(
    address: str, proxy: Proxy, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ace.servers.proxy.recorder._FIRST_PAUSE", 0.1)
    place = parse_place(through(proxy, address))
    project = Project(playbook=place, upstream=wire.url)
    lost = threading.Event()

    def cut_some(words: bytes) -> bytes:
        if lost.is_set():
            raise Cut
        return words

    proxy.to_server = cut_some
    recorder = RecorderThread([project])
    with serve_here(project, recorder=recorder) as served:
        here = ProxyProcess.__new__(ProxyProcess)
        here.url = served.url
        here.post(CHAT, ask("At first?"))
        lost.set()
        status, _ = here.post(CHAT, ask("Meanwhile?"))
        assert status == 200
        lost.clear()
        here.post(CHAT, ask("At last?"))
    assert read_questions(address) == ["At first?", "At last?", "Meanwhile?"]


def test_projects_of_a_file_may_be_on_servers(ace: Ace, address: str, tmp_path: Path) -> None:
    file = tmp_path / "proxy.toml"
    for name, playbook in (("shop", address), ("bank", "bank.db")):
        done = ace("proxy", "add-project", name, "--playbook", playbook, "--projects", str(file))
        assert done.code == 0, done.err
    again = address.replace("ace@", "")
    done = ace("proxy", "add-project", "third", "--playbook", again, "--projects", str(file))
    assert done.code == 2 and "'shop' has the playbook" in done.err
    refused = ace("proxy", "add-project", "fourth", "--playbook", NOWHERE, "--projects", str(file))
    assert refused.code == 2 and "~/.pgpass" in refused.err and "geheim" not in refused.err + file.read_text()
    defaults = Project(playbook=Path(), upstream="http://127.0.0.1:1")
    shop, bank = require_distinct(read_projects(file, defaults))
    assert shop.playbook == parse_place(address) and bank.playbook == tmp_path / "bank.db"
    file.write_text(
        f'[projects.a]\nplaybook = "{NOWHERE}"\nkeys = ["{hash_key("k")}"]\n'
        f'[projects.b]\nplaybook = "{NOWHERE.replace("geheim", "other")}"\nkeys = ["{hash_key("l")}"]\n'
    )
    projects = read_projects(file, defaults)
    assert "geheim" not in repr(projects)
    with pytest.raises(InputError, match="'a' has the same playbook") as caught:
        require_distinct(projects)
    assert "geheim" not in str(caught.value)
    file.write_text(f'[projects.a]\nplaybook = "mysql://joe:geheim@h/d"\nkeys = ["{hash_key("k")}"]\n')
    done = ace("proxy", "--upstream", "http://127.0.0.1:1", "--projects", str(file))
    assert done.code == 2 and "mysql://" in done.err and "geheim" not in done.err


# Commands


def test_commands_say_the_same_of_a_server_as_of_a_file(
    ace: Ace, server: PostgresServer, tmp_path: Path
) -> None:
    file = fill(tmp_path / "shop.db")
    with Store.open(file) as store:
        store.finish_run(1, "done", None)
    address = server.address()
    assert ace("playbook", "push", address, "--playbook", str(file)).code == 0
    for words in (
        "playbook show tried", "playbook log --all", "playbook diff 1 3", "playbook blame tried",
        "playbook branch", "playbook tag", "playbook verify", "runs list", "runs show 1",
        "runs show 1 --rejected", "runs show 1 --episode ep-wrong", "runs prune --older-than 0 --dry-run",
        "domains list", "domains route red", "watch 1",
    ):  # fmt: skip
        outs = []
        for place in (str(file), address):
            done = ace(*words.split(), "--json", "--playbook", place)
            assert done.code == 0, (words, done.err)
            outs.append(done.out.replace(place, "PLACE"))
        assert outs[0] == outs[1], words


# Hooks, MCP, Python


def test_hooks_of_a_coding_agent_take_an_address(
    ace: Ace, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.json"
    options = ("--settings", str(settings))
    refused = ace("hook", "install", "claude-code", "--playbook", NOWHERE, *options)
    assert refused.code == 2 and "~/.pgpass" in refused.err and not settings.exists()
    monkeypatch.setattr("ace.cli.hook_commands._find_ace", lambda: "/usr/bin/ace")
    done = ace("hook", "install", "claude-code", "--playbook", address, *options)
    assert done.code == 0 and address in settings.read_text(), done.err
    said = json.dumps({"session_id": "s-1", "transcript_path": str(tmp_path / "none.jsonl")})
    monkeypatch.setattr("ace.cli.hook_calls._read_stdin", lambda: said)
    monkeypatch.setattr("ace.cli.hook_calls.run_apart", lambda first, then: (first(), then()))
    done = ace("hook", "start", "claude-code", "--playbook", address)
    assert done.code == 0 and LINE in done.out
    folder = locate_notes(parse_place(address))
    assert folder.is_relative_to(tmp_path / "state") and len(list(folder.glob("*.json"))) == 1
    assert ace("hook", "end", "claude-code", "--playbook", address).code == 0
    status = json.loads(ace("hook", "status", "claude-code", *options, "--json").out)["agents"][0]
    assert status["playbook"] == address and status["log"] == [], status


def test_tools_of_mcp_on_a_server(address: str) -> None:
    from ace.runs.records import AnswerFeedback
    from ace.servers.open_desk import open_desk

    place = parse_place(address)
    with open_desk(place) as desk:
        shown = desk.get_context("What does red mean?")
        assert LINE in shown.text and shown.playbook == place.stem
        desk.report_outcome(AnswerFeedback(shown.context_id, right=True), "7", "")
        assert [row.name for row in desk.list_playbooks()] == [place.stem]
    assert read_questions(address) == ["What does red mean?"]


def test_python_takes_an_address_where_it_takes_a_file(address: str) -> None:
    with api.open_playbook(address) as store:
        place = store.path
        store.commit((Promote("b-red"),), author="user", reason="r")
    for named in (address, place):
        with api.learner(named, None) as learner, learner.episode("What is red?") as episode:
            assert LINE in episode.context
            episode.finish("7", right=True)
        assert learner.problems == ()
    with api.learning(address, None):
        pass
    assert read_questions(address) == ["What is red?"] * 2


# Places that are always files


@pytest.mark.parametrize(
    "words",
    [
        "learn URL", "eval URL", "tasks check URL", "init URL", "compare colours --study URL",
        "compare show URL", "documents search x --index URL", "documents index URL", "playbook export URL",
        "playbook import URL", "playbook backup URL", "playbook restore URL", "memory import URL",
        "report --out URL", "proxy --projects URL", "hook status claude-code --settings URL",
    ],
)  # fmt: skip
def test_what_is_always_a_file_is_no_address(ace: Ace, words: str) -> None:
    for scheme in ("postgresql", "postgres"):
        done = ace(*words.replace("URL", f"{scheme}://joe:geheim@host/db").split())
        assert done.code == 2 and "is on this machine, and not on a server" in done.err, done.err
        assert "ace playbook pull" in done.err and "geheim" not in done.err
    assert not list(Path().iterdir())


def test_files_in_python_are_no_addresses_and_an_address_is_no_path(tmp_path: Path) -> None:
    from ace.retrieval.documents import DocumentIndex
    from ace.store import restore

    with api.open_playbook(tmp_path / "p.db") as store:
        for refuse in (
            lambda: api.read_study(NOWHERE),
            lambda: store.backup(NOWHERE),
            lambda: restore(NOWHERE, tmp_path / "q.db"),
            lambda: DocumentIndex.open(NOWHERE),
            lambda: api.open_playbook(Path(NOWHERE)),
        ):
            with pytest.raises(InputError, match="server") as caught:
                refuse()
            assert "geheim" not in str(caught.value)
    assert is_address(Path("postgres://a/b")) and not is_address(Path()) and not is_address("p.db")


def test_a_database_is_listed_playbook_by_playbook(ace: Ace, guarded: str, address: str) -> None:
    other = guarded.replace("schema=guarded", "schema=listed")
    fill_one(parse_place(other))
    with as_anybody(parse_place(address)) as db:  # somebody else's, whose name must be quoted
        db.execute('CREATE SCHEMA "of ""others"""')
        db.execute('CREATE TABLE "of ""others""".about AS SELECT 1 AS application')
    done = ace("playbook", "list", other, "--json")
    assert done.code == 0, done.err
    names = [row["playbook"] for row in json.loads(done.out)["playbooks"]]
    assert str(parse_place(other)) in names and SECRET not in done.out
    assert [name for name in names if parse_place(name).schema == parse_place(address).schema]


def test_what_waits_for_a_server_is_kept_in_a_folder_of_its_own(tmp_path: Path) -> None:
    one, two = (parse_place(f"postgresql://{user}@h/sh%20op%2F..") for user in ("ann", "bob"))
    assert one.stem == "sh-op" and locate_folder(one, ".exchanges") != locate_folder(two, ".exchanges")
    assert locate_folder(one, ".exchanges").parent == tmp_path / "state" / "ace"
    assert locate_folder(tmp_path / "p.db", ".exchanges") == tmp_path / "p.db.exchanges"
