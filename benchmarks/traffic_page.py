"""The page of a day of traffic: tables by share of the day, slopes, what a request and a day take.

Pure: from the record of a measurement to text.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measured_pages import format_table

Record = Mapping[str, Any]
_PARTS = ("answer", "context", "record", "feedback", "memory")
_OF_A_REQUEST = ("episodes", "calls")
_OF_FEEDBACK = ("feedback", "steps")
_MANY = 1_000  # rows from which on a table's pages are mostly full
_KEYS = 60  # bytes of a row in its indexes, about
_OF_A_VERSION = ("versions", "operations", "bullet_history")


def render_sections(record: Record) -> list[str]:
    """Return the sections of the page. A measurement that was ended before its first share has one."""
    about = render_about(record)
    done = [share for share in record["shares"] if share.get("together", {}).get("requests")]
    if not done:
        return [about, "It was ended before anything was measured."]
    record = {**record, "shares": done}
    sections = [about, "## A request", render_requests(record), "## Waiting", render_waits(record)]
    sections += ["## What grows with the rows", render_growth(record)]
    sections += ["## Bytes", render_bytes(record), "## Tokens and money", render_tokens(record)]
    return [*sections, "## A day of it", render_day(record)]


def render_about(record: Record) -> str:
    """Return what was run, where, and how to read it."""
    options = record["options"]
    loads = [load for share in record["shares"] for load in share["load"]]
    busy = f"load averages from {min(loads):.1f} to {max(loads):.1f}" if loads else "no load noted"
    lines = [
        f"{record['database']} with its own settings; {options['servers']} servers, one learner, the database"
        f" and the measurement share the machine ({busy}). Where that is above the number of cores, times on"
        " the clock are those of a busy machine; processor time, bytes and slopes of these are not.",
        "",
        f"A request: one of {options['users']:,} users (the n-th comes 1/n times as often as the first) asks"
        f" about one of {options['topics']} topics. Prompt, call and episode are the package's own work. The"
        f" model answers at once, in the same process: its time is not counted. {options['feedback']:.0%} of"
        f" the answers get feedback, and after {options['memories']:.0%} something is remembered.",
        "",
        "Earlier hours are loaded in bulk: copies of rows that real requests wrote, each with a checksum, and"
        f" counted by the seals. `verify` went over everything in {record['verify']:,.0f} s and found"
        f" {len(record['problems']) or 'nothing'}{' problems' if record['problems'] else ' wrong'}.",
    ]
    return "\n".join(lines)


def render_requests(record: Record) -> str:
    """Return what requests took, by share of the day: milliseconds on the clock, and of the processor."""
    rows = []
    for share in record["shares"]:
        for name in ("alone", "together"):
            if name not in share or not share[name]["requests"]:
                continue
            figures = share[name]
            database = figures["database"].get("processor")
            rows.append([
                f"{share['rows']['episodes']:,}",
                f"{share['users']:,}",
                figures["servers"],
                *(format_part(figures, part) for part in _PARTS),
                f"{figures['requests'] / figures['database']['seconds']:,.0f}",
                f"{1000 * figures['processor'] / figures['requests']:.2f}",
                "" if database is None else f"{1000 * database / figures['requests']:.2f}",
                format_step(figures),
            ])  # fmt: skip
    head = [
        "episodes there",
        "users",
        "servers",
        "an answer",
        "until the model is asked",
        "from its reply on",
    ]
    head += [
        "feedback",
        "a memory",
        "requests/s",
        "processor, servers",
        "processor, database",
        "processor, a step",
    ]
    table = format_table(head, rows)
    note = "Milliseconds: median / 99th percentile; processor time a request, and a step of the learner."
    return f"{note}\n\n{table}"


def format_part(figures: Record, part: str) -> str:
    """Write median and 99th percentile of a part of a request."""
    times = figures["parts"].get(part)
    return f"{times['p50']:.1f} / {times['p99']:.0f}" if times else ""


def format_step(figures: Record) -> str:
    """Write the milliseconds of the processor that a step of the learner took."""
    return f"{1000 * figures['learner']['processor'] / figures['steps']:.0f}" if figures["steps"] else ""


def render_waits(record: Record) -> str:
    """Return transactions, waits for the write lock, and what connections waited for."""
    rows = []
    for share in record["shares"]:
        for name in ("alone", "together"):
            database = share.get(name, {}).get("database", {})
            if not database.get("commits"):
                continue
            waits = ", ".join(
                f"{event} {seconds:.1f}" for event, seconds in list(database["waits"].items())[:5]
            )
            rows.append([
                f"{share['rows']['episodes']:,}",
                share[name]["servers"],
                f"{database['commits'] / database['seconds']:.0f}",
                f"{database['commits'] / share[name]['requests']:.2f}",
                f"{database['transactions'] / share[name]['requests']:.1f}",
                f"{1000 * database['lock_seconds'] / database['commits']:.1f}",
                f"{database['queue_mean']:.2f} / {database['queue_most']}",
                waits,
            ])  # fmt: skip
    if not rows:
        return "A file has one writer at a time, whom nobody lists: only the times above tell."
    head = ["episodes there", "servers", "writes/s", "writes a request", "transactions a request"]
    head += [
        "waited for the write lock, ms a write",
        "waiting for it, mean / most",
        "seconds over all connections",
    ]
    return format_table(head, rows)


def fit_slope(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of the logarithms: 0 does not grow, 1 grows as rows do; None for too few points."""
    points = [(math.log(x), math.log(y)) for x, y in pairs if x > 0 and y > 0]
    if len({x for x, _ in points}) < 2:
        return None
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def list_measures(share: Record) -> dict[str, float | None]:
    """Return what may grow of one share: milliseconds, bytes."""
    figures = share["together"]
    requests, parts = figures["requests"], figures["parts"]
    database = figures["database"]
    measures: dict[str, float | None] = {
        "processor of the servers, ms a request": 1000 * figures["processor"] / requests,
        "processor of the database, ms a request": None,
        "processor of the learner, ms a step": None,
    }
    if database.get("processor") is not None:
        measures["processor of the database, ms a request"] = 1000 * database["processor"] / requests
    if figures["steps"]:
        measures["processor of the learner, ms a step"] = (
            1000 * figures["learner"]["processor"] / figures["steps"]
        )
    for part in ("context", "record", "feedback", "memory"):
        if part in parts:
            measures[f"{part}, ms on the clock (median)"] = parts[part]["p50"]
    if database.get("log_bytes"):
        measures["write-ahead log, bytes a request"] = database["log_bytes"] / requests
    measures["bytes of a server's process"] = statistics.mean(figures["memory"])
    measures["start: feedback that nobody learned from, ms"] = 1000 * share["start"]
    return measures


def render_growth(record: Record) -> str:
    """Return a line for each thing that may grow: first share, last share, and the slope over all of them."""
    shares = record["shares"]
    measures = [list_measures(share) for share in shares]
    rows = []
    for name in measures[-1]:
        pairs = []
        for share, by_name in zip(shares, measures, strict=True):
            amount = by_name.get(name)
            if amount is not None:
                pairs.append((float(share["rows"]["episodes"]), amount))
        slope = fit_slope(pairs)
        if pairs:
            rows.append(
                [name, *(f"{pairs[at][1]:,.1f}" for at in (0, -1)), "" if slope is None else f"{slope:.2f}"]
            )
    first, last = (f"{shares[at]['rows']['episodes']:,} episodes" for at in (0, -1))
    note = "Slopes of logarithms over all shares: 0 does not grow, 1 grows as the rows do."
    return f"{note}\n\n{format_table(['', first, last, 'slope'], rows)}"


def estimate_row(size: Record) -> float:
    """Return the bytes of a row with its indexes; of a small table those of the row, and of its keys, about.

    Its pages are mostly empty, and would make a row seem large.
    """
    if size["rows"] >= _MANY or not size["row"]:
        return float(size["bytes"] / size["rows"])
    return float(size["row"]) + _KEYS


def derive_constants(record: Record) -> dict[str, float]:
    """Return what one request, user, memory and version take, by the last share: what arithmetic begins with.

    Bytes with their indexes; seconds of the processor; tokens by request.
    """
    share = record["shares"][-1]
    figures, sizes = share["together"], share["sizes"]
    requests = figures["requests"]

    def sum_rows(names: Sequence[str]) -> float:
        """Sum the bytes of one row of each table."""
        return sum(estimate_row(sizes[name]) for name in names if name in sizes)

    feedback = figures["parts"].get("feedback", {"count": 0})["count"] / requests
    memories = figures["parts"].get("memory", {"count": 0})["count"] / requests
    constants = {
        "bytes of an answer": sum_rows(_OF_A_REQUEST),
        "bytes of feedback and its step": sum_rows(_OF_FEEDBACK),
        "bytes of a memory": sum_rows(["memories"]),
        "bytes of a version": sum_rows(_OF_A_VERSION),
        "bytes of index of an answer": sum(
            sizes[name]["index"] / sizes[name]["rows"] for name in _OF_A_REQUEST
        ),
        "feedback a request": feedback,
        "memories a request": memories,
        "memories of a user": share["rows"].get("memories", 0) / share["users"],
        "server seconds": figures["processor"] / requests,
        "database seconds": (figures["database"].get("processor") or 0.0) / requests,
        "step seconds": figures["learner"]["processor"] / figures["steps"] if figures["steps"] else 0.0,
        "calls a step": figures["learner"]["calls"] / figures["steps"] if figures["steps"] else 0.0,
        "writes a request": figures["database"].get("commits", 0.0) / requests,
        "log bytes": figures["database"].get("log_bytes", 0.0) / requests,
    }
    constants["bytes of a request"] = (
        constants["bytes of an answer"]
        + feedback * constants["bytes of feedback and its step"]
        + memories * constants["bytes of a memory"]
    )
    for kind, count in figures["tokens"].items():
        constants[kind] = count / requests
        constants[f"{kind} a step"] = figures["learner"][kind] / figures["steps"] if figures["steps"] else 0.0
    return constants


def render_bytes(record: Record) -> str:
    """Return the size of each table, and what a request, a user, a memory and a version take."""
    share = record["shares"][-1]
    rows = []
    for name, size in share["sizes"].items():
        if size["rows"]:
            each = size["bytes"] / size["rows"]
            index = size["index"] / size["rows"]
            rows.append(
                [name, f"{size['rows']:,}", f"{size['bytes'] / 1e6:,.1f}", f"{each:,.0f}", f"{index:,.0f}"]
            )
    constants = derive_constants(record)
    user = constants["memories of a user"] * constants["bytes of a memory"]
    lines = [
        format_table(["table", "rows", "MB", "bytes a row", "of which indexes"], rows[:10]),
        "",
        f"- a request: {constants['bytes of a request']:,.0f} bytes: answer and call"
        f" {constants['bytes of an answer']:,.0f}, and its share of feedback, steps and memories;"
        f" {constants['log bytes']:,.0f} bytes of write-ahead log",
        f"- a memory: {constants['bytes of a memory']:,.0f} bytes; a user, of whom there are"
        f" {constants['memories of a user']:.1f}: {user:,.0f}",
        f"- feedback with its step: {constants['bytes of feedback and its step']:,.0f} bytes",
        f"- a version of one operation: {constants['bytes of a version']:,.0f} bytes",
    ]
    return "\n".join(lines)


def price_request(record: Record) -> float:
    """Return US dollars for the tokens of a request and of what is learned from its feedback.

    Prices are for a million tokens, as they were given.
    """
    constants, options = derive_constants(record), record["options"]
    cost = 0.0
    for kind in ("computed", "cached", "written"):
        tokens = constants[kind] + constants["feedback a request"] * constants[f"{kind} a step"]
        cost += tokens * options[f"price_{kind}"] / 1e6
    return cost


def render_tokens(record: Record) -> str:
    """Return tokens of a request, computed and cached apart, and what they cost."""
    constants, options = derive_constants(record), record["options"]
    parties = [share[name] for share in record["shares"] for name in ("alone", "together") if name in share]
    made = sum(party["requests"] for party in parties)
    rows = []
    for kind, name in (
        ("computed", "prompt, computed"),
        ("cached", "prompt, cached"),
        ("written", "written"),
    ):
        price = options[f"price_{kind}"]
        cost = constants[kind] * price / 1e6
        step = constants[f"{kind} a step"]
        cells = f"{constants[kind]:,.0f}", f"{price:.2f}", f"{1000 * cost:,.3f}", f"{step:,.0f}"
        rows.append([name, *cells])
    note = (
        "Four characters count as a token. The system message, which holds the playbook, counts as cached"
        " where the server sent the same one with its request before: one cache for all servers finds more."
        f" Here the playbook changed {record['versions']} times in {made:,} requests."
    )
    head = ["tokens", "a request", "dollars a million", "dollars for 1,000 requests", "a step of the learner"]
    total = f"With what is learned, 1,000 requests cost {1000 * price_request(record):.2f} dollars."
    return f"{format_table(head, rows)}\n\n{note} {total}"


def render_day(record: Record) -> str:
    """Return what the day comes to by these constants, and how much of it was measured."""
    constants, options = derive_constants(record), record["options"]
    requests = options["requests"]
    rate = requests / 86_400
    steps = constants["feedback a request"] * requests
    storage = requests * constants["bytes of a request"]
    storage += options["users"] * constants["memories of a user"] * constants["bytes of a memory"]
    rows = [
        ["requests a second, on average", f"{rate:,.1f}"],
        ["tables, GB", f"{storage / 1e9:,.2f}"],
        ["write-ahead log, GB", f"{requests * constants['log bytes'] / 1e9:,.2f}"],
        ["writes a second, on average", f"{rate * constants['writes a request']:,.1f}"],
        ["processor of the servers, hours", f"{requests * constants['server seconds'] / 3600:,.1f}"],
        ["processor of the database, hours", f"{requests * constants['database seconds'] / 3600:,.1f}"],
        ["steps of the learner", f"{steps:,.0f}"],
        ["processor of the learner, hours", f"{steps * constants['step seconds'] / 3600:,.1f}"],
        ["tokens, dollars", f"{requests * price_request(record):,.0f}"],
    ]
    return format_table([f"{requests:,} requests", ""], rows)
