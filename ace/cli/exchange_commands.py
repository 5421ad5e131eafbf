"""`ace playbook export` and `import`: a playbook out to the formats of people and other tools, and in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ace.cli.files import read_text, write_text
from ace.cli.options import BranchName, Json, PlaybookFile, VersionOption, playbook_file
from ace.cli.output import emit, note
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.playbook.exchange import Plan
    from ace.playbook.formats import Finding, Format, Reading, Write
    from ace.store import Commit

AUTHOR = "person"
Writable = Literal["auto", "markdown", "json", "jsonl", "ace", "appworld", "kayba", "instructions"]
Readable = Literal[Writable, "cheatsheet", "text"]


def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write.  [default: stdout]")
    ] = None,
    form: Annotated[
        Writable, typer.Option("--format", help="auto: by the file's name, Markdown on stdout.")
    ] = "auto",
    version: VersionOption = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Write a playbook as text that can be reviewed, committed and imported."""
    from ace.playbook.exchange import choose_names, list_losses, select_writable
    from ace.runs.run_text import format_count
    from ace.store import Store

    chosen, write = _to_write(file, form)
    path = playbook_file(playbook)
    with Store.open(path, create=False, read_only=True) as store:
        value, aliases = store.checkout(version), store.aliases()
    kept, lost = select_writable(value, chosen), list_losses(value, chosen)
    text = write(kept, choose_names(kept, aliases))
    data: dict[str, Any] = {"format": chosen.name, "bullets": len(kept), "not_held": lost}
    held = [f"not held: {', '.join(lost)}"] if lost else []
    if file is None:
        if held and not json:
            note(held[0])
        emit(json, {**data, "text": text}, text.removesuffix("\n"))
        return
    write_text(file, _updated(file, text, path.stem) if chosen.name == "instructions" else text)
    size = f"{format_count(len(kept), 'bullet')} written to {file}"
    emit(json, {"file": str(file), **data}, "\n".join([size, *held]))


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A playbook as text, ours or another tool's.")],
    form: Annotated[Readable, typer.Option("--format", help="auto: by what is in the file.")] = "auto",
    replace: Annotated[bool, typer.Option("--replace", help="Also remove bullets the file lacks.")] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Keep what it brings out of the context until it is proven.")
    ] = False,
    pins: Annotated[
        bool, typer.Option("--pins", help="Pin new bullets that the file says are pinned.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing if a line cannot be read.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose ids the file has.  [default: the file's name]"),
    ] = None,
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Add the bullets of a file to a playbook; a bullet that is there already is brought in line with it.

    What reads as an attempt to give instructions waits in quarantine, whatever the file says of it.
    """
    from ace.playbook.exchange import plan_import
    from ace.playbook.formats import detect_format, find_format
    from ace.playbook.model import Add
    from ace.safety.injection import find_suspicion
    from ace.store import Store

    text = read_text(file).removeprefix("\ufeff")
    chosen = detect_format(text, file=str(file)) if form == "auto" else find_format(form)
    first = chosen.read(text, str(file), None)  # what does not read must not leave an empty playbook behind
    if first.unread and (strict or replace):
        lines = "\n".join(_lines(file, "not read", first.unread))
        hint = "Mend these lines, or import without --strict and --replace."
        raise InputError(f"{file} holds lines that cannot be read:\n{lines}\n", hint=hint)
    origin = file.name if source is None else source
    with Store.open(playbook_file(playbook), branch=branch) as store:
        before, known = store.checkout(), store.aliases()
        reading = chosen.read(text, str(file), before)
        told = store.bullet_texts({alias.bullet for alias in known if alias.source == origin})
        made = plan_import(
            reading,
            before,
            source=origin,
            aliases=known,
            told=told,
            removing=replace,
            quarantine=quarantine,
            pins=pins,
            suspicion=find_suspicion,
        )
        cited = {name for op in made.delta if isinstance(op, Add) for name in op.provenance}
        unknown = len(cited) - len(store.episodes(ids=sorted(cited))) if cited else 0
        reason = f"import of {file.name}"
        commit = store.commit(made.delta, author=AUTHOR, reason=reason, aliases=made.aliases)
    _report(file, chosen, reading, made, commit, unknown, json)


def _to_write(file: Path | None, form: Writable) -> tuple[Format, Write]:
    from ace.playbook.formats import find_format, find_format_by_file

    named = form if form != "auto" else "" if file else "markdown"
    chosen = find_format(named) if named else find_format_by_file(str(file))
    if chosen.write is None:
        raise InputError(f"{chosen.name} can only be imported.")
    return chosen, chosen.write


def _updated(file: Path, block: str, title: str) -> str:
    """A file of instructions with the block in it. What it cannot place without a guess, it refuses."""
    from ace.playbook.formats.instructions import new_file, update

    if text := read_text(file) if file.exists() else "":
        return update(text, block, file=str(file))
    return new_file(str(file), title) + block


def _report(
    file: Path, form: Format, reading: Reading, made: Plan, commit: Commit, unknown: int, as_json: bool
) -> None:
    """Everything that a person would otherwise have to find out by comparing."""
    from ace.playbook.delta import touched_ids
    from ace.runs.run_text import format_count

    refused = [f"{r.operation.op} {touched_ids(r.operation)[0]}: {r.reason}" for r in commit.rejections]
    size = f"{format_count(len(commit.playbook), 'bullet')}, {format_count(len(made.delta), 'operation')}"
    lines = [f"{file} is {form.name}: {form.about}", f"version {commit.version.number}: {size}"]
    lines += [f"{format_count(made.known, 'bullet')} here already"] if made.known else []
    lines += [f"{format_count(made.gone, 'bullet')} removed here before: left removed"] if made.gone else []
    if twins := made.duplicates:
        lines.append(f"{format_count(len(twins), 'exact duplicate')}: each kept once, its votes added")
        lines += [f"  {file}:{twin.line}: {twin.alias} is {twin.first or twin.bullet}" for twin in twins]
    lines += _distrusted(made, unknown)
    lines += [f"not held: {', '.join(reading.lost)}"] if reading.lost else []
    lines += [*_lines(file, "note", made.notes), *_lines(file, "not read", reading.unread)]
    lines += [f"not applied: {each}" for each in refused]
    data = {
        "file": str(file),
        "format": form.name,
        "version": asdict(commit.version),
        "bullets": len(commit.playbook),
        "operations": len(made.delta),
        "known": made.known,
        "gone": made.gone,
        "duplicates": [asdict(each) for each in made.duplicates],
        "held": [{"bullet": name, "why": why} for name, why in made.held],
        "unpinned": made.unpinned,
        "unknown_episodes": unknown,
        "not_held": reading.lost,
        "notes": [asdict(each) for each in made.notes],
        "unread": [asdict(each) for each in reading.unread],
        "rejected": refused,
    }
    emit(as_json, data, "\n".join(lines))


def _distrusted(made: Plan, unknown: int) -> list[str]:
    """What the file says of itself and nobody here can confirm."""
    from ace.runs.run_text import format_count

    held = made.held
    lines = (
        [f"{format_count(len(held), 'bullet')} suspicious: in quarantine until `ace playbook promote`"]
        if held
        else []
    )
    lines += [f"  {name}: {why}" for name, why in held]
    lines += (
        [f"{format_count(made.unpinned, 'new bullet')} not pinned; --pins takes over pins"]
        if made.unpinned
        else []
    )
    lines += [f"{format_count(unknown, 'episode')} cited that this playbook does not hold"] if unknown else []
    return lines


def _lines(file: Path, what: str, findings: Iterable[Finding]) -> list[str]:
    return [f"{what}: {file}:{each.line}: {each.text}" for each in findings]
