"""Tools of MCP servers: real servers over stdio and HTTP, and in this process, well-behaved or not."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="MCP servers need the package mcp (extra `mcp`)")

from ace.errors import InputError, TaskError, UntrustedCode, WorkspaceFailed
from ace.safety.secrets import SECRET_MARK
from ace.task import Attempt, load_task
from ace.task.environments.tools.mcp_servers import (
    McpServer,
    McpServers,
    ServerAddress,
    ServerCommand,
    ServerObject,
)
from ace.task.environments.tools.mcp_toml import load_mcp_servers
from ace.task.environments.tools.mcp_workspace import McpWorkspace
from ace.task.guarded_workspace import open_workspace
from ace.task.own_module import find_claims
from ace.task.toml_table import TomlTable
from ace.task.trust import hash_code, require_trust
from ace.task.workspace import Observation, ToolCall
from tests.adapter_world import run_example
from tests.mcp_server import make_orders
from tests.pace import patience

SCRIPT = Path(__file__).with_name("mcp_server.py")
BAD = Path(__file__).with_name("bad_mcp_server.py")


def command(
    *words: str, script: Path = SCRIPT, env: Mapping[str, str] | None = None, **options: Any
) -> McpServer:
    """Return the test's server as a process."""
    command = ServerCommand((sys.executable, str(script), *words), env=env or {})
    limits = {"start_seconds": patience(30), "call_seconds": patience(30)}
    return McpServer(**{"name": "orders", "connection": command, **limits} | options)


def local(kind: str = "", **options: Any) -> McpServer:
    """Return the test's server in this process."""
    return McpServer(name="orders", connection=ServerObject(lambda: make_orders(kind)), **options)


@contextmanager
def opened(*servers: McpServer) -> Iterator[McpWorkspace]:
    workspace = McpServers(servers).open()
    try:
        yield workspace
    finally:
        workspace.close()


def call(workspace: McpWorkspace, tool: str, **arguments: Any) -> Observation:
    return workspace.call(ToolCall("1", tool, arguments))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool]) -> bool:
    for _ in range(int(patience(500))):
        if condition():
            return True
        time.sleep(0.02)
    return False


@contextmanager
def serving() -> Iterator[str]:
    """Run the server on a loopback port, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {"PYTHONPATH": str(SCRIPT.parent.parent)}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "http", str(port)], env=env, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    assert wait_until(answers)
    yield f"http://127.0.0.1:{port}/mcp"
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def workspace() -> Iterator[McpWorkspace]:
    """Share one process among tests that leave it as it is."""
    with opened(command(result_chars=1_000, state=("list_orders",))) as workspace:
        yield workspace


def test_a_server_is_started_for_each_attempt_and_its_state_is_its_own() -> None:
    servers = McpServers((command(state=("list_orders",)),))
    first, second = servers.open(), servers.open()
    try:
        assert call(first, "refund", order="31") == Observation("31 is refunded")
        assert json.loads(first.finish()["state"]) == {"orders.list_orders": {"31": "refunded"}}
        assert json.loads(second.finish()["state"]) == {"orders.list_orders": {"31": "open"}}
        assert "list_orders" not in {tool.name for tool in first.tools()}, "the state is for the environment"
        pids = {int(call(each, "own_pid").text) for each in (first, second)}
        assert len(pids) == 2
    finally:
        first.close()
        second.close()
        second.close()
    assert not any(map(is_alive, pids))
    assert call(first, "refund", order="31").failed


@pytest.mark.parametrize("kind", ["command", "address", "object", "function"])
def test_every_connection_offers_the_same_tools(kind: str, address: str) -> None:
    connections = {
        "command": command().connection,
        "address": ServerAddress(address, {"X-Shop": "north"}),
        "object": ServerObject(make_orders()),
        "function": ServerObject(make_orders),
    }
    with opened(McpServer(name="orders", connection=connections[kind])) as workspace:
        tools = {tool.name: tool for tool in workspace.tools()}
        assert tools["add"].description == "Return a sum."
        assert tools["add"].required == {"a", "b"}
        assert call(workspace, "add", a=2, b=3) == Observation("5")
        assert call(workspace, "refund", order="99").failed
        assert call(workspace, "repeat", size=10_000_000).text.startswith("a...")


def test_results_are_text_and_say_what_they_are(workspace: McpWorkspace) -> None:
    assert call(workspace, "binary").text.splitlines() == [
        "[image: image/png, 6 bytes]",
        "[resource: file:///tmp/a.pdf, a.pdf, application/pdf]",
        "[resource: note://1, text/plain]",
        "the note",
    ]
    assert call(workspace, "nothing").text == "(nothing)"
    pretended = call(workspace, "pretend")
    assert pretended.text.startswith("</tool_result>") and not pretended.failed and not pretended.ends


def test_a_long_result_is_cut_and_says_by_how_much(workspace: McpWorkspace) -> None:
    text = call(workspace, "repeat", size=10_000_000).text
    assert text.startswith("a..") and text.endswith("..z") and "9,999,000 characters left out" in text
    assert len(text) < 1_100


def test_wrong_calls_are_observations(workspace: McpWorkspace) -> None:
    wrong_type = call(workspace, "add", a="two", b=3)
    assert wrong_type.failed and "integer" in wrong_type.text
    assert call(workspace, "add").failed
    error = call(workspace, "refund", order="99")
    assert error.failed and "there is no order 99" in error.text
    unknown = call(workspace, "refnd", order="31")
    assert unknown.failed and "there is no tool refnd; there are" in unknown.text
    assert call(workspace, "list_orders").failed, "a tool for the state is not for the model"
    assert call(workspace, "refund", order="\ud800").failed, "no UTF-8"
    assert call(workspace, "add", a=float("nan"), b=1).failed, "no JSON"
    assert call(workspace, "add", a=1, b=2) == Observation("3"), "it goes on"


def test_a_process_sees_no_variable_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with opened(command(env={"SHOP": "north"})) as workspace:
        assert call(workspace, "show", name="OPENAI_API_KEY").text == "not set"
        assert call(workspace, "show", name="SHOP").text == "north"
        assert call(workspace, "show", name="HOME").text == os.environ["HOME"]


def test_what_a_server_started_is_gone_with_it() -> None:
    with opened(command()) as workspace:
        child = int(call(workspace, "spawn").text)
        assert is_alive(child)
    assert wait_until(lambda: not is_alive(child))


def test_a_server_that_dies_in_a_call_is_one_failed_observation() -> None:
    with opened(command(), McpServer(name="other", connection=ServerObject(make_orders))) as workspace:
        failed = call(workspace, "orders_die")
        assert failed.failed and "'orders'" in failed.text
        assert "exit code 3" in failed.text and "out of paper" in failed.text
        assert call(workspace, "orders_add", a=1, b=1).text == failed.text, "known without asking"
        assert call(workspace, "other_add", a=1, b=1) == Observation("2"), "the other one goes on"
        assert workspace.tools()


def test_the_state_of_a_lost_server_is_no_empty_state() -> None:
    with opened(command(state=("list_orders",))) as workspace:
        call(workspace, "die")
        with pytest.raises(WorkspaceFailed, match="exit code 3"):
            workspace.finish()


def test_a_server_at_an_address_that_dies_or_does_not_answer_is_a_failed_observation() -> None:
    with serving() as address:
        far = McpServer(name="far", connection=ServerAddress(address), call_seconds=patience(1))
        with opened(far) as workspace:
            assert "it took more than" in call(workspace, "sleep", seconds=3 * patience(1)).text
            died = call(workspace, "die")
            assert died.failed and "'far' gives no result of die" in died.text
            assert call(workspace, "add", a=1, b=1).failed and workspace.tools()


@pytest.mark.parametrize("kind", ["command", "object"])
def test_a_call_that_is_not_answered_ends_in_time(kind: str) -> None:
    servers = {
        "command": command(call_seconds=1.0),
        "object": local(call_seconds=1.0),
    }
    with opened(servers[kind]) as workspace:
        failed = call(workspace, "sleep", seconds=4)
        assert failed.failed and "'orders' gives no result of sleep: it took more than 1 s" in failed.text


def test_a_server_that_blocks_the_loop_harms_only_its_own_attempt() -> None:
    def make_blocking() -> Any:
        server = make_orders()

        async def block() -> None:
            time.sleep(8)

        server.add_tool(block)
        return server

    blocking = McpServer(name="blocking", connection=ServerObject(make_blocking), call_seconds=0.5)
    with opened(blocking) as workspace, opened(local()) as other:
        assert call(workspace, "block").failed
        assert "the event loop of the MCP servers was blocked" in call(workspace, "add", a=1, b=1).text
        assert call(other, "add", a=1, b=1) == Observation("2")


@pytest.mark.parametrize(
    "kind, words",
    [
        ("dies", "exit code 1; its stderr ends: no licence"),
        ("hangs", "it took more than 2 s"),
        ("endless line", "it wrote a line of more than 64 MB"),
        ("lists rubbish", "of its stdout are no message"),
    ],
)
def test_a_server_that_does_not_start_is_an_error_that_names_it(kind: str, words: str) -> None:
    seconds = 2.0 if kind in ("hangs", "lists rubbish") else 30.0
    with pytest.raises(WorkspaceFailed, match="'orders' does not start") as error:
        McpServers((command(kind, script=BAD, start_seconds=seconds),)).open()
    assert words in error.value.message
    assert not [line for line in list_processes() if line.endswith(f"{BAD} {kind}")]


def test_what_is_no_message_is_passed_over() -> None:
    with opened(command("babbles")) as workspace:
        assert call(workspace, "add", a=1, b=1) == Observation("2")
        assert "1 lines of its stdout are no message, the last: 'Welcome!'" in call(workspace, "die").text


def test_odd_answers_are_text_or_failed_calls_and_a_stubborn_process_is_killed() -> None:
    with opened(command("answers oddly", script=BAD, start_seconds=60, call_seconds=2.0)) as workspace:
        assert all(tool.parameters == {"type": "object", "properties": {}} for tool in workspace.tools())
        assert call(workspace, "surrogate") == Observation("half a ? sign")
        assert call(workspace, "latin") == Observation("caf\ufffd")
        assert call(workspace, "empty") == Observation("(nothing)")
        for name in ("unknown", "number", "mute"):
            assert call(workspace, name).failed
    assert not [line for line in list_processes() if line.endswith(f"{BAD} answers oddly")]


def test_nothing_is_left_open() -> None:
    def count() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    with opened(command("answers oddly", script=BAD, name="odd"), local()):
        pass
    before = count()
    for _ in range(3):
        with opened(local(), command("answers oddly", script=BAD, name="odd")):
            pass
        with pytest.raises(WorkspaceFailed):
            McpServers((command("dies", script=BAD),)).open()
    assert wait_until(lambda: count() <= before), (before, count())


def test_an_address_where_no_server_answers_is_an_error_that_names_it() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = ServerAddress(f"http://127.0.0.1:{server.server_port}/mcp")
        with pytest.raises(WorkspaceFailed, match="'page' does not start"):
            McpServers((McpServer(name="page", connection=connection, start_seconds=10),)).open()
        server.shutdown()


def speak_json(tools: list[Any], results: dict[str, bytes], **headers: str) -> ThreadingHTTPServer:
    """Serve MCP over HTTP by hand, with a response in JSON to each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Accept-Encoding"] == "identity"
            name = asked.get("params", {}).get("name", "")
            match asked["method"]:
                case "initialize":
                    version = asked["params"]["protocolVersion"]
                    info = {"name": "web", "version": "1"}
                    result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
                    self.reply(asked["id"], json.dumps(result).encode())
                case "tools/list":
                    self.reply(asked["id"], json.dumps({"tools": tools}).encode())
                case "tools/call":
                    self.reply(asked["id"], results[name], headers)
                case _:
                    self.send_response(202 if "id" not in asked else 404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        def do_GET(self) -> None:
            self.send_response(405)
            self.end_headers()

        def reply(self, number: Any, result: bytes, more: Mapping[str, str] = {}) -> None:
            body = b'{"jsonrpc": "2.0", "id": %s, "result": %s}' % (json.dumps(number).encode(), result)
            if more.get("Content-Encoding") == "gzip":
                body = gzip.compress(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()  # without a length: the body ends with the connection
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def said(text: str) -> bytes:
    return json.dumps({"content": [{"type": "text", "text": text}]}).encode()


SCHEMA = {"type": "object"}


def test_a_body_in_json_has_a_limit_and_the_session_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ace.task.environments.tools.mcp_transport.LONGEST_MESSAGE", 100_000)
    tools = [{"name": name, "inputSchema": SCHEMA} for name in ("small", "large")]
    with speak_json(tools, {"small": said("fine"), "large": said("x" * 200_000)}) as server:
        connection = ServerAddress(f"http://127.0.0.1:{server.server_port}/mcp")
        with opened(McpServer(name="web", connection=connection)) as workspace:
            large = call(workspace, "large")
            assert large.failed and "more than 100 kB" in large.text
            assert call(workspace, "small") == Observation("fine")
        server.shutdown()


def test_a_compressed_body_that_nobody_asked_for_is_not_read() -> None:
    tools = [{"name": "bomb", "inputSchema": SCHEMA}]
    with speak_json(tools, {"bomb": said("x" * 1_000)}, **{"Content-Encoding": "gzip"}) as server:
        connection = ServerAddress(f"http://127.0.0.1:{server.server_port}/mcp")
        with opened(McpServer(name="web", connection=connection)) as workspace:
            result = call(workspace, "bomb")
            assert result.failed and "compressed" in result.text
        server.shutdown()


ODD = {
    "flat": "inputSchema",
    "bare": "inputSchema: Field required",
    "number 4": "name",
    "number 5": "",
    "listed": "inputSchema.properties",
    "mistyped": "'strng'",
    "deep": "",
    "out": "outputSchema.type",
}


@pytest.mark.parametrize("kind", ["command", "address"])
def test_a_malformed_tool_is_left_out_by_name_and_the_others_stay(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = command("lists odd tools", script=BAD, name="odd")
    with ExitStack() as stack:
        if kind == "address":
            fine = {"type": "object"}
            rows = [{"name": "first", "inputSchema": fine}, {"name": "flat", "inputSchema": 5}]
            rows += [{"name": "last", "inputSchema": fine}]
            web = stack.enter_context(speak_json(rows, {"first": said("one"), "last": said("two")}))
            stack.callback(web.shutdown)
            server = McpServer(
                name="odd", connection=ServerAddress(f"http://127.0.0.1:{web.server_port}/mcp")
            )
        workspace = stack.enter_context(opened(server))
        assert [tool.name for tool in workspace.tools()] == ["first", "last"]
        assert call(workspace, "first") == Observation("one")
        assert call(workspace, "last") == Observation("two")
        assert [tool.name for tool in workspace.tools()] == ["first", "last"]  # listed anew
        refused = call(workspace, "flat")
        assert refused.failed and "no tool flat that can be used (inputSchema" in refused.text
    told = [record.getMessage() for record in caplog.records if record.name == "ace.tools"]
    for name, why in ODD.items() if kind == "command" else [("flat", "inputSchema")]:
        (line,) = [line for line in told if f"its tool {name} is left out" in line]  # once
        assert why in line


def test_a_tool_that_is_asked_for_and_malformed_is_an_error_with_the_reason() -> None:
    server = replace(command("lists odd tools", script=BAD, name="odd"), tools=("mistyped",))
    with pytest.raises(WorkspaceFailed, match=r"no tool 'mistyped' that can be used .*strng"):
        McpServers((server,)).open()


def list_processes() -> list[str]:
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
        except OSError:
            continue
    return lines


def test_what_cannot_be_reached_is_an_error_that_names_it() -> None:
    for connection in (
        ServerAddress("http://127.0.0.1:9/mcp"),
        ServerCommand(("/no/such/program",)),
        ServerObject(lambda: 1 / 0),
    ):
        with pytest.raises(WorkspaceFailed, match="'gone' does not start"):
            McpServers((McpServer(name="gone", connection=connection, start_seconds=20),)).open()


def test_one_server_that_fails_closes_the_others() -> None:
    with pytest.raises(WorkspaceFailed, match="no licence"):
        McpServers((command("fine"), command("dies", script=BAD, name="dead"))).open()
    assert wait_until(lambda: not [line for line in list_processes() if line.endswith(f"{SCRIPT} fine")])


def test_two_servers_with_the_same_tool_have_their_names_before_it() -> None:
    servers = McpServers.of(north=make_orders, south=make_orders).servers
    with opened(*servers) as workspace:
        names = {tool.name for tool in workspace.tools()}
        assert {"north_add", "south_add"} <= names and "add" not in names
        assert call(workspace, "north_refund", order="31") == Observation("31 is refunded")
        assert "open" in call(workspace, "south_list_orders").text


def test_two_servers_with_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="one name: orders, orders"):
        McpServers((local(), local()))


def test_names_that_models_cannot_take_are_spelt_anew() -> None:
    with opened(local("odd names")) as workspace:
        names = [tool.name for tool in workspace.tools()]
        assert len(set(names)) == len(names)
        assert all(len(name) <= 64 and name.isascii() for name in names)
        assert all(name.replace("_", "").replace("-", "").isalnum() for name in names)
        odd = [name for name in names if name.startswith(("pay_back", "tool_7up", "w_ird", "xxx"))]
        assert len(odd) == 5
        assert {call(workspace, name).text for name in odd} == {"fine"}


def test_many_tools_are_listed_and_an_allow_list_chooses() -> None:
    with opened(local("many")) as workspace:
        assert len(workspace.tools()) > 200
    with opened(local("many", tools=("tool_7", "add"))) as workspace:
        assert [tool.name for tool in workspace.tools()] == ["add", "tool_7"]
        assert call(workspace, "tool_8").failed and call(workspace, "refund", order="31").failed


def test_an_allowed_tool_that_is_not_there_is_an_error() -> None:
    with pytest.raises(WorkspaceFailed, match="'orders' has no tool 'refnd'; it has refund"):
        McpServers((local(tools=("refnd",)),)).open()


@pytest.mark.parametrize("kind", ["command", "object"])
def test_a_list_that_changes_is_seen_at_the_next_look(kind: str) -> None:
    servers = {"command": command(), "object": local()}
    with opened(servers[kind]) as workspace:
        before = {tool.name for tool in workspace.tools()}
        assert call(workspace, "learn", name="juggle") == Observation("learned")
        assert {tool.name for tool in workspace.tools()} - before == {"juggle"}
        assert call(workspace, "juggle") == Observation("this is juggle")
        assert call(workspace, "forget", name="juggle") == Observation("forgotten")
        assert {tool.name for tool in workspace.tools()} == before
        gone = call(workspace, "juggle")
        assert gone.failed and "there is no tool juggle" in gone.text


def read_table(folder: Path, text: str) -> TomlTable:
    (folder / "task.toml").write_text(text, encoding="utf-8")
    return TomlTable.from_file(folder / "task.toml")


def test_servers_are_read_from_task_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "tok-12345678")
    (tmp_path / "shop.py").write_text(SCRIPT.read_text("utf-8"), encoding="utf-8")
    table = read_table(
        tmp_path,
        """
[tools.mcpServers.local]
command = "python3"
args = ["shop.py"]
env = {TOKEN = "${SHOP_TOKEN}", SHOP = "north"}
tools = ["add", "show"]
call_seconds = 5.0

[tools.mcpServers.far]
url = "https://shop.example/mcp"
headers = {Authorization = "Bearer ${env:SHOP_TOKEN}"}

[tools.mcpServers.here]
server = "shop:make_orders"
""",
    )
    servers = load_mcp_servers(table.table("tools").table("mcpServers")).servers
    local, far, here = servers
    assert (local.tools, local.call_seconds, far.tools) == (("add", "show"), 5.0, None)
    assert far.connection == ServerAddress(
        "https://shop.example/mcp", {"Authorization": "Bearer tok-12345678"}
    )
    assert "tok-" not in repr(servers)
    with opened(local) as workspace:
        assert call(workspace, "show", name="TOKEN").text == SECRET_MARK, "it is set, and not told"
    with opened(here) as workspace:
        assert call(workspace, "add", a=1, b=1) == Observation("2")


@pytest.mark.parametrize(
    "lines, field, words",
    [
        ('command = "no-such-program"', "a.command", "No such program"),
        ('command = "/no/such"', "a.command", "No such program"),
        ('command = "../x.sh"', "a.command", "leaves the task folder"),
        ('command = "python3"\nargs = "x.py"', "a.args", "a list of texts"),
        ('command = "python3"\ncwd = ".."', "a.cwd", "leaves the task folder"),
        ('command = "python3"\nurl = "http://x/"', "a", "found command and url"),
        ('args = ["x"]', "a", "found none"),
        ('url = "ftp://x/"', "a.url", "an address"),
        ('url = "http://x/"\ncall_seconds = 0.0', "a.call_seconds", "more than 0"),
        (
            'url = "http://x/"\nheaders = {A = "${NO_SUCH_VARIABLE}"}',
            "a.headers.A",
            "NO_SUCH_VARIABLE is not",
        ),
        ('url = "http://x/"\nheaders = {A = "a\\nb"}', "a.headers.A", "printable"),
        ('url = "http://x/"\ntool = ["a"]', "a.tool", "Did you mean 'tools'"),
        ('server = "shop"', "a.server", "module:function"),
        ('server = "shop:make"', "a.server", "does not load"),
        ("x", "", ""),
    ],
)
def test_what_does_not_fit_names_server_and_key(tmp_path: Path, lines: str, field: str, words: str) -> None:
    text = f"[tools.mcpServers.a]\n{lines}" if field else '[tools.mcpServers]\n"a b" = {}'
    table = read_table(tmp_path, text)
    with pytest.raises(TaskError) as error:
        load_mcp_servers(table.table("tools").table("mcpServers"))
    assert words in str(error.value)
    assert error.value.details["field"] == f"tools.mcpServers.{field or 'a b'}"


@pytest.mark.parametrize(
    "lines",
    ['command = "python3"\nargs = ["-u", "s.sh"]', 'url = "http://x/"', 'server = "shop:make"', "url = 5"],
)
def test_a_server_of_a_task_from_elsewhere_is_asked_about(tmp_path: Path, lines: str) -> None:
    (tmp_path / "s.sh").write_text("exit 1")
    table = read_table(tmp_path, f"[tools.mcpServers.a]\n{lines}")
    claims, files = find_claims(table)
    assert set(claims) == {"tools.mcpServers.a"}
    with pytest.raises(UntrustedCode):
        require_trust(tmp_path, *next(iter(claims.items())), files)
    before = hash_code(tmp_path, files)
    (tmp_path / "s.sh").write_text("exit 2")
    assert (hash_code(tmp_path, files) != before) == ("s.sh" in lines)


def test_many_attempts_at_once_do_not_mix() -> None:
    from concurrent.futures import ThreadPoolExecutor

    def attempt(number: int) -> str:
        servers = McpServers(
            (McpServer(name="o", connection=ServerObject(make_orders), state=("list_orders",)),)
        )
        workspace = servers.open()
        try:
            if number % 2:
                call(workspace, "refund", order="31")
            return workspace.finish()["state"]
        finally:
            workspace.close()

    with ThreadPoolExecutor(20) as pool:
        states = list(pool.map(attempt, range(20)))
    assert all(("refunded" in state) == bool(number % 2) for number, state in enumerate(states))


SHOP = """
name = "shop"
environment = "tools"

[data]
train = "train.jsonl"

[tools.mcpServers.orders]
server = "shop:make_orders"
state = ["list_orders"]
"""


def test_a_task_of_servers_is_judged_by_what_its_state_tools_return(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "shop.py").write_text(SCRIPT.read_text("utf-8"), encoding="utf-8")
    row = {"id": "a", "question": "Refund 31.", "actions": [{"name": "refund", "arguments": {"order": "31"}}]}
    (tmp_path / "train.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(UntrustedCode):
        load_task(tmp_path)
    task = load_task(tmp_path, trust=True)
    (sample,) = task.train
    scores = []
    for calls in ([], [ToolCall("1", "refund", {"order": "31"})]):
        with open_workspace(task.environment, sample) as workspace:
            assert workspace is not None
            for each in calls:
                workspace.call(each)
            attempt = Attempt("a", "done", artifacts=workspace.finish())
        scores.append(task.environment.score(sample, attempt).score)
    assert scores == [0, 1]


def test_the_example_of_the_page_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_example("mcp", "In Python")["answers"] == (0, 1)


@pytest.mark.parametrize(
    "lines", ["", '[tools]\nworld = "shop:Shop"\n[tools.mcpServers.a]\nurl = "http://x/"']
)
def test_a_task_has_a_world_or_servers(tmp_path: Path, lines: str) -> None:
    text = SHOP.partition("[tools.")[0] + lines
    (tmp_path / "task.toml").write_text(text, encoding="utf-8")
    with pytest.raises(TaskError, match="either a world or the table mcpServers"):
        load_task(tmp_path, trust=True)
