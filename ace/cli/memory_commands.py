"""`ace memory ...`: list what is remembered of users, add to it, forget it, export and import it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ace.cli.files import read_text, write_text
from ace.cli.options import DEFAULT_MODEL, ApiBase, Json, Model
from ace.cli.output import emit, note, note_left_out
from ace.cli.playbook_places import PlaybookFile, playbook_file
from ace.cli.progress import progress, progress_on_terminal
from ace.errors import FormatError, InputError

if TYPE_CHECKING:
    from ace.memory import Conversation, Memory
    from ace.store import Forgotten, MemoryProposal, Store
    from ace.store.store_database import Place


def _check_filled(name: str | None) -> str | None:
    """Refuse an empty name: an unset variable of a shell must not become everyone."""
    if name is not None and not name.strip():
        raise typer.BadParameter("it is empty; leave the option out for everyone")
    return name


User = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="Of this user.", callback=_check_filled)
]
Session = Annotated[str | None, typer.Option("--session", metavar="SESSION", help="Of this session.")]
WHEN = "A date or time, ISO 8601."


def list_(
    user: User = None,
    session: Session = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"As of this time. {WHEN}  [default: now]")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Include those that hold no longer.")] = False,
    proposals: Annotated[
        bool, typer.Option("--proposals", help="Show what a model proposed, what became of it and why.")
    ] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """List what is remembered, oldest first: of one user and for everyone, or of all users."""
    from ace.runs.run_text import align_columns

    _check_session(session, user)
    with _open_store(playbook, read_only=True) as store:
        if user is not None:
            store.known_user(user)
        if proposals:
            rows = store.memory_proposals(user)
            data = {"proposals": [asdict(proposal) for proposal in rows]}
            emit(json, data, align_columns(map(_proposal_row, rows)))
            return
        memories = store.memories(user, session=session, at=at, every=every)
    lines = []
    for memory in memories:
        owner = "/".join(filter(None, (memory.user or "everyone", memory.session)))
        since = memory.since[:10]
        span = f"{since} to {memory.end[:10]}" if memory.end else f"since {since}"
        source = f"{memory.conversation}, turn {memory.turn}" if memory.conversation else memory.author
        lines.append((memory.id, owner, span, memory.kind, memory.text, f"({source})"))
    text = align_columns(lines) if lines else "Nothing is remembered."
    emit(json, {"memories": [_to_json(memory) for memory in memories]}, text)


def add(
    attribute: Annotated[str, typer.Argument(metavar="ABOUT", help='What it is about: "delivery address".')],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it is.")],
    user: User = None,
    session: Session = None,
    kind: Annotated[Literal["fact", "preference", "feedback"], typer.Option(help="Its kind.")] = "fact",
    subject: Annotated[str, typer.Option(metavar="NAME", help="Whose or what it is about.")] = "user",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"When it starts holding. {WHEN}  [default: now]")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"When it stops holding. {WHEN}")
    ] = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Remember something of a user, or without --user for everyone. It closes what it contradicts."""
    _check_session(session, user)
    with _open_store(playbook) as store:
        memory = store.remember(
            attribute,
            value,
            user=user or "",
            session=session or "",
            kind=kind,
            subject=subject,
            since=since,
            expires=expires,
        )
    emit(json, {"memory": _to_json(memory)}, f"{memory.id}: {memory.text}")


def extract(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Conversations as JSON lines.")],
    user: Annotated[
        str | None,
        typer.Option(metavar="USER", help="The user of lines that name none.", callback=_check_filled),
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
    from ace.llm import check_model_name, connect
    from ace.loop.remember import remember
    from ace.runs.run_text import align_columns, format_count

    conversations = _read_conversations(file, user or "", session or "")
    if not conversations:  # no model is needed for that
        emit(json, {"kept": 0, "proposals": []}, f"{file}: nothing in it")
        return
    proposals: list[MemoryProposal] = []
    check_model_name(model, api_base=api_base)  # before a playbook is made for nothing
    with _open_store(playbook) as store, progress() as show, connect(model, api_base=api_base) as client:
        for number, conversation in enumerate(conversations):
            show("conversations", number, len(conversations))
            proposals += remember(store, client, conversation)
        show("conversations", len(conversations), len(conversations))
    accepted = sum(proposal.outcome == "accepted" for proposal in proposals)
    total = format_count(len(proposals), "proposal")
    lines = [align_columns(map(_proposal_row, proposals))] if proposals else []
    lines.append(f"{format_count(len(conversations), 'conversation')}: {accepted} of {total} kept")
    data = {"kept": accepted, "proposals": [asdict(proposal) for proposal in proposals]}
    emit(json, data, "\n".join(lines))


def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="`ace memory list` shows them.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Everything of this user.", callback=_check_filled)
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Everything that holds no longer.")] = False,
    also: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Also black out this wording in every record.")
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
    from ace.store import Forgotten

    with (
        _open_store(playbook, create=False) as store,
        progress_on_terminal(store.path, json=json) as show_phase,
    ):
        show = partial(show_phase, "looking through tables")
        if finish:
            result = Forgotten((), {}, (), (), store.scrub())
        elif user is not None:
            result = store.forget_user(user, also=also or (), show=show)
        else:
            if expired:
                current = {memory.id for memory in store.memories()}
                ended = [memory.id for memory in store.memories(every=True) if memory.end is not None]
                ids = [name for name in ended if name not in current]
            if not ids:
                raise InputError("Everything that is remembered still holds.")
            result = store.forget(ids, also=also or (), show=show)
    emit(json, asdict(result), _forgotten_text(result))
    if not result.scrubbed:
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

    with _open_store(playbook, create=False) as store:
        if user is not None:
            store.known_user(user)
        memories = store.memories(user, every=True)
        text = dump_memories(memories)
        if file is None:
            data = {"memories": [_to_json(memory) for memory in memories]}
            emit(json, data, text.removesuffix("\n"))
            return
        store.note_export(file)  # first: `forget` must know of the file
        write_text(file, text)
    text = f"{_count_memories(len(memories))} written to {file}"
    emit(json, {"file": str(file), "memories": len(memories)}, text)


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines, as `ace memory export` writes them.")
    ],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Import memories. A row that cannot be used is left out by name."""
    from ace.memory.memory_file import RowFault, load_memories

    left_out: list[FormatError] = []
    text = read_text(file, errors="surrogateescape").removeprefix("\ufeff")
    memories = load_memories(text, file=str(file), left_out=left_out)
    if left_out and not memories:
        raise left_out[0]
    with _open_store(playbook) as store:
        result = store.import_memories(memories)
    if result.refused and not (result.added or result.known or result.forgotten):
        raise InputError(result.refused[0])
    reasons = Counter(str(error.details["fault"]) for error in left_out)
    if result.refused:
        reasons[str(RowFault.TAKEN)] = len(result.refused)
    groups = {
        "added": len(result.added),
        "here already": len(result.known),
        "forgotten here: left out": len(result.forgotten),
        **{f"left out: {reason}": count for reason, count in reasons.items()},
    }
    parts = [f"{count} {what}" for what, count in groups.items() if count]
    names = note_left_out([*left_out, *(f"{file}: {problem}" for problem in result.refused)])
    data = {**asdict(result), "left_out": names, "left_out_by_reason": reasons}
    emit(json, {"file": str(file), **data}, f"{file}: {', '.join(parts) or 'nothing in it'}")


def _check_session(session: str | None, user: str | None) -> None:
    """Raise InputError for a session without its user."""
    if session and not user:
        raise InputError("--session needs --user.", hint="A session is a user's.")


def _open_store(playbook: Place | None, *, create: bool = True, read_only: bool = False) -> Store:
    """Open the playbook file; None is the only one here. It is made where something is put into it."""
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=create and not read_only, read_only=read_only)


def _read_conversations(file: Path, user: str, session: str) -> list[Conversation]:
    """Read a file of conversations, one a line. A line that cannot be used is named on stderr and left out.

    Raises InputError where none can be used.
    """
    conversations: list[Conversation] = []
    left_out: list[InputError] = []
    lines = read_text(file, errors="surrogateescape").removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                conversations.append(_read_conversation(file, number, line, user, session))
        except InputError as error:
            left_out.append(error)
    if left_out and not conversations:
        raise left_out[0]
    note_left_out(left_out)
    return conversations


def _read_conversation(file: Path, number: int, line: str, user: str, session: str) -> Conversation:
    """Read the conversation of a line. Raises InputError, which names the line, for what cannot be used."""
    from ace.memory import parse_conversation
    from ace.text.json_lines import read_json_lines

    _, row = next(read_json_lines(line, str(file), FormatError, first=number, mend=True))
    if not isinstance(row, dict):
        raise FormatError(f"Expected an object, found {row!r:.60}.", file=str(file), line=number)
    if row.get("id") in (None, ""):
        row["id"] = f"{file.name}:{number}"
    conversation = parse_conversation(row, user=user, session=session, place=f"{file}:{number}")
    speakers = {turn.speaker for turn in conversation.spoken}
    if "user" not in speakers:
        roles = ", ".join(sorted(speakers)) or "nobody"
        hint = "What is remembered is what the messages of the role 'user' say."
        raise InputError(f"{file}:{number}: no message is by 'user', only by {roles}.", hint=hint)
    return conversation


def _forgotten_text(result: Forgotten) -> str:
    """Say what was forgotten, where else it was blacked out, and where it still stands."""
    from ace.runs.run_text import format_count

    lines = [f"{_count_memories(len(result.memories))} forgotten"]
    for table, count in result.redacted.items():
        lines.append(f"blacked out in {format_count(count, 'row')} of {table}")
    lines += [f"taken out of {file}" for file in result.exports]
    lines += [f"still in {place}" for place in result.remaining]
    if result.short:
        short = format_count(result.short, "text")
        reason = "too short to tell from others' words"
        lines.append(f"{short} {reason}: not looked for elsewhere; --also TEXT does")
    return "\n".join(lines)


def _count_memories(count: int) -> str:
    """Return a count with its noun."""
    return f"{count:,} {'memory' if count == 1 else 'memories'}"


def _to_json(memory: Memory) -> dict[str, object]:
    """Return a memory for a program, with the sentence that stands for it in a context."""
    return {**asdict(memory), "text": memory.text}


def _proposal_row(row: MemoryProposal) -> tuple[str, ...]:
    """Return a proposed memory as cells of a table; last, why it was refused, or the id it got."""
    about = ": ".join(str(row.proposal.get(name, "")) for name in ("attribute", "value"))
    return row.user, row.conversation, row.outcome, about, row.why or row.memory


ABOUT = "What is remembered of users, and forgetting it for good."
COMMANDS = (list_, add, extract, forget, export, import_)
