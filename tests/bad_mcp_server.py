"""A program that is no MCP server, for tests: its first argument says what it does instead."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any


def serve(tools: list[dict[str, Any]], results: dict[str, bytes]) -> None:
    """Speak the protocol by hand: list these tools, and answer a call of each with these bytes."""
    for line in sys.stdin:
        request = json.loads(line)
        number = json.dumps(request.get("id")).encode()
        name = request.get("params", {}).get("name", "")
        match request["method"]:
            case "initialize":
                version = request["params"]["protocolVersion"]
                info = {"name": "bad", "version": "1"}
                result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
                answer = json.dumps(result).encode()
            case "tools/list":
                answer = json.dumps({"tools": tools}).encode()
            case "tools/call":
                answer = results[name]
            case _:
                if "id" in request:
                    error = {"code": -32601, "message": "no such method"}
                    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}), flush=True)
                continue
        sys.stdout.buffer.write(b'{"jsonrpc": "2.0", "id": ' + number + b', "result": ' + answer + b"}\n")
        sys.stdout.flush()


def text(content: bytes) -> bytes:
    return b'{"content": [{"type": "text", "text": "' + content + b'"}]}'


match sys.argv[1]:
    case "dies":
        sys.exit("no licence")
    case "hangs":
        time.sleep(600)
    case "endless line":
        while True:
            sys.stdout.write("a" * 1_000_000)
    case "answers oddly":
        schema = {"type": "object"}
        odd = {
            "surrogate": text(b"half a \\ud83d sign"),
            "latin": text(b"caf\xe9"),
            "unknown": b'{"content": [{"type": "smell", "data": "x"}]}',
            "number": b"5",
            "empty": b'{"content": []}',
            "mute": b"\n",
        }
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve([{"name": name, "inputSchema": schema} for name in odd], odd)
        time.sleep(600)  # nobody writes to it any more, and it does not end
    case "lists odd tools":
        fine = {"type": "object", "properties": {"name": {"type": "string"}}}
        rows: list[Any] = [
            {"name": "first", "inputSchema": fine},
            {"name": "flat", "inputSchema": 5},
            {"name": "bare"},
            {"inputSchema": fine},
            "a word",
            {"name": "listed", "inputSchema": {"type": "object", "properties": ["name"]}},
            {"name": "mistyped", "inputSchema": {"type": "object", "properties": {"a": {"type": "strng"}}}},
            {"name": "deep", "inputSchema": json.loads('{"not": ' * 100 + "{}" + "}" * 100)},
            {"name": "out", "inputSchema": fine, "outputSchema": {"type": 7}},
            {"name": "last", "inputSchema": fine},
        ]
        serve(rows, {"first": text(b"one"), "last": text(b"two")})
    case "lists rubbish":
        for line in sys.stdin:
            number = line.partition('"id":')[2].partition(",")[0].strip("}\n ")
            if number:
                print(f'{{"jsonrpc": "2.0", "id": {number}, "result": 5}}', flush=True)
