"""What the proxy adds to a call, and whether faults of an upstream pass as they are. Needs no model.

    python benchmarks/proxy.py

An upstream that answers at once runs in a process of its own, and so does the proxy, with the one that
records for it. Calls come at a fixed rate, whether or not earlier ones are answered. Rounds with and without
the proxy take turns, so that both meet the same machine. A call takes from when it was due to its last byte.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ace.playbook import Add
from ace.store import Store

RESULTS = Path(__file__).parent / "results"
MAIN = "import sys; sys.argv[0] = 'ace'; from ace.cli.main import main; main()"
BARS = {"p50": 3.0, "p99": 15.0}  # milliseconds that may be added
SPEECH = "The parcel was refused because its label could not be read. " * 8
WHOLE = json.dumps({
    "id": "chat-1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SPEECH}}],
}).encode()  # fmt: skip
DELTAS = [{"index": 0, "delta": {"content": f"{word} "}} for word in SPEECH.split()[:40]]
DELTAS.append({"index": 0, "delta": {}, "finish_reason": "stop"})
LINES = [f"data: {json.dumps({'id': 'chat-1', 'choices': [delta]})}\n\n" for delta in DELTAS]
EVENTS = "".join([*LINES, "data: [DONE]\n\n"]).encode()
JSON, EVENT_STREAM = "application/json", "text/event-stream"
REPLIES = {
    "whole": (200, JSON, WHOLE),
    "stream": (200, EVENT_STREAM, EVENTS),
    "400": (400, JSON, b'{"error": {"message": "no such model", "type": "invalid_request_error"}}'),
    "429": (429, JSON, b'{"error": {"message": "slow down", "type": "rate_limit_error"}}'),
    "500": (500, "text/plain", b"Internal Server Error"),
    "503": (503, "text/html; charset=utf-8", "<html>überlastet</html>".encode()),
    "no JSON": (200, JSON, b'{"id": "chat-1", "choices": ['),
    "no events": (200, EVENT_STREAM, b"data: {\n\nevent\n\ndata: [DONE\r\n" + bytes(range(256))),
    "cut off": (200, JSON, WHOLE),  # half of it comes, then the connection ends
    "cut off stream": (200, EVENT_STREAM, EVENTS),
}
FAULTS = [name for name in REPLIES if name not in ("whole", "stream")]


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold what a client saw."""

    status: int
    body: bytes
    is_whole: bool
    """Whether the reply came to its end."""


@dataclass(slots=True)
class Pool:
    """Hold connections to one server that are free."""

    port: int
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def ask(self, case: str, number: int) -> Reply:
        """Send one request, and read its reply."""
        text = f"Question {number}: why was the parcel refused? {SPEECH}"
        messages = [{"role": "system", "content": SPEECH}, {"role": "user", "content": text}]
        body = json.dumps({"model": case, "messages": messages, "stream": "stream" in case}).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\n"
            f"host: 127.0.0.1:{self.port}\r\nauthorization: Bearer none\r\nx-case: {case}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        reader = writer = None
        while self.free and writer is None:
            reader, writer = self.free.pop()
            if reader.at_eof():  # the server has closed it
                writer.close()
                reader = writer = None
        if reader is None or writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.encode() + body)
        reply, is_open = await read_reply(reader)
        if is_open and reply.is_whole:
            self.free.append((reader, writer))
        else:
            writer.close()
        return reply


async def read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """Return a reply, and whether the connection may be used again."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    except asyncio.IncompleteReadError:
        return Reply(0, b"", is_whole=False), False
    status = int(head.split(" ", 2)[1])
    length = re.search(r"content-length: (\d+)", head)
    pieces: list[bytes] = []
    try:
        if length:
            pieces.append(await reader.readexactly(int(length[1])))
        else:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                pieces.append(await reader.readexactly(size))
                await reader.readexactly(2)
            await reader.readexactly(2)
    except asyncio.IncompleteReadError as error:
        rest = error.partial if length else b""
        return Reply(status, b"".join(pieces) + rest, is_whole=False), False
    return Reply(status, b"".join(pieces), is_whole=True), "connection: close" not in head


async def serve_upstream() -> None:
    """Answer at once, as the header x-case asks; print the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                await reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1]))  # type: ignore[index]
                case = re.search(r"x-case: (.+)\r", head)[1].strip()  # type: ignore[index]
                status, kind, body = next(REPLIES[name] for name in REPLIES if name.lower() == case)
                lines = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n"
                is_cut = case.startswith("cut off")
                if kind == EVENT_STREAM:
                    pieces = re.findall(rb".*?\n\n|.+", body, re.DOTALL)
                    if is_cut:
                        pieces = pieces[: len(pieces) // 2]
                    writer.write(f"{lines}transfer-encoding: chunked\r\n\r\n".encode())
                    for piece in pieces:
                        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    if not is_cut:
                        writer.write(b"0\r\n\r\n")
                else:
                    sent = body[: len(body) // 2] if is_cut else body
                    writer.write(f"{lines}content-length: {len(body)}\r\n\r\n".encode() + sent)
                await writer.drain()
                if is_cut:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def start(command: list[str], pattern: str) -> Iterator[tuple[int, int]]:
    """Start a process, and yield its number, and the port that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            match = re.search(pattern, line)
            if match:
                yield process.pid, int(match[1])
                break
    finally:
        process.terminate()
        process.communicate()


def read_processor_times(process: int) -> list[float]:
    """Return the seconds that a process has computed, and those of the one that it has started (Linux)."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    times = []
    for name in (str(process), children[0]):
        fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        times.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return times


async def measure_round(pool: Pool, case: str, rate: float, seconds: float, first: int) -> list[float]:
    """Return the milliseconds of each call of a round."""
    times: list[float] = []
    beginning = time.perf_counter() + 0.05

    async def call(number: int) -> None:
        due = beginning + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        reply = await pool.ask(case, first + number)
        assert reply == Reply(*REPLIES[case][::2], is_whole=True), reply
        times.append(1000 * (time.perf_counter() - due))

    await asyncio.gather(*(call(number) for number in range(int(rate * seconds))))
    return times


def find_quantile(times: list[float], share: float) -> float:
    """Return the time that so large a share of calls does not exceed."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


async def measure_latency(direct: Pool, proxied: Pool, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the proxy adds, for whole and for streamed replies."""
    record: dict[str, Any] = {}
    for case in ("whole", "stream"):
        times: dict[str, list[float]] = {"direct": [], "proxied": []}
        for pool in (direct, proxied):
            await measure_round(pool, case, options.rate, 1.0, 0)  # connections are made, nothing is kept
        for number in range(options.rounds):
            for name, pool in (("direct", direct), ("proxied", proxied)):
                first = (number + 1) * 100_000
                times[name] += await measure_round(pool, case, options.rate, options.seconds, first)
        row = {}
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            row[name] = {way: round(find_quantile(values, share), 2) for way, values in times.items()}
            row[name]["added"] = round(row[name]["proxied"] - row[name]["direct"], 2)
        record[case] = {"calls": len(times["proxied"]), **row}
        print(case, record[case], flush=True)
    return record


async def compare_faults(direct: Pool, proxied: Pool, requests: int) -> dict[str, Any]:
    """Return how many replies were the same with and without the proxy, of which every fifth is a fault."""
    same = 0
    different: list[str] = []
    faults = 0
    for number in range(requests):
        case = ("whole", "stream")[number % 2]
        if number % 5 == 0:
            case = FAULTS[number // 5 % len(FAULTS)]
            faults += 1
        one, other = await direct.ask(case, number), await proxied.ask(case, number)
        if one == other:
            same += 1
        else:
            different.append(case)
    return {"requests": requests, "faults": faults, "same": same, "different": sorted(set(different))}


def write_page(record: dict[str, Any]) -> str:
    """Return the page of results."""
    rate, load, faults = record["rate"], record["load"], record["faults"]
    about = f"{rate:g} requests a second against an upstream that answers at once, on {record['machine']}."
    lines = [
        f"# What the proxy adds, {record['date']}",
        "",
        f"    {record['command']}",
        "",
        f"{about} Load average {load[0]:.1f} before, {load[1]:.1f} after. Milliseconds.",
        "",
        "| reply | calls | | direct | by the proxy | added |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case, row in record["latency"].items():
        for name in ("p50", "p90", "p99"):
            cells = " | ".join(f"{row[name][way]:.2f}" for way in ("direct", "proxied", "added"))
            lines.append(f"| {case} | {row['calls']:,} | {name} | {cells} |")
    lines.append("")
    for name, bar in BARS.items():
        worst = max(row[name]["added"] for row in record["latency"].values())
        verdict = "reached" if worst <= bar else "missed"
        lines.append(f"- Added at {name}: at most {worst:.2f} ms (bar {bar:g} ms: {verdict}).")
    is_same = faults["same"] == faults["requests"]
    verdict = "reached" if is_same else f"missed: {', '.join(faults['different'])}"
    proxy, recorder = record["processor"]
    counts = f"{faults['requests']:,} requests, {faults['faults']} of them faults: {faults['same']:,} times"
    lines += [
        f"- {counts} the same status and bytes, broken ends included (bar: all: {verdict}).",
        f"- Processor time of a request: {proxy:.2f} ms to forward it, {recorder:.2f} ms to record it.",
        f"- {record['recorded']:,} of {record['sent']:,} exchanges were recorded, the last of them",
        f"  {record['behind']:.0f} s after the last request.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--upstream", action="store_true", help="be the upstream")
    options = parser.parse_args()
    if options.upstream:
        asyncio.run(serve_upstream())
        return
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        playbook = Path(folder) / "parcels.db"
        with Store.open(playbook) as store:
            adds = [
                Add(f"b-{n}", "facts", f"Shelf {n} holds item {n * 7}, unless it is a holiday.")
                for n in range(60)
            ]
            store.commit(tuple(adds), author="person", reason="benchmark")
        words = ["proxy", "--playbook", str(playbook), "--port", "0", "--rate", "5000"]
        with start([sys.executable, __file__, "--upstream"], r"(\d+)") as (_, port):
            words += ["--upstream", f"http://127.0.0.1:{port}"]
            with start([sys.executable, "-c", MAIN, *words], r":(\d+)$") as (process, proxy_port):
                asyncio.run(Pool(proxy_port).ask("whole", 0))  # from then on it records
                before = read_processor_times(process)
                record = asyncio.run(measure(Pool(port), Pool(proxy_port), options))
                load.append(os.getloadavg()[0])
                waiting = Path(folder) / "parcels.db.exchanges"
                ended = time.monotonic()
                while any(waiting.glob("*.[eo]*")):
                    time.sleep(0.2)
                record["behind"] = time.monotonic() - ended
                after = read_processor_times(process)
        with Store.open(playbook) as store:
            record["recorded"] = len(store.episodes())
            assert store.verify() == []
    record |= {"rate": options.rate, "load": load, "date": date.today().isoformat()}
    record["sent"] = sum(row["calls"] + int(options.rate) for row in record["latency"].values())
    record["sent"] += record["faults"]["requests"] + 1
    spent = [1000 * (end - start) / record["sent"] for start, end in zip(before, after, strict=True)]
    record["processor"] = [round(each, 2) for each in spent]
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    record["command"] = shlex.join(["python", "benchmarks/proxy.py", *sys.argv[1:]])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "proxy.json").write_text(json.dumps(record, indent=1) + "\n")
    page = write_page(record)
    (options.out / "proxy.md").write_text(page)
    print(page)


async def measure(direct: Pool, proxied: Pool, options: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    return {
        "latency": await measure_latency(direct, proxied, options),
        "faults": await compare_faults(direct, proxied, options.requests),
    }


if __name__ == "__main__":
    main()
