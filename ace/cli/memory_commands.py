"""`ace memory ...`: what is remembered of users: read it, add to it, forget it, take it out and in."""

from __future__ import annotations

import json as json_lines
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ace.cli.files import read_text, write_text
from ace.cli.options import DEFAULT_MODEL, ApiBase, Json, Model, PlaybookFile, playbook_file
from ace.cli.output import emit, note
from ace.cli.progress import progress
from ace.errors import FormatError, InputError

if TYPE_CHECKING:
    from ace.memory import Conversation, Memory
    from ace.store import Forgotten, MemoryProposal, Store


def _filled(name: str | None) -> str | None:
    """An unset variable of a shell must not become everyone."""
    if name is not None and not name.strip():
        raise typer.BadParameter("it is empty; leave the option out for everyone")
    return name


User = Annotated[str | None, typer.Option("--user", metavar="USER", help="Of this user.", callback=_filled)]
Session = Annotated[str | None, typer.Option("--session", metavar="SESSION", help="Of this session.")]
WHEN = "A date or time, ISO 8601."


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What is remembered of users, and forgetting it for good.", no_args_is_help=True)
    for command in (list_, add, extract, forget, export, import_):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="memory")


def list_(
    user: User = None,
    session: Session = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"What held then. {WHEN}  [default: now]")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that hold no longer, too.")] = False,
    proposals: Annotated[
        bool, typer.Option("--proposals", help="What a model proposed, what became of it and why.")
    ] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """What is remembered, oldest first: of one user and for everyone, or of all users."""
    from ace.runs.run_text import align_columns

    _needs_user(session, user)
    with _open(playbook, read_only=True) as store:
        if user is not None:
            store.known_user(user)
        if proposals:
            proposed = store.memory_proposals(user)
            emit(
                json,
                {"proposals": [asdict(each) for each in proposed]},
                align_columns(map(_proposal_row, proposed)),
            )
            return
        found = store.memories(user, session=session, at=at, every=every)
    text = align_columns(map(_row, found)) if found else "Nothing is remembered."
    emit(json, {"memories": [_data(memory) for memory in found]}, text)


def add(
    attribute: Annotated[str, typer.Argument(metavar="ABOUT", help='What it is about: "delivery address".')],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it is.")],
    user: User = None,
    session: Session = None,
    kind: Annotated[
        Literal["fact", "preference", "feedback"], typer.Option(help="Of what kind it is.")
    ] = "fact",
    subject: Annotated[str, typer.Option(metavar="NAME", help="Whose it is, or what for.")] = "user",
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"{WHEN}  [default: now]")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"It does not hold any more. {WHEN}")
    ] = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Remember something of a user, or without --user for everyone. It closes what it contradicts."""
    _needs_user(session, user)
    with _open(playbook) as store:
        kept = store.remember(
            attribute, value, user=user or "", session=session or "", kind=kind, subject=subject,
            since=since, expires=expires,
        )  # fmt: skip
    emit(json, {"memory": _data(kept)}, f"{kept.id}: {kept.text}")


def extract(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Conversations as JSON lines.")],
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Whose the lines without one are.", callback=_filled)
    ] = None,
    session: Session = None,
    model: Model = DEFAULT_MODEL,
    api_base: ApiBase = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Let a model propose what to remember of conversations; rules decide what is kept.

    A line: {"id", "user", "session", "time", "messages": [{"role", "content"}]}.
    """
    from ace.llm import connect
    from ace.loop.remember import remember
    from ace.runs.run_text import align_columns, format_count

    talks = list(_conversations(file, user or "", session or ""))
    noted = list[MemoryProposal]()
    with _open(playbook) as store, progress() as show, connect(model, api_base=api_base) as client:
        for number, talk in enumerate(talks):
            show("conversations", number, len(talks))
            noted += remember(store, client, talk)
        show("conversations", len(talks), len(talks))
    kept = sum(each.outcome == "accepted" for each in noted)
    lines = [align_columns(map(_proposal_row, noted))] if noted else []
    lines.append(
        f"{format_count(len(talks), 'conversation')}: {kept} of {format_count(len(noted), 'proposal')} kept"
    )
    emit(json, {"kept": kept, "proposals": [asdict(each) for each in noted]}, "\n".join(lines))


def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="`ace memory list` shows them.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Everything of this user.", callback=_filled)
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Everything that holds no longer.")] = False,
    also: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Black out this wording in every record, too.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Clear the file of what was deleted while others had it open.")
    ] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Delete memories for good: in the file, its log, its records of calls and attempts, and exports."""
    if sum((bool(ids), user is not None, expired, finish)) != 1:
        raise InputError("Give ids, or one of --user, --expired and --finish.")
    with _open(playbook) as store:
        if finish:
            done = _finished(store)
        elif user is not None:
            done = store.forget_user(user, also=also or ())
        else:
            done = store.forget(ids or _over(store), also=also or ())
    emit(json, asdict(done), "\n".join(_told(done)))
    if not done.scrubbed:
        note("ace: another process has the file open: what was deleted is not cleared from it yet.")
        note("ace: run `ace memory forget --finish` when it is done.")
        raise typer.Exit(1)


def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write.  [default: stdout]")
    ] = None,
    user: User = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Write memories as JSON lines, closed ones too. The file is noted: `forget` takes them out of it."""
    from ace.memory.memory_file import dump_memories

    with _open(playbook) as store:
        if user is not None:
            store.known_user(user)
        found = store.memories(user, every=True)
        text = dump_memories(found)
        if file is None:
            emit(json, {"memories": [_data(memory) for memory in found]}, text.removesuffix("\n"))
            return
        store.note_export(file)  # first: a file that nobody knows of would be forgotten by nobody
        write_text(file, text)
    emit(json, {"file": str(file), "memories": len(found)}, f"{_counted(len(found))} written to {file}")


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines, as `ace memory export` writes them.")
    ],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Take in memories: all rows of a file, or none if one cannot be used."""
    from ace.memory.memory_file import load_memories

    found = load_memories(read_text(file).removeprefix("\ufeff"), file=str(file))
    with _open(playbook) as store:
        done = store.import_memories(found)
    parts = (
        ("added", done.added),
        ("here already", done.known),
        ("forgotten here: left out", done.forgotten),
    )
    text = ", ".join(f"{len(ids)} {what}" for what, ids in parts if ids) or "nothing in it"
    emit(json, {"file": str(file), **asdict(done)}, f"{file}: {text}")


def _needs_user(session: str | None, user: str | None) -> None:
    if session and not user:
        raise InputError("--session needs --user.", hint="A session is a user's.")


def _open(playbook: Path | None, *, read_only: bool = False) -> Store:
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=not read_only, read_only=read_only)


def _conversations(file: Path, user: str, session: str) -> Iterator[Conversation]:
    from ace.memory import parse_conversation

    for number, line in enumerate(read_text(file).removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json_lines.loads(line)
        except ValueError as error:
            raise FormatError(f"Not valid JSON: {error}.", file=str(file), line=number) from error
        if not isinstance(row, dict):
            raise FormatError(f"Expected an object, found {line!r:.60}.", file=str(file), line=number)
        row.setdefault("id", f"{file.name}:{number}")
        talk = parse_conversation(row, user=user, session=session, place=f"{file}:{number}")
        speakers = {turn.speaker for turn in talk.turns}
        if "user" not in speakers:
            roles = ", ".join(sorted(speakers))
            hint = "What is remembered is what the messages of the role 'user' say."
            raise InputError(f"{file}:{number}: no message is by 'user', only by {roles}.", hint=hint)
        yield talk


def _over(store: Store) -> list[str]:
    holding = {memory.id for memory in store.memories()}
    ids = [m.id for m in store.memories(every=True) if m.id not in holding and m.end is not None]
    if not ids:
        raise InputError("Everything that is remembered still holds.")
    return ids


def _finished(store: Store) -> Forgotten:
    from ace.store import Forgotten

    return Forgotten((), {}, (), (), store.scrub())


def _told(done: Forgotten) -> Iterable[str]:
    from ace.runs.run_text import format_count

    yield f"{_counted(len(done.memories))} forgotten"
    for table, count in done.redacted.items():
        yield f"blacked out in {format_count(count, 'row')} of {table}"
    yield from (f"taken out of {file}" for file in done.exports)
    yield from (f"still in {place}" for place in done.remaining)
    if done.short:
        short = format_count(done.short, "text")
        yield f"{short} too short to tell from others' words: not looked for elsewhere; --also TEXT does"


def _counted(count: int) -> str:
    return f"{count:,} {'memory' if count == 1 else 'memories'}"


def _data(memory: Memory) -> dict[str, object]:
    return {**asdict(memory), "text": memory.text}


def _row(memory: Memory) -> tuple[str, ...]:
    whose = memory.user or "everyone"
    whose += f"/{memory.session}" if memory.session else ""
    span = f"{memory.since[:10]} to {memory.end[:10]}" if memory.end else f"since {memory.since[:10]}"
    origin = f"({memory.conversation}, turn {memory.turn})" if memory.conversation else f"({memory.author})"
    return memory.id, whose, span, memory.kind, memory.text, origin


def _proposal_row(made: MemoryProposal) -> tuple[str, ...]:
    about = ": ".join(str(made.proposal.get(name, "")) for name in ("attribute", "value"))
    return made.user, made.conversation, made.outcome, about, made.why or made.memory
