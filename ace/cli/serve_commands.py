"""`ace online --stdin`, `ace feedback`, `ace mcp`, `ace ui`: what programs and people ask, and say.

`ace online --stdin` reads and writes lines.
In:  {"question": "..."}  or
     {"feedback": EPISODE, "right": false, "score": 0.4, "expected": "...", "text": "..."}
Out: {"answer": "...", "episode": EPISODE, "error": ""}  or  {"feedback": EPISODE, "kept": true}
A line that cannot be used is answered with {"error": "..."}, and serving goes on.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.options import AllowedHosts, Json, OnlineOptions, Port, Trust, load_folder
from ace.cli.output import emit, emit_line, note
from ace.cli.playbook_places import (
    PlaybookFile,
    SamePlaybook,
    ServedPlaybook,
    ShownPlaybooks,
    choose_word,
    playbook_file,
)
from ace.cli.run_session import render_close
from ace.errors import CapReached, InputError, UnknownVersion

if TYPE_CHECKING:
    from ace.cli.progress import Show
    from ace.llm import RoleModels
    from ace.loop import OnlineServer
    from ace.runs.report import Report
    from ace.settings import Settings
    from ace.store import Store
    from ace.task import Task

STOPPED_BY_A_CAP = 3
_KNOWN = ("right", "score", "expected", "text")
"""What a line of feedback may say beside its episode, each of them or some."""


Host = Annotated[str, typer.Option(metavar="HOST", help="Other than loopback: with a token.")]


def feedback(
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="The id that came with the answer.")],
    right: Annotated[bool, typer.Option("--right", help="The answer was right.")] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="The answer was wrong.")] = False,
    score: Annotated[
        float | None, typer.Option(metavar="N", help="How good it was: 0 to 1, where 1 is right.")
    ] = None,
    expected: Annotated[str, typer.Option(metavar="TEXT", help="The right answer.")] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help="Anything else worth knowing.")] = "",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Say what became of an answer. The running server, or the next one, learns from it.

    Give what is known, one of the options at least; more may follow, a month later as well. Where several are
    given, --right or --wrong decides, then the score, then whether the answer is the right one.
    """
    from dataclasses import asdict

    from ace.runs.answer_feedback import read_feedback
    from ace.store import Store

    if right and wrong:
        raise InputError("It cannot be right and wrong.", hint="Give --right or --wrong.", field="right")
    verdict = right if right or wrong else None
    row = read_feedback(episode, right=verdict, score=score, expected=expected, text=text, author="person")
    if row is None:
        hint = "Give --right, --wrong, --score, --expected or --text."
        raise InputError("This says nothing of the answer.", hint=hint)
    with Store.open(playbook_file(playbook), create=False) as store:
        row = store.add_feedback(row)
    known = {"score": row.score, "expected": row.expected, "text": row.text}
    words = [f"{name} {value}" for name, value in known.items() if value not in (None, "")]
    if row.right is not None:
        words.insert(0, "right" if row.right else "wrong")
    emit(json, asdict(row), f"Kept: {episode}: {', '.join(words)}.")


def serve_mcp(
    place: ServedPlaybook = None,
    playbook: SamePlaybook = None,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP instead of stdio.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    allow_host: AllowedHosts = None,
    budget: Annotated[
        int, typer.Option(metavar="TOKENS", min=1, help="The most tokens of a context, unless a call says.")
    ] = 2_000,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The task that episodes are recorded for, without --task.")
    ] = "agent",
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="A task folder: its documents and its judge.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Learn from outcomes with this model.  [default: do not]"),
    ] = None,
    trust: Trust = False,
) -> None:
    """Serve a playbook to agents over MCP: contexts, outcomes, proposed lessons, history.

    With --http, the variable ACE_MCP_TOKEN holds the token that clients must send, if any.
    """
    from ace.servers.http_place import HttpPlace
    from ace.servers.mcp_server import make_server
    from ace.servers.open_desk import open_desk
    from ace.servers.transports import TOKEN_VARIABLE, serve_http, serve_stdio

    token = os.environ.get(TOKEN_VARIABLE, "")
    listen = HttpPlace(host=host, port=port, names=tuple(allow_host or ()), token=token) if http else None
    folder = load_folder(task, trust=trust) if task else None
    place = playbook_file(choose_word(place, playbook))
    with open_desk(place, budget=budget, name=name, task=folder, model=model) as desk:
        server = make_server(desk)
        if listen is None:
            serve_stdio(server)
        else:
            serve_http(server, listen, lambda address: note(f"ace: serving {desk.shelf.place} at {address}"))


def show_pages(
    playbooks: ShownPlaybooks = None,
    playbook: SamePlaybook = None,
    host: Host = "127.0.0.1",
    port: Port = 8766,
    allow_host: AllowedHosts = None,
) -> None:
    """Show playbooks in a browser: what waits for you, evidence, history, runs, accuracy, search.

    The variable ACE_UI_TOKEN holds the token that browsers must give, if any.
    """
    from importlib.util import find_spec

    from ace.servers.books import Books
    from ace.servers.http_place import HttpPlace

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        hint = "Install the extra `serve`: pip install 'ace-engine[serve]'."
        raise InputError(f"The pages need {' and '.join(missing)}.", hint=hint)
    from ace.servers.review.review_app import TOKEN_VARIABLE, serve_review

    token = os.environ.get(TOKEN_VARIABLE, "")
    names = tuple(allow_host or ())
    place = HttpPlace(host=host, port=port, names=names, token=token, variable=TOKEN_VARIABLE)
    named = [*(playbooks or ()), *((playbook,) if playbook else ())]
    books = Books(named or [playbook_file(None)])
    serve_review(books, place, lambda address: note(f"ace: open {address} in a browser; Ctrl-C ends it"))


def serve_lines(task: Task, store: Store, team: RoleModels, options: Settings, show: Show) -> Report:
    """Serve the lines of stdin until they end or a cap is reached; then learn from what waits."""
    from ace import loop

    stopped = ""
    with loop.serve(task, store, team, options, progress=show) as agent:
        for number, text in enumerate(sys.stdin, start=1):
            if not text.strip():
                continue
            try:
                emit_line(_answer(agent, text))
            except CapReached as cap:
                stopped = str(cap)
                break
            except (InputError, UnknownVersion) as error:
                emit_line({"error": f"line {number}: {error}"})
        return agent.close(stopped)


def close_lines(report: Report, options: OnlineOptions) -> None:
    """Print the report on stderr, beside the lines; with --json, as the last of them."""
    if options.json:
        emit_line({"report": report.to_json()})
    else:
        note(render_close(report, options))
    if report.stopped:
        raise typer.Exit(STOPPED_BY_A_CAP)


def _answer(agent: OnlineServer, line: str) -> dict[str, Any]:
    """Answer a question, or take feedback. Raises InputError for any other line."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"This is not JSON ({error}).") from error
    match row:
        case {"question": str(question)} if question.strip():
            answer = agent.answer(question)
            return {"answer": answer.text, "episode": answer.episode, "error": answer.error}
        case {"feedback": str(episode)} if set(row) <= {"feedback", *_KNOWN}:
            for name in ("expected", "text"):
                if not isinstance(row.get(name, ""), str):
                    raise InputError(f"Expected {name} as text, found {row[name]!r:.60}.")
            agent.feedback(episode, **{name: row[name] for name in _KNOWN if name in row})
            return {"feedback": episode, "kept": True}
        case dict():
            known = ", ".join(_KNOWN)
            raise InputError(f'Expected {{"question": ...}} or {{"feedback": EPISODE}} with some of {known}.')
        case _:
            raise InputError(f"Expected an object, found {line.strip()!r:.60}.")
