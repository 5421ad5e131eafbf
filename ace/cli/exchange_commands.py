"""`ace playbook export` and `import`: a playbook out to the formats of people and other tools, and in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ace.cli.files import read_text, write_text
from ace.cli.options import BranchName, Json, VersionOption
from ace.cli.output import can_show, emit, note
from ace.cli.playbook_places import PlaybookFile, playbook_file
from ace.cli.progress import progress_on_terminal
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.playbook.exchange import Plan
    from ace.playbook.formats import Finding, Format, Reading, Write
    from ace.playbook.model import Playbook
    from ace.store import Commit, Store

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
    skill: Annotated[
        Path | None, typer.Option("--skill", metavar="DIR", help="Write an Agent Skill into this folder.")
    ] = None,
    description: Annotated[
        str,
        typer.Option("--description", metavar="TEXT", help="When to use the skill.  [default: its sections]"),
    ] = "",
    version: VersionOption = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Write a playbook as text that can be reviewed, committed and imported, or as a skill for agents."""
    from ace.playbook.export import choose_names, list_losses, select_writable
    from ace.playbook.formats.instructions import new_file, update
    from ace.runs.run_text import format_count
    from ace.store import Store

    if skill and (file or form != "auto"):
        raise InputError("A skill is a folder of its own form.", hint="Leave out FILE and --format.")
    chosen, write = _find_format(file, "instructions" if skill else form)
    path = playbook_file(playbook)
    with Store.open(path, create=False, read_only=True) as store:
        value = store.checkout(version)
        aliases = store.aliases()
    if skill:
        _export_skill(value, skill, description, list_losses(value, chosen), json=json)
        return
    part = select_writable(value, chosen)
    lost = list_losses(value, chosen)
    text = write(part, choose_names(part, aliases))
    data: dict[str, Any] = {"format": chosen.name, "bullets": len(part), "not_held": lost}
    notes = [f"not held: {', '.join(lost)}"] if lost else []
    if file is None:
        if not json and not can_show(text):
            notes.append("characters that this output lacks are escaped; give a FILE to keep them")
        if notes and not json:
            note("\n".join(notes))
        emit(json, {**data, "text": text}, text.removesuffix("\n"))
        return
    if chosen.name == "instructions":
        old = read_text(file, exact=True) if file.exists() else ""
        text = update(old, text, file=str(file)) if old else new_file(str(file), path.stem) + text
    write_text(file, text)
    size = f"{format_count(len(part), 'bullet')} written to {file}"
    emit(json, {"file": str(file), **data}, "\n".join([size, *notes]))


def _export_skill(
    playbook: Playbook, folder: Path, description: str, lost: tuple[str, ...], *, json: bool
) -> None:
    """Write the active bullets as an Agent Skill into a folder, and say which files."""
    from ace.cli.skill_files import write_skill_files
    from ace.playbook.formats.skill import write_skill
    from ace.runs.run_text import format_count

    files = write_skill(playbook, folder.resolve().name, description)
    removed = write_skill_files(folder, files)
    count = len(playbook.active)
    lines = [f"{format_count(count, 'bullet')} written to {folder}: {', '.join(files)}"]
    lines += [f"removed: {path}" for path in removed]
    lines += [f"not held: {', '.join(lost)}"] if lost else []
    data = {"folder": str(folder), "files": list(files), "removed": [str(path) for path in removed]}
    emit(json, {**data, "bullets": count, "not_held": lost}, "\n".join(lines))


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A playbook as text, ours or another tool's.")],
    form: Annotated[Readable, typer.Option("--format", help="auto: by what is in the file.")] = "auto",
    replace: Annotated[bool, typer.Option("--replace", help="Also remove bullets the file lacks.")] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Keep what is new out of the context until it is proven.")
    ] = False,
    pins: Annotated[
        bool, typer.Option("--pins", help="Pin new bullets that the file says are pinned.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing if a line cannot be read.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What the file's ids belong to.  [default: the file's name]"),
    ] = None,
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Add the bullets of a file to a playbook; update those that came from it before.

    What reads as an attempt to give instructions waits in quarantine, whatever the file says of it.
    """
    from ace.playbook.exchange import plan_import
    from ace.safety.injection import find_suspicion
    from ace.store import Store

    text, origin = read_text(file).removeprefix("\ufeff"), file.name if source is None else source
    with ExitStack() as stack:
        show = stack.enter_context(progress_on_terminal(len(text), json=json))
        show("reading characters", 0, len(text))
        chosen, reading = _find_reader(file, text, form, strict=strict, replace=replace)
        show("reading characters", len(text), len(text))
        store = stack.enter_context(Store.open(playbook_file(playbook), branch=branch))
        before, aliases = store.checkout(), store.aliases()  # what a line leaves out may be there
        reading = chosen.read(text, str(file), before) if before.bullets else reading
        changes = plan_import(
            reading,
            before,
            source=origin,
            aliases=aliases,
            told=store.bullet_texts({alias.bullet for alias in aliases if alias.source == origin}),
            removing=replace,
            quarantine=quarantine,
            pins=pins,
            suspicion=find_suspicion,
            show=partial(show, "checking bullets"),
        )
        unknown = _count_unknown_episodes(store, changes)
        show("writing operations", 0, len(changes.delta))
        reason = f"import of {file.name}"
        commit = store.commit(changes.delta, author=AUTHOR, reason=reason, aliases=changes.aliases)
        show("writing operations", len(changes.delta), len(changes.delta))
    result = Imported(
        file=file, form=chosen, reading=reading, changes=changes, commit=commit, unknown_episodes=unknown
    )
    emit(json, result.to_json(), result.to_text())


def _find_reader(
    file: Path, text: str, form: Readable, *, strict: bool, replace: bool
) -> tuple[Format, Reading]:
    """Return the format of a text and what it reads there, before an empty playbook is made for it.

    Raises FormatError for a text that does not parse, InputError for unread lines that are not allowed.
    """
    from ace.playbook.formats import detect_format, find_format

    chosen = detect_format(text, file=str(file)) if form == "auto" else find_format(form)
    reading = chosen.read(text, str(file), None)
    unread = reading.unread
    if not strict:  # text that is no bullet stands for no bullet that the file lacks
        unread = tuple(finding for finding in unread if not finding.kind)
    if unread and (strict or replace):
        lines = "\n".join(_list_findings(file, "not read", unread))
        hint = "Mend these lines, or import without --strict and --replace."
        raise InputError(f"{file} holds lines that cannot be read:\n{lines}\n", hint=hint)
    return chosen, reading


def _find_format(file: Path | None, form: Writable) -> tuple[Format, Write]:
    """Return the format to write, and its function. Raises InputError for one that is only read."""
    from ace.playbook.formats import find_format, find_format_by_file

    if form != "auto":
        chosen = find_format(form)
    elif file:
        chosen = find_format_by_file(str(file))
    else:
        chosen = find_format("markdown")
    if chosen.write is None:
        raise InputError(f"{chosen.name} can only be imported.")
    return chosen, chosen.write


def _count_unknown_episodes(store: Store, changes: Plan) -> int:
    """Count the episodes that new bullets cite and this playbook does not hold.

    They prove nothing here, since nobody can look at them.
    """
    from ace.playbook.model import Add

    cited = set[str]()
    for operation in changes.delta:
        if isinstance(operation, Add):
            cited.update(operation.provenance)
    return len(cited) - len(store.episodes(ids=sorted(cited))) if cited else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Hold what an import did: everything that a person would otherwise have to find out by comparing."""

    file: Path
    """The file that was read."""

    form: Format
    """The format that it was read as."""

    reading: Reading
    """The bullets in it, and what of it was left out."""

    changes: Plan
    """The operations that make the playbook say what the file says."""

    commit: Commit
    """What became of them."""

    unknown_episodes: int
    """How many episodes the bullets cite that the playbook has not."""

    def to_text(self) -> str:
        """Return it for a person, one finding a line."""
        from ace.runs.run_text import format_count

        changes, file = self.changes, self.file
        bullets = format_count(len(self.commit.playbook), "bullet")
        operations = format_count(len(changes.delta), "operation")
        lines = [
            f"{file} is {self.form.name}: {self.form.about}",
            f"version {self.commit.version.number}: {bullets}, {operations}",
        ]
        if changes.known:
            lines.append(f"{format_count(changes.known, 'bullet')} here already")
        if changes.gone:
            lines.append(f"{format_count(changes.gone, 'bullet')} removed here before: left removed")
        if changes.duplicates:
            count = format_count(len(changes.duplicates), "exact duplicate")
            lines.append(f"{count}: each kept once, its votes added")
        for twin in changes.duplicates:
            lines.append(f"  {file}:{twin.line}: {twin.alias} is {twin.first or twin.bullet}")
        # What the file says of itself and nobody here can confirm.
        if changes.held:
            count = format_count(len(changes.held), "bullet")
            lines.append(f"{count} suspicious: in quarantine until `ace playbook promote`")
        lines += [f"  {name}: {why}" for name, why in changes.held]
        if changes.hidden:
            count = format_count(len(changes.hidden), "bullet")
            lines.append(f"{count} with what looks like a secret, now hidden: {', '.join(changes.hidden)}")
        if changes.unpinned:
            lines.append(f"{format_count(changes.unpinned, 'new bullet')} not pinned; --pins takes over pins")
        if self.unknown_episodes:
            count = format_count(self.unknown_episodes, "episode")
            lines.append(f"{count} cited that this playbook does not hold")
        if self.reading.lost:
            lines.append(f"not held: {', '.join(self.reading.lost)}")
        lines += _list_findings(file, "note", changes.notes)
        kinds = Counter(finding.kind or "bullet" for finding in self.reading.unread)
        if len(self.reading.unread) > 1:
            counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            lines.append(f"{len(self.reading.unread)} parts of the file not read: {counts}")
        lines += _list_findings(file, "not read", self.reading.unread)
        lines += [f"not applied: {text}" for text in self._list_rejections()]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return it for a program."""
        changes = self.changes
        return {
            "file": str(self.file),
            "format": self.form.name,
            "version": asdict(self.commit.version),
            "bullets": len(self.commit.playbook),
            "operations": len(changes.delta),
            "known": changes.known,
            "gone": changes.gone,
            "duplicates": [asdict(twin) for twin in changes.duplicates],
            "held": [{"bullet": name, "why": why} for name, why in changes.held],
            "unpinned": changes.unpinned,
            "hidden": changes.hidden,
            "unknown_episodes": self.unknown_episodes,
            "not_held": self.reading.lost,
            "notes": [asdict(finding) for finding in changes.notes],
            "unread": [asdict(finding) for finding in self.reading.unread],
            "rejected": self._list_rejections(),
        }

    def _list_rejections(self) -> list[str]:
        """Return a line for each operation of the plan that could not apply."""
        from ace.playbook.delta import touched_ids

        lines = []
        for rejection in self.commit.rejections:
            operation = rejection.operation
            lines.append(f"{operation.op} {touched_ids(operation)[0]}: {rejection.reason}")
        return lines


def _list_findings(file: Path, what: str, findings: Iterable[Finding]) -> list[str]:
    """Return a line for each finding: the file with the line, what kind it is, and the finding."""
    lines = []
    for finding in findings:
        span = f"{finding.line}-{finding.last}" if finding.last > finding.line else f"{finding.line}"
        lines.append(f"{what}: {file}:{span}: {finding.text}")
    return lines
